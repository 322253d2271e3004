//! The command: what it prints, and how it ends.

use anyhow::Result;

use super::{Books, By};

#[tokio::test]
async fn it_ends_with_what_it_found() -> Result<()> {
    let books = Books::filled().await?;
    let (code, said, error) = books.freehold(&["verify", "history"]).await?;
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains("entries: 30 rows are as they were written"), "{said}");
    assert!(said.ends_with("books: nothing was altered\n"), "{said}");

    let owner = books.enter(By::Owner).await?;
    owner
        .batch_execute("alter table entries disable trigger freehold_append_only; delete from entries where id = 7")
        .await?;
    let (code, said, error) = books.freehold(&["verify", "history"]).await?;
    assert_eq!(code, 1, "{said}{error}");
    assert!(said.contains("✗ ledger.entries at position "), "{said}");
    assert!(said.contains(", key 7: the row that was written is gone"), "{said}");
    assert!(said.contains("trigger freehold_append_only is not always on"), "{said}");
    let (code, said, error) = books.freehold(&["verify", "history", "--json"]).await?;
    assert_eq!(code, 1, "{said}{error}");
    let report: serde_json::Value = serde_json::from_str(&said)?;
    let found = &report["services"][0]["findings"][0];
    assert_eq!(
        (&found["what"], &found["key"]),
        (&"row-removed".into(), &"7".into()),
        "{found}"
    );
    assert!(found["position"].is_i64(), "{found}");

    books
        .enter(By::Superuser)
        .await?
        .batch_execute("drop schema freehold cascade")
        .await?;
    let (code, said, error) = books.freehold(&["verify", "history"]).await?;
    assert_eq!(code, 2, "{said}{error}");
    Ok(())
}

#[tokio::test]
async fn it_is_the_same_in_a_shared_database() -> Result<()> {
    let books = Books::open("schema").await?;
    let app = books.enter(By::App).await?;
    app.batch_execute(
        "insert into entries (what) values ('a'), ('b'); insert into accounts (owner, balance) values ('x', 1)",
    )
    .await?;
    assert_eq!(books.freehold(&["verify", "history"]).await?.0, 0);
    let owner = books.enter(By::Owner).await?;
    owner
        .batch_execute("alter table entries alter column what type text using 'forged'")
        .await?;
    let (code, said, error) = books.freehold(&["verify", "history"]).await?;
    assert_eq!(code, 1, "{said}{error}");
    assert!(
        said.contains("✗ ledger.entries, key 1: the row is not what was written"),
        "{said}"
    );
    Ok(())
}
