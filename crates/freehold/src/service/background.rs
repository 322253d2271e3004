//! Work that a service does by itself for as long as it runs: mails sent, keys rotated, what has expired swept away.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Service;
use crate::app::App;
use crate::error::{Error, Result};

/// The wait before work that failed is begun again, the first time.
const AGAIN_MIN: Duration = Duration::from_millis(200);

/// The longest such wait.
const AGAIN_MAX: Duration = Duration::from_secs(30);

/// Work that ran this long before it failed is begun again as if for the first time.
const SOUND: Duration = Duration::from_secs(60);

/// Work with its name in the log.
pub(super) struct Work {
    name: &'static str,
    begin: Box<dyn Fn(App) -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

impl Service {
    /// Does something for as long as the service runs, in a task of its own. Every instance of the service does it: what only one
    /// may do at a time, it settles in the database.
    ///
    /// If it fails or panics, that is logged, and it is begun again after a wait that grows from 200 ms to 30 s. If it
    /// returns `Ok`, it is over. When the service stops it is dropped at its next `await`; a transaction of it that is not
    /// committed by then is rolled back.
    ///
    /// ```no_run
    /// async fn sweep(app: freehold::App) -> freehold::Result<()> {
    ///     loop {
    ///         let tx = app.begin().await?;
    ///         tx.execute("delete from drafts where expires_at < now()", &[]).await?;
    ///         tx.commit().await?;
    ///         tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    ///     }
    /// }
    ///
    /// # async fn example(manifest: &str) -> freehold::Result<()> {
    /// freehold::Service::open(manifest)?
    ///     .background("sweeping", sweep)
    ///     .run()
    ///     .await
    /// # }
    /// ```
    #[must_use]
    pub fn background<F, Fut>(mut self, name: &'static str, work: F) -> Self
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.behaviour.background.push(Work {
            name,
            begin: Box::new(move |app| Box::pin(work(app))),
        });
        self
    }
}

impl Work {
    /// Runs until it is over, or dropped.
    pub(super) async fn run(self, app: App) {
        let mut wait = AGAIN_MIN;
        loop {
            let begun = tokio::time::Instant::now();
            let done = AssertUnwindSafe(async { (self.begin)(app.clone()).await });
            let error = match done.catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(_) => Error::other("it panicked; the log of the service has more"),
            };
            if begun.elapsed() >= SOUND {
                wait = AGAIN_MIN;
            }
            tracing::warn!(work = self.name, %error, "background work failed and is begun again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Work").field(&self.name).finish()
    }
}
