//! Causal reads over two services at work: what a write's position names is there, or the read is refused.

mod manner;
mod refused;
mod seen;
mod waiting;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::post;
use freehold::{App, Event, Position, Result, Service, Tx};
use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::behaviour::acting::{port, settings};
use crate::fixture::{Folder, Stage, number, run, until};

const PRODUCT: Folder<'static> = Folder {
    name: "product",
    manifest: r#"
program = "product"
publishes = ["product.counted"]
[owns.products]
summary   = "What is sold."
publishes = ["id", "name"]
"#,
    migration: "
create table products (id bigint primary key, name text not null, margin numeric);
insert into products select n, 'begun' from generate_series(1, 40) n;
",
};

const ORDER: Folder<'static> = Folder {
    name: "order",
    manifest: r#"
program = "order"
subscribes = ["product.counted"]
[owns.order_items]
summary             = "What was bought."
refs.product_id_ref = { to = "product.products", on_delete = "keep" }
cached.product_name = { from = "product_id_ref.name", refresh = "on_change" }
[owns.counts]
summary = "How often something was counted."
[copies.products]
of      = "product.products"
columns = ["id", "name"]
"#,
    migration: "
create table order_items (id bigint primary key, product_id_ref bigint, product_name text);
create index on order_items (product_id_ref);
create table counts (id bigint primary key);
",
};

/// The longest a read waits in these tests.
const WAIT_MS: u64 = 3_000;

#[derive(Serialize, Deserialize)]
struct Counted {
    id: i64,
}

impl Event for Counted {
    const NAME: &'static str = "product.counted";
}

async fn counted(event: Counted, tx: &mut Tx) -> Result<()> {
    tx.execute("insert into counts (id) values ($1)", &[&event.id]).await?;
    Ok(())
}

/// A route of product's own that publishes, and says where.
async fn count(State(app): State<App>, Json(event): Json<Counted>) -> Result<(Position, Json<Value>)> {
    let mut tx = app.begin().await?;
    tx.execute("update products set margin = 1 where id = $1", &[&event.id])
        .await?;
    tx.publish(event.id, &event).await?;
    Ok((tx.commit_at().await?, Json(json!({}))))
}

/// A route of order's own.
async fn counts(State(app): State<App>) -> Result<Json<i64>> {
    let tx = app.begin().await?;
    let counts = tx.query_one("select count(*) from counts", &[]).await?.get(0);
    tx.commit().await?;
    Ok(Json(counts))
}

/// A service in a runtime of its own, so that it can be stopped as a process is, with its open connections.
struct Running(Option<Runtime>);

impl Running {
    fn start(service: Service) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.spawn(async move { service.run().await.expect("the service runs") });
        Self(Some(runtime))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Product and order at work, every product bought once.
struct Acting {
    stage: Stage,
    http: reqwest::Client,
    ports: [u16; 2],
    product: Option<Running>,
    _order: Running,
}

impl Acting {
    async fn begin() -> Self {
        let stage = Stage::open(&[PRODUCT, ORDER]).await;
        let ports = [port().await, port().await];
        let [product, order] = ports;
        let home = stage.home("product");
        let routes = axum::Router::new().route("/count", post(count));
        let service = Service::new(home.service.clone(), settings(home, product, &[("order", order)]));
        let product = Running::start(service.routes(routes));
        let order = Running::start(Self::order(&stage, order, ports[0], "one"));
        let acting = Self {
            stage,
            http: reqwest::Client::new(),
            ports,
            product: Some(product),
            _order: order,
        };
        let copied = "select count(*) from products";
        let order = acting.stage.home("order");
        until("the copy is filled", || async {
            number(&order.sql, copied).await == 40
        })
        .await;
        run(
            &order.app().await,
            "insert into order_items (id, product_id_ref) select id, id from products",
        )
        .await;
        for port in acting.ports {
            let live = format!("http://127.0.0.1:{port}/health/ready");
            until("the service answers", || async {
                acting
                    .http
                    .get(&live)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        }
        acting
    }

    /// An instance of order.
    fn order(stage: &Stage, own: u16, product: u16, instance: &str) -> Service {
        let home = stage.home("order");
        let mut manifest = home.service.clone();
        manifest.api.limits.wait_ms = WAIT_MS;
        let mut settings = settings(home, own, &[("product", product)]);
        settings.instance = instance.to_owned();
        let routes = axum::Router::new().route("/how-many", axum::routing::get(counts));
        Service::new(manifest, settings).on(counted).routes(routes)
    }

    /// A request to order.
    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("http://127.0.0.1:{}{path}", self.ports[1]))
    }

    fn stop_product(&mut self) {
        self.product = None;
    }
}

/// Writes by plain SQL, past the service; the sequencer finds it when it looks next.
async fn write(writer: &tokio_postgres::Client, sql: &str) -> String {
    let sql = format!("{sql} returning pg_current_xact_id()::text");
    let row = writer.query_one(&sql, &[]).await.expect("a row is written");
    let transaction: String = row.get(0);
    format!("product@1.{transaction}")
}

async fn rename(writer: &tokio_postgres::Client, id: i64, name: &str) -> String {
    write(writer, &format!("update products set name = '{name}' where id = {id}")).await
}

/// An answer: status, `Retry-After`, body.
async fn answer(request: RequestBuilder) -> (u16, String, Value) {
    let response = request.send().await.expect("the service answers");
    let status = response.status().as_u16();
    let retry = response.headers().get("retry-after");
    let retry = retry.map(|value| value.to_str().expect("a number").to_owned());
    let body = response.json().await.expect("an answer of JSON");
    (status, retry.unwrap_or_default(), body)
}

/// The name of product `id` as order shows it, read with these positions.
async fn shown(request: RequestBuilder, at_least: &str) -> String {
    let (status, _, body) = answer(request.header("freehold-at-least", at_least)).await;
    assert_eq!(status, 200, "{body}");
    body[0]["product_name"].as_str().expect("a name").to_owned()
}

fn of(id: i64) -> String {
    format!("/order_items?id=eq.{id}&select=product_name")
}

/// A service that stands still is refused with the problem of this kind, and asked to come back.
fn assert_unavailable(answer: &(u16, String, Value), kind: &str) {
    let (status, retry, body) = answer;
    assert_eq!((*status, retry.as_str()), (503, "1"), "{body}");
    assert_eq!(body["type"], format!("urn:freehold:problem:{kind}"), "{body}");
    assert_eq!(
        (&body["code"], &body["service"]),
        (&"FH503".into(), &"product".into()),
        "{body}"
    );
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
