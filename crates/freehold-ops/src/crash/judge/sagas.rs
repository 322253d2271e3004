//! Every saga has ended.

use anyhow::Result;

use super::{Court, FINDINGS_MAX, Finding, has, symptom};

pub(super) async fn check(court: &Court) -> Result<Vec<Finding>> {
    if !has(&court.admin, "freehold.saga").await? {
        return Ok(Vec::new());
    }
    let rows = court
        .admin
        .query(
            "select name, id::text, key, state, coalesce(reason, 'no reason given')
             from freehold.saga
             where state not in ('completed', 'compensated')
             order by started_at
             limit $1",
            &[&(FINDINGS_MAX as i64)],
        )
        .await?;
    let found = rows.iter().map(|row| {
        let (name, id): (String, String) = (row.get(0), row.get(1));
        let (state, reason): (String, String) = (row.get(3), row.get(4));
        let detail = format!("saga {name} {id} is {state}: {reason}");
        Finding::new(symptom::STUCK, "sagas", &court.service.name, detail).about(row.get::<_, String>(2))
    });
    Ok(found.collect())
}
