//! Every kind of value survives the trip, by snapshot and by event, and so does every kind of name.

use super::assert_equal;
use crate::fixture::{Folder, Stage, number, run};

const ZOO: Folder<'_> = Folder {
    name: "zoo",
    manifest: r#"
[owns.animals]
summary   = "One of each."
publishes = ["id", "mood", "grade", "moods", "grades", "home", "homes", "tags", "grid", "doc", "raw", "raws", "amount", "amounts",
             "ratio", "small", "at", "local", "day", "clock", "span", "body", "name", "fixed", "place", "mark", "bits", "address",
             "period", "is_tame", "version", "updated_at"]
"#,
    migration: "
create type mood as enum ('calm', 'it''s \"wild\"');
create domain grade as int check (value between 0 and 9);
create type home as (cage text, floor int, notes json);
create table animals (
  id uuid primary key default gen_random_uuid(),
  mood mood, grade grade, moods mood[], grades grade[], home home, homes home[], tags text[], grid int[],
  doc jsonb, raw json, raws json[], amount numeric, amounts numeric[], ratio float8, small float4,
  at timestamptz, local timestamp, day date, clock timetz, span interval, body bytea, name text, fixed char(5),
  place point, mark xml, bits bit varying, address inet, period tstzrange, is_tame boolean
);
",
};

const VISITOR: Folder<'_> = Folder {
    name: "visitor",
    manifest: r#"
[owns.notes]
summary = "Of its own."
[copies.animals]
of      = "zoo.animals"
columns = ["id", "mood", "grade", "moods", "grades", "home", "homes", "tags", "grid", "doc", "raw", "raws", "amount", "amounts",
           "ratio", "small", "at", "local", "day", "clock", "span", "body", "name", "fixed", "place", "mark", "bits", "address",
           "period", "is_tame", "version", "updated_at"]
"#,
    migration: "create table notes (id int primary key);",
};

/// Values with everything that is written with care: quotes, backslashes, line ends, what is no number.
const INSERT: &str = r#"
insert into animals (mood, grade, moods, grades, home, homes, tags, grid, doc, raw, raws, amount, amounts, ratio, small, at, local,
                     day, clock, span, body, name, fixed, place, mark, bits, address, period, is_tame)
values
  (e'it\'s "wild"', 7, array['calm', e'it\'s "wild"']::mood[], '{1,2,null}',
   row(e'a "cage"\n', 2, e'{"a":\n1}'), array[row('b', 3, e'[1,\n2]')]::home[],
   array['', 'a,b', e'q"\\\n', null, 'null', 'ü😀'], '{{1,2},{3,4}}', '{"a": [1.50, null, "\u00e4\"\\"]}', e'{"b":\n  [1,\r\n2 ], "a": "x\\ny"}',
   array[e'{"a":\n1}'::json, 'false'], 'NaN', '{1.10,-Infinity,NaN}', 'NaN', 3.4028235e38, '2024-02-29 23:59:59.999999+05:45', 'infinity',
   '4713-01-01 BC', '12:00:00.000001+13', '-1 year 2 mons -3 days 04:05:06.7', '\x00ff27225c0a', e'it''s "q" \\ \n\r\t \u0001 ü 😀 null', 'ab',
   '(1.5,-2)', '<a>b</a>', '10101', '2001:db8::1/64', '[2024-01-01, infinity)', true),
  ('calm', 0, '{}', '{}', null, '{}', '{}', '{}', '{}', '[]', '{}', 123456789012345678901234567890.1234567890, '{}', 0.1, 1e-45,
   '-infinity', '2024-01-01', 'infinity', '00:00:00Z', '0', '', '', '', '(0,0)', '', '', '0.0.0.0', 'empty', false),
  (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
   null, null, null, null, null, null, null)
"#;

/// An enum's array is text[] in the copy, a row type jsonb; as text and as jsonb they are equal on both sides.
const ROWS: &str = "
select row(id, mood::text, grade::int, moods::text[], grades::text[], to_jsonb(home), tags, grid, doc, raw::jsonb,
           raws::text[]::jsonb[], amount, amounts, ratio, small, at, local, day, clock, span, body, name, fixed, place::text, mark::text,
           bits, address, period, is_tame, version, updated_at)::text
from animals
order by id";

#[tokio::test]
async fn every_kind_of_value_survives_as_an_event() {
    let stage = Stage::open(&[ZOO, VISITOR]).await;
    let (zoo, visitor) = (stage.home("zoo"), stage.home("visitor"));
    let served = zoo.serve().await;
    let _followed = visitor.follow("zoo", &served.url);
    visitor.caught_up(zoo).await;
    run(&zoo.sql, INSERT).await;
    visitor.caught_up(zoo).await;
    assert_equal(zoo, visitor, ROWS).await;
    // Each column alone is a change, also where its type knows no equality.
    for set in [
        "place = '(9,9)'",
        "mark = '<other/>'",
        "raw = '{\"x\": 1}'",
        "raws = '{2}'",
        "home = row('c', 1, '3')",
        "grades = '{5}'",
    ] {
        run(&zoo.sql, &format!("update animals set {set}")).await;
        visitor.caught_up(zoo).await;
        assert_equal(zoo, visitor, ROWS).await;
    }
    run(&zoo.sql, "delete from animals").await;
    visitor.caught_up(zoo).await;
    assert_eq!(number(&visitor.sql, "select count(*) from animals").await, 0);
}

#[tokio::test]
async fn every_kind_of_value_survives_as_a_snapshot() {
    let stage = Stage::open(&[ZOO, VISITOR]).await;
    let (zoo, visitor) = (stage.home("zoo"), stage.home("visitor"));
    run(&zoo.sql, INSERT).await;
    let served = zoo.serve().await;
    let _followed = visitor.follow("zoo", &served.url);
    visitor.caught_up(zoo).await;
    assert_eq!(number(&visitor.sql, "select count(*) from animals").await, 3);
    assert_equal(zoo, visitor, ROWS).await;
}

/// What JSON cannot tell apart: a `json` value that is null, and no value.
#[tokio::test]
async fn a_null_of_json_arrives_as_no_value() {
    let stage = Stage::open(&[ZOO, VISITOR]).await;
    let (zoo, visitor) = (stage.home("zoo"), stage.home("visitor"));
    let served = zoo.serve().await;
    let _followed = visitor.follow("zoo", &served.url);
    run(
        &zoo.sql,
        "insert into animals (doc, raws) values ('null', array['null'::json])",
    )
    .await;
    visitor.caught_up(zoo).await;
    let both = "select count(*) from animals where doc is null and raws[1] is null";
    assert_eq!((number(&zoo.sql, both).await, number(&visitor.sql, both).await), (0, 1));
}

/// The longest name of a table that PostgreSQL keeps, and columns named by somebody without mercy.
const LONG: &str = "a_name_as_long_as_postgresql_keeps_it_which_is_sixty_three_bytes";

fn hostile() -> (String, String, String, String) {
    let (one, two) = (&LONG[..63], format!("{}_b", &LONG[..61]));
    let columns = [
        r#"the "id""#,
        "größe in m², 50% & more? #1 = [a+b]/c\\d",
        "select",
        "it's; drop table",
        "Ünïcödé_ünïcödé_ünïcödé_ünïcödé",
        "fh_version",
    ];
    let quoted: Vec<String> = columns
        .iter()
        .map(|c| format!("\"{}\"", c.replace('"', "\"\"")))
        .collect();
    let listed = format!("{columns:?}");
    let manifest = |table: &str| format!("[owns.{table}]\nsummary = \"Hostile.\"\npublishes = {listed}\n");
    let create = |table: &str| {
        format!(
            "create table {table} ({} int primary key, {} text, {} text, {} text, {} text, {} text);\n",
            quoted[0], quoted[1], quoted[2], quoted[3], quoted[4], quoted[5]
        )
    };
    (
        manifest(one) + &manifest(&two),
        create(one) + &create(&two),
        format!(
            "[owns.notes]\nsummary = \"Of its own.\"\n[copies.{one}]\nof = \"zoo.{one}\"\ncolumns = {listed}\n\
             [copies.{two}]\nof = \"zoo.{two}\"\ncolumns = {listed}\n"
        ),
        two,
    )
}

#[tokio::test]
async fn hostile_names_of_columns_and_the_longest_names_of_tables_are_names_like_others() {
    for placement in ["database", "schema"] {
        let (manifest, tables, copies, two) = hostile();
        let one = &LONG[..63];
        let owner = Folder {
            name: "zoo",
            manifest: &manifest,
            migration: &tables,
        };
        let subscriber = Folder {
            name: "visitor",
            manifest: &copies,
            migration: "create table notes (id int primary key);",
        };
        let stage = Stage::open_in(placement, &[owner, subscriber]).await;
        let (zoo, visitor) = (stage.home("zoo"), stage.home("visitor"));
        let (writer, reader) = (zoo.superuser().await, visitor.superuser().await);
        run(
            &writer,
            &format!("insert into {one} values (1, 'snapshot', 'b', 'c', 'd', 'e')"),
        )
        .await;
        let served = zoo.serve().await;
        let _followed = visitor.follow("zoo", &served.url);
        visitor.caught_up(zoo).await;
        run(
            &writer,
            &format!("insert into {one} values (2, 'a', 'b', 'c', 'd', 'e'), (3, 'a', 'b', 'c', 'd', 'e')"),
        )
        .await;
        run(&writer, &format!("insert into {two} select * from {one}")).await;
        run(
            &writer,
            &format!("update {one} set \"select\" = 'changed' where \"the \"\"id\"\"\" = 2"),
        )
        .await;
        run(&writer, &format!("delete from {one} where \"the \"\"id\"\"\" = 3")).await;
        visitor.caught_up(zoo).await;
        for table in [one, &two] {
            let rows = format!(
                "select row(t.*)::text from (select \"the \"\"id\"\"\", \"select\", fh_version, version from {table}) t order by 1"
            );
            assert_eq!(
                crate::fixture::texts(&writer, &rows).await,
                crate::fixture::texts(&reader, &rows).await,
                "{placement}"
            );
        }
    }
}
