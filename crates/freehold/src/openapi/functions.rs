//! The operations that call functions of the service's own.

use freehold_manifest::model::{Function, Limits};
use serde_json::{Map, Value, json};

use super::answers::{answers, bare, rows, with};
use super::filters;
use super::parameters::shared;
use super::relation::Relation;
use super::rows::{reference, sentences};
use super::{Draft, Needed, Operation, types};
use crate::pg::catalog::{Argument, FunctionShape, Kind, Returns, RowShape, Volatility};

/// The tag of all functions.
pub(super) const TAG: &str = "Functions";

/// What a call can come to, beside its result.
const CALL: &[u16] = &[
    300, 400, 403, 404, 405, 406, 408, 409, 413, 414, 416, 422, 429, 500, 503, 504,
];
/// What sending arguments in a body can come to.
const BODY: &[u16] = &[415];

/// Describes a declared function, with all its overloads that a client can call.
pub(super) fn describe(
    draft: &mut Draft,
    function: &Function,
    shapes: &[FunctionShape],
    served: &[Relation<'_>],
    limits: &Limits,
) {
    let callable: Vec<&FunctionShape> = shapes
        .iter()
        .filter(|s| takes(&s.arguments) != Takes::Unknown)
        .collect();
    if callable.is_empty() {
        return;
    }
    let path = format!("/rpc/{}", function.name);
    let comments = callable.iter().filter_map(|s| s.comment.as_deref());
    let about = sentences(std::iter::once(function.summary.as_str()).chain(comments));
    let own = results(&callable, served);
    let post = operation(&format!("call_{}", function.name), function, &about)
        .parameters([
            shared(&["Prefer.call", "Idempotency-Key", "Freehold-At-Least"]),
            paging(&callable),
        ])
        .body(is_needed(&callable), body(&callable, limits))
        .answers(answers(own.clone(), &[CALL, BODY].concat()));
    draft.operation(&path, "post", post);
    let reading: Vec<&FunctionShape> = callable
        .iter()
        .copied()
        .filter(|s| s.volatility != Volatility::Volatile && takes(&s.arguments) == Takes::Named)
        .collect();
    if reading.is_empty() {
        return;
    }
    let get = operation(&format!("ask_{}", function.name), function, &about)
        .parameters([
            arguments(&reading),
            shared(&["Prefer.call", "Range", "Freehold-At-Least"]),
            paging(&reading),
        ])
        .answers(answers(results(&reading, served), CALL));
    draft.operation(&path, "get", get);
}

fn operation(id: &str, function: &Function, about: &str) -> Operation {
    let operation = Operation::new(id, &format!("Call {}", function.name), TAG);
    if about.is_empty() {
        operation
    } else {
        operation.describe(about)
    }
}

/// How a function's arguments are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// By their names.
    Named,
    /// One without a name: the whole body, in this media type.
    Whole(&'static str),
    /// Some without a name: nobody can call it.
    Unknown,
}

fn takes(arguments: &[Argument]) -> Takes {
    match arguments {
        [only] if only.name.is_empty() => match (only.value.kind, only.value.base.as_str()) {
            (Kind::Json, _) => Takes::Whole("application/json"),
            (_, "text" | "varchar" | "bpchar") => Takes::Whole("text/plain"),
            _ => Takes::Unknown,
        },
        all if all.iter().any(|a| a.name.is_empty()) => Takes::Unknown,
        _ => Takes::Named,
    }
}

/// Whether a body must be there: without one there are no arguments.
fn is_needed(shapes: &[&FunctionShape]) -> Needed {
    let does_without = |s: &&FunctionShape| s.arguments.iter().all(|a| a.has_default || a.variadic);
    match shapes.iter().any(does_without) {
        true => Needed::No,
        false => Needed::Yes,
    }
}

fn body(shapes: &[&FunctionShape], limits: &Limits) -> Value {
    let mut content = Map::new();
    let mut named = Vec::new();
    for shape in shapes {
        match takes(&shape.arguments) {
            Takes::Named => named.push(named_arguments(&shape.arguments, limits)),
            Takes::Whole(media_type) => {
                let schema = match media_type {
                    "application/json" => json!({}),
                    _ => json!({ "type": "string" }),
                };
                content.insert(media_type.to_owned(), json!({ "schema": schema }));
            }
            Takes::Unknown => {}
        }
    }
    if let Some(schema) = any_of(named)
        && !content.contains_key("application/json")
    {
        content.insert("application/json".to_owned(), json!({ "schema": schema }));
    }
    content.into()
}

fn named_arguments(arguments: &[Argument], limits: &Limits) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for argument in arguments {
        let mut schema = types::nullable(types::schema((&argument.value).into()));
        if argument.variadic {
            schema["maxItems"] = limits.in_values.into();
        } else if !argument.has_default {
            required.push(argument.name.clone());
        }
        properties.insert(argument.name.clone(), schema);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The arguments as parameters of a query string; with several overloads none is always needed.
fn arguments(shapes: &[&FunctionShape]) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for argument in shapes.iter().flat_map(|s| &s.arguments) {
        if found.iter().any(|known| known["name"] == argument.name) {
            continue;
        }
        let is_required = shapes.len() == 1 && !argument.has_default && !argument.variadic;
        found.push(json!({
            "name": argument.name,
            "in": "query",
            "required": is_required,
            "description": format!("Argument of type {}.", argument.value.name),
            "schema": { "type": "string", "pattern": filters::value((&argument.value).into()) },
        }));
    }
    found
}

/// A list of rows can be cut.
fn paging(shapes: &[&FunctionShape]) -> Vec<Value> {
    let is_list = shapes.iter().any(|s| matches!(s.returns, Returns::Rows(_)));
    let is_taken = |name: &str| shapes.iter().flat_map(|s| &s.arguments).any(|a| a.name == name);
    if is_list {
        let free: Vec<&str> = ["limit", "offset"].into_iter().filter(|n| !is_taken(n)).collect();
        return shared(&free);
    }
    Vec::new()
}

fn results(shapes: &[&FunctionShape], served: &[Relation<'_>]) -> Vec<(u16, Value)> {
    let mut lists = Vec::new();
    let mut values = Vec::new();
    let mut own = Vec::new();
    for shape in shapes {
        match &shape.returns {
            Returns::Nothing => own.push((
                204,
                with(
                    bare("It was done."),
                    &["Preference-Applied", "Freehold-Position", "Idempotency-Replayed"],
                ),
            )),
            Returns::Value(of) => values.push(types::nullable(types::schema(of.into()))),
            Returns::Values(of) => {
                values.push(json!({ "type": "array", "items": types::nullable(types::schema(of.into())) }));
            }
            Returns::Row(of) => values.push(row(of, served)),
            Returns::Rows(of) => lists.push(row(of, served)),
        }
    }
    let headers = [
        "Content-Range",
        "Link",
        "Preference-Applied",
        "Freehold-Position",
        "Idempotency-Replayed",
    ];
    match (any_of(lists), any_of(values)) {
        (Some(one), None) => {
            own.push((200, with(rows("The rows it gives.", &one), &headers)));
            own.push((206, with(rows("Some of the rows it gives.", &one), &headers)));
        }
        (None, Some(one)) => own.push((200, with(value_answer(&one), &headers))),
        (Some(list), Some(one)) => {
            let either = json!({ "anyOf": [{ "type": "array", "items": list }, one] });
            own.push((200, with(value_answer(&either), &headers)));
        }
        (None, None) => {}
    }
    own
}

fn value_answer(schema: &Value) -> Value {
    json!({
        "description": "What it gives.",
        "content": {
            "application/json": { "schema": schema },
            "text/plain": { "schema": { "type": "string" } },
        },
    })
}

fn row(of: &RowShape, served: &[Relation<'_>]) -> Value {
    if let Some(name) = &of.of {
        return match served.iter().find(|r| r.name() == name) {
            Some(_) => reference(name),
            None => json!({ "type": "object" }),
        };
    }
    let columns = of
        .columns
        .iter()
        .map(|c| (c.name.clone(), types::nullable(types::schema(c.into()))));
    json!({
        "type": "object",
        "properties": Map::from_iter(columns),
        "additionalProperties": true,
    })
}

fn any_of(mut schemas: Vec<Value>) -> Option<Value> {
    match schemas.len() {
        0 => None,
        1 => schemas.pop(),
        _ => Some(json!({ "anyOf": schemas })),
    }
}
