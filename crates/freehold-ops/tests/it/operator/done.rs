//! What the verbs do while the services run, and while they do not.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Market, Sql};

async fn say(buyer: &Sql, id: &str, numbers: &str) -> Result<()> {
    buyer
        .run(&format!(
            "select freehold.emit('buyer.bought', '{id}', json_build_object('id', '{id}', 'number', n)) from unnest('{{{numbers}}}'::int[]) n"
        ))
        .await
}

const NOTHING_PARKED: &str = "select not exists (select from freehold.parked_key)";

/// As if the last attempt had failed: no test waits for all of them.
const PARK: &str = "update freehold.parked_key set state = 'parked', attempts = 6";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_key_is_redriven_or_its_message_skipped() -> Result<()> {
    let market = Market::open("database").await?;
    let (buyer, store) = (market.sql("buyer").await?, market.sql("store").await?);
    store.run("insert into broken values ('a'), ('b')").await?;
    let running = (market.run_buyer()?, market.run_store()?);
    for (id, numbers) in [("a", "1,2"), ("b", "1"), ("c", "1,13,3,13,5")] {
        say(&buyer, id, numbers).await?;
    }
    store.until("select count(*) = 7 from freehold.parked").await?;
    store.run(PARK).await?;
    let of =
        |verb: &'static str, key: &'static str| ["events", verb, "@", "store", "--topic", "buyer.bought", "--key", key];

    // The cause is still there: it fails again.
    let (code, redriven) = market.json(&[&of("redrive", "a")[..], &["--json"]].concat()).await?;
    ensure!(code == 1 && redriven[0]["outcome"] == "failed-again", "{redriven}");
    ensure!(redriven[0]["failure"] == "the till does not take 1", "{redriven}");

    // The cause is gone. The service must not find that out by itself first.
    store.run(PARK).await?;
    store.run("delete from broken").await?;
    let said = market.freehold(&of("redrive", "a")).await?;
    ensure!(said.code == 0, "{said:?}");
    ensure!(
        said.stderr
            .contains("store: a of buyer.bought is handled, and flows again"),
        "{said:?}"
    );
    ensure!(
        store
            .text("select string_agg(number::text, ' ' order by place) from sold where id = 'a'")
            .await?
            == "1 2"
    );

    // What no redrive helps is skipped; the second one behind it fails, is skipped too, and the rest flows.
    let position: i64 = store
        .row("select min(position) from freehold.parked where key = 'c'", &[])
        .await?
        .get(0);
    let (position, reason) = (position.to_string(), ["--reason", "counted by hand"]);
    let guarded = [&of("skip", "c")[..], &reason, &["--position", &position, "--json"]].concat();
    let (code, skipped) = market.json(&guarded).await?;
    ensure!(
        code == 1 && skipped["followers"][0]["outcome"] == "failed-again",
        "{skipped}"
    );
    let said = market.freehold(&[&of("skip", "c")[..], &reason].concat()).await?;
    ensure!(
        said.code == 0 && said.stderr.contains("is handled, and flows again"),
        "{said:?}"
    );
    ensure!(
        store
            .text("select string_agg(number::text, ' ' order by place) from sold where id = 'c'")
            .await?
            == "1 3 5"
    );
    let kept =
        "select string_agg(concat_ws(' ', key, message -> 'data' ->> 'number', reason, error), ', ' order by position)
                       || (select ' ' || bool_and(skipped_by = current_setting('fh.who')) from freehold.skipped)
                from freehold.skipped";
    let who = nix::unistd::User::from_uid(nix::unistd::Uid::current())?.context("we are somebody")?;
    store.run(&format!("set fh.who = '{}'", who.name)).await?;
    let each = "c 13 counted by hand the till does not take 13";
    ensure!(store.text(kept).await? == format!("{each}, {each} true"));
    let shown = market.freehold(&["events", "show", "@", "buyer", &position]).await?;
    ensure!(
        shown.stdout.contains("skipped") && shown.stdout.contains("counted by hand"),
        "{shown:?}"
    );

    // What is left goes on with --all, once the service runs again.
    drop(running);
    store
        .until("select not exists (select from freehold.lease where task = 'sequencer' and until > clock_timestamp())")
        .await?;
    let (code, redriven) = market
        .json(&["events", "redrive", "@", "store", "--all", "--wait", "100ms", "--json"])
        .await?;
    ensure!(code == 0 && redriven[0]["outcome"] == "when-it-starts", "{redriven}");
    let _running = market.run_store()?;
    store.until(NOTHING_PARKED).await?;
    let said = market.freehold(&["events", "redrive", "@", "store", "--all"]).await?;
    ensure!(
        said.code == 0 && said.stderr.contains("no key is parked at store"),
        "{said:?}"
    );
    Ok(())
}

/// A purchase whose last step is refused: it is stuck.
async fn stuck(market: &Market, id: &str) -> Result<()> {
    let (buyer, store) = (market.sql("buyer").await?, market.sql("store").await?);
    buyer.run(&format!("insert into closed values ('{id}')")).await?;
    store
        .run(&format!(
            "select freehold.emit('store.wanted', '{id}', '{{\"id\": \"{id}\"}}')"
        ))
        .await?;
    let is_stuck = format!("select exists (select from freehold.saga where key = '{id}' and state = 'stuck')");
    buyer.until(&is_stuck).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_saga_is_helped_on_in_three_ways() -> Result<()> {
    let market = Market::open("database").await?;
    let buyer = market.sql("buyer").await?;
    let running = (market.run_buyer()?, market.run_store()?);
    for id in ["s1", "s2", "s3"] {
        stuck(&market, id).await?;
    }
    let said = market.freehold(&["sagas", "list", "@"]).await?;
    ensure!(said.code == 1 && said.stdout.matches("stuck").count() == 3, "{said:?}");

    // The cause is still there: stuck again.
    let (code, acted) = market.json(&["sagas", "retry", "@", "s1", "--json"]).await?;
    ensure!(code == 1 && acted["outcome"] == "stuck", "{acted}");
    ensure!(acted["reason"] == "confirm: closed: the books are closed", "{acted}");
    // The cause is gone.
    buyer.run("delete from closed where id = 's1'").await?;
    let said = market
        .freehold(&["sagas", "retry", "@", "s1", "--reason", "the books are open"])
        .await?;
    ensure!(
        said.code == 0 && said.stderr.contains("buy of s1 is completed"),
        "{said:?}"
    );
    ensure!(buyer.text("select status from purchases where id = 's1'").await? == "confirmed");

    for (verb, id) in [("mark-done", "s2"), ("skip", "s3")] {
        let (code, acted) = market
            .json(&["sagas", verb, "@", id, "--reason", "by hand", "--json"])
            .await?;
        ensure!(code == 0 && acted["state"] == "completed", "{acted}");
        let detail = format!(
            "select detail from freehold.saga_history where event = 'operator' and saga = (select id from freehold.saga where key = '{id}')"
        );
        let detail = buyer.text(&detail).await?;
        ensure!(
            detail.starts_with(&format!("{verb} by ")) && detail.ends_with(": by hand"),
            "{detail}"
        );
    }
    // The step was not made: that is what was asked for.
    ensure!(buyer.text("select status from purchases where id = 's2'").await? == "open");
    let said = market.freehold(&["sagas", "retry", "@", "s2"]).await?;
    ensure!(said.code == 1 && said.stderr.contains("it has ended"), "{said:?}");

    // While its service does not run, it waits; the story tells it.
    stuck(&market, "s4").await?;
    drop(running);
    buyer
        .until("select not exists (select from freehold.lease where task = 'sequencer' and until > clock_timestamp())")
        .await?;
    buyer.run("delete from closed").await?;
    let said = market
        .freehold(&["sagas", "retry", "@", "s4", "--wait", "100ms"])
        .await?;
    ensure!(
        said.code == 0 && said.stderr.contains("it is done when buyer starts: it does not run"),
        "{said:?}"
    );
    let said = market.freehold(&["sagas", "show", "@", "s4"]).await?;
    ensure!(
        said.stdout.contains("its service to do what an operator asked for"),
        "{said:?}"
    );
    let _running = market.run_buyer()?;
    buyer
        .until("select state = 'completed' from freehold.saga where key = 's4'")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_of_a_saga_is_told_over_both_services() -> Result<()> {
    let market = Market::open("database").await?;
    let (buyer, store) = (market.sql("buyer").await?, market.sql("store").await?);
    let _running = (market.run_buyer()?, market.run_store()?);
    store
        .run("select freehold.emit('store.wanted', 'p', '{\"id\": \"p\"}')")
        .await?;
    buyer
        .until("select exists (select from freehold.saga where state = 'completed')")
        .await?;
    let (code, told) = market.json(&["sagas", "show", "@", "p", "--json"]).await?;
    ensure!(code == 0, "{told}");
    let story = told[0]["story"].as_array().context("a story")?;
    let lines: Vec<String> = story
        .iter()
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            [word("service"), word("source"), word("step"), word("event")].join(" ")
        })
        .collect();
    ensure!(
        lines
            == [
                "buyer history - started",
                "buyer history open done",
                "buyer history reserve asked",
                "buyer command reserve store.reserve",
                "store obeyed reserve done",
                "store reply reserve store.reserve.done",
                "buyer history reserve done",
                "buyer history pay done",
                "buyer history confirm done",
                "buyer history - completed",
            ],
        "{lines:#?}"
    );
    ensure!(
        told[0]["waits"] == serde_json::json!([]) && told[0]["unheard"] == serde_json::json!([]),
        "{told}"
    );
    let said = market.freehold(&["sagas", "show", "@", "p", "--data"]).await?;
    ensure!(said.stdout.contains("p@example.com"), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_follows_until_it_is_interrupted() -> Result<()> {
    let market = Market::open("database").await?;
    let buyer = market.sql("buyer").await?;
    let _running = market.run_buyer()?;
    say(&buyer, "before", "1").await?;
    buyer.until("select position = 1 from freehold.log_head").await?;
    let mut child = market
        .command(&["events", "tail", "@", "--json", "-f", "--last", "1"])
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("it is piped")?).lines();
    let mut next = async || -> Result<serde_json::Value> {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await??;
        Ok(serde_json::from_str(&line.context("a line")?)?)
    };
    ensure!(next().await?["key"] == "before");
    for n in 1..=3 {
        say(&buyer, &format!("k{n}"), "1").await?;
        ensure!(next().await?["key"] == format!("k{n}"));
    }
    // A database that goes and comes again is followed on.
    let server = &market.ground.servers[0].0;
    server.restart().await?;
    let buyer = market.sql("buyer").await?;
    say(&buyer, "after", "1").await?;
    ensure!(next().await?["key"] == "after");
    let pid = i32::try_from(child.id().context("it runs")?)?;
    kill(Pid::from_raw(pid), Signal::SIGINT)?;
    let output = child.wait_with_output().await?;
    ensure!(output.status.code() == Some(0), "{output:?}");
    Ok(())
}
