//! The declaration: what the manifests say, each value with its place, right or wrong.
//!
//! Between the texts and the model. A value that could not be read is absent here and has been reported, so rules stay silent about it.

use std::ops::Range;

use crate::diagnostic::Place;
use crate::model::{
    Audience, History, Limits, Mode, OnDelete, Placement, RefCheck, Refresh, ServedTo, TableName, Timing, Transport,
    Unguarded,
};
use crate::schema::{Schema, SqlPlace};
use crate::source::SourceFile;

/// Bytes of a file.
pub(crate) type Span = Range<usize>;

/// A value and where it stands in its file.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A list of strings.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) items: Vec<At<String>>,
    /// False if some of it could not be read: nothing may be concluded from what is absent.
    pub(crate) complete: bool,
}

impl Listed {
    pub(crate) fn empty() -> Self {
        Self {
            items: Vec::new(),
            complete: true,
        }
    }

    /// A list of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self {
            items: Vec::new(),
            complete: false,
        }
    }

    pub(crate) fn has(&self, value: &str) -> bool {
        self.items.iter().any(|item| item.value == value)
    }

    pub(crate) fn values(&self) -> Vec<String> {
        self.items.iter().map(|item| item.value.clone()).collect()
    }
}

/// `system.toml`.
#[derive(Debug)]
pub(crate) struct DeclaredSystem<'a> {
    pub(crate) file: &'a SourceFile,
    pub(crate) name: Option<At<String>>,
    pub(crate) summary: String,
    pub(crate) services: Option<Listed>,
    pub(crate) port: At<u16>,
    pub(crate) placement: Placement,
    pub(crate) url: Option<At<String>>,
    pub(crate) transport: Transport,
    pub(crate) workload: Option<At<String>>,
    pub(crate) auth: Option<DeclaredAuth>,
}

/// `[auth]`.
#[derive(Debug)]
pub(crate) struct DeclaredAuth {
    pub(crate) service: At<String>,
    /// As written, if it is.
    pub(crate) issuer: Option<At<String>>,
}

impl DeclaredAuth {
    /// What tokens of the system of that name have as `iss`.
    pub(crate) fn issuer(&self, system: &str) -> String {
        match &self.issuer {
            Some(written) => written.value.clone(),
            None => format!("freehold:{system}"),
        }
    }
}

/// One service: its `freehold.toml` and its migrations.
#[derive(Debug)]
pub(crate) struct DeclaredService<'a> {
    pub(crate) file: &'a SourceFile,
    pub(crate) migrations: &'a [SourceFile],
    /// The name `system.toml` gives it, which is its folder's.
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) port: Option<At<u16>>,
    pub(crate) publishes: Listed,
    /// What its events hold, where that is declared.
    pub(crate) payloads: Vec<DeclaredPayload>,
    pub(crate) subscribes: Listed,
    pub(crate) sagas: Listed,
    /// Empty if it could not be read.
    pub(crate) program: Option<At<String>>,
    pub(crate) sends: Listed,
    pub(crate) commands: Vec<DeclaredCommand>,
    /// False if `commands` could not be read as a whole.
    pub(crate) commands_readable: bool,
    pub(crate) owns: Vec<DeclaredTable>,
    pub(crate) copies: Vec<DeclaredCopy>,
    pub(crate) views: Vec<DeclaredView>,
    pub(crate) functions: Vec<DeclaredFunction>,
    pub(crate) streams: Vec<DeclaredStream>,
    /// False if `streams` could not be read as a whole.
    pub(crate) streams_readable: bool,
    pub(crate) projections: Vec<DeclaredProjection>,
    pub(crate) origins: Listed,
    pub(crate) limits: Limits,
    /// What it promised last; none if it states nothing, or what cannot be read.
    pub(crate) contract: Option<DeclaredContract<'a>>,
    /// False if `owns` could not be read as a whole.
    pub(crate) readable: bool,
    pub(crate) schema: Schema,
}

/// `contract.toml`: what the service promised when it was last accepted.
#[derive(Debug)]
pub(crate) struct DeclaredContract<'a> {
    pub(crate) file: &'a SourceFile,
    /// Migrations up to this number were accepted.
    pub(crate) migration: u64,
    pub(crate) tables: Vec<PromisedTable>,
    pub(crate) events: Listed,
    pub(crate) payloads: Vec<DeclaredPayload>,
    pub(crate) commands: Vec<PromisedCommand>,
}

/// What an event holds: an entry of `[payloads]`.
#[derive(Debug)]
pub(crate) struct DeclaredPayload {
    pub(crate) event: At<String>,
    pub(crate) fields: Vec<PromisedColumn>,
}

/// `[tables.<table>]` of a contract.
#[derive(Debug)]
pub(crate) struct PromisedTable {
    pub(crate) name: At<String>,
    pub(crate) key: Vec<String>,
    pub(crate) columns: Vec<PromisedColumn>,
}

/// A column of a promised table or a field of an event, with its type in plain words.
#[derive(Debug)]
pub(crate) struct PromisedColumn {
    pub(crate) name: At<String>,
    pub(crate) ty: String,
}

/// A promised command and who may send it.
#[derive(Debug)]
pub(crate) struct PromisedCommand {
    pub(crate) name: At<String>,
    pub(crate) from: Vec<String>,
}

/// `[commands]`: one that the service obeys.
#[derive(Debug)]
pub(crate) struct DeclaredCommand {
    pub(crate) name: At<String>,
    pub(crate) from: Listed,
}

/// `[owns.<table>]`.
#[derive(Debug)]
pub(crate) struct DeclaredTable {
    pub(crate) name: At<String>,
    pub(crate) summary: String,
    pub(crate) mode: At<Mode>,
    pub(crate) within: Option<At<String>>,
    pub(crate) refs: Vec<DeclaredReference>,
    pub(crate) cached: Vec<DeclaredCached>,
    pub(crate) publishes: Listed,
    pub(crate) hidden: Listed,
    pub(crate) unguarded: Unguarded,
    pub(crate) served: At<ServedTo>,
    pub(crate) history: History,
}

/// `refs.<column>`.
#[derive(Debug)]
pub(crate) struct DeclaredReference {
    pub(crate) column: At<String>,
    pub(crate) to: Option<At<TableName>>,
    pub(crate) on_delete: At<OnDelete>,
    pub(crate) check: At<RefCheck>,
}

/// `cached.<column>`.
#[derive(Debug)]
pub(crate) struct DeclaredCached {
    pub(crate) column: At<String>,
    pub(crate) from: Option<At<CachedFrom>>,
    pub(crate) refresh: At<Refresh>,
}

/// `<reference column>.<column of the copy>`.
#[derive(Debug, Clone)]
pub(crate) struct CachedFrom {
    pub(crate) reference: String,
    pub(crate) source: String,
}

/// `[copies.<name>]`.
#[derive(Debug)]
pub(crate) struct DeclaredCopy {
    pub(crate) name: At<String>,
    pub(crate) of: Option<At<TableName>>,
    pub(crate) columns: Listed,
}

/// `[views.<name>]`.
#[derive(Debug)]
pub(crate) struct DeclaredView {
    pub(crate) name: At<String>,
    pub(crate) summary: String,
    pub(crate) key: Listed,
    pub(crate) links: Vec<DeclaredLink>,
    pub(crate) hidden: Listed,
    pub(crate) served: At<ServedTo>,
}

/// `links.<column>`.
#[derive(Debug)]
pub(crate) struct DeclaredLink {
    pub(crate) column: At<String>,
    pub(crate) to: Option<At<LinkTo>>,
}

/// `<table>.<column>`.
#[derive(Debug, Clone)]
pub(crate) struct LinkTo {
    pub(crate) table: String,
    pub(crate) column: String,
}

/// `[functions.<name>]`.
#[derive(Debug)]
pub(crate) struct DeclaredFunction {
    pub(crate) name: At<String>,
    pub(crate) summary: String,
    pub(crate) served: At<ServedTo>,
}

/// `[streams.<name>]`.
#[derive(Debug)]
pub(crate) struct DeclaredStream {
    pub(crate) name: At<String>,
    pub(crate) summary: String,
    pub(crate) events: Listed,
    pub(crate) audience: Audience,
}

/// `[projections.<name>]`.
#[derive(Debug)]
pub(crate) struct DeclaredProjection {
    pub(crate) name: At<String>,
    pub(crate) summary: String,
    /// Its own name where none is written.
    pub(crate) tables: Listed,
    pub(crate) streams: Listed,
    /// Empty where there are streams.
    pub(crate) topics: Listed,
    pub(crate) timing: At<Timing>,
    pub(crate) fold: Option<At<String>>,
}

impl DeclaredContract<'_> {
    /// A place in the contract.
    pub(crate) fn place(&self, span: &Span, label: impl Into<String>) -> Place {
        Place::new(self.file, span, label)
    }
}

impl DeclaredService<'_> {
    /// A place in this service's manifest.
    pub(crate) fn place(&self, span: &Span, label: impl Into<String>) -> Place {
        Place::new(self.file, span, label)
    }

    /// A place in one of this service's migrations.
    pub(crate) fn sql_place(&self, at: &SqlPlace, label: impl Into<String>) -> Option<Place> {
        let file = self.migrations.get(at.file)?;
        Some(Place::new(file, &at.span, label))
    }

    pub(crate) fn table(&self, name: &str) -> Option<&DeclaredTable> {
        self.owns.iter().find(|table| table.name.value == name)
    }

    pub(crate) fn stream(&self, name: &str) -> Option<&DeclaredStream> {
        self.streams.iter().find(|stream| stream.name.value == name)
    }

    /// The stream of that name, if others may hear it.
    pub(crate) fn published_stream(&self, name: &str) -> Option<&DeclaredStream> {
        self.stream(name)
            .filter(|stream| stream.audience == Audience::Published)
    }

    /// What that event holds, where it is declared.
    pub(crate) fn payload(&self, event: &str) -> Option<&DeclaredPayload> {
        self.payloads.iter().find(|payload| payload.event.value == event)
    }

    pub(crate) fn command(&self, name: &str) -> Option<&DeclaredCommand> {
        self.commands.iter().find(|command| command.name.value == name)
    }

    pub(crate) fn copy_of(&self, of: &TableName) -> Option<&DeclaredCopy> {
        self.copies
            .iter()
            .find(|copy| copy.of.as_ref().is_some_and(|o| &o.value == of))
    }

    /// False if a copy's `of` could not be read: it might be any table's.
    pub(crate) fn copies_readable(&self) -> bool {
        self.readable && self.copies.iter().all(|copy| copy.of.is_some())
    }
}
