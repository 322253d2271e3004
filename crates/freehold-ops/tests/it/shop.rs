//! A small shop on private servers: three services, a few tables made by hand, stand-ins for the library's.

use freehold_manifest::model::{
    Copy, History, Mode, Placement, Postgres, Service, System, Table, TableName, Transport, Unguarded,
};
use freehold_manifest::names::Names;
use freehold_ops::postgres::{AccessRule, Server};
use freehold_ops::provision::{self, Cluster, Clusters, Hold, Plan};
use freehold_ops::secrets::{self, Secrets};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The shop and its servers. [`Shop::close`] it at the end; a test that fails leaves no server behind either.
pub(crate) struct Shop {
    pub(crate) system: System,
    pub(crate) clusters: Clusters,
    pub(crate) secrets: BTreeMap<String, Secrets>,
    /// Of each server, with the services it holds.
    servers: Vec<(Server, Vec<String>)>,
    _folder: tempfile::TempDir,
}

impl Shop {
    /// Starts the servers; provisions nothing.
    pub(crate) async fn open(placement: Placement) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let system = system(placement);
        let all = || system.services.iter().map(|s| s.name.clone());
        let mut servers = Vec::new();
        if placement == Placement::Server {
            for service in all() {
                let server = start(&folder.path().join(&service)).await?;
                servers.push((server, vec![service]));
            }
        } else {
            let server = start(&folder.path().join("all")).await?;
            servers.push((server, all().collect()));
        }
        let cluster = |(server, services): &(Server, Vec<String>)| {
            let name = format!("server of {}", services.join(", "));
            Cluster::new(name, Hold::Private, server.admin_config("postgres"))
        };
        let clusters = match placement {
            Placement::Server => Clusters::per_service(servers.iter().map(|held| (held.1.concat(), cluster(held)))),
            Placement::Database | Placement::Schema => Clusters::shared(cluster(&servers[0])),
        };
        let secrets = secrets::ensure(&system, folder.path())?;
        Ok(Self {
            system,
            clusters,
            secrets,
            servers,
            _folder: folder,
        })
    }

    /// Provisions, lets the services in and runs their migrations.
    pub(crate) async fn furnish(&self) -> Result {
        provision::apply(&self.system, &self.clusters, &self.secrets).await?;
        self.let_in(&[]).await?;
        for service in &self.system.services {
            let names = Names::of(&self.system, service);
            self.admin(&names)
                .await?
                .batch_execute(&migration(service, &names))
                .await?;
        }
        Ok(())
    }

    /// Writes the rules of all servers, with some more.
    pub(crate) async fn let_in(&self, more: &[AccessRule]) -> Result {
        for (server, held) in &self.servers {
            let services: Vec<_> = held.iter().filter_map(|s| self.system.service(s)).collect();
            let mut rules = provision::access_on(&self.system, &services);
            rules.extend_from_slice(more);
            server.set_access(&rules).await?;
        }
        Ok(())
    }

    pub(crate) async fn plan(&self) -> Result<Plan> {
        Ok(provision::plan(&self.system, &self.clusters, &self.secrets).await?)
    }

    pub(crate) async fn apply(&self) -> Result<Plan> {
        Ok(provision::apply(&self.system, &self.clusters, &self.secrets).await?)
    }

    pub(crate) fn names(&self, service: &str) -> Names {
        Names::new(&self.system.name, service, self.system.postgres.placement)
    }

    pub(crate) fn service(&self, name: &str) -> Result<&Service> {
        Ok(self.system.service(name).ok_or("no such service")?)
    }

    /// The administrator in a service's database.
    pub(crate) async fn admin(&self, names: &Names) -> Result<Client> {
        let service = names.prefix.strip_prefix("shop_").ok_or("another system")?;
        connect(&self.clusters.of(service)?.admin(&names.database)).await
    }

    /// Stops the servers and removes what they made.
    pub(crate) async fn close(mut self) -> Result {
        for (server, _) in std::mem::take(&mut self.servers) {
            server.destroy().await?;
        }
        Ok(())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for (server, _) in &self.servers {
            let note = server.data_folder().join("postmaster.pid");
            let note = fs::read_to_string(note).unwrap_or_default();
            if let Some(pid) = note.lines().next() {
                let _ = Command::new("kill").args(["-QUIT", pid]).status();
            }
            let _ = fs::remove_dir_all(server.endpoint().socket_dir);
        }
    }
}

async fn start(folder: &Path) -> Result<Server> {
    let server = Server::open(folder).await?;
    server.start().await?;
    Ok(server)
}

pub(crate) async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The three services: users, products with an append-only ledger, orders with a history and copies of the others.
pub(crate) fn system(placement: Placement) -> System {
    System {
        name: "shop".to_owned(),
        summary: "A shop for tests.".to_owned(),
        services: vec![
            service("user", &[("users", Mode::ReadWrite)], &[]),
            service(
                "product",
                &[("products", Mode::ReadWrite), ("stock_moves", Mode::AppendOnly)],
                &[],
            ),
            service(
                "order",
                &[("orders", Mode::ReadWrite), ("order_history", Mode::AppendOnly)],
                &[("user", "users"), ("product", "products")],
            ),
        ],
        port: 7100,
        postgres: Postgres { placement, url: None },
        transport: Transport::Feed,
        workload: None,
        auth: None,
    }
}

pub(crate) fn service(name: &str, owns: &[(&str, Mode)], copies: &[(&str, &str)]) -> Service {
    Service {
        name: name.to_owned(),
        summary: "A service.".to_owned(),
        port: 7101,
        publishes: Vec::new(),
        subscribes: Vec::new(),
        sagas: Vec::new(),
        program: None,
        sends: Vec::new(),
        views: Vec::new(),
        functions: Vec::new(),
        streams: Vec::new(),
        projections: Vec::new(),
        api: freehold_manifest::model::Api::default(),
        commands: Vec::new(),
        owns: owns
            .iter()
            .map(|(table, mode)| Table {
                name: (*table).to_owned(),
                summary: "Rows.".to_owned(),
                mode: *mode,
                within: None,
                refs: Vec::new(),
                cached: Vec::new(),
                publishes: Vec::new(),
                hidden: Vec::new(),
                unguarded: Unguarded::Allowed,
                served: freehold_manifest::model::ServedTo::SignedIn,
                history: History::None,
            })
            .collect(),
        copies: copies
            .iter()
            .map(|(owner, table)| Copy {
                name: (*table).to_owned(),
                of: TableName {
                    service: (*owner).to_owned(),
                    table: (*table).to_owned(),
                },
                columns: vec!["id".to_owned()],
            })
            .collect(),
    }
}

/// Tables, library stand-ins and grants, as they will stand after an installation.
fn migration(service: &Service, names: &Names) -> String {
    let Names {
        schema,
        freehold,
        owner,
        app,
        reader,
        ..
    } = names;
    let mut sql = format!(
        "set role {owner};
         create table {freehold}.outbox (id bigint generated always as identity primary key, payload json);
         create table {freehold}.log (position bigint primary key, hash bytea) partition by range (position);
         create table {freehold}.log_000000001 partition of {freehold}.log for values from (1) to (1000);
         create table {freehold}.cursor (producer text primary key, position bigint);
         create table {freehold}.key_version (key text primary key, version bigint);
         insert into {freehold}.log values (1, 'x');
         grant select on all tables in schema {freehold} to {app}, {reader};
         create function {freehold}.emit(type text, key text, payload json) returns bigint
           language sql security definer set search_path = pg_catalog, pg_temp
           begin atomic
             insert into {freehold}.outbox (payload) values (payload) returning id;
           end;
         grant execute on function {freehold}.emit(text, text, json) to {app};
         create function {freehold}.refuse_change() returns trigger language plpgsql
           set search_path = pg_catalog, pg_temp as $$
           begin
             raise exception using errcode = 'FH002', message = 'append-only';
           end $$;
        "
    );
    let copies = service.copies.iter().map(|c| (&c.name, "select"));
    let owned = service.owns.iter().map(|t| {
        let rights = match t.mode {
            Mode::ReadWrite | Mode::Projection => "select, insert, update, delete",
            Mode::AppendOnly => "select, insert",
        };
        (&t.name, rights)
    });
    for (table, rights) in owned.chain(copies) {
        sql.push_str(&format!(
            "create table {schema}.{table} (id bigint generated always as identity primary key, note text);
             insert into {schema}.{table} (note) values ('secret of {schema}'), ('secret of {schema}');
             grant {rights} on {schema}.{table} to {app};
             grant select on {schema}.{table} to {reader};
            "
        ));
    }
    for table in service.owns.iter().filter(|t| t.mode == Mode::AppendOnly) {
        let name = &table.name;
        sql.push_str(&format!(
            "create trigger keep before update or delete on {schema}.{name}
               for each row execute function {freehold}.refuse_change();
             alter table {schema}.{name} enable always trigger keep;
             create trigger keep_all before truncate on {schema}.{name}
               for each statement execute function {freehold}.refuse_change();
            "
        ));
    }
    sql.push_str("reset role; analyze;");
    sql
}
