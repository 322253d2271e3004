//! What every side is asked for, and of which rows.

use anyhow::Result;
use tokio_postgres::Client;

/// Rows to read from.
pub(super) const ROWS: usize = 1_000_000;

/// What the rows refer to; each has [`ROWS`] / `MAKERS` of them.
pub(super) const MAKERS: usize = 10_000;

/// Rows that are read by key, spread over all.
pub(super) const READ: usize = 20_000;

/// From one row that is read to the next.
pub(super) const STEP: usize = ROWS / READ;

/// Connections of the load generator, and clients of pgbench.
pub(super) const CONNECTIONS: usize = 32;

/// Rows that each connection changes in turn, none another's.
pub(super) const OWN: usize = 100;

/// The number of the first row that is changed: behind those that are read.
pub(super) const OWN_FIRST: usize = 2 * ROWS;

/// Rows of a list.
pub(super) const LIMIT: usize = 50;

/// What a side is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// One row by its key, all of its columns.
    Key,
    /// The first 50 things of one maker, three columns of each, and the maker's name in each.
    List,
    /// Two columns of a row changed, if its version is the one that is known.
    Patch,
    /// One new row in a table.
    Post(Table),
}

/// Where a row is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Private,
    Published,
}

impl Asked {
    pub(super) const ALL: [Self; 5] = [
        Self::Key,
        Self::List,
        Self::Patch,
        Self::Post(Table::Private),
        Self::Post(Table::Published),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Key => "GET by key",
            Self::List => "GET of a list, one embed",
            Self::Patch => "PATCH with guard",
            Self::Post(Table::Private) => "POST, private table",
            Self::Post(Table::Published) => "POST, published table",
        }
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Post(Table::Published) => "things",
            Self::Key | Self::List | Self::Patch | Self::Post(Table::Private) => "quiet_things",
        }
    }
}

/// Keys of the rows that are asked for: row `n` has `md5(n)` as its key.
pub(super) struct Keys {
    /// Of the rows `STEP`, 2 × `STEP`, …
    pub(super) read: Vec<String>,
    /// Of the rows that are changed, those of a connection together.
    pub(super) own: Vec<String>,
}

impl Keys {
    pub(super) async fn read(admin: &Client) -> Result<Self> {
        let (read, own) = (STEP * READ, OWN_FIRST + CONNECTIONS * OWN - 1);
        Ok(Self {
            read: keys(admin, &format!("generate_series({STEP}, {read}, {STEP})")).await?,
            own: keys(admin, &format!("generate_series({OWN_FIRST}, {own})")).await?,
        })
    }
}

async fn keys(admin: &Client, series: &str) -> Result<Vec<String>> {
    let statement = format!("select md5(n::text)::uuid::text from {series} n order by n");
    let rows = admin.query(&statement, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A script of pgbench: its variables, and what is done with them.
pub(super) struct Script {
    /// `\set` lines.
    pub(super) variables: String,
    /// Statements before the main one, each a line.
    pub(super) before: String,
    /// One statement.
    pub(super) main: String,
    pub(super) after: String,
}

impl Script {
    pub(super) fn text(&self) -> String {
        let Self {
            variables,
            before,
            main,
            after,
        } = self;
        format!("{variables}{before}{main};\n{after}")
    }

    /// The main statement with the value of a variable in its place.
    pub(super) fn main_of(&self, name: &str, value: usize) -> String {
        self.main.replace(&format!(":{name}"), &value.to_string())
    }
}

/// The variables of a script: what it asks for, in the terms of the load generator.
pub(super) fn variables(asked: Asked) -> String {
    match asked {
        Asked::Key => format!("\\set key random(1, {READ}) * {STEP}\n"),
        Asked::List => format!("\\set maker random(1, {MAKERS})\n"),
        Asked::Patch => format!(
            "\\set own {OWN_FIRST} + :client_id * {OWN} + :turn % {OWN}\n\
             \\set version 1 + :turn / {OWN}\n\
             \\set turn :turn + 1\n"
        ),
        Asked::Post(_) => format!("\\set maker random(1, {MAKERS})\n"),
    }
}
