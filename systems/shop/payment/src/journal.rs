//! What happened, on disk: a file of JSON lines that is only appended to.
//!
//! One thread writes. It takes whatever waits, writes it at once and calls fsync once, so that many clients share the
//! wait for the disk. Nobody is answered before the fsync that covers his line has returned.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::books::{Books, Entry};
use crate::provider::Error;

/// The journal's name in the state folder.
pub(crate) const FILE: &str = "journal.jsonl";

/// Lines in one fsync. More would only make the first of them wait longer.
const BATCH_MAX: usize = 256;

/// Lines that wait to be written; further clients wait for a place.
const QUEUE_MAX: usize = 1_024;

/// The way to the writing thread. The thread ends, and the file is free, when the last clone is gone.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    queue: mpsc::Sender<Line>,
}

/// A line could not be written; whether it is on disk shows at the next start.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be written: see the log, and start the provider anew")]
pub(crate) struct NotWritten;

#[derive(Debug)]
struct Line {
    text: Vec<u8>,
    written: oneshot::Sender<()>,
}

impl Journal {
    /// Opens the state folder, which is made if need be, and reads all that happened.
    ///
    /// What stands behind the last line's end was being written when the process died, so nobody was told of it: it is
    /// cut off.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, another process has it, or a whole line in it is no entry.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Books, JoinHandle<()>), Error> {
        let path = folder.join(FILE);
        let failed = |doing: &'static str| {
            let path = path.clone();
            move |source| Error::State { doing, path, source }
        };
        std::fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(&path).map_err(failed("open"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Locked { path: path.clone() },
            TryLockError::Error(source) => Error::State {
                doing: "lock",
                path: path.clone(),
                source,
            },
        })?;
        // A new file is only there after a crash if its folder says so.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("make"))?;

        let mut books = Books::default();
        let whole = read(&file, &path, &mut books)?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed("read"))?;
        if whole < length {
            let (path, cut) = (path.display(), length - whole);
            tracing::warn!(%path, bytes = cut, "the journal ended in half a line, which was cut off");
            file.set_len(whole).map_err(failed("shorten"))?;
        }
        // What was read may still be in the system's memory only, if it was written just before a crash.
        file.sync_all().map_err(failed("write"))?;

        let (queue, lines) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("journal".into());
        let writer = thread
            .spawn(move || write(file, lines))
            .map_err(|source| Error::Thread { source })?;
        Ok((Self { queue }, books, writer))
    }

    /// Appends an entry; when it returns, the entry is on disk.
    ///
    /// # Errors
    ///
    /// After the first failure nothing is written any more: what a disk did with a failed fsync, nobody knows.
    pub(crate) async fn append(&self, entry: &Entry) -> Result<(), NotWritten> {
        let mut text = serde_json::to_vec(entry).map_err(|_| NotWritten)?;
        text.push(b'\n');
        let (written, answer) = oneshot::channel();
        self.queue.send(Line { text, written }).await.map_err(|_| NotWritten)?;
        answer.await.map_err(|_| NotWritten)
    }

    /// Whether entries can be written.
    pub(crate) fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }
}

/// Enters all whole lines into the books, and returns where they end.
fn read(file: &File, path: &Path, books: &mut Books) -> Result<u64, Error> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut end = 0;
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let read = read.map_err(|source| Error::State {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        if !line.ends_with(b"\n") {
            break;
        }
        end += read as u64;
        let damaged = |what: String| Error::Damaged {
            path: path.to_owned(),
            line: number,
            what,
        };
        let entry = serde_json::from_slice(&line).map_err(|error| damaged(error.to_string()))?;
        if !books.enter(entry) {
            return Err(damaged("its key, id or payment has an entry already".to_owned()));
        }
    }
    Ok(end)
}

/// Writes what waits until nobody can send any more, or the disk fails.
fn write(mut file: File, mut lines: mpsc::Receiver<Line>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while lines.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let text: Vec<u8> = batch.iter().flat_map(|line| line.text.iter().copied()).collect();
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            tracing::error!(%error, "the journal cannot be written; nothing more is taken or given back");
            return;
        }
        for line in batch.drain(..) {
            // Its client may have gone meanwhile.
            let _ = line.written.send(());
        }
    }
}
