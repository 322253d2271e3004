//! What is missing, said or done.

use super::cluster::Clusters;
use super::databases::{self, Database};
use super::error::Error;
use super::notes::{self, Note};
use super::session::{Entry, Session};
use super::sql::literal;
use super::statement::Statement;
use super::{roles, schemas, server, strays};
use crate::secrets::{Login, Secret, Secrets, is_verifier_of, verifier_of};
use freehold_manifest::model::{Placement, Service, System};
use freehold_manifest::names::Names;
use std::collections::BTreeMap;
use std::fmt;

/// A waiting second provisioner gives up after this long; the first one takes seconds.
const LOCK_WAIT: &str = "60s";
/// The advisory lock of provisioning in the administrator's database: "freehold" in ASCII, cut to 63 bits.
const LOCK: i64 = 0x6672_6565_686f_6c64;

/// What brings the catalogue to the manifest.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order they run; empty if nothing is missing.
    pub statements: Vec<Statement>,
    /// What a person should know.
    pub notes: Vec<Note>,
}

/// The SQL of a dry run, ready to be pasted, without secrets.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut place = None;
        for statement in &self.statements {
            let here = Some((&statement.cluster, &statement.database));
            if place != here {
                let (cluster, database) = (&statement.cluster, &statement.database);
                writeln!(f, "-- {cluster}, database {database}")?;
                place = here;
            }
            writeln!(f, "{statement}")?;
        }
        Ok(())
    }
}

/// What [`apply`] would do; changes nothing.
///
/// # Errors
/// [`Error::Connect`], [`Error::OldServer`], [`Error::Powerless`], [`Error::NoCluster`], [`Error::Secrets`].
pub async fn plan(system: &System, clusters: &Clusters, secrets: &BTreeMap<String, Secrets>) -> Result<Plan, Error> {
    walk(system, clusters, secrets, Mode::Look).await
}

/// Brings databases, roles and schemas to the manifest; the plan that is returned has been done.
///
/// Each statement stands alone: if it dies in between, the next call does the rest. A database lets nobody connect
/// before its privileges are right. Afterwards give [`access_of`](super::access_of) to a private server.
///
/// # Errors
/// As [`plan`], and [`Error::Refused`], [`Error::Extension`].
pub async fn apply(system: &System, clusters: &Clusters, secrets: &BTreeMap<String, Secrets>) -> Result<Plan, Error> {
    walk(system, clusters, secrets, Mode::Do).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Look,
    Do,
}

async fn walk(
    system: &System,
    clusters: &Clusters,
    secrets: &BTreeMap<String, Secrets>,
    mode: Mode,
) -> Result<Plan, Error> {
    for service in &system.services {
        clusters.of(&service.name)?;
    }
    let mut plan = Plan::default();
    for (cluster, services) in clusters.each(&system.services) {
        let mut walk = Walk {
            system,
            session: Session::new(cluster),
            mode,
            plan: &mut plan,
        };
        walk.cluster(&services, secrets).await?;
    }
    Ok(plan)
}

/// One server's turn.
struct Walk<'a> {
    system: &'a System,
    session: Session<'a>,
    mode: Mode,
    plan: &'a mut Plan,
}

impl Walk<'_> {
    async fn cluster(&mut self, services: &[&Service], secrets: &BTreeMap<String, Secrets>) -> Result<(), Error> {
        let cluster = self.session.cluster;
        let home = cluster.home();
        if let Entry::Closed(source) = self.session.enter(home).await? {
            return Err(Error::Connect {
                cluster: cluster.name.clone(),
                database: home.to_owned(),
                source,
            });
        }
        let version = server::version(&self.session).await?;
        server::require_power(&self.session).await?;
        if self.mode == Mode::Do {
            // Ends with the session. Two provisioners at once would both create.
            let lock = format!("set lock_timeout = '{LOCK_WAIT}'; select pg_advisory_lock({LOCK})");
            self.session.run(home, &lock, &lock).await?;
        }
        let names: Vec<Names> = services.iter().map(|s| Names::of(self.system, s)).collect();
        let placement = self.system.postgres.placement;
        let databases = Database::list(&self.system.name, placement, &names);

        if placement == Placement::Schema {
            for database in &databases {
                self.all(home, roles::owner(&database.owner)).await?;
            }
        }
        for (service, names) in services.iter().zip(&names) {
            self.all(home, roles::of_service(names)).await?;
            for login in Login::ALL {
                let missing = || crate::secrets::Error::Missing {
                    service: service.name.clone(),
                    what: login.word(),
                    variable: crate::secrets::password_variable(&service.name, login),
                };
                let known = secrets.get(&service.name).ok_or_else(missing)?;
                self.password(home, login.role(names), known.password(login)?).await?;
            }
        }
        let found = strays::memberships(&self.session, &names, version).await?;
        self.all(home, found).await?;
        self.all(home, databases::common(cluster.hold)).await?;
        for database in &databases {
            self.database(database, &names, placement).await?;
        }
        let found = notes::of_cluster(&self.session, self.system, &databases).await?;
        self.plan.notes.extend(found);
        Ok(())
    }

    async fn database(&mut self, database: &Database, all: &[Names], placement: Placement) -> Result<(), Error> {
        let home = self.session.cluster.home();
        self.all(home, databases::closed(database)).await?;
        let found = strays::on_database(&self.session, database, all).await?;
        self.all(home, found).await?;
        self.all(home, vec![databases::open(database)]).await?;
        for names in &database.services {
            self.all(home, roles::settings(names)).await?;
        }
        let inside = schemas::of_database(database, placement);
        if let Entry::Closed(_) = self.session.enter(&database.name).await? {
            // Looking only, and it is not there yet: all of it is missing.
            for statement in inside {
                self.push(statement, &database.name);
            }
            return Ok(());
        }
        if let Some(extension) = strays::extension(&self.session, database).await? {
            return Err(Error::Extension {
                database: database.name.clone(),
                extension,
            });
        }
        self.all(&database.name, inside).await?;
        for names in &database.services {
            let found = strays::in_database(&self.session, database, names, all).await?;
            self.all(&database.name, found).await?;
        }
        let found = strays::ways_out(&self.session, database).await?;
        self.all(&database.name, found).await?;
        tracing::debug!(database = %database.name, "database is provisioned");
        Ok(())
    }

    /// Those of the statements that have something to do.
    async fn all(&mut self, database: &str, statements: Vec<Statement>) -> Result<(), Error> {
        for statement in statements {
            let done = statement.unless();
            if done != "false" && self.session.holds(database, done).await? {
                continue;
            }
            if self.mode == Mode::Do {
                let (run, shown) = (statement.run().to_owned(), statement.text.clone());
                self.session.run(database, &run, &shown).await?;
            }
            self.push(statement, database);
        }
        Ok(())
    }

    fn push(&mut self, statement: Statement, database: &str) {
        let statement = statement.at(&self.session.cluster.name, database);
        self.plan.statements.push(statement);
    }

    /// Sets a role's password if the server has no verifier of it. Only a superuser can see that; anyone else sets it
    /// each time, which changes nothing for those who know the password.
    async fn password(&mut self, home: &str, role: &str, password: &Secret) -> Result<(), Error> {
        let query = format!(
            "select coalesce(rolpassword, '') from pg_authid where rolname = {}",
            literal(role)
        );
        if server::is_superuser(&self.session).await? {
            let kept = self.session.texts(home, &query).await?;
            if kept.first().is_some_and(|kept| is_verifier_of(kept, password)) {
                return Ok(());
            }
        }
        let statement = Statement::password(role, &verifier_of(password));
        self.all(home, vec![statement]).await
    }
}
