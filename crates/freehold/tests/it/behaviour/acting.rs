//! Services with behaviour, running in this process.

use std::collections::BTreeMap;

use freehold::settings::Supervision;
use freehold::transport::reader::Peer;
use freehold::{Service, Settings};
use tokio::task::JoinSet;

use super::{Buy, bought, expire, obey_release, obey_reserve};
use crate::fixture::{Home, Stage, TOKEN, number, until};

/// Ports of services under test: below those that the system gives to outgoing connections, so that between this look
/// and the service's start none of these takes it.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A free port of this machine; taken again by the service a moment later.
pub(crate) async fn port() -> u16 {
    for _ in 0..100 {
        let port = fastrand::u16(PORTS);
        if tokio::net::TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
    panic!("no free port in {PORTS:?}")
}

/// Settings of a service whose peers answer at these ports.
pub(crate) fn settings(home: &Home, own: u16, peers: &[(&str, u16)]) -> Settings {
    let accepts = peers.iter().map(|(name, _)| ((*name).to_owned(), TOKEN.to_owned()));
    let accepts = accepts.collect();
    let peers = peers.iter().map(|(name, port)| {
        let peer = Peer {
            service: (*name).to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            token: TOKEN.to_owned(),
        };
        ((*name).to_owned(), peer)
    });
    Settings {
        system: "t".to_owned(),
        database: home.app_config(),
        schema: home.names.schema.clone(),
        freehold: home.names.freehold.clone(),
        listen: Some(format!("127.0.0.1:{own}")),
        pool: 8,
        accepts,
        peers: peers.collect::<BTreeMap<_, _>>(),
        instance: "one".to_owned(),
        auth: None,
        supervised: Supervision::None,
    }
}

/// Both services at work until this is dropped.
pub(super) struct Acting {
    pub(super) buyer: u16,
    pub(super) other: u16,
    tasks: JoinSet<()>,
}

impl Acting {
    pub(super) async fn both(stage: &Stage) -> Self {
        let mut acting = Self::one(|own, other| buyer(stage, own, other)).await;
        acting.run(shop(stage, acting.other, acting.buyer));
        acting
    }

    /// The buyer alone; where the store would answer, nobody does.
    pub(super) async fn one(buyer: impl Fn(u16, u16) -> Service) -> Self {
        let mut acting = Self {
            buyer: port().await,
            other: port().await,
            tasks: JoinSet::new(),
        };
        acting.run(buyer(acting.buyer, acting.other));
        acting
    }

    pub(super) fn run(&mut self, service: Service) {
        self.tasks.spawn(async move {
            service.run().await.expect("the service runs");
        });
    }
}

pub(super) fn buyer(stage: &Stage, own: u16, store: u16) -> Service {
    let home = stage.home("buyer");
    Service::new(home.service.clone(), settings(home, own, &[("store", store)]))
        .saga::<Buy>()
        .obey(expire)
        .routes(super::sagas::routes())
}

pub(super) fn shop(stage: &Stage, own: u16, buyer: u16) -> Service {
    let home = stage.home("store");
    Service::new(home.service.clone(), settings(home, own, &[("buyer", buyer)]))
        .on(bought)
        .obey(obey_reserve)
        .obey(obey_release)
}

/// Waits until every saga has ended and everything that was said has been heard.
pub(super) async fn quiet(stage: &Stage) {
    let (buyer, store) = (stage.home("buyer"), stage.home("store"));
    let open = buyer.place("select count(*) from freehold.saga where state not in ('completed', 'compensated')");
    until("every saga ends", || async { number(&buyer.sql, &open).await == 0 }).await;
    for (speaker, hearer) in [(buyer, store), (store, buyer)] {
        until("everything said is heard", || async { heard(speaker, hearer).await }).await;
    }
}

async fn heard(speaker: &Home, hearer: &Home) -> bool {
    if number(&speaker.sql, &speaker.place("select count(*) from freehold.outbox")).await > 0 {
        return false;
    }
    let head = number(
        &speaker.sql,
        &speaker.place(&format!(
            "select coalesce(max(position), 0) from freehold.log
             where topic in ('{0}.commands', '{0}.replies', 'buyer.bought')",
            hearer.service.name
        )),
    )
    .await;
    let seen = number(
        &hearer.sql,
        &hearer.place("select coalesce(max(seen), 0) from freehold.cursor where subscription = 'handlers'"),
    )
    .await;
    seen >= head
}
