//! One statement of a plan: where it runs, what it says, and when it has nothing to do.

use std::fmt;

/// What stands in a shown statement where the run one has a password's verifier.
const VERIFIER_SHOWN: &str = "'<verifier>'";

/// A statement that brings the catalogue nearer to the manifest. Running it twice is the same as once.
#[derive(Clone)]
pub struct Statement {
    /// The server it is for.
    pub cluster: String,
    /// The database it runs in.
    pub database: String,
    /// Its text, without secrets: a password's verifier stands there as `'<verifier>'`.
    pub text: String,
    /// The text that is run, if it differs.
    run: Option<String>,
    /// A condition in SQL under which there is nothing to do.
    unless: String,
}

impl Statement {
    /// A statement that has nothing to do where the condition `unless` holds.
    pub(super) fn new(text: impl Into<String>, unless: impl Into<String>) -> Self {
        Self {
            cluster: String::new(),
            database: String::new(),
            text: text.into(),
            run: None,
            unless: unless.into(),
        }
    }

    /// A statement whose need was seen in the catalogue a moment ago.
    pub(super) fn needed(text: impl Into<String>) -> Self {
        Self::new(text, "false")
    }

    /// `alter role … password`, whose text shows no verifier.
    pub(super) fn password(role: &str, verifier: &str) -> Self {
        let role = super::sql::identifier(role);
        let run = format!("alter role {role} password {}", super::sql::literal(verifier));
        let mut statement = Self::needed(format!("alter role {role} password {VERIFIER_SHOWN}"));
        statement.run = Some(run);
        statement
    }

    pub(super) fn at(mut self, cluster: &str, database: &str) -> Self {
        cluster.clone_into(&mut self.cluster);
        database.clone_into(&mut self.database);
        self
    }

    pub(super) fn run(&self) -> &str {
        self.run.as_deref().unwrap_or(&self.text)
    }

    pub(super) fn unless(&self) -> &str {
        &self.unless
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("cluster", &self.cluster)
            .field("database", &self.database)
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

/// The text as it can be pasted, without secrets.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_run_and_never_shown() {
        let statement = Statement::password("shop_order_app", "SCRAM-SHA-256$canary");
        assert!(statement.run().contains("canary"));
        assert!(!format!("{statement} {statement:?}").contains("canary"));
    }
}
