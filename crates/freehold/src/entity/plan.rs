//! From what was asked to what it means here: names become columns, relationships and outputs, or a refusal.

use axum::http::StatusCode;
use freehold_manifest::model::Limits;

use super::headers::Form;
use super::problem::Problem;
use super::query::{self, Aggregate, Arrow, Chosen, Embed, Field, Item, Key, Query, Rows, Shape};
use super::relate::{self, Relationship, Way};
use super::table::{Arity, NO_COLUMN, Served, Tables};
use super::types;
use crate::pg::catalog::Column;

/// One table in an answer, and what is shown of it.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) table: &'a Served,
    /// Its name in the statement.
    pub(super) alias: String,
    /// What is shown, in this order.
    pub(super) outputs: Vec<Output<'a>>,
    /// Which of its rows.
    pub(super) rows: &'a Rows,
    /// Rows that are answered at most.
    pub(super) most: u64,
    /// The form of the answer.
    pub(super) form: Form,
    /// The relations embedded in it.
    pub(super) children: Vec<Child<'a>>,
}

/// A relation embedded in another.
#[derive(Debug)]
pub(super) struct Child<'a> {
    pub(super) embed: &'a Embed,
    pub(super) relationship: Relationship<'a>,
    pub(super) node: Node<'a>,
}

/// One thing shown.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
    /// What is made of all rows' values, and the type its result is cast to.
    pub(super) aggregate: Option<(Aggregate, Option<String>)>,
}

/// What is shown.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A column, or a place in it, and the type it is cast to.
    Field(Place<'a>, Option<String>),
    /// The number of rows, and the type it is cast to.
    Count(Option<String>),
    /// The rows of a child.
    Nested(usize),
    /// One output of a spread child.
    Spread(usize, usize),
}

/// A column, or a place in the JSON it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) column: &'a Column,
    pub(super) path: &'a [query::Step],
}

impl Place<'_> {
    /// Whether a last `->>` makes it a text.
    pub(super) fn is_text(&self) -> bool {
        self.path.last().is_some_and(|step| step.arrow == Arrow::Text)
    }
}

impl Node<'_> {
    /// Whether rows are gathered into groups.
    pub(super) fn is_grouped(&self) -> bool {
        self.outputs.iter().any(|o| o.is_aggregated())
    }

    /// Whether which rows there are depends on who is asking.
    pub(super) fn is_guarded(&self) -> bool {
        let through = |child: &Child<'_>| matches!(&child.relationship.way, Way::Through { via, .. } if via.guarded);
        self.table.guarded || self.children.iter().any(|c| through(c) || c.node.is_guarded())
    }

    /// The child that a filter or an order names.
    pub(super) fn child(&self, name: &str) -> Option<&Child<'_>> {
        let by = |f: fn(&Child<'_>, &str) -> bool| self.children.iter().find(|c| f(c, name));
        by(|c, name| c.embed.name() == name).or_else(|| by(|c, name| c.embed.relation == name))
    }
}

impl Output<'_> {
    /// Whether it is one value of all rows of a group.
    pub(super) fn is_aggregated(&self) -> bool {
        self.aggregate.is_some() || matches!(self.value, Value::Count(_))
    }
}

/// What a place asks of a table: the column must be there, and shown.
///
/// # Errors
/// A 400 for an unknown or a hidden column.
pub(super) fn place<'a>(table: &'a Served, field: &'a Field) -> Result<Place<'a>, Problem> {
    Ok(Place {
        column: table.column(&field.column, NO_COLUMN)?,
        path: &field.path,
    })
}

static NO_ROWS: Rows = Rows {
    filters: Vec::new(),
    order: Vec::new(),
    limit: None,
    offset: 0,
};

/// Finds out what `query` means for `table`.
///
/// # Errors
/// A 400 (300 where several relationships fit) that names what is not there.
pub(super) fn plan<'a>(
    tables: &'a Tables,
    table: &'a Served,
    query: &'a Query,
    limits: &Limits,
    form: Form,
) -> Result<Node<'a>, Problem> {
    let mut planner = Planner {
        tables,
        most: limits.rows,
        nested: &query.nested,
        used: vec![false; query.nested.len()],
        next: 1,
    };
    static EVERYTHING: [Item; 1] = [Item::All];
    let items = if query.select.is_empty() {
        &EVERYTHING
    } else {
        query.select.as_slice()
    };
    let mut node = planner.node(table, "t".to_owned(), items, &query.rows, &mut Vec::new())?;
    node.form = form;
    if let Some(((path, _), _)) = query.nested.iter().zip(&planner.used).find(|(_, used)| !**used) {
        return Err(not_embedded(&path.join(".")));
    }
    Ok(node)
}

/// A filter, an order or a limit for a relation that is not in `select`.
pub(super) fn not_embedded(name: &str) -> Problem {
    let message = format!("'{name}' is not an embedded resource in this request");
    Problem::new(StatusCode::BAD_REQUEST, "not-embedded", "PGRST108", message).with_hint(format!(
        "Verify that '{name}' is included in the 'select' query parameter."
    ))
}

/// One embedded relation on the way to another.
#[derive(Clone, Copy)]
struct Step<'a> {
    embed: &'a Embed,
    /// Whether the relation's own name leads to it: unless another is answered under that.
    by_relation: bool,
}

impl Step<'_> {
    fn is_called(&self, name: &str) -> bool {
        self.embed.name() == name || (self.by_relation && self.embed.relation == name)
    }
}

struct Planner<'a> {
    tables: &'a Tables,
    most: u64,
    nested: &'a [(Vec<String>, Rows)],
    used: Vec<bool>,
    next: usize,
}

impl<'a> Planner<'a> {
    fn node(
        &mut self,
        table: &'a Served,
        alias: String,
        items: &'a [Item],
        rows: &'a Rows,
        path: &mut Vec<Step<'a>>,
    ) -> Result<Node<'a>, Problem> {
        let mut node = Node {
            table,
            alias,
            outputs: Vec::new(),
            rows,
            most: self.most,
            form: Form::Array,
            children: Vec::new(),
        };
        for item in items {
            match item {
                Item::All => {
                    for column in table.shown() {
                        let whole = Place { column, path: &[] };
                        node.show(&column.name, Value::Field(whole, None), None)?;
                    }
                }
                Item::Field(chosen) => self.field(&mut node, chosen)?,
                Item::Count { alias, cast } => {
                    let name = alias.as_deref().unwrap_or("count");
                    node.show(name, Value::Count(self.cast(cast.as_deref())?), None)?;
                }
                Item::Embed(embed) => {
                    let is_taken = |item: &Item| matches!(item, Item::Embed(other) if other.name() == embed.relation);
                    let step = Step {
                        embed,
                        by_relation: !items.iter().any(is_taken),
                    };
                    self.embed(&mut node, step, path)?;
                }
            }
        }
        Ok(node)
    }

    fn field(&mut self, node: &mut Node<'a>, chosen: &'a Chosen) -> Result<(), Problem> {
        let column = &chosen.field.column;
        // `count` was the form before there were aggregates, and is in use.
        if column == "count" && chosen.field.path.is_empty() && node.table.shape.column(column).is_none() {
            let name = chosen.alias.as_deref().unwrap_or(column);
            return node.show(name, Value::Count(self.cast(chosen.cast.as_deref())?), None);
        }
        let place = place(node.table, &chosen.field)?;
        let of_path = chosen.field.path.iter().rev().find_map(|step| match &step.key {
            Key::Name(name) => Some(name.as_str()),
            Key::Index(_) => None,
        });
        let own = of_path.unwrap_or(&chosen.field.column);
        let aggregate = match &chosen.aggregate {
            Some((aggregate, cast)) => Some((*aggregate, self.cast(cast.as_deref())?)),
            None => None,
        };
        let default = match &aggregate {
            Some((aggregate, _)) => aggregate.name(),
            None => own,
        };
        let name = chosen.alias.as_deref().unwrap_or(default);
        let value = Value::Field(place, self.cast(chosen.cast.as_deref())?);
        node.show(name, value, aggregate)
    }

    fn cast(&self, to: Option<&str>) -> Result<Option<String>, Problem> {
        to.map(|name| types::cast(self.tables, name)).transpose()
    }

    fn embed(&mut self, node: &mut Node<'a>, step: Step<'a>, path: &mut Vec<Step<'a>>) -> Result<(), Problem> {
        let embed = step.embed;
        let name = embed.alias.as_deref().unwrap_or(&embed.relation);
        if node.children.iter().any(|c| c.embed.name() == name) {
            return Err(Problem::grammar(format!("`{name}` is embedded twice"))
                .with_hint(format!("give one of them another name: other:{}(…)", embed.relation)));
        }
        let relationship = relate::find(self.tables, node.table, &embed.relation, embed.hint.as_deref())?;
        let alias = format!("t{}", self.next);
        self.next += 1;
        path.push(step);
        let rows = self.rows_at(path);
        let mut inner = self.node(relationship.to, alias, &embed.select, rows, path)?;
        path.pop();
        let place = node.children.len();
        match embed.shape {
            Shape::Nested if embed.select.is_empty() => {}
            Shape::Nested => node.show(name, Value::Nested(place), None)?,
            Shape::Spread => spread(node, place, &mut inner, relationship.arity)?,
        }
        node.children.push(Child {
            embed,
            relationship,
            node: inner,
        });
        Ok(())
    }

    fn rows_at(&mut self, path: &[Step<'a>]) -> &'a Rows {
        let fits = |names: &[String]| {
            names.len() == path.len() && names.iter().zip(path).all(|(name, step)| step.is_called(name))
        };
        let mut found = &NO_ROWS;
        for ((names, rows), used) in self.nested.iter().zip(&mut self.used) {
            if fits(names) && !*used {
                *used = true;
                found = rows;
                break;
            }
        }
        found
    }
}

/// Shows the outputs of a spread child among its parent's; what it aggregates, the parent aggregates.
fn spread<'a>(node: &mut Node<'a>, place: usize, inner: &mut Node<'a>, arity: Arity) -> Result<(), Problem> {
    if arity == Arity::Many && inner.is_grouped() {
        let message = format!(
            "aggregates of `{}` cannot be spread: it has many rows",
            inner.table.shape.name
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, "not-spread", "PGRST127", message)
            .with_hint("embed it without the three dots"));
    }
    for (at, output) in inner.outputs.iter_mut().enumerate() {
        let aggregate = output.aggregate.take();
        let value = match &mut output.value {
            Value::Count(cast) => Value::Count(cast.take()),
            Value::Field(..) | Value::Nested(_) | Value::Spread(..) => Value::Spread(place, at),
        };
        node.show(output.name, value, aggregate)?;
    }
    Ok(())
}

impl<'a> Node<'a> {
    fn show(
        &mut self,
        name: &'a str,
        value: Value<'a>,
        aggregate: Option<(Aggregate, Option<String>)>,
    ) -> Result<(), Problem> {
        if name.is_empty() {
            return Err(Problem::grammar("`select` answers something under an empty name")
                .with_hint("give it a name: name:doc->\"\""));
        }
        if let Some(known) = self.outputs.iter().find(|o| o.name == name) {
            let same = match (&known.value, &value) {
                (Value::Field(a, None), Value::Field(b, None)) => {
                    a.column.name == b.column.name
                        && a.path == b.path
                        && known.aggregate.is_none()
                        && aggregate.is_none()
                }
                _ => false,
            };
            if same {
                return Ok(());
            }
            return Err(
                Problem::grammar(format!("`select` answers two things under the name `{name}`"))
                    .with_hint("give one of them another name: other:name"),
            );
        }
        self.outputs.push(Output { name, value, aggregate });
        Ok(())
    }
}

impl Embed {
    /// The name it is answered under.
    pub(super) fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.relation)
    }
}

impl Aggregate {
    /// The function's name, in SQL as in the query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Average => "avg",
            Self::Count => "count",
            Self::Greatest => "max",
            Self::Least => "min",
            Self::Sum => "sum",
        }
    }
}
