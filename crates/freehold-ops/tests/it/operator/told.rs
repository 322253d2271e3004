//! What the verbs print of rows that were written by hand, and how they end.

use anyhow::{Result, ensure};
use insta::assert_snapshot;
use tokio::io::AsyncReadExt;

use super::{Market, Sql};

/// Three sagas: `p1` is stuck at its last step, `p2` is being undone while its command is parked at the store, `p3` is done.
const BUYER: &str = r#"
insert into freehold.saga (id, name, version, key, state, data, progress, reason, traceparent, started_at, changed_at) values
  ('01900000-0000-7000-8000-000000000001', 'buy', 1, 'p1', 'stuck', '{"id": "p1", "email": "p1@example.com"}',
   '{"stage": 3, "steps": {"open": {"mark": "done", "attempt": 1}, "reserve": {"mark": "done", "attempt": 1},
                           "pay": {"mark": "done", "attempt": 1}, "confirm": {"mark": "refused", "attempt": 1}}}',
   'confirm: closed: the books are closed', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
   '2026-01-02 03:04:05Z', '2026-01-02 03:04:05.040Z'),
  ('01900000-0000-7000-8000-000000000002', 'buy', 1, 'p2', 'compensating', '{"id": "p2", "email": "p2@example.com"}',
   '{"stage": 1, "turned": true, "steps": {"open": {"mark": "done", "attempt": 1}, "reserve": {"mark": "undoing", "attempt": 2}}}',
   'reserve: no answer within 30s', null, '2026-01-02 03:05:00Z', '2026-01-02 03:06:00Z'),
  ('01900000-0000-7000-8000-000000000003', 'buy', 1, 'p3', 'completed', '{"id": "p3", "email": "p3@example.com"}',
   '{"stage": 3, "steps": {}}', null, null, '2026-01-02 03:00:00Z', '2026-01-02 03:00:01Z');

insert into freehold.saga_history (saga, at, step, direction, event, attempt, detail) values
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.003Z', null, null, 'started', null, null),
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.004Z', 'open', 'forward', 'done', 1, null),
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.005Z', 'reserve', 'forward', 'asked', 1, null),
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.030Z', 'reserve', 'forward', 'done', 1, null),
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.031Z', 'pay', 'forward', 'done', 1, null),
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.032Z', 'confirm', 'forward', 'refused', 1, 'closed: the books are closed'),
  ('01900000-0000-7000-8000-000000000001', '2026-01-02 03:04:05.033Z', null, null, 'stuck', null, 'confirm: closed: the books are closed'),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:05:00.003Z', null, null, 'started', null, null),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:05:00.004Z', 'open', 'forward', 'done', 1, null),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:05:00.005Z', 'reserve', 'forward', 'asked', 1, null),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:05:30.006Z', 'reserve', 'forward', 'timed out', 1, null),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:05:30.007Z', null, null, 'turned round', null, 'reserve: no answer within 30s'),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:05:30.008Z', 'reserve', 'compensate', 'asked', 1, null),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:06:00.009Z', 'reserve', 'compensate', 'timed out', 1, null),
  ('01900000-0000-7000-8000-000000000002', '2026-01-02 03:06:00.010Z', 'reserve', 'compensate', 'asked', 2, null);

insert into freehold.due (due_at, kind, saga, step, direction) values
  ('2026-01-02 03:06:30Z', 'timeout', '01900000-0000-7000-8000-000000000002', 'reserve', 'compensate');

insert into freehold.log (position, epoch, id, topic, type, key, version, payload, time, traceparent, prev, hash, whole) values
  (1, 1, '01900000-0000-7000-8000-00000000b001', 'store.commands', 'store.reserve', 'p1', 1,
   '{"id": "c0000000-0000-5000-8000-000000000001", "saga": "01900000-0000-7000-8000-000000000001", "step": "reserve", "direction": "forward", "voids": null, "data": {"id": "p1"}}',
   '2026-01-02 03:04:05Z', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 0, '\x01', 1),
  (2, 1, '01900000-0000-7000-8000-00000000b002', 'store.commands', 'store.reserve', 'p2', 1,
   '{"id": "c0000000-0000-5000-8000-000000000002", "saga": "01900000-0000-7000-8000-000000000002", "step": "reserve", "direction": "forward", "voids": null, "data": {"id": "p2"}}',
   '2026-01-02 03:05:00Z', null, 1, '\x02', 2),
  (3, 1, '01900000-0000-7000-8000-00000000b003', 'store.commands', 'store.release', 'p2', 2,
   '{"id": "c0000000-0000-5000-8000-000000000003", "saga": "01900000-0000-7000-8000-000000000002", "step": "reserve", "direction": "compensate", "voids": "c0000000-0000-5000-8000-000000000002", "data": {"id": "p2"}}',
   '2026-01-02 03:05:30Z', null, 2, '\x03', 3),
  (4, 1, '01900000-0000-7000-8000-00000000b004', 'store.commands', 'store.release', 'p2', 3,
   '{"id": "c0000000-0000-5000-8000-000000000003", "saga": "01900000-0000-7000-8000-000000000002", "step": "reserve", "direction": "compensate", "voids": "c0000000-0000-5000-8000-000000000002", "data": {"id": "p2"}}',
   '2026-01-02 03:06:00Z', null, 3, '\x04', 4);
update freehold.log_head set position = 4;

insert into freehold.cursor (subscription, producer, topic, epoch, position, seen, hash) values
  ('handlers', 'store', 'buyer.replies', 1, 1, 1, '\x11');
"#;

const STORE: &str = r#"
insert into freehold.log (position, epoch, id, topic, type, key, version, payload, time, traceparent, prev, hash, whole) values
  (1, 1, '01900000-0000-7000-8000-00000000a001', 'buyer.replies', 'store.reserve.done', 'p1', 1,
   '{"command": "c0000000-0000-5000-8000-000000000001", "saga": "01900000-0000-7000-8000-000000000001", "step": "reserve", "direction": "forward", "outcome": "done", "reason": null, "data": null}',
   '2026-01-02 03:04:05.018Z', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 0, '\x11', 1);
update freehold.log_head set position = 1;

insert into freehold.obeyed (command, type, key, outcome, at) values
  ('c0000000-0000-5000-8000-000000000001', 'store.reserve', 'p1', 'done', '2026-01-02 03:04:05.020Z');

insert into freehold.cursor (subscription, producer, topic, epoch, position, seen, hash) values
  ('handlers', 'buyer', 'store.commands', 1, 3, 3, '\x03');

insert into freehold.parked_key (producer, topic, key, state, attempts, next_at, error, since) values
  ('buyer', 'store.commands', 'p2', 'parked', 6, '2026-01-02 03:07:00Z', 'the shelf is broken', clock_timestamp() - interval '3 days 5 hours'),
  ('buyer', 'buyer.bought', 'p9', 'retrying', 2, clock_timestamp() + interval '10 hours 30 minutes', E'two\nlines', clock_timestamp() - interval '5 hours 30 minutes');
insert into freehold.parked (producer, topic, key, position, message) values
  ('buyer', 'store.commands', 'p2', 2, '{"type": "store.reserve", "data": {"saga": "01900000-0000-7000-8000-000000000002"}}'),
  ('buyer', 'store.commands', 'p2', 3, '{"type": "store.release", "data": {"saga": "01900000-0000-7000-8000-000000000002"}}'),
  ('buyer', 'buyer.bought', 'p9', 77, '{"type": "buyer.bought", "data": {}}');
"#;

async fn market(placement: &str) -> Result<(Market, Sql)> {
    let market = Market::open(placement).await?;
    market.sql("buyer").await?.run(BUYER).await?;
    let store = market.sql("store").await?;
    store.run(STORE).await?;
    Ok((market, store))
}

#[tokio::test]
async fn messages_keys_and_sagas_are_told_as_they_are() -> Result<()> {
    let (market, store) = market("database").await?;
    for (name, code, words) in [
        ("tail", 0, &["events", "tail", "@"][..]),
        (
            "tail-with-bodies",
            0,
            &["events", "tail", "@", "--service", "store", "--from", "1", "--data"],
        ),
        ("show", 0, &["events", "show", "@", "buyer", "1"]),
        ("show-parked", 0, &["events", "show", "@", "buyer", "3"]),
        ("parked", 1, &["events", "parked", "@"]),
        ("saga-stuck", 1, &["sagas", "show", "@", "p1"]),
        (
            "saga-waiting",
            0,
            &["sagas", "show", "@", "01900000-0000-7000-8000-000000000002", "--data"],
        ),
    ] {
        let said = market.freehold(words).await?;
        ensure!(said.code == code, "{words:?}: {said:?}");
        ensure!(said.stderr.is_empty(), "{words:?}: {said:?}");
        // What is told as an age is so many hours or days old, and half of one more; the rest has a fixed time.
        assert_snapshot!(name, said.stdout);
    }
    narrowed(&market).await?;
    programs_are_told_the_same(&market).await?;
    what_is_not_there_is_said(&market).await?;
    let buyer = market.sql("buyer").await?;
    buyer
        .run("update freehold.saga set started_at = clock_timestamp() - interval '3 days 12 hours' where key = 'p1'")
        .await?;
    buyer
        .run("update freehold.saga set started_at = clock_timestamp() - interval '5 hours 30 minutes' where key = 'p2'")
        .await?;
    let said = market.freehold(&["sagas", "list", "@"]).await?;
    ensure!(said.code == 1, "{said:?}");
    assert_snapshot!("sagas", said.stdout);
    store
        .run("delete from freehold.parked; delete from freehold.parked_key")
        .await?;
    let said = market.freehold(&["events", "parked", "@"]).await?;
    ensure!((said.code, &*said.stdout) == (0, ""), "{said:?}");
    ensure!(said.stderr.contains("no key is parked"), "{said:?}");
    a_reader_that_leaves_is_no_error(&market).await?;
    what_is_older_or_does_not_run_is_said(&market).await
}

/// The options that narrow what is told.
async fn narrowed(market: &Market) -> Result<()> {
    let tail = async |more: &[&str]| -> Result<Vec<(String, i64)>> {
        let said = market
            .freehold(&[&["events", "tail", "@", "--json"], more].concat())
            .await?;
        ensure!(said.code == 0, "{said:?}");
        let lines = said.stdout.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line)?;
            ensure!(line.get("data").is_none(), "bodies are for --data: {line}");
            let service = line["service"].as_str().unwrap_or_default().to_owned();
            Ok((service, line["position"].as_i64().unwrap_or_default()))
        });
        lines.collect()
    };
    let of = |service: &str, positions: &[i64]| -> Vec<(String, i64)> {
        positions.iter().map(|p| (service.to_owned(), *p)).collect()
    };
    let all = [of("buyer", &[1]), of("store", &[1]), of("buyer", &[2, 3, 4])].concat();
    ensure!(tail(&["--from", "start"]).await? == all);
    ensure!(tail(&["--last", "2"]).await? == of("buyer", &[3, 4]));
    ensure!(tail(&["--service", "buyer", "--from", "3"]).await? == of("buyer", &[3, 4]));
    ensure!(tail(&["--topic", "buyer.replies"]).await? == of("store", &[1]));
    ensure!(tail(&["--topic", "store.release"]).await? == of("buyer", &[3, 4]));
    ensure!(tail(&["--key", "p2", "--last", "1"]).await? == of("buyer", &[4]));
    ensure!(tail(&["--from", "end"]).await?.is_empty());

    let list = async |more: &[&str]| -> Result<Vec<String>> {
        let (_, sagas) = market.json(&[&["sagas", "list", "@", "--json"], more].concat()).await?;
        let sagas = sagas.as_array().cloned().unwrap_or_default();
        Ok(sagas
            .iter()
            .map(|saga| saga["key"].as_str().unwrap_or_default().to_owned())
            .collect())
    };
    ensure!(list(&[]).await? == ["p1", "p2"]);
    ensure!(list(&["--state", "all"]).await? == ["p3", "p1", "p2"]);
    ensure!(list(&["--state", "completed,stuck"]).await? == ["p3", "p1"]);
    ensure!(
        list(&["--last", "1"]).await? == ["p1"],
        "what is stuck is not left out for what is newer"
    );
    ensure!(list(&["--key", "p2"]).await? == ["p2"]);
    ensure!(list(&["--name", "sell"]).await?.is_empty());
    ensure!(list(&["--older", "99999d"]).await?.is_empty());
    Ok(())
}

async fn programs_are_told_the_same(market: &Market) -> Result<()> {
    let (code, shown) = market.json(&["events", "show", "@", "buyer", "3", "--json"]).await?;
    ensure!(code == 0);
    ensure!(shown["message"]["data"]["step"] == "reserve", "{shown}");
    ensure!(shown["message"]["time"] == "2026-01-02T03:05:30.000000Z", "{shown}");
    ensure!(shown["heard"][0]["state"] == "parked", "{shown}");
    let (code, keys) = market.json(&["events", "parked", "@", "--json"]).await?;
    ensure!(code == 1);
    ensure!(keys[0]["key"] == "p2" && keys[0]["next_at"].is_null(), "{keys}");
    ensure!(
        keys[1]["error"] == "two\nlines" && keys[1]["first_position"] == 77,
        "{keys}"
    );
    let (code, told) = market.json(&["sagas", "show", "@", "p2", "--json"]).await?;
    ensure!(code == 0);
    ensure!(told[0]["data"].is_null(), "fields are for --data: {told}");
    ensure!(
        told[0]["at"][0]["step"] == "reserve" && told[0]["at"][0]["direction"] == "compensate",
        "{told}"
    );
    ensure!(told[0]["waits"][0]["kind"] == "timeout", "{told}");
    ensure!(told[0]["parked"][0]["subscriber"] == "store", "{told}");
    ensure!(told[0]["unheard"][0]["position"] == 4, "{told}");
    Ok(())
}

async fn what_is_not_there_is_said(market: &Market) -> Result<()> {
    for (code, words, what) in [
        (
            1,
            &["events", "show", "@", "buyer", "99"][..],
            "buyer has no message at position 99: its log has 1 to 4",
        ),
        (
            2,
            &["events", "show", "@", "baker", "1"],
            "no service baker in market: it has buyer, store",
        ),
        (
            2,
            &["events", "tail", "@", "--from", "1"],
            "a position is a place in one service's log",
        ),
        (
            1,
            &["sagas", "show", "@", "p7"],
            "no saga of market has the id or key p7",
        ),
        (1, &["sagas", "retry", "@", "p7"], "no saga has the id or key p7"),
        (
            1,
            &["sagas", "skip", "@", "p3"],
            "buy of p3 is completed: it has ended, and nothing can be done about it",
        ),
        (
            1,
            &["events", "redrive", "@", "buyer", "--topic", "t", "--key", "k"],
            "this key is not parked at buyer",
        ),
        (
            1,
            &[
                "events", "skip", "@", "buyer", "--topic", "t", "--key", "k", "--reason", "r",
            ],
            "this key is not parked at buyer",
        ),
        (
            2,
            &[
                "events",
                "skip",
                "@",
                "store",
                "--topic",
                "store.commands",
                "--key",
                "p2",
                "--position",
                "3",
                "--reason",
                "r",
            ],
            "the key begins with the message at position 2, not 3: nothing was let go",
        ),
    ] {
        let said = market.freehold(words).await?;
        ensure!(said.code == code, "{words:?}: {said:?}");
        ensure!(said.stderr.contains(what), "{words:?}: {said:?}");
    }
    Ok(())
}

async fn a_reader_that_leaves_is_no_error(market: &Market) -> Result<()> {
    let buyer = market.sql("buyer").await?;
    // Far more than a pipe holds.
    buyer
        .run(
            "insert into freehold.log (position, epoch, id, topic, type, key, version, time, prev, hash, whole)
             select 4 + n, 1, gen_random_uuid(), 'buyer.bought', 'buyer.bought', 'k' || n, 1, '2026-01-03Z', 0, '', 4 + n
             from generate_series(1, 20000) n;
             update freehold.log_head set position = 20004",
        )
        .await?;
    let mut child = market
        .command(&["events", "tail", "@", "--from", "start", "-f"])
        .spawn()?;
    let mut out = child.stdout.take().expect("it is piped");
    out.read_exact(&mut [0; 1000]).await?;
    drop(out);
    let output = child.wait_with_output().await?;
    ensure!(output.status.code() == Some(0), "{output:?}");
    ensure!(output.stderr.is_empty(), "{output:?}");
    Ok(())
}

async fn what_is_older_or_does_not_run_is_said(market: &Market) -> Result<()> {
    let store = market.sql("store").await?;
    store.run("drop table freehold.kept").await?;
    let said = market.freehold(&["events", "tail", "@", "--last", "1"]).await?;
    ensure!(
        said.code == 2 && said.stdout.lines().count() == 1,
        "the others are told: {said:?}"
    );
    ensure!(
        said.stderr
            .contains("store was installed by an older release: `freehold up`"),
        "{said:?}"
    );
    let said = market.freehold(&["down", "@"]).await?;
    ensure!(said.code == 0, "{said:?}");
    let said = market.freehold(&["sagas", "list", "@"]).await?;
    ensure!(
        said.code == 2
            && said
                .stderr
                .contains("does not run: start the system with `freehold up`"),
        "{said:?}"
    );
    Ok(())
}

#[tokio::test]
async fn services_that_share_a_database_are_told_apart() -> Result<()> {
    let (market, _) = market("schema").await?;
    let (code, keys) = market.json(&["events", "parked", "@", "--json"]).await?;
    ensure!(code == 1 && keys[0]["subscriber"] == "store", "{keys}");
    let (code, told) = market.json(&["sagas", "show", "@", "p1", "--json"]).await?;
    let sources = told[0]["story"].as_array().map(|story| {
        let of = |what: &str| story.iter().filter(|line| line["source"] == what).count();
        ["history", "command", "obeyed", "reply"].map(of)
    });
    ensure!(code == 1 && sources == Some([7, 1, 1, 1]), "{told}");
    let said = market
        .freehold(&[
            "events",
            "skip",
            "@",
            "store",
            "--topic",
            "buyer.bought",
            "--key",
            "p9",
            "--reason",
            "r",
        ])
        .await?;
    ensure!(said.code == 0, "{said:?}");
    Ok(())
}
