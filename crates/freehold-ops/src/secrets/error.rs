//! What can go wrong with a secrets file; never its content.

use std::io;
use std::path::PathBuf;

/// Why secrets could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A password is neither in the file nor in the environment.
    #[error("service {service} has no {what} password: run `freehold provision` here, or set {variable}")]
    Missing {
        /// The service.
        service: String,
        /// The role.
        what: &'static str,
        /// The variable that would be used.
        variable: String,
    },
    /// The service's own key is neither in the file nor in the environment.
    #[error("service {service} has no key: run `freehold provision` here, or set {variable}")]
    NoKey {
        /// The service.
        service: String,
        /// The variable that would be used.
        variable: String,
    },
    /// Others may read the file.
    #[error(
        "secrets file {} may be read by others (mode {mode:o}): run `chmod 600` on it; if others did read it, delete it and run `freehold provision` for new secrets",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not what we wrote. The parser's words are left out: they could quote the content.
    #[error(
        "secrets file {} is damaged at line {line}: restore it, or delete it and run `freehold provision` for new secrets",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// The file cannot be read.
    #[error("cannot read secrets file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written; a former version of it is untouched.
    #[error("cannot write secrets file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No randomness.
    #[error("the operating system gives no random bytes: {source}")]
    Random {
        /// Why.
        source: getrandom::Error,
    },
}
