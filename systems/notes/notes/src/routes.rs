//! The routes beside the entity API: edit a note, list its edits, read it as it was.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use freehold::entity::problem::Problem;
use freehold::{App, Error, ExpectedVersion, NewEvent, Subject, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::edit::{self, Appended, TEXT_BYTES_MAX, Text, Written};

/// Edits of one list.
const EDITS_MAX: i64 = 1_000;

/// All of them.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/notes/{id}/edits", post(write).get(list))
        .route("/notes/{id}/at", get(at))
        .method_not_allowed_fallback(|| async {
            let detail = "this path has other methods: see Allow";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "wrong_method", detail).into_response()
        })
}

/// Why a request is not answered as it was meant.
enum No {
    Problem(Problem),
    Fault(Error),
}

type Answered = Result<Response, No>;

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Fault(error) => error.into_response(),
        }
    }
}

/// One edit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Edit {
    /// The whole text anew.
    Write(String),
    /// Something more at its end.
    Append(String),
}

/// `POST /notes/{id}/edits` with `If-Match: "<version>"`: 412 shows what the note says now and what was edited.
async fn write(
    subject: Subject,
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let note = known(&id)?;
    let expected = expected(&headers)?;
    let edit: Edit = serde_json::from_slice(&body).map_err(|error| Problem::body(error.to_string()))?;
    let mut tx = app.begin_as(&subject).await?;
    let written = carry_out(&mut tx, &subject, note, expected, edit).await;
    match written {
        Ok(version) => {
            tx.commit().await?;
            let tag = [(header::ETAG, tag(version))];
            Ok((StatusCode::CREATED, tag, Json(json!({ "version": version }))).into_response())
        }
        Err(No::Fault(Error::Conflict { .. })) => {
            tx.rollback().await?;
            Err(conflict(&app, &subject, note, expected).await?.into())
        }
        Err(no) => {
            tx.rollback().await?;
            Err(no)
        }
    }
}

async fn carry_out(tx: &mut Tx, subject: &Subject, note: Uuid, expected: i64, edit: Edit) -> Result<i64, No> {
    if !may_edit(tx, note).await? {
        let detail = format!("note {note} is shared with you for reading");
        return Err(Problem::new(StatusCode::FORBIDDEN, "read-only", "read_only", detail).into());
    }
    let by = subject.id();
    let (event, bytes) = match edit {
        Edit::Write(text) => (NewEvent::of(&Written { text: text.clone(), by })?, text.len()),
        Edit::Append(text) => {
            let before = edit::at(tx, note, expected).await?.map_or(0, |text| text.content.len());
            (NewEvent::of(&Appended { text: text.clone(), by })?, before + text.len())
        }
    };
    if bytes > TEXT_BYTES_MAX {
        let detail = format!("a note has at most {TEXT_BYTES_MAX} bytes of text; this one would have {bytes}");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", "too_long", detail).into());
    }
    let expected = match expected {
        0 => ExpectedVersion::NoStream,
        version => ExpectedVersion::Exact(version),
    };
    Ok(tx.append(&edit::stream(note), expected, &[event]).await?)
}

/// Both versions: the one that was edited, and the one there is.
async fn conflict(app: &App, subject: &Subject, note: Uuid, edited: i64) -> Result<Problem, No> {
    let tx = app.begin_as(subject).await?;
    may_edit(&tx, note).await?;
    let current = tx.load::<Text>(note).await?;
    let yours = edit::at(&tx, note, edited).await?;
    tx.rollback().await?;
    let shown = |version: i64, content: Option<String>| json!({ "version": version, "content": content });
    let detail = format!("note {note} was edited meanwhile: it has version {}", current.version);
    Ok(Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "stale-version",
        "stale_version",
        detail,
    )
    .with_hint("edit the current version, and send it with its version in If-Match")
    .with_member("edited", shown(edited, yours.map(|text| text.content)))
    .with_member("current", shown(current.version, Some(current.state.content)))
    .with_header(header::ETAG, tag(current.version)))
}

/// `GET /notes/{id}/edits`: who edited it when, without the texts.
async fn list(subject: Subject, State(app): State<App>, Path(id): Path<String>) -> Answered {
    let note = known(&id)?;
    let tx = app.begin_as(&subject).await?;
    may_edit(&tx, note).await?;
    let edits = of(&tx, note).await?;
    tx.rollback().await?;
    Ok(Json(edits).into_response())
}

async fn of(tx: &Tx, note: Uuid) -> Result<Vec<Value>, Error> {
    let mut edits = Vec::new();
    let mut events = tx.events(&edit::stream(note), 0);
    while let Some(batch) = events.next(tx).await? {
        for event in batch {
            let body: Value = serde_json::from_str(event.body.get())?;
            edits.push(json!({
                "version": event.version,
                "edit": event.name,
                "by": body["by"],
            }));
        }
        if edits.len() >= usize::try_from(EDITS_MAX).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(edits)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    version: i64,
}

/// `GET /notes/{id}/at?version=3`: what it said then.
async fn at(subject: Subject, State(app): State<App>, Path(id): Path<String>, query: Query<At>) -> Answered {
    let note = known(&id)?;
    let version = query.0.version;
    let tx = app.begin_as(&subject).await?;
    may_edit(&tx, note).await?;
    let text = edit::at(&tx, note, version).await?;
    tx.rollback().await?;
    let Some(text) = text else {
        return Err(not_found(format!("note {note} has no version {version}")).into());
    };
    let body = json!({ "id": note, "version": version, "content": text.content });
    Ok(([(header::ETAG, tag(version))], Json(body)).into_response())
}

/// Whether the subject may edit a note; one that it does not see is not there.
async fn may_edit(tx: &Tx, note: Uuid) -> Result<bool, No> {
    let row = tx
        .query_opt("select may_edit(n.id) from notes n where n.id = $1", &[&note])
        .await?;
    match row {
        Some(row) => Ok(row.get(0)),
        None => Err(not_found(format!("there is no note {note}")).into()),
    }
}

fn expected(headers: &HeaderMap) -> Result<i64, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        let detail = "an edit names the version it was made of: If-Match: \"3\", or \"0\" for the first";
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "unguarded",
            "unguarded",
            detail,
        ));
    };
    let version = value.to_str().ok();
    let version = version.and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    version.filter(|version| *version >= 0).ok_or_else(|| {
        let detail = "If-Match is not one version: If-Match: \"3\"";
        Problem::new(StatusCode::BAD_REQUEST, "bad-version", "bad_version", detail)
    })
}

fn known(id: &str) -> Result<Uuid, Problem> {
    id.parse()
        .map_err(|_| not_found(format!("{id:?} is not the id of a note")))
}

fn not_found(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "not_found", detail)
}

fn tag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}
