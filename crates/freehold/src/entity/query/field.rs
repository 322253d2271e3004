//! Names, the paths of names that lead to embedded relations, and fields.

use super::scan::{Scan, shown};
use super::{Arrow, Field, Key, Step};
use crate::entity::problem::Problem;

/// Reads a name: letters, digits, `_`, `$`, `-` and blanks inside it, or anything in double quotes.
pub(super) fn name(scan: &mut Scan<'_>) -> Result<String, Problem> {
    scan.skip_blank();
    if scan.stands("\"") {
        let name = scan.quoted().ok_or_else(|| scan.expected("a closing quote"))?;
        scan.skip_blank();
        return Ok(name);
    }
    let before = scan.clone();
    let name = scan.take_while_next(|c, next| match c {
        '-' => !next.starts_with('>'),
        c => belongs_to_word(c),
    });
    match name.trim_end() {
        "" => Err(before.expected("a name").with_hint(
            "a name has letters, digits, `_`, `$` and `-`; one with other characters stands in double quotes",
        )),
        name => Ok(name.to_owned()),
    }
}

/// Reads a word without dashes, such as a type or a language.
pub(super) fn word(scan: &mut Scan<'_>, what: &str) -> Result<String, Problem> {
    let before = scan.clone();
    match scan.take_while(belongs_to_word).trim() {
        "" => Err(before.expected(what)),
        word => Ok(word.to_owned()),
    }
}

fn belongs_to_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | ' ')
}

/// Reads a field: a column, and the way into the JSON it holds.
pub(super) fn field(scan: &mut Scan<'_>) -> Result<Field, Problem> {
    let column = name(scan)?;
    let path = steps(scan)?;
    scan.skip_blank();
    Ok(Field { column, path })
}

/// Reads the key of a filter: the embedded relations that lead to it, and its field.
pub(super) fn key(text: &str) -> Result<(Vec<String>, Field), Problem> {
    let mut scan = Scan::new(text, text);
    let mut path = Vec::new();
    let mut column = name(&mut scan)?;
    while scan.eat(".") {
        path.push(std::mem::replace(&mut column, name(&mut scan)?));
    }
    let field = Field {
        column,
        path: steps(&mut scan)?,
    };
    scan.end("`=`")?;
    Ok((path, field))
}

/// Reads names with dots between them; `text` is what stands before the last dot of the key `part`.
pub(super) fn path<'t>(part: &'t str, text: &'t str) -> Result<Vec<String>, Problem> {
    let mut scan = Scan::new(part, text);
    let mut path = vec![name(&mut scan)?];
    while scan.eat(".") {
        path.push(name(&mut scan)?);
    }
    scan.end("a dot")?;
    Ok(path)
}

/// Reads the way into JSON: any number of `->key` and one `->>key` at the end.
pub(super) fn steps(scan: &mut Scan<'_>) -> Result<Vec<Step>, Problem> {
    let mut steps = Vec::new();
    loop {
        let arrow = if scan.eat("->>") {
            Arrow::Text
        } else if scan.eat("->") {
            Arrow::Json
        } else {
            return Ok(steps);
        };
        steps.push(Step {
            arrow,
            key: step_key(scan)?,
        });
        if arrow == Arrow::Text {
            if scan.stands("->") {
                return Err(scan
                    .expected("the end of the path after `->>`, which gives text")
                    .with_hint("write `->` for every step but the last"));
            }
            return Ok(steps);
        }
    }
}

fn step_key(scan: &mut Scan<'_>) -> Result<Key, Problem> {
    if scan.stands("\"") {
        return scan
            .quoted()
            .map(Key::Name)
            .ok_or_else(|| scan.expected("a closing quote"));
    }
    let before = scan.clone();
    let text = scan.take_while_next(|c, next| match c {
        '-' => !next.starts_with('>'),
        c => !matches!(c, '(' | ')' | ':' | '.' | ',' | '>'),
    });
    let text = text.trim_matches(' ');
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let message = || {
            let part = shown(scan.part());
            Problem::grammar(format!(
                "`{}` in `{part}` is too large for a place in an array",
                shown(text)
            ))
            .with_hint("a key of an object that looks like a number stands in double quotes")
        };
        return text.parse().map(Key::Index).map_err(|_| message());
    }
    if digits.len() < text.len() || text.is_empty() {
        return Err(before
            .expected("a key or a place in an array")
            .with_hint("a key with other characters than letters, digits and `_` is best put in double quotes"));
    }
    Ok(Key::Name(text.to_owned()))
}
