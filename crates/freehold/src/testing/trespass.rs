//! Trespassing: one user tries every way to what another owns, and so do nobody and forged tokens. Feature `testing`.
//!
//! The ways are read from the service's own OpenAPI document: every table and view with every method, by key and without, with
//! filters, embedded relations, counts and preconditions, upserts, `POST /transaction`, every function. Of a right service nothing
//! comes back: no byte of the owner's rows, no effect on them, and no difference between a row that is hidden and one that is not
//! there, in what is read, changed or deleted. That a key is taken, an insert tells; keys that nobody can guess are the remedy.
//!
//! ```no_run
//! use freehold::testing::{Owned, Trial, trespass};
//! # async fn example(alice: &str, bob: &str) -> freehold::Result<()> {
//! let report = trespass(&Trial {
//!     url: "http://127.0.0.1:7203",
//!     owner: alice,
//!     rows: &[Owned::new("notes", &[("id", "0f8e6c3a-5a51-4c8e-9d0c-2c1f5b6a7d8e")], &["alice's secret"])],
//!     stranger: bob,
//!     forged: &[("signed by somebody", "eyJ…".to_owned())],
//! })
//! .await?;
//! assert!(report.is_clean(), "{report}");
//! # Ok(())
//! # }
//! ```

mod attempts;
mod learned;

use std::fmt;

use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, ETAG};
use serde_json::Value;

use crate::error::{Error, Result};
use attempts::{Attempt, Expected};
use learned::Learned;

/// Who tries what.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'t> {
    /// The root of the service.
    pub url: &'t str,
    /// The token of the user whose rows are tried for.
    pub owner: &'t str,
    /// Some of that user's rows, of as many tables as there are.
    pub rows: &'t [Owned],
    /// The token of another user, to whom nothing of these rows is shared.
    pub stranger: &'t str,
    /// Tokens that are none, each with what is wrong with it.
    pub forged: &'t [(&'t str, String)],
}

/// A row of the owner.
#[derive(Debug, Clone)]
pub struct Owned {
    table: String,
    key: Vec<(String, String)>,
    marks: Vec<String>,
}

impl Owned {
    /// The row of `table` with this key; `marks` are texts that stand in it and in no row that the stranger may see.
    #[must_use]
    pub fn new(table: &str, key: &[(&str, &str)], marks: &[&str]) -> Self {
        let pair = |(column, value): &(&str, &str)| ((*column).to_owned(), (*value).to_owned());
        Self {
            table: table.to_owned(),
            key: key.iter().map(pair).collect(),
            marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
        }
    }
}

/// What came back, or was changed, and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// `stranger`, `nobody`, or what is wrong with the token.
    pub who: String,
    /// The request.
    pub request: String,
    /// What is wrong with its answer, or what it did.
    pub why: String,
}

/// What came of a trial.
#[derive(Debug, Clone)]
pub struct Report {
    /// Requests that were made.
    pub attempts: usize,
    /// Those that were not in vain.
    pub leaks: Vec<Leak>,
}

impl Report {
    /// Whether every attempt was in vain, and there were some.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.leaks.is_empty() && self.attempts > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vain = self.attempts.saturating_sub(self.leaks.len());
        writeln!(f, "{vain} of {} attempts were in vain", self.attempts)?;
        for Leak { who, request, why } in &self.leaks {
            writeln!(f, "{who}: {request}: {why}")?;
        }
        Ok(())
    }
}

/// Tries everything, and reports what was not in vain.
///
/// # Errors
/// [`Error::Other`] when the owner does not see the rows, or the service does not answer: such a trial proves nothing.
pub async fn trespass(trial: &Trial<'_>) -> Result<Report> {
    let court = Court {
        trial,
        http: reqwest::Client::builder().no_proxy().build().map_err(Error::other)?,
    };
    let learned = Learned::of(&court.json("/openapi.json", None).await?);
    let before = court.estate(&learned).await?;
    court.check_marks(&before)?;
    let mut report = Report {
        attempts: 0,
        leaks: Vec::new(),
    };
    let attempts = attempts::all(trial.rows, &learned, &before);
    let stranger = ("stranger", Some(trial.stranger));
    let forged = trial.forged.iter().map(|(wrong, token)| (*wrong, Some(token.as_str())));
    for (who, token) in std::iter::once(stranger).chain([("nobody", None)]).chain(forged) {
        for attempt in &attempts {
            report.attempts += 1;
            let expected = match (who, attempt.is_public) {
                ("stranger", _) => Expected::Vain,
                ("nobody", true) => Expected::Vain,
                _ => Expected::Unauthorized,
            };
            let answer = court.send(attempt, token).await?;
            let found = court.judge(attempt, &answer, token, expected).await?;
            // What it did weighs more than what it was told.
            let carried_out = attempt.writes() && answer.status != 401;
            let damage = carried_out && court.estate(&learned).await? != before;
            let why = match damage {
                true => Some("has changed what the owner sees; the trial ended with it".to_owned()),
                false => found,
            };
            let Some(why) = why else {
                continue;
            };
            report.leaks.push(Leak {
                who: who.to_owned(),
                request: attempt.to_string(),
                why,
            });
            if damage {
                return Ok(report);
            }
        }
    }
    Ok(report)
}

/// What the owner sees: of each table the rows, as JSON.
type Estate = Vec<(String, Value)>;

struct Court<'t> {
    trial: &'t Trial<'t>,
    http: reqwest::Client,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    range: String,
    etag: String,
    body: String,
    head: String,
}

impl Court<'_> {
    async fn send(&self, attempt: &Attempt, token: Option<&str>) -> Result<Answer> {
        let url = format!("{}{}", self.trial.url, attempt.path);
        let mut request = self.http.request(attempt.method.clone(), url);
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = &attempt.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(Error::other)?;
        let said = |name| {
            let value = response.headers().get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Ok(Answer {
            status: response.status().as_u16(),
            range: said(CONTENT_RANGE),
            etag: said(ETAG),
            head: format!("{:?}", response.headers()),
            body: response.text().await.map_err(Error::other)?,
        })
    }

    async fn json(&self, path: &str, token: Option<&str>) -> Result<Value> {
        let answer = self.send(&Attempt::get(path), token).await?;
        if answer.status != 200 {
            return Err(Error::other(format!(
                "{path} is answered {}: {}",
                answer.status, answer.body
            )));
        }
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// Everything that is the owner's to see, except what is everybody's.
    async fn estate(&self, learned: &Learned) -> Result<Estate> {
        let mut estate = Vec::new();
        for table in learned.relations.iter().filter(|r| !r.is_public) {
            let rows = self.json(&format!("/{}", table.name), Some(self.trial.owner)).await?;
            let mut rows: Vec<Value> = serde_json::from_value(rows)?;
            // The order of a list without one may change by itself.
            rows.sort_by_key(Value::to_string);
            estate.push((table.name.clone(), Value::Array(rows)));
        }
        Ok(estate)
    }

    /// A mark that is not there could not be found by a trespasser either.
    fn check_marks(&self, estate: &Estate) -> Result<()> {
        for row in self.trial.rows {
            let seen = estate.iter().find(|(table, _)| *table == row.table);
            let seen = seen.map(|(_, rows)| rows.to_string()).unwrap_or_default();
            let key = row.key.iter().map(|(_, value)| value);
            if let Some(mark) = key.chain(&row.marks).find(|mark| !seen.contains(mark.as_str())) {
                return Err(Error::other(format!("the owner does not see {mark} in {}", row.table)));
            }
        }
        Ok(())
    }

    /// Says what an answer brought, if the attempt was not in vain.
    async fn judge(
        &self,
        attempt: &Attempt,
        answer: &Answer,
        token: Option<&str>,
        expected: Expected,
    ) -> Result<Option<String>> {
        if answer.status >= 500 {
            return Ok(Some(format!("is answered {}", answer.status)));
        }
        if expected == Expected::Unauthorized && answer.status != 401 {
            return Ok(Some(format!("is answered {}, not 401", answer.status)));
        }
        let sent = attempt.to_string();
        let keys = self
            .trial
            .rows
            .iter()
            .flat_map(|row| row.key.iter().map(|(_, value)| value));
        let marks = self.trial.rows.iter().flat_map(|row| &row.marks).chain(keys);
        // What was sent may come back.
        let found = marks.filter(|mark| mark.len() > 3 && !sent.contains(mark.as_str()));
        let said = format!("{} {}", answer.head, answer.body);
        if let Some(mark) = found.into_iter().find(|mark| said.contains(mark.as_str())) {
            return Ok(Some(format!("the answer holds {mark:?}")));
        }
        if let Some(why) = miscounted(attempt, answer) {
            return Ok(Some(why));
        }
        let Some((control, absent, key)) = &attempt.control else {
            return Ok(None);
        };
        let control = self.send(control, token).await?;
        let same = control.status == answer.status
            && control.range == answer.range
            && control.etag == answer.etag
            && control.body.replace(absent.as_str(), key) == answer.body;
        Ok((!same).then(|| {
            format!(
                "tells that the row is there: {} {}, not {}",
                answer.status, answer.body, control.status
            )
        }))
    }
}

/// A total of more rows than are shown counts those that are hidden.
fn miscounted(attempt: &Attempt, answer: &Answer) -> Option<String> {
    let (_, total) = answer.range.split_once('/')?;
    let total: usize = total.parse().ok()?;
    let shown: Vec<Value> = serde_json::from_str(&answer.body).ok()?;
    let whole = attempt.method == reqwest::Method::GET && !attempt.path.contains("limit=");
    (whole && total != shown.len()).then(|| format!("counts {total} rows and shows {}", shown.len()))
}
