//! Functions of the service's own migrations, called over HTTP.

use freehold_manifest::model::{Function, Service};
use reqwest::Method;
use serde_json::json;

use crate::entity::{Shop, owning, send, table};

const MIGRATION: &str = r#"
create schema shop;
create table shop.things (id int primary key, name text not null, parent int references shop.things, secret text, version bigint not null default 1);
insert into shop.things values (1, 'one', null, 's'), (2, 'two', 1, 's'), (3, 'three', 1, 's');
create type shop.mood as enum ('glad', 'sad');
create function shop.add(a int, b int default 10) returns int language sql immutable as 'select a + b';
create function shop.say(word text, times int) returns text language sql immutable as 'select repeat(word, times)';
create function shop.say(word text) returns text language sql immutable as 'select word';
create function shop.nothing() returns void language sql as '';
create function shop.named(wanted text[]) returns setof shop.things language sql stable
  as 'select * from shop.things where name = any (wanted)';
create function shop.first_thing() returns shop.things language sql stable as 'select * from shop.things order by id limit 1';
create function shop.pairs(upto int) returns table (n int, square int) language sql immutable
  as 'select n, n * n from generate_series(1, upto) n';
create function shop.numbers(upto int) returns setof int language sql immutable as 'select generate_series(1, upto)';
create function shop.make(id int, name text) returns shop.things language sql
  as 'insert into shop.things (id, name) values (id, name) returning *';
create function shop.total(variadic ns int[]) returns bigint language sql immutable as 'select sum(n) from unnest(ns) n';
create function shop.whole(json) returns int language sql immutable as 'select json_array_length($1)';
create function shop.shout(text) returns text language sql immutable as 'select upper($1)';
create function shop.feel(m shop.mood) returns text language sql immutable as 'select m::text';
create function shop.refuse() returns int language plpgsql as $$ begin raise exception 'not today' using hint = 'tomorrow'; end $$;
create function shop.unlisted() returns int language sql immutable as 'select 1';
"#;

fn service() -> Service {
    let mut things = table("things");
    things.hidden = vec!["secret".into()];
    let mut service = owning(vec![things]);
    let names = [
        "add",
        "say",
        "nothing",
        "named",
        "first_thing",
        "pairs",
        "numbers",
        "make",
        "total",
        "whole",
        "shout",
        "feel",
        "refuse",
    ];
    service.functions = names
        .map(|name| Function {
            name: name.into(),
            summary: String::new(),
            served: Default::default(),
        })
        .into();
    service
}

async fn open() -> Shop {
    Shop::open_as(service(), MIGRATION).await
}

#[tokio::test]
async fn a_function_is_called_with_arguments_by_name() {
    let shop = open().await;
    for (path, expected) in [
        ("/rpc/add?a=1&b=2", json!(3)),
        ("/rpc/add?a=1", json!(11)),
        ("/rpc/say?word=ab&times=2", json!("abab")),
        ("/rpc/say?word=ab", json!("ab")),
        ("/rpc/total?ns=1&ns=2&ns=3", json!(6)),
        ("/rpc/feel?m=glad", json!("glad")),
        ("/rpc/numbers?upto=3", json!([1, 2, 3])),
        (
            "/rpc/named?wanted=%7Bone,two%7D&select=id,name&order=id.desc",
            json!([{"id": 2, "name": "two"}, {"id": 1, "name": "one"}]),
        ),
        (
            "/rpc/named?wanted=%7Bone%7D",
            json!([{"id": 1, "name": "one", "parent": null, "version": 1}]),
        ),
        (
            "/rpc/pairs?upto=9&n=gt.1&limit=2&select=square",
            json!([{"square": 4}, {"square": 9}]),
        ),
        ("/rpc/first_thing?select=id", json!({"id": 1})),
        (
            "/rpc/named?wanted=%7Btwo%7D&select=id,parent(name)",
            json!([{"id": 2, "parent": {"name": "one"}}]),
        ),
    ] {
        let reply = shop.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
    }
    for (path, body, expected) in [
        ("/rpc/add", r#"{"a": 1, "b": "2"}"#, json!(3)),
        (
            "/rpc/named?select=id",
            r#"{"wanted": ["one", "three"]}"#,
            json!([{"id": 1}, {"id": 3}]),
        ),
        ("/rpc/total", r#"{"ns": [1, 2]}"#, json!(3)),
        ("/rpc/whole", "[1, 2, 3]", json!(3)),
        ("/rpc/say", r#"{"word": null}"#, json!(null)),
    ] {
        let reply = shop.send(Method::POST, path, body).await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}: {reply:?}");
    }
    let made = shop
        .send(Method::POST, "/rpc/make?select=id,name", r#"{"id": 9, "name": "nine"}"#)
        .await;
    assert_eq!(made.json(), json!({"id": 9, "name": "nine"}));
    assert_eq!(shop.count("things").await, 4, "called once");
    let nothing = shop.send(Method::POST, "/rpc/nothing", "").await;
    assert_eq!((nothing.status, nothing.text.as_str()), (204, ""));
    let text = send(
        shop.request(Method::GET, "/rpc/say?word=a%22b")
            .header("accept", "text/plain"),
    )
    .await;
    assert_eq!(
        (text.text.as_str(), text.header("content-type")),
        ("a\"b", "text/plain; charset=utf-8")
    );
    let shout = shop
        .request(Method::POST, "/rpc/shout")
        .header("content-type", "text/plain")
        .body("a b");
    assert_eq!(send(shout).await.json(), json!("A B"));
}

#[tokio::test]
async fn a_list_of_a_function_is_counted_and_cut_like_a_tables() {
    let shop = open().await;
    let counted = shop
        .request(Method::GET, "/rpc/pairs?upto=9&limit=2")
        .header("prefer", "count=exact");
    let reply = send(counted).await;
    assert_eq!((reply.status, reply.header("content-range")), (206, "0-1/9"));
    assert_eq!(
        reply.header("link"),
        "</rpc/pairs?upto=9&limit=2&offset=2>; rel=\"next\""
    );
    let one = shop
        .request(Method::GET, "/rpc/pairs?upto=1")
        .header("accept", "application/vnd.pgrst.object+json");
    assert_eq!(send(one).await.json(), json!({"n": 1, "square": 1}));
}

#[tokio::test]
async fn what_cannot_be_called_is_refused_with_what_can() {
    let shop = open().await;
    for (method, path, body, status, code) in [
        (Method::GET, "/rpc/ad", "", 404, "PGRST202"),
        (Method::GET, "/rpc/unlisted", "", 404, "PGRST202"),
        (Method::GET, "/rpc/add?c=1", "", 404, "PGRST202"),
        (Method::GET, "/rpc/add?b=1", "", 404, "PGRST202"),
        (Method::GET, "/rpc/make?id=1&name=x", "", 405, "PGRST117"),
        (Method::DELETE, "/rpc/add?a=1", "", 405, "PGRST117"),
        (Method::GET, "/rpc/add?a=x", "", 400, "22P02"),
        (Method::POST, "/rpc/add", r#"{"a": {}}"#, 400, "22P02"),
        (Method::POST, "/rpc/add", r#"{"a": 1, "z": 2}"#, 404, "PGRST202"),
        (Method::POST, "/rpc/add", "[]", 400, "PGRST102"),
        (Method::POST, "/rpc/refuse", "{}", 400, "P0001"),
        (
            Method::GET,
            "/rpc/named?wanted=%7Bone%7D&select=secret",
            "",
            400,
            "42703",
        ),
        (Method::GET, "/rpc/named?wanted=%7Bone%7D&secret=eq.s", "", 400, "42703"),
        (Method::POST, "/rpc/make", r#"{"id": 1, "name": "again"}"#, 409, "23505"),
    ] {
        let reply = shop.send(method, path, body).await;
        reply.problem(status, code);
    }
    let hint = shop.get("/rpc/ad").await.json()["hint"].to_string();
    assert!(hint.contains("`add`"), "{hint}");
}
