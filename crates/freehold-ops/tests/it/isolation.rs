//! The attacks, on private servers: refused when the walls stand, found when one is open.

use crate::shop::{Result, Shop};
use freehold_manifest::model::Placement;
use freehold_ops::isolation::{self, Matrix, Outcome};

/// Attacks carried out against three services, at least; those on nothing are not counted.
const TRIED_MIN: usize = 70;
/// Different attacks on each other service, at least.
const WAYS_MIN: usize = 16;

async fn verify(shop: &Shop) -> Result<Matrix> {
    Ok(isolation::verify(&shop.system, &shop.clusters, &shop.secrets).await?)
}

async fn hold(placement: Placement) -> Result {
    let shop = Shop::open(placement).await?;
    shop.furnish().await?;
    let before = shop.plan().await?.to_string();
    let matrix = verify(&shop).await?;
    println!("{}", matrix.render());
    assert!(matrix.holds(), "{}", matrix.render());
    assert!(matrix.tried() >= TRIED_MIN, "{}", matrix.tried());
    for attacker in &matrix.services {
        for victim in matrix.services.iter().filter(|v| *v != attacker) {
            let ways = matrix.attacks.iter().filter(|t| {
                &t.attacker == attacker && &t.victim == victim && matches!(t.outcome, Outcome::Refused { .. })
            });
            assert!(ways.count() >= WAYS_MIN, "{attacker} ▶ {victim}");
        }
    }
    // Nothing that was tried has left anything.
    assert_eq!(before, shop.plan().await?.to_string());
    shop.close().await
}

#[tokio::test]
async fn no_service_reaches_another_on_servers_of_their_own() -> Result {
    hold(Placement::Server).await
}

#[tokio::test]
async fn no_service_reaches_another_in_databases_of_their_own() -> Result {
    hold(Placement::Database).await
}

#[tokio::test]
async fn no_service_reaches_another_in_schemas_of_a_shared_database() -> Result {
    hold(Placement::Schema).await
}

#[tokio::test]
async fn an_empty_history_is_judged_by_its_triggers() -> Result {
    let shop = Shop::open(Placement::Database).await?;
    shop.furnish().await?;
    let admin = shop.admin(&shop.names("order")).await?;
    admin
        .batch_execute(
            "alter table order_history disable trigger user;
             delete from order_history;
             alter table order_history enable trigger user;
             grant update on order_history to shop_order_app",
        )
        .await?;
    let matrix = verify(&shop).await?;
    let unclear: Vec<_> = matrix.inconclusive.iter().map(|t| t.attack).collect();
    assert_eq!(unclear, ["own-update-history"], "{}", matrix.render());
    assert!(matrix.succeeded.is_empty() && !matrix.holds());
    admin
        .batch_execute("alter table order_history disable trigger keep")
        .await?;
    let matrix = verify(&shop).await?;
    let found: Vec<_> = matrix.succeeded.iter().map(|t| t.attack).collect();
    assert_eq!(found, ["own-update-history"], "{}", matrix.render());
    shop.close().await
}

#[tokio::test]
async fn a_right_to_connect_is_found_behind_a_closed_door() -> Result {
    let shop = Shop::open(Placement::Database).await?;
    shop.furnish().await?;
    let order = shop.names("order");
    shop.admin(&order)
        .await?
        .batch_execute("grant connect on database shop_order to shop_user_reader")
        .await?;
    let matrix = verify(&shop).await?;
    let found: Vec<_> = matrix.succeeded.iter().map(|t| t.attack).collect();
    assert_eq!(found, ["reader-holds-connect"], "{}", matrix.render());
    shop.close().await
}

#[cfg(feature = "plant")]
mod planted {
    use super::{Result, Shop, verify};
    use freehold_manifest::model::Placement;
    use freehold_ops::isolation::plant::{Plant, plant};
    use std::collections::BTreeSet;

    /// Every plant that fits is found by the attacks named, on the pair named; undone, the walls stand again.
    async fn are_found(placement: Placement) -> Result {
        let shop = Shop::open(placement).await?;
        shop.furnish().await?;
        for kind in Plant::ALL.into_iter().filter(|p| p.fits(placement)) {
            let (attacker, found_by): (&str, &[&str]) = match kind {
                Plant::GrantConnect => ("user", &["connect-app", "hold-connect", "read-tables"]),
                Plant::GrantSelect => ("user", &["read-tables", "read-stats"]),
                Plant::GrantRole => ("user", &["set-role-owner", "hold-membership"]),
                Plant::OwnAppendOnly => ("order", &["own-update-history"]),
                Plant::GrantDdl => ("order", &["own-create-table", "own-create-function"]),
            };
            let (from, to) = (shop.service(attacker)?, shop.service("order")?);
            let planted = plant(kind, &shop.system, &shop.clusters, from, to).await?;
            shop.let_in(&planted.access).await?;
            let matrix = verify(&shop).await?;
            let found: BTreeSet<_> = matrix.succeeded.iter().map(|t| t.attack).collect();
            println!("{placement:?} {}: {found:?}", kind.name());
            for attack in found_by {
                assert!(found.contains(attack), "{}\n{}", kind.name(), matrix.render());
            }
            assert!(!matrix.holds());
            for trial in &matrix.succeeded {
                assert_eq!((trial.attacker.as_str(), trial.victim.as_str()), (attacker, "order"));
            }
            planted.undo(&shop.clusters).await?;
            shop.let_in(&[]).await?;
            let matrix = verify(&shop).await?;
            assert!(matrix.holds(), "{}", matrix.render());
        }
        shop.close().await
    }

    #[tokio::test]
    async fn open_walls_between_servers_are_found() -> Result {
        are_found(Placement::Server).await
    }

    #[tokio::test]
    async fn open_walls_between_databases_are_found() -> Result {
        are_found(Placement::Database).await
    }

    #[tokio::test]
    async fn open_walls_between_schemas_are_found() -> Result {
        are_found(Placement::Schema).await
    }
}
