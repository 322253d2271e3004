//! The model: what `system.toml` and the `freehold.toml` files say, once it is known to be right.
//!
//! Columns stay in SQL; the model speaks of ownership, references, copies and contracts only.

/// A system of services, in the order `system.toml` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Name of the system: lowercase identifier, first part of every database and role name.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// The services, in the declared order.
    pub services: Vec<Service>,
    /// TCP port of the system itself; services follow from `port + 1` in declared order unless they name their own.
    pub port: u16,
    /// Where the databases live.
    pub postgres: Postgres,
    /// What carries messages between services.
    pub transport: Transport,
}

/// `[postgres]` of `system.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// How services are laid out over servers and databases.
    pub placement: Placement,
    /// An administrator's URL; none means a private server under `.freehold/`.
    pub url: Option<String>,
}

/// How services are laid out over servers and databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// One PostgreSQL server per service: the full wall.
    Server,
    /// One database per service on a shared server (the default).
    Database,
    /// One database, one schema per service: the transitional form.
    Schema,
}

/// What carries messages between services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The subscriber reads the producer's log over HTTP; nothing to install.
    Feed,
}

/// One service: its `freehold.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name of the service: lowercase identifier.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// TCP port of its HTTP API.
    pub port: u16,
    /// Domain events it emits, written whole: `order.placed`.
    pub publishes: Vec<String>,
    /// Topics or event types of other services it hears.
    pub subscribes: Vec<String>,
    /// Sagas it runs.
    pub sagas: Vec<String>,
    /// Tables it owns, in the declared order.
    pub owns: Vec<Table>,
    /// Read-only tables of other services it keeps.
    pub copies: Vec<Copy>,
}

/// One owned table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Name in SQL.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Whether rows may change.
    pub mode: Mode,
    /// The root table of the aggregate this table is part of.
    pub within: Option<String>,
    /// Ids of other services' rows held here.
    pub refs: Vec<Reference>,
    /// Values of other services' rows held here.
    pub cached: Vec<Cached>,
    /// Columns other services may see; empty means none, and no row events.
    pub publishes: Vec<String>,
    /// Columns the HTTP API neither reads nor writes.
    pub hidden: Vec<String>,
    /// What a change without `If-Match` gets.
    pub unguarded: Unguarded,
}

/// Whether rows may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Rows change under optimistic locking; `version` and `updated_at` are kept by the library.
    ReadWrite,
    /// Rows are written once; UPDATE, DELETE and TRUNCATE are refused by the database.
    AppendOnly,
}

/// What a PATCH, PUT or DELETE without `If-Match` gets (`require_match` in the manifest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unguarded {
    /// It is carried out.
    Allowed,
    /// It is answered 428.
    Refused,
}

/// A column that holds another service's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The column here.
    pub column: String,
    /// The table there.
    pub to: TableName,
    /// What happens here when the row there is deleted.
    pub on_delete: OnDelete,
    /// How a new value is checked.
    pub check: RefCheck,
}

/// What happens to a reference when its row is deleted by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// Nothing: the id is history.
    Keep,
    /// The row shows up in `freehold.dangling` (the default).
    Report,
    /// The column is set to null.
    Clear,
    /// The row is deleted too.
    Cascade,
}

/// How a new reference is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefCheck {
    /// It must exist in our copy of the table (the default).
    Copy,
    /// It is taken as it is.
    None,
}

/// A column that repeats a value of another service's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// The column here.
    pub column: String,
    /// The reference column here whose row is meant (`product_id_ref`).
    pub reference: String,
    /// The column of the copy it repeats (`name`).
    pub source: String,
    /// When it follows its source.
    pub refresh: Refresh,
}

/// When a cached column follows its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Whenever the source changes.
    OnChange,
    /// Filled when the row is written, then left alone.
    Never,
}

/// A read-only table fed by its owner's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Name of the table here.
    pub name: String,
    /// The owner's table.
    pub of: TableName,
    /// The columns kept here; the key is always among them.
    pub columns: Vec<String>,
}

/// `service.table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The owner.
    pub service: String,
    /// The table.
    pub table: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.service, self.table)
    }
}

impl System {
    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }
}

impl Service {
    /// The owned table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.owns.iter().find(|t| t.name == name)
    }

    /// The copy of that owner's table, if this service keeps one.
    #[must_use]
    pub fn copy_of(&self, of: &TableName) -> Option<&Copy> {
        self.copies.iter().find(|c| &c.of == of)
    }

    /// The services whose feeds this one reads, each once, in order of first mention.
    #[must_use]
    pub fn producers(&self) -> Vec<&str> {
        let mut seen = Vec::new();
        for copy in &self.copies {
            if !seen.contains(&copy.of.service.as_str()) {
                seen.push(copy.of.service.as_str());
            }
        }
        seen
    }
}
