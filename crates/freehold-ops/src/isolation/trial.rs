//! Carries out one attack.

use super::attack::{Actor, Attack, Attempt, Ground, KEPT_OUT, Probe, Proof, Transaction, UNKNOWN_THERE};
use super::error::Error;
use super::matrix::{Outcome, Trial};
use super::replication;
use super::scene::{Neighbours, Scene};
use super::territory::{Territory, password};
use crate::provision::{Clusters, connect, identifier, told};
use crate::secrets::{Login, Secrets};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

/// Above every timeout a role has: an attack that takes longer hangs.
const WAIT: Duration = Duration::from_secs(60);

/// What attacks are carried out with.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) clusters: &'a Clusters,
    pub(super) secrets: &'a BTreeMap<String, Secrets>,
}

/// One attacker at work. Connections that were let in are used again, one transaction after the other; being let in is
/// tried anew each time.
pub(super) struct Hand<'a> {
    means: Means<'a>,
    open: BTreeMap<(String, Login), Client>,
}

impl<'a> Hand<'a> {
    pub(super) fn new(means: Means<'a>) -> Self {
        Self {
            means,
            open: BTreeMap::new(),
        }
    }
}

/// What one statement or connection came to.
enum Seen {
    Through(String),
    Refused(String),
    Unclear(String),
}

/// Carries out the attack; an error means that it could not be tried, for a reason on our side.
pub(super) async fn run(hand: &mut Hand<'_>, attack: &Attack, scene: &Scene<'_>) -> Result<Trial, Error> {
    let login = login(attack.actor);
    let attempt = (attack.attempt)(scene);
    let tried = carry_out(hand, attack, scene, attempt);
    let outcome = match tokio::time::timeout(WAIT, tried).await {
        Ok(outcome) => outcome?,
        Err(_) => Outcome::Inconclusive {
            reason: format!("no answer in {} s", WAIT.as_secs()),
        },
    };
    Ok(Trial {
        attack: attack.name,
        about: attack.about,
        attacker: scene.attacker.service.clone(),
        role: login.role(&scene.attacker.names).to_owned(),
        victim: scene.victim.service.clone(),
        outcome,
    })
}

async fn carry_out(
    hand: &mut Hand<'_>,
    attack: &Attack,
    scene: &Scene<'_>,
    attempt: Attempt,
) -> Result<Outcome, Error> {
    let ground = scene.ground(attack.ground);
    let seen = match attempt {
        Attempt::Absent(reason) => {
            return Ok(Outcome::NotApplicable {
                reason: reason.to_owned(),
            });
        }
        Attempt::Connect(database) => {
            let config = config(hand.means, attack.actor, scene, ground, &database)?;
            vec![entered(attack, scene, connect(&config).await, &database)]
        }
        Attempt::Replicate(database) => {
            let config = config(hand.means, attack.actor, scene, ground, &database)?;
            vec![match replication::connect(&config).await {
                Ok(answer) => entered(attack, scene, answer, &database),
                Err(error) => Seen::Unclear(error.to_string()),
            }]
        }
        Attempt::Impersonate => {
            let victim = &scene.victim.names;
            let password = password(hand.means.secrets, &scene.attacker.service, login(attack.actor))?;
            let cluster = hand.means.clusters.of(&scene.victim.service)?;
            let config = cluster.login(&victim.app, password, &victim.database);
            vec![match connect(&config).await {
                Ok(_) => Seen::Through(format!("logged in as {}", victim.app)),
                Err(error) => judge_error(attack, "login", &error),
            }]
        }
        Attempt::Statements(probes) => statements(hand, attack, scene, ground, &probes).await?,
    };
    Ok(sum(seen))
}

/// How the attacker's role enters a database of the server that `ground` is on.
fn config(
    means: Means<'_>,
    actor: Actor,
    scene: &Scene<'_>,
    ground: &Territory,
    database: &str,
) -> Result<Config, Error> {
    let login = login(actor);
    let password = password(means.secrets, &scene.attacker.service, login)?;
    let cluster = means.clusters.of(&ground.service)?;
    Ok(cluster.login(login.role(&scene.attacker.names), password, database))
}

fn entered(attack: &Attack, scene: &Scene<'_>, answer: Result<Client, tokio_postgres::Error>, database: &str) -> Seen {
    match answer {
        Ok(_) => Seen::Through(format!("connected to database {database}")),
        Err(error) => kept_out(attack, scene, &error),
    }
}

/// Being kept out of a database that is not the attacker's own.
fn kept_out(attack: &Attack, scene: &Scene<'_>, error: &tokio_postgres::Error) -> Seen {
    let code = error.code().map_or("", |code| code.code());
    let unknown =
        attack.ground != Ground::Home && scene.neighbours == Neighbours::TwoServers && UNKNOWN_THERE.contains(&code);
    if KEPT_OUT.contains(&code) || unknown {
        Seen::Refused(code.to_owned())
    } else {
        Seen::Unclear(format!("cannot connect: {}", told(error)))
    }
}

async fn statements(
    hand: &mut Hand<'_>,
    attack: &Attack,
    scene: &Scene<'_>,
    ground: &Territory,
    probes: &[Probe],
) -> Result<Vec<Seen>, Error> {
    let means = hand.means;
    let config = config(means, attack.actor, scene, ground, &ground.names.database)?;
    // In one database or another, of one server or another: the victim's name says both.
    let key = (ground.service.clone(), login(attack.actor));
    let client = match hand.open.remove(&key).filter(|client| !client.is_closed()) {
        Some(client) => client,
        None => match connect(&config).await {
            Ok(client) => client,
            Err(error) if ground.service == scene.attacker.service => {
                let reason = format!("cannot enter its own database: {}", told(&error));
                return Ok(vec![Seen::Unclear(reason)]);
            }
            Err(error) => return Ok(vec![kept_out(attack, scene, &error)]),
        },
    };
    let mut seen = Vec::with_capacity(probes.len());
    for probe in probes {
        seen.push(match &probe.transaction {
            Transaction::RolledBack => rolled_back(&client, attack, scene, probe).await,
            Transaction::Outside { undo } => {
                let seen = outside(&client, attack, scene, probe).await;
                if matches!(seen, Seen::Through(_)) {
                    clean_up(means, ground, undo).await?;
                }
                seen
            }
        });
    }
    hand.open.insert(key, client);
    Ok(seen)
}

async fn rolled_back(client: &Client, attack: &Attack, scene: &Scene<'_>, probe: &Probe) -> Seen {
    // A reader's transactions are read only unless it says so, which is free to everyone.
    let mut begin = String::from("begin read write");
    if attack.actor == Actor::Owner {
        begin.push_str("; set local role ");
        begin.push_str(&identifier(&scene.attacker.names.owner));
    }
    if let Err(error) = client.batch_execute(&begin).await {
        return Seen::Unclear(format!("cannot begin: {}", told(&error)));
    }
    let seen = judge(attack, probe, client.simple_query(&probe.text).await);
    // If the connection is gone, so is the transaction.
    let _ = client.batch_execute("rollback").await;
    seen
}

async fn outside(client: &Client, attack: &Attack, scene: &Scene<'_>, probe: &Probe) -> Seen {
    if attack.actor == Actor::Owner {
        let become_owner = format!("set role {}", identifier(&scene.attacker.names.owner));
        if let Err(error) = client.batch_execute(&become_owner).await {
            return Seen::Unclear(format!("cannot become the owner: {}", told(&error)));
        }
    }
    let seen = judge(attack, probe, client.simple_query(&probe.text).await);
    // If the connection is gone, so is the role.
    let _ = client.batch_execute("reset role").await;
    seen
}

fn judge(attack: &Attack, probe: &Probe, answer: Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>) -> Seen {
    let messages = match answer {
        Ok(messages) => messages,
        Err(error) => return judge_error(attack, &probe.text, &error),
    };
    let through = || Seen::Through(probe.text.clone());
    let mut rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let mut counts: Vec<u64> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(count) => Some(*count),
            _ => None,
        })
        .collect();
    // The last one is that of the question whether anything guards the table.
    counts.pop();
    let changed = counts.iter().any(|count| *count > 0);
    match probe.proof {
        Proof::Runs => through(),
        Proof::Rows if rows.next().is_some() => through(),
        Proof::Rows => Seen::Refused("no-rows".to_owned()),
        Proof::Yes | Proof::Granted if rows.next().is_some_and(|row| row.get(0) == Some("t")) => through(),
        Proof::Granted => Seen::Refused("no-effect".to_owned()),
        Proof::Yes => Seen::Unclear(format!("{}: not refused, but it did nothing", probe.text)),
        Proof::Changes if changed || rows.next().is_some_and(|row| row.get(0) == Some("t")) => through(),
        Proof::Changes => Seen::Unclear(format!(
            "{}: not refused, but no row was there for the trigger to refuse",
            probe.text
        )),
    }
}

fn judge_error(attack: &Attack, tried: &str, error: &tokio_postgres::Error) -> Seen {
    let code = error.code().map_or("", |code| code.code());
    if attack.refusals.contains(&code) {
        Seen::Refused(code.to_owned())
    } else if attack.breaches.contains(&code) {
        Seen::Through(format!("{tried}: {}", told(error)))
    } else {
        Seen::Unclear(format!("{tried}: {}", told(error)))
    }
}

/// Undoes, as the administrator, what got through outside of a transaction.
async fn clean_up(means: Means<'_>, ground: &Territory, undo: &str) -> Result<(), Error> {
    let cluster = means.clusters.of(&ground.service)?;
    let failed = |source| Error::Plant {
        database: cluster.home().to_owned(),
        statement: undo.to_owned(),
        source,
    };
    let admin = connect(&cluster.admin(cluster.home())).await.map_err(failed)?;
    admin.batch_execute(undo).await.map_err(failed)
}

/// One way through is enough; one unclear answer leaves the whole unclear.
fn sum(seen: Vec<Seen>) -> Outcome {
    let mut codes = BTreeSet::new();
    let mut unclear = None;
    for one in seen {
        match one {
            Seen::Through(evidence) => return Outcome::Succeeded { evidence },
            Seen::Refused(code) => {
                codes.insert(code);
            }
            Seen::Unclear(reason) => unclear = unclear.or(Some(reason)),
        }
    }
    match unclear {
        Some(reason) => Outcome::Inconclusive { reason },
        None => Outcome::Refused {
            by: codes.into_iter().collect::<Vec<_>>().join(" "),
        },
    }
}

fn login(actor: Actor) -> Login {
    match actor {
        Actor::App => Login::App,
        Actor::Reader => Login::Reader,
        Actor::Migrator | Actor::Owner => Login::Migrator,
    }
}
