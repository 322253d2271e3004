//! How the command speaks: colour only on terminals, an error with its causes and remedy.

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// An error with what it came from, each cause on a line.
pub(super) fn error(error: &anyhow::Error) {
    anstream::eprintln!("{BAD}error{BAD:#}: {error}");
    let mut told = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their source in their own words.
        if !told.contains(&cause) {
            anstream::eprintln!("  because {cause}");
            told = cause;
        }
    }
}

/// A step that is done.
pub(super) fn done(what: &str) {
    anstream::eprintln!("{GOOD}✓{GOOD:#} {what}");
}

/// Something to know.
pub(super) fn note(what: &str) {
    anstream::eprintln!("{QUIET}· {what}{QUIET:#}");
}

/// Something wrong that does not end the command.
pub(super) fn trouble(what: &str) {
    anstream::eprintln!("{BAD}✗{BAD:#} {what}");
}
