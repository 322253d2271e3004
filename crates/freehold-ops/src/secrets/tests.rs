use super::*;
use freehold_manifest::model::{Command, Copy, Placement, Postgres, TableName, Transport};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn service(name: &str, hears: &[&str]) -> Service {
    Service {
        name: name.to_owned(),
        summary: String::new(),
        port: 1,
        publishes: Vec::new(),
        subscribes: Vec::new(),
        sagas: Vec::new(),
        program: None,
        sends: Vec::new(),
        views: Vec::new(),
        functions: Vec::new(),
        streams: Vec::new(),
        projections: Vec::new(),
        api: freehold_manifest::model::Api::default(),
        commands: Vec::new(),
        owns: Vec::new(),
        copies: hears
            .iter()
            .map(|producer| Copy {
                name: format!("{producer}s"),
                of: TableName {
                    service: (*producer).to_owned(),
                    table: format!("{producer}s"),
                },
                columns: Vec::new(),
            })
            .collect(),
    }
}

fn shop(services: Vec<Service>) -> System {
    System {
        name: "shop".to_owned(),
        summary: String::new(),
        services,
        port: 1,
        postgres: Postgres {
            placement: Placement::Database,
            url: None,
        },
        transport: Transport::Feed,
        workload: None,
        auth: None,
    }
}

fn no_environment(_: &str) -> Option<String> {
    None
}

type Done = Result<(), Box<dyn std::error::Error>>;

#[test]
fn a_pair_of_services_shares_one_token_and_a_second_run_keeps_everything() -> Done {
    let dir = tempfile::tempdir()?;
    let system = shop(vec![service("user", &[]), service("order", &["user"])]);
    let first = ensure_with(&system, dir.path(), &no_environment)?;
    assert_eq!(
        first["user"].feed().accepts["order"],
        first["order"].feed().presents["user"]
    );
    assert!(first["order"].feed().accepts.is_empty());
    let text = fs::read_to_string(path_of(dir.path(), "order"))?;
    let second = ensure_with(&system, dir.path(), &no_environment)?;
    assert_eq!(first["order"].key()?, second["order"].key()?);
    assert_ne!(first["order"].key()?, first["user"].key()?);
    assert_eq!(text, fs::read_to_string(path_of(dir.path(), "order"))?);
    assert_eq!(
        first["order"].password(Login::App)?,
        second["order"].password(Login::App)?
    );
    assert_ne!(
        first["order"].password(Login::App)?,
        first["user"].password(Login::App)?
    );
    Ok(())
}

#[test]
fn services_that_exchange_commands_only_have_a_token_each_way() -> Done {
    let dir = tempfile::tempdir()?;
    let mut order = service("order", &[]);
    order.sends = vec!["product.reserve_stock".to_owned()];
    let mut product = service("product", &[]);
    product.commands = vec![Command {
        name: "product.reserve_stock".to_owned(),
        from: vec!["order".to_owned()],
    }];
    let system = shop(vec![service("user", &[]), product, order]);
    let secrets = ensure_with(&system, dir.path(), &no_environment)?;
    let (product, order) = (secrets["product"].feed(), secrets["order"].feed());
    // Commands are read from the sender's log, replies from the log of whoever obeyed.
    assert_eq!(order.accepts["product"], product.presents["order"]);
    assert_eq!(product.accepts["order"], order.presents["product"]);
    assert_ne!(order.accepts["product"], product.accepts["order"]);
    for feed in [product, order] {
        assert_eq!((feed.accepts.len(), feed.presents.len()), (1, 1));
    }
    assert!(secrets["user"].feed().accepts.is_empty());
    Ok(())
}

#[test]
fn a_former_subscriber_is_no_longer_accepted() -> Done {
    let dir = tempfile::tempdir()?;
    let before = shop(vec![service("user", &[]), service("order", &["user"])]);
    ensure_with(&before, dir.path(), &no_environment)?;
    let after = shop(vec![service("user", &[]), service("order", &[])]);
    let secrets = ensure_with(&after, dir.path(), &no_environment)?;
    assert!(secrets["user"].feed().accepts.is_empty());
    Ok(())
}

#[test]
fn a_missing_entry_is_added_and_foreign_ones_are_kept() -> Done {
    let dir = tempfile::tempdir()?;
    let path = path_of(dir.path(), "user");
    let system = shop(vec![service("user", &[])]);
    ensure_with(&system, dir.path(), &no_environment)?;
    fs::write(&path, r#"{"app": "mine", "signing_key": "other's"}"#)?;
    let secrets = ensure_with(&system, dir.path(), &no_environment)?;
    assert_eq!(secrets["user"].password(Login::App)?.expose(), "mine");
    assert_eq!(secrets["user"].password(Login::Reader)?.expose().len(), 64);
    assert!(fs::read_to_string(&path)?.contains("signing_key"));
    Ok(())
}

#[test]
fn the_environment_wins_and_is_not_written() -> Done {
    let dir = tempfile::tempdir()?;
    let system = shop(vec![service("user", &[])]);
    let env = |name: &str| (name == "FREEHOLD_USER_APP_PASSWORD").then(|| "given".to_owned());
    let secrets = ensure_with(&system, dir.path(), &env)?;
    assert_eq!(secrets["user"].password(Login::App)?.expose(), "given");
    assert!(!fs::read_to_string(path_of(dir.path(), "user"))?.contains("given"));
    Ok(())
}

#[test]
fn a_file_is_private_and_one_that_others_may_read_is_refused() -> Done {
    let dir = tempfile::tempdir()?;
    let path = path_of(dir.path(), "user");
    let system = shop(vec![service("user", &[])]);
    ensure_with(&system, dir.path(), &no_environment)?;
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    let refused = Secrets::open(&shop(vec![service("user", &[])]), "user", dir.path());
    assert!(matches!(refused, Err(Error::Exposed { mode: 0o644, .. })));
    Ok(())
}

#[test]
fn nothing_shows_a_secret() -> Done {
    let dir = tempfile::tempdir()?;
    let path = path_of(dir.path(), "user");
    let system = shop(vec![service("user", &[]), service("order", &["user"])]);
    let secrets = ensure_with(&system, dir.path(), &no_environment)?;
    let shown = format!("{secrets:?}");
    for known in secrets.values() {
        assert!(!shown.contains(known.password(Login::App)?.expose()));
        assert!(!shown.contains(known.key()?.expose()));
        for token in known.feed().accepts.values() {
            assert!(!shown.contains(token.expose()));
        }
    }
    fs::write(&path, r#"{"app": canary}"#)?;
    let Err(wrong) = Secrets::open(&shop(vec![service("user", &[])]), "user", dir.path()) else {
        return Err("a damaged file was taken".into());
    };
    assert!(!format!("{wrong} {wrong:?}").contains("canary"));
    Ok(())
}

#[test]
fn a_missing_password_names_its_variable() -> Done {
    let dir = tempfile::tempdir()?;
    let secrets = Secrets::open(&shop(vec![service("user", &[])]), "user", dir.path())?;
    let Err(missing) = secrets.password(Login::App) else {
        return Err("a password out of nothing".into());
    };
    assert!(missing.to_string().contains("FREEHOLD_USER_APP_PASSWORD"));
    Ok(())
}

#[test]
fn a_verifier_is_of_its_password_only() -> Done {
    let (one, other) = (Secret::generate()?, Secret::generate()?);
    let verifier = verifier_of(&one);
    assert!(verifier.starts_with("SCRAM-SHA-256$4096:"));
    assert!(is_verifier_of(&verifier, &one));
    assert!(!is_verifier_of(&verifier, &other));
    assert!(!is_verifier_of("md5abc", &one));
    Ok(())
}

#[test]
fn the_environment_alone_is_enough() {
    let system = shop(vec![service("user", &[]), service("order", &["user"])]);
    let env = |name: &str| Some(name.to_lowercase());
    let secrets = Secrets::from_stored(&system, "user", &Stored::default(), &env);
    let token = &secrets.feed().accepts["order"];
    assert_eq!(token.expose(), "freehold_user_accepts_order_token");
}
