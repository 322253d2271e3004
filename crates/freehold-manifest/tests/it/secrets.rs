//! A password that got into a manifest stays there.

use freehold_manifest::{Severity, read};

use crate::example::{replace, report, shop};

const SECRET: &str = "s3cr3t/@é";

#[test]
fn no_finding_shows_a_password() {
    for (from, to) in [
        ("# url = \"postgres://admin@", "url = \"postgres://admin:PASSWORD@"),
        ("# url = \"postgres://admin@", "url = \"mysql://admin:PASSWORD@"),
        (
            "# url = \"postgres://admin@",
            "url = [\"postgres://admin:PASSWORD@db\"] # ",
        ),
        ("# url = \"postgres://admin@", "url = postgres://admin:PASSWORD@"),
        ("# url = \"postgres://admin@", "uri = \"postgres://admin:PASSWORD@"),
        (
            "# url = \"postgres://admin@",
            "url = \"postgres://db/x?password=PASSWORD\" # ",
        ),
        ("kind = \"feed\"", "kind = \"postgres://admin:PASSWORD@db\""),
    ] {
        let mut shop = shop();
        replace(&mut shop, "system.toml", from, &to.replace("PASSWORD", SECRET));
        let shown = report(&shop);
        assert!(!shown.is_empty(), "{to}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
        for finding in read(&shop).diagnostics {
            assert!(!format!("{finding:?}").contains("s3cr3t"), "{finding:?}");
        }
    }
}

#[test]
fn a_password_is_a_warning_and_the_url_is_read() {
    let mut shop = shop();
    replace(
        &mut shop,
        "system.toml",
        "# url = \"postgres://admin@",
        "url = \"postgres://admin:x@",
    );
    let checked = read(&shop);
    assert!(
        checked
            .diagnostics
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
    );
    let url = checked.system.and_then(|system| system.postgres.url);
    assert_eq!(url.as_deref(), Some("postgres://admin:x@db.internal:5432"));
}
