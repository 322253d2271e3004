//! No token, password or private key is in the database in clear, nor any of them in the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::fixture::{KEY, Person, Stage, token};

/// The log, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All tables of the service and of the library, as text; `bytea` in hexadecimal.
async fn dump(stage: &Stage) -> String {
    let tables = stage
        .sql
        .query(
            "select format('select coalesce(string_agg(t::text, E''\\n''), '''') from %I.%I t', schemaname, tablename)
             from pg_tables
             where schemaname in ('public', 'freehold')",
            &[],
        )
        .await
        .expect("the tables");
    let mut dump = String::new();
    for table in &tables {
        let rows = stage.sql.query_one(table.get::<_, &str>(0), &[]).await.expect("rows");
        dump += rows.get::<_, &str>(0);
    }
    dump
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_database_or_in_the_log() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let mailbox = stage.mailbox();
    let ann = Person::registered("ann", &stage, &at).await;
    let mut secrets = vec![ann.password.clone(), KEY.to_owned()];
    let mail = mailbox.wait(&ann.email, "Confirm", 1).await.remove(0);
    secrets.push(token(&mail));
    let tokens = ann.log_in(&at).await.tokens();
    let next = at.refresh(&tokens.refresh, &ann.address).await.tokens();
    let body = json!({"password": ann.password, "email": "other@mail.example"});
    ann.ask(&at, "POST", "/email", &next, &body).await;
    secrets.push(
        mailbox
            .token("other@mail.example", "Confirm your new e-mail address")
            .await,
    );
    let reset = ann.reset_token(&at, &mailbox).await;
    let wrong = ann.try_password(&at, "a wrong but precious password").await;
    assert_eq!(wrong.status, 401);
    let body = json!({"token": reset, "password": "a fourth good password"});
    // What is in flight is in the database as well.
    let before = dump(&stage).await;
    assert_eq!(at.post("/password/reset", &ann.address, &body).await.status, 204);
    let dump = before + &dump(&stage).await;
    secrets.extend([tokens.access, tokens.refresh, next.access, next.refresh, reset]);
    secrets.extend(["a wrong but precious password", "a fourth good password"].map(str::to_owned));
    assert!(
        dump.contains("argon2id") && dump.contains(&ann.email),
        "the dump holds what it should"
    );
    let log = String::from_utf8_lossy(&log.0.lock().expect("the log")).into_owned();
    assert!(log.contains("a signing key was made"), "the log holds what it should");
    for secret in secrets {
        let raw = URL_SAFE_NO_PAD
            .decode(&secret)
            .map(|bytes| hex(&bytes))
            .unwrap_or_else(|_| hex(secret.as_bytes()));
        for (place, text) in [("database", &dump), ("log", &log)] {
            assert!(
                !text.contains(&secret) && !text.contains(&raw),
                "{secret} is in the {place}"
            );
        }
    }
}
