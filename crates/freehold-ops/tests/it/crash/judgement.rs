//! A green judgement proves nothing until it was red: each wrong is done to a bank that is in order, by the superuser, and
//! must be called by its name.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use freehold_ops::crash::{End, Finding, QUIET_MAX, Remains, Rig, symptom};
use tokio_postgres::{Client, NoTls};

use super::bank::Bank;

/// More work than can be done within the limit, which leaves time for some bookings on every account.
const WORK: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_secs(2);

/// Longer than several looks, and too short for a saga that nobody leads on.
const MOMENT: Duration = Duration::from_secs(2);

/// A wrong: where, how, and what must be found: symptom and check of each sort of finding.
struct Wrong {
    service: &'static str,
    done: &'static str,
    undone: &'static str,
    found: &'static [(&'static str, &'static str)],
}

const WRONGS: [Wrong; 9] = [
    Wrong {
        service: "booking",
        done: "create table kept as select * from accounts order by id limit 1;
               delete from accounts where id in (select id from kept)",
        undone: "insert into accounts select * from kept; drop table kept",
        found: &[
            (symptom::DISAGREE, "copies"),
            // The booking side of the balances begins with the copy.
            (symptom::DISAGREE, "equal/balance"),
        ],
    },
    Wrong {
        service: "account",
        done: "update bookings set amount = amount + 1000 where id = (select id from bookings order by id limit 1)",
        undone: "update bookings set amount = amount - 1000 where amount > 1000",
        found: &[(symptom::DISAGREE, "copies"), (symptom::LOST, "balance")],
    },
    Wrong {
        service: "booking",
        done: "create table kept as select * from bookings order by id limit 1;
               delete from bookings where id in (select id from kept)",
        undone: "insert into bookings select * from kept; drop table kept",
        found: &[
            (symptom::LOST, "outcome"),
            (symptom::DISAGREE, "copies"),
            (symptom::DISAGREE, "equal/balance"),
        ],
    },
    Wrong {
        service: "booking",
        done: "insert into bookings (id, account_id_ref, holder, amount, version)
               select gen_random_uuid(), account_id_ref, holder, 0, 1 from bookings limit 1",
        undone: "delete from bookings where amount = 0",
        found: &[(symptom::UNEXPECTED, "outcome"), (symptom::DISAGREE, "copies")],
    },
    Wrong {
        service: "booking",
        done: "update freehold.log set key = 'another' where position = 7",
        undone: "update freehold.log set key = payload->>'id' where position = 7",
        found: &[(symptom::DISAGREE, "chain")],
    },
    Wrong {
        service: "account",
        done: "create table kept as select position, version from freehold.log
               where version > 1 order by position desc limit 1;
               update freehold.log l set version = k.version - 1 from kept k where k.position = l.position",
        undone: "update freehold.log l set version = k.version from kept k where k.position = l.position;
                 drop table kept",
        found: &[(symptom::DISAGREE, "chain"), (symptom::DOUBLED, "order")],
    },
    Wrong {
        service: "account",
        done: "create table kept as select * from freehold.log order by position desc limit 1;
               delete from freehold.log where position in (select position from kept)",
        undone: "insert into freehold.log select * from kept; drop table kept",
        found: &[(symptom::LOST, "chain")],
    },
    Wrong {
        service: "booking",
        done: "insert into freehold.parked_key (producer, topic, key, state, next_at, error)
               values ('account', 'account.accounts', 'k', 'parked', now(), 'it was poisoned')",
        undone: "delete from freehold.parked_key",
        found: &[(symptom::STUCK, "parked")],
    },
    Wrong {
        service: "booking",
        done: "insert into freehold.saga (id, name, version, key, state, data, progress, reason)
               values (gen_random_uuid(), 'pay', 1, 'k', 'stuck', '{}', '{}', 'nobody answered')",
        undone: "delete from freehold.saga",
        found: &[(symptom::STUCK, "sagas")],
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_that_is_done_is_found_by_its_name_and_gone_when_it_is_undone() -> Result<()> {
    let bank = Bank::new()?;
    let mut rig = bank.rig(WORK, LIMIT).await?;
    let judged = judged(&mut rig).await;
    rig.end(Remains::Removed).await?;
    judged
}

async fn judged(rig: &mut Rig) -> Result<()> {
    let silent = &mut |_: freehold_ops::crash::Event<'_>| {};
    rig.raise(silent).await?;
    let worked = rig.work(silent).await?;
    ensure!(
        worked.end == End::Asked,
        "a workload at its limit finishes what it has begun: {worked:?}"
    );
    let quiet = rig.quiet(QUIET_MAX, silent).await?;
    ensure!(quiet.left.is_empty(), "{:?}", quiet.left);
    let clean = rig.judge().await?;
    ensure!(clean.is_empty(), "a bank in order: {clean:?}");

    for wrong in &WRONGS {
        behind_its_back(rig, wrong.service, wrong.done).await?;
        let found = rig.judge().await?;
        ensure!(sorts(&found) == sorted(wrong.found), "{}: {found:#?}", wrong.done);
        behind_its_back(rig, wrong.service, wrong.undone).await?;
        let still = rig.judge().await?;
        ensure!(still.is_empty(), "{}: {still:#?}", wrong.undone);
    }

    // What is under way is seen before anything is judged: a message that nobody sequences, a saga that runs.
    behind_its_back(
        rig,
        "booking",
        "insert into freehold.saga (id, name, version, key, state, data, progress)
         values (gen_random_uuid(), 'pay', 1, 'the key', 'running', '{}', '{}')",
    )
    .await?;
    let left = rig.quiet(MOMENT, silent).await?.left;
    ensure!(left.len() == 1 && left[0].symptom == symptom::STUCK, "{left:?}");
    ensure!(left[0].key.as_deref() == Some("the key"), "{left:?}");
    Ok(())
}

/// Each sort of finding once, in order.
fn sorts(found: &[Finding]) -> Vec<(String, String)> {
    let mut sorts: Vec<_> = found.iter().map(|f| (f.symptom.clone(), f.check.clone())).collect();
    sorts.sort();
    sorts.dedup();
    sorts
}

fn sorted(found: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut sorted: Vec<_> = found.iter().map(|(s, c)| ((*s).to_owned(), (*c).to_owned())).collect();
    sorted.sort();
    sorted
}

/// As the superuser, and without any trigger that would notice.
async fn behind_its_back(rig: &Rig, service: &str, sql: &str) -> Result<()> {
    let client = superuser(rig, service).await?;
    client
        .batch_execute(&format!(
            "begin; set local session_replication_role = replica; {sql}; commit"
        ))
        .await
        .with_context(|| sql.to_owned())
}

async fn superuser(rig: &Rig, service: &str) -> Result<Client> {
    let servers = &rig.ground().servers;
    let (server, _) = servers
        .iter()
        .find(|(_, services)| services.iter().any(|s| s == service))
        .context("a server for each service")?;
    let (client, connection) = server.admin_config(&format!("bank_{service}")).connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
