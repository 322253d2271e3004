//! Views and functions that the manifest lists: who may use them, and what is refused.

use freehold::install::Outcome;

use crate::fixture::{Folder, Stage, number, refused, run, texts};

/// The example of the guide, with a second function of the same name, and a view and a function that are not served.
const MIGRATION: &str = "
create table orders (
  id           bigint generated always as identity primary key,
  user_id_ref  bigint not null,
  status       text not null default 'placed',
  total_amount numeric(12, 2) not null default 0
);
create view order_totals with (security_invoker = true) as
  select user_id_ref, max(id) as last_id, sum(total_amount) as total,
         rank() over (order by sum(total_amount)) as rank
    from orders
   group by user_id_ref;
create function search_orders(word text, most bigint default 10) returns setof orders
  language sql stable
  as $$ select * from orders where status ilike word order by id limit most $$;
create function search_orders(lowest numeric) returns setof orders
  language sql stable
  as $$ select * from orders where total_amount >= lowest $$;
create view unlisted with (security_invoker = true) as select id, status from orders;
create function uncalled() returns int language sql return 1;
";

const MANIFEST: &str = r#"
[owns.orders]
[views.order_totals]
key           = ["user_id_ref"]
links.last_id = "orders.id"
hidden        = ["rank"]
[functions.search_orders]
"#;

const ORDER: Folder<'_> = Folder {
    name: "order",
    manifest: MANIFEST,
    migration: MIGRATION,
};

/// Who, of PUBLIC and the roles of the service, holds a right on a view or function of the schema.
const HOLDERS: &str = "
select string_agg(distinct o.name || ' ' || coalesce(r.rolname, 'public'), ', ' order by o.name || ' ' || coalesce(r.rolname, 'public'))
  from (select relname::text as name, relnamespace as schema, relacl as acl from pg_class where relkind = 'v'
        union all
        select proname::text, pronamespace, coalesce(proacl, acldefault('f', proowner)) from pg_proc) o
  join pg_namespace n on n.oid = o.schema
 cross join aclexplode(o.acl) a
  left join pg_roles r on r.oid = a.grantee
 where o.name in ('order_totals', 'search_orders')
   and r.rolname is distinct from 't_order_owner'";

#[tokio::test]
async fn what_is_listed_can_be_used_by_the_application_role_in_every_placement() {
    for placement in ["server", "database", "schema"] {
        let stage = Stage::open_in(placement, &[ORDER]).await;
        let order = stage.home("order");
        let app = order.app().await;
        run(
            &app,
            "insert into orders (user_id_ref, total_amount) values (7, 2), (7, 3)",
        )
        .await;
        let total = "select total::text from order_totals";
        assert_eq!(texts(&app, total).await, ["5.00"], "{placement}");
        assert_eq!(number(&app, "select count(*) from search_orders('PLACED', 1)").await, 1);
        assert_eq!(number(&app, "select count(*) from search_orders(2.5)").await, 1);
        for refused_to_write in [
            "delete from unlisted",
            "update unlisted set status = ''",
            "create or replace view order_totals as select 1 as user_id_ref",
            "drop function search_orders(numeric)",
        ] {
            assert_eq!(refused(&app, refused_to_write).await.0, "42501", "{refused_to_write}");
        }
        assert_eq!(
            texts(&order.sql, HOLDERS).await,
            [
                "order_totals t_order_app, order_totals t_order_reader, search_orders t_order_app, search_orders t_order_reader"
            ],
            "{placement}"
        );
        assert_eq!(stage.install().await, [Outcome::Unchanged], "{placement}");
    }
}

#[tokio::test]
async fn rights_that_a_migration_took_along_are_given_again() {
    let stage = Stage::open(&[ORDER]).await;
    let order = stage.home("order");
    let app = order.app().await;
    for (anew, asked) in [
        (
            "drop view order_totals;
             create view order_totals with (security_invoker = true) as
               select user_id_ref, max(id) as last_id, 0 as rank from orders group by user_id_ref",
            "select count(*) from order_totals",
        ),
        (
            "drop function search_orders(text, bigint);
             create function search_orders(word text) returns setof orders language sql as 'select * from orders'",
            "select count(*) from search_orders('x')",
        ),
        (
            "create function later() returns bigint language sql return 0",
            "select later()",
        ),
    ] {
        run(&order.owner().await, anew).await;
        assert_eq!(refused(&app, asked).await.0, "42501", "{asked}");
        assert_eq!(stage.install().await, [Outcome::Installed], "{asked}");
        assert_eq!(number(&app, asked).await, 0);
        assert_eq!(stage.install().await, [Outcome::Unchanged], "{asked}");
    }
    run(&order.owner().await, "grant execute on function uncalled() to public").await;
    assert_eq!(stage.install().await, [Outcome::Installed]);
    let open =
        "select count(*) from pg_proc where proname = 'uncalled' and has_function_privilege('public', oid, 'execute')";
    assert_eq!(number(&order.sql, open).await, 0);
    // As an extension's: not the owner's to give, so not waited for either.
    run(
        &order.sql,
        "create function of_superuser() returns int language sql return 1",
    )
    .await;
    assert_eq!(stage.install().await, [Outcome::Unchanged]);
    run(&order.sql, "update freehold.installation set fingerprint = 'another'").await;
    assert_eq!(stage.install().await, [Outcome::Installed]);
    assert_eq!(stage.install().await, [Outcome::Unchanged]);
}

#[tokio::test]
async fn what_is_listed_and_not_there_is_named_with_the_remedy() {
    for (change, expected) in [
        (
            "drop view order_totals",
            "service order: view order_totals is served by the manifest but not in the database; \
             write a migration that creates it, or take it out of the manifest",
        ),
        (
            "drop view order_totals; create materialized view order_totals as select 1 as user_id_ref",
            "service order: view order_totals is served by the manifest but not in the database; \
             write a migration that creates it, or take it out of the manifest",
        ),
        (
            "alter view order_totals rename column rank to place",
            "service order: view order_totals has no column rank, named by hidden in the manifest; \
             correct the manifest, or give the view that column in a migration",
        ),
        (
            "alter table orders drop constraint orders_pkey, add primary key (id, user_id_ref)",
            "service order: last_id of view order_totals leads to orders.id, which is not the only column of a key there; \
             let it lead to a primary key or a unique column",
        ),
        (
            "drop view order_totals;
             create view order_totals as select 1 as user_id_ref, 'x'::text as last_id, 0 as rank",
            "service order: last_id of view order_totals cannot be compared with orders.id: \
             operator does not exist: text = bigint; cast it in the view to the type of the table's column",
        ),
        (
            "drop function search_orders(text, bigint), search_orders(numeric);
             create function search_orders() returns trigger language plpgsql as 'begin return null; end'",
            "service order: function search_orders is served by the manifest but not among those of the database that \
             a client could call; write a migration that creates it, or take it out of the manifest",
        ),
    ] {
        let stage = Stage::migrated("database", &[ORDER]).await;
        let order = stage.home("order");
        run(&order.owner().await, change).await;
        let error = order.install(&[]).await.expect_err(change);
        assert_eq!(error.to_string(), expected, "{change}");
        let installed = "select count(*) from pg_class where relname = 'outbox'";
        assert_eq!(number(&order.sql, installed).await, 0, "nothing was changed");
    }
}
