//! A migration that fails stops its own service only, and leaves nothing behind.

use std::fs;

use anyhow::{Result, ensure};

use super::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_migration_stops_nobody_else() -> Result<()> {
    let mut shop = Shop::new()?;
    let file = shop.folder.path.join("order/migrations/9999_bad.sql");
    fs::write(
        &file,
        "-- Divides by zero, after a statement that works.\ncreate table half_made (id uuid primary key);\nselect 1 / 0;\n",
    )?;
    // A table without an owner would be reported before anything runs.
    let owned = "[owns.half_made]\nsummary = \"Made by a migration that fails.\"\n\n";
    let place = "[copies.products]";
    shop.folder
        .edit("order/freehold.toml", &[(place, &format!("{owned}{place}"))])?;

    for word in ["migrate", "up"] {
        let said = shop.folder.freehold(word, &[])?;
        let all = format!("{}{}", said.stdout, said.stderr);
        ensure!(said.code == 1, "{word}: {said:?}");
        ensure!(all.contains("9999_bad.sql:3"), "{word} does not say where: {said:?}");
    }
    let server = shop.server("order").await?;
    server.start().await?;
    for (service, version, tables) in [("user", 3, 4), ("product", 6, 7), ("order", 5, 5)] {
        let sql = shop.sql(service).await?;
        let found = sql
            .number("select max(version)::bigint from freehold.migration")
            .await?;
        ensure!(found == version, "{service} stands at {found}");
        let made = sql
            .number("select count(*) from pg_tables where schemaname = 'public'")
            .await?;
        ensure!(made == tables, "{service} has {made} tables");
    }
    server.stop(freehold_ops::postgres::Stop::Fast).await?;

    fs::remove_file(&file)?;
    shop.folder.edit("order/freehold.toml", &[(owned, "")])?;
    let ready = shop.start().await?;
    println!(
        "migration: the bad one named by file and line, two services migrated all the same; up {ready:.1?} after its removal"
    );
    shop.close().await
}
