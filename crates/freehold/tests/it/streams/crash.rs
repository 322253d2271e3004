//! The service killed while it projects: nothing is lost, nothing doubled.

use std::time::Duration;

use super::{Process, caught_up, differences, stage};
use crate::fixture::{Home, number, run, until};

/// Kills per run.
fn kills() -> u64 {
    if std::env::var_os("FREEHOLD_PROVE").is_some() {
        60
    } else {
        6
    }
}

/// Events appended before each kill.
const EVENTS: i64 = 3_000;

/// A kill falls so long after the first batch, at most.
const WORK_MAX_MS: u64 = 150;

async fn say(home: &Home) {
    run(
        &home.sql,
        &format!(
            "select freehold.append('note', (n % 40)::text, null, 'edited', json_build_object('text', 'word ' || n, 'by', null), 2)
             from generate_series(1, {EVENTS}) n"
        ),
    )
    .await;
}

/// Kills the service again and again while it folds and rebuilds; returns what differs at the end.
async fn killed(plant: &str, seed: u64) -> i64 {
    let stage = stage().await;
    let home = stage.home("notes");
    let mut rng = fastrand::Rng::with_seed(seed);
    let begun = "select coalesce(sum(position), 0)::bigint from freehold.checkpoint";
    for kill in 0..kills() {
        say(home).await;
        if kill % 3 == 2 {
            run(
                &home.sql,
                "select freehold.begin_rebuild('note_sums'), freehold.begin_rebuild('note_texts')",
            )
            .await;
        }
        let before = number(&home.sql, begun).await;
        let process = Process::start(home, plant).await;
        until("it begins to work", || async {
            number(&home.sql, begun).await != before
        })
        .await;
        tokio::time::sleep(Duration::from_millis(rng.u64(..WORK_MAX_MS))).await;
        drop(process);
    }
    let _process = Process::start(home, "").await;
    caught_up(home).await;
    differences(home).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_killed_while_it_projects_loses_and_doubles_nothing() {
    assert_eq!(killed("", 1).await, 0);
}

/// The same test finds the defect.
#[cfg(feature = "plant")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_apart_from_its_fold_is_found() {
    for seed in 1..=6 {
        let differences = killed("checkpoint-outside-transaction", seed).await;
        if differences > 0 {
            println!("{differences} differences");
            return;
        }
    }
    panic!("not found in six runs");
}
