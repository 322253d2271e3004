//! The operations on a table or a view.

use freehold_manifest::model::Limits;
use serde_json::{Map, Value, json};

use super::answers::{answers, bare, rows, with, written};
use super::parameters::{self, Parameters, shared};
use super::relation::{Is, Relation};
use super::rows::{change_name, new_name, reference, schemas, sentences, whole_name};
use super::{Draft, Needed, Operation};

/// What any request can come to: its body is read, whatever the method.
const ANY: &[u16] = &[300, 400, 403, 406, 408, 409, 413, 414, 429, 500, 503, 504];
/// What reading can come to beside it.
const READ: &[u16] = &[416];
/// What writing can come to beside it.
const WRITE: &[u16] = &[405, 422];
/// What a body can come to.
const BODY: &[u16] = &[415];
/// What changing rows that are there can come to.
const CHANGE: &[u16] = &[404, 412];
/// What changing them without a guard comes to, where one is needed.
const GUARD: &[u16] = &[428];

/// Headers of the answer to a write.
const WRITTEN: &[&str] = &[
    "ETag",
    "Preference-Applied",
    "Freehold-Position",
    "Idempotency-Replayed",
];

/// Which rows a change is about.
const FILTERED: &str = "The filters say which rows; without one the request is refused (400), so that nothing changes everything by oversight.";

/// Describes a relation: its schemas, its parameters, its paths.
pub(super) fn describe(draft: &mut Draft, of: Relation<'_>, tables: &[Relation<'_>], limits: &Limits) {
    for (name, schema) in schemas(of, tables) {
        draft.schema(&name, schema);
    }
    let comment = of.shape.comment.as_deref().unwrap_or_default();
    draft.tag(of.name(), &sentences([of.summary, comment]));
    let parameters = parameters::describe(draft, of, limits);
    let about = Described { of, parameters, limits };
    let mut operations = vec![("get", about.get()), ("head", about.head())];
    if let Is::Table(_) = of.is {
        operations.push(("post", about.post()));
    }
    if of.changes() {
        operations.push(("patch", about.patch()));
        operations.push(("delete", about.delete()));
    }
    if of.changes() && !about.parameters.key.is_empty() {
        operations.push(("put", about.put()));
    }
    let path = format!("/{}", of.name());
    for (method, operation) in operations {
        draft.operation(&path, method, operation);
    }
}

/// A relation whose schemas and parameters are described.
struct Described<'c> {
    of: Relation<'c>,
    parameters: Parameters,
    limits: &'c Limits,
}

impl Described<'_> {
    fn get(&self) -> Operation {
        let name = self.of.name();
        let found = with(
            rows("The rows; an empty array if there are none.", &reference(name)),
            &[
                "Content-Range",
                "ETag",
                "Link",
                "Freehold-Rows-Limit",
                "Preference-Applied",
            ],
        );
        let part = with(
            rows(
                "Some of the rows, where their whole number was asked for.",
                &reference(name),
            ),
            &["Content-Range", "Link", "Freehold-Rows-Limit", "Preference-Applied"],
        );
        let known = with(bare("The row is the one that is known."), &["ETag"]);
        self.operation("read", &format!("Read rows of {name}"))
            .describe(
                "A filter on the whole primary key asks for one row, and the answer carries its version as `ETag`.",
            )
            .parameters(self.read_parameters())
            .answers(answers(
                [(200, found), (206, part), (304, known)],
                &self.refused(&[ANY, READ]),
            ))
    }

    fn head(&self) -> Operation {
        let name = self.of.name();
        let found = with(
            bare("The headers of the answer to GET."),
            &[
                "Content-Range",
                "ETag",
                "Link",
                "Freehold-Rows-Limit",
                "Preference-Applied",
            ],
        );
        let part = with(
            bare("The headers of the answer to GET."),
            &["Content-Range", "Link", "Freehold-Rows-Limit", "Preference-Applied"],
        );
        let known = with(bare("The row is the one that is known."), &["ETag"]);
        self.operation("probe", &format!("Ask about rows of {name}"))
            .parameters(self.read_parameters())
            .answers(answers(
                [(200, found), (206, part), (304, known)],
                &self.refused(&[ANY, READ]),
            ))
    }

    fn post(&self) -> Operation {
        let name = self.of.name();
        let row = reference(name);
        let headers = [
            "Content-Range",
            "ETag",
            "Location",
            "Preference-Applied",
            "Freehold-Position",
        ];
        let created = with(written("The rows were written.", &row), &headers);
        let merged = with(
            written(
                "The rows were there already, and were changed or left as they were.",
                &row,
            ),
            &headers,
        );
        let new = reference(&new_name(name));
        let content = json!({
            "application/json": { "schema": { "anyOf": [
                new,
                { "type": "array", "items": new, "maxItems": self.limits.body_rows },
            ] } },
            "text/csv": { "schema": {
                "type": "string",
                "description": "A line of names, then a line for each row.",
            } },
        });
        self.operation("create", &format!("Write new rows of {name}"))
            .describe("One row, or many that have the same fields; all of them are written or none. Rows of tables that belong to it may be sent inside a row, and are written in the same transaction.")
            .parameters([
                self.parameters.select.clone(),
                self.parameters.columns.clone(),
                self.parameters.on_conflict.clone(),
                shared(&["Prefer.insert", "Idempotency-Key", "Freehold-At-Least"]),
            ])
            .body(Needed::Yes, content)
            .answers(answers([(200, merged), (201, created)], &self.refused(&[ANY, WRITE, BODY])))
    }

    fn patch(&self) -> Operation {
        let name = self.of.name();
        self.operation("change", &format!("Change rows of {name}"))
            .describe(FILTERED)
            .parameters([
                self.parameters.filters.clone(),
                self.parameters.select.clone(),
                self.parameters.columns.clone(),
                shared(&["Prefer.change", "If-Match", "Idempotency-Key", "Freehold-At-Least"]),
            ])
            .body(Needed::Yes, json_body(reference(&change_name(name))))
            .answers(answers(
                self.changed("The rows were changed."),
                &self.refused(&[ANY, WRITE, BODY, CHANGE, GUARD]),
            ))
    }

    fn put(&self) -> Operation {
        let name = self.of.name();
        let created = with(
            written("The row was not there, and was written.", &reference(name)),
            WRITTEN,
        );
        let mut own = self.changed("The row was there, and was changed.");
        own.push((201, created));
        self.operation("put", &format!("Write one row of {name}, whether it is there or not"))
            .describe("The filters are the primary key, each column with `eq`, and nothing else. A column that the body leaves out gets its default in a new row and stays as it is in an old one.")
            .parameters([
                self.parameters.key.clone(),
                self.parameters.select.clone(),
                shared(&["Prefer.put", "If-Match", "If-None-Match", "Idempotency-Key", "Freehold-At-Least"]),
            ])
            .body(Needed::Yes, json_body(reference(&whole_name(name))))
            .answers(answers(own, &self.refused(&[ANY, WRITE, BODY, CHANGE, GUARD])))
    }

    fn delete(&self) -> Operation {
        let name = self.of.name();
        self.operation("delete", &format!("Delete rows of {name}"))
            .describe(FILTERED)
            .parameters([
                self.parameters.filters.clone(),
                self.parameters.select.clone(),
                shared(&["Prefer.change", "If-Match", "Idempotency-Key", "Freehold-At-Least"]),
            ])
            .answers(answers(
                self.changed("The rows were deleted."),
                &self.refused(&[ANY, WRITE, CHANGE, GUARD]),
            ))
    }

    fn operation(&self, verb: &str, summary: &str) -> Operation {
        Operation::new(&format!("{verb}_{}", self.of.name()), summary, self.of.name())
    }

    fn read_parameters(&self) -> Vec<Vec<Value>> {
        vec![
            self.parameters.filters.clone(),
            self.parameters.select.clone(),
            self.parameters.order.clone(),
            shared(&["limit", "offset", "after"]),
            shared(&["Prefer.read", "Range", "If-None-Match", "Freehold-At-Least"]),
        ]
    }

    /// The answers to a change: with the rows, or without.
    fn changed(&self, description: &str) -> Vec<(u16, Value)> {
        let headers = [WRITTEN, &["Content-Range"]].concat();
        let full = with(rows(description, &reference(self.of.name())), &headers);
        let empty = with(bare(&format!("{description} No rows were asked back.")), &headers);
        vec![(200, full), (204, empty)]
    }

    fn refused(&self, sets: &[&[u16]]) -> Vec<u16> {
        let may = |status: &u16| !GUARD.contains(status) || self.of.needs_guard();
        sets.concat().into_iter().filter(may).collect()
    }
}

fn json_body(schema: Value) -> Value {
    let mut content = Map::new();
    content.insert("application/json".to_owned(), json!({ "schema": schema }));
    content.into()
}
