//! The paths that every service has.

use serde_json::{Value, json};

use super::answers::{answers, bare, with};
use super::rows::reference;
use super::{Draft, Operation};

/// The tag of these paths.
pub(super) const TAG: &str = "Service";

/// Describes them.
pub(super) fn describe(draft: &mut Draft) {
    draft.schema("Subscription", subscription());
    draft.operation("/", "get", contents());
    draft.operation("/health/live", "get", live());
    draft.operation("/health/ready", "get", ready());
    draft.operation("/freehold/status", "get", status());
    draft.operation("/openapi.json", "get", document());
}

fn contents() -> Operation {
    let listed = |of: &str| {
        json!({
            "type": "array",
            "items": {
                "type": "object",
                "required": [of, "href", "summary"],
                "properties": {
                    of: { "type": "string" },
                    "href": { "type": "string" },
                    "summary": { "type": "string" },
                },
            },
        })
    };
    let schema = json!({
        "type": "object",
        "required": ["service", "summary", "tables", "views", "functions", "health"],
        "properties": {
            "service": { "type": "string" },
            "summary": { "type": "string" },
            "tables": listed("table"),
            "views": listed("view"),
            "functions": listed("function"),
            "health": { "type": "array", "items": { "type": "string" } },
        },
    });
    let found = json_answer("What is served here.", schema);
    Operation::new("read_contents", "What is served here", TAG).answers(answers([(200, found)], &[]))
}

fn live() -> Operation {
    let lives = json_answer(
        "The process runs.",
        json!({
            "type": "object",
            "required": ["status"],
            "properties": { "status": { "const": "ok" } },
        }),
    );
    Operation::new("is_live", "Whether the process runs", TAG).answers(answers([(200, lives)], &[]))
}

fn ready() -> Operation {
    let schema = json!({
        "type": "object",
        "required": ["status", "database", "sequencer", "copies", "subscriptions"],
        "properties": {
            "status": { "enum": ["ready", "ready, but behind a producer", "not ready"] },
            "database": { "type": "string", "description": "`ok`, or what is wrong." },
            "sequencer": { "type": "string", "description": "`ok`, or what is wrong." },
            "copies": { "type": "string", "description": "`ok`, or what is wrong." },
            "subscriptions": subscriptions(),
        },
    });
    let yes = json_answer("The service can do its work.", schema.clone());
    let no = json_answer("It cannot; the body says why.", schema);
    Operation::new("is_ready", "Whether the service can do its work", TAG)
        .answers(answers([(200, yes), (503, no)], &[]))
}

fn status() -> Operation {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let counts = |states: &[&str]| {
        let properties = states.iter().map(|state| ((*state).to_owned(), count()));
        json!({ "type": "object", "required": states, "properties": serde_json::Map::from_iter(properties) })
    };
    let schema = json!({
        "type": "object",
        "required": ["service", "epoch", "position", "hash", "outbox", "topics", "copies", "dangling", "keys", "sagas", "subscriptions"],
        "properties": {
            "service": { "type": "string" },
            "epoch": { "type": "integer", "description": "Which log this is: a new one after a restore." },
            "position": { "type": "integer", "minimum": 0, "description": "The last position of the log." },
            "hash": { "type": "string", "description": "The hash of the log up to there." },
            "outbox": { "type": "integer", "minimum": 0, "description": "Messages that have no position yet." },
            "topics": {
                "type": "object",
                "description": "The last position of every topic.",
                "additionalProperties": { "type": "integer", "minimum": 0 },
            },
            "copies": {
                "type": "object",
                "description": "How far each copy of another service's rows is.",
                "additionalProperties": {
                    "type": "object",
                    "required": ["of", "state", "position", "seen"],
                    "properties": {
                        "of": { "type": "string" },
                        "state": { "type": "string" },
                        "position": { "type": ["integer", "null"] },
                        "seen": { "type": ["integer", "null"] },
                    },
                },
            },
            "dangling": { "type": "integer", "minimum": 0, "description": "Rows whose id names a row that its owner deleted." },
            "keys": counts(&["retrying", "parked"]),
            "sagas": counts(&["running", "compensating", "stuck"]),
            "subscriptions": subscriptions(),
        },
    });
    let found = json_answer("How the service is.", schema);
    Operation::new("read_status", "How the service is, in numbers", TAG).answers(answers([(200, found)], &[503]))
}

fn subscriptions() -> Value {
    json!({
        "type": "object",
        "description": "How it follows each producer.",
        "additionalProperties": reference("Subscription"),
    })
}

fn subscription() -> Value {
    json!({
        "type": "object",
        "required": ["state"],
        "properties": {
            "state": { "enum": ["starting", "standby", "filling", "live", "yielding", "waiting", "halted"] },
            "detail": { "type": "string" },
        },
    })
}

fn document() -> Operation {
    let schema = json!({
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": { "openapi": { "type": "string" } },
    });
    let found = json!({
        "description": "This document.",
        "content": {
            "application/json": { "schema": schema },
            "application/openapi+json": { "schema": schema },
        },
    });
    let known = with(bare("It is the one that is known."), &["ETag"]);
    Operation::new("read_openapi", "This document", TAG)
        .parameters([vec![json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "An `ETag` that is known.",
            "schema": { "type": "string" },
        })]])
        .answers(answers([(200, with(found, &["ETag"])), (304, known)], &[]))
}

fn json_answer(description: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}
