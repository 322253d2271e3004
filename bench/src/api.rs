//! The HTTP API beside three others that do the same on the same tables: the statement written by hand in pgbench, the
//! statements of PostgREST in pgbench, and PostGraphile over HTTP.
//!
//! One round asks every side in turn. What a round wrote is counted in the tables after each side, and what is read was
//! compared before: a side that does something else ends the run.

mod asked;
mod by_hand;
mod check;
mod freehold;
mod postgraphile;
mod postgrest;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;

use crate::http::{self, Requests};
use crate::pgbench::Pgbench;
use crate::report::Side;
use crate::stage::Stage;
use crate::{PAIRS, cpu, report};
use asked::{Asked, CONNECTIONS, Keys, MAKERS, ROWS};
use postgraphile::Peer;

/// How long a side is measured in each round.
const SECONDS: u32 = 4;

/// The same in the round before the first, which does not count.
const WARM_SECONDS: u32 = 2;

pub(crate) async fn measure(stage: &mut Stage) -> Result<()> {
    println!(
        "API: {ROWS} rows, {CONNECTIONS} connections, {PAIRS} rounds of {SECONDS} s a side; load of the machine before: {:.1}",
        cpu::machine_load().unwrap_or(f64::NAN)
    );
    let admin = stage.admin("source").await?;
    let login = stage.login("source")?;
    let role = login.get_user().context("the login names no role")?.to_owned();
    fill(&admin).await?;
    // Service, peer and pgbench are connected at once, all as this role.
    admin
        .batch_execute(&format!("alter role \"{role}\" connection limit -1"))
        .await?;
    let (mut source, _) = stage.serve("source").await?;
    let mut peer = match Peer::find() {
        Ok(found) => Some(found.start(&login).await?),
        Err(reason) => {
            println!("{} is left out: {reason}", postgraphile::NAME);
            None
        }
    };
    let bench = Bench {
        keys: Keys::read(&admin).await?,
        admin,
        pgbench: stage.pgbench("source", CONNECTIONS)?,
        role,
        port: stage.service("source")?.port,
        service: source.id().context("the service ended")?,
        postmaster: stage.postmaster()?,
        peer: peer.as_ref(),
    };
    for asked in Asked::ALL {
        bench.figure(asked).await?;
    }
    if let Some(peer) = &mut peer {
        peer.stop().await?;
    }
    source.kill().await?;
    Ok(())
}

/// Rows to read. Neither references nor versions are checked while they are filled in: they are true as written.
async fn fill(admin: &Client) -> Result<()> {
    admin
        .batch_execute(&format!(
            "set session_replication_role = replica;
             insert into makers select n, 'maker ' || n, 'country ' || n % 100 from generate_series(1, {MAKERS}) n;
             insert into quiet_things (id, maker_id, name, price)
               select md5(n::text)::uuid, 1 + n % {MAKERS}, 'thing ' || n, n % 1000
               from generate_series(1, {ROWS}) n order by 1;
             reset session_replication_role"
        ))
        .await?;
    // On their own: VACUUM does not run beside other statements.
    admin.batch_execute("vacuum analyze makers").await?;
    admin.batch_execute("vacuum analyze quiet_things").await?;
    Ok(())
}

struct Bench<'p> {
    keys: Keys,
    admin: Client,
    pgbench: Pgbench,
    /// The application role.
    role: String,
    /// Where the service listens, and its process.
    port: u16,
    service: u32,
    postmaster: u32,
    peer: Option<&'p Peer>,
}

/// How a side is asked.
enum Way {
    /// Over HTTP: where, what, and bytes that a body has at least.
    Http(u16, Requests, u64),
    /// By a script.
    Pgbench(String),
}

impl Bench<'_> {
    /// Measures one figure and tells it.
    async fn figure(&self, asked: Asked) -> Result<()> {
        let mut sides = self.sides(asked).await?;
        for round in 0..=PAIRS {
            for (way, side) in &mut sides {
                let time = if round == 0 { WARM_SECONDS } else { SECONDS };
                let measured = self
                    .ask(asked, way, time)
                    .await
                    .with_context(|| format!("{}, {}", asked.name(), side.name))?;
                if round > 0 {
                    side.rounds.push(measured);
                }
            }
        }
        let sides: Vec<Side> = sides.into_iter().map(|(_, side)| side).collect();
        report::sides(asked.name(), &sides);
        Ok(())
    }

    /// Every side with how it is asked; what they answer is the same.
    async fn sides(&self, asked: Asked) -> Result<Vec<(Way, Side)>> {
        let ours = freehold::requests(asked, &self.keys);
        let hand = by_hand::script(asked);
        let postgrest = postgrest::script(asked, &self.role);
        let least = check::answers(&self.admin, asked, &hand, &postgrest, self.port, &ours).await?;
        let mut sides = vec![
            (Way::Http(self.port, ours, least), Side::new("ours")),
            (Way::Pgbench(hand.text()), Side::new("(a) the statement by hand")),
            (
                Way::Pgbench(postgrest.text()),
                Side::new("(b) stand-in: PostgREST's SQL"),
            ),
        ];
        if let Some(peer) = self.peer {
            let requests = postgraphile::requests(asked, &self.keys);
            let least = peer.check(&self.admin, asked, &hand, &requests).await?;
            let name = format!("(c) {} {}", postgraphile::NAME, peer.version);
            sides.push((Way::Http(peer.port, requests, least), Side::new(&name)));
        }
        Ok(sides)
    }

    /// Asks one side for a while, and makes sure that it did what was asked.
    async fn ask(&self, asked: Asked, way: &Way, seconds: u32) -> Result<report::Round> {
        check::prepare(&self.admin, asked).await?;
        let before = check::written(&self.admin, asked).await?;
        let (service, postgres) = (self.service_cpu(), cpu::of_family(self.postmaster));
        let (done, rate) = match way {
            Way::Http(port, requests, least) => {
                let time = Duration::from_secs(u64::from(seconds));
                let load = http::load(*port, CONNECTIONS, time, requests).await?;
                ensure!(
                    load.bytes >= load.answers * least,
                    "{} answers have {} bytes: less than {least} each",
                    load.answers,
                    load.bytes
                );
                (load.answers, load.rate())
            }
            Way::Pgbench(script) => {
                let run = self.pgbench.run(script, seconds).await?;
                (run.transactions, run.rate)
            }
        };
        let spent = |before: Option<f64>, after: Option<f64>| Some(after? - before?);
        let (service, postgres) = (
            spent(service, self.service_cpu()),
            spent(postgres, cpu::of_family(self.postmaster)),
        );
        if let (Some(before), Some(after)) = (before, check::written(&self.admin, asked).await?) {
            let found = after - before;
            ensure!(found == done, "{done} were answered, and {found} are in the tables");
        }
        Ok(report::Round {
            rate,
            done,
            service,
            postgres,
        })
    }

    /// Processor time of what runs beside PostgreSQL: the service, which sequences whoever wrote, and the peer.
    fn service_cpu(&self) -> Option<f64> {
        let peer = match self.peer {
            Some(peer) => cpu::of_process(peer.process)?,
            None => 0.0,
        };
        Some(cpu::of_process(self.service)? + peer)
    }
}
