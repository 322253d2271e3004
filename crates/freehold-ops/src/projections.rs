//! Projections as their services keep them, and the order to rebuild one.

use anyhow::{Result, bail};
use serde::Serialize;
use tokio_postgres::Row;

use crate::events::Database;

/// A projection and how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct Projection {
    /// The service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// `with_append` or `after_append`.
    pub timing: String,
    /// `empty` until a `with_append` projection has been built for the first time, then `live`.
    pub state: String,
    /// `streams` or `log`.
    pub follows: String,
    /// The streams, or the topics.
    pub sources: Vec<String>,
    /// Events that readers do not see in it yet, those of others counted.
    pub behind: i64,
    /// The rebuild under way.
    pub rebuild: Option<Rebuild>,
    /// Why it stands still.
    pub error: Option<String>,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuild {
    /// Events folded, those of others counted.
    pub position: i64,
    /// Events that there are.
    pub of: i64,
    /// Seconds since it was ordered.
    pub age_s: f64,
}

impl Projection {
    fn of(service: &str, row: &Row) -> Result<Self> {
        let rebuild = match row.try_get::<_, Option<i64>>(7)? {
            None => None,
            Some(position) => Some(Rebuild {
                position,
                of: row.try_get(5)?,
                age_s: row.try_get(8)?,
            }),
        };
        Ok(Self {
            service: service.to_owned(),
            name: row.try_get(0)?,
            timing: row.try_get(1)?,
            state: row.try_get(2)?,
            follows: row.try_get(9)?,
            sources: row.try_get(3)?,
            behind: row.try_get(6)?,
            rebuild,
            error: row.try_get(4)?,
        })
    }

    /// Whether it needs somebody.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.error.is_some()
    }
}

/// Lists a service's projections by name.
///
/// # Errors
/// As [`Database::rows`].
pub async fn list(database: &Database) -> Result<Vec<Projection>> {
    let rows = database
        .rows(
            "select p.name, p.timing, p.state, p.sources, p.error, h.position,
                    case p.timing when 'with_append' then 0 else h.position - live.position end,
                    shadow.position,
                    extract(epoch from clock_timestamp() - shadow.begun_at)::float8,
                    p.follows
             from freehold.projection p
             join (select 'streams', s.position from freehold.stream_head s
                   union all select 'log', l.position from freehold.log_head l) h(follows, position) using (follows)
             join freehold.checkpoint live on (live.projection, live.generation) = (p.name, 'live')
             left join freehold.checkpoint shadow on (shadow.projection, shadow.generation) = (p.name, 'shadow')
             order by p.name",
            &[],
        )
        .await?;
    rows.iter().map(|row| Projection::of(&database.service, row)).collect()
}

/// Orders a rebuild; the service carries it out. One that is under way begins anew.
///
/// # Errors
/// When there is no such projection, and as [`Database::row`].
pub async fn rebuild(database: &Database, name: &str) -> Result<()> {
    let known = list(database).await?;
    if !known.iter().any(|projection| projection.name == name) {
        let names: Vec<&str> = known.iter().map(|projection| projection.name.as_str()).collect();
        match names.is_empty() {
            true => bail!("{} has no projections", database.service),
            false => bail!(
                "{} has no projection {name}: it has {}",
                database.service,
                names.join(", ")
            ),
        }
    }
    database.row("select freehold.begin_rebuild($1)", &[&name]).await?;
    Ok(())
}
