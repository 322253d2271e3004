//! One attack: who tries what from where, and what counts as a refusal.

use super::scene::Scene;

/// SQLSTATE 42501, `insufficient_privilege`: the refusal of nearly all attacks.
pub(super) const DENIED: &[&str] = &["42501"];
/// How a server keeps a role out of a database: no CONNECT, or no line of `pg_hba.conf`.
pub(super) const KEPT_OUT: &[&str] = &["42501", "28000"];
/// How a server keeps out who does not know the password: it asks for it, or has no line of `pg_hba.conf`.
pub(super) const UNPROVEN: &[&str] = &["28P01", "28000"];
/// How another server keeps a role out that it does not know.
pub(super) const UNKNOWN_THERE: &[&str] = &["28P01"];

/// An attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Its name, kebab-case, for ever.
    pub name: &'static str,
    /// What is tried, in a phrase.
    pub about: &'static str,
    /// With whose credentials.
    pub actor: Actor,
    /// Whom it aims at.
    pub target: Target,
    pub(super) ground: Ground,
    pub(super) attempt: fn(&Scene<'_>) -> Attempt,
    /// The SQLSTATEs that are a refusal.
    pub(super) refusals: &'static [&'static str],
    /// The SQLSTATEs of what can only go wrong behind the wall: the attack got through.
    pub(super) breaches: &'static [&'static str],
}

/// With whose credentials an attack is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The API and handlers.
    App,
    /// Checks and backups.
    Reader,
    /// The migrator, without becoming the owner.
    Migrator,
    /// The migrator, having become its own owner: the strongest a service can be.
    Owner,
}

/// Whom an attack aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Another service.
    Other,
    /// What the service itself must leave alone: shape, history, copies, log.
    Own,
}

/// Where an attack is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// The attacker's database.
    Home,
    /// The victim's database, entered with the attacker's credentials; being kept out is a refusal.
    There,
    /// Any database of the victim's server: the attacker's own, if it is there; else the victim's.
    Server,
}

/// What is done.
#[derive(Debug)]
pub(super) enum Attempt {
    /// Each of the statements, in a transaction of its own; one that gets through is enough.
    Statements(Vec<Probe>),
    /// A connection to the database of the attacker's or victim's server.
    Connect(String),
    /// A replication connection to the database.
    Replicate(String),
    /// A connection to the victim's database under the victim's name, with the attacker's password.
    Impersonate,
    /// There is nothing to try it on.
    Absent(&'static str),
}

/// One statement of an attack.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) text: String,
    pub(super) proof: Proof,
    pub(super) transaction: Transaction,
}

/// What shows that a statement got through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// No error.
    Runs,
    /// A row. None is a refusal: the administrator sees it there.
    Rows,
    /// `true` in the first column. Anything else tells nothing.
    Yes,
    /// `true` in the first column. Anything else is a refusal: PostgreSQL answers a grant without the right to grant
    /// with a warning.
    Granted,
    /// A changed row, or `true` as the answer to a last question, whether nothing guards the table. Otherwise there was
    /// no row for the guard to show itself on, which tells nothing.
    Changes,
}

/// Whether a statement can be rolled back.
#[derive(Debug)]
pub(super) enum Transaction {
    /// It runs in a transaction that is rolled back.
    RolledBack,
    /// PostgreSQL runs it outside of transactions only; the administrator undoes it with this statement.
    Outside { undo: String },
}

impl Attack {
    /// An attack on another service that 42501 refuses.
    pub(super) const fn on_other(
        name: &'static str,
        about: &'static str,
        actor: Actor,
        ground: Ground,
        attempt: fn(&Scene<'_>) -> Attempt,
    ) -> Self {
        Self {
            name,
            about,
            actor,
            target: Target::Other,
            ground,
            attempt,
            refusals: DENIED,
            breaches: &[],
        }
    }

    /// An attack of a service on what it must leave alone itself, that 42501 refuses.
    pub(super) const fn on_own(
        name: &'static str,
        about: &'static str,
        actor: Actor,
        attempt: fn(&Scene<'_>) -> Attempt,
    ) -> Self {
        Self {
            target: Target::Own,
            ..Self::on_other(name, about, actor, Ground::Home, attempt)
        }
    }

    /// With other refusals than 42501.
    pub(super) const fn refused_by(mut self, refusals: &'static [&'static str]) -> Self {
        self.refusals = refusals;
        self
    }

    /// With errors that show that the wall was passed.
    pub(super) const fn breached_by(mut self, breaches: &'static [&'static str]) -> Self {
        self.breaches = breaches;
        self
    }
}

impl Attempt {
    /// One statement that gets through if it runs.
    pub(super) fn run(text: impl Into<String>) -> Self {
        Self::proven(text, Proof::Runs)
    }

    /// One statement, proven otherwise.
    pub(super) fn proven(text: impl Into<String>, proof: Proof) -> Self {
        Self::Statements(vec![Probe {
            text: text.into(),
            proof,
            transaction: Transaction::RolledBack,
        }])
    }

    /// One statement that PostgreSQL runs outside of transactions only.
    pub(super) fn outside(text: impl Into<String>, undo: impl Into<String>) -> Self {
        Self::Statements(vec![Probe {
            text: text.into(),
            proof: Proof::Runs,
            transaction: Transaction::Outside { undo: undo.into() },
        }])
    }

    /// Several statements; with none of them, `absent` is the reason.
    pub(super) fn each(texts: impl IntoIterator<Item = String>, proof: Proof, absent: &'static str) -> Self {
        let probes: Vec<_> = texts
            .into_iter()
            .map(|text| Probe {
                text,
                proof,
                transaction: Transaction::RolledBack,
            })
            .collect();
        if probes.is_empty() {
            Self::Absent(absent)
        } else {
            Self::Statements(probes)
        }
    }
}
