//! The embedded server, on private servers in temporary folders.

use freehold_ops::postgres::{AccessRule, Error, Lock, Search, Server, Stop};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio_postgres::{Client, Config, NoTls};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A state folder that PostgreSQL's user may pass. A test that fails leaves no server behind.
struct Folder {
    _temp: tempfile::TempDir,
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self> {
        let temp = tempfile::tempdir()?;
        set_mode(temp.path(), 0o755)?;
        let path = temp.path().join(".freehold");
        Ok(Self { _temp: temp, path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let note = fs::read_to_string(self.path.join("data/postmaster.pid")).unwrap_or_default();
        let lines: Vec<_> = note.lines().collect();
        if let [pid, _, _, _, sockets, ..] = lines[..] {
            let _ = kill_hard(pid);
            if sockets.starts_with("/tmp/freehold-") {
                let _ = fs::remove_dir_all(sockets);
            }
        }
    }
}

fn set_mode(path: &Path, mode: u32) -> Result {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn postmaster_pid(server: &Server) -> Result<String> {
    let text = fs::read_to_string(server.data_folder().join("postmaster.pid"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn kill_hard(pid: &str) -> Result {
    assert!(Command::new("kill").args(["-9", pid]).status()?.success());
    Ok(())
}

#[tokio::test]
async fn data_outlive_a_stop_a_killed_server_and_a_killed_caller() -> Result {
    let folder = Folder::new()?;
    let server = Server::open(&folder.path).await?;
    assert!(!server.is_alive());
    server.start().await?;
    let client = connect(&server.admin_config("postgres")).await?;
    client
        .batch_execute("create table kept (id int); insert into kept values (1)")
        .await?;
    drop(client);
    server.stop(Stop::Fast).await?;
    assert!(!server.is_alive());
    let endpoint = server.endpoint();
    server.start().await?;
    assert_eq!(server.endpoint(), endpoint, "the port is remembered");

    // A backend in a long computation does not notice that its postmaster is gone.
    let busy = connect(&server.admin_config("postgres")).await?;
    let busy = tokio::spawn(async move { busy.batch_execute("do $$ begin loop null; end loop; end $$").await });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    kill_hard(&postmaster_pid(&server)?)?;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!server.is_alive());
    server.start().await?;
    assert!(server.is_alive());
    assert!(busy.await?.is_err());

    // The caller dies, the server stays: whoever comes next adopts it.
    let pid = postmaster_pid(&server)?;
    drop(server);
    let server = Server::open(&folder.path).await?;
    assert!(server.is_alive());
    server.start().await?;
    assert_eq!(postmaster_pid(&server)?, pid);
    let client = connect(&server.admin_config("postgres")).await?;
    let kept: i64 = client.query_one("select count(*) from kept", &[]).await?.get(0);
    assert_eq!(kept, 1);
    for (setting, value) in [
        ("listen_addresses", "127.0.0.1"),
        ("shared_buffers", "64MB"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("fsync", "on"),
    ] {
        let shown: String = client.query_one(&format!("show {setting}"), &[]).await?.get(0);
        assert_eq!(shown, value, "{setting}");
    }
    drop(client);

    let (data, sockets) = (server.data_folder(), server.endpoint().socket_dir);
    server.destroy().await?;
    assert!(!data.exists() && !sockets.exists());
    assert_eq!(fs::read_dir(&folder.path)?.count(), 0, "nothing of it is left");
    Ok(())
}

#[tokio::test]
async fn a_left_over_pid_file_of_another_process_does_not_stop_the_start() -> Result {
    let folder = Folder::new()?;
    let server = Server::open(&folder.path).await?;
    // A half-made data folder of an initdb that died.
    fs::create_dir_all(folder.path.join("data.new/base"))?;
    server.start().await?;
    assert!(!folder.path.join("data.new").exists());
    server.stop(Stop::Immediate).await?;

    // The process id lives again, as a process of PostgreSQL's own user.
    let user = std::os::unix::fs::MetadataExt::uid(&fs::metadata(server.data_folder())?);
    let mut sleeper = std::os::unix::process::CommandExt::uid(Command::new("sleep").arg("60"), user).spawn()?;
    let note = server.data_folder().join("postmaster.pid");
    let text = format!(
        "{}\n{}\n1\n1\n/nowhere\n127.0.0.1\n1 1\nready\n",
        sleeper.id(),
        server.data_folder().display()
    );
    fs::write(&note, text)?;
    std::os::unix::fs::chown(&note, Some(user), None)?;
    // And the remembered port has been taken by somebody else.
    let taken = std::net::TcpListener::bind(("127.0.0.1", server.endpoint().port))?;
    assert!(!server.is_alive());
    server.start().await?;
    assert!(server.is_alive());
    assert_ne!(server.endpoint().port, taken.local_addr()?.port());
    sleeper.kill()?;
    sleeper.wait()?;
    server.destroy().await?;
    Ok(())
}

#[tokio::test]
async fn only_the_administrator_enters_until_a_rule_says_so() -> Result {
    let folder = Folder::new()?;
    let server = Server::open(&folder.path).await?;
    server.start().await?;
    let admin = connect(&server.admin_config("postgres")).await?;
    admin
        .batch_execute("create role shop_app login password 'secret'")
        .await?;
    admin.batch_execute("create database shop").await?;
    let endpoint = server.endpoint();
    let mut socket = Config::new();
    socket
        .host_path(&endpoint.socket_dir)
        .port(endpoint.port)
        .user("shop_app")
        .password("secret")
        .dbname("shop");
    let mut tcp = Config::new();
    tcp.host("127.0.0.1")
        .port(endpoint.port)
        .user("shop_app")
        .password("secret")
        .dbname("shop");
    assert!(connect(&socket).await.is_err());
    assert!(connect(&tcp).await.is_err());

    let rule = AccessRule {
        database: "shop".to_owned(),
        role: "shop_app".to_owned(),
    };
    server.set_access(std::slice::from_ref(&rule)).await?;
    connect(&socket).await?;
    connect(&tcp).await?;
    assert!(connect(tcp.clone().password("wrong")).await.is_err());
    assert!(connect(tcp.clone().dbname("postgres")).await.is_err());

    server.restart().await?;
    connect(&socket).await?;
    server.set_access(&[]).await?;
    assert!(connect(&socket).await.is_err());

    // Statements with a password, even failing ones, leave no trace in the log.
    let admin = connect(&server.admin_config("postgres")).await?;
    let failed = admin.batch_execute("alter role nobody_here password 'hunter2'").await;
    assert!(failed.is_err());
    for entry in fs::read_dir(server.log_folder())? {
        let text = fs::read_to_string(entry?.path())?;
        assert!(!text.contains("hunter2") && !text.contains("secret"), "{text}");
    }
    assert!(!format!("{server:?}").contains(&fs::read_to_string(folder.path.join("admin.password"))?));
    server.destroy().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_freehold_on_the_same_folder_is_told_the_first_ones_process() -> Result {
    let folder = Folder::new()?;
    let first = Lock::take(&folder.path)?;
    let Err(Error::AnotherUp { pid, .. }) = Lock::take(&folder.path) else {
        return Err("the second lock was granted".into());
    };
    assert_eq!(pid, std::process::id().to_string());
    drop(first);
    Lock::take(&folder.path)?;
    Ok(())
}

#[tokio::test]
async fn data_of_another_major_version_are_refused_with_a_way_out() -> Result {
    let folder = Folder::new()?;
    let data = folder.path.join("data");
    fs::create_dir_all(&data)?;
    let user = match nobody() {
        Some(user) => user,
        None => std::os::unix::fs::MetadataExt::uid(&fs::metadata(&data)?),
    };
    fs::write(data.join("PG_VERSION"), "99\n")?;
    std::os::unix::fs::chown(&data, Some(user), None)?;
    fs::write(folder.path.join("admin.password"), "x")?;
    let Err(refused) = Server::open(&folder.path).await else {
        return Err("data of version 99 were opened".into());
    };
    assert!(matches!(&refused, Error::OtherMajor { data_major, .. } if data_major == "99"));
    assert!(refused.to_string().contains("install PostgreSQL 99"), "{refused}");

    fs::remove_file(data.join("PG_VERSION"))?;
    fs::write(data.join("holiday.jpg"), "")?;
    let refused = Server::open(&folder.path).await;
    assert!(matches!(refused, Err(Error::NotData { .. })));
    Ok(())
}

#[tokio::test]
async fn without_programs_the_error_names_the_command_that_installs_them() -> Result {
    let folder = Folder::new()?;
    let nowhere = Search {
        demanded: None,
        folders: vec![folder.path.clone()],
    };
    let Err(none) = Server::open_among(&folder.path, &nowhere).await else {
        return Err("a server without programs".into());
    };
    assert!(matches!(none, Error::NoBinaries { .. }));
    assert!(none.to_string().contains("install them with"), "{none}");

    let demanded = Search {
        demanded: Some(folder.path.clone()),
        ..Search::of_machine()
    };
    let demanded = Server::open_among(&folder.path, &demanded).await;
    assert!(matches!(
        demanded,
        Err(Error::DemandedBinaries { program: "initdb", .. })
    ));

    let old = folder.path.join("old");
    fs::create_dir_all(&old)?;
    for program in ["initdb", "postgres", "pg_ctl"] {
        fs::write(old.join(program), "#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n")?;
        set_mode(&old.join(program), 0o755)?;
    }
    let old = Search {
        demanded: None,
        folders: vec![old],
    };
    let Err(old) = Server::open_among(&folder.path, &old).await else {
        return Err("a server of version 9.6".into());
    };
    assert!(old.to_string().contains("PostgreSQL 9.6.24, but 15"), "{old}");
    Ok(())
}

#[tokio::test]
async fn a_project_postgres_cannot_enter_keeps_its_data_elsewhere() -> Result {
    if nobody().is_none() {
        println!("skipped: only root hands PostgreSQL to another user");
        return Ok(());
    }
    let temp = tempfile::tempdir()?;
    set_mode(temp.path(), 0o700)?;
    let dir = temp.path().join(".freehold");
    let server = Server::open(&dir).await?;
    let data = server.data_folder();
    assert!(data.starts_with("/var/lib/freehold"), "{}", data.display());
    server.start().await?;
    drop(server);
    let server = Server::open(&dir).await?;
    assert_eq!(server.data_folder(), data);
    assert!(server.is_alive());
    let place = data.parent().map(Path::to_owned).unwrap_or_default();

    // A copy of the project gets a server of its own.
    let copy = temp.path().join("copy");
    fs::create_dir(&copy)?;
    fs::copy(dir.join("place"), copy.join("place"))?;
    let other = Server::open(&copy).await?;
    assert_ne!(other.data_folder(), data);
    other.destroy().await?;

    server.destroy().await?;
    assert!(!place.exists());
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_named_and_survived() -> Result {
    /// Takes the mount away, whatever the test's end.
    struct Mount(PathBuf);
    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    let folder = Folder::new()?;
    fs::create_dir(&folder.path)?;
    let mounted = nobody().is_some()
        && Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs"])
            .arg(&folder.path)
            .status()?
            .success();
    if !mounted {
        println!("skipped: only root can mount a small disk");
        return Ok(());
    }
    let mount = Mount(folder.path.clone());
    let server = Server::open(&folder.path).await?;
    let Err(full) = server.start().await else {
        return Err("a data folder fitted into 20 MB".into());
    };
    assert!(matches!(full, Error::DiskFull { .. }), "{full}");
    assert!(full.to_string().contains("no space left"), "{full}");

    let grown = Command::new("mount")
        .args(["-o", "remount,size=200m"])
        .arg(&mount.0)
        .status()?;
    assert!(grown.success());
    server.start().await?;
    server.stop(Stop::Immediate).await?;
    let hog = folder.path.join("hog");
    let filled = fs::write(&hog, vec![0; 200 << 20]);
    assert!(filled.is_err());
    let full = server.start().await;
    assert!(matches!(full, Err(Error::DiskFull { .. })), "{full:?}");
    fs::remove_file(&hog)?;
    server.start().await?;
    server.destroy().await?;
    Ok(())
}

/// The id of a user to hand PostgreSQL to, if we are root.
fn nobody() -> Option<u32> {
    nix::unistd::geteuid().is_root().then_some(65_534)
}
