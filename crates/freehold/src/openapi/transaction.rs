//! `POST /transaction`: several operations, all of them or none.

use freehold_manifest::model::Limits;
use serde_json::{Value, json};

use super::answers::{answers, with};
use super::filters::escape;
use super::fixed::TAG;
use super::parameters::shared;
use super::relation::Relation;
use super::{Draft, Needed, Operation};

const PATH: &str = "/transaction";

/// Whatever one of the operations can come to.
const REFUSED: &[u16] = &[
    300, 400, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 416, 422, 428, 429, 500, 503, 504,
];

/// Describes it, unless a table has its name.
pub(super) fn describe(draft: &mut Draft, served: &[Relation<'_>], limits: &Limits) {
    if served.iter().any(|r| r.name() == "transaction") {
        return;
    }
    let operations = json!({
        "type": "array",
        "maxItems": limits.operations,
        "items": operation(&paths(draft)),
    });
    let whole = json!({
        "type": "object",
        "required": ["operations"],
        "properties": { "operations": operations },
        "additionalProperties": false,
    });
    let done = json!({
        "description": "All operations were carried out; `results` has their answers, in their order.",
        "content": { "application/json": { "schema": results() } },
    });
    let headers = ["Preference-Applied", "Freehold-Position", "Idempotency-Replayed"];
    let post = Operation::new("transact", "Carry out several operations in one transaction", TAG)
        .describe("The operations are carried out in their order; each sees what those before it did, and has its own headers and its own guard. The first that fails undoes all of them: the answer is its problem, with the place of the `operation` and its `path`.")
        .parameters([shared(&["Prefer.transaction", "Idempotency-Key", "Freehold-At-Least"])])
        .body(Needed::Yes, json!({ "application/json": { "schema": { "anyOf": [whole, operations] } } }))
        .answers(answers([(200, with(done, &headers))], REFUSED));
    draft.operation(PATH, "post", post);
}

/// The pattern of an operation's path: what is described so far, and a query string.
fn paths(draft: &Draft) -> String {
    let described: Vec<String> = draft.paths.keys().map(|path| escape(path)).collect();
    format!(r"^({})(\?[!$&'()*+,./0-9:;=?@A-Z_a-z~%-]*)?$", described.join("|"))
}

fn operation(path: &str) -> Value {
    json!({
        "type": "object",
        "required": ["method", "path"],
        "properties": {
            "method": { "enum": ["GET", "POST", "PATCH", "PUT", "DELETE"] },
            "path": { "type": "string", "pattern": path, "description": "Path and query: `/orders?id=eq.7`." },
            "headers": {
                "type": "object",
                "description": "Those of this operation: `If-Match`, `Prefer`, `Accept`, `Content-Type`. An idempotency key stands for the whole.",
                "propertyNames": { "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" },
                "additionalProperties": { "type": "string", "pattern": r"^[\x20-\x7e]*$" },
            },
            "body": { "description": "JSON as it would be sent; anything else as a string. GET and DELETE have none." },
        },
        "additionalProperties": false,
    })
}

fn results() -> Value {
    json!({
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["status", "headers", "body"],
                    "properties": {
                        "status": { "type": "integer", "minimum": 200, "maximum": 399 },
                        "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                        "body": { "description": "JSON as it is; anything else as a string; null where there is none." },
                    },
                },
            },
        },
    })
}
