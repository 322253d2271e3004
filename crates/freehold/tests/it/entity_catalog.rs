//! The catalog as the server has it.

use freehold::pg::catalog::{self, AfterTriggers, ConstraintKind, Filled, Kind};

use crate::entity::Shop;

#[tokio::test]
async fn the_catalog_is_what_the_migrations_made() {
    let shop = Shop::open().await;
    let more = r#"create domain shop.short as varchar(3);
        create table shop.typed (
          "Key" shop.short primary key,
          n numeric(5, 2) not null default 1.5,
          c char(4),
          j json,
          a shop.colour[],
          gone int,
          at timestamptz default now()
        );
        alter table shop.typed drop column gone;
        create unique index typed_c on shop.typed (c);
        create unique index typed_n on shop.typed (n) where c is not null;
        create unique index typed_lower on shop.typed (lower(c))"#;
    shop.sql.batch_execute(more).await.expect("created");
    let catalog = catalog::load(&shop.sql, "shop").await.expect("the catalog is read");

    let typed = &catalog.tables["typed"];
    let seen: Vec<_> = typed
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.cast.as_str(), c.kind))
        .collect();
    assert_eq!(
        seen,
        [
            ("Key", "shop.short", Kind::Text),
            ("n", "numeric", Kind::Scalar),
            ("c", "bpchar", Kind::Text),
            ("j", "json", Kind::Json),
            ("a", "shop._colour", Kind::Array),
            ("at", "timestamp with time zone", Kind::Scalar),
        ]
    );
    assert_eq!(typed.key, ["Key"]);
    assert!(!typed.has_version);
    let n = typed.column("n").expect("it is there");
    assert_eq!(
        (n.type_name.as_str(), n.not_null, n.default_expr.as_deref()),
        ("numeric(5,2)", true, Some("1.5"))
    );
    assert_eq!(typed.constraints["typed_c"].kind, ConstraintKind::Unique);
    assert!(typed.is_unique(&["c".into()]));
    assert!(!typed.is_unique(&["n".into()]), "the index is partial");

    let orders = &catalog.tables["orders"];
    let id = orders.column("id").expect("it is there");
    assert_eq!(id.filled, Filled::ByIdentity);
    assert_eq!(id.default_expr.as_deref(), Some("nextval('shop.orders_id_seq')"));
    assert!(orders.has_version && !id.is_writable());
    assert_eq!(orders.column("doubled").map(|c| c.filled), Some(Filled::ByExpression));

    let items = &catalog.tables["order_items"];
    let to: Vec<_> = items
        .foreign_keys
        .iter()
        .map(|k| (k.to.as_str(), k.columns.join(",")))
        .collect();
    assert!(to.contains(&("orders", "order_id".into())) && to.contains(&("products", "product_id".into())));
    assert!(
        items.constraints["order_items_quantity_check"]
            .definition
            .contains("quantity > 0")
    );

    let none = AfterTriggers::default();
    assert!(catalog.tables.values().all(|t| t.after_triggers == none));
    let triggers = "create function shop.look() returns trigger language plpgsql as 'begin return null; end';
        create trigger a after insert or delete on shop.products for each row execute function shop.look();
        create trigger b after update of status on shop.orders for each statement execute function shop.look();
        create constraint trigger c after insert on shop.orders for each row execute function shop.look();
        create constraint trigger d after update on shop.shipments
          deferrable initially deferred for each row execute function shop.look();
        create trigger freehold_e after insert on shop.history for each statement execute function shop.look();
        create trigger f after insert on shop.counters for each row execute function shop.look();
        alter table shop.counters disable trigger f";
    shop.sql.batch_execute(triggers).await.expect("created");
    let catalog = catalog::load(&shop.sql, "shop").await.expect("the catalog is read");
    let after = |table: &str| catalog.tables[table].after_triggers;
    assert!(after("products").insert && !after("products").update);
    assert!(after("orders").insert && after("orders").update);
    for table in ["shipments", "history", "counters", "guarded"] {
        assert_eq!(after(table), none, "{table}");
    }

    assert!(catalog::load(&shop.sql, "nowhere").await.is_err());
    assert!(
        catalog::load(&shop.sql, "shop").await.is_ok(),
        "no transaction is left open"
    );
}

#[tokio::test]
async fn columns_tell_their_base_labels_length_and_comment() {
    let shop = Shop::open().await;
    let more = r#"create domain shop.short as varchar(3);
        create domain shop.shorter as shop.short check (length(value) < 3);
        create domain shop.tint as shop.colour;
        create domain shop.palette as shop.colour[];
        create table shop.typed (
          s shop.shorter,
          v varchar(7),
          c char(4),
          free varchar,
          many varchar(5)[],
          n numeric(5, 2),
          i int,
          at timestamptz,
          tint shop.tint,
          tints shop.tint[],
          palette shop.palette
        );
        comment on table shop.typed is 'Every kind.';
        comment on column shop.typed.v is 'Seven at most.'"#;
    shop.sql.batch_execute(more).await.expect("created");
    let catalog = catalog::load(&shop.sql, "shop").await.expect("the catalog is read");

    let typed = &catalog.tables["typed"];
    let seen: Vec<_> = typed
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.base.as_str(), c.labels.join(","), c.length_max))
        .collect();
    let colours = || "red,green".to_owned();
    let none = String::new;
    assert_eq!(
        seen,
        [
            ("s", "varchar", none(), Some(3)),
            ("v", "varchar", none(), Some(7)),
            ("c", "bpchar", none(), Some(4)),
            ("free", "varchar", none(), None),
            ("many", "_varchar", none(), None),
            ("n", "numeric", none(), None),
            ("i", "int4", none(), None),
            ("at", "timestamptz", none(), None),
            ("tint", "colour", colours(), None),
            ("tints", "_tint", colours(), None),
            ("palette", "_colour", colours(), None),
        ]
    );
    assert_eq!(typed.comment.as_deref(), Some("Every kind."));
    let comment = |column: &str| typed.column(column).and_then(|c| c.comment.clone());
    assert_eq!((comment("v").as_deref(), comment("s")), (Some("Seven at most."), None));
    assert_eq!(catalog.tables["orders"].comment, None);
}

#[tokio::test]
async fn views_have_columns_and_no_constraints() {
    let shop = Shop::open().await;
    let more = "create view shop.open_orders as
          select o.id, o.version, o.status::varchar(9) as status from shop.orders o where o.status = 'open';
        create view shop.totals as select count(*) as version_count, 1::int as version from shop.orders;
        create materialized view shop.kept as select 1 as one;
        create view public.elsewhere as select 1 as one;
        comment on view shop.open_orders is 'Not done yet.';
        comment on column shop.open_orders.id is 'The order.'";
    shop.sql.batch_execute(more).await.expect("created");
    let catalog = catalog::load(&shop.sql, "shop").await.expect("the catalog is read");

    let names: Vec<_> = catalog.views.keys().map(String::as_str).collect();
    assert_eq!(names, ["open_orders", "totals"]);
    assert!(!catalog.tables.contains_key("open_orders") && !catalog.tables.contains_key("kept"));
    let open = &catalog.views["open_orders"];
    let seen: Vec<_> = open
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.base.as_str(), c.not_null, c.filled, c.length_max))
        .collect();
    assert_eq!(
        seen,
        [
            ("id", "int8", false, Filled::ByWriter, None),
            ("version", "int8", false, Filled::ByWriter, None),
            ("status", "varchar", false, Filled::ByWriter, Some(9)),
        ]
    );
    assert!(open.key.is_empty() && open.constraints.is_empty() && open.foreign_keys.is_empty());
    assert_eq!(
        (open.schema.as_str(), open.comment.as_deref()),
        ("shop", Some("Not done yet."))
    );
    assert_eq!(open.columns[0].comment.as_deref(), Some("The order."));
    assert!(open.has_version);
    assert!(!catalog.views["totals"].has_version, "its version is an int");
}
