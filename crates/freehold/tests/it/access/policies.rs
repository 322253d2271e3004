//! What the policies allow is what is seen and written, however it is asked for.

use reqwest::Method;
use serde_json::{Value, json};

use super::As::{Nobody, Token};
use super::mint::token;
use super::{Desk, reply, run, somebody};

const BACK: (&str, &str) = ("prefer", "return=representation");

#[tokio::test]
async fn each_sees_and_writes_what_is_theirs() {
    let desk = Desk::open().await;
    let (alice, bob) = (token(somebody()), token(somebody()));
    let (alice, bob) = (Token(&alice), Token(&bob));
    let made = desk.request(Method::POST, "/notes", alice).header(BACK.0, BACK.1);
    let made = reply(made.json(&json!({ "title": "hers", "tags": [{ "label": "blue" }] }))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()[0]["id"].as_str().expect("an id").to_owned();
    let one = format!("/notes?id=eq.{id}");

    let read = desk.get("/notes?select=title,tags(label)", alice).await;
    assert_eq!(read.json(), json!([{ "title": "hers", "tags": [{ "label": "blue" }] }]));
    for path in [
        "/notes",
        &one,
        "/tags",
        "/events",
        "/titles",
        "/rpc/find_notes",
        "/notes?select=id,tags(id)",
    ] {
        let read = desk.get(path, bob).await;
        assert_eq!((read.status, read.text.as_str()), (200, "[]"), "{path}");
    }
    assert_eq!(
        desk.get("/events?select=what", alice).await.json(),
        json!([{ "what": "wrote hers" }])
    );
    assert_eq!(
        desk.get("/titles?select=title", alice).await.json(),
        json!([{ "title": "hers" }])
    );
    let called = desk.get("/rpc/find_notes?word=her&select=title", alice).await;
    assert_eq!(called.json(), json!([{ "title": "hers" }]));

    for (method, body) in [
        (Method::PATCH, json!({ "title": "his" })),
        (Method::DELETE, Value::Null),
    ] {
        let tried = desk.send(method.clone(), &one, bob, body.clone()).await;
        assert_eq!(tried.status, 204, "{tried:?}");
        let guarded = desk.request(method, &one, bob).header("if-match", "\"1\"").json(&body);
        assert_eq!(reply(guarded).await.status, 404);
    }
    let put = desk
        .send(Method::PUT, &one, bob, json!({ "id": id, "title": "his" }))
        .await;
    assert_eq!((put.status, put.code().as_str()), (403, "42501"), "{put:?}");
    // The note is hers, or there is none: what refers to it is refused alike.
    let tag = async |note: &str| {
        let body = json!({ "note_id": note, "label": "red" });
        desk.send(Method::POST, "/tags", bob, body).await
    };
    let tagged = tag(&id).await;
    assert_eq!((tagged.status, tagged.code().as_str()), (409, "23503"), "{tagged:?}");
    assert_eq!(tag(&uuid::Uuid::new_v4().to_string()).await.text, tagged.text);
    let kept = desk.get(&one, alice).await;
    assert_eq!(
        (kept.json()[0]["title"].clone(), kept.json()[0]["version"].clone()),
        (json!("hers"), json!(1))
    );
}

#[tokio::test]
async fn a_row_in_the_name_of_another_is_refused() {
    let desk = Desk::open().await;
    let (alice, bob) = (somebody(), token(somebody()));
    let body = json!({ "title": "not hers", "owner_id": alice });
    let tried = desk.send(Method::POST, "/notes", Token(&bob), body).await;
    assert_eq!((tried.status, tried.code().as_str()), (403, "42501"));
    assert_eq!(tried.json()["type"], "urn:freehold:problem:refused-by-policy");
    assert!(!tried.text.contains(&alice.to_string()), "{tried:?}");
}

#[tokio::test]
async fn without_a_token_only_what_is_public_answers() {
    let desk = Desk::open().await;
    let news = desk.get("/news?select=headline&order=id", Nobody).await;
    assert_eq!(news.json(), json!([{ "headline": "spring" }, { "headline": "summer" }]));
    assert_eq!(desk.get("/rpc/who", Nobody).await.text, "null");
    for path in [
        "/notes",
        "/tags?id=eq.1",
        "/titles",
        "/rpc/find_notes",
        "/rpc/nothing",
        "/nothing",
        "/drafts",
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS] {
            let refused = desk.send(method.clone(), path, Nobody, Value::Null).await;
            assert_eq!(
                (refused.status, refused.header("www-authenticate")),
                (401, "Bearer"),
                "{method} {path}"
            );
            if method == Method::GET {
                assert_eq!(refused.code(), "PGRST302");
            }
        }
    }
    // Not to be found by its relations either.
    assert_eq!(desk.get("/news?select=*,notes(*)", Nobody).await.status, 400);
    let both = json!([{ "method": "GET", "path": "/news" }, { "method": "GET", "path": "/notes" }]);
    assert_eq!(desk.send(Method::POST, "/transaction", Nobody, both).await.status, 401);
    let written = desk
        .send(Method::POST, "/news", Nobody, json!({ "headline": "winter" }))
        .await;
    assert_eq!(written.status, 403, "{written:?}");
}

#[tokio::test]
async fn what_is_not_served_is_not_there() {
    let desk = Desk::open().await;
    let token = token(somebody());
    let token = Token(&token);
    let refused = desk.get("/drafts", token).await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "PGRST205"));
    let called = desk.get("/rpc/all_drafts", token).await;
    assert_eq!(
        called.json(),
        json!([{ "id": 1, "body": "draft", "version": 1, "updated_at": called.json()[0]["updated_at"] }])
    );
    for path in ["/openapi.json", "/"] {
        let described = desk.get(path, Nobody).await.text;
        assert!(!described.contains("\"/drafts\""), "{path} {described}");
    }
}

#[tokio::test]
async fn a_guess_is_not_about_the_rows_of_all() {
    let desk = Desk::open().await;
    let alice = somebody();
    let home = desk.home();
    let add = format!(
        "insert into notes (owner_id, title) select '{alice}', n::text from generate_series(1, 5000) n; analyze notes"
    );
    run(&home.sql, &add).await;
    let bob = token(somebody());
    for count in ["planned", "estimated", "exact"] {
        for path in [
            "/notes?limit=0",
            "/titles?limit=0",
            "/rpc/find_notes?limit=0",
            "/notes?limit=0&select=id,tags!inner(id)",
        ] {
            let request = desk
                .request(Method::HEAD, path, Token(&bob))
                .header("prefer", format!("count={count}"));
            let counted = reply(request).await;
            assert_eq!(counted.header("content-range"), "*/0", "{count} {path}");
        }
    }
}

#[tokio::test]
async fn subjects_are_set_within_transactions_of_every_kind() {
    let desk = Desk::open().await;
    let (subject, other) = (somebody(), token(somebody()));
    let token = token(subject);
    let token = Token(&token);
    let post = |title: &str| json!({ "method": "POST", "path": "/notes", "body": { "title": title } });
    let whole = json!([post("a"), post("b"), { "method": "GET", "path": "/notes?select=title&order=title" }]);
    let done = desk.send(Method::POST, "/transaction", token, whole).await;
    assert_eq!(
        done.json()["results"][2]["body"],
        json!([{ "title": "a" }, { "title": "b" }]),
        "{done:?}"
    );
    let trial = desk
        .request(Method::POST, "/notes", token)
        .header("prefer", "tx=rollback, return=representation");
    let trial = reply(trial.json(&json!({ "title": "c" }))).await;
    assert_eq!(
        (trial.status, trial.json()[0]["owner_id"].as_str()),
        (201, Some(&*subject.to_string()))
    );
    let upsert = desk.request(Method::POST, "/notes?on_conflict=owner_id,title", token);
    let upsert = upsert.header("prefer", "resolution=merge-duplicates, return=representation");
    let upsert = reply(upsert.json(&json!([{ "title": "a", "body": "new" }]))).await;
    assert_eq!(upsert.json()[0]["body"], "new", "{upsert:?}");
    let zoned = desk
        .request(Method::GET, "/notes?select=title", token)
        .header("prefer", "timezone=Europe/Berlin");
    assert_eq!(reply(zoned).await.json().as_array().map(Vec::len), Some(2));
    assert_eq!(desk.get("/notes", Token(&other)).await.text, "[]");
}

#[tokio::test]
async fn a_stored_answer_is_given_to_no_one_else() {
    let desk = Desk::open().await;
    let (alice, bob) = (token(somebody()), token(somebody()));
    let post = async |token: &str| {
        let request = desk
            .request(Method::POST, "/notes", Token(token))
            .header(BACK.0, BACK.1);
        reply(
            request
                .header("idempotency-key", "\"one\"")
                .json(&json!({ "title": "same" })),
        )
        .await
    };
    let first = post(&alice).await;
    let again = post(&alice).await;
    let others = post(&bob).await;
    assert_eq!(
        (again.header("idempotency-replayed"), &again.text),
        ("true", &first.text)
    );
    assert_eq!((others.status, others.header("idempotency-replayed")), (201, ""));
    assert_ne!(others.json()[0]["owner_id"], first.json()[0]["owner_id"]);
}
