//! The document of a small service, made by hand: an account with its addresses, a journal, a view, functions.

mod patterns;
mod small;

use std::collections::BTreeSet;

use freehold_manifest::model::History;
use serde_json::{Value, json};

use super::{Asks, document};
pub(super) use small::{column, small};

fn described() -> Value {
    let (service, catalog) = small();
    document(&service, &catalog, Asks::Nobody)
}

fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("nothing is at {pointer}"))
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

/// Calls `see` with every value of the document.
fn walk<'v>(value: &'v Value, see: &mut impl FnMut(&'v Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(members) => members.values().for_each(|member| walk(member, see)),
        _ => {}
    }
}

/// One line for each member that deserves one, references short: what a reviewer of a change wants to see.
fn lines(value: &Value, path: &str, depth: usize, text: &mut String) {
    match value {
        Value::Object(members) if depth > 0 && !members.contains_key("$ref") && !members.is_empty() => {
            for (name, member) in members {
                lines(member, &format!("{path} {name}"), depth - 1, text);
            }
        }
        _ => {
            let short = value.to_string().replace(r##"{"$ref":"#/components/"##, "{\"");
            text.push_str(&format!("{} = {short}\n", path.trim_start()));
        }
    }
}

#[test]
fn the_whole_document() {
    /// Paths, methods and their members; kinds of components, their names and their members.
    const DEPTH: usize = 4;
    let mut text = String::new();
    lines(&described(), "", DEPTH, &mut text);
    insta::assert_snapshot!("small", text);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = described();
    let mut count = 0;
    walk(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
            count += 1;
        }
    });
    assert!(count > 100, "{count}");
}

#[test]
fn every_component_is_used() {
    let document = described();
    let mut used = BTreeSet::new();
    walk(&document, &mut |value| {
        used.extend(value.get("$ref").and_then(Value::as_str))
    });
    for kind in ["schemas", "parameters", "responses", "headers"] {
        for name in names(at(&document, &format!("/components/{kind}"))) {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(reference.as_str()), "{reference}");
        }
    }
}

#[test]
fn every_operation_has_an_id_of_its_own_and_answers() {
    let document = described();
    let mut ids = BTreeSet::new();
    for (path, item) in at(&document, "/paths").as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id), "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{id}");
            let answers = names(&operation["responses"]);
            assert!(answers.iter().any(|status| status.starts_with('2')), "{method} {path}");
        }
    }
}

#[test]
fn a_path_has_the_methods_that_are_answered() {
    let document = described();
    let methods = |path: &str| names(&document["paths"][path]);
    assert_eq!(methods("/accounts"), ["delete", "get", "head", "patch", "post", "put"]);
    assert_eq!(methods("/journal"), ["get", "head", "post"]);
    assert_eq!(methods("/loose"), ["delete", "get", "head", "patch", "post"]);
    assert_eq!(methods("/totals"), ["get", "head"]);
    assert_eq!(methods("/rpc/find_accounts"), ["get", "post"]);
    assert_eq!(methods("/rpc/close_account"), ["post"]);
    assert_eq!(methods("/transaction"), ["post"]);
    assert!(document["paths"].get("/rpc/unlisted").is_none());
    assert!(document["paths"].get("/rpc/gone").is_none());
    assert!(document["paths"].get("/gone").is_none());
}

#[test]
fn what_is_hidden_is_nowhere() {
    let text = described().to_string();
    assert!(!text.contains("password_hash"), "{text}");
    assert!(text.contains("email"));
}

#[test]
fn a_row_is_answered_with_its_types() {
    let document = described();
    let of = |column: &str| at(&document, &format!("/components/schemas/accounts/properties/{column}"));
    assert_eq!(of("id")["format"], "uuid");
    assert_eq!(of("email")["maxLength"], 254);
    assert_eq!(of("balance")["type"], "number");
    assert_eq!(of("age")["type"], json!(["integer", "null"]));
    assert_eq!((&of("age")["minimum"], &of("age")["maximum"]), (&json!(0), &json!(150)));
    assert_eq!(of("state")["enum"], json!(["open", "closed"]));
    assert_eq!(of("tags")["items"]["type"], json!(["string", "null"]));
    assert_eq!(of("version")["readOnly"], true);
    assert!(of("facts").get("type").is_none());
    assert!(at(&document, "/components/schemas/accounts").get("required").is_none());
}

#[test]
fn a_new_row_names_what_nothing_else_fills() {
    let document = described();
    let new = at(&document, "/components/schemas/accounts.new");
    assert_eq!(new["required"], json!(["email", "state", "tags", "owner_id_ref"]));
    assert_eq!(new["additionalProperties"], false);
    // Generated, cached, numbered by the server.
    for absent in ["domain", "owner_name", "number"] {
        assert!(new["properties"].get(absent).is_none(), "{absent}");
    }
    // Filled from the reference unless it is given.
    assert_eq!(new["properties"]["rate"]["type"], json!(["number", "null"]));
    assert_eq!(new["properties"]["version"]["type"], "null");
}

#[test]
fn the_rows_within_a_root_are_posted_without_the_key_of_it() {
    let document = described();
    let addresses = at(&document, "/components/schemas/accounts.new/properties/addresses");
    assert_eq!(addresses["items"]["$ref"], "#/components/schemas/addresses.within");
    let of = |schema: &str| at(&document, &format!("/components/schemas/{schema}/required"));
    assert_eq!(of("addresses.new"), &json!(["account_id", "line"]));
    assert_eq!(of("addresses.within"), &json!(["line"]));
    let profile = at(&document, "/components/schemas/accounts.new/properties/profiles");
    assert_eq!(profile["anyOf"][0]["$ref"], "#/components/schemas/profiles.within");
}

#[test]
fn a_change_may_set_anything_and_a_put_has_its_key_in_the_url() {
    let document = described();
    let change = at(&document, "/components/schemas/accounts.change");
    assert!(change.get("required").is_none());
    assert_eq!(change["properties"]["version"]["type"], json!(["integer", "null"]));
    let whole = at(&document, "/components/schemas/accounts.whole");
    assert_eq!(whole["required"], json!(["email", "state", "tags", "owner_id_ref"]));
    let put = at(&document, "/paths/~1accounts/put/parameters/0/$ref");
    assert_eq!(put, "#/components/parameters/accounts.key.id");
    assert_eq!(at(&document, "/components/parameters/accounts.key.id/required"), true);
}

#[test]
fn a_guard_is_needed_where_the_manifest_says_so() {
    let document = described();
    let refusals = |path: &str, method: &str| names(&document["paths"][path][method]["responses"]);
    assert!(refusals("/accounts", "patch").contains(&"428"));
    assert!(!refusals("/addresses", "patch").contains(&"428"));
    assert!(!refusals("/accounts", "post").contains(&"428"));
}

#[test]
fn rows_are_found_by_their_unique_columns() {
    let document = described();
    let of = |table: &str| &document["components"]["parameters"][format!("{table}.on_conflict")]["schema"]["enum"];
    assert_eq!(of("accounts"), &json!(["id", "email"]));
    assert_eq!(of("loose"), &Value::Null);
}

#[test]
fn a_column_that_no_parameter_can_name_has_none() {
    let document = described();
    let parameters = names(&document["components"]["parameters"]);
    assert!(parameters.contains(&"loose.where.plain"), "{parameters:?}");
    assert!(
        !parameters
            .iter()
            .any(|name| name.contains("a_b") || *name == "loose.where.limit")
    );
}

#[test]
fn a_function_takes_its_arguments_by_name() {
    let document = described();
    let body = at(
        &document,
        "/paths/~1rpc~1find_accounts/post/requestBody/content/application~1json/schema",
    );
    assert_eq!(names(&body["properties"]), ["at_least", "word"]);
    assert_eq!(body["required"], json!(["word"]));
    let rows = at(
        &document,
        "/paths/~1rpc~1find_accounts/get/responses/200/content/application~1json/schema",
    );
    assert_eq!(rows["items"]["$ref"], "#/components/schemas/accounts");
    assert!(
        at(&document, "/paths/~1rpc~1close_account/post/responses")
            .get("204")
            .is_some()
    );
}

#[test]
fn a_companion_is_read_and_not_written() {
    let (mut service, catalog) = small();
    let journal = service.owns.iter_mut().find(|table| table.name == "journal");
    journal.expect("a journal").history = History::Of("accounts".to_owned());
    let document = document(&service, &catalog, Asks::Nobody);
    assert_eq!(names(at(&document, "/paths/~1journal")), ["get", "head"]);
    assert!(document.pointer("/components/schemas/journal").is_some());
    assert!(document.pointer("/components/schemas/journal.new").is_none());
}
