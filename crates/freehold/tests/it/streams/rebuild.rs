//! A rebuild while writes go on: what readers see is true at every moment, and so is what it ends in.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::{Process, caught_up, differences, stage};
use crate::fixture::{Home, number, run};

/// Events that are there when the rebuild begins.
fn events() -> i64 {
    if std::env::var_os("FREEHOLD_PROVE").is_some() {
        200_000
    } else {
        20_000
    }
}

/// Of which so many are folded before the next are appended.
const CHUNK: i64 = 20_000;

/// The longest wait for the rebuilds of a long history on a busy machine.
const REBUILD_MAX: Duration = Duration::from_secs(300);

/// Streams that the events are about.
const STREAMS: i64 = 500;

/// Events of one append of the history.
const PER_APPEND: i64 = 20;

/// Appends events, twenty at a time, and gives them their positions.
async fn history(home: &Home, events: i64) {
    let appends = format!(
        "select freehold.append('note', (i % {STREAMS})::text, null, array_agg('edited'::text), array_agg(2),
                                array_agg(json_build_object('text', 'word ' || i || ' ' || n, 'by', null)))
         from generate_series(1, {}) i, generate_series(1, {PER_APPEND}) n
         group by i",
        events / PER_APPEND
    );
    run(&home.sql, &appends).await;
    run(&home.sql, "vacuum analyze freehold.stream_event").await;
}

/// Appends one event after the other until told to stop.
async fn write(client: Client, number: i64, stop: watch::Receiver<bool>) {
    let mut n = 0;
    while !*stop.borrow() {
        n += 1;
        let append = format!(
            r#"select freehold.append('note', '{}', null, 'created', '{{"text": "while it ran {n}"}}')"#,
            (n * 7 + number) % STREAMS
        );
        run(&client, &append).await;
    }
}

/// What a reader saw that cannot be: `note_sums` with other events than up to its checkpoint, `note_texts` beside its streams.
async fn read(client: Client, stop: watch::Receiver<bool>) -> (usize, Vec<String>) {
    let sums = "select c.position, coalesce(sum(s.events), 0)::bigint
                from freehold.checkpoint c left join note_sums s on true
                where (c.projection, c.generation) = ('note_sums', 'live') group by 1";
    let texts = "select count(*) from freehold.stream s full join note_texts t on t.id = s.key
                 where s.version is distinct from t.at_version";
    let (mut looks, mut wrong, mut last) = (0, Vec::new(), 0);
    while !*stop.borrow() {
        let row = client.query_one(sums, &[]).await.expect("the sums are read");
        let (position, events): (i64, i64) = (row.get(0), row.get(1));
        if events != position || position < last {
            wrong.push(format!("{events} events at position {position} after {last}"));
        }
        last = position;
        let apart = number(&client, texts).await;
        if apart != 0 {
            wrong.push(format!("{apart} texts are not at their streams' versions"));
        }
        looks += 1;
    }
    (looks, wrong)
}

/// A history, then a rebuild of all projections under writers and readers; returns what was wrong.
async fn rebuilt(plant: &str) -> (Vec<String>, i64) {
    let stage = stage().await;
    let home = stage.home("notes");
    let process = Process::start(home, "").await;
    for _ in 0..events() / CHUNK {
        history(home, CHUNK).await;
        caught_up(home).await;
    }
    assert_eq!(differences(home).await, 0, "true before the rebuild");
    drop(process);
    let process = Process::start(home, plant).await;

    let stop = watch::Sender::new(false);
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for number in 0..3 {
        writers.spawn(write(home.superuser().await, number, stop.subscribe()));
        readers.spawn(read(home.superuser().await, stop.subscribe()));
    }
    let begun = Instant::now();
    run(
        &home.sql,
        "select freehold.begin_rebuild(name) from freehold.projection",
    )
    .await;
    let shadows = "select count(*) from freehold.checkpoint where generation = 'shadow'";
    while number(&home.sql, shadows).await > 0 {
        assert!(begun.elapsed() < REBUILD_MAX, "the rebuilds do not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = begun.elapsed();
    stop.send_replace(true);
    while let Some(writer) = writers.join_next().await {
        writer.expect("a writer ends");
    }
    let (mut looks, mut wrong) = (0, Vec::new());
    while let Some(reader) = readers.join_next().await {
        let (looked, found) = reader.expect("a reader ends");
        looks += looked;
        wrong.extend(found);
    }
    caught_up(home).await;
    let written = number(&home.sql, "select position from freehold.stream_head").await - events();
    println!(
        "three projections of {} events rebuilt in {took:.1?}, {written} written meanwhile, {looks} looks",
        events()
    );
    assert!(written > 0 && looks > 0, "nothing went on meanwhile");
    drop(process);
    (wrong, differences(home).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_writes_ends_in_what_the_events_add_up_to_and_shows_no_reader_anything_else() {
    let (wrong, differences) = rebuilt("").await;
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(differences, 0);
}

/// The same test finds the defect.
#[cfg(feature = "plant")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_ends_before_it_has_caught_up_is_found() {
    let (wrong, differences) = rebuilt("swap-before-catch-up").await;
    println!("{} wrong reads, {differences} differences", wrong.len());
    assert!(!wrong.is_empty() && differences > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_of_what_is_right_touches_no_row() {
    let stage = stage().await;
    let home = stage.home("notes");
    let _process = Process::start(home, "").await;
    history(home, 2_000).await;
    caught_up(home).await;
    let rows = "select md5(string_agg(ctid || ' ' || xmin, ',' order by id)) from note_words";
    let before = crate::fixture::texts(&home.sql, rows).await;
    run(&home.sql, "select freehold.begin_rebuild('note_words')").await;
    caught_up(home).await;
    assert_eq!(crate::fixture::texts(&home.sql, rows).await, before);

    // What is wrong is put right, and only that.
    run(&home.sql, "update note_words set words = 0 where id = '7'; delete from note_words where id = '8'; insert into note_words values ('x', 1, 1)").await;
    run(&home.sql, "select freehold.begin_rebuild('note_words')").await;
    caught_up(home).await;
    assert_eq!(differences(home).await, 0);
    assert_eq!(number(&home.sql, "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'freehold_shadow'").await, 0);
}
