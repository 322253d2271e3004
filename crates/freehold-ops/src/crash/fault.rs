//! What is done to a system, and how often: drawn from a seed before the run.

use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

use super::proxy::Moment;

/// The mix of faults: each kind with its weight. The first faults of a run are one of each kind, in an order by the seed.
pub const MIX: [(Kind, u32); 10] = [
    (Kind::KillInstance, 8),
    (Kind::CutCommitSent, 5),
    (Kind::CutCommitAnswered, 5),
    (Kind::KillServer, 3),
    (Kind::CutConnections, 3),
    (Kind::FreezeInstance, 2),
    (Kind::FreezeBackend, 2),
    (Kind::Replace, 2),
    (Kind::FreezeServer, 1),
    (Kind::Stall, 1),
];

/// The pause before a killed instance or server is started again: at once, or past a lease of 5 s.
const DOWN_MS: std::ops::Range<u64> = 50..6_500;

/// How long an instance is frozen: longer than any lease, so that another takes over and the first wakes up too late.
const FROZEN_MS: std::ops::Range<u64> = 6_000..9_000;

/// How long a database's process is frozen, or the wire to it is silent: longer than a request's patience in a pool.
const HELD_MS: std::ops::Range<u64> = 1_000..3_000;

/// Commits that pass before the next one that is cut: else it would mostly be one of those that come most often.
const SKIP: std::ops::Range<u32> = 0..40;

/// Commits that one fault cuts: a cut is over at once, and only few commits are those whose loss matters.
const CUTS: std::ops::Range<usize> = 1..9;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// kill -9 of an instance, which is started again after a pause.
    KillInstance,
    /// A few connections to the database are lost, each after COMMIT was sent, its outcome unknown.
    CutCommitSent,
    /// A few connections to the database are lost, each after COMMIT was carried out, its answer withheld.
    CutCommitAnswered,
    /// kill -9 of a service's whole database server, which is started again after a pause.
    KillServer,
    /// SIGSTOP of an instance for longer than its leases.
    FreezeInstance,
    /// SIGSTOP of one of a database's processes that serve the service.
    FreezeBackend,
    /// All connections of a service to its database are lost at once.
    CutConnections,
    /// SIGTERM of an instance and a new start, as in a rolling deployment.
    Replace,
    /// SIGSTOP of a database server's first process: nobody can connect.
    FreezeServer,
    /// Nothing passes between a service and its database.
    Stall,
}

impl Kind {
    /// For people, after the time and before the target.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::KillInstance => "kill -9 of",
            Self::CutCommitSent => "cuts after COMMIT was sent by",
            Self::CutCommitAnswered => "cuts after COMMIT was carried out for",
            Self::KillServer => "kill -9 of the database server of",
            Self::FreezeInstance => "SIGSTOP of",
            Self::FreezeBackend => "SIGSTOP of a database process of",
            Self::CutConnections => "all database connections cut of",
            Self::Replace => "restart of",
            Self::FreezeServer => "SIGSTOP of the database server of",
            Self::Stall => "silence between the database and",
        }
    }

    /// The moment of a cut around a commit.
    pub(super) fn moment(self) -> Option<Moment> {
        match self {
            Self::CutCommitSent => Some(Moment::Sent),
            Self::CutCommitAnswered => Some(Moment::Answered),
            _ => None,
        }
    }
}

/// One fault, as drawn. Only some of it means something for each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// Which service, by its place.
    pub(super) service: usize,
    /// Which of its instances, or of the database's processes.
    pub(super) which: usize,
    /// How long it lasts.
    pub(super) length: Duration,
    /// For each commit that is cut, how many pass before it.
    pub(super) skips: Vec<u32>,
}

/// Draws the faults of a run on so many services. The same seed gives the same faults.
pub(super) fn draw(seed: u64, faults: usize, services: usize) -> Vec<Fault> {
    let mut rng = Rng::with_seed(seed);
    let mut kinds: Vec<Kind> = MIX.iter().map(|(kind, _)| *kind).collect();
    rng.shuffle(&mut kinds);
    let total: u32 = MIX.iter().map(|(_, weight)| weight).sum();
    while kinds.len() < faults {
        let mut place = rng.u32(..total);
        let drawn = MIX.iter().find(|(_, weight)| match place.checked_sub(*weight) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        });
        kinds.extend(drawn.map(|(kind, _)| *kind));
    }
    kinds.truncate(faults);
    let draw_one = |kind: Kind| {
        let range = match kind {
            Kind::FreezeInstance => FROZEN_MS,
            Kind::FreezeBackend | Kind::FreezeServer | Kind::Stall => HELD_MS,
            _ => DOWN_MS,
        };
        // Short pauses are as likely as long ones are: half of them are over at once.
        let length = match rng.bool() && range == DOWN_MS {
            true => rng.u64(DOWN_MS.start..DOWN_MS.start * 10),
            false => rng.u64(range),
        };
        Fault {
            kind,
            service: rng.usize(..services),
            which: rng.usize(..),
            length: Duration::from_millis(length),
            skips: (0..rng.usize(CUTS)).map(|_| rng.u32(SKIP)).collect(),
        }
    };
    kinds.into_iter().map(draw_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_every_kind_is_among_the_first() {
        let faults = draw(7, 60, 3);
        assert_eq!(faults, draw(7, 60, 3));
        assert_ne!(faults, draw(8, 60, 3));
        let mut first: Vec<Kind> = faults[..MIX.len()].iter().map(|f| f.kind).collect();
        first.sort();
        first.dedup();
        assert_eq!(first.len(), MIX.len());
        assert_eq!(draw(7, 4, 3).len(), 4);
    }
}
