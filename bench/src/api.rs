//! GET by key and POST of one row, beside pgbench doing the same statement on the same tables.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::stage::Stage;
use crate::{PAIRS, http, report};

/// Rows to read from.
const ROWS: usize = 100_000;

/// Connections of the load generator, and clients of pgbench.
const CONNECTIONS: usize = 16;

/// How long each half of a pair runs.
const SECONDS: u32 = 4;

pub(crate) async fn measure(stage: &mut Stage) -> Result<()> {
    println!(
        "API: {ROWS} rows, {CONNECTIONS} keep-alive connections, pgbench with as many clients, {PAIRS} pairs of {SECONDS} s"
    );
    let admin = stage.admin("source").await?;
    admin
        .batch_execute(&format!(
            "insert into quiet_things (id, name, price)
             select md5(n::text)::uuid, 'thing ' || n, n % 1000 from generate_series(1, {ROWS}) n"
        ))
        .await?;
    // On its own: VACUUM does not run beside other statements.
    admin.batch_execute("vacuum analyze quiet_things").await?;
    let ids: Vec<String> = admin
        .query("select id::text from quiet_things", &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let (mut source, _) = stage.serve("source").await?;
    let port = stage.service("source")?.port;
    let time = Duration::from_secs(u64::from(SECONDS));

    let gets: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| format!("GET /quiet_things?id=eq.{id} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes())
        .collect();
    let get: Arc<dyn Fn(usize, usize) -> Vec<u8> + Send + Sync> =
        Arc::new(move |connection, n| gets[(connection * 7919 + n * 31) % gets.len()].clone());
    let select = format!(
        "\\set n random(1, {ROWS})\n\
         select row_to_json(r)::text, r.version from (select id, name, description, price, stock, sent_at, version, updated_at \
         from quiet_things where id = md5((:n)::text)::uuid) r;\n"
    );
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let ours = http::load(port, CONNECTIONS, time, Arc::clone(&get)).await?;
        pairs.push((ours, stage.pgbench("source", &select, SECONDS).await?));
    }
    report::pairs("GET by key", "requests/s", &pairs);

    for (table, name) in [
        ("quiet_things", "POST, private table"),
        ("things", "POST, published table"),
    ] {
        let body = r#"{"name":"a thing","price":12.50,"stock":3}"#;
        let bytes = format!(
            "POST /{table} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        let post: Arc<dyn Fn(usize, usize) -> Vec<u8> + Send + Sync> = Arc::new(move |_, _| bytes.clone());
        let insert = format!(
            "insert into {table} (name, price, stock) \
             select name, price, stock from json_populate_record(null::{table}, '{body}'::json) returning id, version;\n"
        );
        let mut pairs = Vec::new();
        for _ in 0..PAIRS {
            let ours = http::load(port, CONNECTIONS, time, Arc::clone(&post)).await?;
            pairs.push((ours, stage.pgbench("source", &insert, SECONDS).await?));
        }
        report::pairs(name, "requests/s", &pairs);
    }
    source.kill().await?;
    Ok(())
}
