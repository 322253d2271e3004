//! Provisioning, on private servers.

use crate::shop::{Result, Shop, connect};
use freehold_manifest::model::Placement;
use freehold_ops::provision::{self, Cluster, Clusters, Hold, Note};
use freehold_ops::secrets::{Login, Secret};

const PLACEMENTS: [Placement; 3] = [Placement::Server, Placement::Database, Placement::Schema];

#[tokio::test]
async fn a_second_run_has_nothing_to_do_in_every_placement() -> Result {
    for placement in PLACEMENTS {
        let shop = Shop::open(placement).await?;
        let wanted = shop.plan().await?;
        let done = shop.apply().await?;
        // A plan for a database that is not there yet also says what its template may happen to bring.
        let texts: Vec<_> = wanted.statements.iter().map(|s| &s.text).collect();
        assert!(done.statements.iter().all(|s| texts.contains(&&s.text)));
        let again = shop.plan().await?;
        assert_eq!(again.to_string(), "", "{placement:?}");
        assert!(shop.apply().await?.statements.is_empty());
        assert!(again.notes.is_empty(), "{:?}", again.notes);
        shop.furnish().await?;
        assert_eq!(shop.plan().await?.to_string(), "", "{placement:?}");
        shop.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_plan_shows_no_secret() -> Result {
    let shop = Shop::open(Placement::Database).await?;
    let plan = shop.plan().await?;
    let shown = format!("{plan} {plan:?}");
    assert!(shown.contains("alter role \"shop_order_app\" password '<verifier>'"));
    assert!(!shown.contains("SCRAM-SHA-256"));
    for secrets in shop.secrets.values() {
        for login in Login::ALL {
            assert!(!shown.contains(secrets.password(login)?.expose()));
        }
    }
    shop.close().await
}

#[tokio::test]
async fn every_role_enters_its_own_database_and_emits_from_there() -> Result {
    for placement in [Placement::Database, Placement::Schema] {
        let shop = Shop::open(placement).await?;
        shop.furnish().await?;
        for service in &shop.system.services {
            let names = shop.names(&service.name);
            let cluster = shop.clusters.of(&service.name)?;
            for login in Login::ALL {
                let password = shop.secrets[&service.name].password(login)?;
                let config = cluster.login(login.role(&names), password, &names.database);
                let client = connect(&config).await?;
                let path = client.query_one("show search_path", &[]).await?;
                assert_eq!(path.get::<_, String>(0), names.schema);
            }
            let password = shop.secrets[&service.name].password(Login::App)?;
            let client = connect(&cluster.login(&names.app, password, &names.database)).await?;
            let emitted = client
                .query_one("select freehold.emit('order.placed', '1', '{}')", &[])
                .await?;
            assert_eq!(emitted.get::<_, i64>(0), 1, "{}", service.name);
        }
        shop.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_strayed_across_the_walls_is_revoked() -> Result {
    let shop = Shop::open(Placement::Database).await?;
    shop.furnish().await?;
    let order = shop.names("order");
    shop.admin(&order)
        .await?
        .batch_execute(
            "grant shop_order_owner to shop_user_app;
             grant pg_read_all_data to shop_user_reader;
             alter role shop_user_app createrole createdb inherit connection limit -1;
             grant connect, temporary on database shop_order to shop_user_app;
             grant temporary on database shop_order to shop_order_app;
             grant connect on database shop_order to public;
             grant usage on schema public to shop_user_app;
             grant create on schema public to shop_order_app;
             grant select on public.orders to shop_user_app;
             grant select (note) on public.order_history to shop_product_app;
             grant update on public.orders to public;
             grant execute on function pg_read_file(text) to shop_order_app;
             alter role shop_order_app in database shop_order set statement_timeout = 0;
             alter role shop_order_app password 'other';
             create role shop_order_outsider",
        )
        .await?;
    let repaired = shop.apply().await?;
    let text = repaired.to_string();
    for expected in [
        "revoke \"shop_order_owner\" from \"shop_user_app\"",
        "revoke \"pg_read_all_data\" from \"shop_user_reader\"",
        "alter role \"shop_user_app\" nocreaterole",
        "alter role \"shop_user_app\" nocreatedb",
        "alter role \"shop_user_app\" login noinherit connection limit 40",
        "revoke all on database \"shop_order\" from \"shop_user_app\"",
        "revoke create, temporary on database \"shop_order\" from \"shop_order_app\"",
        "revoke all on database \"shop_order\" from public",
        "revoke all on schema public from shop_user_app",
        "revoke create on schema public from shop_order_app",
        "revoke all on table public.orders from shop_user_app",
        "revoke all on table public.order_history from shop_product_app",
        "revoke all on table public.orders from public",
        "revoke all on function pg_read_file(text) from shop_order_app",
        "set statement_timeout = '30s'",
        "alter role \"shop_order_app\" password '<verifier>'",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    assert_eq!(repaired.statements.len(), 16, "{text}");
    assert_eq!(shop.plan().await?.to_string(), "");
    shop.close().await
}

#[tokio::test]
async fn a_removed_service_keeps_its_data_and_is_told_of() -> Result {
    let mut shop = Shop::open(Placement::Database).await?;
    shop.furnish().await?;
    shop.system.services.retain(|s| s.name != "product");
    let plan = shop.apply().await?;
    assert!(plan.statements.is_empty(), "{plan}");
    let [Note::Left { what, .. }] = &plan.notes[..] else {
        return Err(format!("{:?}", plan.notes).into());
    };
    assert_eq!(what, "database shop_product");
    let product = shop.names("product");
    let admin = connect(&shop.clusters.of("user")?.admin(&product.database)).await?;
    let rows = admin.query("select from public.products", &[]).await?;
    assert_eq!(rows.len(), 2);
    shop.close().await
}

#[tokio::test]
async fn an_extension_that_leads_out_is_refused() -> Result {
    let shop = Shop::open(Placement::Database).await?;
    shop.furnish().await?;
    let order = shop.names("order");
    shop.admin(&order)
        .await?
        .batch_execute("create extension dblink")
        .await?;
    let Err(refused) = shop.apply().await else {
        return Err("dblink was taken".into());
    };
    assert!(refused.to_string().contains("drop extension dblink"), "{refused}");
    shop.close().await
}

#[tokio::test]
async fn an_administrator_without_superuser_provisions_a_foreign_server() -> Result {
    for placement in [Placement::Database, Placement::Schema] {
        let mut shop = Shop::open(placement).await?;
        let root = connect(&shop.clusters.of("user")?.admin("postgres")).await?;
        let password = Secret::generate()?;
        root.batch_execute(&format!(
            "create role manager login createdb createrole password '{}'",
            password.expose()
        ))
        .await?;
        let rule = |database: &str| freehold_ops::postgres::AccessRule {
            database: database.to_owned(),
            role: "manager".to_owned(),
        };
        let rules = ["postgres", "shop", "shop_user", "shop_product", "shop_order"].map(rule);
        shop.let_in(&rules).await?;
        let config = shop.clusters.of("user")?.login("manager", &password, "postgres");
        shop.clusters = Clusters::shared(Cluster::new("managed", Hold::Foreign, config));
        let done = shop.apply().await?;
        assert!(done.notes.iter().any(|n| matches!(n, Note::Open { .. })));
        // Verifiers cannot be seen, so passwords are set each time; nothing else.
        let again = shop.apply().await?;
        let only_passwords = again.statements.iter().all(|s| s.text.contains(" password "));
        assert!(only_passwords, "{again}");
        shop.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_administrator_without_power_is_told_what_it_lacks() -> Result {
    let shop = Shop::open(Placement::Database).await?;
    shop.furnish().await?;
    let password = shop.secrets["user"].password(Login::App)?;
    let config = shop.clusters.of("user")?.login("shop_user_app", password, "shop_user");
    let powerless = Clusters::shared(Cluster::new("managed", Hold::Foreign, config));
    let Err(refused) = provision::plan(&shop.system, &powerless, &shop.secrets).await else {
        return Err("an app role provisions".into());
    };
    assert!(
        refused.to_string().contains("lacks CREATEDB and CREATEROLE"),
        "{refused}"
    );
    shop.close().await
}
