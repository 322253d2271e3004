//! Walls opened on purpose: a green matrix proves nothing until the same attacks find these.

use super::error::Error;
use super::verify::word;
use crate::postgres::AccessRule;
use crate::provision::{Clusters, connect, identifier, literal};
use freehold_manifest::model::{Mode, Placement, Service, System};
use freehold_manifest::names::Names;
use std::str::FromStr;
use tokio_postgres::Row;

/// An opened wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The attacker may connect to the victim's database and read its tables.
    GrantConnect,
    /// The attacker may become the victim's owner.
    GrantRole,
    /// The attacker may read the victim's tables in the shared database.
    GrantSelect,
    /// A service may change its own append-only tables.
    OwnAppendOnly,
    /// A service may create in its own schema while serving.
    GrantDdl,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::GrantConnect,
        Self::GrantRole,
        Self::GrantSelect,
        Self::OwnAppendOnly,
        Self::GrantDdl,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GrantConnect => "grant-connect",
            Self::GrantRole => "grant-role",
            Self::GrantSelect => "grant-select",
            Self::OwnAppendOnly => "own-append-only",
            Self::GrantDdl => "grant-ddl",
        }
    }

    /// Whether the placement has this wall.
    #[must_use]
    pub fn fits(self, placement: Placement) -> bool {
        match self {
            Self::GrantConnect => placement == Placement::Database,
            Self::GrantSelect => placement == Placement::Schema,
            Self::GrantRole => placement != Placement::Server,
            Self::OwnAppendOnly | Self::GrantDdl => true,
        }
    }
}

impl FromStr for Plant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|plant| plant.name() == name);
        found.ok_or_else(|| Error::UnknownPlant {
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// A wall that is open, and how it is closed again.
#[derive(Debug)]
pub struct Planted {
    service: String,
    undo: Vec<Step>,
    /// The rules a private server must have besides its own for the hole to lead anywhere.
    pub access: Vec<AccessRule>,
}

/// A statement of the administrator in one database.
#[derive(Debug)]
struct Step {
    database: String,
    text: String,
}

impl Planted {
    /// Closes the wall again.
    ///
    /// # Errors
    /// [`Error::Plant`]; call it again then.
    pub async fn undo(&self, clusters: &Clusters) -> Result<(), Error> {
        run(clusters, &self.service, &self.undo).await
    }
}

/// Opens a wall of `victim` to `attacker`; for a service's own walls give it twice.
///
/// # Errors
/// [`Error::NoWall`] if the placement has no such wall, [`Error::Plant`].
pub async fn plant(
    plant: Plant,
    system: &System,
    clusters: &Clusters,
    attacker: &Service,
    victim: &Service,
) -> Result<Planted, Error> {
    let placement = system.postgres.placement;
    if !plant.fits(placement) {
        return Err(Error::NoWall {
            plant: plant.name(),
            placement: word(placement),
        });
    }
    let (from, to) = (Names::of(system, attacker), Names::of(system, victim));
    let (open, undo) = match plant {
        Plant::GrantConnect => {
            let (mut open, mut undo) = select(&from, &to);
            let (database, app) = (identifier(&to.database), identifier(&from.app));
            open.push(step(&to, format!("grant connect on database {database} to {app}")));
            undo.push(step(&to, format!("revoke connect on database {database} from {app}")));
            (open, undo)
        }
        Plant::GrantSelect => select(&from, &to),
        Plant::GrantRole => {
            let (owner, app) = (identifier(&to.owner), identifier(&from.app));
            (
                vec![step(&to, format!("grant {owner} to {app}"))],
                vec![step(&to, format!("revoke {owner} from {app}"))],
            )
        }
        Plant::OwnAppendOnly => own_append_only(clusters, victim, &to).await?,
        Plant::GrantDdl => {
            let (schema, app) = (identifier(&to.schema), identifier(&to.app));
            (
                vec![step(&to, format!("grant create on schema {schema} to {app}"))],
                vec![step(&to, format!("revoke create on schema {schema} from {app}"))],
            )
        }
    };
    run(clusters, &victim.name, &open).await?;
    let rule = AccessRule {
        database: to.database.clone(),
        role: from.app.clone(),
    };
    Ok(Planted {
        service: victim.name.clone(),
        undo,
        access: if plant == Plant::GrantConnect {
            vec![rule]
        } else {
            Vec::new()
        },
    })
}

fn step(names: &Names, text: String) -> Step {
    Step {
        database: names.database.clone(),
        text,
    }
}

fn select(from: &Names, to: &Names) -> (Vec<Step>, Vec<Step>) {
    let (schema, app) = (identifier(&to.schema), identifier(&from.app));
    (
        vec![
            step(to, format!("grant usage on schema {schema} to {app}")),
            step(to, format!("grant select on all tables in schema {schema} to {app}")),
        ],
        vec![
            step(to, format!("revoke select on all tables in schema {schema} from {app}")),
            step(to, format!("revoke usage on schema {schema} from {app}")),
        ],
    )
}

async fn own_append_only(
    clusters: &Clusters,
    service: &Service,
    names: &Names,
) -> Result<(Vec<Step>, Vec<Step>), Error> {
    let (mut open, mut undo) = (Vec::new(), Vec::new());
    let app = identifier(&names.app);
    let histories = service.owns.iter().filter(|t| t.mode == Mode::AppendOnly);
    for table in histories {
        let name = format!("{}.{}", identifier(&names.schema), identifier(&table.name));
        open.push(step(names, format!("grant update on {name} to {app}")));
        undo.push(step(names, format!("revoke update on {name} from {app}")));
        // Each trigger comes back as it was: one that is ALWAYS on stays so.
        let triggers = format!(
            "select format('trigger %I', tgname), \
               case tgenabled when 'A' then 'enable always' when 'R' then 'enable replica' \
                 when 'D' then 'disable' else 'enable' end \
             from pg_trigger where tgrelid = {}::regclass and not tgisinternal",
            literal(&name)
        );
        for row in query(clusters, &service.name, &names.database, &triggers).await? {
            let (trigger, state): (String, String) = (row.get(0), row.get(1));
            open.push(step(names, format!("alter table {name} disable {trigger}")));
            undo.push(step(names, format!("alter table {name} {state} {trigger}")));
        }
    }
    Ok((open, undo))
}

async fn query(clusters: &Clusters, service: &str, database: &str, text: &str) -> Result<Vec<Row>, Error> {
    let failed = |source| Error::Plant {
        database: database.to_owned(),
        statement: text.to_owned(),
        source,
    };
    let config = clusters.of(service)?.admin(database);
    let admin = connect(&config).await.map_err(failed)?;
    admin.query(text, &[]).await.map_err(failed)
}

async fn run(clusters: &Clusters, service: &str, steps: &[Step]) -> Result<(), Error> {
    let cluster = clusters.of(service)?;
    for Step { database, text } in steps {
        let failed = |source| Error::Plant {
            database: database.clone(),
            statement: text.clone(),
            source,
        };
        let admin = connect(&cluster.admin(database)).await.map_err(failed)?;
        admin.batch_execute(text).await.map_err(failed)?;
    }
    Ok(())
}
