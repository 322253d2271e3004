//! `freehold.conf`: settings for a laptop, written at every start and included by `postgresql.conf`.

use std::path::Path;

/// The file's name in the data folder.
pub(super) const FILE: &str = "freehold.conf";
/// One log file grows to this many megabytes; then the next is begun.
pub(super) const LOG_FILE_MB: u32 = 10;
/// At most this many log files stay after [`prune`]: with their size, 100 MB.
pub(super) const LOG_FILES_MAX: usize = 10;

/// The text of the file.
pub(super) fn render(port: u16, socket_folder: &Path, log: &Path) -> String {
    let socket_folder = literal(socket_folder);
    let log = literal(log);
    format!(
        "\
# Written by freehold at every start; changes here are lost. Put your own into postgresql.conf, below the include line.

# Only this machine. The socket's mode lets every user of the machine knock, because the caller and PostgreSQL may be
# different users (root and postgres); who gets in is decided by pg_hba.conf, which asks everybody for a password.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = {socket_folder}
unix_socket_permissions = 0777
password_encryption = 'scram-sha-256'
max_connections = 200
cluster_name = 'freehold'

# A laptop's share of memory.
shared_buffers = '64MB'
work_mem = '8MB'
jit = off

# Durable: a commit is on the disk.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_size = '512MB'

# Outbox and log are small tables with many dead rows.
autovacuum_naptime = '15s'

# The log says what is wrong, never a statement, a parameter or a row: those may hold passwords and people's data.
logging_collector = on
log_directory = {log}
log_filename = 'postgresql-%Y%m%d-%H%M%S.log'
log_file_mode = 0600
log_rotation_size = '{LOG_FILE_MB}MB'
log_rotation_age = '1d'
log_min_messages = warning
log_checkpoints = off
log_error_verbosity = terse
log_statement = 'none'
log_min_error_statement = panic
log_min_duration_statement = -1
log_parameter_max_length_on_error = 0
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
"
    )
}

/// A path as a string of the configuration file.
fn literal(path: &Path) -> String {
    format!(
        "'{}'",
        path.display().to_string().replace('\\', "\\\\").replace('\'', "''")
    )
}

/// Removes the oldest log files beyond [`LOG_FILES_MAX`]; what cannot be removed now can be next time.
pub(super) fn prune(log: &Path) {
    let Ok(entries) = std::fs::read_dir(log) else {
        return;
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"postgresql-"))
        })
        .collect();
    // The names hold the time, so their order is that of age.
    files.sort();
    for path in files.iter().rev().skip(LOG_FILES_MAX) {
        let _ = std::fs::remove_file(path);
    }
}

/// The end of the newest log, for an error: each line indented on a line of its own; empty if there is none.
pub(super) fn tail(log: &Path) -> String {
    /// Enough to see the cause, short enough for a screen.
    const LINES_MAX: usize = 12;
    let Ok(entries) = std::fs::read_dir(log) else {
        return String::new();
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let changed = path.metadata().and_then(|m| m.modified()).ok()?;
            Some((changed, path))
        })
        .collect();
    files.sort();
    // The two newest: what PostgreSQL says before its log is open goes to start.log.
    let mut lines = Vec::new();
    for (_, path) in files.iter().rev().take(2).rev() {
        let text = std::fs::read(path).unwrap_or_default();
        lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    indent(&lines[lines.len().saturating_sub(LINES_MAX)..])
}

/// Each line on a line of its own, indented.
pub(super) fn indent<T: AsRef<str>>(lines: &[T]) -> String {
    lines.iter().map(|line| format!("\n  {}", line.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_stays_one_string() {
        assert_eq!(literal(Path::new("/a'b")), "'/a''b'");
    }
}
