//! A connection that goes back to the pool only when nothing is left on it.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use deadpool_postgres::{ClientWrapper, Object};
use tokio::time::timeout;
use tokio_postgres::NoTls;

use super::fault::{self, Fault};
use super::limits::{CANCEL_PAUSE, CANCEL_TIME_MAX};

/// A connection of the pool.
///
/// Dropped while it is held, because its client has gone, say, it is closed, and what runs on it is stopped: nobody waits
/// for that any more, and the next request would wait behind it, or be a part of its transaction.
#[derive(Debug)]
pub(super) struct Connection {
    client: Option<Object>,
    is_held: AtomicBool,
}

impl Connection {
    pub(super) fn new(client: Object) -> Self {
        Self {
            client: Some(client),
            is_held: AtomicBool::new(false),
        }
    }

    pub(super) fn client(&self) -> Result<&Object, Fault> {
        let gone = || Fault::Pool("the connection was given up".to_owned());
        self.client.as_ref().ok_or_else(gone)
    }

    /// Holds it: a transaction begins, or a statement that nobody needs but who sent it. Says whether it was held before.
    pub(super) fn hold(&self) -> bool {
        self.is_held.swap(true, Ordering::Relaxed)
    }

    /// Whether a transaction is open on it.
    pub(super) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Relaxed)
    }

    /// Gives it back: nothing runs on it, and no transaction is open.
    pub(super) fn give_back(mut self) {
        drop(self.client.take());
    }

    /// Closes it: its server is gone, or the state it is in is not known.
    pub(super) fn give_up(mut self) {
        drop(self.client.take().map(Object::take));
    }

    /// Closes it and has the server stop what runs on it, because the time is over.
    pub(super) async fn cancel(mut self) -> Fault {
        if let Some(client) = self.client.take() {
            stop(Object::take(client)).await;
        }
        Fault::Refused(fault::out_of_time(StatusCode::GATEWAY_TIMEOUT))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if !*self.is_held.get_mut() {
            return;
        }
        let client = Object::take(client);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(stop(client));
        }
    }
}

/// Has the server stop what runs on a connection, and closes it.
///
/// What was sent a moment ago may reach the server after the wish to stop it, which is then lost: so it is asked until the
/// connection answers.
async fn stop(client: ClientWrapper) {
    let token = client.cancel_token();
    let stopped = async {
        loop {
            // Whether it was heard, the answer shows.
            drop(token.cancel_query(NoTls).await);
            if timeout(CANCEL_PAUSE, client.batch_execute("select")).await.is_ok() {
                return;
            }
        }
    };
    if timeout(CANCEL_TIME_MAX, stopped).await.is_err() {
        tracing::warn!("a statement that was given up could not be cancelled");
    }
}
