//! The log against its own chain, and against who has seen it.

use std::collections::BTreeMap;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::report::{Finding, What};
use super::verify::Progress;
use super::witness::Claim;
use crate::events::Database;

/// Messages of one statement: some tenths of a second, after which progress can be told.
const BATCH: i64 = 100_000;

/// Positions that are named of one batch and one kind: whoever altered more has altered all of it.
const NAMED_MAX: usize = 100;

/// Claims that are compared in one statement.
const CLAIMS: usize = 1_000;

/// The end of a log.
pub(super) struct Head {
    pub(super) epoch: i32,
    pub(super) position: i64,
    pub(super) hash: Vec<u8>,
}

/// Walks the whole log: every link, every predecessor within a topic, every time, and the head. Returns the head.
///
/// # Errors
/// What the database says.
pub(super) async fn walk(
    database: &Database,
    found: &mut Vec<Finding>,
    told: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Head> {
    let heads = database
        .rows("select h.epoch, h.position, h.hash from freehold.log_head h", &[])
        .await?;
    let head = heads.first().map_or_else(
        || Head {
            epoch: 0,
            position: 0,
            hash: Vec::new(),
        },
        |row| Head {
            epoch: row.get(0),
            position: row.get(1),
            hash: row.get(2),
        },
    );
    let mut end = Head {
        epoch: head.epoch,
        position: 0,
        hash: Sha256::digest("").to_vec(),
    };
    let mut topics = BTreeMap::new();
    loop {
        let row = database.row(&chain(), &[&end.position, &end.hash]).await?;
        let Some(last) = row.get::<_, Option<i64>>(0) else {
            break;
        };
        for position in row.get::<_, Option<Vec<i64>>>(3).unwrap_or_default() {
            found.push(Finding::of_log(
                What::LogChanged,
                position,
                "the message, or the hash of the one before it, is not what was written",
            ));
        }
        let gaps = row.get::<_, Option<Vec<i64>>>(4).unwrap_or_default();
        let behind = row.get::<_, Option<Vec<i64>>>(5).unwrap_or_default();
        for (position, behind) in gaps.into_iter().zip(behind) {
            let detail = format!("the messages from {} to {} are gone", behind + 1, position - 1);
            found.push(Finding::of_log(What::LogGap, behind + 1, detail));
        }
        for position in row.get::<_, Option<Vec<i64>>>(6).unwrap_or_default() {
            found.push(Finding::of_log(
                What::LogChanged,
                position,
                "the time is not that of the message's id",
            ));
        }
        topics_of(database, end.position, last, &mut topics, found).await?;
        end = Head {
            epoch: row.get(1),
            position: last,
            hash: row.get(2),
        };
        told(Progress {
            service: &database.service,
            done: last,
            of: head.position.max(last),
        });
    }
    if (head.epoch, head.position, &head.hash) != (end.epoch, end.position, &end.hash) {
        let detail = format!(
            "the head says epoch {} and position {}, the log ends at epoch {} and position {}{}",
            head.epoch,
            head.position,
            end.epoch,
            end.position,
            if head.hash == end.hash {
                ""
            } else {
                " with another hash"
            }
        );
        found.push(Finding::of_log(What::LogHead, end.position, detail));
    }
    last_of_topics(database, &topics, found).await?;
    Ok(end)
}

/// Of the messages after `$1`, whose hash is `$2`: the last, its epoch and hash, those that do not follow, those after a gap
/// with what stands before it, those whose time is not their id's.
fn chain() -> String {
    format!(
        "with batch as materialized (
           select l.* from freehold.log l where l.position > $1 order by l.position limit {BATCH}
         ),
         linked as (
           select
             s.position, s.hash, s.id, s.time,
             coalesce(lag(s.hash) over w, $2) as before,
             coalesce(lag(s.position) over w, $1) as behind,
             sha256(convert_to(
               concat_ws(e'\\n', s.epoch, s.position, s.prev, s.id, s.type, s.version,
                         octet_length(s.key), s.key, octet_length(s.payload::text), s.payload::text),
               'UTF8')) as content
           from batch s
           window w as (order by s.position)
         ),
         judged as (
           select
             l.position, l.behind,
             l.position = l.behind + 1 as follows,
             l.hash is not distinct from sha256(l.before || l.content) as linked,
             ('x' || left(replace(l.id::text, '-', ''), 12))::bit(48)::bigint
               = floor(extract(epoch from l.time) * 1000)::bigint as timed
           from linked l
         )
         select
           max(j.position),
           (select s.epoch from batch s order by s.position desc limit 1),
           (select s.hash from batch s order by s.position desc limit 1),
           (array_agg(j.position order by j.position) filter (where j.follows and not j.linked))[1:{NAMED_MAX}],
           (array_agg(j.position order by j.position) filter (where not j.follows))[1:{NAMED_MAX}],
           (array_agg(j.behind order by j.position) filter (where not j.follows))[1:{NAMED_MAX}],
           (array_agg(j.position order by j.position) filter (where not j.timed))[1:{NAMED_MAX}]
         from judged j"
    )
}

/// The topic is not hashed; but each message names its topic's previous one, which is.
async fn topics_of(
    database: &Database,
    after: i64,
    upto: i64,
    topics: &mut BTreeMap<String, i64>,
    found: &mut Vec<Finding>,
) -> Result<()> {
    let sql = format!(
        "select
           t.topic, min(t.position), max(t.position),
           min(t.prev) filter (where t.behind is null),
           (array_agg(t.position order by t.position) filter (where t.prev <> t.behind))[1:{NAMED_MAX}]
         from (
           select l.topic, l.position, l.prev, lag(l.position) over (partition by l.topic order by l.position) as behind
           from freehold.log l
           where l.position > $1 and l.position <= $2
         ) t
         group by t.topic"
    );
    let odd = |position| {
        Finding::of_log(
            What::LogChanged,
            position,
            "the message is not on the topic that it was written to",
        )
    };
    for row in database.rows(&sql, &[&after, &upto]).await? {
        let (topic, first, last, prev): (String, i64, i64, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let behind = topics.insert(topic, last).unwrap_or(0);
        if behind != prev {
            found.push(odd(first));
        }
        let others = row.get::<_, Option<Vec<i64>>>(4).unwrap_or_default();
        found.extend(others.into_iter().map(odd));
    }
    Ok(())
}

async fn last_of_topics(database: &Database, topics: &BTreeMap<String, i64>, found: &mut Vec<Finding>) -> Result<()> {
    let rows = database
        .rows("select t.topic, t.position from freehold.topic t", &[])
        .await?;
    let said: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for topic in said
        .keys()
        .chain(topics.keys().filter(|topic| !said.contains_key(*topic)))
    {
        let (said, last) = (
            said.get(topic).copied().unwrap_or(0),
            topics.get(topic).copied().unwrap_or(0),
        );
        if said != last {
            let detail = format!("the last message of topic {topic} should be at {said} and is at {last}");
            found.push(Finding::of_log(What::LogChanged, said.max(last), detail));
        }
    }
    Ok(())
}

/// Compares the log with what others have seen of it; returns the last position that agrees.
///
/// # Errors
/// What the database says.
pub(super) async fn compare(
    database: &Database,
    end: &Head,
    claims: &[Claim],
    found: &mut Vec<Finding>,
) -> Result<i64> {
    let (mut agreed, mut differs): (i64, Option<&Claim>) = (0, None);
    for some in claims.chunks(CLAIMS) {
        let positions: Vec<i64> = some.iter().map(|claim| claim.position).collect();
        let rows = database
            .rows(
                "select l.epoch, l.hash
                 from unnest($1::bigint[]) with ordinality c(position, place)
                 left join freehold.log l on l.position = c.position
                 order by c.place",
                &[&positions],
            )
            .await?;
        for (claim, row) in some.iter().zip(&rows) {
            let there = (row.get::<_, Option<i32>>(0), row.get::<_, Option<Vec<u8>>>(1));
            if there == (Some(claim.epoch), Some(claim.hash.clone())) {
                agreed = agreed.max(claim.position);
            } else if differs.is_none_or(|known| claim.position < known.position) {
                differs = Some(claim);
            }
        }
    }
    // The highest of those that the log does not reach tells most; the lowest that differs tells where.
    let beyond = claims.iter().filter(|claim| claim.position > end.position);
    if let Some(claim) = beyond.max_by_key(|claim| claim.position) {
        let detail = format!(
            "{} has seen position {}, and the log ends at {}",
            claim.by, claim.position, end.position
        );
        found.push(Finding::of_log(What::LogCut, end.position + 1, detail));
    }
    if let Some(claim) = differs.filter(|claim| claim.position <= end.position) {
        let since = if agreed < claim.position { agreed + 1 } else { 1 };
        let detail = format!(
            "{} has seen another log at position {}: it was written anew somewhere from position {since} on",
            claim.by, claim.position
        );
        found.push(Finding::of_log(What::LogRewritten, claim.position, detail));
    }
    Ok(agreed)
}
