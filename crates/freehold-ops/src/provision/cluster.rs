//! Which server, under which administrator, holds which service.

use super::error::Error;
use crate::secrets::Secret;
use std::collections::BTreeMap;
use std::fmt;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Whose server it is: what else may be changed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Ours alone: databases that are not of the system are closed to everyone but the administrator.
    Private,
    /// Given by a url, perhaps shared with others: only the system's own databases and roles are touched.
    Foreign,
}

/// One PostgreSQL server and its administrator.
#[derive(Clone)]
pub struct Cluster {
    /// What messages call it.
    pub name: String,
    /// Whose it is.
    pub hold: Hold,
    admin: Config,
}

impl Cluster {
    /// A server of that name; `admin` is how its administrator connects. The database named there (`postgres`, if
    /// none is) is where roles and databases are made.
    #[must_use]
    pub fn new(name: impl Into<String>, hold: Hold, admin: Config) -> Self {
        Self {
            name: name.into(),
            hold,
            admin,
        }
    }

    /// The database where roles and databases are made.
    #[must_use]
    pub fn home(&self) -> &str {
        self.admin.get_dbname().unwrap_or("postgres")
    }

    /// How the administrator connects to `database`.
    #[must_use]
    pub fn admin(&self, database: &str) -> Config {
        let mut config = self.admin.clone();
        config.dbname(database);
        config
    }

    /// How `role` connects to `database` on the same way as the administrator.
    #[must_use]
    pub fn login(&self, role: &str, password: &Secret, database: &str) -> Config {
        let mut config = Config::new();
        for host in self.admin.get_hosts() {
            match host {
                Host::Tcp(host) => config.host(host),
                #[cfg(unix)]
                Host::Unix(folder) => config.host_path(folder),
            };
        }
        for address in self.admin.get_hostaddrs() {
            config.hostaddr(*address);
        }
        for port in self.admin.get_ports() {
            config.port(*port);
        }
        if let Some(wait) = self.admin.get_connect_timeout() {
            config.connect_timeout(*wait);
        }
        config
            .ssl_mode(self.admin.get_ssl_mode())
            .user(role)
            .password(password.expose())
            .dbname(database)
            .application_name("freehold");
        config
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

/// The servers of a system.
#[derive(Debug, Clone)]
pub struct Clusters {
    all: Vec<Cluster>,
    of_service: BTreeMap<String, usize>,
    shared: Option<usize>,
}

impl Clusters {
    /// One server for all services: placements `database` and `schema`.
    #[must_use]
    pub fn shared(cluster: Cluster) -> Self {
        Self {
            all: vec![cluster],
            of_service: BTreeMap::new(),
            shared: Some(0),
        }
    }

    /// A server for each service, by the service's name: placement `server`.
    #[must_use]
    pub fn per_service(clusters: impl IntoIterator<Item = (String, Cluster)>) -> Self {
        let (services, all): (Vec<_>, Vec<_>) = clusters.into_iter().unzip();
        Self {
            all,
            of_service: services.into_iter().zip(0..).collect(),
            shared: None,
        }
    }

    /// The server of a service.
    ///
    /// # Errors
    /// [`Error::NoCluster`] if none was given for it.
    pub fn of(&self, service: &str) -> Result<&Cluster, Error> {
        self.place(service)
            .and_then(|place| self.all.get(place))
            .ok_or_else(|| Error::NoCluster {
                service: service.to_owned(),
            })
    }

    /// Whether both services are on one server.
    #[must_use]
    pub fn share(&self, one: &str, other: &str) -> bool {
        self.place(one).is_some() && self.place(one) == self.place(other)
    }

    /// Every server, with those of the services it holds.
    pub fn each<'a>(
        &'a self,
        services: &'a [freehold_manifest::model::Service],
    ) -> impl Iterator<Item = (&'a Cluster, Vec<&'a freehold_manifest::model::Service>)> {
        self.all.iter().enumerate().map(move |(place, cluster)| {
            let held = services
                .iter()
                .filter(|service| self.place(&service.name) == Some(place));
            (cluster, held.collect())
        })
    }

    fn place(&self, service: &str) -> Option<usize> {
        self.of_service.get(service).copied().or(self.shared)
    }
}
