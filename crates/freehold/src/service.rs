//! Wires one service: pool, entity API, sequencer, feed, subscriptions. The only module that knows them all, and
//! the only one that starts tasks that live as long as the process.

use std::sync::{Arc, RwLock};

use axum::serve::ListenerExt;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use freehold_manifest::model;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use tracing::Instrument;

use crate::error::Error;
use crate::health::{Health, Watched};
use crate::pg::catalog::{self, Catalog};
use crate::sequencer::{self, Signals};
use crate::settings::{Settings, Supervision};
use crate::subscription::{self, State, Subscription};
use crate::transport::{feed, reader, snapshot};
use crate::{entity, health, replica};

/// The longest wait for a free connection; then the request is answered 503 and may be repeated.
const POOL_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// The longest time open requests have to end after a stop was asked for.
const DRAIN_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// A service that is ready to run.
#[derive(Debug)]
pub struct Service {
    manifest: model::Service,
    settings: Settings,
}

impl Service {
    /// A service by its manifest and settings; nothing is opened yet.
    #[must_use]
    pub fn new(manifest: model::Service, settings: Settings) -> Self {
        Self { manifest, settings }
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
        let app = self.start(pool, shapes, &stopping, &mut tasks)?;
        tracing::info!(service = self.manifest.name, address, "serving");

        let stopped = stopping.subscribe();
        // Without it a small batch of the feed would wait for the reader's delayed acknowledgement of the one before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection stays without TCP_NODELAY");
            }
        });
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
    fn start(
        &self,
        pool: Pool,
        shapes: Catalog,
        stopping: &watch::Sender<bool>,
        tasks: &mut JoinSet<()>,
    ) -> Result<axum::Router, Error> {
        let signals = Signals::default();
        let instance = &self.settings.instance;
        // Several services may log into one terminal.
        let span = tracing::error_span!("service", name = self.manifest.name);
        let sequencer = sequencer::run(
            pool.clone(),
            self.settings.freehold.clone(),
            instance.clone(),
            signals.clone(),
        );
        tasks.spawn(sequencer.instrument(span.clone()));
        let mut watched = Vec::new();
        for subscription in self.subscriptions(&pool, instance)? {
            watched.push(Watched {
                producer: subscription.peer.service.clone(),
                state: Arc::clone(&subscription.state),
            });
            tasks.spawn(subscription::run(subscription).instrument(span.clone()));
        }
        let feed = feed::router(Arc::new(self.feed(&pool, &shapes, &signals, stopping)));
        let health = health::router(Arc::new(Health {
            service: self.manifest.clone(),
            pool: pool.clone(),
            freehold: self.settings.freehold.clone(),
            sequencer: signals.alive.subscribe(),
            watched,
        }));
        let entities = entity::router(entity::Api {
            service: self.manifest.clone(),
            catalog: shapes,
            pool,
            written: signals.written,
        });
        Ok(feed
            .merge(health)
            .merge(entities)
            .fallback(health::nowhere)
            .method_not_allowed_fallback(health::no_such_method))
    }

    fn subscriptions(&self, pool: &Pool, instance: &str) -> Result<Vec<Subscription>, Error> {
        let http = reader::client()?;
        let mut subscriptions = Vec::new();
        for producer in self.manifest.producers() {
            let peer = self.settings.peers.get(producer).ok_or_else(|| Error::Setting {
                name: "FREEHOLD_PEERS".to_owned(),
                problem: format!("does not say where {producer} is, whose rows are copied here"),
            })?;
            let copies = self
                .manifest
                .copies
                .iter()
                .filter(|copy| copy.of.service == producer)
                .map(|copy| replica::Source {
                    name: copy.name.clone(),
                    table: copy.of.table.clone(),
                    topic: copy.of.to_string(),
                    columns: copy.columns.clone(),
                })
                .collect();
            subscriptions.push(Subscription {
                pool: pool.clone(),
                freehold: self.settings.freehold.clone(),
                instance: instance.to_owned(),
                peer: peer.clone(),
                http: http.clone(),
                copies,
                state: Arc::new(RwLock::new(State::Starting)),
            });
        }
        Ok(subscriptions)
    }

    fn feed(&self, pool: &Pool, shapes: &Catalog, signals: &Signals, stopping: &watch::Sender<bool>) -> feed::Feed {
        let published = self.manifest.owns.iter().filter(|t| !t.publishes.is_empty());
        let rows = published.clone().map(|t| format!("{}.{}", self.manifest.name, t.name));
        feed::Feed {
            service: self.manifest.name.clone(),
            source: format!("/{}/{}", self.settings.system, self.manifest.name),
            pool: pool.clone(),
            freehold: self.settings.freehold.clone(),
            schema: self.settings.schema.clone(),
            accepts: self.settings.accepts.clone(),
            topics: rows.chain(self.manifest.publishes.iter().cloned()).collect(),
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
