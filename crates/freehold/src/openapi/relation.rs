//! What is described as rows: an owned table or a view, as manifest and catalog have it together.

use freehold_manifest::model::{History, Mode, Refresh, ServedTo, Service, Table, Unguarded, View};

use crate::pg::catalog::{Catalog, Column, Constraint, ConstraintKind, ForeignKey, TableShape};

/// A table or a view whose rows are served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relation<'c> {
    pub(super) shape: &'c TableShape,
    pub(super) summary: &'c str,
    hidden: &'c [String],
    /// The columns that tell rows apart; a view has those that the manifest names.
    key: &'c [String],
    pub(super) is: Is<'c>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Is<'c> {
    Table(&'c Table),
    View,
}

/// What becomes of a column that a writer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It must be named, or null would be its value.
    Required,
    /// It need not be named: it has a default, or is filled beside a reference.
    Optional,
    /// `version`: the library counts it.
    Version,
    /// `updated_at`: the library sets it, whatever is sent.
    Touch,
    /// The request is refused.
    Never,
}

/// A table within another, whose rows are posted with their root's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'c> {
    pub(super) of: Relation<'c>,
    pub(super) link: &'c ForeignKey,
    pub(super) arity: Arity,
}

/// How many rows of a child a root has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    One,
    Many,
}

/// The owned tables that the server has, in the order of the manifest.
pub(super) fn tables<'c>(service: &'c Service, catalog: &'c Catalog) -> Vec<Relation<'c>> {
    let owned = service.owns.iter().filter(|t| t.served != ServedTo::Nobody);
    owned
        .filter_map(|t| Some(Relation::table(t, catalog.tables.get(&t.name)?)))
        .collect()
}

/// The declared views that the server has, in the order of the manifest.
pub(super) fn views<'c>(service: &'c Service, catalog: &'c Catalog) -> Vec<Relation<'c>> {
    let declared = service.views.iter();
    declared
        .filter_map(|v| Some(Relation::view(v, catalog.views.get(&v.name)?)))
        .collect()
}

impl<'c> Relation<'c> {
    fn table(entry: &'c Table, shape: &'c TableShape) -> Self {
        Self {
            shape,
            summary: &entry.summary,
            hidden: &entry.hidden,
            key: &shape.key,
            is: match (entry.mode, &entry.history) {
                // Read like a view: the library writes it.
                (Mode::Projection, _) | (_, History::Of(_)) => Is::View,
                (Mode::ReadWrite | Mode::AppendOnly, _) => Is::Table(entry),
            },
        }
    }

    fn view(entry: &'c View, shape: &'c TableShape) -> Self {
        Self {
            shape,
            summary: &entry.summary,
            hidden: &entry.hidden,
            key: &entry.key,
            is: Is::View,
        }
    }

    pub(super) fn name(self) -> &'c str {
        &self.shape.name
    }

    /// The columns that are served.
    pub(super) fn columns(self) -> impl Iterator<Item = &'c Column> {
        self.shape
            .columns
            .iter()
            .filter(move |c| !self.hidden.contains(&c.name))
    }

    /// The columns that tell rows apart, as far as they are served.
    pub(super) fn key(self) -> impl Iterator<Item = &'c Column> {
        let named = self.key.iter();
        named.filter_map(move |name| self.columns().find(|c| c.name == *name))
    }

    /// Whether a row can be named by its key: all of it is there and served.
    pub(super) fn has_key(self) -> bool {
        !self.key.is_empty() && self.key().count() == self.key.len()
    }

    /// Whether rows change after they were written.
    pub(super) fn changes(self) -> bool {
        matches!(self.is, Is::Table(table) if table.mode == Mode::ReadWrite)
    }

    /// Whether the library counts the changes of a row in `version`.
    pub(super) fn keeps_version(self) -> bool {
        self.shape.has_version && self.changes()
    }

    /// Whether a change needs a guard.
    pub(super) fn needs_guard(self) -> bool {
        matches!(self.is, Is::Table(table) if table.unguarded == Unguarded::Refused)
    }

    /// What becomes of `column` in a body.
    pub(super) fn written(self, column: &Column) -> Written {
        let Is::Table(table) = self.is else {
            return Written::Never;
        };
        if self.keeps_version() && column.name == "version" {
            return Written::Version;
        }
        if self.keeps_version() && column.name == "updated_at" {
            return Written::Touch;
        }
        let cached = table.cached.iter().find(|c| c.column == column.name);
        match cached.map(|c| c.refresh) {
            Some(Refresh::OnChange) => Written::Never,
            _ if !column.is_writable() => Written::Never,
            Some(Refresh::Never) => Written::Optional,
            None if column.has_default() || !column.not_null => Written::Optional,
            None => Written::Required,
        }
    }

    /// The sets of columns by which a row is found to be there already, each in the order of its constraint.
    pub(super) fn unique_sets(self) -> Vec<Vec<&'c str>> {
        let mut sets: Vec<Vec<&str>> = Vec::new();
        let key = (!self.shape.key.is_empty()).then_some(&self.shape.key);
        let others = self.shape.constraints.values().map(|c| &c.columns);
        for columns in key.into_iter().chain(others) {
            let set: Vec<&str> = columns.iter().map(String::as_str).collect();
            let is_served = set.iter().all(|name| self.columns().any(|c| c.name == **name));
            if is_served && self.shape.is_unique(columns) && self.is_one_constraint(columns) && !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }

    /// Whether these are the very columns of a key or a constraint, not more than those.
    fn is_one_constraint(self, columns: &[String]) -> bool {
        let exact = |c: &Constraint| {
            matches!(c.kind, ConstraintKind::Primary | ConstraintKind::Unique)
                && c.columns == columns
                && !c.definition.contains(" WHERE ")
        };
        self.shape.key == columns || self.shape.constraints.values().any(exact)
    }

    /// The tables written and shown with it.
    pub(super) fn children(self, tables: &[Relation<'c>]) -> Vec<Child<'c>> {
        let within =
            |t: &&Relation<'c>| matches!(t.is, Is::Table(entry) if entry.within.as_deref() == Some(self.name()));
        tables
            .iter()
            .filter(within)
            .filter_map(|t| Child::of(self.shape, *t))
            .collect()
    }
}

impl<'c> Child<'c> {
    /// A child whose rows name their root by one foreign key; others are not written with it.
    fn of(root: &TableShape, child: Relation<'c>) -> Option<Self> {
        let mut links = child.shape.foreign_keys.iter().filter(|k| {
            k.to == root.name
                && !root.key.is_empty()
                && k.to_columns.len() == root.key.len()
                && k.to_columns.iter().all(|c| root.key.contains(c))
        });
        let (Some(link), None) = (links.next(), links.next()) else {
            return None;
        };
        let arity = if child.shape.is_unique(&link.columns) {
            Arity::One
        } else {
            Arity::Many
        };
        Some(Self { of: child, link, arity })
    }
}
