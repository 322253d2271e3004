//! A manifest that changed: the installation brings the database after it, while the service writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use freehold::install::Outcome;

use super::{BOTH, columns};
use crate::copies::{ORDER, PRODUCT};
use crate::fixture::{Folder, Stage, number, refused, run, texts};

fn product_that(publishes: &str) -> String {
    format!("[owns.products]\nsummary = \"Sold.\"\npublishes = {publishes}\n[owns.stocks]\nsummary = \"Counted.\"\n")
}

fn order_that(columns: &str) -> String {
    let copy = match columns {
        "" => String::new(),
        some => format!("[copies.products]\nof = \"product.products\"\ncolumns = {some}\n"),
    };
    format!("[owns.order_items]\nsummary = \"Bought.\"\n{copy}")
}

fn folders<'a>(product: &'a str, order: &'a str) -> [Folder<'a>; 2] {
    [
        Folder {
            manifest: product,
            ..PRODUCT
        },
        Folder {
            manifest: order,
            ..ORDER
        },
    ]
}

#[tokio::test]
async fn a_copy_gains_and_loses_columns_and_goes() {
    let narrow = (product_that(r#"["id", "name"]"#), order_that(r#"["id", "name"]"#));
    let wide = (
        product_that(r#"["id", "name", "price"]"#),
        order_that(r#"["id", "name", "price"]"#),
    );
    let mut stage = Stage::open(&folders(&narrow.0, &narrow.1)).await;
    let insert = "insert into products (id, name, price, margin) values (1, 'tea', 2.5, 1)";
    run(&stage.home("product").sql, insert).await;
    let rows = "select to_json(p)::text from products p";
    let state = "select state from freehold.copy";
    let filled = async |stage: &Stage| {
        let (product, order) = (stage.home("product"), stage.home("order"));
        let served = product.serve().await;
        let _followed = order.follow("product", &served.url);
        order.caught_up(product).await;
        texts(&order.sql, rows).await
    };
    assert_eq!(filled(&stage).await, [r#"{"id":1,"name":"tea","version":1}"#]);

    stage.declare(&folders(&wide.0, &wide.1));
    assert_eq!(stage.install().await, BOTH);
    assert_eq!(
        texts(&stage.home("order").sql, state).await,
        ["empty"],
        "no row's price is known"
    );
    assert_eq!(
        filled(&stage).await,
        [r#"{"id":1,"name":"tea","version":1,"price":2.5}"#]
    );
    run(&stage.home("product").sql, "update products set price = 3").await;
    assert_eq!(filled(&stage).await, [r#"{"id":1,"name":"tea","version":2,"price":3}"#]);

    stage.declare(&folders(&narrow.0, &narrow.1));
    assert_eq!(stage.install().await, BOTH);
    let order = stage.home("order");
    assert_eq!(texts(&order.sql, state).await, ["live"], "what is left is known");
    assert_eq!(texts(&order.sql, rows).await, [r#"{"id":1,"name":"tea","version":2}"#]);

    let none = order_that("");
    stage.declare(&folders(&narrow.0, &none));
    assert_eq!(stage.install().await, [Outcome::Unchanged, Outcome::Installed]);
    let order = stage.home("order");
    let left = "select (select count(*) from pg_class where relname in ('products', 'staging_products'))
                     + (select count(*) from pg_proc where proname like '%\\_products')
                     + (select count(*) from freehold.copy) + (select count(*) from freehold.cursor)
                     + (select count(*) from freehold.tombstone)";
    assert_eq!(number(&order.sql, left).await, 0);

    stage.declare(&folders(&narrow.0, &narrow.1));
    stage.install().await;
    assert_eq!(filled(&stage).await, [r#"{"id":1,"name":"tea","version":2}"#]);
}

#[tokio::test]
async fn a_column_that_changes_its_type_changes_in_the_copy() {
    let texts_of = (
        product_that(r#"["id", "name", "price"]"#),
        order_that(r#"["id", "name", "price"]"#),
    );
    let stage = Stage::open(&folders(&texts_of.0, &texts_of.1)).await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into products (id, name, price) values (1, '17', 2.5)",
    )
    .await;
    {
        let served = product.serve().await;
        let _followed = order.follow("product", &served.url);
        order.caught_up(product).await;
    }
    run(
        &product.sql,
        "alter table products alter column name type int using name::int",
    )
    .await;
    stage.install().await;
    assert_eq!(columns(order, "products").await[1], "name integer");
    run(&product.sql, "update products set name = 18").await;
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    assert_eq!(number(&order.sql, "select name::bigint from products").await, 18);
}

#[tokio::test]
async fn a_copy_whose_owner_takes_another_key_is_made_anew() {
    let stocks = (
        "[owns.stocks]\nsummary = \"Counted.\"\npublishes = [\"product_id\", \"place\", \"amount\"]\n[owns.products]\nsummary = \"Sold.\"\n",
        "[owns.order_items]\nsummary = \"Bought.\"\n[copies.stocks]\nof = \"product.stocks\"\ncolumns = [\"product_id\", \"place\", \"amount\"]\n",
    );
    let stage = Stage::open(&folders(stocks.0, stocks.1)).await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into stocks values (1, 'here', 1), (2, 'there', 2)",
    )
    .await;
    {
        let served = product.serve().await;
        let _followed = order.follow("product", &served.url);
        order.caught_up(product).await;
    }
    run(
        &product.sql,
        "alter table stocks drop constraint stocks_pkey, add primary key (place)",
    )
    .await;
    assert_eq!(stage.install().await, BOTH);
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    run(
        &product.sql,
        "update stocks set amount = 7 where place = 'here'; delete from stocks where place = 'there'",
    )
    .await;
    order.caught_up(product).await;
    assert_eq!(
        texts(&order.sql, "select row(s.*)::text from stocks s").await,
        ["(1,here,7,2)"]
    );
    assert_eq!(
        texts(
            &order.sql,
            "select pg_get_constraintdef(oid) from pg_constraint where conname = 'stocks_pkey'"
        )
        .await,
        ["PRIMARY KEY (place)"]
    );
}

#[tokio::test]
async fn an_event_no_longer_declared_is_refused_and_a_table_no_longer_published_is_quiet() {
    let mut stage = Stage::open(&[PRODUCT, ORDER]).await;
    let quiet = "[owns.products]\nsummary = \"Sold.\"\n[owns.stocks]\nsummary = \"Counted.\"\nmode = \"append_only\"\n";
    let none = order_that("");
    stage.declare(&folders(quiet, &none));
    assert_eq!(stage.install().await, BOTH);
    let app = stage.home("product").app().await;
    assert_eq!(
        refused(&app, "select freehold.emit('product.counted', '1', '{}')")
            .await
            .0,
        "FH005"
    );
    run(
        &app,
        "insert into products (id, name) values (1, 'tea'); insert into stocks values (1, 'here', 1)",
    )
    .await;
    // Digests of append-only rows are for nobody.
    let heard = "select count(*) from freehold.outbox where topic not like '%.appended'";
    assert_eq!(number(&app, heard).await, 0);
    assert_eq!(refused(&app, "update stocks set amount = 2").await.0, "42501");
    assert_eq!(
        refused(&stage.home("product").owner().await, "update stocks set amount = 2")
            .await
            .0,
        "FH002"
    );
    run(&app, "update products set name = 'still counted'").await;
    assert_eq!(number(&app, "select version from products").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_while_an_installation_runs() {
    let narrow = (product_that(r#"["id", "name"]"#), order_that(""));
    let wide = (product_that(r#"["id", "name", "price"]"#), order_that(""));
    let mut stage = Stage::open(&folders(&narrow.0, &narrow.1)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for _ in 0..3 {
        let (client, stop) = (stage.home("product").app().await, Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            let mut commits = 0;
            while !stop.load(Ordering::Relaxed) {
                run(
                    &client,
                    "begin; insert into products (name) values ('a'); select pg_sleep(0.001); commit",
                )
                .await;
                commits += 1;
            }
            commits
        }));
    }
    for (product, order) in [&wide, &narrow, &wide] {
        stage.declare(&folders(product, order));
        assert_eq!(stage.install().await[0], Outcome::Installed);
    }
    stop.store(true, Ordering::Relaxed);
    let mut commits = 0;
    for writer in writers {
        commits += writer.await.expect("a writer ends");
    }
    let product = stage.home("product");
    assert_eq!(
        number(&product.sql, "select count(*) from freehold.outbox").await,
        commits
    );
    println!("{commits} insertions beside three installations");
}
