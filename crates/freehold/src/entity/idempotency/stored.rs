//! `freehold.idempotency`: keys, what was asked under them, and what it came to.

use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, Json, ToSql, Type, to_sql_checked};

use super::key::Key;
use crate::entity::answer::{self, Answer, Transaction};
use crate::entity::execute::Who;
use crate::entity::fault::{self, Fault};
use crate::entity::receive::Asked;
use crate::entity::session::{Last, Session};
use crate::pg::place;

/// Headers that shape the answer: a request that differs in one is another request.
const SHAPING: [HeaderName; 5] = [
    HeaderName::from_static("prefer"),
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
];

/// The statements around a key, in the service's placement.
#[derive(Debug)]
pub(in crate::entity) struct Keys {
    /// The first half of the advisory locks: the library's schema, for several services may share a database.
    class: i32,
    find: String,
    keep: String,
}

/// What is known of a key.
pub(super) enum Found {
    /// Nothing: the request is to be carried out, and nobody else does.
    Nothing,
    /// Another request holds it at this moment.
    Running,
    /// Another request had it.
    Other,
    /// The answer of the same request.
    Answer(Answer),
}

impl Keys {
    /// Of the library's schema of this name.
    pub(in crate::entity) fn of(freehold: &str) -> Self {
        let find = "select fingerprint, status, headers, body, transaction from freehold.idempotency where key = $1";
        let keep = "insert into freehold.idempotency (key, fingerprint, status, headers, body, transaction)
             values ($1, $2, $3, $4, $5, $6)";
        Self {
            class: half(Sha256::digest(format!("freehold.idempotency\n{freehold}"))),
            find: place(find, freehold).into_owned(),
            keep: place(keep, freehold).into_owned(),
        }
    }

    /// Locks a key to the end of the transaction and looks it up.
    ///
    /// The second statement sees what was committed before the first had its lock: it looks anew.
    pub(super) async fn claim(&self, session: &Session, key: &Key, fingerprint: &[u8; 32]) -> Result<Found, Fault> {
        let (class, object) = (self.class, half(Sha256::digest(key.as_str())));
        let claimed = session.on(async |client| {
            let lock = client
                .prepare_cached("select pg_try_advisory_xact_lock($1, $2)")
                .await?;
            let find = client.prepare_cached(&self.find).await?;
            let name: [&(dyn ToSql + Sync); 2] = [&class, &object];
            let key: [&(dyn ToSql + Sync); 1] = [&key.as_str()];
            let (locked, found) = tokio::join!(
                biased;
                client.query_one(&lock, &name),
                client.query_opt(&find, &key),
            );
            Ok((locked?, found?))
        });
        let (locked, found) = claimed.await?;
        if !locked.get::<_, bool>(0) {
            return Ok(Found::Running);
        }
        let Some(row) = found else {
            return Ok(Found::Nothing);
        };
        if row.get::<_, &[u8]>(0) != fingerprint {
            return Ok(Found::Other);
        }
        match read(&row) {
            Some(answer) => Ok(Found::Answer(answer)),
            None => Err(Fault::Refused(fault::inside(
                "a row of freehold.idempotency is no answer",
            ))),
        }
    }

    /// What stores an answer.
    pub(super) fn keep(&self, key: &Key, fingerprint: &[u8; 32], answer: &Answer) -> Last {
        let transaction = answer.extensions().get::<Transaction>();
        let headers = answer.headers().iter();
        let headers: Vec<_> = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        Last {
            sql: self.keep.clone(),
            params: vec![
                Box::new(key.as_str().to_owned()),
                Box::new(fingerprint.to_vec()),
                Box::new(i32::from(answer.status().as_u16())),
                Box::new(Json(headers)),
                Box::new(Octets(answer.body().clone())),
                Box::new(transaction.and_then(|t| i64::try_from(t.0).ok())),
            ],
        }
    }
}

/// The statement that removes what is older than `$1` hours, `$2` rows at most.
pub(super) fn removal(freehold: &str) -> String {
    let sql = "delete from freehold.idempotency
         where key in (
           select k.key
           from freehold.idempotency k
           where k.created_at < clock_timestamp() - make_interval(hours => $1)
           order by k.created_at
           limit $2
         )";
    place(sql, freehold).into_owned()
}

/// What tells one request from another, in 32 bytes.
pub(super) fn fingerprint(asked: &Asked, who: Who<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    // Each part after its length: no two requests are the same text.
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(asked.method.as_str().as_bytes());
    add(asked.path.as_bytes());
    add(asked.query.as_bytes());
    for name in SHAPING {
        for value in asked.headers.get_all(&name) {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
    }
    add(&asked.body);
    if let Who::Subject(subject) = who {
        add(subject.to_string().as_bytes());
    }
    digest.finalize().into()
}

/// Half of an advisory lock's name.
fn half(digest: impl AsRef<[u8]>) -> i32 {
    let bytes = digest.as_ref().first_chunk().copied();
    i32::from_be_bytes(bytes.unwrap_or_default())
}

fn read(row: &Row) -> Option<Answer> {
    let Json(headers): Json<Vec<(String, String)>> = row.try_get(2).ok()?;
    let body: Vec<u8> = row.try_get(3).ok()?;
    let mut response = Response::new(Bytes::from(body));
    let transaction: Option<i64> = row.try_get(4).ok()?;
    answer::set_transaction(&mut response, transaction.and_then(|t| u64::try_from(t).ok()));
    let status = u16::try_from(row.try_get::<_, i32>(1).ok()?).ok()?;
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, value) in headers {
        let name = HeaderName::try_from(name).ok()?;
        response.headers_mut().append(name, HeaderValue::try_from(value).ok()?);
    }
    Some(response)
}

/// A body as `bytea`, without a copy before it is sent.
#[derive(Debug)]
struct Octets(Bytes);

impl ToSql for Octets {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Method};
    use uuid::Uuid;

    use super::*;
    use crate::access::Subject;

    fn asked() -> Asked {
        Asked {
            method: Method::POST,
            path: "/orders".to_owned(),
            query: "select=id".to_owned(),
            headers: HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("*/*"))]),
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn whatever_shapes_the_answer_is_in_the_fingerprint() {
        let of = |change: fn(&mut Asked)| {
            let mut asked = asked();
            change(&mut asked);
            fingerprint(&asked, Who::Unasked)
        };
        let same = fingerprint(&asked(), Who::Unasked);
        assert_eq!(
            same,
            of(|a| drop(a.headers.insert(header::USER_AGENT, HeaderValue::from_static("x"))))
        );
        let changes: [fn(&mut Asked); 8] = [
            |a| a.method = Method::PATCH,
            |a| a.path.push('s'),
            |a| a.query.push('s'),
            |a| a.body = Bytes::from_static(b"{ }"),
            |a| drop(a.headers.remove(header::ACCEPT)),
            |a| drop(a.headers.insert("prefer", HeaderValue::from_static("return=minimal"))),
            |a| drop(a.headers.insert(header::IF_MATCH, HeaderValue::from_static("*/*"))),
            |a| {
                a.path.clear();
                a.query = "/ordersselect=id".to_owned();
            },
        ];
        let (a, b) = (Subject::of(Uuid::from_u128(1)), Subject::of(Uuid::from_u128(2)));
        let whose = [&a, &b].map(|subject| fingerprint(&asked(), Who::Subject(subject)));
        let mut prints: Vec<_> = changes.into_iter().map(of).chain([same]).chain(whose).collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), 11);
    }
}
