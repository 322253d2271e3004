//! The administrator's connections, opened when first needed.

use super::cluster::Cluster;
use super::error::Error;
use std::collections::BTreeMap;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

/// Connects and keeps the connection running until the client is dropped.
pub(crate) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // The client's next call tells of it.
        let _ = connection.await;
    });
    Ok(client)
}

/// What PostgreSQL said, with its code; never a statement or its values.
pub(crate) fn told(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// The administrator on one server.
pub(super) struct Session<'a> {
    pub(super) cluster: &'a Cluster,
    clients: BTreeMap<String, Client>,
}

/// What became of an attempt to enter a database.
pub(super) enum Entry {
    Open,
    /// It does not exist, or takes no connections yet.
    Closed(tokio_postgres::Error),
}

impl<'a> Session<'a> {
    pub(super) fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            clients: BTreeMap::new(),
        }
    }

    /// Connects to `database` if that can be.
    pub(super) async fn enter(&mut self, database: &str) -> Result<Entry, Error> {
        if self.clients.get(database).is_some_and(|c| !c.is_closed()) {
            return Ok(Entry::Open);
        }
        match connect(&self.cluster.admin(database)).await {
            Ok(client) => {
                self.clients.insert(database.to_owned(), client);
                Ok(Entry::Open)
            }
            Err(source) => match source.code() {
                Some(&SqlState::INVALID_CATALOG_NAME | &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => {
                    Ok(Entry::Closed(source))
                }
                _ => Err(self.unreachable(database, source)),
            },
        }
    }

    /// The rows of a query. The database must be entered first; one that is not has none.
    pub(super) async fn rows(&self, database: &str, query: &str) -> Result<Vec<SimpleQueryRow>, Error> {
        let Some(client) = self.clients.get(database) else {
            return Ok(Vec::new());
        };
        let messages = client
            .simple_query(query)
            .await
            .map_err(|source| self.refused(database, query, source))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The first column of each row.
    pub(super) async fn texts(&self, database: &str, query: &str) -> Result<Vec<String>, Error> {
        let rows = self.rows(database, query).await?;
        let text = |row: &SimpleQueryRow| row.get(0).map(str::to_owned);
        Ok(rows.iter().filter_map(text).collect())
    }

    /// Whether a condition holds. One about something that does not exist does not hold.
    pub(super) async fn holds(&self, database: &str, condition: &str) -> Result<bool, Error> {
        match self.texts(database, &format!("select {condition}")).await {
            Ok(texts) => Ok(texts.first().is_some_and(|text| text == "t")),
            Err(Error::Refused { source, .. })
                if matches!(
                    source.code(),
                    Some(&SqlState::UNDEFINED_OBJECT | &SqlState::INVALID_SCHEMA_NAME)
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs a statement; `shown` is its text without secrets.
    pub(super) async fn run(&mut self, database: &str, text: &str, shown: &str) -> Result<(), Error> {
        if let Entry::Closed(source) = self.enter(database).await? {
            return Err(self.unreachable(database, source));
        }
        let Some(client) = self.clients.get(database) else {
            return Ok(());
        };
        client
            .batch_execute(text)
            .await
            .map_err(|source| self.refused(database, shown, source))
    }

    fn refused(&self, database: &str, shown: &str, source: tokio_postgres::Error) -> Error {
        Error::Refused {
            cluster: self.cluster.name.clone(),
            database: database.to_owned(),
            statement: shown.to_owned(),
            source,
        }
    }

    fn unreachable(&self, database: &str, source: tokio_postgres::Error) -> Error {
        Error::Connect {
            cluster: self.cluster.name.clone(),
            database: database.to_owned(),
            source,
        }
    }
}
