//! Lists with commas between their entries.

use super::{Direction, Nulls, Sort};
use crate::entity::limits::COLUMNS_MAX;
use crate::entity::problem::Problem;

pub(super) fn names(part: &str, value: &str) -> Result<Vec<String>, Problem> {
    let mut columns = Vec::new();
    for item in split(value)? {
        if item == "*" {
            if value.trim() != "*" {
                return Err(unsupported_name(part, &item));
            }
            return Ok(Vec::new());
        }
        if item.contains(['(', ')', ':', '!']) || item.contains("->") {
            return Err(unsupported_name(part, &item));
        }
        if columns.contains(&item) {
            return Err(Problem::grammar(format!("`{part}` names `{item}` twice")));
        }
        if columns.len() == COLUMNS_MAX {
            return Err(Problem::grammar(format!(
                "`{part}` names more than {COLUMNS_MAX} columns"
            )));
        }
        columns.push(item);
    }
    Ok(columns)
}

fn unsupported_name(part: &str, item: &str) -> Problem {
    Problem::grammar(format!("`{part}` does not support `{item}` yet")).with_hint(
        "list columns with commas between them: select=id,name; no renames, casts, JSON paths or embedded tables",
    )
}

pub(super) fn order(value: &str) -> Result<Vec<Sort>, Problem> {
    let mut order: Vec<Sort> = Vec::new();
    for term in split(value)? {
        let mut parts = term.split('.');
        let column = parts.next().unwrap_or_default().to_owned();
        let mut sort = Sort {
            column,
            direction: Direction::Ascending,
            nulls: None,
        };
        let mut words = parts.peekable();
        match words.peek() {
            Some(&"asc") => drop(words.next()),
            Some(&"desc") => {
                sort.direction = Direction::Descending;
                words.next();
            }
            _ => {}
        }
        match words.next() {
            None => {}
            Some("nullsfirst") => sort.nulls = Some(Nulls::First),
            Some("nullslast") => sort.nulls = Some(Nulls::Last),
            Some(_) => return Err(bad_order(&term)),
        }
        if words.next().is_some() || sort.column.is_empty() {
            return Err(bad_order(&term));
        }
        if order.iter().any(|s| s.column == sort.column) {
            return Err(Problem::grammar(format!("`order` names `{}` twice", sort.column)));
        }
        if order.len() == COLUMNS_MAX {
            return Err(Problem::grammar(format!(
                "`order` names more than {COLUMNS_MAX} columns"
            )));
        }
        order.push(sort);
    }
    Ok(order)
}

fn bad_order(term: &str) -> Problem {
    Problem::grammar(format!("`order` does not understand `{term}`"))
        .with_hint("write column, column.asc or column.desc, then .nullsfirst or .nullslast")
}

/// Splits at commas; an entry in double quotes may contain them, and `\"` and `\\` inside it.
pub(super) fn split(text: &str) -> Result<Vec<String>, Problem> {
    let mut entries = Vec::new();
    if text.is_empty() {
        return Ok(entries);
    }
    let mut chars = text.chars().peekable();
    loop {
        let mut entry = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => entry.extend(chars.next()),
                    Some(c) => entry.push(c),
                    None => return Err(Problem::grammar("a quote is not closed")),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                entry.push(c);
            }
        }
        entries.push(entry);
        match chars.next() {
            None => return Ok(entries),
            Some(',') => {}
            Some(c) => {
                return Err(Problem::grammar(format!("`{c}` stands after a closing quote")));
            }
        }
    }
}
