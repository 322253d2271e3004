//! Lines and tables on standard output, for people: aligned, coloured on terminals, safe to look at.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};

pub(in crate::cli) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(in crate::cli) const QUIET: Style = Style::new().dimmed();
pub(in crate::cli) const PLAIN: Style = Style::new();

/// Whether somebody still reads what we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reader {
    There,
    /// It has seen enough (`| head`).
    Gone,
}

/// Writes painted text to standard output; colours are dropped where that is no terminal.
pub(in crate::cli) fn print(text: &str) -> io::Result<Reader> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}

/// Text that came from elsewhere, without what would move a terminal's cursor.
pub(in crate::cli) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return text.into();
    }
    let shown = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => " ".to_owned(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    });
    shown.collect::<String>().into()
}

/// A table: a line of headings, then one line per row, in the row's colour. Headings that begin with `#` are of numbers.
pub(in crate::cli) fn table(headings: &[&str], rows: Vec<(Style, Vec<String>)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings.iter().map(|heading| heading.trim_start_matches('#')));
    let mut styles = vec![QUIET];
    for (style, cells) in rows {
        table.add_row(cells.iter().map(|cell| plain(cell).into_owned()));
        styles.push(style);
    }
    for (place, _) in headings.iter().enumerate().filter(|(_, h)| h.starts_with('#')) {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().zip(styles).map(|(line, style)| {
        let line = line.strip_prefix(' ').unwrap_or(&line).trim_end();
        format!("{style}{line}{style:#}\n")
    });
    lines.collect()
}

/// A time that has passed or is to pass: `25s`, `14m`, `5h`, `3d`.
pub(in crate::cli) fn span(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    let seconds = seconds.max(0.0);
    let (value, unit) = match seconds {
        s if s < 2.0 * MINUTE => (s, "s"),
        s if s < 2.0 * HOUR => (s / MINUTE, "m"),
        s if s < 2.0 * DAY => (s / HOUR, "h"),
        s => (s / DAY, "d"),
    };
    format!("{value:.0}{unit}", value = value.floor())
}

/// When something is due: `in 25s`, or `now`.
pub(in crate::cli) fn due(in_seconds: f64) -> String {
    match in_seconds > 0.0 {
        true => format!("in {}", span(in_seconds)),
        false => "now".to_owned(),
    }
}

/// Reads a duration: `500ms`, `30s`, `5m`, `2h`, `1d`.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration like 500ms, 30s, 5m, 2h or 1d");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(ms).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "5", "m", "-5s", "5 s", "5w", "99999999999999999999d", "5é"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_has_one_unit() {
        for (seconds, text) in [
            (-1.0, "0s"),
            (119.9, "119s"),
            (120.0, "2m"),
            (7_200.0, "2h"),
            (172_800.0, "2d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn what_would_move_the_cursor_is_written_out() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb c");
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_their_text() {
        let rows = vec![
            (PLAIN, vec!["1".to_owned(), "ä".to_owned(), String::new()]),
            (PLAIN, vec!["1000".to_owned(), "bcd".to_owned(), "x".to_owned()]),
        ];
        let text = anstream::adapter::strip_str(&table(&["#n", "word", "more"], rows)).to_string();
        assert_eq!(text, "   n  word  more\n   1  ä\n1000  bcd   x\n");
    }
}
