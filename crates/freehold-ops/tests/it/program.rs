//! A service with behaviour is its program: found, told everything it needs, and started in place of `freehold serve`.
//!
//! No database is needed: the programs here are scripts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use freehold::Settings;
use freehold_manifest::model::{self, Mode, Placement};
use freehold_ops::ground::Ground;
use freehold_ops::provision::{Cluster, Clusters, Hold};
use freehold_ops::secrets;

use crate::shop::{self, Result};

const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");
/// A database that nobody opens: nothing listens on port 1.
const DATABASE: &str = "postgres://shop_order_app:secret@127.0.0.1:1/shop_order";
/// A program that tells what it was told: its process, its arguments, its environment.
const TELL: &str = "#!/bin/sh\necho pid=$$\necho arguments=$#\nenv\n";

/// The system of one service in a temporary folder, and a folder for its program beside it.
struct Scene {
    temp: tempfile::TempDir,
}

impl Scene {
    fn new(system: &str) -> Result<Self> {
        let scene = Self {
            temp: tempfile::tempdir()?,
        };
        let order = scene.system().join("order");
        fs::create_dir_all(order.join("migrations"))?;
        fs::create_dir(scene.programs())?;
        let system = format!("system = \"shop\"\nservices = [\"order\"]\nport = 7300\n{system}");
        fs::write(scene.system().join("system.toml"), system)?;
        fs::write(
            order.join("freehold.toml"),
            "service = \"order\"\nprogram = \"order-of-the-tests\"\nsagas = [\"place_order\"]\n",
        )?;
        Ok(scene)
    }

    fn system(&self) -> PathBuf {
        self.temp.path().join("shop")
    }

    fn programs(&self) -> PathBuf {
        self.temp.path().join("programs")
    }

    /// Writes the program.
    fn program(&self, text: &str, mode: u32) -> Result {
        let file = self.programs().join("order-of-the-tests");
        fs::write(&file, text)?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(mode))?)
    }

    /// `freehold serve` for the service, with nothing of ours in its environment but the database.
    fn serve(&self, freehold: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(freehold);
        command.arg("serve").arg(self.system()).arg("order");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FREEHOLD_") {
                command.env_remove(name);
            }
        }
        command
            .env("FREEHOLD_DATABASE_URL", DATABASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// What the program told, line by line.
fn told(output: &Output) -> BTreeMap<String, String> {
    assert!(output.status.success(), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn serve_becomes_the_program_and_tells_it_everything() -> Result {
    let scene = Scene::new("")?;
    scene.program(TELL, 0o755)?;
    let child = scene
        .serve(FREEHOLD)
        .env("FREEHOLD_PROGRAMS", scene.programs())
        .env("FREEHOLD_PEERS", "user=token@http://127.0.0.1:7301")
        .env("FREEHOLD_POOL", "7")
        .env("FREEHOLD_INSTANCE", "second")
        .env("SHOP_PAYMENT_URL", "http://127.0.0.1:7400")
        .env("FREEHOLD_ORDER_MIGRATOR_PASSWORD", "not for programs")
        .env("FREEHOLD_POSTGRES_PASSWORD", "not for programs")
        .env("FREEHOLD_USER_ACCEPTS_ORDER_TOKEN", "not for programs")
        .env("FREEHOLD_USER_DATABASE_URL", "not for programs")
        .env("PGPASSWORD", "not for programs")
        .spawn()?;
    let pid = child.id();
    let told = told(&child.wait_with_output()?);
    for (name, value) in [
        ("pid", pid.to_string().as_str()),
        ("arguments", "0"),
        ("FREEHOLD_DATABASE_URL", DATABASE),
        ("FREEHOLD_SYSTEM", "shop"),
        ("FREEHOLD_SCHEMA", "public"),
        ("FREEHOLD_LIBRARY_SCHEMA", "freehold"),
        ("FREEHOLD_LISTEN", "127.0.0.1:7301"),
        ("FREEHOLD_ACCEPTS", ""),
        ("FREEHOLD_PEERS", "user=token@http://127.0.0.1:7301"),
        ("FREEHOLD_POOL", "7"),
        ("FREEHOLD_INSTANCE", "second"),
        ("SHOP_PAYMENT_URL", "http://127.0.0.1:7400"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} in {told:?}");
    }
    assert!(!told.values().any(|value| value == "not for programs"), "{told:?}");
    Ok(())
}

#[test]
fn what_the_environment_says_wins_over_the_manifest() -> Result {
    let scene = Scene::new("[postgres]\nplacement = \"schema\"\n")?;
    scene.program(TELL, 0o755)?;
    let output = scene
        .serve(FREEHOLD)
        .env("FREEHOLD_PROGRAMS", scene.programs())
        .env("FREEHOLD_LISTEN", "0.0.0.0:80")
        .env("FREEHOLD_SCHEMA", "elsewhere")
        .output()?;
    let told = told(&output);
    assert_eq!(told["FREEHOLD_LISTEN"], "0.0.0.0:80");
    assert_eq!(told["FREEHOLD_SCHEMA"], "elsewhere");
    assert_eq!(told["FREEHOLD_LIBRARY_SCHEMA"], "shop_order_freehold");
    Ok(())
}

#[test]
fn wrong_settings_are_told_before_the_program_starts() -> Result {
    let scene = Scene::new("")?;
    scene.program(TELL, 0o755)?;
    let output = scene
        .serve(FREEHOLD)
        .env("FREEHOLD_PROGRAMS", scene.programs())
        .env("FREEHOLD_POOL", "many")
        .output()?;
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(said(&output).contains("FREEHOLD_POOL"), "{}", said(&output));
    Ok(())
}

#[test]
fn a_program_stands_beside_the_command_or_in_path() -> Result {
    let scene = Scene::new("")?;
    scene.program(TELL, 0o755)?;
    let path = std::env::var("PATH")?;
    let both = format!("{}:{path}", scene.programs().display());
    // In PATH alone.
    assert!(!told(&scene.serve(FREEHOLD).env("PATH", &both).output()?).is_empty());
    // Beside the link by which the command was started, and beside the one that was found in PATH.
    let link = scene.programs().join("freehold");
    symlink(FREEHOLD, &link)?;
    assert!(!told(&scene.serve(&link).output()?).is_empty());
    let other = scene.temp.path().join("other");
    fs::create_dir(&other)?;
    fs::write(other.join("order-of-the-tests"), "#!/bin/sh\nexit 3\n")?;
    fs::set_permissions(other.join("order-of-the-tests"), fs::Permissions::from_mode(0o755))?;
    let third = format!("{}:{both}", other.display());
    assert!(!told(&scene.serve("freehold").env("PATH", &third).output()?).is_empty());
    // The folder that is named comes first.
    let output = scene.serve(&link).env("FREEHOLD_PROGRAMS", &other).output()?;
    assert_eq!(output.status.code(), Some(3));
    Ok(())
}

#[test]
fn a_missing_program_is_told_with_the_folders_and_the_remedy() -> Result {
    let scene = Scene::new("")?;
    let serve = || {
        let mut command = scene.serve(FREEHOLD);
        command.env("FREEHOLD_PROGRAMS", scene.programs());
        command
    };
    let output = serve().output()?;
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    let beside = Path::new(FREEHOLD).parent().ok_or("no folder")?;
    for part in [
        "order-of-the-tests",
        "service order",
        &format!("{} (FREEHOLD_PROGRAMS)", scene.programs().display()),
        &format!("{} (beside freehold)", beside.display()),
        "(PATH)",
        "name its folder in FREEHOLD_PROGRAMS",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(!said.contains("cargo build"), "{said}");
    let cargo = scene.system().join("order/Cargo.toml");
    fs::write(&cargo, "")?;
    let said = self::said(&serve().output()?);
    let build = format!("cargo build --manifest-path {}", cargo.display());
    assert!(said.contains(&build), "{said}");
    Ok(())
}

#[test]
fn what_cannot_be_executed_is_told() -> Result {
    let scene = Scene::new("")?;
    for (text, mode, why) in [
        (TELL, 0o644, "is not executable"),
        ("not a program", 0o755, "it is not a program for this machine"),
        ("#!/no/such/interpreter\n", 0o755, "the interpreter or loader"),
    ] {
        scene.program(text, mode)?;
        let output = scene
            .serve(FREEHOLD)
            .env("FREEHOLD_PROGRAMS", scene.programs())
            .output()?;
        assert_eq!(output.status.code(), Some(2), "{text}");
        let said = said(&output);
        assert!(said.contains(why) && said.contains("order"), "{said}");
        let file = scene.programs().join("order-of-the-tests");
        assert!(said.contains(&file.display().to_string()), "{said}");
    }
    Ok(())
}

#[test]
fn up_misses_a_program_before_it_makes_databases() -> Result {
    // A server that does not answer would be the first thing to be told of, were it asked.
    let scene = Scene::new("[postgres]\nurl = \"postgres://admin@127.0.0.1:1/postgres\"\n")?;
    let output = Command::new(FREEHOLD).arg("up").arg(scene.system()).output()?;
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert!(
        said.contains("cannot find order-of-the-tests, the program of service order"),
        "{said}"
    );
    Ok(())
}

#[test]
fn services_that_exchange_commands_only_are_told_of_each_other() -> Result {
    let command = "product.reserve_stock".to_owned();
    let mut system = shop::system(Placement::Database);
    let mut product = shop::service("product", &[("products", Mode::ReadWrite)], &[]);
    product.commands.push(model::Command {
        name: command.clone(),
        from: vec!["order".to_owned()],
    });
    let mut order = shop::service("order", &[("orders", Mode::ReadWrite)], &[]);
    order.sends.push(command);
    system.services = vec![product, order];
    let folder = tempfile::tempdir()?;
    let ground = Ground {
        servers: Vec::new(),
        clusters: Clusters::shared(Cluster::new("nowhere", Hold::Foreign, DATABASE.parse()?)),
        secrets: secrets::ensure(&system, folder.path())?,
        system,
    };
    let settings = |service: &str| -> Result<Settings> {
        let service = ground.system.service(service).ok_or("no such service")?;
        let known: BTreeMap<String, String> = ground.environment(service)?.into_iter().collect();
        Ok(Settings::read(|name| known.get(name).cloned())?)
    };
    let (product, order) = (settings("product")?, settings("order")?);
    for (here, there, name) in [(&product, &order, "order"), (&order, &product, "product")] {
        let peers: Vec<&str> = here.peers.keys().map(String::as_str).collect();
        assert_eq!(peers, [name]);
        let token = &here.peers[name].token;
        assert!(there.accepts.iter().any(|(_, accepted)| accepted == token), "{name}");
    }
    Ok(())
}
