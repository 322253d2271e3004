//! The order of rows, and the places in it that pages begin at.
//!
//! A page goes on after a row, not after a number of rows: what is written in between moves nothing. The place is the
//! values of everything that is sorted by, the key last, so that no two rows share one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::filter::push_place;
use super::plan::{Child, Node, Place, not_embedded, place};
use super::problem::Problem;
use super::query::{Direction, Nulls, Sort};
use super::select;
use super::sql::{Param, Statement};
use super::table::Arity;

/// Appends ` order by …`, as it was asked for.
///
/// # Errors
/// A 400 for an unknown column, or a relation that is not embedded.
pub(super) fn push_order(sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
    for (at, sort) in node.rows.order.iter().enumerate() {
        sql.push(if at == 0 { " order by " } else { ", " });
        push_sorted(sql, node, sort)?;
        if sort.direction == Direction::Descending {
            sql.push(" desc");
        }
        match sort.nulls {
            None => {}
            Some(Nulls::First) => drop(sql.push(" nulls first")),
            Some(Nulls::Last) => drop(sql.push(" nulls last")),
        }
    }
    Ok(())
}

/// Appends what is sorted by.
fn push_sorted(sql: &mut Statement, node: &Node<'_>, sort: &Sort) -> Result<(), Problem> {
    let Some(relation) = &sort.relation else {
        push_place(sql, &node.alias, place(node.table, &sort.field)?);
        return Ok(());
    };
    let child = related(node, relation)?;
    let by = place(child.node.table, &sort.field)?;
    if node.is_grouped() && select::push_spread(sql, child, by) {
        return Ok(());
    }
    sql.push("(select ");
    push_place(sql, &child.node.alias, place(child.node.table, &sort.field)?);
    sql.push(" from ");
    select::push_of_parent(sql, node, child)?;
    sql.push(")");
    Ok(())
}

fn related<'n>(node: &'n Node<'_>, relation: &str) -> Result<&'n Child<'n>, Problem> {
    let child = node.child(relation).ok_or_else(|| not_embedded(relation))?;
    if child.relationship.arity == Arity::Many {
        let message = format!("A related order on '{relation}' is not possible");
        return Err(Problem::new(
            axum::http::StatusCode::BAD_REQUEST,
            "related-order",
            "PGRST118",
            message,
        )
        .with_details(format!(
            "'{}' and '{relation}' do not form a many-to-one or one-to-one relationship",
            node.table.shape.name
        )));
    }
    Ok(child)
}

/// An order in which no two rows are equal.
#[derive(Debug)]
pub(super) struct Total<'n> {
    terms: Vec<Term<'n>>,
}

#[derive(Debug)]
struct Term<'n> {
    by: By<'n>,
    direction: Direction,
    nulls: Nulls,
    /// Whether null never occurs.
    not_null: bool,
}

#[derive(Debug)]
enum By<'n> {
    Asked(&'n Sort, Place<'n>),
    Key(Place<'n>),
}

impl<'n> Total<'n> {
    /// The order that was asked for, with the key to break ties; none where the table has no key.
    ///
    /// # Errors
    /// A 400 for an unknown column, or a relation that is not embedded.
    pub(super) fn of(node: &'n Node<'n>) -> Result<Option<Self>, Problem> {
        let table = node.table;
        if table.shape.key.is_empty() || node.is_grouped() {
            return Ok(None);
        }
        let mut terms = Vec::new();
        for sort in &node.rows.order {
            let of = match &sort.relation {
                None => table,
                Some(relation) => related(node, relation)?.node.table,
            };
            let by = place(of, &sort.field)?;
            terms.push(Term {
                by: By::Asked(sort, by),
                direction: sort.direction,
                nulls: sort.nulls.unwrap_or(match sort.direction {
                    Direction::Ascending => Nulls::Last,
                    Direction::Descending => Nulls::First,
                }),
                not_null: sort.relation.is_none() && by.path.is_empty() && by.column.not_null,
            });
        }
        for name in &table.shape.key {
            let asked = |s: &&Sort| s.relation.is_none() && s.field.path.is_empty() && s.field.column == *name;
            if node.rows.order.iter().any(|s| asked(&s)) {
                continue;
            }
            if let Some(column) = table.shape.column(name) {
                terms.push(Term {
                    by: By::Key(Place { column, path: &[] }),
                    direction: Direction::Ascending,
                    nulls: Nulls::Last,
                    not_null: column.not_null,
                });
            }
        }
        Ok(Some(Self { terms }))
    }

    /// Appends ` order by …`.
    pub(super) fn push(&self, sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
        for (at, term) in self.terms.iter().enumerate() {
            sql.push(if at == 0 { " order by " } else { ", " });
            term.push(sql, node)?;
            match (term.direction, term.nulls) {
                (Direction::Ascending, Nulls::Last) => {}
                (Direction::Ascending, Nulls::First) => drop(sql.push(" nulls first")),
                (Direction::Descending, Nulls::First) => drop(sql.push(" desc")),
                (Direction::Descending, Nulls::Last) => drop(sql.push(" desc nulls last")),
            }
        }
        Ok(())
    }

    /// Appends `, …::text` for each value that makes a row's place.
    pub(super) fn push_place(&self, sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
        for term in &self.terms {
            sql.push(", (");
            term.push(sql, node)?;
            sql.push(")::text");
        }
        Ok(())
    }

    /// How many values make a row's place.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The text of a row's place, which tells the order it belongs to.
    pub(super) fn token(&self, values: &[Option<String>]) -> String {
        let json = serde_json::json!([self.signature(), values]);
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    /// Reads the text of a place.
    ///
    /// # Errors
    /// A 400 when it is none, or one of another order.
    pub(super) fn read(&self, token: &str) -> Result<Vec<Option<String>>, Problem> {
        let refused = || {
            Problem::grammar("`after` is no place in this list")
                .with_hint("follow the Link of a page as it came, with the same order")
        };
        let json = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (signature, values): (String, Vec<Option<String>>) =
            serde_json::from_slice(&json).map_err(|_| refused())?;
        let clean = |v: &Option<String>| v.as_ref().is_none_or(|v| !v.contains('\0'));
        if signature != self.signature() || values.len() != self.terms.len() || !values.iter().all(clean) {
            return Err(refused());
        }
        Ok(values)
    }

    fn signature(&self) -> String {
        let mut hash = Sha256::new();
        for term in &self.terms {
            let (by, relation) = match &term.by {
                By::Asked(sort, by) => (by, sort.relation.as_deref()),
                By::Key(by) => (by, None),
            };
            hash.update(format!(
                "{relation:?} {} {:?} {:?} {:?};",
                by.column.name, by.path, term.direction, term.nulls
            ));
        }
        hex::encode(hash.finalize().get(..6).unwrap_or_default())
    }

    /// Appends the condition that a row comes after a place.
    ///
    /// `a > $1 or (a = $1 and (b < $2 or …))`, nulls in their place; the first term stands once more before it, where
    /// an index can use it.
    pub(super) fn push_after(
        &self,
        sql: &mut Statement,
        node: &Node<'_>,
        values: &[Option<String>],
    ) -> Result<(), Problem> {
        if let (Some(first), Some(Some(value))) = (self.terms.first(), values.first())
            && (first.not_null || first.nulls == Nulls::First)
            && self.terms.len() > 1
        {
            first.push(sql, node)?;
            sql.push(match first.direction {
                Direction::Ascending => " >= ",
                Direction::Descending => " <= ",
            });
            first.push_value(sql, value);
            sql.push(" and ");
        }
        for (at, (term, value)) in self.terms.iter().zip(values).enumerate() {
            let last = at + 1 == self.terms.len();
            sql.push("(");
            term.push_beyond(sql, node, value.as_deref())?;
            if !last {
                sql.push(" or (");
                term.push(sql, node)?;
                match value {
                    Some(value) => {
                        sql.push(" = ");
                        term.push_value(sql, value);
                    }
                    None => drop(sql.push(" is null")),
                }
                sql.push(" and ");
            }
        }
        for at in 0..self.terms.len() {
            sql.push(if at == 0 { ")" } else { "))" });
        }
        Ok(())
    }
}

impl Term<'_> {
    fn push(&self, sql: &mut Statement, node: &Node<'_>) -> Result<(), Problem> {
        match &self.by {
            By::Asked(sort, _) => push_sorted(sql, node, sort),
            By::Key(by) => {
                push_place(sql, &node.alias, *by);
                Ok(())
            }
        }
    }

    fn push_value(&self, sql: &mut Statement, value: &str) {
        let (By::Asked(_, by) | By::Key(by)) = &self.by;
        if by.is_text() {
            sql.param(Param::Text(value.to_owned()));
            return;
        }
        sql.param(Param::Value(value.to_owned())).push("::");
        sql.push(if by.path.is_empty() { &by.column.cast } else { "jsonb" });
    }

    /// Appends that a row's value comes after this one.
    fn push_beyond(&self, sql: &mut Statement, node: &Node<'_>, value: Option<&str>) -> Result<(), Problem> {
        match (value, self.nulls) {
            // Nulls are the last of all: nothing comes after one.
            (None, Nulls::Last) => drop(sql.push("false")),
            (None, Nulls::First) => {
                self.push(sql, node)?;
                sql.push(" is not null");
            }
            (Some(value), nulls) => {
                self.push(sql, node)?;
                sql.push(match self.direction {
                    Direction::Ascending => " > ",
                    Direction::Descending => " < ",
                });
                self.push_value(sql, value);
                if nulls == Nulls::Last && !self.not_null {
                    sql.push(" or ");
                    self.push(sql, node)?;
                    sql.push(" is null");
                }
            }
        }
        Ok(())
    }
}
