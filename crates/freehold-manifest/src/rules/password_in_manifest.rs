//! A password in `[postgres] url`.
//!
//! Has no place on purpose: a snippet would print the password.

use super::Rule;
use crate::declared::At;
use crate::diagnostic::Diagnostic;
use crate::secret;

pub(super) const RULE: Rule = rule!("password-in-manifest", "a password written into system.toml");

/// A warning if the URL holds a password.
pub(crate) fn of_url(url: &At<String>) -> Option<Diagnostic> {
    secret::password(&url.value)?;
    let warning = Diagnostic::warning(RULE.name, "`url` of [postgres] in system.toml holds a password");
    Some(warning.help("remove it, and give it in the environment: FREEHOLD_POSTGRES_PASSWORD or PGPASSWORD"))
}
