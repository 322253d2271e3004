//! References into a copy and the values cached beside them, while both sides are written.

use tokio::task::JoinSet;

use super::{PRODUCT, shop};
use crate::fixture::{Folder, Home, Stage, number, refused, run, texts};

const WRONG: &str = "
select count(*)
from order_items i
left join products p on p.id = i.product_id_ref
where i.product_name is distinct from p.name";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_column_keeps_up_with_renames_that_race_its_rows() {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into products (id, name) select n, 'name 0' from generate_series(1, 5) n",
    )
    .await;
    let served = product.serve().await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    let rounds = if std::env::var_os("FREEHOLD_PROVE").is_some() {
        800
    } else {
        200
    };
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let client = order.app().await;
        let mut rng = fastrand::Rng::with_seed(writer);
        writers.spawn(async move {
            let mut written = 0;
            while written < rounds {
                let (key, other) = (rng.u8(1..=5), rng.u8(1..=5));
                let statement = match rng.u8(..4) {
                    // Two references in one transaction, in any order: deadlocks with the copy's own batch.
                    0 => format!("insert into order_items (product_id_ref) values ({key}), ({other})"),
                    1 => format!("update order_items set product_id_ref = {other} where id % 97 = {key}"),
                    _ => format!("insert into order_items (product_id_ref, product_name) values ({key}, 'a lie')"),
                };
                // A deadlock's victim tries something else.
                written += u64::from(client.batch_execute(&statement).await.is_ok());
            }
        });
    }
    let renaming = product.app().await;
    let mut renames = 0;
    while !writers.is_empty() {
        renames += 1;
        run(
            &renaming,
            &format!("update products set name = 'name {renames}' where id = {renames} % 5 + 1"),
        )
        .await;
        while let Some(writer) = writers.try_join_next() {
            writer.expect("a writer ends");
        }
    }
    order.caught_up(product).await;
    assert_eq!(number(&order.sql, WRONG).await, 0);
    let rows = number(&order.sql, "select count(*) from order_items").await;
    println!("{rows} rows, {renames} renames: 0 differ");
}

/// An order service over a filled copy of two products.
async fn filled() -> (Stage, crate::fixture::Served, crate::fixture::Followed) {
    let stage = shop().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into products (id, name, price) values (1, 'tea', 2.50), (2, 'cup', null)",
    )
    .await;
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    (stage, served, followed)
}

const ITEMS: &str = "select row(product_id_ref, product_name, unit_price)::text from order_items order by id";

#[tokio::test]
async fn a_value_that_never_refreshes_is_filled_when_none_is_given_and_then_kept() {
    let (stage, _served, _followed) = filled().await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    let app = order.app().await;
    run(
        &app,
        "insert into order_items (product_id_ref, unit_price) values (1, null), (1, 9.99), (2, null), (null, 3)",
    )
    .await;
    let items = ["(1,tea,2.50)", "(1,tea,9.99)", "(2,cup,)", "(,,3)"];
    assert_eq!(texts(&order.sql, ITEMS).await, items);
    run(&product.sql, "update products set price = 7, name = upper(name)").await;
    order.caught_up(product).await;
    let items = ["(1,TEA,2.50)", "(1,TEA,9.99)", "(2,CUP,)", "(,,3)"];
    assert_eq!(texts(&order.sql, ITEMS).await, items);
}

#[tokio::test]
async fn a_cached_value_is_the_copys_whatever_a_writer_says() {
    let (stage, _served, _followed) = filled().await;
    let app = stage.home("order").app().await;
    run(
        &app,
        "insert into order_items (product_id_ref, product_name) values (1, 'a lie')",
    )
    .await;
    run(&app, "update order_items set product_name = 'another lie'").await;
    assert_eq!(texts(&app, ITEMS).await, ["(1,tea,2.50)"]);
    run(&app, "update order_items set product_id_ref = 2").await;
    assert_eq!(texts(&app, ITEMS).await, ["(2,cup,2.50)"]);
}

#[tokio::test]
async fn an_unknown_reference_is_refused_with_its_table_and_column() {
    let (stage, _served, _followed) = filled().await;
    let app = stage.home("order").app().await;
    let error = app
        .batch_execute("insert into order_items (product_id_ref) values (3)")
        .await
        .expect_err("an unknown product");
    let db = error.as_db_error().expect("the server's refusal");
    assert_eq!(db.code().code(), "FH001");
    assert_eq!(db.message(), "product_id_ref 3 names no row of product.products");
    assert_eq!((db.table(), db.column()), (Some("order_items"), Some("product_id_ref")));
    assert!(db.hint().is_some());
    run(&app, "insert into order_items (product_id_ref) values (1)").await;
    assert_eq!(
        refused(&app, "update order_items set product_id_ref = 3").await.0,
        "FH001"
    );
}

#[tokio::test]
async fn a_reference_into_a_copy_that_is_not_filled_yet_asks_to_wait() {
    let stage = shop().await;
    let app = stage.home("order").app().await;
    let (code, message) = refused(&app, "insert into order_items (product_id_ref) values (1)").await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("FH007", "the copy of product.products is still being filled")
    );
}

const REFERRERS: Folder<'_> = Folder {
    name: "order",
    manifest: r#"
[owns.kept]
summary = "Keeps it."
refs.product_id_ref = { to = "product.products", on_delete = "keep" }
cached.name = { from = "product_id_ref.name", refresh = "on_change" }
[owns.reported]
summary = "Reports it."
refs.product_id_ref = { to = "product.products" }
[owns.cleared]
summary = "Clears it."
refs.product_id_ref = { to = "product.products", on_delete = "clear" }
[owns.dropped]
summary = "Goes with it."
refs.product_id_ref = { to = "product.products", on_delete = "cascade" }
[owns.unchecked]
summary = "Takes anything."
refs.product_id_ref = { to = "product.products", on_delete = "keep", check = "none" }
[copies.products]
of      = "product.products"
columns = ["id", "name"]
"#,
    migration: "
create table kept (id int primary key, product_id_ref bigint, name text);
create table reported (id int primary key, product_id_ref bigint);
create table cleared (id int primary key, product_id_ref bigint);
create table dropped (id int primary key, product_id_ref bigint);
create table unchecked (id int primary key, product_id_ref bigint);
",
};

async fn referring(order: &Home) -> Vec<String> {
    texts(
        &order.sql,
        "select 'kept ' || id || ' ' || product_id_ref || ' ' || name from kept
         union all select 'reported ' || id || ' ' || product_id_ref from reported
         union all select 'cleared ' || id || ' ' || coalesce(product_id_ref::text, 'null') from cleared
         union all select 'dropped ' || id || ' ' || product_id_ref from dropped
         union all select 'dangling ' || \"table\" || ' ' || key || ' ' || \"column\" || ' ' || ref from freehold.dangling",
    )
    .await
}

#[tokio::test]
async fn a_deleted_row_is_kept_reported_cleared_or_followed() {
    let stage = Stage::open(&[PRODUCT, REFERRERS]).await;
    let (product, order) = (stage.home("product"), stage.home("order"));
    run(
        &product.sql,
        "insert into products (id, name) values (1, 'tea'), (2, 'cup')",
    )
    .await;
    let served = product.serve().await;
    let followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    let app = order.app().await;
    for table in ["kept", "reported", "cleared", "dropped"] {
        run(&app, &format!("insert into {table} values (1, 1), (2, 2)")).await;
        assert_eq!(
            refused(&app, &format!("insert into {table} values (3, 3)")).await.0,
            "FH001"
        );
    }
    run(&app, "insert into unchecked values (1, 1), (3, 3)").await;
    run(&product.sql, "delete from products where id = 1").await;
    order.caught_up(product).await;
    let expected = [
        "kept 1 1 tea",
        "kept 2 2 cup",
        "reported 1 1",
        "reported 2 2",
        "cleared 1 null",
        "cleared 2 2",
        "dropped 2 2",
        "dangling reported 1 product_id_ref 1",
    ];
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    assert_eq!(
        sorted(referring(order).await),
        sorted(expected.map(str::to_owned).to_vec())
    );
    // Rows whose reference went stay changeable.
    run(
        &app,
        "update kept set name = 'a lie' where id = 1; update reported set product_id_ref = 1 where id = 1",
    )
    .await;
    assert_eq!(
        sorted(referring(order).await),
        sorted(expected.map(str::to_owned).to_vec())
    );
    // A rebuild that finds rows gone does the same.
    drop(followed);
    run(&product.sql, "delete from products where id = 2").await;
    run(&order.sql, "update freehold.copy set state = 'empty'").await;
    let _followed = order.follow("product", &served.url);
    order.caught_up(product).await;
    let expected = [
        "kept 1 1 tea",
        "kept 2 2 cup",
        "reported 1 1",
        "reported 2 2",
        "cleared 1 null",
        "cleared 2 null",
        "dangling reported 1 product_id_ref 1",
        "dangling reported 2 product_id_ref 2",
    ];
    assert_eq!(
        sorted(referring(order).await),
        sorted(expected.map(str::to_owned).to_vec())
    );
}
