//! The limits of the entity API that a manifest does not set (`[api.limits]` has the others), with unit and reason.

use std::time::Duration;

/// Columns a `select` or an `order` lists.
pub const COLUMNS_MAX: usize = 1_600;
/// Tables within each other in one body.
pub const WITHIN_DEPTH_MAX: usize = 8;
/// Waiting for a free connection; longer means the service is overloaded, and saying so early is kinder.
pub const POOL_WAIT_MAX: Duration = Duration::from_secs(5);
/// Requests that wait behind each connection of the pool before further ones are refused at once: of statements that take 300 ms
/// the last of them would wait [`POOL_WAIT_MAX`].
pub const QUEUE_PER_CONNECTION_MAX: u64 = 16;
/// Reading and forgetting the rest of a body that is refused: 8 MiB over a line of 10 Mbit/s.
pub const DISCARD_TIME_MAX: Duration = Duration::from_secs(8);
/// Asking the server to stop a statement whose request ran out of time.
pub const CANCEL_TIME_MAX: Duration = Duration::from_secs(1);
/// Waiting for a statement to stop before the server is asked again.
pub const CANCEL_PAUSE: Duration = Duration::from_millis(100);
/// Times a statement is run when it loses a race (serialization failure, deadlock).
pub const ATTEMPTS_MAX: u32 = 5;
/// The first pause between attempts in milliseconds; it doubles, and half of it is chance.
pub const PAUSE_FIRST_MS: u64 = 4;
/// Shapes of statements kept prepared on each connection.
pub const SHAPES_MAX: usize = 256;
/// Seconds a client is told to wait after 503.
pub const RETRY_AFTER_S: u32 = 1;
/// Bytes of an answer that is stored under an idempotency key: as much as a body may bring by default.
pub const STORED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of the answers of one transaction together, which are held until it is committed.
pub const RESULTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of the rows of one answer: it is held in memory until it is sent.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
