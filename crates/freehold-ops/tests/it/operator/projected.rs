//! Projections as an operator sees them.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Market;

#[tokio::test]
async fn a_projection_is_told_as_it_is_and_rebuilt_on_order() -> Result<()> {
    let market = Market::open("database").await?;
    let buyer = market.sql("buyer").await?;
    let append = "select freehold.append('purchase', n::text, 0, 'made', '{}') from generate_series(1, 3) n";
    buyer.run(append).await?;
    buyer.run("select freehold.order_events(10)").await?;
    let (code, told) = market.json(&["projections", "list", "@", "--json"]).await?;
    let made = json!({
        "service": "buyer", "name": "made", "timing": "after_append", "state": "live", "follows": "streams",
        "sources": ["purchase"], "behind": 3, "rebuild": null, "error": null
    });
    ensure!((code, &told) == (0, &json!([made])), "{code} {told}");

    let said = market
        .freehold(&["projections", "rebuild", "@", "buyer", "maid"])
        .await?;
    ensure!(
        said.code == 2 && said.stderr.contains("buyer has no projection maid: it has made"),
        "{said:?}"
    );
    let said = market
        .freehold(&["projections", "rebuild", "@", "buyer", "made"])
        .await?;
    ensure!(
        said.code == 0 && said.stderr.contains("buyer folds made anew when it starts"),
        "{said:?}"
    );
    let (_, told) = market
        .json(&["projections", "list", "@", "--service", "buyer", "--json"])
        .await?;
    let rebuild = &told[0]["rebuild"];
    ensure!(
        (rebuild["position"].as_i64(), rebuild["of"].as_i64()) == (Some(0), Some(3)),
        "{told}"
    );

    buyer
        .run("select freehold.halt_projection('made', 'the fold is wrong')")
        .await?;
    let said = market.freehold(&["projections", "list", "@"]).await?;
    ensure!(said.code == 1 && said.stdout.contains("0 of 3, "), "{said:?}");
    ensure!(
        said.stdout.lines().count() == 2 && said.stdout.ends_with("the fold is wrong\n"),
        "{said:?}"
    );
    Ok(())
}
