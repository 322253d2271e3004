//! The parts of a query string.

use std::collections::{BTreeMap, HashSet};

use freehold_manifest::model::Limits;

use super::allowance::Allowance;
use super::scan::{Scan, shown};
use super::test::{self, Ends};
use super::{Clause, Filter, Logic, Query, Rows, Sense, field, order, select, tree};
use crate::entity::percent;
use crate::entity::problem::Problem;

/// Reads a query string, percent-encoded as it came.
///
/// `arguments` are the names that are arguments of the function being called; parts of these names become
/// [`Query::arguments`], unless the name means something of its own (`select`, `limit`, …).
///
/// # Errors
/// A 400 that names the part that was not understood and what would have been, or the limit that is exceeded (in its
/// member `limit`).
pub fn parse(text: &str, limits: &Limits, arguments: &[&str]) -> Result<Query, Problem> {
    let mut reading = Reading::new(limits);
    let decode = |text| percent::decode(text).map_err(|why| Problem::grammar(format!("the URL {why}")));
    for (name, value) in percent::pairs(text) {
        let (name, value) = (decode(name)?, decode(value)?);
        match role(&name, arguments) {
            Role::Alone(word) => reading.alone(word, &value)?,
            Role::Argument => reading.query.arguments.push((name.into_owned(), value.into_owned())),
            Role::Order(path) => reading.order(&name, path, &value)?,
            Role::Limit(path) => reading.limit(&name, path, &value)?,
            Role::Offset(path) => reading.offset(&name, path, &value)?,
            Role::Tree(path, how) => reading.tree(&name, path, how, &value)?,
            Role::Filter => reading.filter(&name, &value)?,
        }
    }
    reading.query.nested = reading.nested.into_iter().collect();
    Ok(reading.query)
}

/// What a part is, by its name; the texts are the path before the last dot.
enum Role<'n> {
    Alone(Alone),
    Argument,
    Order(&'n str),
    Limit(&'n str),
    Offset(&'n str),
    Tree(&'n str, (Sense, Logic)),
    Filter,
}

/// A part that has no path before it.
#[derive(Clone, Copy)]
enum Alone {
    Select,
    Columns,
    OnConflict,
    After,
}

fn role<'n>(name: &'n str, arguments: &[&str]) -> Role<'n> {
    match name {
        "select" => return Role::Alone(Alone::Select),
        "columns" => return Role::Alone(Alone::Columns),
        "on_conflict" => return Role::Alone(Alone::OnConflict),
        "after" => return Role::Alone(Alone::After),
        "order" | "limit" | "offset" | "and" | "or" | "not.and" | "not.or" => {}
        _ if arguments.contains(&name) => return Role::Argument,
        _ => {}
    }
    let (path, word) = name.rsplit_once('.').unwrap_or(("", name));
    match word {
        "order" => Role::Order(path),
        "limit" => Role::Limit(path),
        "offset" => Role::Offset(path),
        "and" => tree_role(path, Logic::And),
        "or" => tree_role(path, Logic::Or),
        _ => Role::Filter,
    }
}

/// Finds `not`, which stands before `and` or `or`, or before the whole path.
fn tree_role(path: &str, logic: Logic) -> Role<'_> {
    let before = match path {
        "not" => Some(""),
        path => path.strip_suffix(".not").or_else(|| path.strip_prefix("not.")),
    };
    match before {
        Some(path) => Role::Tree(path, (Sense::Negated, logic)),
        None => Role::Tree(path, (Sense::Plain, logic)),
    }
}

/// A query that grows part by part.
struct Reading<'l> {
    query: Query,
    allowance: Allowance<'l>,
    /// Parts that may be given once, and were.
    given: HashSet<(&'static str, Vec<String>)>,
    nested: BTreeMap<Vec<String>, Rows>,
}

impl<'l> Reading<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            query: Query::default(),
            allowance: Allowance::new(limits),
            given: HashSet::new(),
            nested: BTreeMap::new(),
        }
    }

    fn alone(&mut self, part: Alone, value: &str) -> Result<(), Problem> {
        match part {
            Alone::Select => {
                self.once("select", &[])?;
                self.query.select = select::select(value, &mut self.allowance)?;
            }
            Alone::Columns => {
                self.once("columns", &[])?;
                self.query.columns = Some(order::names("columns", value)?).filter(|names| !names.is_empty());
            }
            Alone::OnConflict => {
                self.once("on_conflict", &[])?;
                self.query.on_conflict = Some(order::names("on_conflict", value)?).filter(|names| !names.is_empty());
            }
            Alone::After => {
                self.once("after", &[])?;
                self.query.after = Some(value.to_owned());
            }
        }
        Ok(())
    }

    fn order(&mut self, name: &str, path: &str, value: &str) -> Result<(), Problem> {
        let path = read_path(name, path)?;
        self.once("order", &path)?;
        self.rows(path)?.order = order::order(name, value)?;
        Ok(())
    }

    fn limit(&mut self, name: &str, path: &str, value: &str) -> Result<(), Problem> {
        let path = read_path(name, path)?;
        self.once("limit", &path)?;
        self.rows(path)?.limit = Some(parse_count(name, value)?);
        Ok(())
    }

    fn offset(&mut self, name: &str, path: &str, value: &str) -> Result<(), Problem> {
        let path = read_path(name, path)?;
        self.once("offset", &path)?;
        let offset = parse_count(name, value)?;
        self.allowance.offset(offset)?;
        self.rows(path)?.offset = offset;
        Ok(())
    }

    fn tree(&mut self, name: &str, path: &str, how: (Sense, Logic), value: &str) -> Result<(), Problem> {
        let path = read_path(name, path)?;
        let clause = tree::tree(name, value, how, &mut self.allowance)?;
        self.rows(path)?.filters.push(clause);
        Ok(())
    }

    fn filter(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if name.is_empty() {
            return Err(Problem::grammar("a part of the query string has no name before `=`"));
        }
        self.allowance.filter()?;
        let (path, field) = field::key(name)?;
        let mut scan = Scan::new(name, value);
        let (sense, test) = test::test(&mut scan, &field.column, Ends::WithText, &self.allowance)?;
        let filter = Filter { field, sense, test };
        self.rows(path)?.filters.push(Clause::Test(filter));
        Ok(())
    }

    /// Refuses a part that was given before.
    fn once(&mut self, word: &'static str, path: &[String]) -> Result<(), Problem> {
        if self.given.insert((word, path.to_owned())) {
            return Ok(());
        }
        let name = path
            .iter()
            .map(String::as_str)
            .chain([word])
            .collect::<Vec<_>>()
            .join(".");
        Err(Problem::grammar(format!("`{}` is given twice", shown(&name)))
            .with_hint("give it once, with a comma between entries"))
    }

    /// What is asked of the rows of the relation that the path leads to.
    fn rows(&mut self, path: Vec<String>) -> Result<&mut Rows, Problem> {
        if path.is_empty() {
            return Ok(&mut self.query.rows);
        }
        self.allowance.embed_depth(path.len() as u64)?;
        if !self.nested.contains_key(&path) {
            self.allowance.paths(self.nested.len() + 1)?;
        }
        Ok(self.nested.entry(path).or_default())
    }
}

fn read_path(name: &str, path: &str) -> Result<Vec<String>, Problem> {
    match path {
        "" if name.starts_with('.') => Err(Scan::new(name, name).expected("a name")),
        "" => Ok(Vec::new()),
        path => field::path(name, path),
    }
}

fn parse_count(name: &str, value: &str) -> Result<u64, Problem> {
    value
        .parse::<u64>()
        .ok()
        .filter(|n| i64::try_from(*n).is_ok() && !value.starts_with('+'))
        .ok_or_else(|| {
            let (name, value) = (shown(name), shown(value));
            Problem::grammar(format!("`{name}` must be a whole number, not `{value}`"))
        })
}

#[cfg(test)]
mod tests;
