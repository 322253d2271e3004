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
