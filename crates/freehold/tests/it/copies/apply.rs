//! `apply_<copy>` and `advance`, called as a subscription calls them, with what must not happen and does.

use super::{ORDER, PRODUCT, PRODUCTS, assert_equal, shop};
use crate::fixture::{Home, Stage, number, refused, run, texts};

/// One call of `apply_products`; a name of none is a deletion.
async fn apply(order: &Home, id: i64, name: Option<&str>, version: i64) {
    let data = serde_json::json!([{ "id": id, "name": name }]).to_string();
    let call = "select freehold.apply_products($1::text::json, $2, $3, $4)";
    let app = order.app().await;
    let parameters = (vec![id.to_string()], vec![version], vec![name.is_none()]);
    app.execute(call, &[&data, &parameters.0, &parameters.1, &parameters.2])
        .await
        .expect("a batch is applied");
}

const ROWS: &str = "select row(id, name, version)::text from products order by id";

#[tokio::test]
async fn a_late_update_does_not_resurrect_a_deleted_row() {
    let stage = shop().await;
    let order = stage.home("order");
    apply(order, 1, Some("tea"), 3).await;
    apply(order, 1, None, 5).await;
    for late in [1, 4, 5] {
        apply(order, 1, Some("late"), late).await;
    }
    assert!(texts(&order.sql, ROWS).await.is_empty());
    // Deleted before it was ever seen.
    apply(order, 2, None, 2).await;
    apply(order, 2, Some("late"), 1).await;
    assert!(texts(&order.sql, ROWS).await.is_empty());
    // Created again by its owner, who goes on counting.
    apply(order, 1, Some("tea again"), 6).await;
    assert_eq!(texts(&order.sql, ROWS).await, [r#"(1,"tea again",6)"#]);
    apply(order, 1, None, 5).await;
    assert_eq!(
        texts(&order.sql, ROWS).await,
        [r#"(1,"tea again",6)"#],
        "a late deletion"
    );
}

#[tokio::test]
async fn an_older_or_repeated_version_changes_nothing() {
    let stage = shop().await;
    let order = stage.home("order");
    apply(order, 1, Some("second"), 2).await;
    apply(order, 1, Some("first"), 1).await;
    apply(order, 1, Some("second, repeated"), 2).await;
    assert_eq!(texts(&order.sql, ROWS).await, ["(1,second,2)"]);
}

#[tokio::test]
async fn a_row_of_several_key_columns_is_applied_and_deleted() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    run(
        &product.sql,
        r#"insert into stocks select n, p, 1 from generate_series(1, 3) n, unnest(array['a', e'b "c",\n\\d']) p;
           update stocks set amount = 7 where product_id = 2;
           delete from stocks where product_id = 3 and place <> 'a'"#,
    )
    .await;
    order.caught_up(product).await;
    assert_equal(product, order, "select row(s.*)::text from stocks s where false").await;
    assert_equal(
        product,
        order,
        "select row(product_id, place, amount, version)::text from stocks order by 1",
    )
    .await;
    run(&product.sql, "delete from stocks").await;
    order.caught_up(product).await;
    assert_eq!(number(&order.sql, "select count(*) from stocks").await, 0);
}

/// Two cursors of one producer: `product.products` at 10, `product.stocks` at 20.
async fn cursors(order: &Home) {
    run(
        &order.sql,
        "insert into freehold.cursor values
           ('copies', 'product', 'product.products', 1, 10, 9, '\\x01'), ('copies', 'product', 'product.stocks', 1, 20, 18, '\\x02')",
    )
    .await;
}

const CURSORS: &str = "select row(topic, epoch, position, seen, hash)::text from freehold.cursor order by topic";

#[tokio::test]
async fn a_batch_that_does_not_begin_where_the_cursors_stand_takes_no_effect() {
    let stage = shop().await;
    let order = stage.home("order");
    cursors(order).await;
    let before = texts(&order.sql, CURSORS).await;
    let app = order.app().await;
    for (epoch, products, stocks) in [(1, 9, 20), (1, 11, 20), (2, 10, 20), (1, 10, 19), (1, 10, 21)] {
        let advance = format!(
            "select freehold.advance('copies', 'product', {epoch}, 30, array['product.products', 'product.stocks'],
               array[{products}, {stocks}]::bigint[], array[30, null]::bigint[], array['\\x03', null]::bytea[])"
        );
        assert_eq!(refused(&app, &advance).await.0, "FH010", "{advance}");
    }
    assert_eq!(texts(&order.sql, CURSORS).await, before);
}

/// An instance of an older version of the service may follow fewer topics.
#[tokio::test]
async fn a_batch_moves_the_cursors_of_its_topics_alone() {
    let stage = shop().await;
    let order = stage.home("order");
    cursors(order).await;
    let app = order.app().await;
    let advance = "select freehold.advance('copies', 'product', 1, 30, array['product.products'], array[10]::bigint[],
                     array[25]::bigint[], array['\\x03']::bytea[])";
    run(&app, advance).await;
    assert_eq!(
        texts(&order.sql, CURSORS).await,
        [
            r#"(product.products,1,30,25,"\\x03")"#,
            r#"(product.stocks,1,20,18,"\\x02")"#
        ]
    );
}

/// A process that dies inside a batch: what it had done is undone with its connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_inside_a_batch_loses_nothing() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let mut rng = fastrand::Rng::with_seed(3);
    for round in 0..12 {
        let followed = order.follow("product", &served.url);
        let insert = format!("insert into products (name) select 'round {round}' from generate_series(1, 300)");
        run(&product.sql, &insert).await;
        run(
            &product.sql,
            &format!("update products set name = 'changed' where id % 12 = {round}"),
        )
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(rng.u64(0..40))).await;
        run(
            &product.sql,
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 't_order_app' and datname like 't_order%'
             and query like '%advance%'",
        )
        .await;
        drop(followed);
    }
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    assert_equal(product, order, PRODUCTS).await;
}

/// The defect that the one statement of a batch rules out: the cursor moves, then the process dies.
#[tokio::test]
async fn a_cursor_moved_before_its_effect_is_caught() {
    let stage = Stage::open(&[PRODUCT, ORDER]).await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    drop(followed);
    run(&product.sql, "insert into products (name) values ('lost')").await;
    crate::fixture::until("the message has its position", || async {
        number(&product.sql, "select count(*) from freehold.log").await == 1
    })
    .await;
    // A transaction of its own for the cursor; the effect that should follow does not.
    run(
        &order.sql,
        "update freehold.cursor set position = 1, seen = 1 where topic = 'product.products'",
    )
    .await;
    let _followed = order.follow("product", &served.url);
    run(&product.sql, "insert into products (name) values ('heard')").await;
    order.caught_up(product).await;
    assert_eq!(
        texts(&product.sql, "select name from products order by id").await,
        ["lost", "heard"]
    );
    assert_eq!(
        texts(&order.sql, "select name from products order by id").await,
        ["heard"]
    );
}
