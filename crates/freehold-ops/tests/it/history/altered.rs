//! Whoever takes the walls down is found: every way to alter something, one after the other.

use anyhow::{Context, Result};
use freehold::install::chain;
use freehold_ops::history::{Finding, What, verify_against};

use super::attacks::{self, Attack, RECOMPUTE};
use super::{Books, By};

/// Each takes a second or two: of the hundred and more, every so many are tried unless `FREEHOLD_PROVE` is set. No list of
/// ways has this length, so all kinds are among them.
const STEP: usize = 5;

#[tokio::test]
async fn every_alteration_is_found_and_its_place_is_named() -> Result<()> {
    let books = Books::filled().await?;
    let all = attacks::all();
    let step = if std::env::var_os("FREEHOLD_PROVE").is_some() {
        1
    } else {
        STEP
    };
    let attacks: Vec<&Attack> = all.iter().step_by(step).collect();
    let mut missed = Vec::new();
    for attack in &attacks {
        books.put_back().await?;
        if let Some(why) = missed_by(&books, attack).await? {
            missed.push(format!("{:?}, {}: {why}", attack.by, attack.name));
        }
        // The roles are the server's and stay when a database is put back.
        if attack.found == What::Owner {
            let revoke = "revoke books_ledger_owner from books_ledger_app";
            books.enter(By::Superuser).await?.batch_execute(revoke).await?;
        }
    }
    println!(
        "{} of {} alterations found",
        attacks.len() - missed.len(),
        attacks.len()
    );
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    books.put_back().await?;
    let report = books.verify().await?;
    assert!(report.holds(), "{}", report.render());
    Ok(())
}

async fn missed_by(books: &Books, attack: &Attack) -> Result<Option<String>> {
    let client = books.enter(attack.by).await?;
    let position = match attack.row {
        Some(row) => {
            let sql =
                "select position from freehold.log where type = 'ledger.' || $1::text || '.appended' and key = $2";
            let found = client.query_one(sql, &[&row.table, &row.key]).await;
            Some((
                row.table,
                row.key,
                found.context("the row has an entry")?.get::<_, i64>(0),
            ))
        }
        None => None,
    };
    let done = client.batch_execute(&attack.sql).await;
    done.with_context(|| format!("{}: {}", attack.name, attack.sql))?;
    let report = books.verify().await?;
    let findings = &report.services[0].findings;
    let named = |finding: &&Finding| {
        finding.what == attack.found
            && position.is_none_or(|(table, key, position)| {
                let later = attack.found == What::RowTwice;
                finding.table.as_deref() == Some(table)
                    && finding.key.as_deref() == Some(key)
                    && finding
                        .position
                        .is_some_and(|at| at == position || (later && at > position))
            })
    };
    Ok(match findings.iter().find(named) {
        Some(_) => None,
        None => Some(format!(
            "{:?} expected at {position:?}, said was\n{}",
            attack.found,
            report.render()
        )),
    })
}

/// A row altered together with its entry, the chain and the head: in itself all of it is right.
#[tokio::test]
async fn only_a_witness_knows_a_forgery_that_is_complete() -> Result<()> {
    let books = Books::filled().await?;
    let client = books.enter(By::Superuser).await?;
    let columns: Vec<String> = client
        .query("select attname::text from pg_attribute where attrelid = 'entries'::regclass and attnum > 0 order by attnum", &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    client
        .batch_execute(&format!(
            "alter table entries disable trigger user; update entries set amount = 1000000 where id = 7;
             alter table entries enable always trigger freehold_append_only;
             alter table entries enable always trigger freehold_append_only_truncate;
             alter table entries enable always trigger freehold_appended;
             begin; {shown}
             update freehold.log set payload = (select ({payload})::json from entries t where id = 7)
             where type = 'ledger.entries.appended' and key = '7';
             commit; {RECOMPUTE}",
            shown = freehold::install::shown_locally(),
            payload = chain::entry_payload("t", &columns),
        ))
        .await?;
    let report = books.verify().await?;
    let said: Vec<What> = report.services[0].findings.iter().map(|f| f.what).collect();
    assert_eq!(said, [What::LogRewritten], "{}", report.render());
    // And indeed nobody else does: so this is what the comparison with witnesses is worth.
    let alone = verify_against(&books.ground, &freehold_ops::history::witness::Claims::default()).await?;
    assert!(alone.holds(), "{}", alone.render());
    Ok(())
}

#[tokio::test]
async fn each_witness_knows_it_by_itself() -> Result<()> {
    let books = Books::filled().await?;
    let file = freehold_ops::history::witness::path_of(&books.path.join(".freehold"), "ledger");
    let written = std::fs::read_to_string(&file)?;
    assert_eq!(written.lines().count(), 1, "{written}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let forge = format!("update freehold.log set version = version + 1 where position = 40; {RECOMPUTE}");
    books.enter(By::Superuser).await?.batch_execute(&forge).await?;
    let watch = books.ground.clusters.of("watch")?.admin("books_watch");
    let (watch, connection) = watch.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let by = async || -> Result<String> {
        let report = books.verify().await?;
        let found = report.services[0].findings.first().cloned();
        Ok(found.map_or_else(String::new, |finding| finding.detail))
    };
    watch.batch_execute("update freehold.cursor set seen = 0").await?;
    std::fs::remove_file(&file)?;
    assert!(
        by().await?.starts_with("the database of watch has seen another log"),
        "{}",
        by().await?
    );
    watch
        .batch_execute("alter table freehold.witness disable trigger user; truncate freehold.witness")
        .await?;
    assert_eq!(by().await?, "");
    std::fs::write(&file, &written)?;
    assert!(
        by().await?.contains(".freehold/witness/ledger has seen another log"),
        "{}",
        by().await?
    );
    // Half a line is what a crash leaves; another text is somebody's.
    std::fs::write(&file, format!("{written}17 1 9"))?;
    assert!(by().await?.contains("has seen another log"));
    std::fs::write(&file, "what\n")?;
    assert!(by().await?.starts_with("line 1 of "), "{}", by().await?);
    Ok(())
}
