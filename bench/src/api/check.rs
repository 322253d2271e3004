//! Whether a side does what it is asked.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::asked::{Asked, CONNECTIONS, LIMIT, MAKERS, OWN, OWN_FIRST, STEP, Script};
use crate::http::{self, Requests, Turn};

/// The first request of the load generator.
pub(super) const FIRST: Turn = Turn {
    connection: 0,
    number: 0,
};

/// Compares what the API answers with what the statements bring back. Returns the least length of the bodies to come:
/// rows are of about one length.
pub(super) async fn answers(
    admin: &Client,
    asked: Asked,
    hand: &Script,
    postgrest: &Script,
    port: u16,
    requests: &Requests,
) -> Result<u64> {
    let Some(expected) = expected(admin, asked, hand).await? else {
        return Ok(0);
    };
    let body = http::once(port, requests, FIRST).await?;
    let body = std::str::from_utf8(&body)?;
    ensure!(body == expected, "{}: {body}\nis not {expected}", asked.name());
    let (name, value) = first(asked);
    let main = postgrest.main_of(name, value);
    let main = main.replace(":limit", &LIMIT.to_string()).replace(":offset", "0");
    let theirs: Value = serde_json::from_str(&column(admin, &main, "body").await?)?;
    let expected: Value = serde_json::from_str(&expected)?;
    ensure!(theirs == expected, "{}: {theirs}\nis not {expected}", asked.name());
    Ok(least(body.len()))
}

/// What the first request is answered with, an array of rows; none where it writes.
pub(super) async fn expected(admin: &Client, asked: Asked, hand: &Script) -> Result<Option<String>> {
    let (name, value) = first(asked);
    let statement = hand.main_of(name, value);
    Ok(match asked {
        Asked::Key => Some(format!("[{}]", column(admin, &statement, "row_to_json").await?)),
        Asked::List => Some(column(admin, &statement, "?column?").await?),
        Asked::Patch | Asked::Post(_) => None,
    })
}

/// Bodies of about this length are not shorter.
pub(super) fn least(length: usize) -> u64 {
    length as u64 * 9 / 10
}

/// The variable that the first request stands for, with its value.
fn first(asked: Asked) -> (&'static str, usize) {
    match asked {
        Asked::Key => ("key", STEP),
        Asked::List => ("maker", 1),
        Asked::Patch => ("own", OWN_FIRST),
        Asked::Post(_) => ("maker", 1),
    }
}

async fn column(admin: &Client, statement: &str, name: &str) -> Result<String> {
    let found = admin.simple_query(statement).await?;
    let text = found.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(name),
        _ => None,
    });
    Ok(text
        .with_context(|| format!("no `{name}` from: {statement}"))?
        .to_owned())
}

/// Makes ready what is written next: the rows to be changed have version 1 again.
pub(super) async fn prepare(admin: &Client, asked: Asked) -> Result<()> {
    if asked != Asked::Patch {
        return Ok(());
    }
    let last = OWN_FIRST + CONNECTIONS * OWN - 1;
    admin
        .batch_execute(&format!(
            "delete from quiet_things where id in (select md5(n::text)::uuid from generate_series({OWN_FIRST}, {last}) n);
             insert into quiet_things (id, maker_id, name, price)
               select md5(n::text)::uuid, 1 + n % {MAKERS}, 'own ' || n, 1 from generate_series({OWN_FIRST}, {last}) n"
        ))
        .await?;
    Ok(())
}

/// How many writes the tables show; none where nothing is written.
pub(super) async fn written(admin: &Client, asked: Asked) -> Result<Option<u64>> {
    let statement = match asked {
        Asked::Key | Asked::List => return Ok(None),
        Asked::Patch => format!(
            "select coalesce(sum(version - 1) filter (where version = 1 or (price, stock) = (13.37, 4)), 0)::int8
             from quiet_things
             where id in (select md5(n::text)::uuid from generate_series({OWN_FIRST}, {}) n)",
            OWN_FIRST + CONNECTIONS * OWN - 1
        ),
        Asked::Post(_) => format!(
            "select count(*) from {} where name = 'a thing' and price = 12.50 and stock = 3 and maker_id is not null",
            asked.table()
        ),
    };
    let count: i64 = admin.query_one(&statement, &[]).await?.get(0);
    Ok(Some(u64::try_from(count)?))
}
