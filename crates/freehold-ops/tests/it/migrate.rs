//! The migration runner, against databases of one private server.

use freehold_ops::migrate::{self, Error, File, Kept, Limits, Mode, Progress, Report, State, Target, To, Version};
use freehold_ops::postgres::{AccessRule, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_postgres::{Client, Config, NoTls};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// More databases than there are tests.
const DATABASES: u32 = 40;

/// One server for all tests of this file; the last one out stops it.
struct Shared {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Shared {
    async fn get() -> Result<Arc<Self>> {
        static SHARED: tokio::sync::Mutex<Weak<Shared>> = tokio::sync::Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(shared) = shared.upgrade() {
            return Ok(shared);
        }
        let folder = tempfile::tempdir()?;
        let server = Server::open(&folder.path().join(".freehold")).await?;
        server.start().await?;
        let rules: Vec<_> = (0..DATABASES)
            .map(|n| AccessRule {
                database: format!("t{n}"),
                role: "migrator".to_owned(),
            })
            .collect();
        server.set_access(&rules).await?;
        connect(&server.admin_config("postgres"))
            .await?
            .batch_execute("create role owner nologin; create role migrator login password 'm' in role owner")
            .await?;
        let fresh = Arc::new(Self {
            server,
            _folder: folder,
        });
        *shared = Arc::downgrade(&fresh);
        Ok(fresh)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let note = self.server.data_folder().join("postmaster.pid");
        let note = fs::read_to_string(note).unwrap_or_default();
        let pid = note.lines().next().unwrap_or_default();
        let _ = std::process::Command::new("kill").args(["-QUIT", pid]).status();
        std::thread::sleep(Duration::from_millis(100));
        let sockets = self.server.endpoint().socket_dir;
        if sockets.starts_with("/tmp") && sockets != Path::new("/tmp") {
            let _ = fs::remove_dir_all(sockets);
        }
    }
}

/// A service with a database and a folder of migrations of its own.
pub(crate) struct Service {
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
    target: Target,
}

impl Service {
    pub(crate) async fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shared = Shared::get().await?;
        let database = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&shared.server.admin_config("postgres")).await?;
        admin
            .batch_execute(&format!("drop database if exists {database}"))
            .await?;
        admin
            .batch_execute(&format!("create database {database} owner owner"))
            .await?;
        let admin = connect(&shared.server.admin_config(&database)).await?;
        admin.batch_execute("alter schema public owner to owner").await?;
        let mut config = shared.server.admin_config(&database);
        config.user("migrator").password("m");
        Ok(Self {
            shared,
            folder: tempfile::tempdir()?,
            target: Target {
                service: "order".to_owned(),
                config,
                owner: "owner".to_owned(),
                schema: "public".to_owned(),
                freehold_schema: "freehold".to_owned(),
            },
        })
    }

    fn write(&self, name: &str, sql: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, sql)?;
        Ok(path)
    }

    fn files(&self) -> Result<Vec<File>, Error> {
        migrate::plan(self.folder.path())
    }

    async fn migrate(&self) -> Result<Report, Error> {
        self.migrate_to(To::Latest).await
    }

    async fn migrate_to(&self, to: To) -> Result<Report, Error> {
        migrate::apply(&self.target, &self.files()?, to, &Limits::default(), &mut |_| {}).await
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        let database = self.target.config.get_dbname().unwrap_or_default();
        connect(&self.shared.server.admin_config(database)).await
    }

    async fn text(&self, query: &str) -> Result<String> {
        let row = self.client().await?.query_one(query, &[]).await?;
        Ok(row.get(0))
    }
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The applied versions of a report.
fn versions(report: &Report) -> Vec<i32> {
    report.applied.iter().map(|a| a.version.0).collect()
}

fn refusal<T>(result: Result<T, Error>) -> Result<Error> {
    match result {
        Ok(_) => Err("it was not refused".into()),
        Err(e) => Ok(e),
    }
}

#[tokio::test]
async fn files_run_in_order_once_as_the_owner_in_the_schema() -> Result {
    let order = Service::new().await?;
    // Written out of order, with Windows line ends; a file that leaves settings behind does not disturb the next.
    order.write(
        "0010_items.sql",
        "insert into orders values (1);\r\ncreate table items (id int);\r\n",
    )?;
    order.write("0002_orders.sql", "create table orders (id int);\n")?;
    order.write("0009_settings.sql", "set search_path = '';\nset role none;\n")?;
    order.write("README.md", "not a migration")?;
    let status = migrate::status(&order.target, &order.files()?).await?;
    assert!(status.iter().all(|row| row.state == State::Pending));
    let preview = migrate::dry_run(&order.target, &order.files()?, To::Latest).await?;
    assert_eq!(
        preview.to_string().lines().next(),
        Some("-- order: 0002_orders.sql, in one transaction")
    );

    let only = order.migrate_to(To::Version(Version(2))).await?;
    assert_eq!((only.from, versions(&only)), (None, vec![2]));
    let rest = order.migrate().await?;
    assert_eq!((rest.from, versions(&rest)), (Some(Version(2)), vec![9, 10]));
    assert!(order.migrate().await?.applied.is_empty());
    let owners = order
        .text(
            "select string_agg(schemaname || '.' || tablename || ' ' || tableowner, ', ' order by tablename)
               from pg_tables
              where schemaname in ('public', 'freehold')",
        )
        .await?;
    assert_eq!(
        owners,
        "public.items owner, freehold.migration owner, public.orders owner"
    );

    let down = refusal(order.migrate_to(To::Version(Version(2))).await)?;
    assert!(
        down.to_string()
            .contains("down migrations do not exist; write a new one")
    );
    let unknown = refusal(order.migrate_to(To::Version(Version(11))).await)?;
    assert!(matches!(unknown, Error::NoVersion { .. }), "{unknown}");
    let next = migrate::create(order.folder.path(), "add_totals")?;
    assert!(next.ends_with("0011_add_totals.sql"));
    assert_eq!(versions(&order.migrate().await?), [11]);
    assert!(matches!(
        migrate::create(order.folder.path(), "Add totals"),
        Err(Error::Slug { suggestion, .. }) if suggestion == "add_totals"
    ));
    Ok(())
}

#[tokio::test]
async fn applied_files_must_stay_what_they_were_and_where_they_were() -> Result {
    let order = Service::new().await?;
    let first = order.write("0001_a.sql", "create table a ();\n")?;
    order.write("0003_c.sql", "create table c ();\n")?;
    order.migrate().await?;

    fs::write(&first, "create table a ();\r\n")?;
    order.migrate().await?;
    fs::write(&first, "create table b ();\n")?;
    let changed = refusal(order.migrate().await)?;
    assert!(
        matches!(&changed, Error::Changed { file, .. } if file == "0001_a.sql"),
        "{changed}"
    );
    fs::remove_file(&first)?;
    let missing = refusal(order.migrate().await)?;
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    let states: Vec<_> = migrate::status(&order.target, &order.files()?)
        .await?
        .into_iter()
        .map(|row| row.state)
        .collect();
    assert_eq!(states, [State::Missing, State::Applied]);

    fs::write(&first, "create table a ();\n")?;
    let late = order.write("0002_b.sql", "create table b ();\n")?;
    let late_error = refusal(order.migrate().await)?;
    assert!(
        late_error.to_string().contains("rename it to a number above 0003"),
        "{late_error}"
    );
    fs::rename(&late, order.folder.path().join("0003_b.sql"))?;
    assert!(matches!(order.files(), Err(Error::Duplicate { .. })));
    Ok(())
}

#[tokio::test]
async fn a_failing_file_shows_its_line_and_leaves_the_service_where_it_was() -> Result {
    let order = Service::new().await?;
    let other = Service::new().await?;
    other.write("0001_a.sql", "create table a (id int);")?;
    order.write("0001_a.sql", "create table a (id int primary key);\n")?;
    let second = order.write(
        "0002_b.sql",
        "-- größer\ncreate table b (id int);\ninsert into b values (1);\n\talter table bb add column c int;\n",
    )?;
    let Error::Failed(fault) = refusal(order.migrate().await)? else {
        return Err("not a failed statement".into());
    };
    assert_eq!(
        fault.to_string(),
        "order: 0002_b.sql:4:2: relation \"bb\" does not exist (42P01)\n  \
         4 | \talter table bb add column c int;\n    \
           | \t^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  \
         order stays at version 0001; nothing of 0002_b.sql stayed"
    );
    let tables = "select string_agg(tablename, ' ' order by tablename) from pg_tables where schemaname = 'public'";
    assert_eq!(order.text(tables).await?, "a");
    assert_eq!(versions(&other.migrate().await?), [1], "another service goes on");

    // A position PostgreSQL gives, in characters; a plain failure at run time; a failure inside a block; at commit.
    for (sql, at, width) in [
        ("select 'ä';\nselect nope from a;", Some((2, 8)), 4),
        ("select 1;\n\n  selec 2;", Some((3, 3)), 5),
        (
            "insert into a values (1);\ninsert into a values (1);\nselect 1;",
            Some((2, 1)),
            25,
        ),
        ("select 1;\ndo $$\nbegin\n  perform 1/0;\nend $$;", Some((2, 1)), 5),
        ("select ('", Some((1, 9)), 1),
        (
            "alter table a add column p int references a deferrable initially deferred;\ninsert into a values (1, 7);",
            None,
            0,
        ),
    ] {
        fs::write(&second, sql)?;
        let Error::Failed(fault) = refusal(order.migrate().await)? else {
            return Err("not a failed statement".into());
        };
        let spot = fault.spot.as_ref();
        assert_eq!(spot.map(|s| (s.line, s.column)), at, "{fault}");
        assert_eq!(spot.map_or(0, |s| s.width), width, "{fault}");
        assert_eq!(fault.kept, Kept::Nothing);
    }
    fs::write(&second, "create table b (id int);")?;
    assert_eq!(versions(&order.migrate().await?), [2]);
    Ok(())
}

#[tokio::test]
async fn a_file_may_run_without_a_transaction_and_says_what_stayed() -> Result {
    let order = Service::new().await?;
    order.write("0001_a.sql", "create table a (id int);\ninsert into a values (1), (1);")?;
    let path = order.write(
        "0002_index.sql",
        "-- freehold: no-transaction\ncreate index concurrently a_id on a (id);\n\ncreate unique index concurrently a_one on a (id);\n",
    )?;
    assert_eq!(order.files()?[1].mode, Mode::NoTransaction);
    let Error::Failed(fault) = refusal(order.migrate().await)? else {
        return Err("not a failed statement".into());
    };
    assert_eq!(fault.spot.as_ref().map(|s| (s.line, s.column)), Some((4, 1)));
    assert_eq!(
        fault.kept,
        Kept::Statements {
            ran: 1,
            invalid_indexes: vec!["public.a_one".to_owned()]
        }
    );
    assert!(
        fault.to_string().contains("drop index concurrently public.a_one;"),
        "{fault}"
    );
    assert_eq!(fault.stands_at, Some(Version(1)));

    order
        .client()
        .await?
        .batch_execute("drop index concurrently a_one")
        .await?;
    fs::write(
        &path,
        "-- freehold: no-transaction\ncreate index concurrently if not exists a_id on a (id);\nvacuum a",
    )?;
    assert_eq!(versions(&order.migrate().await?), [2]);
    Ok(())
}

#[tokio::test]
async fn two_runners_at_once_apply_each_file_once() -> Result {
    let order = Service::new().await?;
    order.write("0001_a.sql", "create table a (id int); select pg_sleep(0.2);")?;
    order.write(
        "0002_b.sql",
        "-- freehold: no-transaction\ncreate index concurrently a_id on a (id);",
    )?;
    order.write("0003_c.sql", "insert into a values (1);")?;
    let files = order.files()?;
    let runs = (0..3).map(|_| {
        let (target, files) = (order.target.clone(), files.clone());
        tokio::spawn(async move { migrate::apply(&target, &files, To::Latest, &Limits::default(), &mut |_| {}).await })
    });
    let mut applied = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        applied.extend(versions(&run.await??));
    }
    assert_eq!(applied, [1, 2, 3]);
    assert_eq!(order.text("select count(*)::text from a").await?, "1");

    // One that waits too long says for whom.
    let holder = order.client().await?;
    holder
        .batch_execute("select pg_advisory_lock(hashtextextended('freehold migrate public', 0))")
        .await?;
    let limits = Limits {
        runner_wait: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut waited = 0;
    let mut tell = |step: Progress<'_>| {
        waited += u32::from(matches!(step, Progress::Waiting { .. }));
    };
    let busy = migrate::apply(&order.target, &files, To::Latest, &limits, &mut tell).await;
    let busy = refusal(busy)?;
    assert!(
        matches!(&busy, Error::Busy { holder, .. } if holder.contains("(freehold)")),
        "{busy}"
    );
    assert_eq!(waited, 1);
    Ok(())
}

#[tokio::test]
async fn a_locked_table_is_tried_again_and_given_up_in_time() -> Result {
    let order = Service::new().await?;
    order.write("0001_a.sql", "create table a (id int);")?;
    order.migrate().await?;
    order.write(
        "0002_b.sql",
        "create table b (id int);\nalter table a add column b int;",
    )?;
    let files = order.files()?;
    let limits = Limits {
        lock_timeout: Duration::from_millis(100),
        lock_tries: 3,
        back_off: Duration::from_millis(50),
        ..Limits::default()
    };
    let blocker = order.client().await?;
    blocker.batch_execute("begin; select * from a").await?;
    let given_up = migrate::apply(&order.target, &files, To::Latest, &limits, &mut |_| {}).await;
    let given_up = refusal(given_up)?;
    let Error::Locked { fault, tries: 3 } = &given_up else {
        return Err(given_up.into());
    };
    assert_eq!(fault.spot.as_ref().map(|s| s.line), Some(2), "{given_up}");

    // The blocker ends while we are trying.
    let (retried, mut retries) = tokio::sync::mpsc::unbounded_channel();
    let limits = Limits {
        lock_tries: 50,
        ..limits
    };
    let unblock = async {
        retries.recv().await;
        blocker.batch_execute("commit").await
    };
    let mut tell = |step: Progress<'_>| {
        if matches!(step, Progress::Retrying { .. }) {
            let _ = retried.send(());
        }
    };
    let run = migrate::apply(&order.target, &files, To::Latest, &limits, &mut tell);
    let (report, unblocked) = tokio::join!(run, unblock);
    unblocked?;
    assert_eq!(versions(&report?), [2]);
    Ok(())
}

#[tokio::test]
async fn services_of_one_database_keep_apart_by_schema() -> Result {
    let order = Service::new().await?;
    order
        .client()
        .await?
        .batch_execute(
            "create schema shop_user authorization owner; create schema shop_user_freehold authorization owner",
        )
        .await?;
    let user = Target {
        service: "user".to_owned(),
        schema: "shop_user".to_owned(),
        freehold_schema: "shop_user_freehold".to_owned(),
        ..order.target.clone()
    };
    order.write("0001_a.sql", "create table a (id int);")?;
    order.migrate().await?;
    let report = migrate::apply(&user, &order.files()?, To::Latest, &Limits::default(), &mut |_| {}).await?;
    assert_eq!(versions(&report), [1]);
    let schemas = "select string_agg(schemaname, ' ' order by schemaname) from pg_tables where tablename = 'a'";
    assert_eq!(order.text(schemas).await?, "public shop_user");

    let nowhere = Target {
        schema: "nowhere".to_owned(),
        ..user
    };
    let nowhere = migrate::status(&nowhere, &[]).await;
    assert!(matches!(nowhere, Err(Error::NoSchema { .. })));
    Ok(())
}
