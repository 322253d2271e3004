//! `freehold docs`: the shop's are up to date, the same twice, and stale when something changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const FREEHOLD: &str = env!("CARGO_BIN_EXE_freehold");

fn systems() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systems")
}

fn docs(system: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(FREEHOLD)
        .arg("docs")
        .arg(system)
        .args(arguments)
        .output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_committed_documents_of_every_system_are_up_to_date() -> Result {
    let mut systems_found = 0;
    for entry in fs::read_dir(systems())? {
        let system = entry?.path();
        if system.join("system.toml").is_file() {
            systems_found += 1;
            let output = docs(&system, &["--check"])?;
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        }
    }
    assert!(systems_found > 0);
    Ok(())
}

#[test]
fn documents_are_the_same_twice_and_say_what_the_system_is() -> Result {
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let shop = systems().join("shop");
    for folder in [&first, &second] {
        let out = folder.path().to_string_lossy().into_owned();
        assert_eq!(docs(&shop, &["--out", &out])?.status.code(), Some(0));
    }
    for name in ["README.md", "events.md", "databases.svg", "events.svg", "flows.svg"] {
        let text = fs::read_to_string(first.path().join(name))?;
        assert_eq!(text, fs::read_to_string(second.path().join(name))?, "{name}");
        assert!(!text.contains("NaN") && text.ends_with('\n'), "{name}");
    }
    let matrix = fs::read_to_string(first.path().join("README.md"))?;
    for row in [
        "| `user.users` | mutable | `id`, `first_name`, `last_name` | **owns** |",
        "| `order.order_history` | append-only |  |  |  | **owns** |",
        "copies `id`, `name`, `price`",
    ] {
        assert!(matrix.contains(row), "no {row} in {matrix}");
    }
    let events = fs::read_to_string(first.path().join("events.md"))?;
    for row in [
        "| `first_name` | `text not null` |",
        "| `order.cancelled` | `order` | `order` uuid not null, `reason` text | `product`: handler |",
        "| `product.reserve_stock` | `product.commands` | `order` | `product` |",
    ] {
        assert!(events.contains(row), "no {row} in {events}");
    }
    Ok(())
}

#[test]
fn a_stale_document_is_named_with_the_command_that_mends_it() -> Result {
    let temp = tempfile::tempdir()?;
    let system = temp.path();
    fs::create_dir_all(system.join("shelf/migrations"))?;
    fs::write(system.join("system.toml"), "system = \"s\"\nservices = [\"shelf\"]\n")?;
    let manifest = "service = \"shelf\"\n[owns.books]\npublishes = [\"id\"]\n";
    fs::write(system.join("shelf/freehold.toml"), manifest)?;
    let migration = "create table books (id int primary key, title text);\n";
    fs::write(system.join("shelf/migrations/0001_books.sql"), migration)?;
    assert_eq!(docs(system, &["--check"])?.status.code(), Some(1));
    assert_eq!(docs(system, &[])?.status.code(), Some(0));
    assert_eq!(docs(system, &["--check"])?.status.code(), Some(0));
    fs::write(
        system.join("shelf/freehold.toml"),
        manifest.replace("[\"id\"]", "[\"id\", \"title\"]"),
    )?;
    let output = docs(system, &["--check"])?;
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    for part in [
        "docs/README.md",
        "docs/events.md",
        &format!("freehold docs {}", system.display()),
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(!said.contains("flows.svg"), "{said}");
    Ok(())
}
