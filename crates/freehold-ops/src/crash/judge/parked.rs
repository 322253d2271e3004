//! No key is set aside.

use anyhow::Result;

use super::{Court, FINDINGS_MAX, Finding, has, symptom};

pub(super) async fn check(court: &Court) -> Result<Vec<Finding>> {
    if !has(&court.admin, "freehold.parked_key").await? {
        return Ok(Vec::new());
    }
    let rows = court
        .admin
        .query(
            "select producer, topic, key, state, attempts, error
             from freehold.parked_key
             order by since
             limit $1",
            &[&(FINDINGS_MAX as i64)],
        )
        .await?;
    let found = rows.iter().map(|row| {
        let (producer, topic, state): (String, String, String) = (row.get(0), row.get(1), row.get(3));
        let (attempts, error): (i32, String) = (row.get(4), row.get(5));
        let detail = format!("its messages of {topic} from {producer} are {state} after {attempts} attempts: {error}");
        Finding::new(symptom::STUCK, "parked", &court.service.name, detail).about(row.get::<_, String>(2))
    });
    Ok(found.collect())
}
