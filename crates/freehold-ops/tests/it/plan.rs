//! Migrations of five services, of which the third fails: planned, run, corrected, taken up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");
const SERVICES: [&str; 5] = ["one", "two", "three", "four", "five"];

/// A system of five services, each with a table; `two` keeps a copy of what `one` publishes.
struct Scene {
    temp: tempfile::TempDir,
}

/// The private server's data may stand elsewhere than in the folder.
impl Drop for Scene {
    fn drop(&mut self) {
        if self.system().join(".freehold").exists() {
            let _ = self.freehold(&["down", "--destroy", "--yes"]);
        }
    }
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Scene {
    fn new() -> Result<Self> {
        let scene = Self {
            temp: tempfile::tempdir()?,
        };
        // PostgreSQL may run as another user than we do.
        fs::set_permissions(scene.temp.path(), fs::Permissions::from_mode(0o755))?;
        let names: Vec<String> = SERVICES.iter().map(|name| format!("{name:?}")).collect();
        fs::create_dir_all(scene.system())?;
        let system = format!("system = \"five\"\nservices = [{}]\nport = 7500\n", names.join(", "));
        fs::write(scene.system().join("system.toml"), system)?;
        for name in SERVICES {
            let copies = match name {
                "two" => "[copies.things]\nof = \"one.one_things\"\ncolumns = [\"id\", \"name\"]\n",
                _ => "",
            };
            let manifest =
                format!("service = \"{name}\"\n[owns.{name}_things]\npublishes = [\"id\", \"name\"]\n{copies}");
            fs::create_dir_all(scene.system().join(name).join("migrations"))?;
            fs::write(scene.system().join(name).join("freehold.toml"), manifest)?;
            scene.migration(
                name,
                "0001_things.sql",
                &format!("create table {name}_things (id int primary key, name text not null);\n"),
            )?;
        }
        Ok(scene)
    }

    fn system(&self) -> PathBuf {
        self.temp.path().join("five")
    }

    fn migration(&self, service: &str, file: &str, sql: &str) -> Result {
        Ok(fs::write(
            self.system().join(service).join("migrations").join(file),
            sql,
        )?)
    }

    fn freehold(&self, arguments: &[&str]) -> Result<Said> {
        let output = Command::new(FREEHOLD).args(arguments).arg(self.system()).output()?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// What is pending, as `plan --json` tells: service and file.
    fn pending(&self) -> Result<Vec<String>> {
        let said = self.freehold(&["migrate", "plan", "--json"])?;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let told: Value = serde_json::from_str(&said.out)?;
        let files = told["pending"].as_array().ok_or("no array")?;
        let each = files.iter().map(|file| {
            let text = |key: &str| file[key].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", text("service"), text("file"))
        });
        Ok(each.collect())
    }
}

#[test]
fn a_run_that_failed_at_the_third_of_five_services_is_taken_up_there() -> Result {
    let scene = Scene::new()?;
    // Nothing was ever set up: everything is pending, and nothing is started to say so.
    assert_eq!(scene.pending()?.len(), 5);
    assert!(!scene.system().join(".freehold").exists());

    for name in SERVICES {
        scene.migration(
            name,
            "0002_notes.sql",
            &format!("alter table {name}_things add column note text;\n"),
        )?;
    }
    scene.migration(
        "three",
        "0003_wrong.sql",
        "alter table three_things add column twice txt;\n",
    )?;
    scene.migration(
        "four",
        "0003_more.sql",
        "alter table four_things add column more text;\n",
    )?;
    let said = scene.freehold(&["migrate"])?;
    assert_eq!(said.code, Some(1), "{}", said.err);
    for part in [
        "three: 0003_wrong.sql:1:43: type \"txt\" does not exist",
        "three stays at version 0002; nothing of 0003_wrong.sql stayed",
        "migrated to the end: one, two, four, five; not: three.",
        "run the same command again",
    ] {
        assert!(said.err.contains(part), "no {part:?} in {}", said.err);
    }
    assert_eq!(scene.pending()?, ["three/0003_wrong.sql"]);

    scene.migration(
        "three",
        "0003_wrong.sql",
        "alter table three_things add column twice text;\n",
    )?;
    let said = scene.freehold(&["migrate"])?;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.err.contains("three: 1 migration applied, now at version 3"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("four: at version 3, nothing to apply"),
        "{}",
        said.err
    );
    assert!(scene.pending()?.is_empty());
    Ok(())
}

#[test]
fn a_plan_tells_locks_work_and_hearers() -> Result {
    let scene = Scene::new()?;
    scene.migration(
        "one",
        "0002_more.sql",
        "alter table one_things alter column id type bigint;\ncreate index things_by_name on one_things (name);\n",
    )?;
    let said = scene.freehold(&["migrate", "plan", "--json"])?;
    let told: Value = serde_json::from_str(&said.out)?;
    let file = &told["pending"][1];
    assert_eq!(
        (&file["service"], &file["file"]),
        (&"one".into(), &"0002_more.sql".into())
    );
    let lock = |statement: usize| file["statements"][statement]["locks"][0].clone();
    assert_eq!(lock(0)["lock"], "ACCESS EXCLUSIVE");
    assert_eq!(
        (&lock(0)["rewrites"], &lock(0)["stops"]),
        (&true.into(), &"everybody".into())
    );
    assert_eq!(lock(0)["heard_by"], serde_json::json!(["two"]));
    assert_eq!(
        (&lock(1)["lock"], &lock(1)["work"]),
        (&"SHARE".into(), &"builds an index".into())
    );
    let said = scene.freehold(&["migrate", "plan"])?;
    assert!(
        said.out.contains("ACCESS EXCLUSIVE") && said.out.contains("rewrites the table"),
        "{}",
        said.out
    );
    assert!(
        said.err.contains("one/0002_more.sql:1, one/0002_more.sql:2"),
        "{}",
        said.err
    );
    Ok(())
}
