//! The versions of a key rise from message to message.

use anyhow::Result;

use super::{Court, FINDINGS_MAX, Finding, symptom};

pub(super) async fn check(court: &Court) -> Result<Vec<Finding>> {
    let rows = court
        .admin
        .query(
            "select position, topic, key, version, before
             from (
               select l.*, lag(l.version) over (partition by l.topic, l.key order by l.position) as before
               from freehold.log l
             ) v
             where version <= before
             order by position
             limit $1",
            &[&(FINDINGS_MAX as i64)],
        )
        .await?;
    let found = rows.iter().map(|row| {
        let (position, topic, key): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        let (version, before): (i64, i64) = (row.get(3), row.get(4));
        let symptom = match version == before {
            true => symptom::DOUBLED,
            false => symptom::OUT_OF_ORDER,
        };
        let detail = format!("position {position} of {topic} has version {version} after version {before}");
        Finding::new(symptom, "order", &court.service.name, detail).about(key)
    });
    Ok(found.collect())
}
