//! What the manifest declares and what the code registers agree, or the service does not start.

use freehold::{Event, Result, Service, Tx};
use serde::{Deserialize, Serialize};

use super::acting::{port, settings};
use super::{Buy, bought, expire, obey_release, obey_reserve, stage};
use crate::fixture::Stage;

#[derive(Serialize, Deserialize)]
struct Unheard;

impl Event for Unheard {
    const NAME: &'static str = "buyer.unheard";
}

async fn unheard(_: Unheard, _: &mut Tx) -> Result<()> {
    Ok(())
}

async fn service(stage: &Stage, name: &str) -> Service {
    let home = stage.home(name);
    let (own, other) = (port().await, port().await);
    let peer = if name == "buyer" { "store" } else { "buyer" };
    Service::new(home.service.clone(), settings(home, own, &[(peer, other)]))
}

async fn refused(service: Service) -> String {
    service.run().await.expect_err("the service does not start").to_string()
}

#[tokio::test]
async fn what_only_one_of_them_has_is_named_with_the_remedy() {
    let stage = stage().await;
    let store = || service(&stage, "store");
    let cases = [
        (
            store().await.obey(obey_reserve).obey(obey_release),
            "store subscribes to buyer.bought, but has no handler for it; register one with `.on(…)`, or take it out of `subscribes`",
        ),
        (
            store()
                .await
                .on(bought)
                .on(unheard)
                .obey(obey_reserve)
                .obey(obey_release),
            "store has a handler for buyer.unheard, which its manifest does not subscribe to; add \"buyer.unheard\" to `subscribes`",
        ),
        (
            store().await.on(bought).obey(obey_reserve),
            "store obeys store.release by its manifest, but has no handler for it; register one with `.obey(…)`, or take it out of [commands]",
        ),
        (
            store()
                .await
                .on(bought)
                .obey(obey_reserve)
                .obey(obey_release)
                .obey(obey_release),
            "command store.release is registered twice; one function obeys a command: take one `.obey(…)` away",
        ),
        (
            store()
                .await
                .on(bought)
                .obey(obey_reserve)
                .obey(obey_release)
                .saga::<Buy>(),
            "store registers saga buy, which its manifest does not name; add \"buy\" to `sagas`",
        ),
        (
            service(&stage, "buyer").await.obey(expire),
            "buyer runs saga buy by its manifest, but does not register it; register it with `.saga::<…>()`, or take it out of `sagas`",
        ),
    ];
    for (service, problem) in cases {
        assert_eq!(refused(service).await, problem);
    }
}
