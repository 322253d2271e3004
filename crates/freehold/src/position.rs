//! What a write published, by name: `product@1.58734`. A client takes it from one answer to another request.
//!
//! A write's place in the log is not known when it commits: the sequencer gives it some milliseconds later, and waiting for that
//! would cost every write a round of it. So a position names the epoch of the log and the transaction, which says exactly what was
//! published; its place is asked for when somebody waits for it (`docs/decisions/0018-causal-reads.md`).

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};

/// The header of an answer to a write.
pub(crate) const FREEHOLD_POSITION: HeaderName = HeaderName::from_static("freehold-position");

/// The transaction a write was committed in. Put into the extensions of an answer, it becomes the header
/// `Freehold-Position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transaction(pub(crate) u64);

/// A transaction of a service, in an epoch of its log.
///
/// As a part of an axum answer it is the header `Freehold-Position`: `(tx.commit_at().await?, Json(…))`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    service: String,
    epoch: i32,
    transaction: u64,
}

/// A text is not of the form `<service>@<epoch>.<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form <service>@<epoch>.<number>")]
pub struct Malformed;

impl Position {
    pub(crate) fn new(service: &str, epoch: i32, transaction: u64) -> Self {
        Self {
            service: service.to_owned(),
            epoch,
            transaction,
        }
    }

    /// The service that wrote.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The epoch of its log: a restored database has a higher one.
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The id of its transaction, as `pg_current_xact_id()` gives it.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        self.transaction
    }

    /// Puts it into an answer's headers.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        // A service's name is an identifier, which every header can hold.
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.insert(FREEHOLD_POSITION, value);
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}.{}", self.service, self.epoch, self.transaction)
    }
}

impl FromStr for Position {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (service, place) = text.split_once('@').ok_or(Malformed)?;
        let (epoch, transaction) = place.split_once('.').ok_or(Malformed)?;
        if service.is_empty()
            || !service
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        {
            return Err(Malformed);
        }
        Ok(Self {
            service: service.to_owned(),
            epoch: i32::try_from(counted(epoch)?).map_err(|_| Malformed)?,
            transaction: counted(transaction)?,
        })
    }
}

/// A number from 1 on, of digits alone and without zeros before it: a position has one text.
fn counted(text: &str) -> Result<u64, Malformed> {
    if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed);
    }
    text.parse().map_err(|_| Malformed)
}

impl IntoResponseParts for Position {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        self.stamp(parts.headers_mut());
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position = Position::new("product", 1, u64::MAX);
        assert_eq!(position.to_string(), "product@1.18446744073709551615");
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn other_texts_are_no_positions() {
        for text in [
            "",
            "product",
            "product@",
            "product@1",
            "product@1.",
            "product@.5",
            "@1.5",
            "product@0.5",
            "product@1.0",
            "product@01.5",
            "product@1.05",
            "product@1.+5",
            "product@1.5 ",
            "product@-1.5",
            "product@1.5.6",
            "product@1.18446744073709551616",
            "product@2147483648.5",
            "pro duct@1.5",
            "größe@1.5",
        ] {
            assert_eq!(text.parse::<Position>(), Err(Malformed), "{text}");
        }
    }
}
