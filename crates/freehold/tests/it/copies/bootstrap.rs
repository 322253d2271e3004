//! A copy's beginning and its second beginning, while the owner is written.

use super::{Churn, PRODUCTS, assert_equal, shop};
use crate::fixture::{Home, number, run, until};

const ROWS: i64 = 10_000;

async fn live(order: &Home) {
    let empty = "select count(*) from freehold.copy where state = 'empty'";
    until("the copies are live", || async { number(&order.sql, empty).await == 0 }).await;
}

/// The log grows, so that writers and subscription have met.
async fn written_on(product: &Home, messages: i64) {
    let head = "select position from freehold.log_head";
    let goal = number(&product.sql, head).await + messages;
    until("the log grows", || async { number(&product.sql, head).await >= goal }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_filled_while_its_owner_is_written_equals_it() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let fill = format!("insert into products (id, name, price) select n, 'first', n from generate_series(1, {ROWS}) n");
    run(&product.sql, &fill).await;
    let served = product.serve().await;
    let churn = Churn::start(product, 1, ROWS + 2_000).await;
    written_on(product, 500).await;
    let _followed = order.follow("product", &served.url);
    live(order).await;
    written_on(product, 500).await;
    let commits = churn.end().await;
    order.caught_up(product).await;
    assert_equal(product, order, PRODUCTS).await;
    println!("{commits} statements beside the filling of {ROWS} rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoilt_copy_rebuilt_while_its_owner_is_written_equals_it() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let fill = format!("insert into products (id, name, price) select n, 'first', n from generate_series(1, {ROWS}) n");
    run(&product.sql, &fill).await;
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    live(order).await;
    order.caught_up(product).await;
    drop(followed);
    run(
        &order.sql,
        "update products set name = 'spoilt' where id % 7 = 0;
         update products set name = 'spoilt and new', version = version + 1000 where id % 7 = 1;
         delete from products where id % 7 = 2;
         insert into products (id, name, version) values (99001, 'never was', 1000);
         insert into freehold.tombstone values ('products', '99002', 1000);
         update freehold.copy set state = 'empty' where name = 'products'",
    )
    .await;
    let churn = Churn::start(product, 2, ROWS + 2_000).await;
    let _followed = order.follow("product", &served.url);
    live(order).await;
    written_on(product, 500).await;
    churn.end().await;
    // Keys of which the copy believed that they had been deleted.
    run(
        &product.sql,
        "insert into products (id, name) values (99001, 'now'), (99002, 'now')",
    )
    .await;
    order.caught_up(product).await;
    assert_equal(product, order, PRODUCTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_repairs_cached_columns_too() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into products (id, name, price) values (1, 'tea', 2), (2, 'cup', 3)",
    )
    .await;
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    live(order).await;
    run(&order.sql, "insert into order_items (product_id_ref) values (1), (2)").await;
    drop(followed);
    run(&order.sql, "update products set name = 'spoilt'").await;
    run(&product.sql, "update products set name = 'green tea' where id = 1").await;
    run(&order.sql, "update freehold.copy set state = 'empty'").await;
    let _followed = order.follow("product", &served.url);
    live(order).await;
    order.caught_up(product).await;
    let wrong =
        "select count(*) from order_items i join products p on p.id = i.product_id_ref and p.name <> i.product_name";
    assert_eq!(number(&order.sql, wrong).await, 0);
    assert_equal(product, order, PRODUCTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_comes_and_goes_is_followed() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let url = served.url.clone();
    let _followed = order.follow("product", &url);
    live(order).await;
    drop(served);
    run(
        &product.sql,
        "insert into products (name) select 'offline' from generate_series(1, 20000)",
    )
    .await;
    // Elsewhere, as a producer that moved.
    let served = product.serve().await;
    let _elsewhere = order.follow("product", &served.url);
    order.caught_up(product).await;
    assert_equal(product, order, PRODUCTS).await;
}
