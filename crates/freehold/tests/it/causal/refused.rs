//! What is no position, or is of another log, is refused with a reason.

use super::{Acting, answer, of, rename, shown};
use crate::fixture::run;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_no_position_is_named() {
    let acting = Acting::begin().await;
    let many: Vec<String> = (1..=17).map(|n| format!("product@1.{n}")).collect();
    let long = "x".repeat(500);
    for (text, says) in [
        ("product", "holds `product`, which is no position"),
        ("order@1.5, product@1.+7", "holds `product@1.+7`, which"),
        (
            "product@1.18446744073709551616",
            "holds `product@1.18446744073709551616`, which",
        ),
        (&long, &format!("holds `{}`, which", "x".repeat(64))),
        (&many.join(","), "names more than 16 positions"),
    ] {
        for path in [of(1), "/how-many".to_owned()] {
            let (status, _, body) = answer(acting.get(&path).header("freehold-at-least", text)).await;
            let message = body["message"].as_str().unwrap_or_default();
            assert!(status == 400 && message.contains(says), "{text}: {body}");
            assert_eq!(
                (&body["code"], &body["type"]),
                (&"FH400".into(), &"urn:freehold:problem:bad-position".into())
            );
        }
    }
    let bytes = reqwest::header::HeaderValue::from_bytes(b"\xff").expect("opaque bytes");
    assert_eq!(
        answer(acting.get(&of(1)).header("freehold-at-least", bytes)).await.0,
        400
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_of_this_service_and_of_strangers_are_not_waited_for() {
    let acting = Acting::begin().await;
    let position = rename(&acting.stage.home("product").app().await, 1, "new").await;
    let named = format!("order@1.999999999, stranger@7.1, {position},{position}");
    assert_eq!(shown(acting.get(&of(1)), &named).await, "new");
    assert_eq!(
        shown(acting.get(&of(1)).header("freehold-at-least", "order@1.1"), &position).await,
        "new"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_of_a_log_that_is_no_more_is_refused() {
    let acting = Acting::begin().await;
    let product = acting.stage.home("product");
    let position = rename(&product.app().await, 1, "new").await;
    let (status, _, body) = answer(acting.get(&of(1)).header("freehold-at-least", "product@1.99999999999")).await;
    assert_eq!(
        (status, &body["type"]),
        (409, &"urn:freehold:problem:unknown-position".into()),
        "{body}"
    );
    let later = position.replace("@1.", "@2.");
    let (status, _, body) = answer(acting.get(&of(1)).header("freehold-at-least", later)).await;
    assert_eq!(
        (status, &body["type"]),
        (409, &"urn:freehold:problem:other-epoch".into()),
        "{body}"
    );
    // As after a restore.
    run(&product.sql, "update freehold.log_head set epoch = 2").await;
    let (status, _, body) = answer(acting.get(&of(1)).header("freehold-at-least", &position)).await;
    assert_eq!(
        (status, &body["type"]),
        (409, &"urn:freehold:problem:other-epoch".into()),
        "{body}"
    );
    assert_eq!(body["code"], "FH409");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_are_told_to_services_only() {
    let acting = Acting::begin().await;
    let ask = |token: &'static str, query: &str| {
        let url = format!("http://127.0.0.1:{}/freehold/position?{query}", acting.ports[0]);
        answer(acting.http.get(url).bearer_auth(token))
    };
    let topics = "topics=product.products,product.counted";
    let status = |answer: (u16, String, serde_json::Value)| answer.0;
    assert_eq!(status(ask("guess", &format!("transaction=5&{topics}")).await), 401);
    let token = crate::fixture::TOKEN;
    assert_eq!(status(ask(token, &format!("transaction=-5&{topics}")).await), 400);
    assert_eq!(status(ask(token, "transaction=5&topics=product.secrets").await), 404);
    let (status, _, body) = ask(token, &format!("transaction=5&{topics}")).await;
    assert_eq!((status, &body["epoch"]), (200, &1.into()), "{body}");
}
