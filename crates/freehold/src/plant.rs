//! Defects planted on purpose, so that the tests which must find them are seen to: feature `plant`, never in a released build.
//!
//! The environment variable `FREEHOLD_PLANT` names the one that is planted.
//!
//! | Name | What is wrong then |
//! | --- | --- |
//! | `command-not-recognised` | a participant does not recognise a command that it has obeyed |
//! | `reply-not-stored` | a participant keeps its answers in memory until its next messages, and swallows a repeat |
//! | `compensation-not-idempotent` | a participant does not recognise a compensation that it has carried out |
//! | `no-tombstone` | a compensation that comes first leaves nothing, and its step takes effect when it comes |
//! | `acknowledge-before-effect` | the cursor is committed before the handlers run |
//! | `cursor-outside-transaction` | the handlers' effects are committed before the cursor |
//! | `no-version-gate` | a copy takes older rows, and the feed brings some late |
//! | `position-before-sequenced` | a read waits for what was in the log before the write that it names was |
//! | `checkpoint-outside-transaction` | a projection's fold is committed before its checkpoint |
//! | `swap-before-catch-up` | a rebuild ends without the events that came while it ran |
//! | `payment-without-idempotency-key` | every attempt of a call has another id |
//! | `key-outside-transaction` | what a client sent under an idempotency key is committed before the key is stored |
//! | `subject-not-set` | a request's transaction is begun without a word about who is asking |
//! | `subject-outlives-transaction` | who is asking stays on the connection when the transaction is over |
//! | `offset-paging` | a list that was cut links to a number of rows, not to the last row |

/// The variable.
#[cfg(feature = "plant")]
const VARIABLE: &str = "FREEHOLD_PLANT";

/// How long the two halves of what should be one transaction stand apart: long enough that a death at random falls between
/// them now and then.
#[cfg(feature = "plant")]
const GAP: std::time::Duration = std::time::Duration::from_millis(30);

/// Whether this defect is planted.
#[cfg(feature = "plant")]
pub(crate) fn is(name: &str) -> bool {
    static PLANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let planted = PLANTED.get_or_init(|| std::env::var(VARIABLE).ok());
    planted.as_deref() == Some(name) || crate::interfere::is_planted(name)
}

/// Nothing is planted.
#[cfg(not(feature = "plant"))]
pub(crate) const fn is(_name: &str) -> bool {
    false
}

/// Between the two halves.
#[cfg(feature = "plant")]
pub(crate) async fn gap() {
    tokio::time::sleep(GAP).await;
}

/// Never reached.
#[cfg(not(feature = "plant"))]
pub(crate) async fn gap() {}

/// Answers that a participant keeps in memory, under `reply-not-stored`: topic, type, key, body.
#[cfg(feature = "plant")]
static UNSENT: std::sync::Mutex<Vec<[String; 4]>> = std::sync::Mutex::new(Vec::new());

/// Keeps an answer in memory.
pub(crate) fn keep(answer: [String; 4]) {
    #[cfg(feature = "plant")]
    if let Ok(mut unsent) = UNSENT.lock() {
        unsent.push(answer);
    }
    #[cfg(not(feature = "plant"))]
    let _ = answer;
}

/// The answers kept so far.
pub(crate) fn kept() -> Vec<[String; 4]> {
    #[cfg(feature = "plant")]
    return UNSENT
        .lock()
        .map(|mut unsent| std::mem::take(&mut *unsent))
        .unwrap_or_default();
    #[cfg(not(feature = "plant"))]
    Vec::new()
}
