//! Who did what, and who was refused: rows of `audit_logs`, which nothing changes afterwards.

use freehold::Tx;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;

/// What is written down of an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'e> {
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    /// Whose account; none if there is none.
    pub(crate) user: Option<Uuid>,
    pub(crate) session: Option<Uuid>,
    /// Who asked; none for what the service does by itself.
    pub(crate) client: Option<&'e Client>,
}

/// What somebody did or tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Register,
    Verify,
    LogIn,
    /// A used refresh token came again.
    Replay,
    /// An access token that is not accepted.
    Access,
    LogOut,
    ResetPassword,
    ChangePassword,
    AskEmail,
    ChangeEmail,
    DeleteAccount,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Verify => "verify",
            Self::LogIn => "log_in",
            Self::Replay => "replay",
            Self::Access => "access",
            Self::LogOut => "log_out",
            Self::ResetPassword => "reset_password",
            Self::ChangePassword => "change_password",
            Self::AskEmail => "ask_email",
            Self::ChangeEmail => "change_email",
            Self::DeleteAccount => "delete_account",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Done,
    Refused,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// Writes it down, in the transaction that did it.
pub(crate) async fn write(tx: &Tx, entry: Entry<'_>) -> Result<()> {
    // `00-<trace>-<span>-<flags>`
    let trace = tx.traceparent().and_then(|trace| trace.split('-').nth(1));
    tx.execute(
        "insert into audit_logs (id, action, outcome, user_id, session_id, address, device, trace_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &Uuid::now_v7(),
            &entry.action.word(),
            &entry.outcome.word(),
            &entry.user,
            &entry.session,
            &entry.client.map(|client| client.address),
            &entry.client.map(|client| client.device.as_str()),
            &trace,
        ],
    )
    .await?;
    Ok(())
}
