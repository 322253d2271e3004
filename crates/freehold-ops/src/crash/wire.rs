//! Just enough of PostgreSQL's protocol to see where a message ends and when a commit is asked for and answered.

use std::collections::HashMap;
use std::io;

use bytes::{Bytes, BytesMut};

/// The longest first packet of a connection, as the server has it.
const STARTUP_MAX: usize = 10_000;

/// The longest message that is carried: the library's are at most a few MiB. A longer one ends its connection.
const MESSAGE_MAX: usize = 256 * 1024 * 1024;

/// What a connection begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Startup {
    /// A question for encryption, which is answered no; another first packet follows.
    Encryption,
    /// A request to cancel what another connection does; nothing follows.
    Cancel(Bytes),
    /// The session begins.
    Session(Bytes),
}

/// Takes the first packet from what has arrived, if it is whole.
pub(super) fn startup(arrived: &mut BytesMut) -> io::Result<Option<Startup>> {
    const CANCEL: u32 = 80_877_102;
    const SSL: u32 = 80_877_103;
    const GSSENC: u32 = 80_877_104;
    let (Some(length), Some(code)) = (number(arrived, 0), number(arrived, 4)) else {
        return Ok(None);
    };
    let length = length as usize;
    if !(8..=STARTUP_MAX).contains(&length) {
        return Err(malformed());
    }
    if arrived.len() < length {
        return Ok(None);
    }
    let packet = arrived.split_to(length).freeze();
    Ok(Some(match code {
        SSL | GSSENC => Startup::Encryption,
        CANCEL => Startup::Cancel(packet),
        _ => Startup::Session(packet),
    }))
}

/// Takes the next message from what has arrived, if it is whole: its type, four bytes of length, its body.
pub(super) fn message(arrived: &mut BytesMut) -> io::Result<Option<Bytes>> {
    let Some(length) = number(arrived, 1) else {
        return Ok(None);
    };
    let length = length as usize;
    if !(4..=MESSAGE_MAX).contains(&length) {
        return Err(malformed());
    }
    if arrived.len() < length + 1 {
        arrived.reserve(length + 1 - arrived.len());
        return Ok(None);
    }
    Ok(Some(arrived.split_to(length + 1).freeze()))
}

fn number(bytes: &[u8], from: usize) -> Option<u32> {
    let four = bytes.get(from..from + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(four))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not PostgreSQL's protocol")
}

/// What a statement does to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Begin,
    Commit,
    Rollback,
    /// It may write: outside a transaction its end is a commit.
    Write,
    Read,
}

impl Does {
    /// By its words. A function of the service's own that writes, called by a bare `select`, is taken for a read.
    fn by(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        match words.find(|word| !word.is_empty()) {
            Some("begin" | "start") => return Self::Begin,
            Some("commit" | "end") => return Self::Commit,
            Some("rollback" | "abort") => return Self::Rollback,
            _ => {}
        }
        let writes = |word: &str| matches!(word, "insert" | "update" | "delete" | "merge" | "call" | "do" | "copy");
        match calls_the_library(&text) || text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(writes) {
            true => Self::Write,
            false => Self::Read,
        }
    }
}

/// Whether a function of the library's schema is called, like `freehold.sequence($1)`.
fn calls_the_library(text: &str) -> bool {
    text.split("freehold").skip(1).any(|rest| {
        let rest = rest.trim_start_matches(['"', '.']);
        rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '"')
            .is_some_and(|end| end > 0 && rest[end..].starts_with('('))
    })
}

/// What a message of the client's asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// A commit: of a transaction, or of a writing statement outside one.
    Commit,
    /// Anything else.
    Other,
}

/// One connection's dialogue, as far as commits need it.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    /// Requests that the server will answer with a ReadyForQuery, and how many it has answered.
    asked: u64,
    answered: u64,
    /// Whether a transaction is open, as the requests sent so far make us expect.
    open: bool,
    statements: HashMap<Vec<u8>, Does>,
    portals: HashMap<Vec<u8>, Does>,
    /// What was executed since the last Sync.
    executed: Vec<Does>,
    /// The last request ended with a Sync, not by itself.
    synced: bool,
}

impl Dialogue {
    /// Takes note of a client's message.
    pub(super) fn ask(&mut self, message: &[u8]) -> Asks {
        let (kind, body) = (message[0], &message[5..]);
        match kind {
            b'Q' => {
                let does = Does::by(&String::from_utf8_lossy(body));
                self.executed.push(does);
                self.end(false)
            }
            b'P' => {
                let (name, rest) = until_zero(body);
                let (text, _) = until_zero(rest);
                self.statements
                    .insert(name.to_vec(), Does::by(&String::from_utf8_lossy(text)));
                Asks::Other
            }
            b'B' => {
                let (portal, rest) = until_zero(body);
                let (statement, _) = until_zero(rest);
                if let Some(does) = self.statements.get(statement) {
                    self.portals.insert(portal.to_vec(), *does);
                }
                Asks::Other
            }
            b'E' => {
                let (portal, _) = until_zero(body);
                self.executed.extend(self.portals.get(portal));
                Asks::Other
            }
            b'C' => {
                let (name, _) = until_zero(body.get(1..).unwrap_or_default());
                match body.first() {
                    Some(b'S') => self.statements.remove(name),
                    _ => self.portals.remove(name),
                };
                Asks::Other
            }
            b'S' => self.end(true),
            b'F' => {
                self.executed.push(Does::Write);
                self.end(false)
            }
            _ => Asks::Other,
        }
    }

    fn end(&mut self, synced: bool) -> Asks {
        self.asked += 1;
        self.synced = synced;
        let mut asks = Asks::Other;
        for does in std::mem::take(&mut self.executed) {
            match (does, self.open) {
                (Does::Begin, _) => self.open = true,
                (Does::Commit, true) => (self.open, asks) = (false, Asks::Commit),
                (Does::Rollback, _) => self.open = false,
                (Does::Write, false) => asks = Asks::Commit,
                _ => {}
            }
        }
        asks
    }

    /// The number of the last request: its answer is whole once [`Dialogue::answered`] has come so far.
    pub(super) fn last_asked(&self) -> u64 {
        self.asked
    }

    /// How many requests have been answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// Takes note of a server's message.
    pub(super) fn answer(&mut self, message: &[u8]) {
        match message[0] {
            b'Z' => {
                self.answered += 1;
                // Before the first request it greets with one.
                self.asked = self.asked.max(self.answered);
                if self.answered == self.asked {
                    // A transaction that failed has nothing to commit.
                    self.open = message.get(5) == Some(&b'T');
                }
            }
            // While it takes a COPY's data, the server passes over the Sync that came with the request.
            b'G' if self.synced => self.asked = self.asked.saturating_sub(1).max(self.answered),
            _ => {}
        }
    }
}

fn until_zero(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend(u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes());
        message.extend(body);
        message
    }

    fn ready(status: u8) -> Vec<u8> {
        said(b'Z', &[status])
    }

    fn greeted() -> Dialogue {
        let mut dialogue = Dialogue::default();
        dialogue.answer(&ready(b'I'));
        dialogue
    }

    #[test]
    fn a_message_is_taken_when_it_is_whole_and_what_follows_stays() {
        let whole = said(b'Q', b"select 1\0");
        let mut arrived = BytesMut::new();
        for byte in &whole[..whole.len() - 1] {
            arrived.extend([byte]);
            assert!(matches!(message(&mut arrived), Ok(None)));
        }
        arrived.extend([whole[whole.len() - 1], b'X', 0, 0]);
        assert_eq!(message(&mut arrived).ok().flatten().as_deref(), Some(&whole[..]));
        assert_eq!(&arrived[..], [b'X', 0, 0]);
        assert!(message(&mut BytesMut::from(&[b'Q', 0, 0, 0, 1][..])).is_err());
    }

    #[test]
    fn a_commit_is_known_by_its_word_inside_a_transaction_only() {
        let mut dialogue = greeted();
        assert_eq!(dialogue.ask(&said(b'Q', b"COMMIT\0")), Asks::Other);
        dialogue.answer(&ready(b'I'));
        assert_eq!(dialogue.ask(&said(b'Q', b"begin\0")), Asks::Other);
        dialogue.answer(&ready(b'T'));
        assert_eq!(dialogue.ask(&said(b'Q', b"insert into t values (1)\0")), Asks::Other);
        dialogue.answer(&ready(b'T'));
        assert_eq!(dialogue.ask(&said(b'Q', b"  Commit;\0")), Asks::Commit);
    }

    #[test]
    fn a_transaction_that_failed_is_not_committed() {
        let mut dialogue = greeted();
        dialogue.ask(&said(b'Q', b"begin\0"));
        dialogue.answer(&ready(b'T'));
        dialogue.ask(&said(b'Q', b"insert into t values (1)\0"));
        dialogue.answer(&ready(b'E'));
        assert_eq!(dialogue.ask(&said(b'Q', b"commit\0")), Asks::Other);
    }

    #[test]
    fn a_prepared_write_outside_a_transaction_commits_with_its_sync() {
        let mut dialogue = greeted();
        dialogue.ask(&said(b'P', b"s1\0insert into t values ($1)\0\0\0"));
        assert_eq!(dialogue.ask(&said(b'S', b"")), Asks::Other, "it was only prepared");
        dialogue.answer(&ready(b'I'));
        dialogue.ask(&said(b'B', b"\0s1\0"));
        dialogue.ask(&said(b'E', b"\0\0\0\0\0"));
        assert_eq!(dialogue.ask(&said(b'S', b"")), Asks::Commit);
    }

    #[test]
    fn a_read_commits_nothing_unless_it_calls_the_library() {
        for (text, does) in [
            ("select updated_at, deleted from orders", Does::Read),
            ("select position from freehold.log_head", Does::Read),
            (
                "select case when exists (select from freehold.outbox) then freehold.sequence($1) end",
                Does::Write,
            ),
            (
                "with gone as (delete from t returning *) select * from gone",
                Does::Write,
            ),
            ("/* a */ start transaction", Does::Read),
            ("START TRANSACTION", Does::Begin),
        ] {
            assert_eq!(Does::by(text), does, "{text}");
        }
    }

    #[test]
    fn a_copy_into_a_table_is_answered_once() {
        let mut dialogue = greeted();
        dialogue.ask(&said(b'P', b"\0copy t from stdin\0\0\0"));
        dialogue.ask(&said(b'B', b"\0\0"));
        dialogue.ask(&said(b'E', b"\0\0\0\0\0"));
        dialogue.ask(&said(b'S', b""));
        dialogue.answer(&said(b'G', &[0, 0, 0]));
        dialogue.ask(&said(b'c', b""));
        dialogue.ask(&said(b'S', b""));
        dialogue.answer(&ready(b'I'));
        assert_eq!(dialogue.last_asked(), dialogue.answered());
    }
}
