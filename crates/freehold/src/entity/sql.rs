//! SQL in the making: text, parameters, and the clauses a query string turns into.
//!
//! Names come from the catalog, values are parameters; nothing of a request becomes SQL text, whole numbers of `limit`
//! excepted. Parameters are texts with casts (`$1::text::uuid`), so that the server's own input functions read them
//! and indexes are used.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use axum::http::StatusCode;

use super::problem::Problem;
use super::query::{Comparison, Direction, Filter, Nulls, Query, Sense, Sort, Test, Truth};
use super::table::Served;
use crate::pg::catalog::{Column, Kind};
use crate::pg::ident;

/// A statement and its parameters.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) params: Vec<Param>,
}

/// One parameter.
#[derive(Debug)]
pub(super) enum Param {
    Text(String),
    /// UTF-8 that was checked where it came in.
    Body(Bytes),
    Texts(Vec<String>),
    Versions(Vec<i64>),
    Number(i64),
}

impl Param {
    /// The type its `$n` stands with.
    pub(super) fn sql_type(&self) -> Type {
        match self {
            Self::Text(_) | Self::Body(_) => Type::TEXT,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Versions(_) => Type::INT8_ARRAY,
            Self::Number(_) => Type::INT8,
        }
    }
}

impl ToSql for Param {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(ty, out),
            Self::Body(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            Self::Texts(texts) => texts.to_sql(ty, out),
            Self::Versions(versions) => versions.to_sql(ty, out),
            Self::Number(number) => number.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::TEXT, Type::TEXT_ARRAY, Type::INT8, Type::INT8_ARRAY].contains(ty)
    }

    to_sql_checked!();
}

impl Statement {
    /// An empty statement with room for a usual one.
    pub(super) fn new() -> Self {
        Self {
            sql: String::with_capacity(512),
            params: Vec::with_capacity(4),
        }
    }

    /// Appends text.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    /// Appends a name, quoted.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        ident::push(&mut self.sql, name);
        self
    }

    /// Appends `alias."name"`.
    pub(super) fn column(&mut self, alias: &str, name: &str) -> &mut Self {
        self.sql.push_str(alias);
        self.sql.push('.');
        self.name(name)
    }

    /// Appends names of columns, each with its alias and commas between them.
    pub(super) fn columns<'c>(&mut self, alias: &str, columns: impl Iterator<Item = &'c Column>) -> &mut Self {
        for (place, column) in columns.enumerate() {
            if place > 0 {
                self.sql.push_str(", ");
            }
            self.column(alias, &column.name);
        }
        self
    }

    /// Appends bare names of columns with commas between them.
    pub(super) fn names<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> &mut Self {
        for (place, column) in columns.enumerate() {
            if place > 0 {
                self.sql.push_str(", ");
            }
            self.name(&column.name);
        }
        self
    }

    /// Appends `"name" type` for a list of column definitions.
    pub(super) fn definitions<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> &mut Self {
        for (place, column) in columns.enumerate() {
            if place > 0 {
                self.sql.push_str(", ");
            }
            self.name(&column.name).push(" ").push(&column.cast);
        }
        self
    }

    /// Appends a parameter with its type: `$3::text`.
    pub(super) fn param(&mut self, param: Param) -> &mut Self {
        let cast = match &param {
            Param::Text(_) | Param::Body(_) => "::text",
            Param::Texts(_) => "::text[]",
            Param::Versions(_) => "::int8[]",
            Param::Number(_) => "::int8",
        };
        self.params.push(param);
        self.sql.push('$');
        // Writing to a String cannot fail.
        let _ = write!(self.sql, "{}", self.params.len());
        self.push(cast)
    }

    /// Appends a whole number.
    pub(super) fn number(&mut self, number: impl std::fmt::Display) -> &mut Self {
        let _ = write!(self.sql, "{number}");
        self
    }
}

/// Code of "there is no such column" in a filter, as PostgreSQL itself would answer.
pub(super) const NO_COLUMN: &str = "42703";

/// Appends ` where …`; nothing when there are no filters.
///
/// # Errors
/// A 400 for an unknown column, or an operator that its type does not have.
pub(super) fn push_filters(statement: &mut Statement, table: &Served, filters: &[Filter]) -> Result<(), Problem> {
    for (place, filter) in filters.iter().enumerate() {
        statement.push(if place == 0 { " where " } else { " and " });
        let column = table.column(&filter.column, NO_COLUMN)?;
        match filter.sense {
            Sense::Plain => push_test(statement, column, &filter.test)?,
            Sense::Negated => {
                statement.push("not (");
                push_test(statement, column, &filter.test)?;
                statement.push(")");
            }
        }
    }
    Ok(())
}

fn push_test(statement: &mut Statement, column: &Column, test: &Test) -> Result<(), Problem> {
    statement.column("t", &column.name);
    match test {
        Test::Compare(Comparison::Like | Comparison::LikeAnyCase, _) if column.kind != Kind::Text => {
            return Err(wrong_type(column, "`like` works on text"));
        }
        Test::Compare(how, value) => {
            statement.push(operator(*how)).param(Param::Text(value.clone()));
            if column.cast != "text" && !matches!(how, Comparison::Like | Comparison::LikeAnyCase) {
                statement.push("::").push(&column.cast);
            }
        }
        Test::In(_) if column.kind == Kind::Array => {
            return Err(wrong_type(column, "`in` compares single values"));
        }
        Test::In(values) => {
            statement
                .push(" = any(")
                .param(Param::Texts(values.clone()))
                .push("::")
                .push(&column.cast)
                .push("[])");
        }
        Test::Is(Truth::Null) => drop(statement.push(" is null")),
        Test::Is(Truth::NotNull) => drop(statement.push(" is not null")),
        Test::Is(_) if column.kind != Kind::Boolean => {
            return Err(wrong_type(
                column,
                "`is.true`, `is.false` and `is.unknown` work on boolean",
            ));
        }
        Test::Is(Truth::True) => drop(statement.push(" is true")),
        Test::Is(Truth::False) => drop(statement.push(" is false")),
        Test::Is(Truth::Unknown) => drop(statement.push(" is unknown")),
    }
    Ok(())
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::Unequal => " <> ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Like => " like ",
        Comparison::LikeAnyCase => " ilike ",
    }
}

fn wrong_type(column: &Column, rule: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-query",
        "42883",
        format!("{rule}, and `{}` is {}", column.name, column.type_name),
    )
}

/// Appends ` order by …`.
///
/// # Errors
/// A 400 for an unknown column.
pub(super) fn push_order(statement: &mut Statement, table: &Served, order: &[Sort]) -> Result<(), Problem> {
    for (place, sort) in order.iter().enumerate() {
        let column = table.column(&sort.column, NO_COLUMN)?;
        statement
            .push(if place == 0 { " order by " } else { ", " })
            .column("t", &column.name);
        if sort.direction == Direction::Descending {
            statement.push(" desc");
        }
        match sort.nulls {
            None => {}
            Some(Nulls::First) => drop(statement.push(" nulls first")),
            Some(Nulls::Last) => drop(statement.push(" nulls last")),
        }
    }
    Ok(())
}

/// Appends the columns to answer with: `t."a", t."b"`.
///
/// # Errors
/// A 400 for an unknown column.
pub(super) fn push_select(statement: &mut Statement, table: &Served, query: &Query) -> Result<(), Problem> {
    let Some(names) = &query.select else {
        statement.push(&table.columns_sql);
        return Ok(());
    };
    for (place, name) in names.iter().enumerate() {
        let column = table.column(name, NO_COLUMN)?;
        if place > 0 {
            statement.push(", ");
        }
        statement.column("t", &column.name);
    }
    Ok(())
}

/// Appends the version of `alias`'s row, or a null in its place.
pub(super) fn push_version(statement: &mut Statement, table: &Served, alias: &str) {
    if table.keeps_version() {
        statement.column(alias, "version");
    } else {
        statement.push("null::int8");
    }
}

/// Whether the filters can be met by one row at most: each column of the primary key equals a value.
pub(super) fn pins_one(table: &Served, filters: &[Filter]) -> bool {
    let equals = |f: &&Filter| f.sense == Sense::Plain && matches!(f.test, Test::Compare(Comparison::Equal, _));
    let key = &table.shape.key;
    !key.is_empty()
        && key
            .iter()
            .all(|k| filters.iter().filter(equals).any(|f| &f.column == k))
}
