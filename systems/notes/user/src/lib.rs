//! What the user service does besides serving its table: a profile comes with its account, and goes with it.

use freehold::{Event, Result, Service, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The service, its settings read from the environment.
///
/// # Errors
/// [`freehold::Error::Setting`] names a variable that is missing.
pub fn service() -> Result<Service> {
    Ok(behaving(Service::open(include_str!("../freehold.toml"))?))
}

/// Adds to a service what this one does.
#[must_use]
pub fn behaving(service: Service) -> Service {
    service.on(make_profile).on(forget_profile)
}

/// An account was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Registered {
    /// The account.
    pub subject: Uuid,
}

/// An account is gone.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deleted {
    /// The account.
    pub subject: Uuid,
}

impl Event for Registered {
    const NAME: &'static str = "auth.registered";
}

impl Event for Deleted {
    const NAME: &'static str = "auth.deleted";
}

async fn make_profile(event: Registered, tx: &mut Tx) -> Result<()> {
    tx.execute(
        "insert into users (id)
         values ($1)
         on conflict (id) do nothing",
        &[&event.subject],
    )
    .await?;
    Ok(())
}

/// Whoever keeps a copy hears of it by the row's own event: the notes service takes the notes away.
async fn forget_profile(event: Deleted, tx: &mut Tx) -> Result<()> {
    tx.execute("delete from users where id = $1", &[&event.subject]).await?;
    Ok(())
}
