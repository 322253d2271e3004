//! What this service answers, for programs and for people: an OpenAPI 3.1 document at `/openapi.json`, and a page to try
//! it at `/docs`.
//!
//! The document is made once, when the service starts, from the same manifest and the same catalog that the API itself
//! stands on, and is the same text for the same two. It describes the requests whose answers it can describe: plain
//! columns and their filters in full; what reshapes an answer (renames, casts, embedded relations) in words only. The
//! routes of a service's own program and the feed for other services are not in it.

mod access;
mod answers;
mod checks;
mod filters;
mod fixed;
mod functions;
mod names;
mod page;
mod parameters;
mod relation;
mod rows;
mod served;
mod tables;
#[cfg(test)]
mod tests;
mod transaction;
mod types;

use freehold_manifest::model::Service;
use serde_json::{Map, Value, json};

use crate::pg::catalog::Catalog;
use names::Given;

pub(crate) use access::Asks;
pub(crate) use served::router;

/// Describes the API of `service` over the tables, views and functions that `catalog` has.
///
/// What the manifest declares and the server does not have is left out.
pub(crate) fn document(service: &Service, catalog: &Catalog, asks: Asks) -> Value {
    let limits = &service.api.limits;
    let mut draft = Draft::default();
    draft.schema("Problem", answers::problem());
    for (name, parameter) in parameters::components(limits) {
        draft.parameter(name, parameter);
    }
    let tables = relation::tables(service, catalog);
    let views = relation::views(service, catalog);
    for relation in tables.iter().chain(&views) {
        tables::describe(&mut draft, *relation, &tables, limits);
    }
    let served: Vec<_> = tables.iter().chain(&views).copied().collect();
    let declared = service.functions.iter();
    for (function, shapes) in declared.filter_map(|f| Some((f, catalog.functions.get(&f.name)?))) {
        functions::describe(&mut draft, function, shapes, &served, limits);
    }
    if draft.paths.keys().any(|path| path.starts_with("/rpc/")) {
        draft.tag(functions::TAG, "Functions of the service's own.");
    }
    transaction::describe(&mut draft, &served, limits);
    fixed::describe(&mut draft);
    draft.tag(fixed::TAG, "The service itself.");
    let mut document = draft.finish(service);
    if asks == Asks::ForTokens {
        access::describe(&mut document, service);
    }
    document
}

/// What people read first.
const ABOUT: &str = "\
Rows are asked for in the language of PostgREST. A filter is `column=operator.value`, all filters must hold, and `not.` \
before an operator turns it around: `eq` `neq` `gt` `gte` `lt` `lte` `isdistinct` compare, `in.(a,b)` lists, `is` takes \
`null`, `not_null`, `true`, `false`, `unknown`; texts have `like` and `ilike` with `*` for anything, `match` and `imatch`, \
and `fts` `plfts` `phfts` `wfts` to search; arrays, ranges and JSON have `cs` `cd` `ov` `sl` `sr` `nxl` `nxr` `adj`.\n\n\
What goes wrong is answered as a problem document (RFC 9457).";

/// The document as it grows.
#[derive(Debug, Default)]
struct Draft {
    tags: Vec<Value>,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
    parameters: Map<String, Value>,
    operations: Given,
}

impl Draft {
    fn tag(&mut self, name: &str, description: &str) {
        self.tags.push(json!({ "name": name, "description": description }));
    }

    fn schema(&mut self, name: &str, schema: Value) {
        self.schemas.entry(name).or_insert(schema);
    }

    /// Adds a parameter, and returns a reference to it.
    fn parameter(&mut self, name: &str, parameter: Value) -> Value {
        let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
        self.parameters.entry(name).or_insert(parameter);
        reference
    }

    /// Adds an operation, under an id that no other has.
    fn operation(&mut self, path: &str, method: &str, operation: Operation) {
        let Operation { id, mut described } = operation;
        described.insert("operationId".to_owned(), self.operations.unique(&id).into());
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        item[method] = Value::Object(described);
    }

    fn finish(self, service: &Service) -> Value {
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": service.name,
                "summary": service.summary,
                "description": ABOUT,
                "version": env!("CARGO_PKG_VERSION"),
            },
            "servers": [{ "url": "/" }],
            "tags": self.tags,
            "paths": self.paths,
            "components": {
                "schemas": self.schemas,
                "parameters": self.parameters,
                "responses": answers::components(),
                "headers": answers::headers(),
            },
        })
    }
}

/// Whether a body must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Yes,
    No,
}

/// One operation as it grows.
#[derive(Debug)]
struct Operation {
    id: String,
    described: Map<String, Value>,
}

impl Operation {
    fn new(id: &str, summary: &str, tag: &str) -> Self {
        let mut described = Map::new();
        described.insert("summary".to_owned(), summary.into());
        described.insert("tags".to_owned(), json!([tag]));
        Self {
            id: id.to_owned(),
            described,
        }
    }

    fn describe(self, description: &str) -> Self {
        self.with("description", description.into())
    }

    fn parameters(self, lists: impl IntoIterator<Item = Vec<Value>>) -> Self {
        self.with("parameters", lists.into_iter().flatten().collect())
    }

    fn body(self, needed: Needed, content: Value) -> Self {
        let required = needed == Needed::Yes;
        self.with("requestBody", json!({ "required": required, "content": content }))
    }

    fn answers(self, answers: Value) -> Self {
        self.with("responses", answers)
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.described.insert(member.to_owned(), value);
        self
    }
}
