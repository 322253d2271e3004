//! What the SQL migrations of one service build: tables, columns, foreign keys, views, functions, and the tables their statements name.
//!
//! Read by an error-tolerant parser; the database stays the judge. What could not be read is marked unknown, and rules conclude nothing from it.

mod columns;
mod follow;
mod functions;
mod lex;
mod limits;
mod names;
mod read;
mod tables;
mod uses;
mod views;

pub(crate) use functions::{Caller, SqlFunction};
pub(crate) use names::SqlName;
pub(crate) use read::read_all;
pub(crate) use tables::{ForeignKey, Schema, SqlColumn, SqlPlace, SqlTable, TableRole, TableUse};
pub(crate) use views::{Rights, SqlView, ViewSort};
