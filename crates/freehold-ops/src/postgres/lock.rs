//! One `freehold up` per folder.

use super::error::{Error, Result};
use super::files::{at, create_folder};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// The right to run the servers of a folder. Dropping it gives it up; so does the death of the process, however it dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state folder (`<system>/.freehold`), creating the folder if needed, without waiting.
    ///
    /// # Errors
    /// [`Error::AnotherUp`] with the other's process id if it is taken; [`Error::NotPermitted`] or [`Error::File`]
    /// if the file `lock` cannot be written.
    pub fn take(folder: &Path) -> Result<Self> {
        // Passable: when we are root, PostgreSQL runs as a user who has to pass through.
        create_folder(folder, super::runner::state_folder_mode())?;
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The other may be between taking the lock and writing its id: then the id is not known.
                let _ = file.read_to_string(&mut pid);
                let pid = match pid.trim() {
                    "" => "id not known",
                    known => known,
                };
                return Err(Error::AnotherUp {
                    folder: folder.to_owned(),
                    pid: pid.to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(at(&path)(e)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(at(&path))?;
        Ok(Self { _file: file })
    }
}
