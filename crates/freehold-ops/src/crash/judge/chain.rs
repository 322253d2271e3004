//! The log is whole: every position once, the chain of hashes unbroken, each topic's links right.

use anyhow::Result;

use super::{Court, FINDINGS_MAX, Finding, symptom};

const CHECK: &str = "chain";

pub(super) async fn check(court: &Court) -> Result<Vec<Finding>> {
    let service = &court.service.name;
    let row = court
        .admin
        .query_one(
            "select
               h.position,
               (select count(*) from freehold.log),
               (select coalesce(max(l.position), 0) from freehold.log l),
               freehold.broken_link(0, h.position)
             from freehold.log_head h",
            &[],
        )
        .await?;
    let (head, count, last): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let broken: Option<i64> = row.get(3);
    let mut found = Vec::new();
    if count < head || last != head {
        let detail = format!("the log's head is {head}, its last position {last}, and it holds {count} messages");
        found.push(Finding::new(symptom::LOST, CHECK, service, detail));
    }
    if let Some(position) = broken {
        let at = court
            .admin
            .query_opt("select key from freehold.log where position = $1", &[&position])
            .await?;
        let detail = format!("position {position} of the log does not hash to what stands there: it was changed");
        let mut finding = Finding::new(symptom::DISAGREE, CHECK, service, detail);
        finding.key = at.map(|row| row.get(0));
        found.push(finding);
    }
    let unlinked = court
        .admin
        .query(
            "select position, topic, key, prev, before
             from (
               select l.*, lag(l.position, 1, 0::bigint) over (partition by l.topic order by l.position) as before
               from freehold.log l
             ) p
             where prev <> before
             order by position
             limit $1",
            &[&(FINDINGS_MAX as i64)],
        )
        .await?;
    found.extend(unlinked.iter().map(|row| {
        let (position, topic, key): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        let (prev, before): (i64, i64) = (row.get(3), row.get(4));
        let detail = format!("position {position} follows {before} on {topic} and names {prev} as its predecessor");
        Finding::new(symptom::OUT_OF_ORDER, CHECK, service, detail).about(key)
    }));
    Ok(found)
}
