//! What the SQL migrations of one service build: tables, columns, foreign keys, and the tables their statements name.
//!
//! Read by an error-tolerant parser; the database stays the judge. What could not be read is marked unknown, and rules conclude nothing from it.

mod columns;
mod follow;
mod lex;
mod limits;
mod names;
mod read;
mod tables;
mod uses;

pub(crate) use names::SqlName;
pub(crate) use read::read_all;
pub(crate) use tables::{ForeignKey, Schema, SqlColumn, SqlPlace, SqlTable, TableRole, TableUse};
