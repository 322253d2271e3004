//! A service's own routes: who is asking, and on whose behalf a transaction is made.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use freehold::{App, Error, Result, Subject, Tx};
use serde_json::json;

use super::As::{Nobody, Token};
use super::mint::token;
use super::{AUTH, Desk, NOTES, run, somebody};
use crate::fixture::Stage;

async fn titles(tx: Tx) -> Result<String> {
    let rows = tx.query("select title from notes order by title", &[]).await?;
    let titles: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    tx.commit().await?;
    Ok(titles.join(","))
}

async fn mine(subject: Subject, State(app): State<App>) -> Result<String> {
    titles(app.begin_as(&subject).await?).await
}

async fn everybodys(State(app): State<App>) -> Result<String> {
    titles(app.begin().await?).await
}

async fn all(State(app): State<App>) -> Result<String> {
    titles(app.begin_as_service().await?).await
}

async fn greet(subject: Option<Subject>) -> String {
    subject.map_or("stranger".to_owned(), |subject| {
        format!("{} {}", subject.id(), subject.session().is_some())
    })
}

/// Writes a note in somebody else's name.
async fn forge(subject: Subject, State(app): State<App>) -> Result<()> {
    let tx = app.begin_as(&subject).await?;
    tx.execute(
        "insert into notes (owner_id, title) values (gen_random_uuid(), 'forged')",
        &[],
    )
    .await?;
    tx.commit().await
}

/// Ends a transaction by an error, in somebody's name.
async fn fail(subject: Subject, State(app): State<App>) -> Result<()> {
    let tx = app.begin_as(&subject).await?;
    tx.query("select 1 from notes", &[]).await?;
    Err(Error::other("it fails"))
}

#[tokio::test]
async fn a_route_acts_on_behalf_of_whom_it_says() {
    let routes = Router::new()
        .route("/mine", get(mine))
        .route("/everybodys", get(everybodys))
        .route("/all", get(all))
        .route("/greet", get(greet))
        .route("/fail", get(fail))
        .route("/forge", post(forge));
    let desk = Desk::open_with(Stage::open(&[AUTH, NOTES]).await, routes, |_| {}).await;
    let (alice, bob) = (somebody(), somebody());
    let rows = format!("insert into notes (owner_id, title) values ('{alice}', 'hers'), ('{bob}', 'his')");
    run(&desk.home().sql, &rows).await;
    let (hers, his) = (token(alice), token(bob));
    let (hers, his) = (Token(&hers), Token(&his));

    for _ in 0..10 {
        assert_eq!(desk.get("/mine", hers).await.text, "hers");
        assert_eq!(desk.get("/fail", hers).await.status, 500);
        assert_eq!(desk.get("/mine", his).await.text, "his");
        assert_eq!(desk.get("/everybodys", hers).await.text, "");
        assert_eq!(desk.get("/all", Nobody).await.text, "hers,his");
    }
    assert_eq!(desk.get("/greet", hers).await.text, format!("{alice} true"));
    assert_eq!(desk.get("/greet", Nobody).await.text, "stranger");
    for path in ["/mine", "/greet"] {
        let refused = desk.get(path, Token("a.b.c")).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "PGRST301"), "{path}");
    }
    let refused = desk.get("/mine", Nobody).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
    let forged = desk.send(reqwest::Method::POST, "/forge", hers, json!(null)).await;
    assert_eq!((forged.status, forged.code().as_str()), (403, "42501"), "{forged:?}");
}
