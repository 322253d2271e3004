//! Compares what was read with the ledger.

use std::collections::{HashMap, HashSet};

use super::ledger::Commit;

/// A message as a reader got it.
#[derive(Debug, Clone)]
pub(super) struct Read {
    /// Its position, or its turn in what was read.
    pub(super) place: i64,
    pub(super) topic: String,
    pub(super) key: String,
    pub(super) version: i64,
    pub(super) tag: String,
    pub(super) prev: i64,
    pub(super) whole: i64,
}

/// What is wrong; all zero when nothing is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Committed and not read.
    pub(super) lost: usize,
    /// Read more than once.
    pub(super) doubled: usize,
    /// Read, but never committed.
    pub(super) invented: usize,
    /// A key's version that does not follow a lower one.
    pub(super) disordered: usize,
    /// A transaction that began after another's commit was answered, but has an earlier place.
    pub(super) before_its_cause: usize,
    /// Places that do not follow each other.
    pub(super) gaps: usize,
    /// A predecessor in the topic that is not the one named.
    pub(super) wrong_prev: usize,
    /// Transactions that span the end of a batch.
    pub(super) torn: usize,
    /// Calls of a sequencer that failed.
    pub(super) refused: usize,
}

/// Compares; `read` is in the order in which it was read.
pub(super) fn check(written: &[Commit], read: &[Read]) -> Findings {
    let mut findings = Findings::default();
    let mut times: HashMap<(&str, &str, &str, i64), usize> = HashMap::new();
    for r in read {
        *times.entry((&r.tag, &r.topic, &r.key, r.version)).or_default() += 1;
    }
    findings.doubled = times.values().filter(|n| **n > 1).count();
    let mut committed = HashSet::new();
    for commit in written {
        for said in &commit.said {
            let message = (commit.tag.as_str(), said.topic, said.key.as_str(), said.version);
            findings.lost += usize::from(!times.contains_key(&message));
            committed.insert(message);
        }
    }
    findings.invented = times.keys().filter(|message| !committed.contains(*message)).count();
    order(read, &mut findings);
    findings.before_its_cause = before_their_cause(written, read);
    findings
}

fn order(read: &[Read], findings: &mut Findings) {
    let mut versions: HashMap<(&str, &str), i64> = HashMap::new();
    let mut topics: HashMap<&str, i64> = HashMap::new();
    let mut wholes: HashMap<&str, i64> = HashMap::new();
    let mut torn = HashSet::new();
    for (turn, r) in (1_i64..).zip(read) {
        findings.gaps += usize::from(r.place != turn);
        let before = versions.insert((&r.topic, &r.key), r.version);
        findings.disordered += usize::from(before.is_some_and(|before| r.version <= before));
        let prev = topics.insert(&r.topic, r.place).unwrap_or(0);
        findings.wrong_prev += usize::from(r.prev != prev);
        let whole = *wholes.entry(&r.tag).or_insert(r.whole);
        if whole != r.whole || r.whole < r.place {
            torn.insert(&r.tag);
        }
    }
    findings.torn = torn.len();
}

/// Over all pairs: a commit that was answered before another transaction began has no later place.
fn before_their_cause(written: &[Commit], read: &[Read]) -> usize {
    let mut places: HashMap<&str, (i64, i64)> = HashMap::new();
    for r in read {
        let (first, last) = places.entry(&r.tag).or_insert((r.place, r.place));
        *first = (*first).min(r.place);
        *last = (*last).max(r.place);
    }
    let mut by_end: Vec<&Commit> = written.iter().collect();
    by_end.sort_by_key(|commit| commit.ended);
    let mut by_begin: Vec<&Commit> = written.iter().collect();
    by_begin.sort_by_key(|commit| commit.began);
    let mut ended = by_end.into_iter().peekable();
    let (mut furthest, mut early) = (0, 0);
    for commit in by_begin {
        while let Some(cause) = ended.next_if(|cause| cause.ended < commit.began) {
            furthest = furthest.max(places.get(cause.tag.as_str()).map_or(0, |(_, last)| *last));
        }
        early += usize::from(
            places
                .get(commit.tag.as_str())
                .is_some_and(|(first, _)| *first < furthest),
        );
    }
    early
}
