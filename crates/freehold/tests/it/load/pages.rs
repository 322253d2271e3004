//! Calls from web pages.

use reqwest::Method;

use super::{Desk, Reply, reply};

const PAGE: &str = "https://shop.example";

async fn ask(desk: &Desk, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = desk.http.request(method, format!("{}{path}", desk.root));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(request).await
}

async fn preflight(desk: &Desk, path: &str, origin: &str) -> Reply {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "prefer,if-match,idempotency-key"),
    ];
    ask(desk, Method::OPTIONS, path, &asked).await
}

fn cors(reply: &Reply) -> Vec<&str> {
    let names = reply.headers.keys();
    names
        .filter(|name| name.starts_with("access-control") || *name == "vary")
        .map(String::as_str)
        .collect()
}

async fn desk(origins: &[&str]) -> Desk {
    Desk::open(|api| api.origins = origins.iter().map(|origin| (*origin).to_owned()).collect()).await
}

#[tokio::test]
async fn without_origins_nothing_is_said_to_pages() {
    let desk = desk(&[]).await;
    for path in ["/notes", "/own", "/health/live", "/nothing"] {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = ask(&desk, method, path, &[("origin", PAGE)]).await;
            assert_eq!(cors(&answer), [""; 0], "{path}: {answer:?}");
        }
    }
    let answer = preflight(&desk, "/notes", PAGE).await;
    assert_eq!((answer.status, cors(&answer).len()), (200, 0), "{answer:?}");
    assert!(answer.header("allow").contains("PATCH"));
}

#[tokio::test]
async fn pages_of_named_origins_may_call() {
    let desk = desk(&["http://localhost:3000", PAGE]).await;
    // Also where no table is: nothing is looked at.
    for path in ["/notes", "/no-table", "/own", "/health/ready"] {
        let answer = preflight(&desk, path, PAGE).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("access-control-max-age"), "7200");
        assert_eq!(answer.header("vary"), "Origin");
        for method in ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"] {
            assert!(
                listed(&answer, "access-control-allow-methods", method),
                "{method}: {answer:?}"
            );
        }
        for name in [
            "Prefer",
            "Range",
            "Range-Unit",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Freehold-At-Least",
            "Authorization",
            "apikey",
            "x-client-info",
            "content-profile",
            "accept-profile",
            "Content-Type",
            "Accept",
        ] {
            assert!(
                listed(&answer, "access-control-allow-headers", name),
                "{name}: {answer:?}"
            );
        }
        assert_eq!(answer.header("access-control-expose-headers"), "");
    }
    // A refusal can be read as well as rows.
    for (path, status) in [
        ("/notes?id=eq.1", 200),
        ("/notes?id=eq.x", 400),
        ("/nowhere/at/all", 404),
    ] {
        let answer = ask(&desk, Method::GET, path, &[("origin", PAGE)]).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{answer:?}");
        for name in [
            "Content-Range",
            "Location",
            "ETag",
            "Link",
            "Freehold-Position",
            "Retry-After",
            "Idempotency-Replayed",
        ] {
            assert!(
                listed(&answer, "access-control-expose-headers", name),
                "{name}: {answer:?}"
            );
        }
        assert_eq!(
            (answer.header("vary"), answer.header("access-control-max-age")),
            ("Origin", "")
        );
    }
}

fn listed(reply: &Reply, header: &str, name: &str) -> bool {
    reply
        .header(header)
        .split(", ")
        .any(|listed| listed.eq_ignore_ascii_case(name))
}

#[tokio::test]
async fn pages_of_other_origins_may_not() {
    let desk = desk(&[PAGE]).await;
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "null",
        "",
    ] {
        let answer = preflight(&desk, "/notes", origin).await;
        assert_eq!((answer.status, cors(&answer)), (204, vec!["vary"]), "{answer:?}");
        let answer = ask(&desk, Method::GET, "/notes", &[("origin", origin)]).await;
        assert_eq!((answer.status, cors(&answer)), (200, vec!["vary"]), "{answer:?}");
    }
    let answer = ask(&desk, Method::GET, "/notes", &[]).await;
    assert_eq!(
        cors(&answer),
        ["vary"],
        "a cache keeps the answers to no page apart too"
    );
}

#[tokio::test]
async fn with_a_star_every_page_may_call_without_credentials() {
    let desk = desk(&["*"]).await;
    for answer in [
        preflight(&desk, "/notes", "https://any.example").await,
        ask(&desk, Method::GET, "/notes", &[("origin", "null")]).await,
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{answer:?}");
        assert_eq!(answer.header("vary"), "", "{answer:?}");
    }
}

#[tokio::test]
async fn options_that_are_no_preflight_name_the_methods() {
    let desk = desk(&[PAGE]).await;
    let answer = ask(&desk, Method::OPTIONS, "/notes", &[("origin", PAGE)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("allow").contains("PATCH"), "{answer:?}");
    assert!(listed(&answer, "access-control-expose-headers", "Allow"), "{answer:?}");
    assert_eq!(ask(&desk, Method::OPTIONS, "/nothing", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_can_read_that_the_service_is_overloaded() {
    let mut desk = Desk::open(|api| {
        api.origins = vec![PAGE.to_owned()];
        api.limits.requests = 2;
    })
    .await;
    let held = desk.hold(2, |desk| desk.post("/hold")).await;
    let answer = ask(&desk, Method::GET, "/notes", &[("origin", PAGE)]).await;
    answer.refusal(503, "FH503");
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    assert_eq!(preflight(&desk, "/notes", PAGE).await.status, 204);
    desk.let_go(held).await;
}
