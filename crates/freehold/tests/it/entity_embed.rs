//! Related rows: nested, spread, filtered, ordered, counted; and pages that follow keys.

use freehold_manifest::model::{Link, Service, View};
use reqwest::Method;
use serde_json::{Value, json};

use crate::entity::{Shop, owning, send, table};

const MIGRATION: &str = r#"
create schema shop;
create table shop.clubs (id int primary key, name text not null, city text, version bigint not null default 1);
create table shop.addresses (id int primary key, street text not null);
create table shop.players (
  id int primary key,
  name text not null,
  r int,
  club_id int references shop.clubs,
  captain_id int references shop.players,
  home int constraint players_home references shop.addresses,
  work int constraint players_work references shop.addresses,
  facts jsonb,
  tags text[] not null default '{}',
  free int4range,
  version bigint not null default 1
);
create table shop.contracts (player_id int primary key references shop.players, salary numeric(10, 2) not null);
create table shop.skills (id int primary key, name text not null);
create table shop.player_skills (
  player_id int references shop.players, skill_id int references shop.skills, level int not null,
  primary key (player_id, skill_id)
);
create view shop.club_sizes as select club_id, count(*) as players from shop.players group by club_id;
insert into shop.clubs values (1, 'Reds', 'Rome', 1), (2, 'Blues', 'Bonn', 1), (3, 'Empty', null, 1);
insert into shop.addresses values (1, 'High St'), (2, 'Low St');
insert into shop.players (id, name, r, club_id, captain_id, home, work, facts, tags, free) values
  (1, 'Ann', 5, 1, null, 1, 2, '{"a": {"b": [10, 20]}, "n": 7}', '{x,y}', '[1,5)'),
  (2, 'Bob', null, 1, 1, 2, null, '{"n": 8}', '{y}', '[10,20)'),
  (3, 'Cid', 1, 2, 1, null, null, null, '{}', null),
  (4, 'Dan', 9, null, 3, null, null, '{"n": 9}', '{z}', '[2,3)');
insert into shop.contracts values (1, 100.50), (2, 50), (3, 75);
insert into shop.skills values (1, 'run'), (2, 'kick'), (3, 'none');
insert into shop.player_skills values (1, 1, 3), (1, 2, 9), (2, 1, 5);
"#;

fn service() -> Service {
    let tables = ["clubs", "addresses", "players", "contracts", "skills", "player_skills"];
    let mut service = owning(tables.map(table).into());
    service.views = vec![View {
        name: "club_sizes".into(),
        summary: String::new(),
        key: vec!["club_id".into()],
        links: vec![Link {
            column: "club_id".into(),
            table: "clubs".into(),
            to: "id".into(),
        }],
        hidden: Vec::new(),
        served: Default::default(),
    }];
    service
}

async fn open() -> Shop {
    Shop::open_as(service(), MIGRATION).await
}

async fn rows(shop: &Shop, path: &str) -> Value {
    let reply = shop.get(path).await;
    assert!([200, 206].contains(&reply.status), "{path}: {reply:?}");
    reply.json()
}

#[tokio::test]
async fn related_rows_are_embedded_whichever_side_holds_the_key() {
    let shop = open().await;
    for (path, expected) in [
        (
            "/players?select=name,clubs(name)&order=id&limit=2",
            json!([{"name": "Ann", "clubs": {"name": "Reds"}}, {"name": "Bob", "clubs": {"name": "Reds"}}]),
        ),
        (
            "/players?select=name,club:clubs(*)&id=eq.4",
            json!([{"name": "Dan", "club": null}]),
        ),
        (
            "/players?select=name,club_id(city)&id=eq.3",
            json!([{"name": "Cid", "club_id": {"city": "Bonn"}}]),
        ),
        (
            "/clubs?select=name,players(id)&players.order=id.desc&order=id",
            json!([
                {"name": "Reds", "players": [{"id": 2}, {"id": 1}]},
                {"name": "Blues", "players": [{"id": 3}]},
                {"name": "Empty", "players": []}
            ]),
        ),
        (
            "/players?select=r,contracts(salary)&id=eq.1",
            json!([{"r": 5, "contracts": {"salary": 100.50}}]),
        ),
        (
            "/contracts?select=players(name)&player_id=eq.2",
            json!([{"players": {"name": "Bob"}}]),
        ),
        (
            "/players?select=name,skills(name)&skills.order=name&id=in.(1,4)&order=id",
            json!([{"name": "Ann", "skills": [{"name": "kick"}, {"name": "run"}]}, {"name": "Dan", "skills": []}]),
        ),
        (
            "/players?select=name,home:addresses!players_home(street),work:addresses!work(street)&id=eq.1",
            json!([{"name": "Ann", "home": {"street": "High St"}, "work": {"street": "Low St"}}]),
        ),
        (
            "/players?select=name,captain:captain_id(name),led:players!captain_id(name)&led.order=id&id=eq.1",
            json!([{"name": "Ann", "captain": null, "led": [{"name": "Bob"}, {"name": "Cid"}]}]),
        ),
        (
            "/clubs?select=name,players(name,skills(name),contracts(salary))&id=eq.1&players.id=eq.2",
            json!([{"name": "Reds", "players": [
                {"name": "Bob", "skills": [{"name": "run"}], "contracts": {"salary": 50.00}}]}]),
        ),
        (
            "/clubs?select=name,club_sizes(players)&id=eq.1",
            json!([{"name": "Reds", "club_sizes": {"players": 2}}]),
        ),
        (
            "/club_sizes?select=players,clubs(name)&club_id=eq.2",
            json!([{"players": 1, "clubs": {"name": "Blues"}}]),
        ),
    ] {
        assert_eq!(rows(&shop, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_embedded_can_filter_and_order_its_parent() {
    let shop = open().await;
    for (path, expected) in [
        (
            "/clubs?select=name,players!inner(name)&players.name=eq.Cid",
            json!([
            {"name": "Blues", "players": [{"name": "Cid"}]}]),
        ),
        (
            "/clubs?select=name,players()&players=is.null",
            json!([{"name": "Empty"}]),
        ),
        (
            "/clubs?select=name,players()&players=not.is.null&order=id",
            json!([{"name": "Reds"}, {"name": "Blues"}]),
        ),
        (
            "/clubs?select=name,players()&players.name=eq.Ann&or=(players.not.is.null,id.eq.3)&order=id",
            json!([{"name": "Reds"}, {"name": "Empty"}]),
        ),
        (
            "/players?select=id,clubs(name)&order=clubs(name).desc.nullslast,id.desc",
            json!([{"id": 2, "clubs": {"name": "Reds"}}, {"id": 1, "clubs": {"name": "Reds"}},
                {"id": 3, "clubs": {"name": "Blues"}}, {"id": 4, "clubs": null}]),
        ),
        (
            "/clubs?select=name,players(name)&players.or=(name.eq.Ann,r.is.null)&players.order=id&id=eq.1",
            json!([{"name": "Reds", "players": [{"name": "Ann"}, {"name": "Bob"}]}]),
        ),
        (
            "/clubs?select=name,players(name)&players.limit=1&players.offset=1&players.order=id&id=eq.1",
            json!([{"name": "Reds", "players": [{"name": "Bob"}]}]),
        ),
        (
            "/skills?select=name,players!inner(clubs!inner(name))&players.clubs.name=eq.Reds&order=id",
            json!([{"name": "run", "players": [{"clubs": {"name": "Reds"}}, {"clubs": {"name": "Reds"}}]},
                {"name": "kick", "players": [{"clubs": {"name": "Reds"}}]}]),
        ),
    ] {
        assert_eq!(rows(&shop, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn spread_relations_stand_among_the_columns() {
    let shop = open().await;
    for (path, expected) in [
        (
            "/players?select=name,...clubs(club:name,city)&order=id&limit=1",
            json!([
            {"name": "Ann", "club": "Reds", "city": "Rome"}]),
        ),
        (
            "/players?select=name,...clubs(city)&id=eq.4",
            json!([{"name": "Dan", "city": null}]),
        ),
        (
            "/clubs?select=name,...players(names:name)&players.order=name&order=id",
            json!([
            {"name": "Reds", "names": ["Ann", "Bob"]}, {"name": "Blues", "names": ["Cid"]}, {"name": "Empty", "names": []}]),
        ),
        (
            "/contracts?select=salary,...players(name,...clubs(city))&player_id=eq.1",
            json!([
            {"salary": 100.50, "name": "Ann", "city": "Rome"}]),
        ),
        (
            "/players?select=name,...clubs!inner(city)&order=name.desc",
            json!([
            {"name": "Cid", "city": "Bonn"}, {"name": "Bob", "city": "Rome"}, {"name": "Ann", "city": "Rome"}]),
        ),
    ] {
        assert_eq!(rows(&shop, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn values_are_aggregated_by_what_stands_beside_them() {
    let shop = open().await;
    for (path, expected) in [
        ("/players?select=count()", json!([{"count": 4}])),
        (
            "/players?select=r.sum(),top:r.max(),n:id.count(),r.avg()::int",
            json!([{"sum": 15, "top": 9, "n": 4, "avg": 5}]),
        ),
        (
            "/players?select=club_id,count()&order=club_id",
            json!([
            {"club_id": 1, "count": 2}, {"club_id": 2, "count": 1}, {"club_id": null, "count": 1}]),
        ),
        ("/players?select=facts->n::int.sum()", json!([{"sum": 24}])),
        (
            "/clubs?select=name,players(count())&order=id",
            json!([
            {"name": "Reds", "players": [{"count": 2}]}, {"name": "Blues", "players": [{"count": 1}]},
            {"name": "Empty", "players": [{"count": 0}]}]),
        ),
        (
            "/contracts?select=...players(...clubs(city)),salary.sum()&order=players(id)",
            json!(null),
        ),
        (
            "/contracts?select=total:salary.sum(),players(club_id)",
            json!([
            {"total": 150.50, "players": {"club_id": 1}}, {"total": 75.00, "players": {"club_id": 2}}]),
        ),
        ("/players?select=...contracts(salary.max())", json!([{"max": 100.50}])),
    ] {
        if expected.is_null() {
            assert_eq!(shop.get(path).await.status, 400, "{path}");
            continue;
        }
        let mut found = rows(&shop, path).await;
        if let Some(list) = found.as_array_mut() {
            list.sort_by_key(|row| {
                (
                    row["club_id"].is_null(),
                    row["club_id"].as_i64(),
                    row["total"].to_string(),
                )
            });
        }
        assert_eq!(found, expected, "{path}");
    }
}

#[tokio::test]
async fn every_operator_asks_what_postgresql_asks() {
    let shop = open().await;
    for (filter, ids) in [
        ("name=like.*n*", vec![1, 4]),
        ("name=like(any).{A*,B*}", vec![1, 2]),
        ("name=ilike(all).{*N*,a*}", vec![1]),
        ("name=match.^[AB]", vec![1, 2]),
        ("name=imatch.^[ab]", vec![1, 2]),
        ("name=not.match.^[AB]", vec![3, 4]),
        ("id=eq(any).{1,3}", vec![1, 3]),
        ("id=gt(all).{1,2}", vec![3, 4]),
        ("id=in.(1,\"2\")", vec![1, 2]),
        ("id=not.in.(1,2)", vec![3, 4]),
        ("r=isdistinct.5", vec![2, 3, 4]),
        ("r=is.null", vec![2]),
        ("r=not.is.null", vec![1, 3, 4]),
        ("tags=cs.{y}", vec![1, 2]),
        ("tags=cd.{y,z}", vec![2, 3, 4]),
        ("tags=ov.{x,z}", vec![1, 4]),
        ("free=cs.[2,3)", vec![1, 4]),
        ("free=sl.[10,11)", vec![1, 4]),
        ("free=sr.[3,5)", vec![2]),
        ("free=nxr.[3,5)", vec![1, 4]),
        ("free=nxl.[2,5)", vec![2, 4]),
        ("free=adj.[5,10)", vec![1, 2]),
        ("facts->n=eq.8", vec![2]),
        ("facts->>n=in.(7,9)", vec![1, 4]),
        ("facts->a->b->0=eq.10", vec![1]),
        ("facts->a->b->-1=gt.5", vec![1]),
        ("facts=cs.{\"n\":9}", vec![4]),
        ("name=fts.ann", vec![1]),
        ("name=wfts(english).\"bob\"", vec![2]),
        ("name=not.plfts(simple).ann", vec![2, 3, 4]),
        ("or=(id.eq.1,and(r.gt.5,name.not.eq.Ann))", vec![1, 4]),
        ("not.or=(id.eq.1,id.eq.2)", vec![3, 4]),
        ("and=(id.gte.2,id.lte.3)", vec![2, 3]),
        ("or=(tags.cs.{x,y},name.in.(\"Cid\",Dan))", vec![1, 3, 4]),
    ] {
        let found = rows(
            &shop,
            &format!("/players?select=id&order=id&{}", filter.replace('"', "%22")),
        )
        .await;
        let expected: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        assert_eq!(found, Value::from(expected), "{filter}");
    }
}

#[tokio::test]
async fn columns_are_renamed_cast_and_looked_into() {
    let shop = open().await;
    for (select, expected) in [
        (
            "no:id::text,facts->a->b->1,n:facts->>n",
            json!({"no": "1", "b": 20, "n": "7"}),
        ),
        ("facts->a", json!({"a": {"b": [10, 20]}})),
        ("tags->0,tags", json!({"tags": ["x", "y"]})),
        ("*,id", Value::Null),
    ] {
        let reply = shop.get(&format!("/players?id=eq.1&select={select}")).await;
        match select {
            "tags->0,tags" => {
                reply.problem(400, "PGRST100");
            }
            "*,id" => assert_eq!(reply.json()[0]["id"], 1),
            _ => assert_eq!(reply.json(), json!([expected]), "{select}"),
        }
    }
    let r = rows(&shop, "/players?select=r&id=eq.4").await;
    assert_eq!(r, json!([{"r": 9}]), "a column may be called what we call a row");
    let csv = send(
        shop.request(Method::GET, "/players?select=id,name,facts,tags&order=id&limit=2")
            .header("accept", "text/csv"),
    )
    .await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        csv.text,
        "id,name,facts,tags\n1,Ann,\"{\"\"a\"\": {\"\"b\"\": [10, 20]}, \"\"n\"\": 7}\",\"[\"\"x\"\",\"\"y\"\"]\"\n2,Bob,\"{\"\"n\"\": 8}\",\"[\"\"y\"\"]\"\n"
    );
}

#[tokio::test]
async fn rows_are_counted_as_far_as_it_was_asked_for() {
    let shop = open().await;
    for (path, prefer, status, range) in [
        ("/players?limit=2", "count=exact", 206, "0-1/4"),
        ("/players?limit=2&offset=3", "count=exact", 206, "3-3/4"),
        ("/players", "count=exact", 200, "0-3/4"),
        ("/players?id=gt.2&limit=1", "count=exact", 206, "0-0/2"),
        ("/players?limit=0", "count=exact", 206, "*/4"),
        ("/players?id=eq.99", "count=exact", 200, "*/0"),
        ("/players?select=id,clubs!inner()&limit=1", "count=exact", 206, "0-0/3"),
        ("/players?select=club_id,count()&limit=1", "count=exact", 206, "0-0/3"),
        ("/players?limit=2", "count=estimated", 206, "0-1/4"),
        ("/players?limit=2", "", 200, "0-1/*"),
    ] {
        let reply = send(shop.request(Method::GET, path).header("prefer", prefer)).await;
        assert_eq!(
            (reply.status, reply.header("content-range")),
            (status, range),
            "{path}: {reply:?}"
        );
    }
    let beyond = send(
        shop.request(Method::GET, "/players?offset=9")
            .header("prefer", "count=exact"),
    )
    .await;
    beyond.problem(416, "PGRST103");
    let planned = send(
        shop.request(Method::GET, "/players?limit=1")
            .header("prefer", "count=planned"),
    )
    .await;
    assert!(!planned.header("content-range").ends_with('*'), "{planned:?}");
}

#[tokio::test]
async fn a_list_that_was_cut_links_to_what_follows_its_last_row() {
    let shop = open().await;
    for order in [
        "",
        "&order=r",
        "&order=r.desc",
        "&order=r.nullsfirst,name.desc",
        "&order=facts->n.desc.nullslast",
        "&order=clubs(name).desc",
    ] {
        let mut path = format!("/players?select=id,clubs(name)&limit=1{order}");
        let whole = rows(&shop, &path.replace("limit=1", "limit=9")).await;
        let mut paged = Vec::new();
        loop {
            let reply = shop.get(&path).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            paged.extend(reply.json().as_array().cloned().unwrap_or_default());
            let Some(next) = reply
                .header("link")
                .strip_prefix('<')
                .and_then(|l| l.strip_suffix(">; rel=\"next\""))
            else {
                break;
            };
            path = next.to_owned();
        }
        assert_eq!(Value::from(paged), whole, "{order}");
    }
    let link = shop.get("/players?limit=1&order=name").await;
    let other = link.header("link").replace("order=name", "order=r");
    let other = other
        .trim_start_matches('<')
        .split('>')
        .next()
        .unwrap_or_default()
        .to_owned();
    shop.get(&other).await.problem(400, "PGRST100");
    shop.get("/players?after=nonsense").await.problem(400, "PGRST100");
}

#[tokio::test]
async fn what_is_not_related_is_refused_with_what_is() {
    let shop = open().await;
    let reply = shop.get("/players?select=*,addresses(*)").await;
    reply.problem(300, "PGRST201");
    assert_eq!(reply.json()["details"].as_array().map(Vec::len), Some(2));
    assert!(
        reply.json()["hint"]
            .as_str()
            .unwrap_or_default()
            .contains("'addresses!players_home'"),
        "{reply:?}"
    );
    for (path, status, code) in [
        ("/players?select=*,nothing(*)", 400, "PGRST200"),
        ("/clubs?select=*,skills(*)", 400, "PGRST200"),
        ("/players?select=*,clubs!wrong(*)", 400, "PGRST200"),
        ("/players?select=*,clubs(nothing)", 400, "42703"),
        ("/players?select=*&clubs.name=eq.x", 400, "PGRST108"),
        ("/clubs?select=*,players(*)&order=players(name)", 400, "PGRST118"),
        ("/clubs?select=*,players(*)&players=eq.1", 400, "PGRST120"),
        ("/clubs?select=*,...players(count())", 400, "PGRST127"),
        ("/players?select=clubs(*),clubs(*)", 400, "PGRST100"),
        ("/players?select=name,sum:r.sum(),sum:r.max()", 400, "PGRST100"),
        ("/players?select=name,r.sum()&order=id", 400, "42803"),
        ("/players?name=fts.%26", 400, "42601"),
        ("/players?name=fts(nolanguage).x", 400, "42704"),
        ("/players?name=match.*", 400, "2201B"),
        ("/players?name=cs.x", 400, "42883"),
    ] {
        shop.get(path).await.problem(status, code);
    }
}

#[tokio::test]
async fn what_was_written_is_answered_with_related_rows() {
    let shop = open().await;
    let made = shop
        .send(
            Method::POST,
            "/players?select=name,clubs(name),skills(name)",
            r#"{"id": 9, "name": "Zoe", "club_id": 2}"#,
        )
        .await;
    assert_eq!(
        (made.status, made.json()),
        (201, json!([{"name": "Zoe", "clubs": {"name": "Blues"}, "skills": []}]))
    );
    let changed = shop
        .send(
            Method::PATCH,
            "/players?id=in.(1,9)&select=id,...clubs(name)&order=id.desc",
            r#"{"club_id": 1}"#,
        )
        .await;
    assert_eq!(
        changed.json(),
        json!([{"id": 9, "name": "Reds"}, {"id": 1, "name": "Reds"}])
    );
    let gone = shop
        .send(
            Method::DELETE,
            "/contracts?player_id=eq.3&select=salary,players(name)",
            "",
        )
        .await;
    assert_eq!(gone.json(), json!([{"salary": 75.00, "players": {"name": "Cid"}}]));
    let most = shop
        .write(Method::PATCH, "/players?id=gt.0", r#"{"r": 0}"#)
        .header("prefer", "handling=strict, max-affected=2");
    send(most).await.problem(400, "PGRST124");
    assert_eq!(rows(&shop, "/players?r=eq.0&select=id").await, json!([]));
}

#[tokio::test]
async fn posted_rows_merge_with_those_that_are_there_when_asked_to() {
    let shop = open().await;
    let post = |path: &str, prefer: &'static str, body: &str| {
        shop.request(Method::POST, path)
            .header("prefer", prefer)
            .header("content-type", "application/json")
            .body(body.to_owned())
    };
    let merge = "resolution=merge-duplicates, return=representation";
    let reply = send(post(
        "/clubs?select=id,name",
        merge,
        r#"[{"id":1,"name":"R"},{"id":7,"name":"New"}]"#,
    ))
    .await;
    assert_eq!(
        (reply.status, reply.json()),
        (201, json!([{"id": 1, "name": "R"}, {"id": 7, "name": "New"}]))
    );
    let reply = send(post("/clubs", "resolution=merge-duplicates", r#"{"id":1,"name":"S"}"#)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let ignore = "resolution=ignore-duplicates, return=representation";
    let reply = send(post(
        "/clubs?select=id",
        ignore,
        r#"[{"id":1,"name":"T"},{"id":8,"name":"U"}]"#,
    ))
    .await;
    assert_eq!((reply.status, reply.json()), (201, json!([{"id": 8}])));
    assert_eq!(rows(&shop, "/clubs?id=eq.1&select=name").await, json!([{"name": "S"}]));
    send(post("/clubs?on_conflict=name", merge, r#"{"id":1,"name":"x"}"#))
        .await
        .problem(400, "42P10");
    send(post("/clubs?on_conflict=nothing", merge, r#"{"id":1,"name":"x"}"#))
        .await
        .problem(400, "42703");
    send(post("/clubs", merge, r#"[{"id":1,"name":"x"},{"id":1,"name":"y"}]"#))
        .await
        .problem(400, "21000");
    let missing = "missing=default, return=representation";
    let reply = send(post(
        "/players?columns=id,name,tags,r&select=id,tags,r",
        missing,
        r#"[{"id":20,"name":"a","r":1},{"id":21,"name":"b","tags":["q"]}]"#,
    ))
    .await;
    assert_eq!(
        reply.json(),
        json!([{"id": 20, "tags": [], "r": 1}, {"id": 21, "tags": ["q"], "r": null}]),
        "{reply:?}"
    );
}
