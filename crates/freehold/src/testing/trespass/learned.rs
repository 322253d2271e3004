//! What a service serves, as its OpenAPI document says.

use serde_json::Value;

/// The ways in.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) relations: Vec<Relation>,
    pub(super) functions: Vec<Function>,
    pub(super) has_transaction: bool,
}

/// A table or a view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) is_public: bool,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) is_public: bool,
    /// The names of what it takes.
    pub(super) arguments: Vec<String>,
}

impl Learned {
    pub(super) fn of(document: &Value) -> Self {
        let mut learned = Self {
            relations: Vec::new(),
            functions: Vec::new(),
            has_transaction: false,
        };
        let paths = document["paths"].as_object();
        for (path, item) in paths.into_iter().flatten() {
            let name = path.trim_start_matches('/').to_owned();
            let operations = || item.as_object().into_iter().flat_map(|item| item.values());
            let secured = |operation: &Value| operation["security"].as_array().cloned();
            let Some(security) = operations().find_map(secured) else {
                // A path of the service itself, like its health.
                continue;
            };
            let is_public = security
                .iter()
                .any(|s| s.as_object().is_some_and(serde_json::Map::is_empty));
            if name == "transaction" && item["get"].is_null() {
                learned.has_transaction = true;
            } else if let Some(function) = name.strip_prefix("rpc/") {
                let mut arguments = Vec::new();
                operations().for_each(|operation| named(document, &operation["requestBody"], &mut arguments));
                learned.functions.push(Function {
                    name: function.to_owned(),
                    is_public,
                    arguments,
                });
            } else {
                learned.relations.push(Relation { name, is_public });
            }
        }
        learned
    }
}

/// The names of all properties in a part of the document, one reference followed.
fn named(document: &Value, part: &Value, names: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let target = document
                    .pointer(reference.trim_start_matches('#'))
                    .unwrap_or(&Value::Null);
                names.extend(
                    target["properties"]
                        .as_object()
                        .into_iter()
                        .flat_map(|p| p.keys().cloned()),
                );
            }
            for (member, value) in members {
                if member == "properties" {
                    names.extend(value.as_object().into_iter().flat_map(|p| p.keys().cloned()));
                }
                named(document, value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(document, item, names)),
        _ => {}
    }
    names.sort_unstable();
    names.dedup();
}
