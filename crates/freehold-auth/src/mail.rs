//! Mails: written down in the transaction that they belong to, sent after its commit, at least once.
//!
//! A mail is claimed for a while, sent in no transaction, and then deleted. If the process dies in between, another sends it
//! again when the claim is over; it is the same mail with the same Message-ID, so a reader sees it once. Its token is in no
//! row: it follows from the mail's id and the service's key.

mod carrier;
mod letter;

use std::sync::Arc;
use std::time::Duration;

use freehold::{App, Tx};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::Accounts;
use crate::error::Result;
use crate::secret::{Purpose, Token};

use carrier::Carrier;
pub(crate) use letter::Kind;
use letter::Letter;

/// The longest wait between two looks.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Mails sent at once by one instance: servers bear few connections of one sender.
const BATCH_MAX: i64 = 8;

/// A claim: it outlasts the attempt.
const CLAIM: Duration = Duration::from_secs(90);

/// One attempt.
const SEND_MAX: Duration = Duration::from_secs(60);

/// The wait after a first failure; each further one doubles it.
const AGAIN_MIN_S: f64 = 2.0;

/// The longest such wait.
const AGAIN_MAX_S: f64 = 3_600.0;

/// Attempts, over about three days; then the mail is dropped, and that is logged.
const ATTEMPTS_MAX: i32 = 80;

/// A mail that this instance has claimed.
struct Claimed {
    id: Uuid,
    kind: String,
    recipient: String,
    /// Seconds since 1970.
    created: i64,
    attempts: i32,
}

/// Writes down a mail.
pub(crate) async fn post(tx: &Tx, kind: Kind, recipient: &str) -> Result<()> {
    write(tx, Uuid::new_v4(), kind, recipient).await
}

/// Writes down a mail with a token, which the caller has to store.
pub(crate) async fn post_with_token(accounts: &Accounts, tx: &Tx, kind: Kind, recipient: &str) -> Result<Token> {
    let id = Uuid::new_v4();
    write(tx, id, kind, recipient).await?;
    Ok(token_of(accounts, id))
}

async fn write(tx: &Tx, id: Uuid, kind: Kind, recipient: &str) -> Result<()> {
    tx.execute(
        "insert into mails (id, kind, recipient) values ($1, $2, $3)",
        &[&id, &kind.word(), &recipient],
    )
    .await?;
    Ok(())
}

fn token_of(accounts: &Accounts, id: Uuid) -> Token {
    Token::derived(accounts.settings.key.derive(Purpose::Mail, b"", id.as_bytes()))
}

/// Sends mails until dropped.
pub(crate) async fn run(accounts: Arc<Accounts>, app: App) -> freehold::Result<()> {
    let carrier = Carrier::new(&accounts.settings.mail)?;
    loop {
        let claimed = claim(&app).await?;
        if claimed.is_empty() {
            tokio::select! {
                () = accounts.posted.notified() => {}
                () = tokio::time::sleep(LOOK_MAX) => {}
            }
            continue;
        }
        let sent = claimed.iter().map(|mail| deliver(&accounts, &app, &carrier, mail));
        for done in join_all(sent).await {
            done?;
        }
    }
}

/// Claims mails that are due; one that is claimed is passed over by everybody until the claim is over.
async fn claim(app: &App) -> Result<Vec<Claimed>> {
    let tx = app.begin().await?;
    let rows = tx
        .query(
            "update mails m
             set due_at = clock_timestamp() + $1 * interval '1 s',
                 attempts = m.attempts + 1
             where m.id in (
               select w.id
               from mails w
               where w.due_at <= clock_timestamp()
               order by w.due_at
               limit $2
               for update skip locked
             )
             returning m.id, m.kind, m.recipient, floor(extract(epoch from m.created_at))::bigint, m.attempts",
            &[&CLAIM.as_secs_f64(), &BATCH_MAX],
        )
        .await?;
    tx.commit().await?;
    let claimed = rows.iter().map(|row| Claimed {
        id: row.get(0),
        kind: row.get(1),
        recipient: row.get(2),
        created: row.get(3),
        attempts: row.get(4),
    });
    Ok(claimed.collect())
}

async fn deliver(accounts: &Accounts, app: &App, carrier: &Carrier, mail: &Claimed) -> Result<()> {
    let token = token_of(accounts, mail.id);
    let letter = Letter::of(&accounts.settings, mail, &token);
    let carried = async { carrier.carry(mail.id, &letter?.message()?).await };
    let sent = tokio::time::timeout(SEND_MAX, carried).await;
    let tx = app.begin().await?;
    match sent.unwrap_or_else(|_| Err(crate::Error::Mail("the server took too long".to_owned()))) {
        Ok(()) => {
            tx.execute("delete from mails m where m.id = $1", &[&mail.id]).await?;
        }
        Err(error) if mail.attempts >= ATTEMPTS_MAX => {
            tracing::error!(mail = %mail.id, kind = mail.kind, %error, "a mail could not be sent and is dropped");
            tx.execute("delete from mails m where m.id = $1", &[&mail.id]).await?;
        }
        Err(error) => {
            tracing::warn!(mail = %mail.id, kind = mail.kind, attempts = mail.attempts, %error, "a mail could not be sent and is tried again");
            let wait = (AGAIN_MIN_S * f64::from(mail.attempts - 1).exp2()).min(AGAIN_MAX_S);
            tx.execute(
                "update mails m set due_at = clock_timestamp() + $2 * interval '1 s' where m.id = $1",
                &[&mail.id, &wait],
            )
            .await?;
        }
    }
    Ok(tx.commit().await?)
}
