//! What was found, for people and for programs.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// A system's histories, as they were found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The system.
    pub system: String,
    /// Its services, in the order of the manifest.
    pub services: Vec<Verdict>,
}

/// What one service's database showed.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The service.
    pub service: String,
    /// The last position of its log.
    pub position: i64,
    /// The last position that somebody outside its database has seen; 0 for none.
    pub witnessed: i64,
    /// Who has seen something of its log.
    pub witnesses: Vec<String>,
    /// Its append-only tables.
    pub tables: Vec<TableProof>,
    /// What is not as it was.
    pub findings: Vec<Finding>,
}

/// How far an append-only table was proven.
#[derive(Debug, Clone, Serialize)]
pub struct TableProof {
    /// The table.
    pub table: String,
    /// Rows that are as they were written.
    pub proven: i64,
    /// Findings that are counted here and not listed.
    pub unlisted: i64,
}

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What happened, as far as it can be told.
    pub what: What,
    /// The table; none for the log itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The position in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// The row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A sentence.
    pub detail: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum What {
    /// A row is not what was written.
    RowChanged,
    /// A row that was written is not there.
    RowRemoved,
    /// A row is there that was not written in the ordinary way.
    RowInserted,
    /// A row was taken out and put in again.
    RowTwice,
    /// Rows were written with a column that is gone.
    RowsUnproven,
    /// A table is not there, or is something else now.
    TableGone,
    /// A table's rows are in the log, and the manifest calls it append-only no more.
    TableReleased,
    /// A message of the log is not what was written.
    LogChanged,
    /// Messages are missing from the log.
    LogGap,
    /// The log's head is not where the log ends.
    LogHead,
    /// The log ends before a position that somebody has seen.
    LogCut,
    /// The log is another than somebody has seen.
    LogRewritten,
    /// A trigger is missing, switched off or another one.
    Trigger,
    /// A rule stands between the table and who writes it.
    Rule,
    /// Somebody may do more to a table than its manifest says.
    Grant,
    /// A table or its owner's rights belong to somebody else.
    Owner,
    /// The file of witnesses cannot be read as it was written.
    Witness,
}

impl Report {
    /// Whether everything is as it was.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.services.iter().all(Verdict::holds)
    }

    /// For people: what was proven of each service, then what is wrong.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for verdict in &self.services {
            let _ = verdict.render(&mut text);
        }
        let wrong: usize = self.services.iter().map(|v| v.findings.len()).sum();
        let _ = match wrong {
            0 => writeln!(text, "{}: nothing was altered", self.system),
            1 => writeln!(text, "{}: 1 finding", self.system),
            _ => writeln!(text, "{}: {wrong} findings", self.system),
        };
        text
    }
}

impl Verdict {
    /// Whether everything of this service is as it was.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    fn render(&self, text: &mut String) -> fmt::Result {
        let seen = match (self.witnesses.is_empty(), self.position - self.witnessed) {
            _ if self.position == 0 => "nothing in it to be seen".to_owned(),
            (true, _) => "seen by nobody yet".to_owned(),
            (false, 0) => format!("seen to its end by {}", self.witnesses.join(", ")),
            (false, _) => format!("seen up to {} by {}", self.witnessed, self.witnesses.join(", ")),
        };
        writeln!(text, "{}: log up to position {}, {seen}", self.service, self.position)?;
        for table in &self.tables {
            writeln!(
                text,
                "  {}: {} rows are as they were written",
                table.table, table.proven
            )?;
        }
        for finding in &self.findings {
            let table = finding.table.as_deref().map(|t| format!(".{t}")).unwrap_or_default();
            write!(text, "  ✗ {}{table}", self.service)?;
            if let Some(position) = finding.position {
                write!(text, " at position {position}")?;
            }
            if let Some(key) = &finding.key {
                // A key is the service's own text: its control characters are not for a terminal.
                write!(text, ", key {}", key.escape_debug())?;
            }
            writeln!(text, ": {}", finding.detail)?;
        }
        for table in self.tables.iter().filter(|t| t.unlisted > 0) {
            writeln!(
                text,
                "  ✗ {}.{}: and {} more rows",
                self.service, table.table, table.unlisted
            )?;
        }
        Ok(())
    }
}

impl Finding {
    /// About the log.
    pub(super) fn of_log(what: What, position: i64, detail: impl Into<String>) -> Self {
        Self {
            what,
            table: None,
            position: Some(position),
            key: None,
            detail: detail.into(),
        }
    }

    /// About a table.
    pub(super) fn of_table(what: What, table: &str, detail: impl Into<String>) -> Self {
        Self {
            what,
            table: Some(table.to_owned()),
            position: None,
            key: None,
            detail: detail.into(),
        }
    }
}
