//! What the log promises beside order: whole transactions, an unbroken chain, and refusals while they are free.

use super::{LEDGER, log_of};
use crate::fixture::{Stage, number, refused, run, texts};

#[tokio::test]
async fn a_transaction_larger_than_a_piece_is_cut_and_the_rest_is_whole() {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    run(
        &home.sql,
        "insert into accounts (id, tag) select n, 'large' from generate_series(100, 25099) n",
    )
    .await;
    run(&home.sql, "update accounts set tag = 'next' where id = 1").await;
    assert_eq!(number(&home.sql, "select freehold.sequence(100)::bigint").await, 25_000);
    assert_eq!(number(&home.sql, "select freehold.sequence(100)::bigint").await, 1);
    let wholes = "select whole || ': ' || count(*) from freehold.log group by whole order by whole";
    assert_eq!(
        texts(&home.sql, wholes).await,
        ["12500: 12500", "25000: 12500", "25001: 1"]
    );
}

#[tokio::test]
async fn a_batch_ends_before_it_is_too_much_to_hold() {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    let large = "select freehold.emit('ledger.noted', n::text, json_build_object('a', repeat('x', 1000000)))";
    run(
        &home.sql,
        &format!("do $$ begin for n in 1..70 loop perform ({large}); commit; end loop; end $$"),
    )
    .await;
    let moved = "select freehold.sequence(10000)::bigint";
    assert_eq!(number(&home.sql, moved).await, 67, "64 MiB");
    assert_eq!(number(&home.sql, moved).await, 3);
    run(&home.sql, &format!("{large} from generate_series(1, 70) n")).await;
    assert_eq!(
        number(&home.sql, moved).await,
        70,
        "a transaction is never cut in the outbox"
    );
    let wholes = "select distinct whole::text from freehold.log where position > 70 order by 1";
    assert_eq!(texts(&home.sql, wholes).await, ["105", "140"]);
}

#[tokio::test]
async fn events_without_a_body_fill_a_batch_too() {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    run(&home.sql, "do $$ begin for n in 1..25 loop perform freehold.emit('ledger.noted', n::text, null); commit; end loop; end $$").await;
    let moved = "select freehold.sequence(10)::bigint";
    for expected in [10, 10, 5, 0] {
        assert_eq!(number(&home.sql, moved).await, expected);
    }
}

#[tokio::test]
async fn a_changed_body_breaks_the_chain_where_it_was_changed() {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    run(
        &home.sql,
        "update accounts set tag = 'first'; select freehold.sequence(10)",
    )
    .await;
    run(
        &home.sql,
        "update accounts set tag = 'second'; select freehold.sequence(10)",
    )
    .await;
    let broken = async |after: i64| {
        let query = "select freehold.broken_link($1, (select position from freehold.log_head))";
        let row = home.sql.query_one(query, &[&after]).await.expect("the chain is read");
        row.get::<_, Option<i64>>(0)
    };
    assert_eq!((broken(0).await, broken(13).await), (None, None));
    run(&home.sql, "update freehold.log set payload = '{}' where position = 17").await;
    assert_eq!(
        (broken(0).await, broken(16).await, broken(17).await),
        (Some(17), Some(17), None)
    );
    run(&home.sql, "delete from freehold.log where position = 5").await;
    assert_eq!(broken(0).await, Some(6));
}

#[tokio::test]
async fn an_event_that_is_not_declared_is_refused() {
    let stage = Stage::open(&[LEDGER]).await;
    let app = stage.home("ledger").app().await;
    let (code, message) = refused(&app, "select freehold.emit('ledger.forgotten', '1', '{}')").await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("FH005", "event 'ledger.forgotten' is not declared")
    );
}

#[tokio::test]
async fn what_is_too_large_is_refused_where_it_is_said() {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    let app = home.app().await;
    let (code, message) = refused(
        &app,
        "select freehold.emit('ledger.noted', '1', json_build_object('a', repeat('x', 1048576)))",
    )
    .await;
    assert!(
        code == "23514" && message.contains("outbox_payload_at_most_1_mib"),
        "{message}"
    );
    let (code, message) = refused(&app, "update accounts set tag = repeat('x', 1048576) where id = 1").await;
    assert!(
        code == "23514" && message.contains("outbox_payload_at_most_1_mib"),
        "{message}"
    );
    let (code, message) = refused(&app, "select freehold.emit('ledger.noted', repeat('k', 513), '{}')").await;
    assert!(
        code == "23514" && message.contains("outbox_key_at_most_512_bytes"),
        "{message}"
    );
    refused(&app, "select freehold.emit('ledger.noted', '', '{}')").await;
    assert_eq!(number(&home.sql, "select count(*) from freehold.outbox").await, 0);
}

#[tokio::test]
async fn an_event_carries_its_body_on_one_line_and_the_trace_it_belongs_to() {
    let stage = Stage::open(&[LEDGER]).await;
    let home = stage.home("ledger");
    let app = home.app().await;
    run(
        &app,
        "set fh.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
         select freehold.emit('ledger.noted', 'k', e'{\"a\":\\n [1,\\n \"x\\\\ny\"]}'); select freehold.sequence(10)",
    )
    .await;
    let body = "select payload::text || traceparent from freehold.log";
    let body = texts(&home.sql, body).await.remove(0);
    assert_eq!(
        body,
        r#"{"a":  [1,  "x\ny"]}00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"#
    );
}

#[tokio::test]
async fn the_application_role_writes_neither_outbox_nor_log() {
    let stage = Stage::open(&[LEDGER]).await;
    let app = stage.home("ledger").app().await;
    for statement in [
        "insert into freehold.outbox (topic, type, key, version) values ('a', 'a', 'a', 1)",
        "delete from freehold.outbox",
        "delete from freehold.log",
        "update freehold.log set version = 0",
        "update freehold.log_head set position = 0",
        "delete from freehold.key_version",
        "insert into freehold.event_type values ('a')",
        "update freehold.topic set position = 0",
    ] {
        assert_eq!(refused(&app, statement).await.0, "42501", "{statement}");
    }
    assert!(log_of(stage.home("ledger")).await.is_empty());
}
