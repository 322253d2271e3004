//! What an idle service weighs, and how soon a built system answers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::stage::Stage;

/// Long enough for start-up's memory to be used or not.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) async fn measure(stage: &mut Stage) -> Result<()> {
    println!("Footprint");
    let (mut source, ready) = stage.serve("source").await?;
    let (mut sink, _) = stage.serve("sink").await?;
    tokio::time::sleep(IDLE).await;
    for (name, child) in [("source", &source), ("sink", &sink)] {
        let id = child.id().context("the service ended")?;
        println!(
            "{:<34} {:.1} MiB resident",
            format!("idle service {name}"),
            resident_mib(id)?
        );
    }
    println!("{:<34} {:.0} ms", "serve → ready", ready.as_secs_f64() * 1000.0);
    source.kill().await?;
    sink.kill().await?;

    for what in ["first start", "second start"] {
        let folder = stage.folder.with_file_name("again");
        if what == "first start" {
            copy_without_state(&stage.folder, &folder)?;
        }
        let begun = Instant::now();
        let status = Command::new(&stage.program)
            .arg("up")
            .arg(&folder)
            .args(["--", "true"])
            .env("FREEHOLD_LOG", "warn")
            .stderr(std::process::Stdio::null())
            .status()
            .await?;
        if !status.success() {
            bail!("up ended with {status}");
        }
        println!(
            "{:<34} {:.1} s (stop included)",
            format!("up, {what}, two services"),
            begun.elapsed().as_secs_f64()
        );
    }
    let folder = stage.folder.with_file_name("again");
    Command::new(&stage.program)
        .arg("down")
        .arg(&folder)
        .args(["--destroy", "--yes"])
        .stderr(std::process::Stdio::null())
        .status()
        .await?;
    Ok(())
}

fn resident_mib(id: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
        .context("no VmRSS")?;
    Ok(kib / 1024.0)
}

fn copy_without_state(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() == ".freehold" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_without_state(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
