//! SQL in the making: text and parameters.
//!
//! Names come from the catalog, values are parameters; nothing of a request becomes SQL text, whole numbers, quoted names of
//! outputs and quoted keys of JSON excepted. Values go as texts that the
//! server's own input functions read.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::table::Served;
use crate::pg::catalog::Column;
use crate::pg::ident;

/// A statement and its parameters.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) params: Vec<Param>,
}

/// One parameter.
#[derive(Debug, Clone)]
pub(super) enum Param {
    Text(String),
    /// A text that the input function of the type reads whose cast follows: before the statement runs, so that what the
    /// type does not take is refused whether or not a row would be compared with it.
    Value(String),
    /// An array of such.
    Values(Vec<String>),
    /// JSON in UTF-8 that was checked where it came in.
    Body(Bytes),
    Texts(Vec<String>),
    Versions(Vec<i64>),
}

impl Param {
    /// The type its `$n` stands with.
    pub(super) fn sql_type(&self) -> Type {
        match self {
            Self::Text(_) => Type::TEXT,
            // The server finds the type by the cast.
            Self::Value(_) | Self::Values(_) | Self::Body(_) => Type::UNKNOWN,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Versions(_) => Type::INT8_ARRAY,
        }
    }
}

impl ToSql for Param {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(ty, out),
            Self::Value(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            Self::Values(values) => {
                push_array(out, values);
                Ok(IsNull::No)
            }
            Self::Body(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            Self::Texts(texts) => texts.to_sql(ty, out),
            Self::Versions(versions) => versions.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Self::Value(_) | Self::Values(_) | Self::Body(_) => Format::Text,
            Self::Text(_) | Self::Texts(_) | Self::Versions(_) => Format::Binary,
        }
    }

    to_sql_checked!();
}

/// Writes the literal of an array: `{"a","b"}`.
fn push_array(out: &mut BytesMut, values: &[String]) {
    out.extend_from_slice(b"{");
    for (place, value) in values.iter().enumerate() {
        out.extend_from_slice(if place > 0 { b",\"" } else { b"\"" });
        for byte in value.bytes() {
            if matches!(byte, b'"' | b'\\') {
                out.extend_from_slice(b"\\");
            }
            out.extend_from_slice(&[byte]);
        }
        out.extend_from_slice(b"\"");
    }
    out.extend_from_slice(b"}");
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

    /// Puts text in front.
    pub(super) fn wrap(&mut self, text: &str) {
        self.sql.insert_str(0, text);
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

    /// Appends `"a" = excluded."a", …`.
    pub(super) fn excluded<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> &mut Self {
        for (place, column) in columns.enumerate() {
            if place > 0 {
                self.sql.push_str(", ");
            }
            self.name(&column.name).push(" = ").column("excluded", &column.name);
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

    /// Appends a parameter: `$3::text`, or `$3` where the caller casts it.
    pub(super) fn param(&mut self, param: Param) -> &mut Self {
        let cast = match &param {
            Param::Value(_) | Param::Values(_) => "",
            Param::Body(_) => "::json",
            Param::Text(_) => "::text",
            Param::Texts(_) => "::text[]",
            Param::Versions(_) => "::int8[]",
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

/// Appends the version of `alias`'s row, or a null in its place.
pub(super) fn push_version(statement: &mut Statement, table: &Served, alias: &str) {
    if table.keeps_version() {
        statement.column(alias, "version");
    } else {
        statement.push("null::int8");
    }
}
