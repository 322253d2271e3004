//! Answers after the service's own triggers have run.

use reqwest::Method;
use serde_json::{Value, json};

use crate::entity::{Shop, send};

/// The total of an order follows from its lines, as in the shop.
const TOTAL: &str = "
alter table shop.orders add total bigint not null default 0, add place text;
create function shop.total() returns trigger language plpgsql as $$
begin
  update shop.orders o
     set total = o.total + t.quantity
    from (select order_id, sum(quantity) as quantity from touched group by order_id) t
   where o.id = t.order_id;
  return null;
end $$;
create trigger total after insert on shop.order_items
  referencing new table as touched for each statement execute function shop.total()";

/// Whoever changes a counter changes it twice.
const TWICE: &str = "
create function shop.twice() returns trigger language plpgsql as $$
begin
  update shop.counters set value = value + 100 where id = new.id;
  return null;
end $$;
create trigger twice after insert or update on shop.counters
  for each row when (pg_trigger_depth() = 0) execute function shop.twice()";

#[tokio::test]
async fn a_posted_root_is_answered_with_what_its_lines_made_of_it() {
    let shop = Shop::open_after(TOTAL).await;
    let body = r#"{"status": "new", "shipments": {"address": "here"}, "order_items": [
        {"quantity": 2, "item_notes": [{"line": 2, "note": "red"}, {"line": 1, "note": "big"}]},
        {"quantity": 3, "item_notes": []}]}"#;
    // The first is parsed, the second prepared.
    for _ in 0..2 {
        let reply = shop.send(Method::POST, "/orders?select=id,total,version", body).await;
        assert_eq!((reply.status, reply.header("etag")), (201, "\"2\""), "{reply:?}");
        let row = &reply.json()[0];
        assert_eq!((&row["total"], &row["version"]), (&json!(5), &json!(2)));
        assert_eq!(row["shipments"]["address"], "here");
        assert_eq!(column(&row["order_items"], "quantity"), [2, 3]);
        assert_eq!(column(&row["order_items"][0]["item_notes"], "line"), [2, 1]);
        assert_eq!(row["order_items"][1]["item_notes"], json!([]));

        let change = shop.write(Method::PATCH, reply.header("location"), r#"{"status":"paid"}"#);
        let changed = send(change.header("if-match", reply.header("etag"))).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"3\""));
    }
    let minimal = send(shop.request(Method::POST, "/orders").body(body)).await;
    assert_eq!((minimal.status, minimal.header("etag")), (201, "\"2\""));
    assert_eq!(shop.get(minimal.header("location")).await.json()[0]["total"], 5);
    let object = shop.write(
        Method::POST,
        "/orders?select=total",
        r#"{"order_items":[{"quantity":4}]}"#,
    );
    let object = send(object.header("accept", "application/vnd.pgrst.object+json")).await;
    assert_eq!(object.json()["total"], 4);
    let without = shop.send(Method::POST, "/orders", r#"{"order_items":[]}"#).await;
    assert_eq!(
        (without.header("etag"), &without.json()[0]["order_items"]),
        ("\"1\"", &json!([]))
    );
}

#[tokio::test]
async fn rows_are_answered_in_the_order_they_were_posted() {
    for migration in [
        TOTAL,
        "alter table shop.orders add total bigint default 0, add place text",
    ] {
        let shop = Shop::open_after(migration).await;
        let roots: Vec<Value> = (0..300)
            .map(|n| {
                let items: Vec<Value> = (0..n % 7).map(|i| json!({"quantity": 7 - i})).collect();
                json!({"place": format!("{}", n * 7919 % 300), "order_items": items})
            })
            .collect();
        let reply = shop.send(Method::POST, "/orders", &json!(roots).to_string()).await;
        let rows = reply.json();
        assert_eq!(rows.as_array().map(Vec::len), Some(300), "{reply:?}");
        for (n, (posted, row)) in roots.iter().zip(rows.as_array().into_iter().flatten()).enumerate() {
            assert_eq!(row["place"], posted["place"], "row {n}");
            let quantities = column(&posted["order_items"], "quantity");
            assert_eq!(column(&row["order_items"], "quantity"), quantities, "row {n}");
            if migration == TOTAL {
                assert_eq!(row["total"], quantities.iter().sum::<i64>());
            }
        }
    }
}

fn column(rows: &Value, name: &str) -> Vec<i64> {
    let rows = rows.as_array().into_iter().flatten();
    rows.filter_map(|row| row[name].as_i64()).collect()
}

#[tokio::test]
async fn a_change_is_answered_with_what_its_trigger_made_of_it() {
    let shop = Shop::open_after(TWICE).await;
    let reply = shop
        .send(
            Method::POST,
            "/counters",
            r#"[{"id":3,"value":3},{"id":1,"value":1},{"id":2,"value":2}]"#,
        )
        .await;
    assert_eq!(column(&reply.json(), "id"), [3, 1, 2]);
    assert_eq!(column(&reply.json(), "value"), [103, 101, 102]);
    let change = |method, body| {
        let request = shop.write(method, "/counters?id=eq.1", body);
        send(request.header("if-match", "\"2\", \"4\""))
    };
    let reply = change(Method::PATCH, r#"{"value":10}"#).await;
    assert_eq!(reply.json(), json!([{"id": 1, "value": 110, "version": 4}]));
    assert_eq!(
        (reply.header("etag"), reply.header("content-range")),
        ("\"4\"", "0-0/*")
    );
    let reply = change(Method::PUT, r#"{"value":20}"#).await;
    assert_eq!((reply.status, reply.header("etag")), (200, "\"6\""));
    change(Method::PATCH, r#"{"value":30}"#).await.problem(412, "FH412");

    let put = |path: &'static str| shop.send(Method::PUT, path, r#"{"value":5}"#);
    let made = put("/counters?id=eq.4&select=value,version").await;
    assert_eq!((made.status, made.header("etag")), (201, "\"2\""));
    assert_eq!(made.json(), json!([{"value": 105, "version": 2}]));
    let replaced = put("/counters?id=eq.4&select=value").await;
    assert_eq!((replaced.status, replaced.header("etag")), (200, "\"4\""));
    assert_eq!(replaced.json(), json!([{"value": 105}]));

    let minimal = shop.request(Method::PATCH, "/counters?id=eq.4").body(r#"{"value":6}"#);
    let minimal = send(minimal).await;
    assert_eq!((minimal.status, minimal.header("etag")), (204, "\"6\""));
    let many = shop
        .send(Method::PATCH, "/counters?id=gt.1&select=id,value", r#"{"value":0}"#)
        .await;
    assert_eq!(many.header("content-range"), "0-2/*");
    assert_eq!(column(&many.json(), "value"), [100, 100, 100]);
    let none = shop.send(Method::PATCH, "/counters?id=eq.9", r#"{"value":0}"#).await;
    assert_eq!((none.status, none.text.as_str()), (200, "[]"));
    let unknown = shop
        .send(Method::PATCH, "/counters?id=eq.4&select=valu", r#"{"value":7}"#)
        .await;
    unknown.problem(400, "42703");
    assert_eq!(
        shop.get("/counters?id=eq.4").await.header("etag"),
        "\"8\"",
        "not written"
    );
}

#[tokio::test]
async fn keys_of_every_kind_find_their_rows() {
    let twice = r#"create table shop.keyed (
          "a b" numeric(6, 2), c char(4), d shop.colour[], t timestamptz, place text, place_ text, n int,
          version bigint not null default 1,
          primary key ("a b", c, d, t)
        );
        create function shop.count() returns trigger language plpgsql as $$
        begin update shop.keyed set n = n + 1, version = version + 1; return null; end $$;
        create trigger count after insert on shop.keyed
          for each statement when (pg_trigger_depth() = 0) execute function shop.count()"#;
    let shop = Shop::open_after(twice).await;
    let body = r#"{"a b":1.5,"c":"x","d":["red","green"],"t":"2026-01-02T03:04:05.678901Z","place":"here","n":1}"#;
    let reply = shop.send(Method::POST, "/keyed", body).await;
    assert_eq!((reply.status, reply.header("etag")), (201, "\"2\""), "{reply:?}");
    assert_eq!(reply.json()[0]["n"], 2);
}

#[tokio::test]
async fn a_row_that_its_trigger_takes_away_is_not_answered() {
    let take = "create function shop.take() returns trigger language plpgsql as $$
        begin delete from shop.counters where id = 2; return null; end $$;
        create trigger take after insert on shop.counters for each statement execute function shop.take()";
    let shop = Shop::open_after(take).await;
    let reply = shop
        .send(Method::POST, "/counters", r#"[{"id":1},{"id":2},{"id":3}]"#)
        .await;
    assert_eq!(column(&reply.json(), "id"), [1, 3]);
    let object = shop.write(Method::POST, "/counters", r#"{"id":2}"#);
    let object = send(object.header("accept", "application/vnd.pgrst.object+json")).await;
    assert_eq!(
        (object.status, object.text.as_str(), object.header("etag")),
        (201, "", "")
    );
}

/// What waits for the commit: a check in PL/pgSQL, a foreign key, a unique key.
const DEFERRED: &str = "
create function shop.complete() returns trigger language plpgsql as $$
begin
  if new.status = 'paid' and not exists (select from shop.order_items where order_id = new.id) then
    raise exception 'an order that is paid needs a line'
      using errcode = 'check_violation', constraint = 'orders_are_complete', table = 'orders', schema = 'shop',
            column = 'status', hint = 'send its lines with it';
  end if;
  return null;
end $$;
create constraint trigger orders_are_complete after insert or update on shop.orders
  deferrable initially deferred for each row execute function shop.complete();
alter table shop.order_items alter constraint order_items_product_id_fkey deferrable initially deferred;
alter table shop.products drop constraint products_name_key,
  add constraint products_name_key unique (name) deferrable initially deferred";

#[tokio::test]
async fn what_the_commit_refuses_is_told_like_any_refusal() {
    for migration in [DEFERRED.to_owned(), format!("{DEFERRED};{TOTAL}")] {
        let shop = Shop::open_after(&migration).await;
        // The first is parsed, the second prepared.
        for _ in 0..2 {
            let reply = shop.send(Method::POST, "/orders", r#"{"status":"paid"}"#).await;
            assert_eq!(reply.problem(400, "23514"), "an order that is paid needs a line");
            let json = reply.json();
            assert_eq!(
                (&json["constraint"], &json["column"], &json["hint"]),
                (
                    &json!("orders_are_complete"),
                    &json!("status"),
                    &json!("send its lines with it")
                )
            );
        }
        let root = r#"{"order_items":[{"product_id":"00000000-0000-0000-0000-000000000001"}]}"#;
        let reply = shop.send(Method::POST, "/orders", root).await;
        assert_eq!(reply.problem(409, "23503"), "`product_id` names no row of `products`");
        assert_eq!(
            (&reply.json()["table"], shop.count("orders").await),
            (&json!("order_items"), 0)
        );
        let twice = r#"[{"name":"apple"},{"name":"apple"}]"#;
        let reply = shop.send(Method::POST, "/products", twice).await;
        assert_eq!(reply.problem(409, "23505"), "a row with this `name` exists already");
        assert_eq!(shop.count("products").await, 0);

        let good = r#"{"status":"paid","order_items":[{"quantity":1}]}"#;
        let good = shop.send(Method::POST, "/orders", good).await;
        assert_eq!(good.status, 201, "{good:?}");
        let open = shop.send(Method::POST, "/orders", "{}").await;
        let change = shop.write(Method::PATCH, open.header("location"), r#"{"status":"paid"}"#);
        let change = send(change.header("if-match", open.header("etag"))).await;
        change.problem(400, "23514");
        assert_eq!(shop.get(open.header("location")).await.json()[0]["status"], "open");
    }
}

#[tokio::test]
async fn a_row_that_a_trigger_changes_under_its_change_is_a_conflict() {
    let shop = Shop::open_after(
        "create function shop.meddle() returns trigger language plpgsql as $$
         begin update shop.counters set value = 7 where id = new.id; return new; end $$;
         create trigger meddle before update on shop.counters
           for each row when (pg_trigger_depth() = 0) execute function shop.meddle()",
    )
    .await;
    shop.send(Method::POST, "/counters", r#"{"id":1}"#).await;
    let reply = shop.send(Method::PATCH, "/counters?id=eq.1", r#"{"value":1}"#).await;
    assert_eq!(
        reply.problem(409, "27000"),
        "changing the row of `counters` sets off another change of the same row"
    );
    assert_eq!(shop.get("/counters?id=eq.1").await.json()[0]["value"], 0);
}
