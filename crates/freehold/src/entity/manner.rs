//! In what manner a request is carried out: as one statement, in a transaction with others, on trial, or once for a key.
//!
//! `Prefer: tx=rollback` has a write carried out, answered as if, and undone. `POST /transaction` has several operations
//! carried out together ([`operations`]). `Idempotency-Key` has a write carried out once, however often it is sent
//! ([`idempotency`]). Anything else runs as it always did, without a transaction around it.

use axum::http::{HeaderValue, Method, StatusCode, header};

use super::answer::{self, Answer, Transaction};
use super::execute::Runner;
use super::fault::{self, Fault};
use super::headers::{Preferences, Tx, WHOLE, preferences};
use super::idempotency::{self, Key};
use super::operations::{self, Operation};
use super::problem::Problem;
use super::receive::Asked;
use super::session::Ending;
use super::sql::{Param, Statement};
use super::{Surface, Wake, http};

/// Where several operations are carried out together; a table of this name hides it.
const TRANSACTION: &str = "transaction";
const TRANSACTION_METHODS: HeaderValue = HeaderValue::from_static("OPTIONS, POST");

/// What one request is to carry out.
pub(super) struct Task<'r> {
    pub(super) surface: &'r Surface,
    pub(super) asked: &'r Asked,
    what: What,
    preferences: Preferences,
}

enum What {
    /// The request itself.
    Itself,
    /// The operations in its body.
    Operations(Vec<Operation>),
}

/// Answers a request.
pub(super) async fn answer(surface: &Surface, runner: Runner<'_>, asked: &Asked) -> Result<Answer, Problem> {
    let what = match is_transaction(surface, asked) {
        true if asked.method == Method::POST => What::Operations(operations::read(asked, &surface.limits)?),
        true => return beside_post(&asked.method),
        false => What::Itself,
    };
    let preferences = preferences(&asked.headers, WHOLE)?;
    let key = match asked.writes() {
        true => Key::of(&asked.headers)?,
        false => None,
    };
    let task = Task {
        surface,
        asked,
        what,
        preferences,
    };
    match (key, task.preferences.tx) {
        (None, Some(Tx::Rollback)) if asked.writes() => task.whole(runner, Ending::Rollback).await,
        (None, _) if task.is_one_statement() => task.perform(runner).await,
        (None, _) => task.whole(runner, Ending::Commit).await,
        (Some(key), None | Some(Tx::Commit)) => {
            let _wake = Wake(&surface.written);
            idempotency::once(&task, runner, &key).await
        }
        (Some(_), Some(Tx::Rollback)) => Err(idempotency::refuse(
            "what is rolled back cannot be kept under an Idempotency-Key",
        )),
    }
}

impl Task<'_> {
    /// Whether it needs no transaction around it.
    fn is_one_statement(&self) -> bool {
        matches!(self.what, What::Itself) && self.preferences.timezone.is_none()
    }

    /// Carries it out; in a transaction that is open, as a part of it.
    pub(super) async fn perform(&self, runner: Runner<'_>) -> Result<Answer, Problem> {
        if let Some(timezone) = &self.preferences.timezone {
            let mut sql = Statement::new();
            sql.push("select set_config('timezone', ")
                .param(Param::Text(timezone.clone()))
                .push(", true)");
            let set = runner.read(&sql).await;
            set.map_err(|f| f.into_problem_of_any(&self.surface.tables))?;
        }
        match &self.what {
            What::Itself => http::perform(self.surface, runner, self.asked).await,
            What::Operations(operations) => {
                let mut answer = operations::perform(self.surface, runner, operations).await?;
                answer::set_applied(&mut answer, &self.preferences);
                Ok(answer)
            }
        }
    }

    /// Carries it out in a transaction of its own.
    async fn whole(&self, runner: Runner<'_>, ending: Ending) -> Result<Answer, Problem> {
        let _wake = Wake(&self.surface.written);
        let done = runner.transaction(ending, |within| {
            Box::pin(async move { self.perform(within.runner).await.map_err(Fault::Refused) })
        });
        let mut answer = done.await.map_err(|f| f.into_problem_of_any(&self.surface.tables))?;
        if ending == Ending::Rollback {
            // Nobody can wait for what never was.
            answer.extensions_mut().remove::<Transaction>();
        }
        Ok(answer)
    }
}

fn is_transaction(surface: &Surface, asked: &Asked) -> bool {
    asked.path.strip_prefix('/') == Some(TRANSACTION) && !surface.tables.contains_key(TRANSACTION)
}

fn beside_post(method: &Method) -> Result<Answer, Problem> {
    if method == Method::OPTIONS {
        let mut response = answer::empty(StatusCode::OK);
        response.headers_mut().insert(header::ALLOW, TRANSACTION_METHODS);
        return Ok(response);
    }
    let message = format!("`/{TRANSACTION}` does not answer {method}");
    Err(fault::not_allowed(TRANSACTION_METHODS, message))
}
