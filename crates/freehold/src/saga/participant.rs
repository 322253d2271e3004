//! The other end of a saga's step: a command takes effect once, and is answered as often as it comes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::engine::Direction;
use crate::error::{Error, Result, told};
use crate::message::Received;
use crate::tx::Tx;
use crate::{interfere, plant};

/// A command's body.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope {
    /// The same for every repeat.
    pub(crate) id: Uuid,
    /// Whose step it is; none for a command of nobody's saga, which is not answered.
    pub(crate) saga: Option<Uuid>,
    pub(crate) step: Option<String>,
    pub(crate) direction: Direction,
    /// A compensation: the command it undoes.
    pub(crate) voids: Option<Uuid>,
    pub(crate) data: Value,
}

#[derive(Deserialize)]
struct Asked<'a> {
    id: Uuid,
    saga: Option<Uuid>,
    step: Option<String>,
    direction: Direction,
    voids: Option<Uuid>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What became of a command that was here before.
struct Before {
    outcome: String,
    reason: Option<String>,
    data: Option<String>,
}

/// A command arrived: obeyed if it is new, answered in any case.
pub(crate) async fn obey(tx: &mut Tx, received: &Received) -> Result<()> {
    let asked: Asked<'_> = serde_json::from_str(received.data.get())?;
    let app = tx.app().clone();
    let declared = app.service().commands.iter().find(|c| c.name == received.kind);
    if declared.is_some_and(|command| !command.from.contains(&received.producer)) {
        return Err(Error::other(format!(
            "{} may not send {}: `from` in [commands] does not name it",
            received.producer, received.kind
        )));
    }
    let step = asked.step.as_deref().unwrap_or(&received.kind);
    interfere::about(step, asked.direction);
    let forgotten = match asked.direction {
        Direction::Forward => plant::is("command-not-recognised"),
        Direction::Compensate => plant::is("compensation-not-idempotent"),
    };
    if let Some(before) = seen(tx, asked.id).await?
        && !forgotten
    {
        if plant::is("reply-not-stored") {
            return Ok(());
        }
        let again = Answered {
            outcome: &before.outcome,
            reason: before.reason,
            data: before.data,
        };
        return answer(tx, received, &asked, again).await;
    }
    if let (Direction::Compensate, Some(forward)) = (asked.direction, asked.voids) {
        let took_effect = match seen(tx, forward).await? {
            Some(before) => before.outcome == "done",
            None => {
                if !plant::is("no-tombstone") {
                    void(tx, received, forward).await?;
                }
                false
            }
        };
        if !took_effect {
            let nothing = Answered {
                outcome: "done",
                reason: None,
                data: None,
            };
            return answer(tx, received, &asked, nothing).await;
        }
    }
    let made = match interfere::step(step, asked.direction) {
        Ok(()) => app.handlers().command(&received.kind, asked.data.get(), tx).await,
        Err(error) => Some(Err(error)),
    };
    let made = match made {
        Some(made) => made,
        None => Err(Error::other(format!("nothing here obeys {}", received.kind))),
    };
    match made {
        Ok(reply) => {
            let done = Answered {
                outcome: "done",
                reason: None,
                data: Some(reply.to_string()),
            };
            answer(tx, received, &asked, done).await
        }
        Err(Error::Refused { code, detail }) => {
            tx.rewind().await?;
            let refused = Answered {
                outcome: "refused",
                reason: Some(told(&format!("{code}: {detail}"))),
                data: None,
            };
            answer(tx, received, &asked, refused).await
        }
        Err(error) => Err(error),
    }
}

async fn seen(tx: &Tx, command: Uuid) -> Result<Option<Before>> {
    let sql = tx.place("select o.outcome, o.reason, o.data::text from freehold.obeyed o where o.command = $1");
    let row = tx.query_opt(&sql, &[&command]).await?;
    Ok(row.map(|row| Before {
        outcome: row.get(0),
        reason: row.get(1),
        data: row.get(2),
    }))
}

/// A command that has not come yet will do nothing when it does.
async fn void(tx: &Tx, received: &Received, forward: Uuid) -> Result<()> {
    let sql = tx.place(
        "insert into freehold.obeyed (command, type, key, outcome, reason)
         values ($1, $2, $3, 'voided', 'its compensation came first')",
    );
    tx.execute(&sql, &[&forward, &received.kind, &received.subject]).await?;
    Ok(())
}

struct Answered<'a> {
    outcome: &'a str,
    reason: Option<String>,
    data: Option<String>,
}

async fn answer(tx: &Tx, received: &Received, asked: &Asked<'_>, answered: Answered<'_>) -> Result<()> {
    let Answered { outcome, reason, data } = answered;
    if asked.saga.is_none() || received.producer == tx.app().service().name {
        let sql = tx.place(
            "insert into freehold.obeyed (command, type, key, outcome, reason, data)
             values ($1, $2, $3, $4, $5, $6::text::json)
             on conflict do nothing",
        );
        tx.execute(
            &sql,
            &[&asked.id, &received.kind, &received.subject, &outcome, &reason, &data],
        )
        .await?;
        return Ok(());
    }
    if plant::is("reply-not-stored") {
        return unsent(tx, received, asked, Answered { outcome, reason, data }).await;
    }
    let sql = tx.place("select freehold.answer($1, $2, $3, $4, $5, $6::text::json, $7, $8, $9, $10)");
    tx.query_one(
        &sql,
        &[
            &asked.id,
            &received.kind,
            &received.subject,
            &outcome,
            &reason,
            &data,
            &format!("{}.replies", received.producer),
            &asked.saga,
            &asked.step,
            &asked.direction.word(),
        ],
    )
    .await?;
    Ok(())
}

/// Planted: the effect is stored, the answer is not.
async fn unsent(tx: &Tx, received: &Received, asked: &Asked<'_>, answered: Answered<'_>) -> Result<()> {
    let sql = tx.place("insert into freehold.obeyed (command, type, key, outcome) values ($1, $2, $3, $4)");
    tx.execute(&sql, &[&asked.id, &received.kind, &received.subject, &answered.outcome])
        .await?;
    let outcome = if answered.outcome == "done" { "done" } else { "refused" };
    let data: Option<Value> = answered.data.map(|data| serde_json::from_str(&data)).transpose()?;
    let body = serde_json::json!({
        "command": asked.id, "saga": asked.saga, "step": asked.step, "direction": asked.direction,
        "outcome": outcome, "reason": answered.reason, "data": data,
    });
    plant::keep([
        format!("{}.replies", received.producer),
        format!("{}.{outcome}", received.kind),
        received.subject.clone(),
        body.to_string(),
    ]);
    Ok(())
}
