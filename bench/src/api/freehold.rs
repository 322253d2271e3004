//! The requests to the API.

use std::sync::Arc;

use super::asked::{Asked, Keys, LIMIT, MAKERS, OWN};
use crate::http::{Requests, Turn};

/// From one request of a connection to its next in a list of requests: far enough that neighbours are not asked for.
pub(super) const STRIDE: usize = 31;

/// The distance between the connections there.
pub(super) const APART: usize = 7_919;

pub(super) fn requests(asked: Asked, keys: &Keys) -> Requests {
    match asked {
        Asked::Key => in_turn(
            keys.read
                .iter()
                .map(|key| get(&format!("/quiet_things?id=eq.{key}")))
                .collect(),
        ),
        Asked::List => in_turn(
            (1..=MAKERS)
                .map(|maker| {
                    get(&format!(
                        "/quiet_things?maker_id=eq.{maker}&select=id,name,price,makers(name)&order=id&limit={LIMIT}"
                    ))
                })
                .collect(),
        ),
        Asked::Patch => {
            let body = r#"{"price":13.37,"stock":4}"#;
            let heads: Vec<String> = keys
                .own
                .iter()
                .map(|key| {
                    format!(
                        "PATCH /quiet_things?id=eq.{key} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
                         Content-Length: {}\r\nIf-Match: \"",
                        body.len()
                    )
                })
                .collect();
            Arc::new(move |turn, out| {
                out.extend_from_slice(heads[own(turn)].as_bytes());
                out.extend_from_slice(version(turn).to_string().as_bytes());
                out.extend_from_slice(b"\"\r\n\r\n");
                out.extend_from_slice(body.as_bytes());
            })
        }
        Asked::Post(_) => in_turn(
            (1..=MAKERS)
                .map(|maker| {
                    let body = format!(r#"{{"maker_id":{maker},"name":"a thing","price":12.50,"stock":3}}"#);
                    format!(
                        "POST /{} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                        asked.table(),
                        body.len()
                    )
                })
                .collect(),
        ),
    }
}

fn get(url: &str) -> String {
    format!("GET {url} HTTP/1.1\r\nHost: bench\r\n\r\n")
}

/// Requests that are made already, each connection through them in its own order, from the first on.
pub(super) fn in_turn(made: Vec<String>) -> Requests {
    Arc::new(move |turn, out| {
        let at = (turn.connection * APART + turn.number * STRIDE) % made.len();
        out.extend_from_slice(made[at].as_bytes());
    })
}

/// Which of [`Keys::own`] a connection changes next.
pub(super) fn own(turn: Turn) -> usize {
    turn.connection * OWN + turn.number % OWN
}

/// The version that row has by then: each change raises it by one.
fn version(turn: Turn) -> usize {
    1 + turn.number / OWN
}
