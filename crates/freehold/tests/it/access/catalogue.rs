//! What the installation makes of policies, and what it refuses; what the start of a service refuses.

use freehold::install::Outcome;
use freehold::{Error, Service};

use super::{AUTH, NOTES, peer, run, somebody};
use crate::behaviour::acting::{port, settings};
use crate::fixture::{Folder, Stage, number, texts};

/// What the installation says after these statements.
async fn refused(statements: &str) -> String {
    let stage = Stage::migrated("database", &[AUTH, NOTES]).await;
    let home = stage.home("notes");
    run(&home.sql, statements).await;
    match home.install(&stage.contracts().await).await {
        Err(error @ Error::Install { .. }) => error.to_string(),
        other => panic!("{statements}: {other:?}"),
    }
}

#[tokio::test]
async fn what_a_later_statement_opens_is_not_installed() {
    assert_eq!(
        refused("alter table notes disable row level security").await,
        "service notes: table notes is served to signed-in users and has no row level security; write `alter table notes \
         enable row level security` in a migration, or say `public = true` or `served = false` in the manifest"
    );
    let said = refused("drop policy own on events").await;
    assert!(
        said.contains("table events is served to signed-in users and has no policy"),
        "{said}"
    );
    let said = refused("create policy freehold_own on events using (true); drop policy own on events").await;
    assert!(said.contains("has no policy"), "{said}");
    let said = refused("alter view titles reset (security_invoker)").await;
    assert!(
        said.contains("view titles is served to signed-in users and reads its tables as their owner"),
        "{said}"
    );
    let said = refused("alter table drafts force row level security").await;
    assert!(
        said.contains("`alter table drafts no force row level security`"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_public_or_not_served_needs_no_policy() {
    let stage = Stage::migrated("database", &[AUTH, NOTES]).await;
    let home = stage.home("notes");
    run(
        &home.sql,
        "drop policy read on news; alter table news disable row level security",
    )
    .await;
    let outcome = home.install(&stage.contracts().await).await;
    assert_eq!(outcome.expect("it is installed"), Outcome::Installed);
}

#[tokio::test]
async fn the_service_and_the_reader_see_all_rows() {
    let stage = Stage::open(&[AUTH, NOTES]).await;
    let home = stage.home("notes");
    let rows = format!(
        "insert into notes (owner_id, title) values ('{}', 'a'), ('{}', 'b')",
        somebody(),
        somebody()
    );
    run(&home.sql, &rows).await;
    let app = home.app().await;
    let seen = "select count(*) from notes";
    assert_eq!(number(&app, seen).await, 0);
    run(&app, "begin; set local fh.service = 'on'").await;
    assert_eq!(number(&app, seen).await, 2);
    run(&app, "commit").await;
    assert_eq!(number(&app, seen).await, 0);
    run(&home.sql, &format!("set role {}", home.names.reader)).await;
    assert_eq!(number(&home.sql, seen).await, 2);
    run(&home.sql, "reset role").await;
    let policies =
        "select polname::text || ' ' || polrelid::regclass from pg_policy where polname like 'freehold%' order by 1";
    let found = texts(&home.sql, policies).await;
    assert_eq!(found.len(), 8, "{found:?}");
}

#[tokio::test]
async fn a_table_that_gains_row_level_security_gains_the_librarys_policies() {
    let stage = Stage::open(&[AUTH, NOTES]).await;
    assert_eq!(stage.install().await, [Outcome::Unchanged; 2]);
    let home = stage.home("notes");
    run(&home.sql, "alter table drafts enable row level security").await;
    assert_eq!(stage.install().await, [Outcome::Unchanged, Outcome::Installed]);
    run(&home.sql, "drop policy freehold_service on drafts").await;
    assert_eq!(stage.install().await, [Outcome::Unchanged, Outcome::Installed]);
    run(&home.sql, "alter table drafts disable row level security").await;
    assert_eq!(stage.install().await, [Outcome::Unchanged, Outcome::Installed]);
    assert_eq!(stage.install().await, [Outcome::Unchanged; 2]);
}

#[tokio::test]
async fn without_auth_policies_are_left_to_the_service() {
    let alone = Folder {
        manifest: "[owns.notes]",
        migration: "create table notes (id bigint primary key)",
        ..NOTES
    };
    let stage = Stage::open(&[alone]).await;
    let home = stage.home("notes");
    run(
        &home.sql,
        "alter table notes enable row level security; create policy all_of_it on notes using (id > 0)",
    )
    .await;
    assert_eq!(stage.install().await, [Outcome::Installed]);
}

#[tokio::test]
async fn a_service_that_was_not_told_to_ask_does_not_start() {
    let stage = Stage::open(&[AUTH, NOTES]).await;
    let auth = stage.home("auth").serve().await;
    let home = stage.home("notes");
    let mut settings = settings(home, port().await, &[]);
    settings.peers.insert("auth".to_owned(), peer(&auth));
    let mut manifest = home.service.clone();
    manifest.subscribes.clear();
    let stopped = Service::new(manifest, settings).run().await;
    let said = stopped.expect_err("it does not start").to_string();
    assert_eq!(
        said,
        "FREEHOLD_AUTH_ISSUER: is not set, but the service was installed to ask for tokens of freehold:t"
    );
}
