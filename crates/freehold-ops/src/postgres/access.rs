//! Who may enter: `pg_hba.conf`, written from rules and never by hand.

use super::ADMIN;
use super::error::{Error, Result};

/// One role may enter one database, with its SCRAM password, over the socket and over 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessRule {
    /// The database, exactly: `all` and the other words of `pg_hba.conf` mean nothing special here.
    pub database: String,
    /// The role, exactly.
    pub role: String,
}

/// The text of `pg_hba.conf`: the administrator everywhere, each rule, nobody else.
pub(super) fn render(rules: &[AccessRule]) -> Result<String> {
    let mut text = String::from(
        "# Written by freehold; changes here are lost. First match wins; the last lines refuse everybody else.\n",
    );
    let mut allow = |database: &str, role: &str| {
        for (kind, address) in [("local", ""), ("host ", "127.0.0.1/32")] {
            text.push_str(&format!("{kind} {database} {role} {address} scram-sha-256\n"));
        }
    };
    allow("all", &format!("\"{ADMIN}\""));
    for rule in rules {
        allow(&quote(&rule.database)?, &quote(&rule.role)?);
    }
    text.push_str("local all all reject\nhost  all all all reject\n");
    Ok(text)
}

/// Quoting takes the special meaning from words such as `all`; the file has no way to write a quote inside quotes.
fn quote(name: &str) -> Result<String> {
    if name.is_empty() || name.contains(|c: char| c == '"' || c.is_control()) {
        return Err(Error::Name { name: name.to_owned() });
    }
    Ok(format!("\"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_opens_one_database_to_one_role_and_the_rest_is_refused() -> Result<()> {
        let text = render(&[AccessRule {
            database: "shop_order".to_owned(),
            role: "all".to_owned(),
        }])?;
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "local all \"freehold_admin\"  scram-sha-256",
                "host  all \"freehold_admin\" 127.0.0.1/32 scram-sha-256",
                "local \"shop_order\" \"all\"  scram-sha-256",
                "host  \"shop_order\" \"all\" 127.0.0.1/32 scram-sha-256",
                "local all all reject",
                "host  all all all reject",
            ]
        );
        Ok(())
    }

    #[test]
    fn a_name_that_would_break_the_file_is_refused() {
        for name in ["", "a\"b", "a\nb"] {
            let rule = AccessRule {
                database: name.to_owned(),
                role: "r".to_owned(),
            };
            assert!(matches!(render(&[rule]), Err(Error::Name { .. })));
        }
    }
}
