//! How the command speaks: colour only on terminals, an error with its causes and remedy.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// A line on standard error. If nobody reads it any more (`2>&1 | head`), the command goes on without.
macro_rules! say {
    ($($line:tt)*) => {{
        let _ = writeln!(anstream::stderr(), $($line)*);
    }};
}

/// The command's result, on standard output. A reader that has seen enough (`| head`) is no error.
pub(super) fn result(text: impl Display) -> io::Result<()> {
    let mut text = text.to_string();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Text that is painted already.
pub(super) fn text(what: impl Display) {
    say!("{what}");
}

/// An error with what it came from, each cause on a line.
pub(super) fn error(error: &anyhow::Error) {
    say!("{BAD}error{BAD:#}: {error}");
    let mut told = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their source in their own words; the driver's "db error" announces the server's.
        let words = cause.trim_start_matches("FATAL: ").trim_start_matches("ERROR: ");
        if words != "db error" && !told.contains(words) {
            say!("  because {words}");
            told = cause;
        }
    }
}

/// A step that is done.
pub(super) fn done(what: &str) {
    say!("{GOOD}✓{GOOD:#} {what}");
}

/// Something to know.
pub(super) fn note(what: &str) {
    say!("{QUIET}· {what}{QUIET:#}");
}

/// Something wrong that does not end the command.
pub(super) fn trouble(what: &str) {
    say!("{BAD}✗{BAD:#} {what}");
}
