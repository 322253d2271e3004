//! One migration file.

use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;

/// The number of a migration within its service; 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub i32);

/// As in the file's name: at least four digits.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// One migration, read and found fit to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its number.
    pub version: Version,
    /// What follows the number in the file's name, without `.sql`.
    pub name: String,
    /// Where it was read.
    pub path: PathBuf,
    /// Its text, with line ends normalised to `\n` and without a byte order mark.
    pub text: String,
    /// SHA-256 of `text` in hexadecimal: the same on every system that checks the file out.
    pub checksum: String,
    /// How it runs.
    pub mode: Mode,
}

/// How a file runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of it in one transaction, with the row that records it.
    Transaction,
    /// Statement by statement, recorded afterwards. What ran before a failure stays, so each statement should bear
    /// repetition (`if not exists`).
    NoTransaction,
}

impl File {
    /// The file's name: `0001_orders.sql`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}_{}.sql", self.version, self.name)
    }
}

/// The checksum of a normalised text.
pub(super) fn checksum(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The text as it is hashed and run: one kind of line end, no byte order mark.
pub(super) fn normalise(text: &str) -> String {
    text.strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n")
}
