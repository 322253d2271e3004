//! One served table: what the manifest says about it beside what the server says.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode};
use freehold_manifest::model::{History, Mode, Refresh, ServedTo, Service, Table, Unguarded, View};

use super::problem::{Problem, nearest};
use crate::pg::catalog::{Catalog, Column, ForeignKey, TableShape};
use crate::pg::ident;

/// Code of "there is no such column" in a query, as PostgreSQL itself would answer.
pub(super) const NO_COLUMN: &str = "42703";

/// A table this service owns and serves, or a view.
#[derive(Debug)]
pub(super) struct Served {
    /// What the server says.
    pub(super) shape: TableShape,
    /// What the manifest says.
    pub(super) entry: Table,
    /// Whether it can be written.
    pub(super) source: Source,
    /// `"schema"."table"`.
    pub(super) qualified: String,
    /// The tables written and shown with it.
    pub(super) children: Vec<Child>,
    /// Whether the service publishes anything: then a write tells its transaction.
    pub(super) speaks: bool,
    /// Whether which rows it has depends on who is asking.
    pub(super) guarded: bool,
}

/// Whose requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Those of everybody, with a token or without.
    Anybody,
    /// Those of whoever has a token; of all, where nobody is asked for one.
    SignedIn,
}

impl Audience {
    /// Whether something of this manifest is theirs to ask for.
    pub(super) fn includes(self, served: ServedTo) -> bool {
        match self {
            Self::Anybody => served == ServedTo::Anybody,
            Self::SignedIn => served != ServedTo::Nobody,
        }
    }
}

/// The served tables by name.
pub(super) type Tables = BTreeMap<String, Served>;

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// An owned table.
    Table,
    /// A view, a companion, or the rows of a function: they are read.
    Derived,
}

/// A table `within` another.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) table: String,
    pub(super) link: Link,
    pub(super) arity: Arity,
}

/// How a child's rows name their root.
#[derive(Debug)]
pub(super) enum Link {
    /// By this one foreign key.
    By(ForeignKey),
    /// No foreign key covers the root's primary key.
    Missing,
    /// More than one does.
    Ambiguous,
}

/// How many rows of a child a root has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// At most one: shown as an object.
    One,
    /// Any number: shown as an array.
    Many,
}

impl Served {
    /// The columns that are served, in the order of the table.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Column> {
        shown(&self.shape, &self.entry)
    }

    /// Whether at most one row can have given values in these columns.
    pub(super) fn is_unique(&self, columns: &[String]) -> bool {
        self.shape.is_unique(columns)
    }

    /// The column of that name.
    ///
    /// # Errors
    /// A 400 for a hidden column; a 400 with the nearest name for one that is not there.
    pub(super) fn column(&self, name: &str, code: &str) -> Result<&Column, Problem> {
        self.check_shown(name, code)?;
        let table = &self.shape.name;
        self.shape.column(name).ok_or_else(|| {
            let shown = || shown(&self.shape, &self.entry).map(|c| c.name.as_str());
            let problem = Problem::new(
                StatusCode::BAD_REQUEST,
                "unknown-column",
                code,
                format!("`{table}` has no column `{name}`"),
            );
            match nearest(name, shown()) {
                Some(known) => problem.with_hint(format!("perhaps `{known}` is meant")),
                None => problem.with_hint(format!("it has {}", listed(shown()))),
            }
        })
    }

    /// Refuses a hidden column.
    ///
    /// # Errors
    /// A 400 of the same code as for a column that is not there.
    pub(super) fn check_shown(&self, name: &str, code: &str) -> Result<(), Problem> {
        if !is_hidden(&self.entry, name) {
            return Ok(());
        }
        let message = format!("`{name}` of `{}` is not served", self.shape.name);
        Err(Problem::new(StatusCode::BAD_REQUEST, "hidden-column", code, message)
            .with_hint("the service keeps this column to itself")
            .with_member("column", name))
    }

    /// The source of a cached column that the library keeps fresh.
    pub(super) fn kept_by_library(&self, column: &str) -> Option<String> {
        self.entry
            .cached
            .iter()
            .find(|c| c.column == column && c.refresh == Refresh::OnChange)
            .map(|c| format!("{}.{}", c.reference, c.source))
    }

    /// Whether the library counts the changes of a row in `version`.
    pub(super) fn keeps_version(&self) -> bool {
        self.shape.has_version && self.entry.mode == Mode::ReadWrite && self.source == Source::Table
    }

    /// Whether `column` is the moment of the last change, which the library sets.
    pub(super) fn is_touch(&self, column: &str) -> bool {
        column == "updated_at" && self.keeps_version()
    }

    /// The methods it answers, for `Allow`.
    pub(super) fn allow(&self) -> HeaderValue {
        if self.source == Source::Derived {
            return HeaderValue::from_static("OPTIONS, GET, HEAD");
        }
        HeaderValue::from_static(match self.entry.mode {
            Mode::ReadWrite => "OPTIONS, GET, HEAD, POST, PATCH, PUT, DELETE",
            Mode::AppendOnly => "OPTIONS, GET, HEAD, POST",
            Mode::Projection => "OPTIONS, GET, HEAD",
        })
    }
}

/// Joins names for a sentence.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|n| format!("`{n}`")).collect();
    names.join(", ")
}

/// Brings the manifest and the catalog together, as far as it is served to `audience`; an owned table that the server does not have
/// is left out with a warning.
pub(super) fn assemble(service: &Service, catalog: &Catalog, audience: Audience) -> Tables {
    let mut served = Tables::new();
    let speaks = !service.publishes.is_empty() || service.owns.iter().any(|t| !t.publishes.is_empty());
    let owned = || service.owns.iter().filter(|t| audience.includes(t.served));
    for entry in owned() {
        let Some(shape) = catalog.tables.get(&entry.name) else {
            tracing::warn!(
                table = entry.name,
                "an owned table is not in the database and is not served"
            );
            continue;
        };
        let children = owned()
            .filter(|t| t.within.as_deref() == Some(entry.name.as_str()))
            .filter_map(|t| catalog.tables.get(&t.name))
            .map(|child| adopt(shape, child))
            .collect();
        let table = Served {
            shape: with_table(shape, &entry.history, catalog),
            entry: entry.clone(),
            source: match entry.history {
                History::Of(_) => Source::Derived,
                History::None | History::Kept => Source::Table,
            },
            qualified: ident::qualified(&shape.schema, &shape.name),
            children,
            speaks,
            guarded: shape.row_security,
        };
        served.insert(entry.name.clone(), table);
    }
    for view in service.views.iter().filter(|v| audience.includes(v.served)) {
        match catalog.views.get(&view.name) {
            Some(shape) => drop(served.insert(view.name.clone(), of_view(view, shape))),
            None => tracing::warn!(
                view = view.name,
                "a listed view is not in the database and is not served"
            ),
        }
    }
    served
}

/// A companion's rows belong to the row whose versions they are, though it may be gone: a foreign key without the constraint.
fn with_table(shape: &TableShape, history: &History, catalog: &Catalog) -> TableShape {
    let mut shape = shape.clone();
    if let History::Of(table) = history
        && let Some(of) = catalog.tables.get(table)
    {
        shape.foreign_keys.push(ForeignKey {
            name: format!("{}_of", shape.name),
            columns: of.key.clone(),
            to: table.clone(),
            to_columns: of.key.clone(),
        });
    }
    shape
}

/// A view, with the key and the links that the manifest gives it.
fn of_view(view: &View, shape: &TableShape) -> Served {
    let mut shape = shape.clone();
    shape.key.clone_from(&view.key);
    shape.foreign_keys = view
        .links
        .iter()
        .map(|link| ForeignKey {
            name: link.column.clone(),
            columns: vec![link.column.clone()],
            to: link.table.clone(),
            to_columns: vec![link.to.clone()],
        })
        .collect();
    derived(shape, view.hidden.clone())
}

/// Something that is read like a table.
pub(super) fn derived(shape: TableShape, hidden: Vec<String>) -> Served {
    Served {
        qualified: ident::qualified(&shape.schema, &shape.name),
        source: Source::Derived,
        entry: Table {
            name: shape.name.clone(),
            summary: String::new(),
            mode: Mode::ReadWrite,
            within: None,
            refs: Vec::new(),
            cached: Vec::new(),
            publishes: Vec::new(),
            hidden,
            unguarded: Unguarded::Allowed,
            served: ServedTo::SignedIn,
            history: History::None,
        },
        children: Vec::new(),
        speaks: false,
        // What it reads is not known here.
        guarded: true,
        shape,
    }
}

fn is_hidden(entry: &Table, column: &str) -> bool {
    entry.hidden.iter().any(|hidden| hidden == column)
}

/// The columns that are served.
fn shown<'t>(shape: &'t TableShape, entry: &'t Table) -> impl Iterator<Item = &'t Column> {
    shape.columns.iter().filter(|c| !is_hidden(entry, &c.name))
}

fn adopt(root: &TableShape, child: &TableShape) -> Child {
    let mut links = child.foreign_keys.iter().filter(|k| {
        k.to == root.name
            && !root.key.is_empty()
            && k.to_columns.len() == root.key.len()
            && k.to_columns.iter().all(|c| root.key.contains(c))
    });
    let link = match (links.next(), links.next()) {
        (Some(only), None) => Link::By(only.clone()),
        (None, _) => Link::Missing,
        (Some(_), Some(_)) => Link::Ambiguous,
    };
    let arity = match &link {
        Link::By(key) if child.is_unique(&key.columns) => Arity::One,
        _ => Arity::Many,
    };
    Child {
        table: child.name.clone(),
        link,
        arity,
    }
}
