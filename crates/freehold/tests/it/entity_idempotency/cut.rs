//! Connections that are lost at the commit.

use reqwest::Method;
use serde_json::json;

use super::line::{Cut, Line};
use super::{KEPT, keys, post};
use crate::entity::Shop;

/// The connection that adds the first line to the history is ended by the server in its commit.
const ENDED: &str = "
create sequence shop.tries;
create function shop.lose() returns trigger language plpgsql as $$
begin
  if nextval('shop.tries') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;
  return null;
end $$;
create constraint trigger lose after insert on shop.history deferrable initially deferred
  for each row execute function shop.lose();";

#[tokio::test]
async fn a_write_with_a_key_whose_connection_is_ended_in_the_commit_is_carried_out_once() {
    let shop = Shop::open_after(&format!("{KEPT} {ENDED}")).await;
    let reply = post(&shop, "/history", r#"{"what":"x"}"#, "k").await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!((shop.count("history").await, keys(&shop).await), (1, 1));
}

#[tokio::test]
async fn a_write_with_a_key_whose_fate_is_unknown_is_carried_out_once() {
    let line = Line::default();
    let shop = Shop::open_through(KEPT, async |config| line.lay(config).await).await;
    let mut rows = 0;
    // The first statements of a connection are parsed, later ones prepared.
    for round in 0..3 {
        for (cut, name) in [(Cut::Before, "before"), (Cut::After, "after")] {
            line.cut_next(cut);
            let (body, key) = (format!(r#"{{"what":"{name}"}}"#), format!("{name}-{round}"));
            let reply = post(&shop, "/history", &body, &key).await;
            assert_eq!(reply.status, 201, "{name}, round {round}: {reply:?}");
            rows += 1;
            assert_eq!(
                (shop.count("history").await, keys(&shop).await),
                (rows, rows),
                "{name}, round {round}"
            );
            let again = post(&shop, "/history", &body, &key).await;
            assert_eq!(
                (&again.text, again.header("idempotency-replayed")),
                (&reply.text, "true")
            );
        }
    }
    assert_eq!(line.cuts(), 6);
}

#[tokio::test]
async fn a_write_without_a_key_whose_fate_is_unknown_says_so_and_is_not_repeated() {
    let line = Line::default();
    let shop = Shop::open_through(KEPT, async |config| line.lay(config).await).await;
    let operations = json!([{"method": "POST", "path": "/history", "body": {"what": "x"}}]).to_string();
    for (cut, rows) in [(Cut::Before, 0), (Cut::After, 1)] {
        line.cut_next(cut);
        let reply = shop.send(Method::POST, "/transaction", &operations).await;
        let message = reply.problem(503, "PGRST001");
        assert!(message.contains("may or may not"), "{message}");
        assert_eq!(shop.count("history").await, rows);
    }
}
