//! What a service's own code registers, and whether the manifest says the same.

use std::collections::HashMap;

use axum::Router;
use deadpool_postgres::Pool;
use freehold_manifest::model;
use freehold_manifest::{SourceFile, read_service};

use super::Service;
use super::background::Work;
use crate::app::{App, Constraints};
use crate::error::{Error, Result};
use crate::handler::{Command, Event, Handlers, OnCommand, OnEvent};
use crate::projection::{OnEvents, Projections};
use crate::saga::{Registered, Runnable, Saga, store};
use crate::settings::{Auth, Settings};

/// The code of a service.
#[derive(Default)]
pub(super) struct Behaviour {
    handlers: Handlers,
    projections: Projections,
    sagas: HashMap<&'static str, Box<dyn Runnable>>,
    routes: Option<Router<App>>,
    pub(super) background: Vec<Work>,
    /// What was found wrong while registering; told at the start.
    problem: Option<Error>,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour")
            .field("handlers", &self.handlers)
            .field("projections", &self.projections.names().collect::<Vec<_>>())
            .field("sagas", &self.sagas.keys())
            .finish_non_exhaustive()
    }
}

impl Service {
    /// A service by the text of its `freehold.toml`; its settings come from the environment.
    ///
    /// ```no_run
    /// # async fn example() -> freehold::Result<()> {
    /// freehold::Service::open("service = \"greeter\"\nport = 7201")?.run().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Behaviour`] when the text is not a manifest; [`Error::Setting`] names a variable that is missing.
    pub fn open(manifest: &str) -> Result<Self> {
        let file = SourceFile {
            path: "freehold.toml".to_owned(),
            text: manifest.to_owned(),
        };
        let manifest = read_service(&file).map_err(|found| Error::Behaviour {
            problem: found.first().map_or_else(
                || "the manifest cannot be read".to_owned(),
                |finding| format!("the manifest: {}", finding.message),
            ),
            remedy: "`freehold check` shows where".to_owned(),
        })?;
        Ok(Self::new(manifest, Settings::from_env()?))
    }

    /// Takes settings from elsewhere than the environment.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Registers what is done when an event is heard: `async fn(E, &mut Tx) -> Result<()>`.
    #[must_use]
    pub fn on<E: Event>(mut self, handler: impl for<'t> OnEvent<'t, E> + 'static) -> Self {
        self.behaviour.handlers.on(handler);
        self
    }

    /// Registers how a command is obeyed: `async fn(C, &mut Tx) -> Result<C::Reply>`.
    #[must_use]
    pub fn obey<C: Command>(mut self, handler: impl for<'t> OnCommand<'t, C> + 'static) -> Self {
        if self.behaviour.handlers.obey(handler).is_some() {
            self.behaviour.wrong(
                format!("command {} is registered twice", C::NAME),
                "one function obeys a command: take one `.obey(…)` away",
            );
        }
        self
    }

    /// Registers how events are folded into a projection's tables: `async fn(Vec<RecordedEvent>, &mut Tx) -> Result<()>`.
    #[must_use]
    pub fn project(mut self, name: &'static str, fold: impl for<'t> OnEvents<'t> + 'static) -> Self {
        if self.behaviour.projections.add(name, fold).is_some() {
            self.behaviour.wrong(
                format!("projection {name} is registered twice"),
                "one function folds it: take one `.project(…)` away",
            );
        }
        self
    }

    /// Registers a saga that this service runs.
    #[must_use]
    pub fn saga<S: Saga>(mut self) -> Self {
        match Registered::<S>::new() {
            Ok(saga) => {
                self.behaviour.sagas.insert(S::NAME, Box::new(saga));
            }
            Err(error) => {
                self.behaviour.problem.get_or_insert(error);
            }
        }
        self
    }

    /// Adds routes of the service's own; their state is the [`App`]. They come before the library's.
    #[must_use]
    pub fn routes(mut self, routes: Router<App>) -> Self {
        self.behaviour.routes = Some(match self.behaviour.routes.take() {
            Some(before) => before.merge(routes),
            None => routes,
        });
        self
    }
}

type Taken = (
    Handlers,
    Projections,
    HashMap<&'static str, Box<dyn Runnable>>,
    Option<Router<App>>,
    Vec<Work>,
);

impl Behaviour {
    pub(super) fn take(self) -> Taken {
        (
            self.handlers,
            self.projections,
            self.sagas,
            self.routes,
            self.background,
        )
    }

    fn wrong(&mut self, problem: String, remedy: &str) {
        self.problem.get_or_insert(Error::Behaviour {
            problem,
            remedy: remedy.to_owned(),
        });
    }

    /// Compares what is registered with what the manifest declares, both ways. What the library hears by itself needs no function.
    ///
    /// # Errors
    /// [`Error::Behaviour`] names the first that only one of them has.
    pub(super) fn agrees_with(&mut self, manifest: &model::Service, auth: Option<&Auth>) -> Result<()> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        let service = &manifest.name;
        let wrong = |problem: String, remedy: String| Err(Error::Behaviour { problem, remedy });
        let heard: Vec<&str> = self.handlers.events().collect();
        for event in &heard {
            if !manifest.subscribes.iter().any(|topic| covers(topic, event)) {
                return wrong(
                    format!("{service} has a handler for {event}, which its manifest does not subscribe to"),
                    format!("add \"{event}\" to `subscribes`"),
                );
            }
        }
        let by_library = auth.map(|auth| model::sessions_ended(&auth.service));
        for topic in manifest.subscribes.iter().filter(|t| by_library.as_ref() != Some(*t)) {
            if !heard.iter().any(|event| covers(topic, event)) {
                return wrong(
                    format!("{service} subscribes to {topic}, but has no handler for it"),
                    "register one with `.on(…)`, or take it out of `subscribes`".to_owned(),
                );
            }
        }
        let obeyed: Vec<&str> = self.handlers.commands().collect();
        if let Some(command) = obeyed
            .iter()
            .find(|name| !manifest.commands.iter().any(|c| c.name == **name))
        {
            return wrong(
                format!("{service} has a handler for {command}, which its manifest does not obey"),
                format!("add `\"{command}\" = {{ from = [\"…\"] }}` under [commands]"),
            );
        }
        if let Some(command) = manifest.commands.iter().find(|c| !obeyed.contains(&c.name.as_str())) {
            return wrong(
                format!(
                    "{service} obeys {} by its manifest, but has no handler for it",
                    command.name
                ),
                "register one with `.obey(…)`, or take it out of [commands]".to_owned(),
            );
        }
        if let Some(saga) = self
            .sagas
            .keys()
            .find(|name| !manifest.sagas.iter().any(|s| s == *name))
        {
            return wrong(
                format!("{service} registers saga {saga}, which its manifest does not name"),
                format!("add \"{saga}\" to `sagas`"),
            );
        }
        if let Some(saga) = manifest
            .sagas
            .iter()
            .find(|name| !self.sagas.contains_key(name.as_str()))
        {
            return wrong(
                format!("{service} runs saga {saga} by its manifest, but does not register it"),
                "register it with `.saga::<…>()`, or take it out of `sagas`".to_owned(),
            );
        }
        let by_program = |projection: &&model::Projection| projection.fold.is_none();
        if let Some(name) = self
            .projections
            .names()
            .find(|name| !manifest.projections.iter().filter(by_program).any(|p| p.name == *name))
        {
            return wrong(
                format!("{service} registers a fold for projection {name}, which its manifest does not leave to it"),
                format!("add `[projections.{name}]` without `fold`"),
            );
        }
        let registered: Vec<&str> = self.projections.names().collect();
        if let Some(projection) = manifest
            .projections
            .iter()
            .filter(by_program)
            .find(|projection| !registered.contains(&projection.name.as_str()))
        {
            return wrong(
                format!(
                    "{service} folds projection {} by its program, but registers no fold",
                    projection.name
                ),
                "register one with `.project(…)`, or name an SQL function in `fold`".to_owned(),
            );
        }
        for saga in self.sagas.values() {
            let own = format!("{service}.");
            if let Some(command) = saga.commands().iter().find(|c| c.starts_with(&own)) {
                return wrong(
                    format!(
                        "saga {} invokes {command} of its own service, which would never answer",
                        saga.name()
                    ),
                    "make it a local step".to_owned(),
                );
            }
            if let Some(command) = saga.commands().iter().find(|c| !manifest.sends.iter().any(|s| s == *c)) {
                return wrong(
                    format!(
                        "saga {} sends {command}, which the manifest of {service} does not name",
                        saga.name()
                    ),
                    format!("add \"{command}\" to `sends`, and let its service obey {service}"),
                );
            }
        }
        Ok(())
    }
}

/// Whether a subscription to `topic` hears `event`: it itself, or every event of a table or stream.
fn covers(topic: &str, event: &str) -> bool {
    topic == event || event.rsplit_once('.').is_some_and(|(whole, _)| whole == topic)
}

/// Compares the sagas' definitions with what still runs.
pub(super) async fn define(app: &App) -> Result<()> {
    let mut tx = app.begin().await?;
    // In one order: another instance may be starting too.
    let mut sagas: Vec<_> = app.sagas().collect();
    sagas.sort_by_key(|saga| saga.name());
    for saga in sagas {
        store::define(&mut tx, saga).await?;
    }
    tx.commit().await
}

/// Whether a table of the service has a constraint that may wait for the commit.
pub(super) async fn constraints(pool: &Pool, schema: &str) -> Result<Constraints> {
    let sql = "select exists (
                 select from pg_constraint c
                 join pg_namespace n on n.oid = c.connamespace
                 where n.nspname = $1 and c.condeferrable
               )";
    let wait: bool = pool.get().await?.query_one(sql, &[&schema]).await?.get(0);
    Ok(if wait {
        Constraints::Wait
    } else {
        Constraints::Immediate
    })
}
