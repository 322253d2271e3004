//! Faults dealt: what each kind does, and when it is over.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tokio_postgres::NoTls;

use super::fault::{Fault, Kind};
use super::instance::{Blow, Frozen, Instance, State};
use super::rig::{Clock, INSTANCES, Stage};
use crate::postgres::Server;

/// The longest that an instance may take to run, so that it can be hit, and to run again.
const INSTANCE_MAX: Duration = Duration::from_secs(30);

/// The longest wait for each commit to be cut.
const COMMIT_MAX: Duration = Duration::from_secs(5);

/// The longest wait for connections that can be cut or frozen.
const CONNECTED_MAX: Duration = Duration::from_secs(10);

/// How often that wait looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Starts of a killed server in a row: a disk may have been full for a moment.
const SERVER_STARTS_MAX: u32 = 5;

/// Processes of a database among which one is chosen to be frozen: the busiest.
const BACKENDS: i64 = 4;

/// A fault that was dealt, or was to be.
#[derive(Debug, Clone, Serialize)]
pub struct Dealt {
    /// When, in milliseconds after the begin.
    pub at_ms: u64,
    /// When it was over.
    pub healed_ms: u64,
    /// What.
    pub kind: Kind,
    /// Whom: a service or an instance.
    pub target: String,
    /// Why it could not be dealt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
}

/// Deals a fault and returns when it is over.
pub(super) async fn deal(fault: Fault, stage: &Stage, server: &Server, clock: Clock) -> Dealt {
    let begun = clock.now();
    let instance = chosen(stage, fault.which);
    let target = match fault.kind {
        Kind::KillInstance | Kind::FreezeInstance | Kind::Replace => &instance.name,
        _ => &stage.service.name,
    };
    let missed = strike(&fault, stage, instance, server).await.err();
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Dealt {
        at_ms: ms(begun),
        healed_ms: ms(clock.now()),
        kind: fault.kind,
        target: target.clone(),
        missed: missed.map(|error| format!("{error:#}")),
    }
}

/// The instance drawn, or another one if that does not run now.
fn chosen(stage: &Stage, which: usize) -> &Instance {
    let places = (0..INSTANCES).map(|n| (which % INSTANCES + n) % INSTANCES);
    let running = |place: &usize| stage.instances[*place].state() == State::Running;
    &stage.instances[places.clone().find(running).unwrap_or(which % INSTANCES)]
}

async fn strike(fault: &Fault, stage: &Stage, instance: &Instance, server: &Server) -> Result<()> {
    let hit = |hit: bool, why: &str| if hit { Ok(()) } else { bail!("{why}") };
    let blow = async |blow: Blow| hit(instance.strike(blow, INSTANCE_MAX).await, "it did not run in time");
    match fault.kind {
        Kind::KillInstance => blow(Blow::Kill(fault.length)).await,
        Kind::FreezeInstance => blow(Blow::Freeze(fault.length)).await,
        Kind::Replace => blow(Blow::Replace).await,
        Kind::CutConnections => hit(
            in_time(cut_all(stage)).await.is_some(),
            "there were no connections in time",
        ),
        Kind::CutCommitSent | Kind::CutCommitAnswered => {
            let moment = fault.kind.moment().context("a cut has its moment")?;
            let mut cuts = 0;
            for skip in &fault.skips {
                cuts += u32::from(stage.proxy.cut_at_commit(moment, *skip, COMMIT_MAX).await);
            }
            hit(cuts > 0, "no commit came by in time")
        }
        Kind::Stall => {
            stage.proxy.stall(fault.length).await;
            Ok(())
        }
        Kind::KillServer => {
            let _alone = stage.server.lock().await;
            kill(postmaster(server)?, Signal::SIGKILL)?;
            tokio::time::sleep(fault.length).await;
            start(server).await?;
            stage.follow(server);
            Ok(())
        }
        Kind::FreezeServer => {
            let _alone = stage.server.lock().await;
            let _frozen = Frozen::stop(postmaster(server)?)?;
            tokio::time::sleep(fault.length).await;
            Ok(())
        }
        Kind::FreezeBackend => {
            // A frozen process outlives its server, and the next start would wait for it.
            let _alone = stage.server.lock().await;
            let found = async {
                loop {
                    if let Some(pid) = backend(stage, server, fault.which).await? {
                        return Frozen::stop(pid).context("it has just ended");
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            let _frozen = in_time(found)
                .await
                .unwrap_or_else(|| bail!("there were no connections in time"))?;
            tokio::time::sleep(fault.length).await;
            Ok(())
        }
    }
}

/// What comes of it, unless nobody connects for too long.
async fn in_time<T>(done: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(CONNECTED_MAX, done).await.ok()
}

/// Cuts what there is, once there is something.
async fn cut_all(stage: &Stage) {
    while stage.proxy.cut_all() == 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn start(server: &Server) -> Result<()> {
    let mut tries = 1;
    while let Err(error) = server.start().await {
        if tries == SERVER_STARTS_MAX {
            return Err(error).context("the killed database server cannot be started again");
        }
        tries += 1;
    }
    Ok(())
}

/// The server's first process.
fn postmaster(server: &Server) -> Result<Pid> {
    let note = server.data_folder().join("postmaster.pid");
    let text = std::fs::read_to_string(&note).with_context(|| format!("cannot read {}", note.display()))?;
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
    Ok(Pid::from_raw(pid.context("the server's process id is not known")?))
}

/// One of the processes that serve the service, rather one that is at work.
async fn backend(stage: &Stage, server: &Server, which: usize) -> Result<Option<Pid>> {
    let config = server.admin_config(&stage.names.database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    let rows = client
        .query(
            "select pid
             from pg_stat_activity
             where usename = $1
             order by state = 'active' desc, xact_start is not null desc, pid
             limit $2",
            &[&stage.names.app, &BACKENDS],
        )
        .await?;
    match rows.len() {
        0 => Ok(None),
        some => Ok(Some(Pid::from_raw(rows[which % some].get(0)))),
    }
}
