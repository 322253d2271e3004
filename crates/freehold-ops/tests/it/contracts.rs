//! `freehold check --accept`: what it writes, and what it refuses to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");

/// A system of a speaker and one that keeps a copy.
struct Scene {
    temp: tempfile::TempDir,
}

impl Scene {
    fn new() -> Result<Self> {
        let scene = Self {
            temp: tempfile::tempdir()?,
        };
        scene.write(
            "system.toml",
            "system = \"two\"\nservices = [\"shelf\", \"reader\"]\nport = 7500\n",
        )?;
        scene.write(
            "shelf/freehold.toml",
            "service = \"shelf\"\n[owns.books]\npublishes = [\"id\", \"title\", \"pages\"]\n",
        )?;
        scene.write(
            "shelf/migrations/0001_books.sql",
            "create table books (id int primary key, title text not null, pages int);\n",
        )?;
        scene.write(
            "reader/freehold.toml",
            "service = \"reader\"\n[copies.books]\nof = \"shelf.books\"\ncolumns = [\"id\", \"title\"]\n",
        )?;
        Ok(scene)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.temp.path().join(file)
    }

    fn write(&self, file: &str, text: &str) -> Result {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        Ok(fs::write(path, text)?)
    }

    fn check(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(FREEHOLD);
        Ok(command.arg("check").arg(self.temp.path()).args(arguments).output()?)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_contract_is_written_once_and_only_for_who_promises() -> Result {
    let scene = Scene::new()?;
    let output = scene.check(&["--accept"])?;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let contract = fs::read_to_string(scene.path("shelf/contract.toml"))?;
    for line in [
        "migration = 1",
        "key = [\"id\"]",
        "title = \"text not null\"",
        "pages = \"integer\"",
    ] {
        assert!(contract.contains(line), "no {line} in {contract}");
    }
    assert!(!scene.path("reader/contract.toml").exists());
    let again = scene.check(&["--accept"])?;
    assert!(said(&again).contains("nothing to write"), "{}", said(&again));
    Ok(())
}

#[test]
fn what_a_consumer_needs_cannot_be_accepted_away_and_what_nobody_uses_can() -> Result {
    let scene = Scene::new()?;
    assert_eq!(scene.check(&["--accept"])?.status.code(), Some(0));
    let before = fs::read_to_string(scene.path("shelf/contract.toml"))?;
    let drop = |column: &str| {
        format!("-- freehold: allow ban-drop-column: the test\nalter table books drop column {column};\n")
    };
    scene.write("shelf/migrations/0002_drop.sql", &drop("title"))?;
    let output = scene.check(&["--accept"])?;
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "error[published-column-gone]: `shelf.books.title` is dropped, but is used by `reader` (copies)",
        "shelf/migrations/0002_drop.sql:2:19",
        "reader/freehold.toml:4",
    ] {
        assert!(said(&output).contains(part), "no {part} in {}", said(&output));
    }
    assert_eq!(fs::read_to_string(scene.path("shelf/contract.toml"))?, before);

    scene.write("shelf/migrations/0002_drop.sql", &drop("pages"))?;
    scene.write(
        "shelf/freehold.toml",
        "service = \"shelf\"\n[owns.books]\npublishes = [\"id\", \"title\"]\n",
    )?;
    let output = scene.check(&[])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("nobody in this system uses it"),
        "{}",
        said(&output)
    );
    assert_eq!(scene.check(&["--accept"])?.status.code(), Some(0));
    assert!(!fs::read_to_string(scene.path("shelf/contract.toml"))?.contains("pages"));
    Ok(())
}

#[test]
fn an_unsafe_migration_is_settled_before_it_is_accepted() -> Result {
    let scene = Scene::new()?;
    assert_eq!(scene.check(&["--accept"])?.status.code(), Some(0));
    let index = "create index books_by_title on books (title);\n";
    scene.write("shelf/migrations/0002_index.sql", index)?;
    assert_eq!(scene.check(&[])?.status.code(), Some(0));
    let denied = scene.check(&["--deny-warnings"])?;
    assert_eq!(denied.status.code(), Some(1), "{}", said(&denied));
    let refused = scene.check(&["--accept"])?;
    assert!(
        said(&refused).contains("shelf: its contract stays as it was"),
        "{}",
        said(&refused)
    );
    assert!(fs::read_to_string(scene.path("shelf/contract.toml"))?.contains("migration = 1"));
    let reason = format!("-- freehold: allow require-concurrent-index-creation: twelve books\n{index}");
    scene.write("shelf/migrations/0002_index.sql", &reason)?;
    assert_eq!(scene.check(&["--accept", "--deny-warnings"])?.status.code(), Some(0));
    assert!(fs::read_to_string(scene.path("shelf/contract.toml"))?.contains("migration = 2"));
    Ok(())
}
