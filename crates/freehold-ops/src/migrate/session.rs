//! The connection a service is migrated over: as its migrator, in the role of its owner, one runner at a time.

use super::apply::{Limits, Progress};
use super::error::{Error, Result};
use freehold::pg::ident::quote;
use futures_util::TryStreamExt;
use std::future::poll_fn;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, SimpleQueryMessage, Socket};

/// How often a runner that waits for another looks again. It asks instead of queueing: a statement that waits holds
/// a snapshot, and the other's `create index concurrently` would wait for it for ever.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One service's database, and who migrates it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The service's name, for messages.
    pub service: String,
    /// How its migrator connects.
    pub config: Config,
    /// The role that owns its objects; the migrator may become it.
    pub owner: String,
    /// The schema of its tables; what a migration names without a schema is created there.
    pub schema: String,
    /// The schema of the library's tables; the table `migration` is kept there.
    pub freehold_schema: String,
}

/// An open connection of a target.
pub(super) struct Session<'a> {
    pub(super) target: &'a Target,
    pub(super) client: Client,
}

impl<'a> Session<'a> {
    /// Connects as the migrator, becomes the owner, and makes sure that the schema is there.
    pub(super) async fn open(target: &'a Target) -> Result<Self> {
        let mut config = target.config.clone();
        config.application_name(format!("freehold migrate {}", target.service));
        let opened = config.connect(NoTls).await;
        let (client, connection) = opened.map_err(|e| broken(target, e))?;
        tokio::spawn(drive(target.service.clone(), connection));
        let session = Self { target, client };
        session.reset().await?;
        if !session.has_schema(&target.schema).await? {
            return Err(Error::NoSchema {
                service: target.service.clone(),
                schema: target.schema.clone(),
            });
        }
        Ok(session)
    }

    /// Takes back whatever a file has set, and sets what every file may rely on.
    pub(super) async fn reset(&self) -> Result<()> {
        let (owner, schema) = (quote(&self.target.owner), quote(&self.target.schema));
        self.run(&format!(
            "reset all;\nset role {owner};\nset search_path = {schema};\nset statement_timeout = 0;\n\
             set idle_in_transaction_session_timeout = 0;"
        ))
        .await
    }

    /// Becomes the owner again, inside a file's transaction.
    pub(super) async fn reset_role(&self) -> Result<(), tokio_postgres::Error> {
        let sql = format!("set role {}", quote(&self.target.owner));
        self.client.batch_execute(&sql).await
    }

    /// The invalid indexes of the service's schema, quoted; none if they cannot be read.
    pub(super) async fn invalid_indexes(&self) -> Vec<String> {
        let found = self
            .client
            .query(
                "select format('%I.%I', n.nspname, c.relname)
                   from pg_index i
                   join pg_class c on c.oid = i.indexrelid
                   join pg_namespace n on n.oid = c.relnamespace
                  where not i.indisvalid
                    and c.relkind = 'i'
                    and n.nspname = $1
                  order by 1",
                &[&self.target.schema],
            )
            .await;
        found.unwrap_or_default().iter().map(|row| row.get(0)).collect()
    }

    /// Whether a schema exists.
    pub(super) async fn has_schema(&self, name: &str) -> Result<bool> {
        let found = self
            .client
            .query_opt("select from pg_namespace where nspname = $1", &[&name])
            .await;
        Ok(found.map_err(|e| self.broken(e))?.is_some())
    }

    /// Runs statements of our own.
    pub(super) async fn run(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(|e| self.broken(e))
    }

    /// Runs statements of a file; on failure also tells how many of them had run before.
    pub(super) async fn run_file(&self, sql: &str) -> Result<(), (usize, tokio_postgres::Error)> {
        let mut ran = 0;
        let answers = self.client.simple_query_raw(sql).await;
        let mut answers = std::pin::pin!(answers.map_err(|e| (ran, e))?);
        loop {
            match answers.try_next().await {
                Ok(Some(SimpleQueryMessage::CommandComplete(_))) => ran += 1,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(e) => return Err((ran, e)),
            }
        }
    }

    /// Becomes the only runner on this schema, waiting for another one within the limits.
    pub(super) async fn be_alone(
        &self,
        limits: &Limits,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<()> {
        let since = Instant::now();
        let mut told = false;
        while !self.try_lock().await? {
            let holder = self.holder().await?;
            if since.elapsed() >= limits.runner_wait {
                return Err(Error::Busy {
                    service: self.target.service.clone(),
                    holder,
                    seconds: limits.runner_wait.as_secs(),
                });
            }
            if !told {
                progress(Progress::Waiting {
                    service: &self.target.service,
                    holder: &holder,
                });
                told = true;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The lock belongs to the session: it goes with the connection, however that ends.
    async fn try_lock(&self) -> Result<bool> {
        let locked = self
            .client
            .query_one(
                "select pg_try_advisory_lock(hashtextextended($1, 0))",
                &[&self.lock_name()],
            )
            .await;
        Ok(locked.map_err(|e| self.broken(e))?.get(0))
    }

    async fn holder(&self) -> Result<String> {
        let found = self
            .client
            .query_opt(
                "select format('process %s (%s)', a.pid, a.application_name)
                   from pg_locks l
                   join pg_stat_activity a using (pid)
                  where l.locktype = 'advisory'
                    and l.granted
                    and l.objsubid = 1
                    and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($1, 0)
                    and l.database = (select oid from pg_database where datname = current_database())",
                &[&self.lock_name()],
            )
            .await;
        Ok(found
            .map_err(|e| self.broken(e))?
            .map_or_else(|| "another runner".to_owned(), |row| row.get(0)))
    }

    /// Advisory locks are per database; the schema tells services of one database apart.
    fn lock_name(&self) -> String {
        format!("freehold migrate {}", self.target.schema)
    }

    /// Our error for one of the driver's.
    pub(super) fn broken(&self, source: tokio_postgres::Error) -> Error {
        broken(self.target, source)
    }
}

fn broken(target: &Target, source: tokio_postgres::Error) -> Error {
    Error::Connection {
        service: target.service.clone(),
        source,
    }
}

/// Moves the connection, and passes on what migrations say (`raise notice`).
async fn drive(service: String, mut connection: Connection<Socket, NoTlsStream>) {
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if notice.severity() == "WARNING" => {
                tracing::warn!(service, "{}", notice.message());
            }
            Ok(AsyncMessage::Notice(notice)) => {
                tracing::debug!(service, "{}", notice.message());
            }
            Ok(_) => {}
            // The statement that runs fails with it.
            Err(_) => return,
        }
    }
}
