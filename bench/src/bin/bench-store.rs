//! The participant of the saga bench.

use freehold::{Error, Result, Service, Tx, refuse};
use freehold_bench::{Bought, Release, Reserve};

async fn bought(event: Bought, tx: &mut Tx) -> Result<()> {
    let sql = "insert into heard (round, key, number)
               select $1, $2, $3 where not exists (select from poison where key = $2)";
    match tx.execute(sql, &[&event.round, &event.key, &event.number]).await? {
        0 => Err(Error::other("the key is poisoned")),
        _ => Ok(()),
    }
}

async fn reserve(command: Reserve, tx: &mut Tx) -> Result<()> {
    let sql = "with taken as (
                 update shelf set pieces = pieces - 1 where item = $2 and pieces > 0 returning item
               )
               insert into reserved (purchase, item) select $1, item from taken";
    match tx.execute(sql, &[&command.purchase, &command.item]).await? {
        0 => Err(refuse("out_of_stock", "nothing is left of it")),
        _ => Ok(()),
    }
}

async fn release(command: Release, tx: &mut Tx) -> Result<()> {
    let sql = "with gone as (delete from reserved where purchase = $1 returning item)
               update shelf s set pieces = s.pieces + 1 from gone g where s.item = g.item";
    tx.execute(sql, &[&command.purchase]).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    Service::open(include_str!("../../sagas/store/freehold.toml"))?
        .on(bought)
        .obey(reserve)
        .obey(release)
        .run()
        .await
}
