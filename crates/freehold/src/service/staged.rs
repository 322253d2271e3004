//! A service without its tasks and its socket, for [`crate::testing`].

use super::{Service, behaviour, pool};
use crate::app::{App, Inner};
use crate::error::Result;
use crate::sequencer::Signals;

impl Service {
    /// The service as its own code sees it, and the schema of its tables; nothing runs.
    pub(crate) async fn staged(mut self) -> Result<(App, String)> {
        self.behaviour
            .agrees_with(&self.manifest, self.settings.auth.as_ref())?;
        let (handlers, projections, sagas, ..) = self.behaviour.take();
        let pool = pool(&self.settings)?;
        let app = App::new(Inner {
            constraints: behaviour::constraints(&pool, &self.settings.schema).await?,
            pool,
            service: self.manifest,
            schema: self.settings.schema.clone(),
            freehold: self.settings.freehold,
            signals: Signals::default(),
            handlers,
            projections,
            sagas,
            access: None,
        });
        behaviour::define(&app).await?;
        Ok((app, self.settings.schema))
    }
}
