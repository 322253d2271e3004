//! The databases: closed while they are made, then open to their own roles and nobody else.

use super::cluster::Hold;
use super::sql::{identifier, literal};
use super::statement::Statement;
use freehold_manifest::model::Placement;
use freehold_manifest::names::Names;

/// A database and who belongs in it.
pub(super) struct Database {
    pub(super) name: String,
    pub(super) owner: String,
    /// The services whose tables it holds.
    pub(super) services: Vec<Names>,
}

impl Database {
    /// The databases of these services on one server.
    pub(super) fn list(system: &str, placement: Placement, services: &[Names]) -> Vec<Self> {
        match placement {
            Placement::Server | Placement::Database => services
                .iter()
                .map(|names| Self {
                    name: names.database.clone(),
                    owner: names.owner.clone(),
                    services: vec![names.clone()],
                })
                .collect(),
            Placement::Schema => vec![Self {
                name: system.to_owned(),
                owner: format!("{system}_owner"),
                services: services.to_vec(),
            }],
        }
    }

    /// The roles that may connect.
    pub(super) fn guests(&self) -> Vec<&str> {
        self.services
            .iter()
            .flat_map(|n| [n.migrator.as_str(), n.app.as_str(), n.reader.as_str()])
            .collect()
    }
}

/// Makes the database, closed: `template0` brings nobody's objects, and between the creation and the last grant no one
/// gets in.
pub(super) fn closed(database: &Database) -> Vec<Statement> {
    let name = identifier(&database.name);
    let owner = identifier(&database.owner);
    let mut wanted = vec![
        Statement::new(
            format!("create database {name} template template0 encoding 'UTF8' owner {owner} allow_connections false"),
            database_is(&database.name, "true"),
        ),
        Statement::new(
            format!("alter database {name} owner to {owner}"),
            format!(
                "not exists (select from pg_database where datname = {} and pg_get_userbyid(datdba) <> {})",
                literal(&database.name),
                literal(&database.owner)
            ),
        ),
        without_public(&database.name),
    ];
    // CONNECT and nothing else: no TEMP, so nobody can put a temporary table before a real one.
    wanted.extend(database.guests().iter().map(|role| {
        Statement::new(
            format!("grant connect on database {name} to {}", identifier(role)),
            database_is(
                &database.name,
                &format!(
                    "exists (select from aclexplode(datacl) a \
                     where a.privilege_type = 'CONNECT' and a.grantee = (select oid from pg_roles where rolname = {}))",
                    literal(role)
                ),
            ),
        )
    }));
    wanted
}

/// Opens it.
pub(super) fn open(database: &Database) -> Statement {
    Statement::new(
        format!("alter database {} allow_connections true", identifier(&database.name)),
        database_is(&database.name, "datallowconn"),
    )
}

/// The databases every server has: on ours, nobody but the administrator has business there.
pub(super) fn common(hold: Hold) -> Vec<Statement> {
    match hold {
        Hold::Private => vec![without_public("template1"), without_public("postgres")],
        Hold::Foreign => Vec::new(),
    }
}

fn without_public(database: &str) -> Statement {
    Statement::new(
        format!("revoke all on database {} from public", identifier(database)),
        format!(
            "not exists (select from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a \
             where d.datname = {} and a.grantee = 0) and {}",
            literal(database),
            database_is(database, "true")
        ),
    )
}

fn database_is(database: &str, condition: &str) -> String {
    format!(
        "exists (select from pg_database where datname = {} and {condition})",
        literal(database)
    )
}
