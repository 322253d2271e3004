//! Accounts against a real PostgreSQL: FREEHOLD_TEST_PG is the URL of a test server's superuser.

mod fixture;

mod asked;
mod guessing;
mod keys;
mod life;
mod load;
mod mail;
#[cfg(feature = "plant")]
mod planted;
mod refresh;
mod secrets;
mod timing;
