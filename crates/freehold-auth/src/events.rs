//! What the auth service tells every service that subscribes. No event holds an address or a name.
//!
//! The key of each is the user's id, and so is `subject`, as in a token. They are told in the transaction that made them.

use freehold::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident = $event:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct $name {
            /// The account.
            pub subject: Uuid,
        }

        impl Event for $name {
            const NAME: &'static str = $event;
        }
    )*};
}

facts! {
    /// Somebody registered; nobody has confirmed the address yet.
    Registered = "auth.registered";
    /// The address is confirmed: from now on its owner can log in.
    Verified = "auth.verified";
    /// The account has another address, which is confirmed.
    EmailChanged = "auth.email_changed";
    /// The password was changed or reset.
    PasswordChanged = "auth.password_changed";
    /// The account is gone.
    Deleted = "auth.deleted";
}

/// Sessions were ended: access tokens of the account that were issued before are not accepted any more.
///
/// Sessions that go on renew theirs by a refresh.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionsEnded {
    /// The account.
    pub subject: Uuid,
    /// Seconds since 1970: a token whose `iat` is lower is refused.
    pub not_before: i64,
}

impl Event for SessionsEnded {
    const NAME: &'static str = "auth.sessions_ended";
}
