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
    /// The program that puts the system to work for `freehold verify crash`; none if it has none.
    pub workload: Option<String>,
    /// Who says who is asking; none if nobody is asked.
    pub auth: Option<Auth>,
}

/// `[auth]` of `system.toml`: services ask for a token, and row level security decides what its subject may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The service that gives the tokens and publishes the keys they are verified with.
    pub service: String,
    /// What a token must have as `iss`.
    pub issuer: String,
}

/// The fact by which the service that gives tokens ends those of a subject; other services that subscribe to it refuse them.
#[must_use]
pub fn sessions_ended(service: &str) -> String {
    format!("{service}.sessions_ended")
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
    /// The program that runs it, if it has behaviour of its own; none means `freehold serve` alone.
    pub program: Option<String>,
    /// Domain events it emits, written whole: `order.placed`.
    pub publishes: Vec<String>,
    /// Topics or event types of other services it hears.
    pub subscribes: Vec<String>,
    /// Sagas it runs.
    pub sagas: Vec<String>,
    /// Commands it sends, to others or later to itself, written whole: `product.reserve_stock`.
    pub sends: Vec<String>,
    /// Commands it obeys.
    pub commands: Vec<Command>,
    /// Tables it owns, in the declared order.
    pub owns: Vec<Table>,
    /// Read-only tables of other services it keeps.
    pub copies: Vec<Copy>,
    /// Views of its own that the API serves, read-only.
    pub views: Vec<View>,
    /// Functions of its own that the API calls.
    pub functions: Vec<Function>,
    /// Histories of its aggregates.
    pub streams: Vec<Stream>,
    /// Read models folded from them.
    pub projections: Vec<Projection>,
    /// How its API is served.
    pub api: Api,
}

/// A view of the service's own migrations that the API serves: `[views.order_totals]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Name in SQL.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Columns that tell its rows apart: what pages follow, and what makes a relationship to it to-one. May be empty.
    pub key: Vec<String>,
    /// Columns that hold keys of owned tables, so that they can be embedded: a view has no foreign keys.
    pub links: Vec<Link>,
    /// Columns the HTTP API does not read.
    pub hidden: Vec<String>,
    /// Who may ask for its rows.
    pub served: ServedTo,
}

/// A column of a view that holds the key of an owned table: `links.order_id = "orders.id"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The column here.
    pub column: String,
    /// The table meant.
    pub table: String,
    /// Its column.
    pub to: String,
}

/// A function of the service's own migrations that the API calls: `[functions.search_products]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Name in SQL, without arguments: all functions of that name are served.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Who may call it.
    pub served: ServedTo,
}

/// The history of each aggregate of a kind: `[streams.note]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What the aggregates are called: `note`.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// What may happen to them: `edited`.
    pub events: Vec<String>,
    /// Who hears of it.
    pub audience: Audience,
}

/// Who hears of a stream's events (`published` in the manifest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The service itself (the default).
    Private,
    /// Whoever subscribes to `<service>.<stream>`.
    Published,
}

/// A read model folded from streams: `[projections.note_texts]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// The owned tables it fills; nobody else writes them.
    pub tables: Vec<String>,
    /// What it is folded from.
    pub follows: Follows,
    /// When it is folded.
    pub timing: Timing,
    /// The service's SQL function that folds; none if its program does.
    pub fold: Option<String>,
}

/// What a projection is folded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follows {
    /// Streams of the service.
    Streams(Vec<String>),
    /// Topics of the service's own log: rows of its tables, and its facts.
    Topics(Vec<String>),
}

/// When a projection is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Soon after the append, by position (the default).
    AfterAppend,
    /// In the transaction that appends.
    WithAppend,
}

/// `[api]`: how the HTTP API is served.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Api {
    /// Web pages of these origins may call it (`https://shop.example`, or `*` for all); none means none may.
    pub origins: Vec<String>,
    /// `[api.limits]`.
    pub limits: Limits,
}

/// What one request may ask for. A request that asks for more is refused, with the name of the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one answer: a list that is longer is cut, and links to its next page.
    pub rows: u64,
    /// Bytes of a path and query, as most proxies allow.
    pub url_bytes: u64,
    /// Bytes of a body: a bulk insert of this size fits in memory many times over.
    pub body_bytes: u64,
    /// Objects and arrays inside each other in a body: below the depth at which PostgreSQL's parser complains.
    pub body_depth: u64,
    /// Objects of one table in one body: one statement.
    pub body_rows: u64,
    /// Relations embedded in each other.
    pub embed_depth: u64,
    /// Relations embedded in one request, side by side and in each other.
    pub embeds: u64,
    /// Conditions of one request: each is a clause the planner works on.
    pub filters: u64,
    /// `and(…)` and `or(…)` inside each other.
    pub filter_depth: u64,
    /// Values of one `in.(…)`, `(any)` or `(all)`: one array parameter.
    pub in_values: u64,
    /// Bytes of a regular expression (`match`, `imatch`); 0 refuses them.
    pub pattern_bytes: u64,
    /// Rows left out by `offset`: the server counts them all; `Link` and `after` do not.
    pub offset: u64,
    /// Milliseconds one request may take, waiting included.
    pub statement_ms: u64,
    /// Milliseconds a read waits for what `Freehold-At-Least` names.
    pub wait_ms: u64,
    /// Operations of one `POST /transaction`.
    pub operations: u64,
    /// Requests of one client (one address) at once; more are answered 429.
    pub client_requests: u64,
    /// Requests at once; more are answered 503 before they cost anything.
    pub requests: u64,
    /// Bytes of all bodies at once; more are answered 503.
    pub bodies_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 10_000,
            url_bytes: 16 * 1024,
            body_bytes: 8 * 1024 * 1024,
            body_depth: 64,
            body_rows: 50_000,
            embed_depth: 5,
            embeds: 20,
            filters: 64,
            filter_depth: 8,
            in_values: 1_000,
            pattern_bytes: 256,
            offset: 100_000,
            statement_ms: 30_000,
            wait_ms: 5_000,
            operations: 100,
            client_requests: 256,
            requests: 1_024,
            bodies_bytes: 256 * 1024 * 1024,
        }
    }
}

/// A command that a service obeys: `[commands]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Written whole: `product.reserve_stock`.
    pub name: String,
    /// The services that may send it.
    pub from: Vec<String>,
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
    /// Who may ask for its rows.
    pub served: ServedTo,
    /// Whether every version of its rows is kept.
    pub history: History,
}

/// To whom the HTTP API serves something (`public` and `served` in the manifest). In a system without `[auth]` nobody is
/// asked who they are: `SignedIn` is then the same as `Anybody`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServedTo {
    /// Whoever has a token; of a table, the rows that its policies allow (the default).
    #[default]
    SignedIn,
    /// Everybody, with a token or without.
    Anybody,
    /// Nobody: the API does not know it.
    Nobody,
}

/// Whether every version of a table's rows is kept (`history` in the manifest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// Only the present one.
    None,
    /// All of them, in the table's companion.
    Kept,
    /// The table is the companion of this one: the library writes it, the API reads it.
    Of(String),
}

/// Whether rows may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Rows change under optimistic locking; `version` and `updated_at` are kept by the library.
    ReadWrite,
    /// Rows are written once; UPDATE, DELETE and TRUNCATE are refused by the database.
    AppendOnly,
    /// Rows are what a projection folds; the API reads them.
    Projection,
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

    /// The services whose feeds this one reads, each once, in order of first mention: owners of its copies, speakers of
    /// what it hears, senders of its commands, and those that answer the commands it sends.
    #[must_use]
    pub fn producers(&self) -> Vec<&str> {
        let copied = self.copies.iter().map(|copy| copy.of.service.as_str());
        let heard = self.subscribes.iter().map(|topic| first_part(topic));
        let senders = self.commands.iter().flat_map(|c| c.from.iter().map(String::as_str));
        let obeying = self.sends.iter().map(|command| first_part(command));
        let mut seen = Vec::new();
        for producer in copied.chain(heard).chain(senders).chain(obeying) {
            if producer != self.name && !seen.contains(&producer) {
                seen.push(producer);
            }
        }
        seen
    }

    /// The topics of `producer` that this service's handlers hear: events, commands for it, replies to it.
    #[must_use]
    pub fn hears(&self, producer: &str) -> Vec<String> {
        let mut topics: Vec<String> = Vec::new();
        let events = self.subscribes.iter().filter(|topic| first_part(topic) == producer);
        for topic in events.map(|event| topic_of(event)) {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        if producer != self.name && self.commands.iter().any(|c| c.from.iter().any(|from| from == producer)) {
            topics.push(format!("{}.commands", self.name));
        }
        if producer != self.name && self.sends.iter().any(|command| first_part(command) == producer) {
            topics.push(format!("{}.replies", self.name));
        }
        topics
    }

    /// The topics of this service's own log: published tables, facts, commands by addressee, replies by addressee.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        let rows = self.owns.iter().filter(|table| !table.publishes.is_empty());
        let mut topics: Vec<String> = rows.map(|table| format!("{}.{}", self.name, table.name)).collect();
        topics.extend(self.publishes.iter().cloned());
        let published = self.streams.iter().filter(|s| s.audience == Audience::Published);
        topics.extend(published.map(|stream| format!("{}.{}", self.name, stream.name)));
        let sent = self
            .sends
            .iter()
            .map(|command| format!("{}.commands", first_part(command)));
        let answered = self
            .commands
            .iter()
            .flat_map(|c| c.from.iter().map(|from| format!("{from}.replies")));
        for topic in sent.chain(answered).filter(|topic| first_part(topic) != self.name) {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        topics
    }
}

/// The service that a name written whole begins with.
fn first_part(name: &str) -> &str {
    name.split_once('.').map_or(name, |(service, _)| service)
}

/// The topic an event belongs to: a row event's table, a stream event's stream, any other event itself.
fn topic_of(event: &str) -> String {
    match event.rsplit_once('.') {
        Some((topic, _)) if topic.contains('.') => topic.to_owned(),
        _ => event.to_owned(),
    }
}
