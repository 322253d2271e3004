//! Stock that is promised, sold, given back.
//!
//! Everything here is one statement over all lines of an order. It locks the inventory's rows in the order of their
//! products, so two orders over the same products wait for each other instead of killing each other.

use freehold::{Command, Event, Result, Tx, refuse};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Lines of one order; the order service allows fewer, and a mistake elsewhere must not lock the whole inventory.
const LINES_MAX: usize = 1_000;

/// Pieces of one line: as many as an order line takes.
const QUANTITY_MAX: i32 = 100_000;

/// Promise these pieces to an order: all of them, or refuse.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReserveStock {
    /// The order.
    pub order: Uuid,
    /// What it wants. Lines of the same product are added up.
    pub lines: Vec<Line>,
}

/// So many pieces of a product.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub product: Uuid,
    /// How many, from 1.
    pub quantity: i32,
}

/// The order is rejected: what was promised to it can be promised to others.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReleaseStock {
    /// The order.
    pub order: Uuid,
}

/// The confirmed order is cancelled: what it bought is in the house again.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReturnStock {
    /// The order.
    pub order: Uuid,
}

/// How many products it was.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moved {
    /// Products whose stock changed; none if it had been done before.
    pub products: u64,
}

/// An order is confirmed.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// The order.
    pub order: Uuid,
}

impl Command for ReserveStock {
    const NAME: &'static str = "product.reserve_stock";
    type Reply = Moved;
}

impl Command for ReleaseStock {
    const NAME: &'static str = "product.release_stock";
    type Reply = Moved;
}

impl Command for ReturnStock {
    const NAME: &'static str = "product.return_stock";
    type Reply = Moved;
}

impl Event for OrderConfirmed {
    const NAME: &'static str = "order.confirmed";
}

/// Promises all lines, or refuses: `out_of_stock` and `unknown_product` name the product, `bad_lines` says what is wrong.
///
/// # Errors
/// A refusal; what PostgreSQL says.
pub async fn reserve_stock(command: ReserveStock, tx: &mut Tx) -> Result<Moved> {
    checked(&command.lines)?;
    let products: Vec<Uuid> = command.lines.iter().map(|line| line.product).collect();
    let quantities: Vec<i32> = command.lines.iter().map(|line| line.quantity).collect();
    // What is available is judged by the locked row: whoever waited for it sees what the other one took.
    let rows = tx
        .query(
            "with wanted as (
               select l.product_id, sum(l.quantity)::integer as quantity
               from unnest($2::uuid[], $3::integer[]) as l(product_id, quantity)
               group by l.product_id
             ),
             locked as (
               select i.product_id, i.available
               from inventory i
               join wanted w on w.product_id = i.product_id
               order by i.product_id
               for no key update of i
             ),
             taken as (
               update inventory i
               set reserved = i.reserved + w.quantity
               from wanted w
               join locked l on l.product_id = w.product_id
               where i.product_id = w.product_id
                 and l.available >= w.quantity
               returning i.product_id
             ),
             promised as (
               insert into stock_reservations (order_id_ref, product_id, quantity)
               select $1, w.product_id, w.quantity
               from wanted w
               join taken t on t.product_id = w.product_id
             )
             select w.product_id, w.quantity, coalesce(l.available, 0), p.name, t.product_id is not null
             from wanted w
             left join taken t on t.product_id = w.product_id
             left join locked l on l.product_id = w.product_id
             left join products p on p.id = w.product_id
             order by t.product_id is not null, p.name, w.product_id",
            &[&command.order, &products, &quantities],
        )
        .await?;
    // Those that could not be promised come first; the refusal undoes the others.
    if let Some(row) = rows.first().filter(|row| !row.get::<_, bool>(4)) {
        let (product, wanted, available): (Uuid, i32, i32) = (row.get(0), row.get(1), row.get(2));
        return Err(match row.get::<_, Option<&str>>(3) {
            Some(name) => refuse(
                "out_of_stock",
                format!("{name} ({product}): {wanted} wanted, {available} left"),
            ),
            None => refuse("unknown_product", format!("no product {product} is sold here")),
        });
    }
    Ok(Moved {
        products: rows.len() as u64,
    })
}

/// Gives back what was promised to an order.
///
/// # Errors
/// What PostgreSQL says.
pub async fn release_stock(command: ReleaseStock, tx: &mut Tx) -> Result<Moved> {
    // Planted for a test of the tests: a compensation that gives back without looking whether it did already.
    #[cfg(feature = "plant")]
    if std::env::var("FREEHOLD_PLANT").is_ok_and(|planted| planted == "compensation-not-idempotent") {
        let sql = "update inventory i set reserved = i.reserved - r.quantity
                   from stock_reservations r where r.order_id_ref = $1 and r.state <> 'sold' and i.product_id = r.product_id";
        tx.execute(sql, &[&command.order]).await?;
        let sql = "update stock_reservations set state = 'released' where order_id_ref = $1";
        return Ok(Moved {
            products: tx.execute(sql, &[&command.order]).await?,
        });
    }
    let products = settle(tx, command.order, &["reserved"], "released").await?;
    Ok(Moved { products })
}

/// Takes back what an order bought, sold already or only promised yet.
///
/// # Errors
/// What PostgreSQL says.
pub async fn return_stock(command: ReturnStock, tx: &mut Tx) -> Result<Moved> {
    let products = settle(tx, command.order, &["reserved", "sold"], "returned").await?;
    Ok(Moved { products })
}

/// Sells what was promised to an order.
///
/// # Errors
/// When nothing was ever promised to it: somebody confirms orders that this service was not asked about. What PostgreSQL
/// says.
pub async fn order_confirmed(event: OrderConfirmed, tx: &mut Tx) -> Result<()> {
    crate::sales::count(tx, event.order, 1).await?;
    if settle(tx, event.order, &["reserved"], "sold").await? > 0 {
        return Ok(());
    }
    let known = tx
        .query_opt(
            "select from stock_reservations where order_id_ref = $1 limit 1",
            &[&event.order],
        )
        .await?;
    match known {
        Some(_) => Ok(()),
        None => Err(freehold::Error::other(format!(
            "order {} is confirmed, and no stock was ever promised to it",
            event.order
        ))),
    }
}

/// Brings an order's reservations from one of these states to another, and its pieces to where they then are: promised
/// ones are promised no more; sold ones leave the house, and come back when they are returned.
async fn settle(tx: &Tx, order: Uuid, from: &[&str], to: &str) -> Result<u64> {
    tx.execute(
        "with held as (
           select r.product_id, r.quantity, r.state = 'reserved' as promised
           from stock_reservations r
           where r.order_id_ref = $1
             and r.state = any($2)
           order by r.product_id
           for no key update
         ),
         locked as (
           select i.product_id
           from inventory i
           join held h on h.product_id = i.product_id
           order by i.product_id
           for no key update of i
         ),
         moved as (
           update inventory i
           set reserved = i.reserved - case when h.promised then h.quantity else 0 end,
               quantity = i.quantity + case when not h.promised then h.quantity
                                            when $3 = 'sold' then -h.quantity
                                            else 0 end
           from held h
           join locked l on l.product_id = h.product_id
           where i.product_id = h.product_id
         )
         update stock_reservations r
         set state = $3
         from held h
         where r.order_id_ref = $1
           and r.product_id = h.product_id",
        &[&order, &from, &to],
    )
    .await
}

fn checked(lines: &[Line]) -> Result<()> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(refuse(
            "bad_lines",
            format!("{} lines: 1 to {LINES_MAX} are taken", lines.len()),
        ));
    }
    match lines.iter().find(|line| !(1..=QUANTITY_MAX).contains(&line.quantity)) {
        None => Ok(()),
        Some(line) => Err(refuse(
            "bad_lines",
            format!(
                "{} pieces of {}: 1 to {QUANTITY_MAX} are taken",
                line.quantity, line.product
            ),
        )),
    }
}
