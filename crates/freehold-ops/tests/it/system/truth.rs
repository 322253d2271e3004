//! Whether copies, cached names and logs are what they should be, value by value, over the walls between databases.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use freehold_manifest::model::Copy;

use super::shop::Shop;
use super::sql::Sql;
use super::wait_until;

/// The longest that copies may take to follow once nobody writes: a lease of a killed instance lasts 10 s, and a
/// machine under test is slow.
const FOLLOW_MAX: Duration = Duration::from_secs(60);

/// Rows that differ, as many as a message shows.
const SHOWN: usize = 5;

/// A table's rows by key: each value as PostgreSQL writes it, the version last.
type Rows = BTreeMap<String, Vec<Option<String>>>;

impl Shop {
    /// Every copy of the system as `(service, copy)`.
    fn copies(&self) -> Result<Vec<(String, Copy)>> {
        let system = self.system()?;
        let each = system.services.into_iter();
        Ok(each
            .flat_map(|s| s.copies.into_iter().map(move |copy| (s.name.clone(), copy)))
            .collect())
    }

    /// Waits until every subscriber has heard everything that was said.
    pub(super) async fn caught_up(&self) -> Result<Duration> {
        let copies = self.copies()?;
        wait_until("every cursor stands at its topic's end", FOLLOW_MAX, async || {
            for (service, copy) in &copies {
                match self.behind(service, copy).await {
                    Ok(None) => {}
                    Ok(Some(behind)) => return Err(behind),
                    Err(error) => return Err(format!("{error:#}")),
                }
            }
            Ok(())
        })
        .await
    }

    /// What a copy has not heard yet, if anything.
    async fn behind(&self, service: &str, copy: &Copy) -> Result<Option<String>> {
        let owner = self.sql(&copy.of.service).await?;
        let waiting = owner.number("select count(*) from freehold.outbox").await?;
        let said = owner
            .number(&format!(
                "select coalesce(max(position), 0) from freehold.topic where topic = '{}'",
                copy.of
            ))
            .await?;
        let heard = self
            .sql(service)
            .await?
            .number(&format!(
                "select coalesce(max(u.seen), -1)
                 from freehold.cursor u
                 join freehold.copy c on (c.producer, c.topic) = (u.producer, u.topic)
                 where c.name = '{}' and c.state = 'live'",
                copy.name
            ))
            .await?;
        if waiting == 0 && heard == said {
            return Ok(None);
        }
        Ok(Some(format!(
            "{service}.{} has heard {heard} of {said}, {waiting} wait in the outbox of {}",
            copy.name, copy.of.service
        )))
    }

    /// Compares a copy with its owner by a full join; returns how many rows agree.
    pub(super) async fn agree(&self, service: &str, copy: &str) -> Result<usize> {
        let manifest = self.manifest(service)?;
        let found = manifest.copies.iter().find(|c| c.name == copy).context("a copy")?;
        self.agrees(service, found).await
    }

    async fn agrees(&self, service: &str, copy: &Copy) -> Result<usize> {
        let theirs = self
            .sql(&copy.of.service)
            .await?
            .keyed(&copy.of.table, &copy.columns)
            .await?;
        let ours = self.sql(service).await?.keyed(&copy.name, &copy.columns).await?;
        let differ = differences(&theirs, &ours);
        ensure!(
            differ.is_empty(),
            "{service}.{} differs from {} in {} of {} rows: {:?}",
            copy.name,
            copy.of,
            differ.len(),
            theirs.len(),
            &differ[..differ.len().min(SHOWN)]
        );
        Ok(ours.len())
    }

    /// Compares every copy of the system; returns the rows that agree.
    pub(super) async fn all_agree(&self) -> Result<usize> {
        let mut rows = 0;
        for (service, copy) in self.copies()? {
            rows += self.agrees(&service, &copy).await?;
        }
        Ok(rows)
    }

    /// How many order lines name their product otherwise than the product service does; lines of products that are
    /// gone keep the name they had. Also how many lines were compared.
    pub(super) async fn differing_names(&self) -> Result<(usize, usize)> {
        let products = self
            .sql("product")
            .await?
            .pairs("select id::text, name from products")
            .await?;
        let products: BTreeMap<_, _> = products.into_iter().collect();
        let lines = self
            .sql("order")
            .await?
            .pairs("select product_id_ref::text, product_name from order_items")
            .await?;
        let compared: Vec<_> = lines
            .iter()
            .filter_map(|(product, name)| Some((products.get(product)?, name)))
            .collect();
        let differing = compared.iter().filter(|(now, shown)| *now != *shown).count();
        Ok((differing, compared.len()))
    }

    /// How many reviews name their author otherwise than the user service does, or name one that is gone.
    pub(super) async fn differing_reviewers(&self) -> Result<usize> {
        let users = self
            .sql("user")
            .await?
            .pairs("select id::text, first_name from users")
            .await?;
        let users: BTreeMap<_, _> = users.into_iter().collect();
        let reviews = self
            .sql("product")
            .await?
            .pairs("select coalesce(user_id_ref::text, ''), coalesce(reviewer_name, '') from product_reviews")
            .await?;
        Ok(reviews
            .iter()
            .filter(|(author, name)| users.get(author).map_or("", String::as_str) != name)
            .count())
    }

    /// Fails unless a service's log has every position once, its chain holds and each topic's links are right;
    /// returns its length.
    pub(super) async fn log_is_whole(&self, service: &str) -> Result<i64> {
        let sql = self.sql(service).await?;
        let row = sql
            .row(
                "select h.position,
                        (select count(*) from freehold.log),
                        (select coalesce(max(l.position), 0) from freehold.log l),
                        freehold.broken_link(0, h.position),
                        (select count(*)
                         from (select l.prev, lag(l.position, 1, 0::bigint) over (partition by l.topic order by l.position) as before
                               from freehold.log l) p
                         where p.prev <> p.before),
                        (select count(*) from (select from freehold.log l group by l.topic, l.key, l.version having count(*) > 1) d)
                 from freehold.log_head h",
            )
            .await?;
        let (head, count, last): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        ensure!(
            head == count && head == last,
            "{service}: head {head}, {count} messages, last position {last}"
        );
        let broken: Option<i64> = row.get(3);
        ensure!(broken.is_none(), "{service}: the chain breaks at {broken:?}");
        let unlinked: i64 = row.get(4);
        ensure!(unlinked == 0, "{service}: {unlinked} messages name a wrong predecessor");
        let doubled: i64 = row.get(5);
        ensure!(doubled == 0, "{service}: {doubled} versions of a row were told twice");
        Ok(head)
    }

    /// As [`Shop::log_is_whole`], for every service; returns the messages of all.
    pub(super) async fn logs_are_whole(&self) -> Result<i64> {
        let mut messages = 0;
        for service in super::folder::SERVICES {
            messages += self.log_is_whole(service).await?;
        }
        Ok(messages)
    }
}

impl Sql {
    /// The columns of a table with its versions, by key; the shop's published tables have the key `id`.
    async fn keyed(&self, table: &str, columns: &[String]) -> Result<Rows> {
        let list: String = columns.iter().map(|c| format!("{c}::text, ")).collect();
        let found = self
            .rows(&format!("select id::text, {list}version::text from {table}"), &[])
            .await?;
        Ok(found
            .iter()
            .map(|row| (row.get(0), (1..row.len()).map(|place| row.get(place)).collect()))
            .collect())
    }

    async fn pairs(&self, statement: &str) -> Result<Vec<(String, String)>> {
        let rows = self.rows(statement, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// The keys that only one side has, or that both have with other values.
fn differences(theirs: &Rows, ours: &Rows) -> Vec<String> {
    let missing = theirs
        .iter()
        .filter(|(key, row)| ours.get(*key) != Some(*row))
        .map(|(key, row)| format!("{key}: owner {row:?}, copy {:?}", ours.get(key)));
    let extra = ours
        .keys()
        .filter(|key| !theirs.contains_key(*key))
        .map(|key| format!("{key}: only in the copy"));
    missing.chain(extra).collect()
}

#[test]
fn a_row_that_is_other_missing_or_extra_is_a_difference() {
    let rows = |list: &[(&str, &str)]| -> Rows {
        list.iter()
            .map(|(key, value)| ((*key).to_owned(), vec![Some((*value).to_owned())]))
            .collect()
    };
    let owner = rows(&[("a", "1"), ("b", "1"), ("c", "1")]);
    assert_eq!(differences(&owner, &owner), Vec::<String>::new());
    assert_eq!(
        differences(&owner, &rows(&[("a", "1"), ("b", "2"), ("d", "1")])).len(),
        3
    );
}
