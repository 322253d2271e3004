//! The proxy before a real server: what is carried, and what a cut around a commit leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use freehold_ops::crash::balancer::Balancer;
use freehold_ops::crash::proxy::{Moment, Proxy};
use freehold_ops::postgres::Server;
use futures_util::{SinkExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, Config, NoTls};

/// The longest that anything here may take.
const SOON: Duration = Duration::from_secs(10);

/// Commits of each sort that are cut.
const CUTS: i32 = 12;

struct Behind {
    server: Server,
    proxy: Proxy,
    direct: Client,
    config: Config,
    _temp: tempfile::TempDir,
}

/// A private server with a table `t (n int primary key)`, and a proxy before it.
async fn behind() -> Result<Behind> {
    let temp = tempfile::tempdir()?;
    // PostgreSQL may run as another user than we do.
    std::fs::set_permissions(temp.path(), std::fs::Permissions::from_mode(0o755))?;
    let server = Server::open(&temp.path().join(".freehold")).await?;
    server.start().await?;
    let admin = server.admin_config("postgres");
    let direct = connect(&admin).await?;
    direct.batch_execute("create table t (n int primary key)").await?;
    let proxy = Proxy::start(Arc::new(AtomicU16::new(server.endpoint().port))).await?;
    let config = by_way_of(proxy.port(), &server)?;
    Ok(Behind {
        server,
        proxy,
        direct,
        config,
        _temp: temp,
    })
}

/// How the administrator connects to the server by way of a port of 127.0.0.1.
fn by_way_of(port: u16, server: &Server) -> Result<Config> {
    let admin = server.admin_config("postgres");
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).dbname("postgres");
    config.user(admin.get_user().context("a user")?);
    config.password(admin.get_password().context("a password")?);
    Ok(config)
}

impl Drop for Behind {
    /// No server is left behind, nor the folder of its socket.
    fn drop(&mut self) {
        let sockets = self.server.endpoint().socket_dir;
        let note = std::fs::read_to_string(self.server.data_folder().join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = note.lines().next().and_then(|line| line.parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        if sockets.starts_with("/tmp") {
            let _ = std::fs::remove_dir_all(sockets);
        }
    }
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Behind {
    async fn has(&self, n: i32) -> Result<bool> {
        let row = self
            .direct
            .query_one("select exists (select from t where n = $1)", &[&n])
            .await?;
        Ok(row.get(0))
    }

    /// Writes a row through the proxy, whose next commit is cut; returns whether the client was told that it is done.
    async fn written(&self, how: How, n: i32, moment: Moment) -> Result<bool> {
        let mut client = connect(&self.config).await?;
        let statement = client.prepare("insert into t values ($1)").await?;
        let write = async {
            match how {
                How::Simple => {
                    let text = format!("begin; insert into t values ({n})");
                    client.batch_execute(&text).await?;
                    client.batch_execute("  CoMMit").await
                }
                How::Prepared => {
                    let begun = client.transaction().await?;
                    begun.execute(&statement, &[&n]).await?;
                    begun.commit().await
                }
                How::Autocommit => client.execute(&statement, &[&n]).await.map(|_| ()),
            }
        };
        let (cut, told) = tokio::join!(self.proxy.cut_at_commit(moment, 0, SOON), write);
        ensure!(cut, "the proxy saw no commit of {n}");
        Ok(told.is_ok())
    }
}

#[derive(Clone, Copy)]
enum How {
    Simple,
    Prepared,
    Autocommit,
}

const HOWS: [How; 3] = [How::Simple, How::Prepared, How::Autocommit];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_leaves_its_client_in_doubt_and_its_row_whole() -> Result<()> {
    let behind = behind().await?;
    let mut carried_out = 0;
    for n in 0..CUTS {
        let how = HOWS[n as usize % HOWS.len()];
        let told = behind.written(how, n, Moment::Answered).await?;
        ensure!(!told, "row {n}: the client was told");
        ensure!(behind.has(n).await?, "row {n}: it was committed before the cut");

        let n = CUTS + n;
        let told = behind.written(how, n, Moment::Sent).await?;
        ensure!(!told, "row {n}: the client was told");
        // The server may still be at it: its lock on the row's key is waited for.
        let late = behind
            .direct
            .execute("insert into t values ($1) on conflict do nothing", &[&n])
            .await?;
        carried_out += i32::from(late == 0);
    }
    println!("of {CUTS} commits cut when they were sent, {carried_out} were carried out");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_commit_asked_for_is_cut_and_other_connections_go_on() -> Result<()> {
    let behind = behind().await?;
    let one = connect(&behind.config).await?;
    let other = connect(&behind.config).await?;
    let insert = one.prepare("insert into t values ($1)").await?;
    let writes = async {
        let mut told = Vec::new();
        for n in 0..4 {
            // Reads and failures are no commits.
            let _ = one.query_one("select count(*) from t", &[]).await;
            let _ = one.batch_execute("begin; insert into t values ('x'); commit").await;
            let _ = one.batch_execute("rollback").await;
            told.push(one.execute(&insert, &[&n]).await.is_ok());
        }
        told
    };
    let (cut, told) = tokio::join!(behind.proxy.cut_at_commit(Moment::Answered, 2, SOON), writes);
    ensure!(cut && told == [true, true, false, false], "{told:?}");
    ensure!(behind.has(2).await? && !behind.has(3).await?);
    other.execute("insert into t values (7)", &[]).await?;

    // Nothing commits, so nothing is cut, and what comes later is left alone.
    let cut = behind
        .proxy
        .cut_at_commit(Moment::Sent, 0, Duration::from_millis(100))
        .await;
    ensure!(!cut);
    other.execute("insert into t values (8)", &[]).await?;

    ensure!(behind.proxy.cut_all() == 1);
    ensure!(other.execute("select 1", &[]).await.is_err());
    connect(&behind.config).await?.execute("select 1", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_passes_as_it_is() -> Result<()> {
    let behind = behind().await?;
    let client = connect(&behind.config).await?;

    // Large rows in both directions, and a COPY in and out.
    let text = "å".repeat(3 << 20);
    let row = client.query_one("select $1::text, length($1)", &[&text]).await?;
    ensure!(row.get::<_, &str>(0) == text && row.get::<_, i32>(1) == 3 << 20);
    let rows: String = (0..50_000).map(|n| format!("{n}\n")).collect();
    let sink = client.copy_in("copy t from stdin").await?;
    let mut sink = std::pin::pin!(sink);
    sink.send(bytes::Bytes::from(rows.clone())).await?;
    ensure!(sink.finish().await? == 50_000);
    let out: Vec<bytes::Bytes> = client.copy_out("copy t to stdout").await?.try_collect().await?;
    ensure!(out.concat() == rows.as_bytes());
    // After a COPY requests and answers are still counted right.
    let delete = client.prepare("delete from t where n = $1").await?;
    let (cut, told) = tokio::join!(
        behind.proxy.cut_at_commit(Moment::Answered, 0, SOON),
        client.execute(&delete, &[&1])
    );
    ensure!(cut && told.is_err() && !behind.has(1).await?);

    // A request to cancel reaches the server, on a connection of its own.
    let client = connect(&behind.config).await?;
    let cancel = client.cancel_token();
    let (slept, _) = tokio::join!(client.batch_execute("select pg_sleep(60)"), async {
        while behind
            .direct
            .query_one("select from pg_stat_activity where query like 'select pg_sleep%'", &[])
            .await
            .is_err()
        {}
        cancel.cancel_query(NoTls).await
    });
    ensure!(slept.is_err_and(|error| error.code().is_some_and(|code| code.code() == "57014")));

    // Encryption is refused, for nothing could be seen through it.
    let mut raw = TcpStream::connect(("127.0.0.1", behind.proxy.port())).await?;
    for code in [80_877_103_u32, 80_877_104] {
        raw.write_all(&[8_u32.to_be_bytes(), code.to_be_bytes()].concat())
            .await?;
        ensure!(raw.read_u8().await? == b'N');
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_wire_holds_what_is_said_and_loses_nothing() -> Result<()> {
    const STALL: Duration = Duration::from_millis(400);
    let behind = behind().await?;
    let client = connect(&behind.config).await?;
    let begun = Instant::now();
    let ((), said) = tokio::join!(behind.proxy.stall(STALL), client.query_one("select 1", &[]));
    ensure!(said?.get::<_, i32>(0) == 1 && begun.elapsed() >= STALL);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_and_a_balancer_add_to_a_round_trip_is_printed() -> Result<()> {
    const ROUNDS: usize = 400;
    let behind = behind().await?;
    let server = behind.server.endpoint().port;
    let balancer = Balancer::start(TcpListener::bind(("127.0.0.1", 0)).await?, vec![server])?;
    let mut ways = Vec::new();
    for (way, port) in [
        ("direct", server),
        ("proxy", behind.proxy.port()),
        ("balancer", balancer.port()),
    ] {
        let client = connect(&by_way_of(port, &behind.server)?).await?;
        let statement = client.prepare("select 1").await?;
        ways.push((way, client, statement, Vec::new()));
    }
    // In turn, so that a busy machine is busy for all.
    for _ in 0..ROUNDS {
        for (_, client, statement, took) in &mut ways {
            let begun = Instant::now();
            client.query_one(&*statement, &[]).await?;
            took.push(begun.elapsed());
        }
    }
    for (way, _, _, took) in &mut ways {
        took.sort();
        println!("one statement, {way}: p50 {:?} of {ROUNDS}", took[ROUNDS / 2]);
    }
    Ok(())
}
