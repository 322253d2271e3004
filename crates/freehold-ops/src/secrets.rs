//! Passwords and tokens of the services: generated once, kept in one private file per service.
//!
//! `<system>/.freehold/secrets/<service>.json`, mode 0600, holds the passwords of the service's three login roles, the
//! tokens of its feeds, and a key of its own. [`ensure`] writes what is missing and keeps what is there; a service
//! process reads only its own file, with [`Secrets::open`]. The environment wins over the file and is never written
//! into it. No value here has a `Debug`, `Display` or serialized form that shows it.

mod error;
mod file;
mod scram;

use file::Stored;
use freehold_manifest::model::{Service, System};
use freehold_manifest::names::Names;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use error::Error;
pub use file::path_of;
pub use scram::{is_verifier_of, verifier_of};

/// 256 bits: beyond guessing, also offline against a stolen SCRAM verifier.
const SECRET_BYTES: usize = 32;

/// A password or token. Shown only by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Draws a new one from the operating system's random source.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system gives none.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|source| Error::Random { source })?;
        Ok(Self(hex::encode(bytes)))
    }

    /// The value itself: for a connection or a request header, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A role of a service that may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Login {
    /// Migrates: may become the owner.
    Migrator,
    /// Serves: the API and the handlers.
    App,
    /// Checks and backs up: reads only.
    Reader,
}

impl Login {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Migrator, Self::App, Self::Reader];

    /// The role's name in PostgreSQL.
    #[must_use]
    pub fn role(self, names: &Names) -> &str {
        match self {
            Self::Migrator => &names.migrator,
            Self::App => &names.app,
            Self::Reader => &names.reader,
        }
    }

    /// The word in the secrets file and, in capitals, in the environment.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Migrator => "migrator",
            Self::App => "app",
            Self::Reader => "reader",
        }
    }
}

/// The secrets of one service.
#[derive(Debug, Clone)]
pub struct Secrets {
    service: String,
    passwords: BTreeMap<Login, Secret>,
    key: Option<Secret>,
    feed: Feed,
}

/// The tokens of a service's feeds: one per producer and subscriber.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// The token by which each calling service is known here.
    pub accepts: BTreeMap<String, Secret>,
    /// The token to show to each producer.
    pub presents: BTreeMap<String, Secret>,
}

impl Secrets {
    /// The secrets of one service, from its file in state folder `dir` and the environment; creates nothing.
    ///
    /// A missing file is fine as long as the environment has what is asked for.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Damaged`], and [`Error::Exposed`] if others may read the file.
    pub fn open(system: &System, service: &str, dir: &Path) -> Result<Self, Error> {
        let stored = file::read(&path_of(dir, service))?.unwrap_or_default();
        Ok(Self::from_stored(system, service, &stored, &environment))
    }

    /// The password of a login role.
    ///
    /// # Errors
    /// [`Error::Missing`], naming the file's remedy and the variable.
    pub fn password(&self, login: Login) -> Result<&Secret, Error> {
        self.passwords.get(&login).ok_or_else(|| Error::Missing {
            service: self.service.clone(),
            what: login.word(),
            variable: password_variable(&self.service, login),
        })
    }

    /// The key from which the service derives its own; always the same, so that what was made with it is known again.
    ///
    /// # Errors
    /// [`Error::NoKey`], naming the variable.
    pub fn key(&self) -> Result<&Secret, Error> {
        self.key.as_ref().ok_or_else(|| Error::NoKey {
            service: self.service.clone(),
            variable: key_variable(&self.service),
        })
    }

    /// The tokens of the feeds.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    fn from_stored(system: &System, service: &str, stored: &Stored, env: &Lookup<'_>) -> Self {
        let pick =
            |variable: &str, kept: Option<String>| env(variable).filter(|value| !value.is_empty()).or(kept).map(Secret);
        let passwords = Login::ALL
            .into_iter()
            .filter_map(|login| {
                let variable = password_variable(service, login);
                Some((login, pick(&variable, stored.password(login))?))
            })
            .collect();
        let tokens = |side: &str, others: Vec<&str>, kept: &BTreeMap<String, String>| {
            others
                .into_iter()
                .filter_map(|other| {
                    let variable = token_variable(service, side, other);
                    Some((other.to_owned(), pick(&variable, kept.get(other).cloned())?))
                })
                .collect()
        };
        let producers = system.service(service).map(Service::producers);
        Self {
            service: service.to_owned(),
            passwords,
            key: pick(&key_variable(service), stored.key.clone()),
            feed: Feed {
                accepts: tokens("ACCEPTS", subscribers(system, service), &stored.feed.accepts),
                presents: tokens("PRESENTS", producers.unwrap_or_default(), &stored.feed.presents),
            },
        }
    }
}

/// The services that read the feed of `producer`.
fn subscribers<'a>(system: &'a System, producer: &str) -> Vec<&'a str> {
    system
        .services
        .iter()
        .filter(|s| s.producers().contains(&producer))
        .map(|s| s.name.as_str())
        .collect()
}

/// Finds a variable of the environment.
type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

pub(crate) fn password_variable(service: &str, login: Login) -> String {
    format!("FREEHOLD_{service}_{}_PASSWORD", login.word()).to_uppercase()
}

fn key_variable(service: &str) -> String {
    format!("FREEHOLD_{service}_KEY").to_uppercase()
}

fn token_variable(service: &str, side: &str, other: &str) -> String {
    format!("FREEHOLD_{service}_{side}_{other}_TOKEN").to_uppercase()
}

/// The secrets of every service of `system` in state folder `dir`, by service; writes what is missing.
///
/// What is there is kept. A pair of producer and subscriber has one token, the producer's; tokens of pairs that the
/// manifest no longer has are dropped, so a former subscriber is no longer accepted. If it dies in between, files are
/// whole and the next call goes on.
///
/// # Errors
/// As [`Secrets::open`], and [`Error::Write`], [`Error::Random`].
pub fn ensure(system: &System, dir: &Path) -> Result<BTreeMap<String, Secrets>, Error> {
    ensure_with(system, dir, &environment)
}

fn ensure_with(system: &System, dir: &Path, env: &Lookup<'_>) -> Result<BTreeMap<String, Secrets>, Error> {
    let mut before = BTreeMap::new();
    for service in &system.services {
        let stored = file::read(&path_of(dir, &service.name))?;
        before.insert(service.name.as_str(), stored);
    }
    let mut after = BTreeMap::new();
    for service in &system.services {
        let mut stored = before[service.name.as_str()].clone().unwrap_or_default();
        stored.fill()?;
        stored.feed = file::StoredFeed::default();
        after.insert(service.name.as_str(), stored);
    }
    for subscriber in &system.services {
        for producer in subscriber.producers() {
            let kept = before
                .get(producer)
                .and_then(|s| s.as_ref()?.feed.accepts.get(&subscriber.name));
            let token = match kept {
                Some(token) => token.clone(),
                None => Secret::generate()?.0,
            };
            if let Some(stored) = after.get_mut(producer) {
                let caller = subscriber.name.clone();
                stored.feed.accepts.insert(caller, token.clone());
            }
            if let Some(stored) = after.get_mut(subscriber.name.as_str()) {
                stored.feed.presents.insert(producer.to_owned(), token);
            }
        }
    }
    let mut secrets = BTreeMap::new();
    for (service, stored) in &after {
        if before[service].as_ref() != Some(stored) {
            file::write(&path_of(dir, service), stored)?;
        }
        let known = Secrets::from_stored(system, service, stored, env);
        secrets.insert((*service).to_owned(), known);
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests;
