//! Several operations as one transaction, writes on trial, and what a transaction leaves behind when it ends badly: nothing.

mod badly;
mod operations;
mod trial;

use serde_json::{Value, json};

use crate::entity::{Reply, Shop, send};

/// What waits for the commit: a check in PL/pgSQL.
const DEFERRED: &str = "
create function shop.complete() returns trigger language plpgsql as $$
begin
  if new.status = 'paid' and not exists (select from shop.order_items where order_id = new.id) then
    raise exception 'an order that is paid needs a line'
      using errcode = 'check_violation', constraint = 'orders_are_complete', table = 'orders', schema = 'shop',
            column = 'status', hint = 'send its lines with it';
  end if;
  return null;
end $$;
create constraint trigger orders_are_complete after insert or update on shop.orders
  deferrable initially deferred for each row execute function shop.complete();";

/// One transaction of these operations.
async fn transaction(shop: &Shop, operations: &Value) -> Reply {
    let body = json!({ "operations": operations });
    send(shop.request(reqwest::Method::POST, "/transaction").json(&body)).await
}
