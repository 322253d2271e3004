//! What a system stands on: its servers and secrets, and the way from manifest to a database that is ready.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use freehold::install::{Contract, Installation, Outcome};
use freehold_manifest::model::{Placement, Service, System};
use freehold_manifest::names::Names;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

use crate::folder::Folder;
use crate::migrate::{self, Target};
use crate::postgres::{AccessRule, Server};
use crate::provision::{self, Cluster, Clusters, Hold};
use crate::secrets::{self, Login, Secrets};

/// Servers, secrets and manifest of one system.
#[derive(Debug)]
pub struct Ground {
    /// The manifest.
    pub system: System,
    /// Private servers with the services each holds; none when `[postgres] url` names a foreign one.
    pub servers: Vec<(Server, Vec<String>)>,
    /// Which server holds which service.
    pub clusters: Clusters,
    /// Passwords and tokens by service.
    pub secrets: BTreeMap<String, Secrets>,
}

impl Ground {
    /// Opens the ground of a system without starting or changing a server; secrets are generated where missing.
    ///
    /// # Errors
    /// What [`Server::open`] and [`secrets::ensure`] say; a `url` that cannot be read.
    pub async fn open(folder: &Folder, system: &System) -> Result<Self> {
        let state = folder.state();
        let mut servers = Vec::new();
        let clusters = match (&system.postgres.url, system.postgres.placement) {
            (Some(url), Placement::Server) if !url.is_empty() => bail!(
                "placement \"server\" gives each service a private server of its own and takes no url: \
                 remove the url, or say placement = \"database\""
            ),
            (Some(url), _) => Clusters::shared(Cluster::new("[postgres] url", Hold::Foreign, foreign(url)?)),
            (None, Placement::Server) => {
                let mut each = Vec::new();
                for service in &system.services {
                    let server = Server::open(&state.join("postgres").join(&service.name)).await?;
                    let admin = server.admin_config("postgres");
                    let name = format!("private server of {}", service.name);
                    each.push((service.name.clone(), Cluster::new(name, Hold::Private, admin)));
                    servers.push((server, vec![service.name.clone()]));
                }
                Clusters::per_service(each)
            }
            (None, _) => {
                let server = Server::open(&state.join("postgres").join("shared")).await?;
                let admin = server.admin_config("postgres");
                let all = system.services.iter().map(|s| s.name.clone()).collect();
                servers.push((server, all));
                Clusters::shared(Cluster::new("private server", Hold::Private, admin))
            }
        };
        let secrets = secrets::ensure(system, &state)?;
        Ok(Self {
            system: system.clone(),
            servers,
            clusters,
            secrets,
        })
    }

    /// Starts the private servers, or adopts those that run.
    ///
    /// # Errors
    /// What [`Server::start`] says.
    pub async fn start(&mut self) -> Result<()> {
        let mut each = Vec::new();
        for (server, services) in &self.servers {
            server.start().await?;
            each.push((services.clone(), server.admin_config("postgres")));
        }
        // The port may be another one than before.
        if !each.is_empty() {
            self.clusters = match self.system.postgres.placement {
                Placement::Server => Clusters::per_service(each.into_iter().flat_map(|(services, admin)| {
                    services.into_iter().map(move |service| {
                        let name = format!("private server of {service}");
                        (service, Cluster::new(name, Hold::Private, admin.clone()))
                    })
                })),
                Placement::Database | Placement::Schema => {
                    let (_, admin) = each.swap_remove(0);
                    Clusters::shared(Cluster::new("private server", Hold::Private, admin))
                }
            };
        }
        Ok(())
    }

    /// Brings databases, roles and access rules to the manifest.
    ///
    /// # Errors
    /// What [`provision::apply`] says.
    pub async fn provision(&self) -> Result<provision::Plan> {
        let plan = provision::apply(&self.system, &self.clusters, &self.secrets).await?;
        self.let_in(&[]).await?;
        Ok(plan)
    }

    /// Sets who may enter the private servers: the services held, each its own database, and `more`.
    ///
    /// # Errors
    /// What [`Server::set_access`] says.
    pub async fn let_in(&self, more: &[AccessRule]) -> Result<()> {
        for (server, names) in &self.servers {
            let held: Vec<&Service> = self
                .system
                .services
                .iter()
                .filter(|s| names.contains(&s.name))
                .collect();
            let mut rules = provision::access_on(&self.system, &held);
            rules.extend_from_slice(more);
            server.set_access(&rules).await?;
        }
        Ok(())
    }

    /// How a service is migrated.
    ///
    /// # Errors
    /// When the service's server or its migrator's password is not known.
    pub fn target(&self, service: &Service) -> Result<Target> {
        let names = Names::of(&self.system, service);
        Ok(Target {
            service: service.name.clone(),
            config: self.login(service, Login::Migrator)?,
            owner: names.owner,
            schema: names.schema,
            freehold_schema: names.freehold,
        })
    }

    /// How a role of a service connects to the service's database.
    ///
    /// # Errors
    /// As [`Ground::target`].
    pub fn login(&self, service: &Service, login: Login) -> Result<Config> {
        let names = Names::of(&self.system, service);
        let secrets = self
            .secrets
            .get(&service.name)
            .with_context(|| format!("no secrets for service {}", service.name))?;
        let cluster = self.clusters.of(&service.name)?;
        Ok(cluster.login(login.role(&names), secrets.password(login)?, &names.database))
    }

    /// Installs in every service's database what the manifests say; returns the services that were changed.
    ///
    /// # Errors
    /// What [`Installation::apply`] says, for the first service that fails; others may be installed already.
    pub async fn install(&self) -> Result<Vec<String>> {
        let mut clients = Vec::new();
        let mut contracts: Vec<Contract> = Vec::new();
        for service in &self.system.services {
            let client = self.as_owner(service).await?;
            let names = Names::of(&self.system, service);
            contracts.extend(freehold::install::contract(&client, &names.schema, service).await?);
            clients.push((service, names, client));
        }
        let mut changed = Vec::new();
        for (service, names, client) in &clients {
            let installation = Installation {
                service,
                names,
                contracts: &contracts,
                auth: self.system.auth.as_ref(),
            };
            let outcome = installation
                .apply(client)
                .await
                .with_context(|| format!("cannot install service {}", service.name))?;
            if outcome == Outcome::Installed {
                changed.push(service.name.clone());
            }
        }
        Ok(changed)
    }

    /// A connection as the service's owner.
    async fn as_owner(&self, service: &Service) -> Result<Client> {
        let target = self.target(service)?;
        let (client, connection) = target
            .config
            .connect(NoTls)
            .await
            .with_context(|| format!("cannot connect to the database of {}", service.name))?;
        tokio::spawn(connection);
        let owner = freehold::pg::ident::quote(&target.owner);
        client
            .batch_execute(&format!("set statement_timeout = 0; set role {owner}"))
            .await?;
        Ok(client)
    }

    /// The environment of a service's process: its own database, its own tokens, nobody else's.
    ///
    /// # Errors
    /// As [`Ground::target`].
    pub fn environment(&self, service: &Service) -> Result<Vec<(String, String)>> {
        let names = Names::of(&self.system, service);
        let secrets = self
            .secrets
            .get(&service.name)
            .with_context(|| format!("no secrets for service {}", service.name))?;
        let feed = secrets.feed();
        let accepts: Vec<String> = feed
            .accepts
            .iter()
            .map(|(caller, token)| format!("{caller}={}", token.expose()))
            .collect();
        let peers: Vec<String> = feed
            .presents
            .iter()
            .filter_map(|(producer, token)| {
                let port = self.system.service(producer)?.port;
                Some(format!("{producer}={}@http://127.0.0.1:{port}", token.expose()))
            })
            .collect();
        let mut environment = vec![
            ("FREEHOLD_SYSTEM".to_owned(), self.system.name.clone()),
            (
                "FREEHOLD_DATABASE_URL".to_owned(),
                url_of(&self.login(service, Login::App)?),
            ),
            ("FREEHOLD_SCHEMA".to_owned(), names.schema),
            ("FREEHOLD_LIBRARY_SCHEMA".to_owned(), names.freehold),
            ("FREEHOLD_ACCEPTS".to_owned(), accepts.join(",")),
            ("FREEHOLD_PEERS".to_owned(), peers.join(",")),
            ("FREEHOLD_KEY".to_owned(), secrets.key()?.expose().to_owned()),
        ];
        environment.extend(self.auth());
        Ok(environment)
    }

    /// Whose tokens services ask for; nothing where they ask nobody.
    fn auth(&self) -> Vec<(String, String)> {
        let Some(auth) = &self.system.auth else {
            return Vec::new();
        };
        let Some(service) = self.system.service(&auth.service) else {
            return Vec::new();
        };
        let jwks = format!("http://127.0.0.1:{}/.well-known/jwks.json", service.port);
        vec![
            ("FREEHOLD_AUTH_SERVICE".to_owned(), auth.service.clone()),
            ("FREEHOLD_AUTH_ISSUER".to_owned(), auth.issuer.clone()),
            ("FREEHOLD_AUTH_AUDIENCE".to_owned(), self.system.name.clone()),
            ("FREEHOLD_AUTH_JWKS".to_owned(), jwks),
        ]
    }
}

/// Migrates one service to the latest version.
///
/// # Errors
/// What [`migrate::apply`] says.
pub async fn migrate_service(
    ground: &Ground,
    folder: &Folder,
    service: &Service,
    to: migrate::To,
    progress: &mut (dyn FnMut(migrate::Progress<'_>) + Send),
) -> Result<migrate::Report> {
    let files = migrate::plan(&folder.migrations(&service.name))?;
    let target = ground.target(service)?;
    Ok(migrate::apply(&target, &files, to, &migrate::Limits::default(), progress).await?)
}

/// The administrator's connection given by `[postgres] url`, its password by the environment.
fn foreign(url: &str) -> Result<Config> {
    let mut config: Config = url
        .parse()
        .ok()
        .context("[postgres] url is not a PostgreSQL URL, like postgres://admin@db.internal:5432")?;
    let password = ["FREEHOLD_POSTGRES_PASSWORD", "PGPASSWORD"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    if let Some(password) = password {
        config.password(password);
    }
    Ok(config)
}

/// A connection as a URL that PostgreSQL's own tools read too.
#[must_use]
pub fn url_of(config: &Config) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');
    let escape = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let mut url = String::from("postgresql://");
    url += &escape(config.get_user().unwrap_or_default());
    if let Some(password) = config.get_password() {
        url += ":";
        url += &escape(&String::from_utf8_lossy(password));
    }
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = escape(config.get_dbname().unwrap_or_default());
    match config.get_hosts().first() {
        Some(Host::Tcp(host)) => url += &format!("@{host}:{port}/{database}"),
        Some(Host::Unix(folder)) => {
            url += &format!("@/{database}?host={}&port={port}", escape(&folder.to_string_lossy()));
        }
        None => url += &format!("@localhost:{port}/{database}"),
    }
    url
}
