//! What a service process is told by its environment: where its one database is, where to listen, whom to hear.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::Error;
use crate::transport::reader::Peer;

/// Connections of the API and the tasks to the database, unless `FREEHOLD_POOL` says otherwise: enough that commits
/// are written out in groups, half of what the application role may have, so that a second instance fits.
const POOL_DEFAULT: usize = 20;

/// The settings of one service process.
#[derive(Clone)]
pub struct Settings {
    /// Name of the system: `FREEHOLD_SYSTEM`.
    pub system: String,
    /// The application role's connection: `FREEHOLD_DATABASE_URL`.
    pub database: tokio_postgres::Config,
    /// The schema of the service's tables: `FREEHOLD_SCHEMA`, default `public`.
    pub schema: String,
    /// The schema of the library's tables: `FREEHOLD_LIBRARY_SCHEMA`, default `freehold`.
    pub freehold: String,
    /// Where to listen: `FREEHOLD_LISTEN`, default `127.0.0.1:<port of the manifest>`.
    pub listen: Option<String>,
    /// Connections to the database: `FREEHOLD_POOL`.
    pub pool: usize,
    /// Who may read this service's feed: `FREEHOLD_ACCEPTS`, as `service=token,…`.
    pub accepts: Vec<(String, String)>,
    /// The producers: `FREEHOLD_PEERS`, as `service=token@url,…`.
    pub peers: BTreeMap<String, Peer>,
    /// This process among several of the service: `FREEHOLD_INSTANCE`, by default a name of its own. A process that is
    /// started again under the same name goes on at once with what it led; a new name waits until the lease of the
    /// old one has run out. Two that run under one name only get in each other's way.
    pub instance: String,
    /// Whose tokens are asked for: `FREEHOLD_AUTH_ISSUER` and the variables beside it; none if nobody is asked.
    pub auth: Option<Auth>,
    /// End when standard input ends: set by a supervisor, whose death then stops the service.
    pub supervised: Supervision,
}

/// Whose tokens a service asks for, and what it verifies them by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The service that gives them: `FREEHOLD_AUTH_SERVICE`.
    pub service: String,
    /// Their `iss`: `FREEHOLD_AUTH_ISSUER`.
    pub issuer: String,
    /// Their `aud`: `FREEHOLD_AUTH_AUDIENCE`.
    pub audience: String,
    /// Where the keys are published: `FREEHOLD_AUTH_JWKS`, a URL of HTTP.
    pub jwks: String,
}

/// Whether a supervisor holds this process's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervision {
    /// `FREEHOLD_SUPERVISED=stdin`: the end of standard input stops the service.
    Stdin,
    /// Signals alone stop it.
    None,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("system", &self.system)
            .field("schema", &self.schema)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`Error::Setting`] names the variable that is missing or cannot be read; never its value.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings by name from anywhere.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let url = get("FREEHOLD_DATABASE_URL").ok_or_else(|| {
            wrong(
                "FREEHOLD_DATABASE_URL",
                "is not set; give the URL of the service's own database",
            )
        })?;
        let database = tokio_postgres::Config::from_str(&url)
            .map_err(|_| wrong("FREEHOLD_DATABASE_URL", "is not a PostgreSQL URL"))?;
        let pool = match get("FREEHOLD_POOL") {
            None => POOL_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|n| (2..=1000).contains(n))
                .ok_or_else(|| wrong("FREEHOLD_POOL", "must be a number from 2 to 1000"))?,
        };
        let supervised = match get("FREEHOLD_SUPERVISED").as_deref() {
            None | Some("") => Supervision::None,
            Some("stdin") => Supervision::Stdin,
            Some(_) => return Err(wrong("FREEHOLD_SUPERVISED", "must be `stdin` or absent")),
        };
        Ok(Self {
            system: get("FREEHOLD_SYSTEM").ok_or_else(|| wrong("FREEHOLD_SYSTEM", "is not set"))?,
            database,
            schema: get("FREEHOLD_SCHEMA").unwrap_or_else(|| "public".to_owned()),
            freehold: get("FREEHOLD_LIBRARY_SCHEMA").unwrap_or_else(|| "freehold".to_owned()),
            listen: get("FREEHOLD_LISTEN"),
            pool,
            accepts: accepts(&get("FREEHOLD_ACCEPTS").unwrap_or_default())?,
            auth: auth(&get)?,
            peers: peers(&get("FREEHOLD_PEERS").unwrap_or_default())?,
            instance: get("FREEHOLD_INSTANCE")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            supervised,
        })
    }
}

/// All of it, or nothing: half of it would be a service that asks nobody.
fn auth(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Auth>, Error> {
    const NAMES: [&str; 4] = [
        "FREEHOLD_AUTH_SERVICE",
        "FREEHOLD_AUTH_ISSUER",
        "FREEHOLD_AUTH_AUDIENCE",
        "FREEHOLD_AUTH_JWKS",
    ];
    let given = NAMES.map(|name| get(name).filter(|value| !value.is_empty()));
    if given.iter().all(Option::is_none) {
        return Ok(None);
    }
    if let Some((name, _)) = NAMES.iter().zip(&given).find(|(_, value)| value.is_none()) {
        return Err(wrong(name, "is not set, but others of FREEHOLD_AUTH_… are"));
    }
    let [service, issuer, audience, jwks] = given.map(Option::unwrap_or_default);
    if !jwks.starts_with("http://") {
        return Err(wrong("FREEHOLD_AUTH_JWKS", "must be a URL that begins with http://"));
    }
    Ok(Some(Auth {
        service,
        issuer,
        audience,
        jwks,
    }))
}

fn accepts(text: &str) -> Result<Vec<(String, String)>, Error> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((caller, token)) if !token.is_empty() => Ok((caller.to_owned(), token.to_owned())),
            _ => Err(wrong("FREEHOLD_ACCEPTS", "must be a list of service=token")),
        })
        .collect()
}

fn peers(text: &str) -> Result<BTreeMap<String, Peer>, Error> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let read = part
                .split_once('=')
                .and_then(|(service, rest)| rest.split_once('@').map(|(token, url)| (service, token, url)));
            let Some((service, token, url)) = read else {
                return Err(wrong("FREEHOLD_PEERS", "must be a list of service=token@url"));
            };
            let peer = Peer {
                service: service.to_owned(),
                url: url.trim_end_matches('/').to_owned(),
                token: token.to_owned(),
            };
            Ok((service.to_owned(), peer))
        })
        .collect()
}

fn wrong(name: &str, problem: &str) -> Error {
    Error::Setting {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}
