//! Books that nobody altered show no difference, whatever goes on and under whatever settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use freehold_ops::folder::Folder;
use freehold_ops::ground;
use freehold_ops::history::{Report, What};
use freehold_ops::migrate::To;

use super::{Books, By};

/// Who writes while the books are verified, and how often they are.
const WRITERS: usize = 4;
const VERIFIED: usize = 8;

#[tokio::test]
async fn books_at_work_show_no_difference() -> Result<()> {
    let books = Books::open("database").await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (app, stop) = (books.enter(By::App).await?, Arc::clone(&stop));
        writers.spawn(async move {
            let mut written = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let end = if written % 7 == 6 { "rollback" } else { "commit" };
                app.batch_execute(&format!(
                    "begin;
                     insert into accounts (owner, balance) values ('w{writer}', 1);
                     update accounts set balance = balance + 1
                     where id in (select id from accounts where owner = 'w{writer}' order by id desc limit 3);
                     delete from accounts where owner = 'w{writer}' and balance > 3;
                     insert into entries (what) select 'of {writer}' from generate_series(1, 20);
                     {end};
                     select freehold.sequence(100)"
                ))
                .await?;
                written += 1;
            }
            anyhow::Ok(written)
        });
    }
    let mut proven = 0;
    for _ in 0..VERIFIED {
        let report = books.verify().await?;
        assert!(report.holds(), "{}", report.render());
        proven = report.services[0].tables.iter().map(|t| t.proven).sum();
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(writer) = writers.join_next().await {
        assert!(writer?? > 0);
    }
    assert!(proven > 0);
    // The first run after the last write lets everybody see it.
    books.verify().await?;
    let report = books.verify().await?;
    assert!(report.holds(), "{}", report.render());
    assert_eq!(report.services[0].witnessed, report.services[0].position);
    Ok(())
}

#[tokio::test]
async fn no_setting_of_a_writer_and_no_later_column_makes_a_difference() -> Result<()> {
    let books = Books::open("schema").await?;
    let row = "insert into entries (what, amount, at, ratio, span, raw, doc, days, price)
        values ('größe \\ \" '' {', 1.500, '2026-03-29 02:30:00+01', 0.1::float8 + 0.2, '1 year 2 mons -3 days 04:05:06.7', '\\x00ff',
                '{ \"a\" : 1, \"a\": 2 }', array['2026-01-02', null]::date[], 12.34::numeric::money)";
    for settings in [
        "",
        "set timezone = 'Asia/Kolkata'; set datestyle = 'German'; set intervalstyle = iso_8601",
        "set extra_float_digits = -5; set bytea_output = escape; set datestyle = 'SQL, DMY'",
        "set lc_monetary = 'C'; set xmloption = document; set intervalstyle = sql_standard",
    ] {
        let app = books.enter(By::App).await?;
        app.batch_execute(&format!(
            "{settings}; {row}; insert into accounts (owner, balance) values ('x', 1)"
        ))
        .await?;
    }
    let holds = async || -> Result<()> {
        let report = books.verify().await?;
        assert!(report.holds(), "{}", report.render());
        Ok(())
    };
    holds().await?;
    let migration = "alter table entries add column colour text not null default 'red', add column known_at timestamptz default now();
         alter table accounts add column colour text not null default 'red';";
    std::fs::write(books.path.join("ledger/migrations/0002_colour.sql"), migration)?;
    let folder = Folder::read(&books.path)?;
    for service in &books.ground.system.services {
        ground::migrate_service(&books.ground, &folder, service, To::Latest, &mut |_| {}).await?;
    }
    // Between the migration and the installation only the new columns are not proven yet.
    books.enter(By::App).await?.batch_execute(row).await?;
    let between = books.verify().await?;
    let said: Vec<What> = between.services[0].findings.iter().map(|f| f.what).collect();
    assert_eq!(said, [What::Trigger], "{}", between.render());
    books.ground.install().await?;
    books
        .enter(By::App)
        .await?
        .batch_execute(&format!("{row}; update accounts set colour = 'blue'"))
        .await?;
    holds().await?;
    let app = books.enter(By::App).await?;
    let forms: i64 = app
        .query_one("select count(distinct (payload->'columns')::text) from books_ledger_freehold.outbox where type = 'ledger.entries.appended'", &[])
        .await?
        .get(0);
    assert_eq!(forms, 2);
    Ok(())
}

#[tokio::test]
async fn rows_that_were_there_before_are_proven_from_then_on() -> Result<()> {
    let mut books = Books::open("database").await?;
    let manifest = books.path.join("ledger/freehold.toml");
    let text = std::fs::read_to_string(&manifest)?;
    std::fs::write(
        &manifest,
        text.replace("\"Where.\"", "\"Where.\"\nmode = \"append_only\""),
    )?;
    let folder = Folder::read(&books.path)?;
    books.ground.system = folder.checked.system.clone().context("the manifests are right")?;
    books.ground.install().await?;
    let proven = |report: &Report| {
        let mut tables = report.services[0].tables.iter();
        tables.find(|t| t.table == "books").map(|t| t.proven)
    };
    let report = books.verify().await?;
    assert!(report.holds(), "{}", report.render());
    assert_eq!(proven(&report), Some(2));
    let owner = books.enter(By::Owner).await?;
    owner
        .batch_execute(
            "alter table books disable trigger user; update books set id = 7 where id = 2;
             alter table books enable always trigger freehold_append_only",
        )
        .await?;
    let report = books.verify().await?;
    assert_eq!(proven(&report), Some(1), "{}", report.render());
    Ok(())
}
