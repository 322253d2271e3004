//! A planted defect: with `no-version-gate` the message before last of a key comes once more after the last.
//!
//! The installer leaves the gate out of the copies' functions (`install::copies`). As long as every message comes once and in
//! order that shows nowhere, so this brings the late ones that the gate is there for.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::Copies;
use crate::error::Result;
use crate::install::derived;
use crate::pg::{ident, place};
use crate::plant;
use crate::subscription::{Heard, Subscription};

/// A message as the copy's function takes it.
#[derive(Clone)]
struct Older {
    data: String,
    version: i64,
    removed: bool,
}

/// By subscriber's schema and producer, topic and key: what was heard last. A test system's keys are few.
static LAST: LazyLock<Mutex<HashMap<[String; 4], Older>>> = LazyLock::new(Mutex::default);

impl Copies {
    pub(super) async fn hear_older_ones_late(&self, of: &Subscription, heard: &Heard<'_>) -> Result<()> {
        if !plant::is("no-version-gate") {
            return Ok(());
        }
        for message in &heard.messages {
            let Some(copy) = self.sources.iter().find(|copy| copy.topic == message.topic) else {
                continue;
            };
            let key = [&copy.name, &of.peer.service, &copy.topic, &*message.subject].map(str::to_owned);
            let newest = Older {
                data: format!("[{}]", message.data.get()),
                version: message.version,
                removed: message.is_deletion(),
            };
            let older = LAST.lock().unwrap_or_else(PoisonError::into_inner).insert(key, newest);
            let Some(older) = older.filter(|older| !older.removed) else {
                continue;
            };
            let function = ident::quote(&derived("apply", &copy.name));
            let sql = format!("select freehold.{function}($1::text::json, $2, $3, $4)");
            let client = of.pool.get().await?;
            let keys = [&*message.subject];
            let (keys, versions, removed) = (keys.as_slice(), [older.version], [older.removed]);
            client
                .query_one(
                    &*place(&sql, &of.freehold),
                    &[&older.data, &keys, &versions.as_slice(), &removed.as_slice()],
                )
                .await?;
        }
        Ok(())
    }
}
