//! What a service has, seen by the administrator: the attacks aim at real things.

use super::error::Error;
use crate::provision::{Clusters, connect, literal};
use crate::secrets::{Login, Secrets};
use freehold_manifest::model::{Mode, Service, System};
use freehold_manifest::names::Names;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;

/// The library's tables that only its functions may write.
const GUARDED: [&str; 14] = [
    "outbox",
    "log",
    "log_head",
    "cursor",
    "key_version",
    "event_type",
    "sent_type",
    "stream",
    "stream_event",
    "stream_head",
    "stream_order",
    "stream_type",
    "stream_waiting",
    "checkpoint",
];
/// The library's tables that a service adds to and never changes: what was done, for whoever asks later.
const STORIES: [&str; 3] = ["obeyed", "saga_history", "skipped"];
/// The log's partitions are called after it.
const PARTITION_PREFIX: &str = "log_";

/// A service under attack, and attacking.
#[derive(Debug)]
pub(super) struct Territory {
    pub(super) service: String,
    pub(super) names: Names,
    pub(super) relations: Vec<Relation>,
    pub(super) sequences: Vec<String>,
    /// A file of the server that holds rows of this service, relative to the data folder.
    pub(super) file: Option<String>,
    pub(super) has_emit: bool,
    /// Extensions the server has and the database has not.
    pub(super) installable: BTreeSet<String>,
    /// Extensions of the database.
    pub(super) installed: BTreeSet<String>,
    pub(super) hba_file: Option<String>,
    /// A session of the service's API.
    pub(super) canary: Canary,
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) kind: Kind,
    pub(super) schema: String,
    pub(super) name: String,
    /// A column that takes any value given to it.
    pub(super) column: String,
    /// Whether `pg_stats` has samples of its rows.
    pub(super) sampled: Sampled,
}

/// What a table is to its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Owned,
    AppendOnly,
    Copy,
    /// Of the library, written by its functions only.
    Library,
    /// Of the library, written once.
    Story,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampled {
    Yes,
    No,
}

/// An idle session of a service, with a word in its last statement that only the service knows.
#[derive(Debug)]
pub(super) struct Canary {
    pub(super) pid: i32,
    pub(super) word: String,
    /// Keeps the session.
    _client: Client,
}

impl Relation {
    /// The name as it stands in SQL.
    pub(super) fn sql(&self) -> String {
        let quote = crate::provision::identifier;
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl Territory {
    /// Looks at one service's database; its own session is opened with its own credentials.
    pub(super) async fn look(
        system: &System,
        service: &Service,
        clusters: &Clusters,
        secrets: &BTreeMap<String, Secrets>,
    ) -> Result<Self, Error> {
        let names = Names::of(system, service);
        let cluster = clusters.of(&service.name)?;
        let failed = |source| Error::Look {
            cluster: cluster.name.clone(),
            database: names.database.clone(),
            source,
        };
        let canary = canary(service, &names, clusters, secrets).await?;
        let admin = connect(&cluster.admin(&names.database)).await.map_err(failed)?;
        let relations = relations(&admin, service, &names).await.map_err(failed)?;
        let schemas = format!("{}, {}", literal(&names.schema), literal(&names.freehold));
        let sequences = format!(
            "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where c.relkind = 'S' and n.nspname in ({schemas}) order by 1"
        );
        let file = format!(
            "select pg_relation_filepath(c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where c.relkind = 'r' and n.nspname = {} order by c.relname limit 1",
            literal(&names.schema)
        );
        let emit = format!(
            "select 'yes' from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
             where n.nspname = {} and p.proname = 'emit'",
            literal(&names.freehold)
        );
        let hba = "select setting from pg_settings where name = 'hba_file' and setting is not null";
        let installable = "select name::text from pg_available_extensions where installed_version is null";
        let installed = "select extname::text from pg_extension";
        Ok(Self {
            service: service.name.clone(),
            relations,
            sequences: texts(&admin, &sequences).await.map_err(failed)?,
            file: texts(&admin, &file).await.map_err(failed)?.pop(),
            has_emit: !texts(&admin, &emit).await.map_err(failed)?.is_empty(),
            installable: set(&admin, installable).await.map_err(failed)?,
            installed: set(&admin, installed).await.map_err(failed)?,
            hba_file: texts(&admin, hba).await.map_err(failed)?.pop(),
            names,
            canary,
        })
    }

    /// Its tables of these kinds.
    pub(super) fn of<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = &'a Relation> {
        self.relations.iter().filter(|relation| kinds.contains(&relation.kind))
    }

    /// The first of the tables it owns.
    pub(super) fn first_own(&self) -> Option<&Relation> {
        self.of(&[Kind::Owned, Kind::AppendOnly]).next()
    }
}

async fn canary(
    service: &Service,
    names: &Names,
    clusters: &Clusters,
    secrets: &BTreeMap<String, Secrets>,
) -> Result<Canary, Error> {
    let cluster = clusters.of(&service.name)?;
    let password = password(secrets, &service.name, Login::App)?;
    let locked_out = |source| Error::LockedOut {
        role: names.app.clone(),
        database: names.database.clone(),
        source,
    };
    let client = connect(&cluster.login(&names.app, password, &names.database))
        .await
        .map_err(locked_out)?;
    // Not a secret: it only has to be nobody else's word.
    let word = format!("freehold-canary-{:016x}", fastrand::u64(..));
    let row = client
        .query_one(&format!("select pg_backend_pid() /* {word} */"), &[])
        .await
        .map_err(locked_out)?;
    Ok(Canary {
        pid: row.get(0),
        word,
        _client: client,
    })
}

/// The password of a service's login role.
pub(super) fn password<'a>(
    secrets: &'a BTreeMap<String, Secrets>,
    service: &str,
    login: Login,
) -> Result<&'a crate::secrets::Secret, Error> {
    let known = secrets.get(service).ok_or_else(|| crate::secrets::Error::Missing {
        service: service.to_owned(),
        what: login.word(),
        variable: crate::secrets::password_variable(service, login),
    })?;
    Ok(known.password(login)?)
}

async fn relations(admin: &Client, service: &Service, names: &Names) -> Result<Vec<Relation>, tokio_postgres::Error> {
    let query = "select n.nspname::text, c.relname::text, a.attname::text, \
                   exists (select from pg_statistic s where s.starelid = c.oid) \
                 from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 join lateral (select a.attname from pg_attribute a \
                   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
                     and a.attgenerated = '' and a.attidentity <> 'a' \
                   order by a.attnum limit 1) a on true \
                 where c.relkind in ('r', 'p') and n.nspname in ($1, $2) \
                 order by 1, 2";
    let rows = admin.query(query, &[&names.schema, &names.freehold]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            Relation {
                kind: kind(service, names, &schema, &name),
                schema,
                name,
                column: row.get(2),
                sampled: if row.get(3) { Sampled::Yes } else { Sampled::No },
            }
        })
        .collect())
}

fn kind(service: &Service, names: &Names, schema: &str, name: &str) -> Kind {
    if schema == names.freehold {
        let guarded = GUARDED.contains(&name) || name.starts_with(PARTITION_PREFIX);
        return match () {
            () if guarded => Kind::Library,
            () if STORIES.contains(&name) => Kind::Story,
            () => Kind::Unknown,
        };
    }
    match service.table(name) {
        Some(table) if table.mode == Mode::AppendOnly => Kind::AppendOnly,
        Some(_) => Kind::Owned,
        None if service.copies.iter().any(|copy| copy.name == name) => Kind::Copy,
        None => Kind::Unknown,
    }
}

async fn texts(admin: &Client, query: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = admin.query(query, &[]).await?;
    let mut texts = Vec::with_capacity(rows.len());
    for row in rows {
        texts.extend(row.try_get::<_, Option<String>>(0)?);
    }
    Ok(texts)
}

async fn set(admin: &Client, query: &str) -> Result<BTreeSet<String>, tokio_postgres::Error> {
    Ok(texts(admin, query).await?.into_iter().collect())
}
