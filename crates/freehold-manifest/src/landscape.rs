//! The whole declaration at once, as rules see it.

use crate::declared::{
    At, DeclaredCopy, DeclaredFunction, DeclaredProjection, DeclaredService, DeclaredSystem, DeclaredTable,
    DeclaredView,
};
use crate::model::TableName;
use crate::schema::SqlName;

/// The system and its services, in declared order.
#[derive(Debug)]
pub(crate) struct Landscape<'a> {
    pub(crate) system: DeclaredSystem<'a>,
    pub(crate) services: Vec<DeclaredService<'a>>,
}

/// What a `service.table` leads to.
pub(crate) enum Found<'s, 'a> {
    /// A declared table and its owner.
    Table(&'s DeclaredService<'a>, &'s DeclaredTable),
    /// The service is there, the table is not.
    NoTable(&'s DeclaredService<'a>),
    /// There is no such service.
    NoService,
    /// Not to be told: the service's manifest could not be read, and that has been reported.
    Unreadable,
}

impl<'a> Landscape<'a> {
    pub(crate) fn service(&self, name: &str) -> Option<&DeclaredService<'a>> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Whether `system.toml` is known not to list that service.
    pub(crate) fn is_unlisted(&self, name: &str) -> bool {
        self.service(name).is_none() && self.system.services.as_ref().is_some_and(|services| services.complete)
    }

    pub(crate) fn find(&self, name: &TableName) -> Found<'_, 'a> {
        let Some(service) = self.service(&name.service) else {
            return if self.is_unlisted(&name.service) {
                Found::NoService
            } else {
                Found::Unreadable
            };
        };
        match service.table(&name.table) {
            Some(table) => Found::Table(service, table),
            None if service.readable => Found::NoTable(service),
            None => Found::Unreadable,
        }
    }

    /// The other service that owns the table SQL of `service` names, if it is another's.
    pub(crate) fn foreign_owner(&self, service: &DeclaredService<'_>, name: &SqlName) -> Option<&DeclaredService<'a>> {
        if name.in_own_schema() {
            let local = service.table(&name.name).is_some()
                || service.copies.iter().any(|copy| copy.name.value == name.name)
                || service.schema.created.contains(&name.name);
            if local {
                return None;
            }
            return self
                .services
                .iter()
                .find(|other| other.name != service.name && other.table(&name.name).is_some());
        }
        let schema = name.schema.as_deref().unwrap_or_default();
        let system = self.system.name.as_ref().map_or("", |name| name.value.as_str());
        self.services.iter().find(|other| {
            other.name != service.name
                && other.table(&name.name).is_some()
                && (schema == other.name
                    || schema.strip_prefix(system).and_then(|s| s.strip_prefix('_')) == Some(&other.name))
        })
    }
}

impl DeclaredService<'_> {
    /// Whether an owned table or a copy has that name.
    pub(crate) fn is_table(&self, name: &str) -> bool {
        self.table(name).is_some() || self.copies.iter().any(|copy| copy.name.value == name)
    }

    /// Whether the owned table has that column; none if that is not known.
    pub(crate) fn has_column(&self, table: &DeclaredTable, column: &str) -> Option<bool> {
        if crate::rules::library_column::is_kept(table, column) {
            return Some(true);
        }
        let sql = self.schema.table(&table.name.value)?;
        match sql.column(column) {
            Some(_) => Some(true),
            None if sql.columns_known => Some(false),
            None => None,
        }
    }

    /// The names of the owned table's columns, to suggest from.
    pub(crate) fn column_names(&self, table: &str) -> Vec<&str> {
        let columns = self
            .schema
            .table(table)
            .map(|sql| sql.columns.as_slice())
            .unwrap_or_default();
        columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The owned table's primary key; none if it is not known.
    pub(crate) fn key(&self, table: &DeclaredTable) -> Option<&[String]> {
        let sql = self.schema.table(&table.name.value)?;
        (sql.columns_known || !sql.key.is_empty()).then_some(sql.key.as_slice())
    }
}

/// A place where a manifest names another service's table.
pub(crate) struct Mention<'s, 'a> {
    pub(crate) service: &'s DeclaredService<'a>,
    pub(crate) to: &'s At<TableName>,
    /// Which key names it: `refs.user_id_ref`.
    pub(crate) by: String,
}

impl<'a> Landscape<'a> {
    /// Every owned table with its owner, in declared order.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&DeclaredService<'a>, &DeclaredTable)> {
        self.services
            .iter()
            .flat_map(|service| service.owns.iter().map(move |table| (service, table)))
    }

    /// Every copy with the service that keeps it, in declared order.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (&DeclaredService<'a>, &DeclaredCopy)> {
        self.services
            .iter()
            .flat_map(|service| service.copies.iter().map(move |copy| (service, copy)))
    }

    /// Every view that is served, with its service, in declared order.
    pub(crate) fn views(&self) -> impl Iterator<Item = (&DeclaredService<'a>, &DeclaredView)> {
        self.services
            .iter()
            .flat_map(|service| service.views.iter().map(move |view| (service, view)))
    }

    /// Every function that is served, with its service, in declared order.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&DeclaredService<'a>, &DeclaredFunction)> {
        self.services
            .iter()
            .flat_map(|service| service.functions.iter().map(move |function| (service, function)))
    }

    /// Every projection with its service, in declared order.
    pub(crate) fn projections(&self) -> impl Iterator<Item = (&DeclaredService<'a>, &DeclaredProjection)> {
        self.services
            .iter()
            .flat_map(|service| service.projections.iter().map(move |projection| (service, projection)))
    }

    /// Every `to` of a reference and `of` of a copy that could be read.
    pub(crate) fn mentions(&self) -> Vec<Mention<'_, 'a>> {
        let refs = self.tables().flat_map(|(service, table)| {
            table.refs.iter().filter_map(move |reference| {
                let by = format!("refs.{}", reference.column.value);
                Some(Mention {
                    service,
                    to: reference.to.as_ref()?,
                    by,
                })
            })
        });
        let copies = self.copies().filter_map(|(service, copy)| {
            let by = format!("copies.{}", copy.name.value);
            Some(Mention {
                service,
                to: copy.of.as_ref()?,
                by,
            })
        });
        refs.chain(copies).collect()
    }

    /// The names of all services, to suggest from.
    pub(crate) fn service_names(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|service| service.name.as_str())
    }
}
