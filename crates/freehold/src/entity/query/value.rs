//! Values: one, a list in parentheses, an array in braces.

use super::scan::{Scan, shown};
use super::test::Ends;
use crate::entity::problem::Problem;

/// Reads one value.
///
/// In a tree it is quoted, or an array in braces, or whatever stands before the next comma or parenthesis. A quote that
/// is not closed there is part of the value.
pub(super) fn one(scan: &mut Scan<'_>, ends: Ends) -> String {
    match ends {
        Ends::WithText => scan.take_rest().to_owned(),
        Ends::InTree => quoted(scan)
            .or_else(|| braces(scan))
            .unwrap_or_else(|| plain(scan).to_owned()),
    }
}

/// Reads the list of `in`: `(1,"a,b",c)`; `()` and `("")` are empty, as clients write a list of nothing.
pub(super) fn list(scan: &mut Scan<'_>, column: &str) -> Result<Vec<String>, Problem> {
    let bad = |what: &str| {
        let column = shown(column);
        Problem::grammar(format!("`in` on `{column}` {what}")).with_hint(format!("write {column}=in.(1,2,\"a,b\")"))
    };
    scan.skip_blank();
    if !scan.eat("(") {
        return Err(bad("needs a list in parentheses"));
    }
    scan.skip_blank();
    let mut values = Vec::new();
    loop {
        values.push(quoted(scan).unwrap_or_else(|| plain(scan).to_owned()));
        if scan.eat(")") {
            break;
        }
        if !scan.eat(",") {
            return Err(bad("has a list that is not closed"));
        }
    }
    scan.skip_blank();
    if values.iter().map(String::as_str).eq([""]) {
        values.clear();
    }
    Ok(values)
}

/// Reads a value in quotes that ends where a value ends; otherwise nothing.
fn quoted(scan: &mut Scan<'_>) -> Option<String> {
    let mut ahead = scan.clone();
    let value = ahead.quoted()?;
    if !(ahead.is_over() || ahead.stands(",") || ahead.stands(")")) {
        return None;
    }
    *scan = ahead;
    Some(value)
}

/// Reads an array literal without braces inside; otherwise nothing.
fn braces(scan: &mut Scan<'_>) -> Option<String> {
    let mut ahead = scan.clone();
    if !ahead.eat("{") {
        return None;
    }
    let inside = ahead.take_while(|c| !matches!(c, '{' | '}'));
    if !ahead.eat("}") {
        return None;
    }
    *scan = ahead;
    Some(format!("{{{inside}}}"))
}

fn plain<'t>(scan: &mut Scan<'t>) -> &'t str {
    scan.take_while(|c| !matches!(c, ',' | ')'))
}

/// Reads `{a,"b,c"}` as PostgreSQL reads an array of one dimension.
pub(super) fn array(text: &str, operator: &str, column: &str) -> Result<Vec<String>, Problem> {
    let bad = |why: &str| {
        let column = shown(column);
        Problem::grammar(format!(
            "the list of `{operator}` on `{column}` is not understood: {why}"
        ))
        .with_hint(format!("write {column}={operator}(any).{{1,2,\"a,b\"}}"))
    };
    let inside = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let inside = inside.ok_or_else(|| bad("it needs braces"))?;
    let mut values = Vec::new();
    let mut scan = Scan::new(operator, inside);
    blank(&mut scan);
    if scan.is_over() {
        return Ok(values);
    }
    loop {
        blank(&mut scan);
        let value = if scan.stands("\"") {
            scan.quoted().ok_or_else(|| bad("a quote is not closed"))?
        } else {
            bare(&mut scan).map_err(bad)?
        };
        values.push(value);
        blank(&mut scan);
        if scan.is_over() {
            return Ok(values);
        }
        if !scan.eat(",") {
            return Err(bad("a comma is missing"));
        }
    }
}

fn blank(scan: &mut Scan<'_>) {
    scan.take_while(|c| c.is_ascii_whitespace());
}

/// Reads an element without quotes, in which `\` makes the next character an ordinary one.
fn bare(scan: &mut Scan<'_>) -> Result<String, &'static str> {
    let mut value = String::new();
    // Blanks at the end do not count, unless they are escaped.
    let mut length = 0;
    let mut escaped = false;
    loop {
        let plain = scan.take_while(|c| !matches!(c, ',' | '\\' | '"' | '{' | '}'));
        value.push_str(plain);
        length = length.max(value.trim_end().len());
        if !scan.eat("\\") {
            break;
        }
        escaped = true;
        let next = scan.take_char().ok_or("nothing follows a backslash")?;
        value.push(next);
        length = value.len();
    }
    value.truncate(length);
    if !(scan.is_over() || scan.stands(",")) {
        return Err("a value with braces or quotes stands in double quotes");
    }
    if value.is_empty() {
        return Err("an empty value stands in double quotes");
    }
    if !escaped && value.eq_ignore_ascii_case("null") {
        return Err("null is equal to nothing; the text stands in double quotes");
    }
    Ok(value)
}
