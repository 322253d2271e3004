//! What becomes a message, and what is refused so that none is missing.

use super::shop;
use crate::fixture::{Folder, Home, Stage, refused, run, texts};

/// Type, key, version and body of what was said since the last look, which takes it away.
async fn said(home: &Home) -> Vec<String> {
    let said = "with taken as (delete from freehold.outbox returning *)
                select replace(type, 'product.products.', '') || ' ' || key || ' ' || version || ' ' || payload::text
                from taken
                order by id";
    texts(&home.sql, said).await
}

#[tokio::test]
async fn a_row_is_said_when_a_published_column_changed() {
    let stage = shop().await;
    let home = stage.home("product");
    let app = home.app().await;
    run(&app, "insert into products (id, name, margin) values (1, 'tea', 0.5)").await;
    assert_eq!(
        said(home).await,
        [r#"changed 1 1 {"id" : 1, "name" : "tea", "price" : null}"#]
    );
    run(
        &app,
        "update products set margin = 0.7; update products set name = name, price = price",
    )
    .await;
    assert!(said(home).await.is_empty(), "private columns, and values as they were");
    run(&app, "update products set price = 1.0").await;
    assert_eq!(
        said(home).await,
        [r#"changed 1 4 {"id" : 1, "name" : "tea", "price" : 1.0}"#]
    );
    run(&app, "update products set price = 1.00").await;
    assert_eq!(
        said(home).await,
        [r#"changed 1 5 {"id" : 1, "name" : "tea", "price" : 1.00}"#],
        "equal as a number, not as it is shown"
    );
    run(&app, "delete from products").await;
    assert_eq!(said(home).await, [r#"deleted 1 6 {"id" : 1}"#]);
}

#[tokio::test]
async fn every_way_to_write_is_heard() {
    let stage = shop().await;
    let home = stage.home("product");
    let app = home.app().await;
    run(
        &app,
        "insert into products (id, name) select n, 'n' from generate_series(1, 3) n",
    )
    .await;
    assert_eq!(said(home).await.len(), 3);
    run(
        &app,
        "update products p set name = 'joined' from generate_series(2, 3) n where p.id = n",
    )
    .await;
    assert_eq!(said(home).await.len(), 2);
    run(
        &app,
        "insert into products (id, name) values (3, 'x'), (4, 'x') on conflict (id) do update set name = 'upserted'",
    )
    .await;
    let mut upserted = said(home).await;
    upserted.sort();
    assert_eq!(
        upserted,
        [
            r#"changed 3 3 {"id" : 3, "name" : "upserted", "price" : null}"#,
            r#"changed 4 1 {"id" : 4, "name" : "x", "price" : null}"#,
        ]
    );
    run(
        &app,
        "merge into products p using (values (1), (5)) v (id) on p.id = v.id
         when matched then delete
         when not matched then insert (id, name) values (v.id, 'merged')",
    )
    .await;
    let merged = said(home).await;
    assert_eq!(merged.len(), 2, "{merged:?}");
    run(&app, "with gone as (delete from products where id = 5 returning *) insert into products (id, name) select id + 10, name from gone")
        .await;
    assert_eq!(said(home).await.len(), 2);
    run(&app, "do $$ begin insert into products (id, name) values (20, 'a'); update products set name = 'b' where id = 20;
                 begin update products set name = 'c' where id = 20; raise exception 'no'; exception when others then end; end $$")
        .await;
    assert_eq!(
        said(home).await,
        [
            r#"changed 20 1 {"id" : 20, "name" : "a", "price" : null}"#,
            r#"changed 20 2 {"id" : 20, "name" : "b", "price" : null}"#
        ]
    );
    let copy = app
        .copy_in("copy products (id, name) from stdin")
        .await
        .expect("copy begins");
    let mut copy = std::pin::pin!(copy);
    futures_util::SinkExt::send(&mut copy, bytes::Bytes::from_static(b"30\tcopied\n31\tcopied\n"))
        .await
        .expect("rows");
    copy.finish().await.expect("copy ends");
    assert_eq!(said(home).await.len(), 2);
}

#[tokio::test]
async fn a_published_table_is_not_truncated_and_its_keys_do_not_change() {
    let stage = shop().await;
    let home = stage.home("product");
    run(
        &home.sql,
        "insert into products (id, name) values (1, 'tea'); insert into stocks values (1, 'here', 1)",
    )
    .await;
    let owner = home.owner().await;
    assert_eq!(
        refused(&owner, "truncate products").await,
        (
            "FH003".to_owned(),
            "products is published: truncate is refused".to_owned()
        )
    );
    let app = home.app().await;
    assert_eq!(refused(&app, "truncate products").await.0, "42501");
    assert_eq!(
        refused(&app, "update products set id = 2").await,
        (
            "FH004".to_owned(),
            "the key of a row of products cannot change: other services know the row by it".to_owned()
        )
    );
    assert_eq!(refused(&app, "update stocks set place = 'there'").await.0, "FH004");
    run(
        &app,
        "update products set id = 1, name = 'the same key'; update stocks set amount = 3",
    )
    .await;
}

#[tokio::test]
async fn an_append_only_table_takes_rows_and_nothing_else() {
    let folder = Folder {
        name: "audit",
        manifest: r#"
[owns.entries]
summary   = "What happened."
mode      = "append_only"
publishes = ["id", "what"]
"#,
        migration: "create table entries (id bigint generated always as identity primary key, what text, version bigint not null default 1);",
    };
    let stage = Stage::open(&[folder]).await;
    let home = stage.home("audit");
    let (app, owner) = (home.app().await, home.owner().await);
    run(&app, "insert into entries (what) values ('first'), ('second')").await;
    let superuser = home.superuser().await;
    run(
        &superuser,
        &format!("set session_replication_role = replica; set role {}", home.names.owner),
    )
    .await;
    for (client, code) in [(&owner, "FH002"), (&superuser, "FH002"), (&app, "42501")] {
        for statement in [
            "update entries set what = 'other'",
            "delete from entries",
            "truncate entries",
        ] {
            assert_eq!(refused(client, statement).await.0, code, "{statement}");
        }
    }
    assert_eq!(
        texts(
            &home.sql,
            "select payload ->> 'what' from freehold.outbox where topic = 'audit.entries' order by id"
        )
        .await,
        ["first", "second"]
    );
}
