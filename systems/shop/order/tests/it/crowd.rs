//! Many at once.

use anyhow::Result;
use futures_util::future::try_join_all;

use crate::shop::{Shop, text};

#[tokio::test]
async fn of_fifty_buyers_of_the_last_ten_pieces_ten_get_one() -> Result<()> {
    let shop = Shop::open().await?;
    let last = shop.product("The last of its kind", 9.9, 10).await?;
    let line = [(last, 1)];
    let told = try_join_all((0..50).map(|_| shop.placed(&line))).await?;
    let count = |status: &str| told.iter().filter(|t| text(t, "/order/status") == status).count();
    assert_eq!((count("confirmed"), count("rejected")), (10, 40));
    shop.stock_is(last, 0, 0).await?;
    assert_eq!(shop.provider().totals().payments, 10);
    Ok(())
}
