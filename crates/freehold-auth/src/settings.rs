//! What the environment says of accounts. Everything but the key has a default that is safe to develop with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;

use crate::error::{Error, Result};
use crate::secret::{self, Secret};

/// RFC 9700 and OWASP: what cannot be taken back should not live long.
const ACCESS_S: RangeOf = RangeOf::new(30, 900, 600);

/// From log-in to the next, however often it is used meanwhile.
const SESSION_DAYS: RangeOf = RangeOf::new(1, 400, 30);

/// Without a refresh for this long, a session is over.
const IDLE_DAYS: RangeOf = RangeOf::new(1, 400, 14);

/// Tabs of one browser, and a client whose answer was lost, show a refresh token twice within seconds.
const GRACE_S: RangeOf = RangeOf::new(0, 60, 30);

/// How long a key signs.
const KEY_DAYS: RangeOf = RangeOf::new(1, 365, 30);

/// How long a key is published before it signs: longer than a verifier keeps its copy of the key set.
const KEY_AHEAD: Duration = Duration::from_secs(3600);

/// Each takes 19 MiB and a core for tens of milliseconds.
const HASHES_MAX: u64 = 64;

/// Where mails go unless it is said: into files that a developer opens.
const MAIL_FOLDER: &str = ".freehold/mail";

/// A line of a mail holds 998 bytes (RFC 5322, 2.1.1), the token among them.
const LINK_BYTES_MAX: usize = 800;

/// A whole number with its bounds.
struct RangeOf {
    from: u64,
    to: u64,
    default: u64,
}

impl RangeOf {
    const fn new(from: u64, to: u64, default: u64) -> Self {
        Self { from, to, default }
    }

    fn read(&self, name: &'static str, get: &dyn Fn(&str) -> Option<String>) -> Result<u64> {
        let Some(text) = get(name) else {
            return Ok(self.default);
        };
        let number = text.parse().ok().filter(|n| (self.from..=self.to).contains(n));
        number.ok_or_else(|| {
            wrong(
                name,
                format!("must be a whole number from {} to {}", self.from, self.to),
            )
        })
    }
}

/// The settings of accounts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the system, in mails: `FREEHOLD_SYSTEM`.
    pub system: String,
    /// Who gives the tokens: `FREEHOLD_AUTH_ISSUER`, default `freehold:<system>`.
    pub issuer: String,
    /// Whom they are for: `FREEHOLD_AUTH_AUDIENCE`, default the system's name.
    pub audience: String,
    /// The service's own key: `FREEHOLD_KEY`. Signing keys, refresh tokens and tokens of mails follow from it.
    pub key: Secret,
    /// Life of an access token: `AUTH_ACCESS_SECONDS`.
    pub access: Duration,
    /// Life of a session: `AUTH_SESSION_DAYS`.
    pub session: Duration,
    /// Life of a refresh token: `AUTH_IDLE_DAYS`.
    pub idle: Duration,
    /// How long a used refresh token is still answered, with the same successor: `AUTH_GRACE_SECONDS`.
    pub grace: Duration,
    /// How long a key signs: `AUTH_KEY_DAYS`.
    pub key_signs: Duration,
    /// How long a key is published before it signs: an hour.
    pub key_ahead: Duration,
    /// Passwords hashed at once: `AUTH_HASHES`.
    pub hashes: usize,
    /// How mails are sent: `AUTH_MAIL`.
    pub mail: Mail,
    /// Whom mails are from: `AUTH_MAIL_FROM`.
    pub mail_from: Mailbox,
    /// Where links of mails lead: `AUTH_LINKS`, the URL of the pages that read the token and send it here.
    pub links: String,
    /// Proxies whose `X-Forwarded-For` is believed: `AUTH_PROXIES`, addresses with commas between.
    pub proxies: Vec<IpAddr>,
}

/// How mails are sent.
#[derive(Clone)]
pub enum Mail {
    /// Into a folder, a file for each: for development.
    Folder(PathBuf),
    /// To a server, by its URL.
    Smtp(String),
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => f.debug_tuple("Folder").field(path).finish(),
            // A URL may hold a password.
            Self::Smtp(_) => f.write_str("Smtp(…)"),
        }
    }
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`Error::Setting`] names the variable that is missing or cannot be read; never its value.
    pub fn from_env() -> Result<Self> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings by name from anywhere.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| get(name).filter(|text| !text.is_empty());
        let system = get("FREEHOLD_SYSTEM").ok_or_else(|| wrong("FREEHOLD_SYSTEM", "is not set"))?;
        let key = get("FREEHOLD_KEY").ok_or_else(|| {
            let remedy =
                "is not set: `freehold serve` gives it; elsewhere, 32 random bytes in hexadecimal, always the same";
            wrong("FREEHOLD_KEY", remedy)
        })?;
        let key = Secret::of(&key).ok_or_else(|| {
            let problem = format!("is too short: give {} random bytes in hexadecimal", secret::BYTES);
            wrong("FREEHOLD_KEY", problem)
        })?;
        let seconds = |range: RangeOf, name| range.read(name, &get).map(Duration::from_secs);
        let days = |range: RangeOf, name| range.read(name, &get).map(|n| Duration::from_secs(n * 86_400));
        Ok(Self {
            issuer: get("FREEHOLD_AUTH_ISSUER").unwrap_or_else(|| format!("freehold:{system}")),
            audience: get("FREEHOLD_AUTH_AUDIENCE").unwrap_or_else(|| system.clone()),
            key,
            access: seconds(ACCESS_S, "AUTH_ACCESS_SECONDS")?,
            session: days(SESSION_DAYS, "AUTH_SESSION_DAYS")?,
            idle: days(IDLE_DAYS, "AUTH_IDLE_DAYS")?,
            grace: seconds(GRACE_S, "AUTH_GRACE_SECONDS")?,
            key_signs: days(KEY_DAYS, "AUTH_KEY_DAYS")?,
            key_ahead: KEY_AHEAD,
            hashes: hashes().read("AUTH_HASHES", &get)? as usize,
            mail: mail(get("AUTH_MAIL").as_deref())?,
            mail_from: get("AUTH_MAIL_FROM")
                .unwrap_or_else(|| format!("{system} <no-reply@{system}.localhost>"))
                .parse()
                .map_err(|_| {
                    wrong(
                        "AUTH_MAIL_FROM",
                        "must be an address like `Notes <no-reply@notes.example>`",
                    )
                })?,
            links: links(get("AUTH_LINKS"))?,
            proxies: proxies(&get("AUTH_PROXIES").unwrap_or_default())?,
            system,
        })
    }
}

/// `folder:<path>`, or what lettre takes: `smtps://user:password@host`, `smtp://host:587?tls=required`.
fn mail(text: Option<&str>) -> Result<Mail> {
    let Some(text) = text else {
        return Ok(Mail::Folder(MAIL_FOLDER.into()));
    };
    if let Some(path) = text.strip_prefix("folder:") {
        return Ok(Mail::Folder(path.into()));
    }
    let Some(rest) = text.strip_prefix("smtp://").or_else(|| text.strip_prefix("smtps://")) else {
        return Err(wrong("AUTH_MAIL", "must begin with folder:, smtp:// or smtps://"));
    };
    let encrypted = text.starts_with("smtps://") || text.ends_with("?tls=required");
    if rest.contains('@') && !encrypted {
        let problem = "would send its password in clear: write smtps://…, or smtp://…?tls=required";
        return Err(wrong("AUTH_MAIL", problem));
    }
    Ok(Mail::Smtp(text.to_owned()))
}

/// Half of the cores by default: the others answer requests meanwhile.
fn hashes() -> RangeOf {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    RangeOf::new(1, HASHES_MAX, (cores / 2).clamp(1, HASHES_MAX))
}

fn links(text: Option<String>) -> Result<String> {
    let Some(text) = text else {
        return Ok("http://localhost".to_owned());
    };
    let sound = (text.starts_with("https://") || text.starts_with("http://"))
        && text.len() <= LINK_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match sound {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(wrong("AUTH_LINKS", "must be a URL like https://notes.example/account")),
    }
}

fn proxies(text: &str) -> Result<Vec<IpAddr>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse()
                .map_err(|_| wrong("AUTH_PROXIES", "must be addresses with commas between"))
        })
        .collect()
}

fn wrong(name: &'static str, problem: impl Into<String>) -> Error {
    Error::Setting {
        name,
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&str, &str)]) -> Result<Settings> {
        let given = [
            ("FREEHOLD_SYSTEM", "notes"),
            ("FREEHOLD_KEY", "0123456789abcdef0123456789abcdef"),
        ];
        let all: Vec<_> = more
            .iter()
            .chain(&given)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Settings::read(move |name| all.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
    }

    #[test]
    fn a_key_is_all_that_must_be_given() {
        let settings = read(&[]).expect("settings");
        assert_eq!(settings.issuer, "freehold:notes");
        assert_eq!(settings.audience, "notes");
        assert_eq!(settings.access, Duration::from_secs(600));
        assert!(matches!(settings.mail, Mail::Folder(_)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name_and_without_its_value() {
        for (name, value) in [
            ("FREEHOLD_KEY", "short-hunter2"),
            ("AUTH_ACCESS_SECONDS", "901"),
            ("AUTH_GRACE_SECONDS", "hunter2"),
            ("AUTH_MAIL", "http://hunter2"),
            ("AUTH_MAIL", "smtp://me:hunter2@mail.example:587"),
            ("AUTH_MAIL", "smtp://me:hunter2@mail.example:587?tls=opportunistic"),
            ("AUTH_MAIL_FROM", "hunter2"),
            ("AUTH_LINKS", "hunter2"),
            ("AUTH_LINKS", "https://a.example/#hunter2"),
            ("AUTH_PROXIES", "10.0.0.1, hunter2"),
        ] {
            let said = read(&[(name, value)]).expect_err(value).to_string();
            assert!(said.starts_with(name) && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let settings = read(&[("AUTH_MAIL", "smtps://me:hunter2@mail.example")]).expect("settings");
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("0123456789abcdef"),
            "{shown}"
        );
    }
}
