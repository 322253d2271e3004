//! Every attack of every pair.

use super::attack::Target;
use super::error::Error;
use super::matrix::{Matrix, Trial};
use super::scene::{Neighbours, Scene, Server};
use super::territory::Territory;
use super::trial::{self, Hand, Means};
use super::{attacks, remainder};
use crate::provision::{Clusters, Hold};
use crate::secrets::Secrets;
use freehold_manifest::model::{Placement, System};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// Attackers at work at once: each holds a few connections, and the server has others to serve.
const ATTACKERS_AT_ONCE: usize = 4;

/// Attacks every service of a provisioned system with the credentials of every other, and tells what came of it.
///
/// Nothing lasts: transactions are rolled back, and the administrator undoes what cannot be. The one exception is
/// wanted: a session of ours that plays the victim may be terminated. Runs beside a working system.
///
/// # Errors
/// [`Error::LockedOut`] if a service cannot enter its own database, [`Error::Look`], [`Error::Provision`]. What an
/// attack does is never an error.
pub async fn verify(
    system: &System,
    clusters: &Clusters,
    secrets: &BTreeMap<String, Secrets>,
) -> Result<Matrix, Error> {
    let mut territories = Vec::with_capacity(system.services.len());
    for service in &system.services {
        territories.push(Territory::look(system, service, clusters, secrets).await?);
    }
    let means = Means { clusters, secrets };
    let rows = territories
        .iter()
        .map(|attacker| attack_all(means, system, attacker, &territories));
    let trials: Vec<Vec<Trial>> = stream::iter(rows).buffered(ATTACKERS_AT_ONCE).try_collect().await?;
    let mut not_excluded = remainder::of(system.postgres.placement);
    if clusters
        .each(&system.services)
        .any(|(cluster, _)| cluster.hold == Hold::Foreign)
    {
        not_excluded.push(remainder::FOREIGN_SERVER);
    }
    Ok(Matrix::new(
        &system.name,
        word(system.postgres.placement),
        system.services.iter().map(|s| s.name.clone()).collect(),
        trials.concat(),
        not_excluded,
    ))
}

/// One attacker against all, itself included.
async fn attack_all(
    means: Means<'_>,
    system: &System,
    attacker: &Territory,
    all: &[Territory],
) -> Result<Vec<Trial>, Error> {
    let hold = means.clusters.of(&attacker.service)?.hold;
    let mut hand = Hand::new(means);
    let mut trials = Vec::new();
    for victim in all {
        let scene = Scene {
            placement: system.postgres.placement,
            neighbours: if means.clusters.share(&attacker.service, &victim.service) {
                Neighbours::OneServer
            } else {
                Neighbours::TwoServers
            },
            server: match hold {
                Hold::Private => Server::Ours,
                Hold::Foreign => Server::Foreign,
            },
            attacker,
            victim,
        };
        let target = if attacker.service == victim.service {
            Target::Own
        } else {
            Target::Other
        };
        for attack in attacks::all().filter(|attack| attack.target == target) {
            trials.push(trial::run(&mut hand, attack, &scene).await?);
        }
    }
    Ok(trials)
}

/// The placement as the manifest calls it.
pub(super) fn word(placement: Placement) -> &'static str {
    match placement {
        Placement::Server => "server",
        Placement::Database => "database",
        Placement::Schema => "schema",
    }
}
