//! A key that is deleted and created again goes on counting, so nobody takes the new row for an old one.

use tokio::task::JoinSet;

use super::{PRODUCTS, assert_equal, shop};
use crate::fixture::{Home, number, run, texts};

const VERSIONS: &str = "
select string_agg(right(type, 7) || ' ' || version, ', ' order by position)
from freehold.log
where topic = 'product.products'
group by key
order by key";

async fn sequenced(product: &Home) -> Vec<String> {
    run(&product.sql, "select freehold.sequence(1000)").await;
    texts(&product.sql, VERSIONS).await
}

#[tokio::test]
async fn a_key_created_again_goes_on_counting() {
    let stage = shop().await;
    let product = stage.home("product");
    run(
        &product.sql,
        "insert into products (id, name) values (1, 'a');
         update products set name = 'b';
         delete from products;
         insert into products (id, name) values (1, 'c');
         delete from products;
         insert into products (id, name) values (1, 'd');
         update products set name = 'e'",
    )
    .await;
    assert_eq!(
        sequenced(product).await,
        ["changed 1, changed 2, deleted 3, changed 4, deleted 5, changed 6, changed 7"]
    );
    assert_eq!(texts(&product.sql, PRODUCTS).await, ["(1,e,,7)"]);
}

#[tokio::test]
async fn a_key_deleted_and_created_in_one_transaction_goes_on_counting() {
    let stage = shop().await;
    let product = stage.home("product");
    run(
        &product.sql,
        "insert into products (id, name) values (1, 'a'), (2, 'a')",
    )
    .await;
    run(
        &product.sql,
        "begin; delete from products; insert into products (id, name) values (1, 'b'), (2, 'b'); commit",
    )
    .await;
    let counted = "changed 1, deleted 2, changed 3";
    assert_eq!(sequenced(product).await, [counted, counted]);
}

/// Connections that delete and insert the same few keys, each statement a transaction of its own.
async fn fight(product: &Home, isolation: &str, rounds: u32) -> u64 {
    let mut fighters = JoinSet::new();
    for fighter in 0..4 {
        let client = product.app().await;
        run(&client, &format!("set default_transaction_isolation = '{isolation}'")).await;
        fighters.spawn(async move {
            let mut rng = fastrand::Rng::with_seed(fighter);
            let mut committed = 0;
            for round in 0..rounds {
                let (key, pause) = (rng.u8(1..=3), f64::from(rng.u32(0..4)) / 1_000.0);
                let statement = match rng.u8(..5) {
                    0 | 1 => format!("delete from products where id = {key}"),
                    2 => format!("update products set name = 'changed in {round}' where id = {key}"),
                    3 => format!("insert into products (id, name) values ({key}, 'upsert') on conflict (id) do update set name = 'upsert {round}'"),
                    _ => format!("insert into products (id, name) values ({key}, 'created in {round}')"),
                };
                // Refused is what came second, or lost a serialization conflict; it wrote nothing.
                let transaction = format!("begin; select 1 from products limit 1; {statement}; select pg_sleep({pause}); commit");
                let done = client.batch_execute(&transaction).await;
                committed += u64::from(done.is_ok());
                if done.is_err() {
                    run(&client, "rollback").await;
                }
            }
            committed
        });
    }
    let mut committed = 0;
    while let Some(fighter) = fighters.join_next().await {
        committed += fighter.expect("a fighter ends");
    }
    committed
}

async fn count_on_under(isolation: &str) {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    let rounds = if std::env::var_os("FREEHOLD_PROVE").is_some() {
        3_000
    } else {
        300
    };
    let committed = fight(product, isolation, rounds).await;
    order.caught_up(product).await;
    let down = "select count(*) from (
                  select version <= lag(version) over (partition by key order by position) as is_down
                  from freehold.log where topic = 'product.products') v
                where is_down";
    assert_eq!(number(&product.sql, down).await, 0, "versions that do not rise");
    let rows = "select row(p.id, p.name)::text from products p order by id";
    assert_equal(product, order, rows).await;
    assert_equal(product, order, PRODUCTS).await;
    let messages = number(&product.sql, "select count(*) from freehold.log").await;
    println!("{isolation}: {committed} transactions over 3 keys, {messages} messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_count_on_when_deletions_and_insertions_race() {
    count_on_under("read committed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_count_on_in_repeatable_read() {
    count_on_under("repeatable read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_count_on_in_serializable() {
    count_on_under("serializable").await;
}

/// The narrowest race, step by step: the second transaction has its snapshot before the first one's deletion commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insertion_with_an_older_snapshot_does_not_miss_the_tombstone() {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let stage = shop().await;
        let product = stage.home("product");
        let (deleting, inserting) = (product.app().await, product.app().await);
        run(
            &product.sql,
            "insert into products (id, name, version) values (1, 'old', 5)",
        )
        .await;
        run(
            &inserting,
            &format!("begin isolation level {isolation}; select 1 from stocks"),
        )
        .await;
        run(&deleting, "delete from products where id = 1").await;
        let inserted = inserting
            .batch_execute("insert into products (id, name) values (1, 'new'); commit")
            .await;
        if inserted.is_err() {
            assert_ne!(isolation, "read committed", "{inserted:?}");
            let code = inserted.expect_err("an error").code().map(|c| c.code().to_owned());
            assert_eq!(code.as_deref(), Some("40001"), "a writer that may simply repeat it");
            continue;
        }
        assert_eq!(
            sequenced(product).await,
            ["changed 5, deleted 6, changed 7"],
            "{isolation}"
        );
    }
}
