//! The last stop: the order service's own credentials at the product service's door.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use crate::screen::Screen;

/// How long a server may take to say yes or no; it is on this machine or next to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose credentials are tried, and where they must not work.
#[derive(Debug, clap::Args)]
pub struct Wall {
    /// The order service's own database with its own credentials; without it, the last stop is left out
    #[arg(
        long = "order-database",
        env = "FREEHOLD_ORDER_DATABASE_URL",
        hide_env_values = true,
        value_name = "POSTGRES_URL"
    )]
    own: Option<SecretUrl>,
    /// The database they must not open
    #[arg(
        long = "product-database",
        env = "FREEHOLD_TOUR_PRODUCT_DATABASE",
        default_value = "shop_product",
        value_name = "NAME"
    )]
    other: String,
}

/// A URL with a password in it: never printed, not even when it cannot be read.
#[derive(Clone)]
struct SecretUrl(String);

impl Wall {
    /// Opens the order service's own database, to show that the credentials are right, and then tries the other one.
    ///
    /// # Errors
    /// When the first does not open, the second does, or it stays shut for any reason but a refusal.
    pub(super) async fn attempt(&self, screen: &mut Screen) -> Result<()> {
        screen.stop("The order service's password opens its own database, and not the one next to it.");
        let Some(SecretUrl(own)) = &self.own else {
            screen
                .refusal("left out: set FREEHOLD_ORDER_DATABASE_URL to the order service's postgres:// URL to see it");
            return Ok(());
        };
        // The error's own text may quote the URL.
        let Ok(own) = own.parse::<Config>() else {
            bail!("FREEHOLD_ORDER_DATABASE_URL is not a URL like postgres://user:password@host:port/database");
        };
        let user = own.get_user().unwrap_or_default();
        let own_name = own.get_dbname().unwrap_or(user);

        screen.command(&format!("psql -U {user} -d {own_name} -c 'select 1'"));
        open(&own)
            .await
            .with_context(|| format!("{user} should be able to open {own_name}"))?;
        screen.note("opens");

        let mut other = own.clone();
        other.dbname(&self.other);
        screen.command(&format!("psql -U {user} -d {} -c 'select 1'", self.other));
        match open(&other).await {
            Ok(()) => bail!(
                "{user} could open {}: the wall has a hole, see `freehold check systems/shop`",
                self.other
            ),
            Err(error) if is_refusal(&error) => {
                screen.refusal(&format!("PostgreSQL: {}", reason(&error)));
                Ok(())
            }
            Err(error) => bail!("{} stayed shut, but not by a refusal: {}", self.other, reason(&error)),
        }
    }
}

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

/// Connects and runs one statement.
async fn open(config: &Config) -> Result<(), tokio_postgres::Error> {
    let mut config = config.clone();
    config.connect_timeout(CONNECT_TIMEOUT);
    let (client, connection) = config.connect(NoTls).await?;
    let connection = tokio::spawn(connection);
    let answer = client.simple_query("select 1").await.map(drop);
    drop(client);
    // The connection ends when its client is gone; how it ended says nothing that the answer did not.
    let _ = connection.await;
    answer
}

/// Whether the server itself said no: by privilege, or by a rule of pg_hba.conf.
///
/// A wrong password and a missing database are not refusals of this kind: they would prove nothing about the wall.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let refusals = [
        &SqlState::INSUFFICIENT_PRIVILEGE,
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    ];
    error.code().is_some_and(|code| refusals.contains(&code))
}

/// What the server said; never contains the password.
fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => match said.detail() {
            Some(detail) => format!("{}. {detail}", said.message()),
            None => said.message().to_owned(),
        },
        None => error.to_string(),
    }
}
