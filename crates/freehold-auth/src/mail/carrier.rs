//! What carries mails: an SMTP server, or a folder of files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::settings::Mail;

/// The longest wait for one answer of the server.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Carries mails away.
pub(super) enum Carrier {
    Folder(PathBuf),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

impl Carrier {
    pub(super) fn new(mail: &Mail) -> Result<Self> {
        match mail {
            Mail::Folder(path) => {
                tracing::warn!(folder = %path.display(), "mails are written into a folder; AUTH_MAIL names a server");
                Ok(Self::Folder(path.clone()))
            }
            Mail::Smtp(url) => {
                let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
                // What the library says of a URL it cannot read may hold the password.
                let server = server.map_err(|_| Error::Setting {
                    name: "AUTH_MAIL",
                    problem: "is no URL of a mail server, like smtp://user:password@host:587?tls=required".to_owned(),
                })?;
                Ok(Self::Smtp(server.timeout(Some(ANSWER_MAX)).build()))
            }
        }
    }

    /// Hands a mail over: to a server that said it has it, or into a file of its own.
    pub(super) async fn carry(&self, id: Uuid, message: &Message) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let written = write(folder, id, &message.formatted()).await;
                written.map_err(|error| Error::Mail(format!("{}: {error}", folder.display())))
            }
            Self::Smtp(server) => {
                let sent = server.send(message.clone()).await;
                sent.map(|_| ()).map_err(|error| Error::Mail(said(&error)))
            }
        }
    }
}

/// Whole or not at all; a mail that is written again replaces itself.
async fn write(folder: &Path, id: Uuid, bytes: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let (fresh, path) = (folder.join(format!(".{id}")), folder.join(format!("{id}.eml")));
    tokio::fs::write(&fresh, bytes).await?;
    tokio::fs::rename(&fresh, &path).await
}

/// The class of a failure. The server's own words may repeat the recipient.
fn said(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the server answered {code}"),
        None if error.is_timeout() => "the server took too long".to_owned(),
        None if error.is_tls() => "the connection could not be encrypted".to_owned(),
        None => "the server cannot be reached, or does not speak SMTP".to_owned(),
    }
}
