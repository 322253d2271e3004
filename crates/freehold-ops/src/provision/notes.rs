//! What provisioning leaves alone and says.

use super::cluster::{Cluster, Hold};
use super::databases::Database;
use super::error::Error;
use super::session::Session;
use super::sql::literal;
use freehold_manifest::model::{Placement, System};
use std::fmt;

/// Something provisioning leaves alone and says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The database or schema of a service the manifest no longer has. Its data are kept.
    Left {
        /// The server.
        cluster: String,
        /// What is left: `database shop_invoice`.
        what: String,
    },
    /// A database of a foreign server that lets everyone connect.
    Open {
        /// The server.
        cluster: String,
        /// The database.
        database: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left { cluster, what } => write!(
                f,
                "{cluster} still has {what}, which no service of the manifest owns; its data are kept, drop it yourself when you no longer need them"
            ),
            Self::Open { cluster, database } => write!(
                f,
                "database {database} of {cluster} lets every role connect; if nobody needs that, run `revoke all on database \"{database}\" from public`"
            ),
        }
    }
}

/// The notes on one server.
pub(super) async fn of_cluster(
    session: &Session<'_>,
    system: &System,
    databases: &[Database],
) -> Result<Vec<Note>, Error> {
    let mut notes = open(session).await?;
    notes.extend(left(session, system, databases).await?);
    Ok(notes)
}

async fn open(session: &Session<'_>) -> Result<Vec<Note>, Error> {
    let Cluster { name, hold, .. } = session.cluster;
    if *hold == Hold::Private {
        return Ok(Vec::new());
    }
    let query = "select datname from pg_database d \
                 where datname in ('template1', 'postgres') and exists ( \
                   select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a \
                   where a.grantee = 0 and a.privilege_type = 'CONNECT') order by 1";
    let found = session.texts(session.cluster.home(), query).await?;
    let note = |database| Note::Open {
        cluster: name.clone(),
        database,
    };
    Ok(found.into_iter().map(note).collect())
}

/// Whatever is named as the system's own would be, and is not in the manifest.
async fn left(session: &Session<'_>, system: &System, databases: &[Database]) -> Result<Vec<Note>, Error> {
    let prefix = literal(&format!("{}_", system.name));
    let query = format!("select datname from pg_database where starts_with(datname::text, {prefix}) order by 1");
    let mut left: Vec<String> = session
        .texts(session.cluster.home(), &query)
        .await?
        .into_iter()
        .filter(|name| !databases.iter().any(|d| d.name == *name))
        .map(|name| format!("database {name}"))
        .collect();
    if system.postgres.placement == Placement::Schema {
        for database in databases {
            left.extend(left_schemas(session, database, &prefix).await?);
        }
    }
    let note = |what| Note::Left {
        cluster: session.cluster.name.clone(),
        what,
    };
    Ok(left.into_iter().map(note).collect())
}

async fn left_schemas(session: &Session<'_>, database: &Database, prefix: &str) -> Result<Vec<String>, Error> {
    let query = format!("select nspname from pg_namespace where starts_with(nspname::text, {prefix}) order by 1");
    let mut found = session.texts(&database.name, &query).await?;
    found.retain(|name| {
        let mut services = database.services.iter();
        !services.any(|n| [&n.schema, &n.freehold, &n.shadow].contains(&name))
    });
    let place = |name| format!("schema {name} in database {}", database.name);
    Ok(found.into_iter().map(place).collect())
}
