//! What is answered: statuses, headers, media types, and problems for everything that can go wrong.

use serde_json::{Map, Value, json};

use super::rows::reference;

/// One row, of clients that ask for exactly one.
const OBJECT: &str = "application/vnd.pgrst.object+json";
pub(super) const PROBLEM: &str = "application/problem+json";

/// A refusal that several operations share.
struct Refusal {
    status: u16,
    /// Its name among the components.
    name: &'static str,
    description: &'static str,
    headers: &'static [&'static str],
}

const REFUSALS: &[Refusal] = &[
    refusal(
        300,
        "MultipleChoices",
        "Several are meant: relationships that `select` does not tell apart, or functions of one name. `details` and `hint` list them.",
    ),
    refusal(
        400,
        "BadRequest",
        "The request is not understood, or breaks a rule of the table: an unknown column or operator, a value that its type does not take, a body that is not JSON of rows, a required field that is missing, a limit that is exceeded, a change without a filter.",
    ),
    refusal(403, "Forbidden", "The database does not permit it."),
    refusal(404, "NotFound", "There is no such row, function or page."),
    with_headers(
        405,
        "MethodNotAllowed",
        "This cannot be done here: the method, a PUT whose filters are not the primary key, or a change of rows that are written once.",
        &["Allow"],
    ),
    refusal(
        406,
        "NotAcceptable",
        "None of the accepted media types can be produced; or exactly one row was asked for, and there is another number of them.",
    ),
    refusal(408, "RequestTimeout", "The body did not arrive in time."),
    refusal(
        409,
        "Conflict",
        "It contradicts what is there: a row of the same unique values, a reference to a row that is missing, rows that still refer to this one; the same idempotency key at work; a position of a log that is no more.",
    ),
    with_headers(
        412,
        "PreconditionFailed",
        "The row has changed since it was read; `current_version` is the version it has.",
        &["ETag"],
    ),
    refusal(413, "PayloadTooLarge", "The body is too large."),
    refusal(414, "UriTooLong", "The URL is too long."),
    refusal(
        415,
        "UnsupportedMediaType",
        "The body is neither JSON nor CSV in UTF-8.",
    ),
    with_headers(
        416,
        "RangeNotSatisfiable",
        "The range asked for has no rows, or ends before it begins.",
        &["Content-Range"],
    ),
    refusal(
        422,
        "UnprocessableEntity",
        "It is understood and cannot be done: an id that names no row of another service, a column that follows another, an idempotency key that was used for another request, an answer that is too large to be kept.",
    ),
    refusal(
        428,
        "PreconditionRequired",
        "Rows of this table are changed only under `If-Match`, or with `version` in the body.",
    ),
    with_headers(429, "TooManyRequests", "Too many requests at once.", &["Retry-After"]),
    refusal(
        500,
        "InternalServerError",
        "The service failed; `trace_id` finds the reason in its log.",
    ),
    with_headers(
        503,
        "ServiceUnavailable",
        "Not now: the service is busy, its database does not answer, other writers hold the row, or what a read waits for has not arrived. A write may or may not have been carried out when the connection was lost.",
        &["Retry-After"],
    ),
    refusal(504, "GatewayTimeout", "It took too long, and was stopped."),
];

const fn refusal(status: u16, name: &'static str, description: &'static str) -> Refusal {
    with_headers(status, name, description, &[])
}

const fn with_headers(
    status: u16,
    name: &'static str,
    description: &'static str,
    headers: &'static [&'static str],
) -> Refusal {
    Refusal {
        status,
        name,
        description,
        headers,
    }
}

/// The responses that are components.
pub(super) fn components() -> Value {
    let component = |refusal: &Refusal| {
        let answer = with(
            json!({
                "description": refusal.description,
                "content": { PROBLEM: { "schema": reference("Problem") } },
            }),
            refusal.headers,
        );
        (refusal.name.to_owned(), answer)
    };
    Value::Object(REFUSALS.iter().map(component).collect())
}

/// The schema of every refusal.
pub(super) fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457), with `code`, `message`, `details` and `hint` as PostgREST has them. There may be more members, which name the place: `column`, `constraint`, `table`, `line`, `limit`, `current_version`, `trace_id`.",
        "required": ["type", "title", "status", "detail", "code", "message", "details", "hint"],
        "properties": {
            "type": {
                "type": "string",
                "pattern": "^urn:freehold:problem:[a-z0-9-]+$",
                "description": "The kind of problem: what a program decides by.",
            },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer", "minimum": 300, "maximum": 599 },
            "detail": { "type": "string", "description": "Message, details and hint in one text for people." },
            "code": { "type": "string", "description": "PostgREST's code, PostgreSQL's, or one of ours (FH…)." },
            "message": { "type": "string" },
            "details": { "type": ["string", "null"] },
            "hint": { "type": ["string", "null"], "description": "What to do about it." },
        },
        "additionalProperties": true,
    })
}

/// The headers that are components.
pub(super) fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "Allow": header("The methods that are answered here.", text()),
        "Content-Range": header(
            "Which rows these are, of how many where that was asked for: `0-24/3573`, `0-24/*`, `*/0`.",
            json!({ "type": "string", "pattern": r"^([0-9]+-[0-9]+|\*)/([0-9]+|\*)$" }),
        ),
        "ETag": header(
            "The version of the one row that was asked for. Sent back as `If-Match`, it guards a change; as `If-None-Match`, it saves an answer.",
            json!({ "type": "string", "pattern": r#"^"[^"]*"$"# }),
        ),
        "Freehold-Position": header(
            "The place in this service's log at which the write can be seen; another service waits for it by `Freehold-At-Least`.",
            json!({ "type": "string", "pattern": r"^[a-z][a-z0-9_]*@[1-9][0-9]*\.[1-9][0-9]*$" }),
        ),
        "Freehold-Rows-Limit": header(
            "The list was cut at this number of rows, although more was asked for.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        "Idempotency-Replayed": header(
            "`true` where the answer is the one that was kept under the key.",
            json!({ "const": "true" }),
        ),
        "Link": header("The next page of a list that was cut: `<…>; rel=\"next\"`.", text()),
        "Location": header("Where the new row is.", text()),
        "Preference-Applied": header("The preferences that were followed.", text()),
        "Retry-After": header("Seconds to wait.", json!({ "type": "integer", "minimum": 0 })),
    })
}

/// Adds headers to an answer.
pub(super) fn with(mut answer: Value, names: &[&str]) -> Value {
    if !names.is_empty() {
        let named = names.iter().map(|name| {
            let of = json!({ "$ref": format!("#/components/headers/{name}") });
            ((*name).to_owned(), of)
        });
        answer["headers"] = Value::Object(named.collect());
    }
    answer
}

/// The answers of an operation: its own, and the refusals of these statuses.
pub(super) fn answers(own: impl IntoIterator<Item = (u16, Value)>, refused: &[u16]) -> Value {
    let mut all: Map<String, Value> = own
        .into_iter()
        .map(|(status, answer)| (status.to_string(), answer))
        .collect();
    for refusal in REFUSALS.iter().filter(|r| refused.contains(&r.status)) {
        let of = json!({ "$ref": format!("#/components/responses/{}", refusal.name) });
        all.insert(refusal.status.to_string(), of);
    }
    Value::Object(all)
}

/// Rows of a schema, in every form they can be asked for.
pub(super) fn rows(description: &str, row: &Value) -> Value {
    json!({
        "description": description,
        "content": {
            "application/json": { "schema": { "type": "array", "items": row } },
            OBJECT: { "schema": row },
            "text/csv": { "schema": { "type": "string" } },
        },
    })
}

/// The rows that were written, or nothing: `Prefer: return=representation` decides.
pub(super) fn written(description: &str, row: &Value) -> Value {
    let mut answer = rows(description, row);
    answer["content"]["text/plain"] = json!({ "schema": { "type": "string", "maxLength": 0 } });
    answer
}

/// An answer without a body.
pub(super) fn bare(description: &str) -> Value {
    json!({ "description": description })
}
