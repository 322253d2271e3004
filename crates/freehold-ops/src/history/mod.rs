//! Whether what must not change has changed: every append-only row against its digest in the log, the log against its own
//! chain, and the chain against those who saw it.
//!
//! Nothing of the database under suspicion is trusted but PostgreSQL itself: the chain and the digests are computed by
//! statements that stand here, not by the functions that were installed, and the walls are compared with what this release
//! installs. All of a service is read in one snapshot, so a service at work shows no difference.

mod log;
mod report;
mod rows;
mod verify;
mod walls;
pub mod witness;

pub use report::{Finding, Report, TableProof, Verdict, What};
pub use verify::{Progress, verify, verify_against};
