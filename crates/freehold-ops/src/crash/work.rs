//! The work and the faults: the one paces the others.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::deal::{Dealt, deal};
use super::fault;
use super::ledger::{Counts, Line};
use super::rig::Rig;
use super::workload::Running;
use super::{Event, Tell, scratch};

/// How often it is asked whether the next fault is due.
const TICK: Duration = Duration::from_millis(100);

/// Faults under way at the same time: enough that they meet, few enough that work goes on.
const AT_ONCE_MAX: usize = 4;

/// A workload that is asked to end at the time limit finishes what it has begun within this, or is ended: faults are
/// being healed meanwhile.
const GRACE: Duration = Duration::from_secs(60);

/// What came of the work.
#[derive(Debug)]
pub struct Worked {
    /// The faults, in the order of their begin.
    pub faults: Vec<Dealt>,
    /// Faults that were to be dealt.
    pub planned: usize,
    /// How the work ended.
    pub end: End,
    /// How long it took.
    pub took: Duration,
}

/// How the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself: all of it is done.
    Done,
    /// It was asked to end at the time limit, and did.
    Asked,
    /// It went on when it was asked to end, and was killed.
    Killed,
    /// It did not end when it was asked to, and said nothing any more: it waited for something. It was killed.
    Silent,
}

impl Rig {
    /// Runs the workload, deals the faults meanwhile, and returns when both are over and every fault is healed.
    ///
    /// The faults are spread evenly: over the work, or over the time limit where that is nearer.
    ///
    /// # Errors
    /// When the workload cannot be started, prints what is not of its protocol, or ends with an error.
    pub async fn work(&mut self, tell: &mut Tell<'_>) -> Result<Worked> {
        tell(Event::Step("the work begins"));
        let drawn = fault::draw(self.plan.seed, self.plan.faults, self.stages.len());
        let planned = drawn.len();
        let mut drawn = drawn.into_iter().enumerate().peekable();
        let mut dealing = FuturesUnordered::new();
        let mut faults = Vec::new();
        let mut log = scratch::append(&self.scratch.path().join("faults.jsonl"))?;
        let mut running = Some(self.workload.run()?);
        let (begun, limit) = (Instant::now(), self.plan.limit);
        let mut heard = begun;
        let (mut end, mut took) = (End::Done, Duration::ZERO);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                line = next(&mut running) => {
                    heard = Instant::now();
                    match line? {
                        Some(line) => self.ledger.note(self.clock.now(), line)?,
                        None => {
                            if let Some(mut ended) = running.take() {
                                ended.ended().await?;
                            }
                            took = begun.elapsed();
                        }
                    }
                }
                Some(dealt) = dealing.next(), if !dealing.is_empty() => {
                    tell(Event::Fault(&dealt));
                    writeln!(log, "{}", serde_json::to_string(&dealt)?)?;
                    faults.push(dealt);
                }
                _ = tick.tick() => {
                    let counts = self.ledger.counts();
                    tell(Event::Progress { counts, work: self.plan.work, faults: faults.len(), planned });
                    let share = share(counts, self.plan.work, begun.elapsed(), limit);
                    if let Some((place, _)) = drawn.peek()
                        && running.is_some()
                        && end == End::Done
                        && dealing.len() < AT_ONCE_MAX
                        && (place + 1) as f64 / (planned + 1) as f64 <= share
                        && let Some((_, fault)) = drawn.next()
                    {
                        let stage = &self.stages[fault.service];
                        let (server, _) = &self.ground.servers[fault.service];
                        dealing.push(deal(fault, stage, server, self.clock));
                    }
                    if begun.elapsed() > limit && end == End::Done && let Some(late) = &mut running {
                        late.ask_to_end();
                        end = End::Asked;
                    }
                    if begun.elapsed() > limit + GRACE && let Some(late) = running.take() {
                        late.kill().await;
                        took = begun.elapsed();
                        end = if heard.elapsed() > GRACE { End::Silent } else { End::Killed };
                    }
                }
            }
            if running.is_none() && dealing.is_empty() {
                break;
            }
        }
        drop(dealing);
        self.ledger.flush()?;
        faults.sort_by_key(|dealt| dealt.at_ms);
        Ok(Worked {
            faults,
            planned,
            end,
            took,
        })
    }
}

/// The workload's next line; never comes back without a workload.
async fn next(running: &mut Option<Running>) -> Result<Option<Line>> {
    match running {
        Some(running) => running.line().await,
        None => std::future::pending().await,
    }
}

/// How much of the run is over, from 0 to 1: of the work or of the time, whichever is further.
fn share(counts: Counts, work: u64, elapsed: Duration, limit: Duration) -> f64 {
    let of_work = counts.progress as f64 / work.max(1) as f64;
    let of_time = elapsed.as_secs_f64() / limit.as_secs_f64().max(1.0);
    of_work.max(of_time)
}
