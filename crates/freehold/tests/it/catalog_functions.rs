//! The functions of a schema, as the catalog tells them.

use freehold::pg::catalog::{self, Catalog, FunctionShape, Kind, Returns, RowShape, Volatility};

use crate::entity::Shop;

async fn catalog_with(sql: &str) -> Catalog {
    let shop = Shop::open().await;
    shop.sql.batch_execute(sql).await.expect("created");
    catalog::load(&shop.sql, "shop").await.expect("the catalog is read")
}

fn one<'a>(catalog: &'a Catalog, name: &str) -> &'a FunctionShape {
    let all = &catalog.functions[name];
    assert_eq!(all.len(), 1, "{name}");
    &all[0]
}

fn columns(row: &RowShape) -> Vec<(&str, &str)> {
    row.columns.iter().map(|c| (c.name.as_str(), c.base.as_str())).collect()
}

#[tokio::test]
async fn arguments_tell_name_type_default_and_way() {
    let catalog = catalog_with(
        "create domain shop.tint as shop.colour;
        create function shop.plain(int, b text, c shop.tint[] default null, d numeric default 1)
          returns int immutable language sql as 'select 1';
        create function shop.ways(in a int, out x int, inout b int default 2, variadic rest text[] default '{}', out y text)
          stable language sql as $$ select 1, 2, 'y'::text $$;
        create function shop.both(a int) returns int language sql as 'select 1';
        create function shop.both(a text, b int) returns int language sql as 'select 1';
        create function shop.both() returns int language sql as 'select 1';
        comment on function shop.plain(int, text, shop.tint[], numeric) is 'Plain.'",
    )
    .await;

    let plain = one(&catalog, "plain");
    let seen: Vec<_> = plain
        .arguments
        .iter()
        .map(|a| {
            (
                a.name.as_str(),
                a.value.base.as_str(),
                a.value.cast.as_str(),
                a.has_default,
                a.variadic,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("", "int4", "integer", false, false),
            ("b", "text", "text", false, false),
            ("c", "_tint", "shop._tint", true, false),
            ("d", "numeric", "numeric", true, false),
        ]
    );
    assert_eq!(plain.arguments[2].value.labels, ["red", "green"]);
    assert_eq!(plain.arguments[2].value.kind, Kind::Array);
    assert_eq!(
        (plain.volatility, plain.comment.as_deref()),
        (Volatility::Immutable, Some("Plain."))
    );
    assert_eq!((plain.schema.as_str(), plain.name.as_str()), ("shop", "plain"));

    let ways = one(&catalog, "ways");
    let seen: Vec<_> = ways
        .arguments
        .iter()
        .map(|a| (a.name.as_str(), a.has_default, a.variadic))
        .collect();
    assert_eq!(seen, [("a", false, false), ("b", true, false), ("rest", true, true)]);
    assert_eq!(ways.arguments[2].value.base, "_text");
    assert_eq!(ways.volatility, Volatility::Stable);
    let Returns::Row(row) = &ways.returns else {
        panic!("{:?}", ways.returns)
    };
    assert_eq!(columns(row), [("x", "int4"), ("b", "int4"), ("y", "text")]);

    let both: Vec<_> = catalog.functions["both"].iter().map(|f| f.arguments.len()).collect();
    assert_eq!(both, [0, 1, 2]);
    assert_eq!(catalog.functions["both"][0].volatility, Volatility::Volatile);
}

#[tokio::test]
async fn what_a_function_returns_is_told_by_its_shape() {
    let catalog = catalog_with(
        "create schema other;
        create table other.things (id int);
        create type shop.pair as (a int, b varchar(3));
        create domain shop.filled_pair as shop.pair not null;
        create view shop.cheap as select id, name from shop.products where price < 1;
        create function shop.gives_void() returns void language sql as '';
        create function shop.gives_value() returns shop.colour language sql as $$ select 'red'::shop.colour $$;
        create function shop.gives_values() returns setof text language sql as $$ select 'a'::text $$;
        create function shop.gives_product() returns shop.products language sql as 'select * from shop.products';
        create function shop.gives_products() returns setof shop.products language sql as 'select * from shop.products';
        create function shop.gives_view() returns setof shop.cheap language sql as 'select * from shop.cheap';
        create function shop.gives_things() returns setof other.things language sql as 'select * from other.things';
        create function shop.gives_pair() returns shop.pair language sql as $$ select (1, 'b')::shop.pair $$;
        create function shop.gives_filled() returns shop.filled_pair language sql as $$ select (1, 'b')::shop.pair $$;
        create function shop.gives_table() returns table (id int, colour shop.colour)
          language sql as 'select 1, null::shop.colour';
        create function shop.gives_one_column() returns table (id int) language sql as 'select 1';
        create function shop.gives_one_out(out total bigint) language sql as 'select 1::bigint';
        create function shop.gives_nameless(out bigint) language sql as 'select 1::bigint';
        create function shop.gives_nameless_pair(out int, out text) language sql as $$ select 1, 'b'::text $$;
        create function shop.gives_out_product(out p shop.products) language sql as 'select * from shop.products'",
    )
    .await;
    let returns = |name: &str| &one(&catalog, name).returns;
    let of = |name: &str| RowShape {
        of: Some(name.into()),
        columns: Vec::new(),
    };

    assert_eq!(returns("gives_void"), &Returns::Nothing);
    assert!(matches!(returns("gives_value"), Returns::Value(v) if v.base == "colour" && v.labels == ["red", "green"]));
    assert!(matches!(returns("gives_values"), Returns::Values(v) if v.base == "text" && v.kind == Kind::Text));
    assert_eq!(returns("gives_product"), &Returns::Row(of("products")));
    assert_eq!(returns("gives_products"), &Returns::Rows(of("products")));
    assert_eq!(returns("gives_view"), &Returns::Rows(of("cheap")));
    assert_eq!(returns("gives_out_product"), &Returns::Row(of("products")));
    let rows = |name: &str| match returns(name) {
        Returns::Row(row) => ("row", columns(row)),
        Returns::Rows(row) => ("rows", columns(row)),
        other => panic!("{name} gives {other:?}"),
    };
    assert_eq!(rows("gives_things"), ("rows", vec![("id", "int4")]));
    assert_eq!(rows("gives_pair"), ("row", vec![("a", "int4"), ("b", "varchar")]));
    assert_eq!(rows("gives_filled"), ("row", vec![("a", "int4"), ("b", "varchar")]));
    assert_eq!(
        rows("gives_table"),
        ("rows", vec![("id", "int4"), ("colour", "colour")])
    );
    assert_eq!(rows("gives_one_column"), ("rows", vec![("id", "int4")]));
    assert_eq!(rows("gives_one_out"), ("row", vec![("total", "int8")]));
    assert!(matches!(returns("gives_nameless"), Returns::Value(v) if v.base == "int8"));
    assert_eq!(
        rows("gives_nameless_pair"),
        ("row", vec![("column1", "int4"), ("column2", "text")])
    );
    let Returns::Row(pair) = returns("gives_pair") else {
        panic!("it gives a row")
    };
    assert_eq!(pair.columns[1].length_max, Some(3));
}

#[tokio::test]
async fn functions_that_no_client_can_call_are_left_out() {
    let catalog = catalog_with(
        "create function shop.kept() returns int language sql as 'select 1';
        create function shop.freehold_mine() returns int language sql as 'select 1';
        create function shop.is_trigger() returns trigger language plpgsql as 'begin return null; end';
        create function shop.is_event() returns event_trigger language plpgsql as 'begin end';
        create function shop.takes_any(a anyelement) returns int language sql as 'select 1';
        create function shop.gives_record() returns record language sql as 'select 1, 2';
        create function shop.gives_records() returns setof record language sql as 'select 1, 2';
        create procedure shop.is_procedure() language sql as '';
        create aggregate shop.is_aggregate(int) (sfunc = int4pl, stype = int);
        create function public.elsewhere() returns int language sql as 'select 1';
        create function shop.of_an_extension() returns int language sql as 'select 1';
        alter extension plpgsql add function shop.of_an_extension()",
    )
    .await;

    let names: Vec<_> = catalog.functions.keys().map(String::as_str).collect();
    assert_eq!(names, ["kept"]);
}
