//! A transaction of the owner takes effect as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{PRODUCTS, assert_equal, shop};
use crate::fixture::{run, until};

const TRANSFERS: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_over_several_rows_and_tables_is_applied_whole() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into products (id, name, price) values (1, 'a', 500), (2, 'b', 500);
         insert into stocks values (1, 'here', 500), (2, 'there', 500)",
    )
    .await;
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;

    let stop = Arc::new(AtomicBool::new(false));
    let looks = Arc::new(AtomicU64::new(0));
    let reader = order.app().await;
    let watching = tokio::spawn({
        let (stop, looks) = (Arc::clone(&stop), Arc::clone(&looks));
        async move {
            let query = "select (select sum(price) from products)::bigint, (select sum(amount) from stocks)::bigint,
                         (select p.price - s.amount from products p join stocks s on s.product_id = p.id where p.id = 1)::bigint";
            let query = reader.prepare(query).await.expect("prepared");
            while !stop.load(Ordering::Relaxed) {
                let row = reader.query_one(&query, &[]).await.expect("sums are read");
                let sums: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
                assert_eq!(sums, (1_000, 1_000, 0), "half a transaction was seen");
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut rng = fastrand::Rng::with_seed(7);
    let writer = product.app().await;
    for _ in 0..TRANSFERS {
        let by = rng.i64(-9..=9);
        let transfer = format!(
            "begin;
             update products set price = price + {by} where id = 1;
             update stocks set amount = amount + {by} where product_id = 1;
             update stocks set amount = amount - {by} where product_id = 2;
             select freehold.emit('product.counted', 'all', '{{}}');
             update products set price = price - {by} where id = 2;
             commit"
        );
        run(&writer, &transfer).await;
    }
    let before = looks.load(Ordering::Relaxed);
    order.caught_up(product).await;
    until("the reader looks once more", || async {
        looks.load(Ordering::Relaxed) > before
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    watching.await.expect("every look saw whole transactions");
    assert_equal(product, order, PRODUCTS).await;
    println!("{TRANSFERS} transfers, {} looks", looks.load(Ordering::Relaxed));
}

/// Five statements of 10,000 rows: many of the feed's batches, and still one step of the copy. The sequencer is held
/// back, so that other transactions stand before and behind it in one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_many_rows_is_seen_at_once() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    let writer = product.app().await;
    run(
        &writer,
        "insert into products (name) select 'before' from generate_series(1, 3000)",
    )
    .await;
    let insert = "insert into products (name) select 'large' from generate_series(1, 3000);";
    run(&writer, &format!("begin; {} commit", insert.repeat(5))).await;
    run(
        &writer,
        "insert into products (name) select 'behind' from generate_series(1, 3000)",
    )
    .await;
    let count = "select count(*) from products where name = 'large'";
    until("the large transaction is seen, whole", || async {
        let seen = crate::fixture::number(&order.sql, count).await;
        assert!(seen == 0 || seen == 15_000, "{seen} of 15000 rows");
        seen > 0
    })
    .await;
    order.caught_up(product).await;
    assert_equal(product, order, PRODUCTS).await;
}
