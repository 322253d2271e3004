//! Every limit of the entity API, with its unit and its reason.

use std::time::Duration;

/// Bytes of a request's body. A bulk insert of this size fits in memory many times over.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a request's path and query, as most proxies allow.
pub const URL_BYTES_MAX: usize = 16 * 1024;
/// Objects and arrays inside each other in a body: below the depth at which PostgreSQL's parser complains.
pub const JSON_DEPTH_MAX: usize = 64;
/// Rows one answer carries; a list without `limit` is cut here, one with a larger limit too.
pub const ROWS_MAX: u64 = 10_000;
/// Values of one `in.(…)`: one array parameter.
pub const IN_VALUES_MAX: usize = 1_000;
/// Objects of one table in one body: one statement.
pub const BULK_ROWS_MAX: usize = 50_000;
/// Filters of one request: each is a clause the planner works on.
pub const FILTERS_MAX: usize = 64;
/// Columns a `select` or an `order` lists.
pub const COLUMNS_MAX: usize = 1_600;
/// Tables within each other in one body.
pub const WITHIN_DEPTH_MAX: usize = 8;
/// What one request may take, waiting included.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// Waiting for a free connection; longer means the service is overloaded, and saying so early is kinder.
pub const POOL_WAIT_MAX: Duration = Duration::from_secs(5);
/// Asking the server to stop a statement whose request ran out of time.
pub const CANCEL_TIME_MAX: Duration = Duration::from_secs(1);
/// Times a statement is run when it loses a race (serialization failure, deadlock).
pub const ATTEMPTS_MAX: u32 = 5;
/// The first pause between attempts in milliseconds; it doubles, and half of it is chance.
pub const PAUSE_FIRST_MS: u64 = 4;
/// Shapes of statements kept prepared on each connection.
pub const SHAPES_MAX: usize = 256;
/// Seconds a client is told to wait after 503.
pub const RETRY_AFTER_S: u32 = 1;
