//! What stands in the way of a start is said, with the right exit code.

use std::fs;

use anyhow::{Result, ensure};

use super::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_way_of_a_start_is_named() -> Result<()> {
    let shop = Shop::new()?;
    a_broken_manifest_ends_with_1(&shop)?;
    a_taken_port_ends_with_2(&shop)?;
    the_commands_exit_code_is_passed_on(&shop)?;
    data_are_not_removed_unasked(&shop)?;
    println!("obstacles: broken manifest 1, taken port 2, own command 7, --destroy unasked 2, all said why");
    shop.close().await
}

fn a_broken_manifest_ends_with_1(shop: &Shop) -> Result<()> {
    let (good, bad) = ("to = \"user.users\"", "to = \"user.usres\"");
    shop.folder.edit("order/freehold.toml", &[(good, bad)])?;
    let said = shop.folder.freehold("up", &[])?;
    let all = format!("{}{}", said.stdout, said.stderr);
    ensure!(said.code == 1, "{said:?}");
    ensure!(all.contains("order/freehold.toml") && all.contains("usres"), "{said:?}");
    ensure!(
        !shop.folder.path.join(".freehold").exists(),
        "a broken system has started something"
    );
    shop.folder.edit("order/freehold.toml", &[(bad, good)])
}

fn a_taken_port_ends_with_2(shop: &Shop) -> Result<()> {
    let port = shop.folder.port_of("product");
    let taken = std::net::TcpListener::bind(("127.0.0.1", port))?;
    let said = shop.folder.freehold("up", &[])?;
    drop(taken);
    ensure!(said.code == 2, "{said:?}");
    ensure!(
        said.stderr.contains(&format!("port {port} of service product")),
        "{said:?}"
    );
    ensure!(shop.postmaster("user").is_none(), "the server was left running");
    Ok(())
}

fn the_commands_exit_code_is_passed_on(shop: &Shop) -> Result<()> {
    let said = shop
        .folder
        .freehold("up", &["--", "sh", "-c", "echo $FREEHOLD_ORDER_URL; exit 7"])?;
    ensure!(said.code == 7, "{said:?}");
    let url = shop.url("order");
    ensure!(said.stdout.trim() == url, "the command was not told {url}: {said:?}");
    ensure!(shop.postmaster("user").is_none(), "the server was left running");
    Ok(())
}

fn data_are_not_removed_unasked(shop: &Shop) -> Result<()> {
    let state = shop.folder.path.join(".freehold");
    let said = shop.folder.freehold("down", &["--destroy"])?;
    ensure!(said.code == 2 && said.stderr.contains("--yes"), "{said:?}");
    ensure!(fs::exists(state.join("postgres"))?, "the data are gone unasked");
    let said = shop.folder.freehold("down", &["--destroy", "--yes"])?;
    ensure!(said.code == 0, "{said:?}");
    ensure!(!fs::exists(&state)?, "something is left in {}", state.display());
    Ok(())
}
