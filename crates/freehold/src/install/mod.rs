//! What the manifest says, installed in the service's database after its migrations.
//!
//! Everything is written as one script from the manifest and the catalog, and runs in one transaction as the
//! owner: triggers that keep versions, walls around append-only tables, publication, references, copies, grants.
//! A fingerprint of the script is kept, so an unchanged system is left alone.

use std::borrow::Cow;

use freehold_manifest::model::{Auth, Service};
use freehold_manifest::names::Names;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;

pub mod chain;
mod contract;
mod copies;
mod grants;
mod history;
mod policies;
mod publish;
mod refs;
mod rows;
mod served;
mod streams;
mod walls;

pub use contract::{Contract, contract};
pub(crate) use publish::object;
pub use walls::{Wall, walls};

use crate::error::Error;
use crate::pg::{catalog, ident};

/// The library's own tables and functions, in the order they build on each other.
const BASE: &[&str] = &[
    SUBJECT,
    include_str!("../../sql/01_outbox.sql"),
    include_str!("../../sql/02_log.sql"),
    include_str!("../../sql/03_copy.sql"),
    include_str!("../../sql/04_handlers.sql"),
    include_str!("../../sql/05_sagas.sql"),
    include_str!("../../sql/06_requests.sql"),
    include_str!("../../sql/07_access.sql"),
    include_str!("../../sql/08_streams.sql"),
    include_str!("../../sql/09_projections.sql"),
    include_str!("../../sql/10_rebuilds.sql"),
    include_str!("../../sql/11_history.sql"),
];

/// `freehold.subject()` and `freehold.is_service()`, which policies name: whoever makes the schema `freehold` makes them, before the
/// service's first migration.
pub const SUBJECT: &str = include_str!("../../sql/00_subject.sql");

/// Bytes that PostgreSQL keeps of a name.
const NAME_MAX: usize = 63;

/// Hexadecimal digits that tell cut names apart.
const DIGEST: usize = 8;

/// How values are shown in messages and keys.
const SHOWN: [&str; 7] = [
    "datestyle = 'ISO, MDY'",
    "intervalstyle = postgres",
    "timezone = 'UTC'",
    "extra_float_digits = 1",
    "bytea_output = hex",
    "xmloption = content",
    "lc_monetary = 'C'",
];

/// Whether an installation changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The database was already as the manifest says.
    Unchanged,
    /// Triggers, copies or grants were written anew.
    Installed,
}

/// A service about to be installed.
#[derive(Debug)]
pub struct Installation<'a> {
    /// Its manifest.
    pub service: &'a Service,
    /// Its names in PostgreSQL.
    pub names: &'a Names,
    /// What the owners of its copies publish.
    pub contracts: &'a [Contract],
    /// Who gives the tokens that the service asks for; none if it asks nobody.
    pub auth: Option<&'a Auth>,
}

impl Installation<'_> {
    /// Brings the database to what the manifest says.
    ///
    /// `client` must act as the owner of the service's schemas (`set role`) and be outside a transaction. Either all
    /// of it takes effect or nothing; running it again changes nothing. No event is lost while it runs: triggers are
    /// replaced in the transaction that removes the old ones, under the tables' locks.
    ///
    /// # Errors
    /// [`Error::Install`] when the manifest asks for what the tables or the contracts do not have,
    /// [`Error::Postgres`] when the server refuses.
    pub async fn apply(&self, client: &Client) -> Result<Outcome, Error> {
        client.batch_execute("begin").await?;
        match self.apply_within(client).await {
            Ok(outcome) => {
                client.batch_execute("commit").await?;
                Ok(outcome)
            }
            Err(error) => {
                // The first error is the one that explains; a lost connection rolls back by itself.
                let _ = client.batch_execute("rollback").await;
                Err(error)
            }
        }
    }

    async fn apply_within(&self, client: &Client) -> Result<Outcome, Error> {
        client
            .batch_execute(
                "set local client_min_messages = warning;
                 set local search_path = pg_catalog;
                 set local lock_timeout = '10s'",
            )
            .await?;
        // Columns first: the rest is written from the catalog that has them.
        let shapes = self.shapes(client).await?;
        let mut columns = rows::missing_columns(self.service, &shapes, self.names)?;
        columns += &history::companions(self.service, &shapes)?;
        client.batch_execute(&columns).await?;
        client
            .batch_execute(&history::row_security(self.service, &shapes))
            .await?;
        let shapes = self.shapes(client).await?;
        let script = self.script(&shapes)?;
        served::check_comparable(client, self.service, self.names).await?;
        policies::check(client, self.service, self.names, self.auth).await?;
        streams::check(client, self.service, self.names).await?;
        // The library's own part too: a newer release installs itself.
        let tables = self.tables(client).await?;
        let whole = BASE.iter().copied().chain([script.as_str(), tables.as_str()]);
        let fingerprint = hex::encode(whole.fold(Sha256::new(), Sha256::chain_update).finalize());
        let same = columns.is_empty() && self.installed(client).await?.as_deref() == Some(&*fingerprint);
        if same && grants::are_whole(client, self.names).await? && policies::are_whole(client, self.names).await? {
            return Ok(Outcome::Unchanged);
        }
        for base in BASE {
            client.batch_execute(&self.place(base)).await?;
        }
        history::must_go_on(client, self.service, self.names).await?;
        self.drop_stale(client).await?;
        client.batch_execute(&script).await?;
        let keep = format!(
            "insert into freehold.installation (fingerprint) values ({}) \
             on conflict (single) do update set fingerprint = excluded.fingerprint, installed_at = now()",
            ident::literal(&fingerprint)
        );
        client.batch_execute(&self.place(&keep)).await?;
        Ok(Outcome::Installed)
    }

    /// The script that an installation runs after the library's own tables, for reading.
    ///
    /// # Errors
    /// As [`Installation::apply`].
    pub fn script(&self, shapes: &catalog::Catalog) -> Result<String, Error> {
        served::check(self.service, shapes)?;
        let mut script = String::new();
        for table in &self.service.owns {
            let shape = rows::shape_of(shapes, self.service, &table.name)?;
            script += &rows::triggers(table, shape);
            script += &chain::triggers(self.service, table, shape)?;
            script += &publish::triggers(self.service, table, shape)?;
            script += &history::triggers(self.service, table, shape)?;
            script += &refs::triggers(self.service, table, shape, self.contracts)?;
        }
        script += &copies::install(self.service, self.names, self.contracts, shapes)?;
        script += &refs::dangling_view(self.service, shapes, self.contracts)?;
        script += &publish::event_types(self.service);
        script += &policies::install(self.names);
        script += &policies::issuer(self.auth);
        script += &grants::install(self.service, self.names);
        script += &streams::install(self.service, self.names);
        Ok(self.place(&script).into_owned())
    }

    /// Statements name the library's schema `freehold`; in the `schema` placement it is called otherwise.
    fn place<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        crate::pg::place(sql, &self.names.freehold)
    }

    async fn shapes(&self, client: &Client) -> Result<catalog::Catalog, Error> {
        Ok(catalog::read_within(client, &self.names.schema).await?)
    }

    /// Which tables the manifest's names mean: one that a migration drops and makes anew has lost its triggers.
    async fn tables(&self, client: &Client) -> Result<String, Error> {
        let names: Vec<&str> = self.service.owns.iter().map(|table| table.name.as_str()).collect();
        let row = client
            .query_one(
                "select coalesce(string_agg(c.oid::text, ' ' order by c.relname), '')
                   from pg_class c
                   join pg_namespace n on n.oid = c.relnamespace
                  where n.nspname = $1
                    and c.relname = any ($2::text[])",
                &[&self.names.schema, &names],
            )
            .await?;
        Ok(row.get(0))
    }

    async fn installed(&self, client: &Client) -> Result<Option<String>, Error> {
        let there = client
            .query_one(
                "select to_regclass($1::text || '.installation') is not null",
                &[&ident::quote(&self.names.freehold)],
            )
            .await?;
        if !there.get::<_, bool>(0) {
            return Ok(None);
        }
        let row = client
            .query_opt(&*self.place("select fingerprint from freehold.installation"), &[])
            .await?;
        Ok(row.map(|r| r.get(0)))
    }

    /// Drops every trigger and policy an earlier installation made; the script makes the ones that are wanted.
    async fn drop_stale(&self, client: &Client) -> Result<(), Error> {
        let rows = client
            .query(
                "select 'policy', c.relname::text, p.polname::text
                   from pg_policy p
                   join pg_class c on c.oid = p.polrelid
                   join pg_namespace n on n.oid = c.relnamespace
                  where n.nspname = $1
                    and p.polname like 'freehold\\_%'
                    and p.polname <> 'freehold_history'
                  union all
                 select 'trigger', c.relname::text, t.tgname::text
                   from pg_trigger t
                   join pg_class c on c.oid = t.tgrelid
                   join pg_namespace n on n.oid = c.relnamespace
                  where n.nspname = $1
                    and t.tgname like 'freehold\\_%'
                    and not t.tgisinternal",
                &[&self.names.schema],
            )
            .await?;
        let drops: String = rows
            .iter()
            .map(|row| {
                let (what, table, name): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
                let table = ident::qualified(&self.names.schema, table);
                format!("drop {what} {} on {table};\n", ident::quote(name))
            })
            .collect();
        client.batch_execute(&drops).await?;
        Ok(())
    }
}

/// The text by which a row of this table is known outside: its key as text, or a JSON array of several.
pub(crate) fn key_text(row: &str, key: &[String]) -> String {
    match key {
        [single] => format!("{row}.{}::text", ident::quote(single)),
        several => {
            let parts: Vec<String> = several.iter().map(|c| format!("{row}.{}", ident::quote(c))).collect();
            format!("json_build_array({})::text", parts.join(", "))
        }
    }
}

/// The name of what belongs to a table: `apply_products`. PostgreSQL would cut a longer one, and two might become one.
pub(crate) fn derived(what: &str, table: &str) -> String {
    let name = format!("{what}_{table}");
    if name.len() <= NAME_MAX {
        return name;
    }
    let digest = &hex::encode(Sha256::digest(table))[..DIGEST];
    format!("{}_{digest}", &name[..name.floor_char_boundary(NAME_MAX - DIGEST - 1)])
}

/// Settings under which a value has one text, whatever the session of its writer says: [`SHOWN`] for a function.
fn shown() -> String {
    SHOWN.map(|setting| format!(" set {setting}")).concat()
}

/// For the rest of a transaction: a value has one text, whatever the session says.
#[must_use]
pub fn shown_locally() -> String {
    SHOWN.map(|setting| format!("set local {setting};")).concat()
}

/// A trigger function that runs as the owner, whoever writes.
fn trigger_function(name: &str, declare: &str, body: &str) -> String {
    let declare = match declare {
        "" => String::new(),
        some => format!("declare\n  {some}\n"),
    };
    format!(
        "create or replace function freehold.{name}() returns trigger\n\
         language plpgsql security definer set search_path = pg_catalog, pg_temp{shown}\n\
         as $freehold$\n{declare}begin\n{body}end\n$freehold$;\n",
        name = ident::quote(name),
        shown = shown(),
    )
}
