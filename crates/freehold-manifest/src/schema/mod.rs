//! What the SQL migrations of one service build: tables, columns, foreign keys, views, functions, and the tables their statements name.
//!
//! Read by an error-tolerant parser; the database stays the judge. What could not be read is marked unknown, and rules conclude nothing from it.

mod changes;
mod columns;
pub(crate) mod follow;
mod functions;
mod lex;
mod limits;
mod names;
mod policies;
mod read;
mod tables;
mod uses;
mod views;

pub(crate) use changes::{Change, ChangeSort};
pub(crate) use columns::{child, column_names, span, text, trimmed, type_text};
pub(crate) use functions::{Caller, SqlFunction};
pub(crate) use limits::refusal;
pub(crate) use names::{SqlName, fold, table_of};
pub(crate) use read::{Migrations, on_a_deep_stack, read_all};
pub(crate) use tables::{ForeignKey, RowSecurity, Schema, SqlColumn, SqlPlace, SqlTable, TableRole, TableUse};
pub(crate) use views::{Rights, SqlView, ViewSort};
