//! What the outside world knows: every line the workload printed, kept by the rig, outside the system under test.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A line of the workload's `run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Line {
    /// A request whose effect matters is about to be made.
    Sent {
        /// Its key.
        sent: String,
    },
    /// It was acknowledged: its effect must be there, once.
    Accepted {
        /// Its key.
        accepted: String,
    },
    /// It was refused: nothing may have come of it.
    Refused {
        /// Its key.
        refused: String,
        /// The reason, for people.
        #[serde(default)]
        why: String,
    },
    /// Units of work that are done.
    Progress {
        /// How many, of `FREEHOLD_WORK`.
        progress: u64,
    },
}

impl Line {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Sent { sent: key } | Self::Accepted { accepted: key } | Self::Refused { refused: key, .. } => {
                Some(key)
            }
            Self::Progress { .. } => None,
        }
    }
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was sent, and nobody knows what came of it. Next: `Accepted` or `Refused`.
    Sent,
    /// It was acknowledged.
    Accepted,
    /// It was refused, and not acknowledged at another try.
    Refused,
}

/// How many keys there are, by standing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub sent: usize,
    /// Those acknowledged.
    pub accepted: usize,
    /// Those refused.
    pub refused: usize,
    /// Units of work done, as the workload tells; keys acknowledged or refused if it tells nothing.
    pub progress: u64,
}

/// The ledger of one run. It is in memory, and on disk for people.
#[derive(Debug)]
pub struct Ledger {
    lines: Vec<(Duration, Line)>,
    keys: BTreeMap<String, Standing>,
    counts: Counts,
    told: bool,
    file: BufWriter<File>,
}

impl Ledger {
    /// An empty ledger, copied to a file: one line of JSON for each of the workload's, with its time.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(file: &Path) -> io::Result<Self> {
        Ok(Self {
            lines: Vec::new(),
            keys: BTreeMap::new(),
            counts: Counts::default(),
            told: false,
            file: BufWriter::new(File::create(file)?),
        })
    }

    /// Writes down a line that was printed so long after the run's begin.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&mut self, at: Duration, line: Line) -> io::Result<()> {
        let text = serde_json::to_string(&line)?;
        writeln!(self.file, "{{\"at_ms\":{},\"line\":{text}}}", at.as_millis())?;
        match &line {
            Line::Sent { sent } => self.stands(sent, Standing::Sent),
            Line::Accepted { accepted } => self.stands(accepted, Standing::Accepted),
            Line::Refused { refused, .. } => self.stands(refused, Standing::Refused),
            Line::Progress { progress } => {
                self.told = true;
                self.counts.progress = self.counts.progress.max(*progress);
            }
        }
        self.lines.push((at, line));
        Ok(())
    }

    fn stands(&mut self, key: &str, now: Standing) {
        let before = self.keys.get(key).copied();
        match (before, now) {
            (None, _) => self.counts.sent += 1,
            (Some(Standing::Sent), Standing::Accepted | Standing::Refused) => {}
            (Some(Standing::Refused), Standing::Accepted) => self.counts.refused -= 1,
            _ => return,
        }
        self.keys.insert(key.to_owned(), now);
        match now {
            Standing::Sent => return,
            Standing::Accepted => self.counts.accepted += 1,
            Standing::Refused => self.counts.refused += 1,
        }
        if !self.told {
            self.counts.progress = (self.counts.accepted + self.counts.refused) as u64;
        }
    }

    /// Puts everything on disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// How many keys there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Every key with its standing.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<String, Standing> {
        &self.keys
    }

    /// The lines about a key, with their times.
    pub fn of<'l>(&'l self, key: &'l str) -> impl Iterator<Item = &'l (Duration, Line)> {
        self.lines.iter().filter(move |(_, line)| line.key() == Some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Ledger, Box<dyn std::error::Error>> {
        let mut ledger = Ledger::create(Path::new("/dev/null"))?;
        for line in lines {
            ledger.note(Duration::ZERO, serde_json::from_str(line)?)?;
        }
        Ok(ledger)
    }

    #[test]
    fn an_acknowledgement_outweighs_a_refusal_of_another_try() -> Result<(), Box<dyn std::error::Error>> {
        let ledger = read(&[
            r#"{"sent":"a"}"#,
            r#"{"sent":"b"}"#,
            r#"{"sent":"c"}"#,
            r#"{"accepted":"a"}"#,
            r#"{"refused":"a","why":"there is one"}"#,
            r#"{"refused":"b"}"#,
        ])?;
        let standings: Vec<_> = ledger.keys().values().copied().collect();
        assert_eq!(standings, [Standing::Accepted, Standing::Refused, Standing::Sent]);
        assert_eq!(ledger.counts().progress, 2, "of c nobody knows");
        assert_eq!(ledger.of("a").count(), 3);
        Ok(())
    }

    #[test]
    fn what_is_no_line_of_the_protocol_is_refused() {
        for line in ["", "done", "{}", r#"{"sent":1}"#, r#"{"sent":"a","accepted":"a"}"#] {
            assert!(serde_json::from_str::<Line>(line).is_err(), "{line}");
        }
    }
}
