//! Whole runs of the command on the bank.

use std::io::{BufRead, BufReader};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::bank::{Bank, Said};

/// Faults, work and seeds of the short and of the long version.
const SHORT: [&str; 6] = ["--faults", "10", "--work", "2000", "--seeds", "1"];
const LONG: [&str; 6] = ["--faults", "50", "--work", "5000", "--seeds", "3"];

#[test]
fn a_bank_under_every_kind_of_fault_loses_and_doubles_nothing() -> Result<()> {
    let bank = Bank::new()?;
    let long = std::env::var_os("FREEHOLD_PROVE").is_some();
    let seed = std::env::var("FREEHOLD_SEED").unwrap_or_else(|_| fastrand::u32(..).to_string());
    println!("crash: FREEHOLD_SEED={seed}");
    let words = if long { LONG } else { SHORT };
    let said = bank.verify(&[&words[..], &["--json", "--seed", &seed]].concat())?;
    let reports: Vec<Value> = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
    ensure!(
        said.stderr.starts_with(&format!("· seed {seed}:")),
        "the seed comes first: {}",
        said.stderr
    );
    ensure!(reports.len() == if long { 3 } else { 1 }, "a report for each seed");
    for report in &reports {
        ensure!(report["findings"] == Value::Array(Vec::new()), "{report:#}");
        ensure!(
            report["ledger"]["accepted"] == report["work"],
            "all work is done: {}",
            report["ledger"]
        );
        let faults = report["faults"].as_array().context("a list of faults")?;
        let missed = faults.iter().filter(|fault| !fault["missed"].is_null()).count();
        let planned = report["faults_planned"].as_u64().context("a number of faults")?;
        // A fast machine is done before the last of them are due.
        ensure!(
            (faults.len() - missed) as u64 * 10 >= planned * 7,
            "of {planned} faults {} were dealt, and {missed} missed: {faults:#?}",
            faults.len()
        );
        println!(
            "crash: seed {}, {} units of work in {} ms, {} faults ({missed} missed), quiet after {} ms",
            report["seed"],
            report["work"],
            report["work_ms"],
            faults.len(),
            report["quiet_ms"]
        );
    }
    ensure!(said.code == 0, "{}", said.stderr);
    ensure!(bank.scratches().left()?.is_empty(), "nothing stays behind");
    Ok(())
}

#[test]
fn a_violated_invariant_is_told_with_the_history_of_its_key_and_what_is_kept() -> Result<()> {
    let bank = Bank::new()?;
    bank.write(
        "invariants/booking/no_large_ones.sql",
        "select 'too large' as symptom, id as key, amount from bookings where amount > 0.58 order by amount limit 2",
    )?;
    let said = bank.verify(&["--seed", "3", "--faults", "1", "--work", "60"])?;
    ensure!(said.code == 1, "{said:?}");
    for told in [
        "TOO LARGE (no_large_ones, 2)",
        ": amount = 0.59\n",
        "History of ",
        " workload   sent\n",
        " booking    log ",
        "60 of 60 in ",
        "found   2 too large\n",
        "kept in ",
    ] {
        ensure!(said.stdout.contains(told), "it says {told:?}: {}", said.stdout);
    }
    let [kept] = &bank.scratches().left()?[..] else {
        anyhow::bail!("one folder is kept");
    };
    ensure!(said.stdout.contains(&kept.display().to_string()));
    for file in [
        "ledger.jsonl",
        "faults.jsonl",
        "logs/booking-1.log",
        "system/system.toml",
    ] {
        ensure!(kept.join(file).is_file(), "{file} is kept");
    }
    Ok(())
}

/// What each defect shows as, and how much it takes until it does.
#[cfg(feature = "plant")]
const PLANTED: [(&str, &str, bool, &[&str]); 3] = [
    (
        "no-version-gate",
        "disagree",
        false,
        &["--faults", "0", "--work", "200"],
    ),
    (
        "acknowledge-before-effect",
        "lost",
        true,
        &["--faults", "40", "--work", "3000"],
    ),
    (
        "cursor-outside-transaction",
        "doubled",
        true,
        &["--faults", "40", "--work", "3000"],
    ),
];

#[cfg(feature = "plant")]
#[test]
fn a_defect_planted_in_the_library_is_called_by_its_symptom() -> Result<()> {
    let prove = std::env::var_os("FREEHOLD_PROVE").is_some();
    for (plant, symptom, is_long, words) in PLANTED {
        if is_long && !prove {
            continue;
        }
        let bank = Bank::new()?;
        let said = bank.verify_planted(plant, &[words, &["--seed", "8", "--json"]].concat())?;
        let reports: Value = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
        let found = reports[0]["findings"].as_array().context("a list of findings")?;
        ensure!(said.code == 1, "{plant} is not found: {said:?}");
        ensure!(
            found.iter().any(|f| f["symptom"] == symptom),
            "{plant} is {symptom}: {found:#?}"
        );
        println!("crash: {plant}: {} findings, {symptom} among them", found.len());
    }
    Ok(())
}

#[test]
fn an_interrupt_ends_everything_and_leaves_nothing() -> Result<()> {
    let bank = Bank::new()?;
    let mut run = bank.begin(&["--faults", "8", "--work", "100000"])?;
    let stderr = BufReader::new(run.stderr.take().context("a pipe")?);
    let pid = Pid::from_raw(i32::try_from(run.id())?);
    let mut lines = Vec::new();
    for line in stderr.lines() {
        let line = line?;
        if line.contains("the work begins") {
            kill(pid, Signal::SIGINT)?;
        }
        lines.push(line);
    }
    let said = Said::from(run.wait_with_output()?);
    ensure!(said.code == 2, "{said:?} {lines:?}");
    ensure!(
        lines.iter().any(|line| line.contains("interrupted before it was done")),
        "{lines:?}"
    );
    ensure!(bank.scratches().left()?.is_empty(), "nothing stays behind");
    let running = std::process::Command::new("ps").args(["-A", "-o", "args="]).output()?;
    let running = String::from_utf8_lossy(&running.stdout).into_owned();
    let place = bank.scratches().path().display().to_string();
    ensure!(!running.contains(&place), "{running}");
    Ok(())
}

#[test]
fn what_cannot_be_run_says_why_before_anything_is_started() -> Result<()> {
    let refused = |bank: &Bank, why: &str| {
        let said = bank.verify(&["--work", "1"])?;
        ensure!(said.code == 2 && said.stderr.contains(why), "{why}: {said:?}");
        ensure!(bank.scratches().left()?.is_empty());
        Ok(())
    };
    let bank = Bank::new()?;
    bank.write("invariants/acount/no_debts.sql", "select 1")?;
    refused(&bank, "invariants/acount: bank has no service acount")?;

    let bank = Bank::new()?;
    let manifest = std::fs::read_to_string(bank.path().join("system.toml"))?;
    let (without, _) = manifest.split_once("[workload]").context("the bank has a workload")?;
    bank.write("system.toml", without)?;
    refused(&bank, "bank has no workload")?;
    bank.write("system.toml", &manifest.replace("\"bank\"  ", "\"bankk\" "))?;
    refused(
        &bank,
        "the program bankk of [workload] in system.toml is not in FREEHOLD_PROGRAMS",
    )
}
