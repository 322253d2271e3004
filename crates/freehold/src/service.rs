//! Wires one service: pool, entity API, sequencer, feed, subscriptions, behaviour. The only module that knows them all,
//! and the only one that starts tasks that live as long as the process.

mod background;
mod behaviour;
mod front;
#[cfg(feature = "testing")]
mod staged;

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::serve::ListenerExt;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use freehold_manifest::model;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use tracing::Instrument;

use crate::access::{self, Access};
use crate::app::{App, Inner};
use crate::causal::{self, Causal};
use crate::effect::Handling;
use crate::entity::cors;
use crate::entity::gate::Gate;
use crate::error::Error;
use crate::health::{Health, Watched};
use crate::openapi::Asks;
use crate::pg::catalog::{self, Catalog};
use crate::sequencer::{self, Signals};
use crate::settings::{Settings, Supervision};
use crate::subscription::{self, Applied, Effect, State, Subscription};
use crate::transport::{feed, reader, snapshot};
use crate::{due, entity, health, openapi, projection, replica, trace};

use behaviour::Behaviour;
use front::Front;

/// The longest wait for a free connection; then the request is answered 503 and may be repeated.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// The longest time open requests have to end after a stop was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// A service that is ready to run.
#[derive(Debug)]
pub struct Service {
    manifest: model::Service,
    settings: Settings,
    behaviour: Behaviour,
}

impl Service {
    /// A service by its manifest and settings, without behaviour of its own; nothing is opened yet.
    #[must_use]
    pub fn new(manifest: model::Service, settings: Settings) -> Self {
        Self {
            manifest,
            settings,
            behaviour: Behaviour::default(),
        }
    }

    /// Serves until a signal, or until the supervisor's end of standard input.
    ///
    /// # Errors
    /// [`Error::Listen`] when the port is taken; [`Error::Pg`], [`Error::Pool`] or [`Error::Postgres`] when the
    /// database cannot be read at the start. Once running, a lost database is waited for.
    pub async fn run(self) -> Result<(), Error> {
        let address = self
            .settings
            .listen
            .clone()
            .unwrap_or_else(|| format!("127.0.0.1:{}", self.manifest.port));
        let listener = TcpListener::bind(&address).await.map_err(|source| Error::Listen {
            address: address.clone(),
            source,
        })?;
        let stopping = watch::Sender::new(false);
        let supervised = self.settings.supervised;
        let pool = pool(&self.settings)?;
        let shapes = catalog::load(&*pool.get().await?, &self.settings.schema).await?;
        let mut tasks = JoinSet::new();
        let name = self.manifest.name.clone();
        let app = self.start(pool, shapes, &stopping, &mut tasks).await?;
        tracing::info!(service = name, address, "serving");

        let stopped = stopping.subscribe();
        // Without it a small batch of the feed would wait for the reader's delayed acknowledgement of the one before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection stays without TCP_NODELAY");
            }
        });
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, app).with_graceful_shutdown(async move {
            stop_asked(supervised).await;
            stopping.send_replace(true);
        });
        let mut stopped = stopped;
        tokio::select! {
            ended = std::future::IntoFuture::into_future(served) => {
                ended.map_err(|source| Error::Listen { address, source })?;
            }
            () = async {
                let _ = stopped.wait_for(|stopping| *stopping).await;
                tokio::time::sleep(DRAIN_MAX).await;
            } => tracing::warn!("requests were cut: they did not end in time"),
        }
        tasks.shutdown().await;
        Ok(())
    }

    /// Starts the tasks and puts the routes together.
    async fn start(
        mut self,
        pool: Pool,
        shapes: Catalog,
        stopping: &watch::Sender<bool>,
        tasks: &mut JoinSet<()>,
    ) -> Result<axum::Router, Error> {
        let signals = Signals::default();
        let instance = &self.settings.instance;
        let auth = self.settings.auth.as_ref();
        self.behaviour.agrees_with(&self.manifest, auth)?;
        access::check_installed(auth, &pool, &self.settings.freehold).await?;
        let access = match auth {
            Some(auth) => Some(Access::open(auth, &pool, &self.settings.freehold).await?),
            None => None,
        };
        let feed = feed::router(Arc::new(self.feed(&pool, &shapes, &signals, stopping)));
        let (handlers, projections, sagas, routes, background) = self.behaviour.take();
        let app = App::new(Inner {
            service: self.manifest.clone(),
            pool: pool.clone(),
            schema: self.settings.schema.clone(),
            freehold: self.settings.freehold.clone(),
            signals: signals.clone(),
            handlers,
            projections,
            sagas,
            constraints: behaviour::constraints(&pool, &self.settings.schema).await?,
            access: access.clone(),
        });
        behaviour::define(&app).await?;
        // Several services may log into one terminal.
        let span = tracing::error_span!("service", name = self.manifest.name);
        let sequencer = sequencer::run(
            pool.clone(),
            self.settings.freehold.clone(),
            instance.clone(),
            signals.clone(),
        );
        tasks.spawn(sequencer.instrument(span.clone()));
        let http = reader::client()?;
        let applied = Applied::default();
        let mut watched = Vec::new();
        let mut producers = Vec::new();
        for subscription in subscriptions(&app, &self.settings, &http, &applied)? {
            watched.push(Watched {
                subscription: subscription.effect.name(),
                producer: subscription.peer.service.clone(),
                state: Arc::clone(&subscription.state),
            });
            producers.push(causal::Followed {
                peer: subscription.peer.clone(),
                subscription: subscription.effect.name(),
                topics: subscription.effect.topics(),
            });
            tasks.spawn(subscription::run(subscription).instrument(span.clone()));
        }
        tasks.spawn(due::run(app.clone()).instrument(span.clone()));
        for of in &self.manifest.projections {
            tasks.spawn(projection::run(app.clone(), of.clone()).instrument(span.clone()));
        }
        for work in background {
            tasks.spawn(work.run(app.clone()).instrument(span.clone()));
        }
        let forgotten = entity::forget(pool.clone(), self.settings.freehold.clone());
        tasks.spawn(forgotten.instrument(span.clone()));
        if let Some(access) = &access {
            let kept = access.clone().run(pool.clone(), self.settings.freehold.clone());
            tasks.spawn(kept.instrument(span.clone()));
        }
        let health = health::router(Arc::new(Health {
            service: self.manifest.clone(),
            pool: pool.clone(),
            freehold: self.settings.freehold.clone(),
            sequencer: signals.alive.subscribe(),
            watched,
        }));
        let asks = if access.is_some() {
            Asks::ForTokens
        } else {
            Asks::Nobody
        };
        let described = openapi::router(&self.manifest, &shapes, asks);
        signals.look(&pool, &self.settings.freehold).await?;
        let api = &self.manifest.api;
        let front = Arc::new(Front {
            gate: Gate::new(api.limits.clone(), pool.clone()),
            causal: Causal::new(causal::Ground {
                service: self.manifest.name.clone(),
                pool: pool.clone(),
                freehold: self.settings.freehold.clone(),
                http,
                followed: producers,
                applied,
                epoch: signals.epoch.subscribe(),
                limit: Duration::from_millis(api.limits.wait_ms.min(api.limits.statement_ms)),
            }),
        });
        let served = entity::Api {
            service: self.manifest.clone(),
            catalog: shapes,
            pool,
            freehold: self.settings.freehold.clone(),
            written: signals.written,
        };
        let entities = match access {
            // Whose write it was is kept with the trace it belonged to.
            Some(access) => entity::asking(served, access).layer(from_fn(trace::within)),
            None => entity::router(served),
        };
        let entities = entities.layer(from_fn_with_state(Arc::clone(&front), front::within));
        let ours = feed
            .merge(health)
            .merge(entities)
            .merge(described)
            .fallback(health::nowhere)
            .method_not_allowed_fallback(health::no_such_method);
        let all = match routes {
            // The service's own come first: what it does not answer, the library does.
            Some(routes) => routes
                .layer(from_fn(trace::within))
                .layer(from_fn_with_state(front, front::within))
                .fallback_service(ours)
                .with_state(app),
            None => ours,
        };
        Ok(cors::allow(api, all))
    }

    fn feed(&self, pool: &Pool, shapes: &Catalog, signals: &Signals, stopping: &watch::Sender<bool>) -> feed::Feed {
        let published = self.manifest.owns.iter().filter(|t| !t.publishes.is_empty());
        feed::Feed {
            service: self.manifest.name.clone(),
            source: format!("/{}/{}", self.settings.system, self.manifest.name),
            pool: pool.clone(),
            freehold: self.settings.freehold.clone(),
            schema: self.settings.schema.clone(),
            accepts: self.settings.accepts.clone(),
            topics: self.manifest.topics(),
            tables: published
                .filter_map(|table| {
                    Some(snapshot::Published {
                        shape: shapes.tables.get(&table.name)?.clone(),
                        columns: table.publishes.clone(),
                    })
                })
                .collect(),
            head: signals.head.subscribe(),
            stopping: stopping.subscribe(),
        }
    }
}

/// The subscriptions of a service: per producer one for copies and one for handlers, where it has such.
fn subscriptions(
    app: &App,
    settings: &Settings,
    http: &reqwest::Client,
    applied: &Applied,
) -> Result<Vec<Subscription>, Error> {
    let service = app.service();
    let mut subscriptions = Vec::new();
    for producer in service.producers() {
        let peer = settings.peers.get(producer).ok_or_else(|| Error::Setting {
            name: "FREEHOLD_PEERS".to_owned(),
            problem: format!("does not say where {producer} is, whose messages are heard here"),
        })?;
        let copies = service.copies.iter().filter(|copy| copy.of.service == producer);
        let sources: Vec<_> = copies
            .map(|copy| replica::Source {
                name: copy.name.clone(),
                table: copy.of.table.clone(),
                topic: copy.of.to_string(),
                columns: copy.columns.clone(),
            })
            .collect();
        let topics = service.hears(producer);
        let mut effects = Vec::new();
        if !sources.is_empty() {
            effects.push(Effect::Copies(replica::Copies { sources }));
        }
        if !topics.is_empty() {
            effects.push(Effect::Handlers(Handling {
                app: app.clone(),
                producer: producer.to_owned(),
                topics,
            }));
        }
        subscriptions.extend(effects.into_iter().map(|effect| Subscription {
            pool: app.pool().clone(),
            freehold: settings.freehold.clone(),
            instance: settings.instance.clone(),
            peer: peer.clone(),
            http: http.clone(),
            effect,
            state: Arc::new(RwLock::new(State::Starting)),
            applied: applied.clone(),
        }));
    }
    Ok(subscriptions)
}

fn pool(settings: &Settings) -> Result<Pool, Error> {
    let manager = Manager::from_config(
        settings.database.clone(),
        NoTls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    Pool::builder(manager)
        .max_size(settings.pool)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(POOL_WAIT),
            create: Some(POOL_WAIT),
            recycle: Some(POOL_WAIT),
        })
        .build()
        .map_err(|error| Error::Setting {
            name: "FREEHOLD_POOL".to_owned(),
            problem: error.to_string(),
        })
}

/// Returns when the process is asked to stop.
async fn stop_asked(supervised: Supervision) {
    use tokio::signal::unix::{SignalKind, signal};
    let stdin_ended = async {
        match supervised {
            Supervision::None => std::future::pending().await,
            Supervision::Stdin => {
                let mut stdin = tokio::io::stdin();
                let mut ignored = [0; 64];
                while stdin.read(&mut ignored).await.is_ok_and(|n| n > 0) {}
            }
        }
    };
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    let interrupted = async {
        // Under a supervisor Ctrl-C reaches the whole group, and the supervisor stops us in its order.
        match supervised {
            Supervision::Stdin => loop {
                let _ = tokio::signal::ctrl_c().await;
            },
            Supervision::None => {
                let _ = tokio::signal::ctrl_c().await;
            }
        }
    };
    tokio::select! {
        () = stdin_ended => {}
        () = terminated => {}
        () = interrupted => {}
    }
}
