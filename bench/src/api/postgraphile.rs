//! PostGraphile, a GraphQL server for Node: the same requests over HTTP, from the same load generator.
//!
//! `scripts/bench` installs it; a run without it goes on without it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio_postgres::Client;
use tokio_postgres::config::{Config, Host};

use super::asked::{Asked, Keys, LIMIT, MAKERS, Script, Table};
use super::check;
use super::freehold::{in_turn, own};
use crate::http::{self, Requests};
use crate::stage::POOL;

pub(super) const NAME: &str = "PostGraphile";

/// The longest wait until it answers: it reads the catalog first.
const READY_MAX: Duration = Duration::from_secs(60);

/// Where it is installed.
pub(super) struct Installed {
    folder: PathBuf,
    node: PathBuf,
    version: String,
}

/// It runs.
pub(super) struct Peer {
    child: Child,
    pub(super) process: u32,
    pub(super) port: u16,
    pub(super) version: String,
}

impl Peer {
    /// Finds what `scripts/bench` installed; else says what is missing.
    pub(super) fn find() -> Result<Installed, String> {
        let folder = std::env::var_os("FREEHOLD_BENCH_PEERS").ok_or("scripts/bench installs it, where there is npm")?;
        let folder = PathBuf::from(folder);
        let package = folder.join("node_modules/postgraphile/package.json");
        let text = std::fs::read_to_string(&package).map_err(|error| format!("{}: {error}", package.display()))?;
        let package: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        // Its own Node, where there is one for this machine.
        let own = folder.join("node_modules/.bin/node");
        Ok(Installed {
            node: if own.is_file() { own } else { "node".into() },
            version: package["version"].as_str().unwrap_or_default().to_owned(),
            folder,
        })
    }

    pub(super) async fn stop(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Compares an answer with the rows that the statement by hand brings back. Returns the least length of bodies.
    pub(super) async fn check(&self, admin: &Client, asked: Asked, hand: &Script, requests: &Requests) -> Result<u64> {
        let Some(expected) = check::expected(admin, asked, hand).await? else {
            return Ok(0);
        };
        let expected: Vec<Value> = serde_json::from_str(&expected)?;
        let body = http::once(self.port, requests, check::FIRST).await?;
        let answer: Value = serde_json::from_slice(&body)?;
        let found = match asked {
            Asked::List => answer
                .pointer("/data/allQuietThings/nodes")
                .and_then(Value::as_array)
                .cloned(),
            _ => answer.pointer("/data/quietThingByRowId").map(|row| vec![row.clone()]),
        };
        let found = found.with_context(|| format!("no rows in {answer}"))?;
        let same = found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| is_same(a, b));
        ensure!(same, "{}: {answer}\nis not {expected:?}", asked.name());
        Ok(check::least(body.len()))
    }
}

/// Whether a row is the one that is expected; numbers of any size are texts in GraphQL.
fn is_same(row: &Value, expected: &Value) -> bool {
    let price = |of: &Value| of["price"].as_f64().or_else(|| of["price"].as_str()?.parse().ok());
    let maker = match expected.get("makers") {
        Some(maker) => row["makerByMakerId"]["name"] == maker["name"],
        None => row["description"] == expected["description"],
    };
    row["rowId"] == expected["id"] && row["name"] == expected["name"] && price(row) == price(expected) && maker
}

impl Installed {
    /// Starts it over the tables that `login` reaches, and waits until it answers.
    pub(super) async fn start(self, login: &Config) -> Result<Peer> {
        let port = free_port()?;
        let host = match login.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => bail!("the login names no host"),
        };
        let child = Command::new(absolute(&self.node)?)
            .arg("postgraphile.mjs")
            .current_dir(&self.folder)
            .env("NODE_ENV", "production")
            .env("GRAPHILE_ENV", "production")
            .env("PGHOST", host)
            .env("PGPORT", login.get_ports().first().copied().unwrap_or(5432).to_string())
            .env("PGUSER", login.get_user().unwrap_or_default())
            .env(
                "PGPASSWORD",
                String::from_utf8_lossy(login.get_password().unwrap_or_default()).as_ref(),
            )
            .env("PGDATABASE", login.get_dbname().unwrap_or_default())
            .env("PORT", port.to_string())
            .env("POOL", POOL.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.node.display()))?;
        let mut peer = Peer {
            process: child.id().context("it ended")?,
            child,
            port,
            version: self.version,
        };
        let hello = in_turn(vec![post("query{__typename}", &json!({}))]);
        let begun = Instant::now();
        while http::once(port, &hello, check::FIRST).await.is_err() {
            if let Some(status) = peer.child.try_wait()? {
                bail!("{NAME} ended: {status}");
            }
            ensure!(begun.elapsed() < READY_MAX, "{NAME} did not get ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(peer)
    }
}

/// A program named by a path is found from this folder, not from the one it will run in.
fn absolute(program: &Path) -> Result<PathBuf> {
    if program.components().count() == 1 {
        return Ok(program.to_owned());
    }
    Ok(std::path::absolute(program)?)
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}

/// The requests; a change has no guard here, for there is none.
pub(super) fn requests(asked: Asked, keys: &Keys) -> Requests {
    match asked {
        Asked::Key => {
            let query = "query($id:UUID!){quietThingByRowId(rowId:$id)\
                         {rowId makerId name description price stock sentAt version updatedAt}}";
            in_turn(keys.read.iter().map(|key| post(query, &json!({ "id": key }))).collect())
        }
        Asked::List => {
            let query = format!(
                "query($maker:BigInt!){{allQuietThings(condition:{{makerId:$maker}},orderBy:[ROW_ID_ASC],first:{LIMIT})\
                 {{nodes{{rowId name price makerByMakerId{{name}}}}}}}}"
            );
            in_turn(makers(|maker| post(&query, &json!({ "maker": maker.to_string() }))))
        }
        Asked::Patch => {
            let query = "mutation($id:UUID!){updateQuietThingByRowId(input:{rowId:$id,\
                         quietThingPatch:{price:\"13.37\",stock:4}}){quietThing{version}}}";
            let made: Vec<String> = keys.own.iter().map(|key| post(query, &json!({ "id": key }))).collect();
            Arc::new(move |turn, out| out.extend_from_slice(made[own(turn)].as_bytes()))
        }
        Asked::Post(table) => {
            let (create, row) = match table {
                Table::Private => ("createQuietThing", "quietThing"),
                Table::Published => ("createThing", "thing"),
            };
            let query = format!(
                "mutation($maker:BigInt!){{{create}(input:{{{row}:{{makerId:$maker,name:\"a thing\",price:\"12.50\",\
                 stock:3}}}}){{{row}{{rowId version}}}}}}"
            );
            in_turn(makers(|maker| post(&query, &json!({ "maker": maker.to_string() }))))
        }
    }
}

fn makers(request: impl Fn(usize) -> String) -> Vec<String> {
    (1..=MAKERS).map(request).collect()
}

fn post(query: &str, variables: &Value) -> String {
    let body = json!({ "query": query, "variables": variables }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAccept: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
