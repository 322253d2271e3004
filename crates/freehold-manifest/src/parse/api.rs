//! What the API serves besides tables, and how: `[views.…]`, `[functions.…]`, `[api]`.

use super::fields::Fields;
use super::is_identifier;
use super::limits::limits;
use super::reader::Reader;
use crate::declared::{At, DeclaredFunction, DeclaredLink, DeclaredService, DeclaredView, LinkTo};
use crate::model::ServedTo;

/// `[views.<name>]`.
pub(super) fn view(reader: &mut Reader<'_>, fields: &Fields<'_>, name: At<String>) -> DeclaredView {
    reader.only(fields, &["summary", "key", "links", "hidden", "public"]);
    reader.identifier(&name, "view name");
    let mut key = reader.strings(fields, "key");
    reader.distinct(&mut key, &fields.path("key"));
    let mut hidden = reader.strings(fields, "hidden");
    reader.distinct(&mut hidden, &fields.path("hidden"));
    DeclaredView {
        summary: reader.string(fields, "summary").map(|s| s.value).unwrap_or_default(),
        key,
        links: links(reader, fields),
        hidden,
        served: served(reader, fields),
        name,
    }
}

/// `public` and `served`: who may ask for it.
pub(super) fn served(reader: &mut Reader<'_>, fields: &Fields<'_>) -> At<ServedTo> {
    let public = reader.boolean(fields, "public", false);
    let known = reader.boolean(fields, "served", true);
    let (value, key) = match (public, known) {
        (false, true) => (ServedTo::SignedIn, "public"),
        (true, true) => (ServedTo::Anybody, "public"),
        (_, false) => (ServedTo::Nobody, "served"),
    };
    let span = fields.key_span(key);
    if public && !known {
        let message = format!("{} is public and not served", fields.name);
        let help = "take one of `public = true` and `served = false` away".to_owned();
        reader.invalid(&span, message, "contradicts `public = true`", Some(help));
    }
    At { value, span }
}

fn links(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<DeclaredLink> {
    let Some(all) = reader.table(fields, "links") else {
        return Vec::new();
    };
    let mut links = Vec::new();
    for column in all.keys() {
        let to = reader.string(&all, &column.value);
        links.push(DeclaredLink {
            to: to.and_then(|to| link_to(reader, &all.path(&column.value), &to)),
            column,
        });
    }
    links
}

fn link_to(reader: &mut Reader<'_>, what: &str, to: &At<String>) -> Option<At<LinkTo>> {
    let parts: Vec<&str> = to.value.split('.').collect();
    if let [table, column] = parts[..]
        && is_identifier(table)
        && !column.is_empty()
    {
        let value = LinkTo {
            table: table.to_owned(),
            column: column.to_owned(),
        };
        return Some(At {
            value,
            span: to.span.clone(),
        });
    }
    let help = match parts[..] {
        [_, table, column] => Some(format!(
            "write `{table}.{column}`: a link leads to a table of the same service"
        )),
        _ => None,
    };
    let message = format!("{what} cannot be `{}`", to.value);
    reader.invalid(&to.span, message, "expected `<table>.<column>`", help);
    None
}

/// `[functions.<name>]`.
pub(super) fn function(reader: &mut Reader<'_>, fields: &Fields<'_>, name: At<String>) -> DeclaredFunction {
    reader.only(fields, &["summary", "public"]);
    reader.identifier(&name, "function name");
    DeclaredFunction {
        summary: reader.string(fields, "summary").map(|s| s.value).unwrap_or_default(),
        served: served(reader, fields),
        name,
    }
}

/// `[api]`.
pub(super) fn api(reader: &mut Reader<'_>, fields: &Fields<'_>, service: &mut DeclaredService<'_>) {
    reader.only(fields, &["origins", "limits"]);
    service.origins = reader.strings(fields, "origins");
    reader.distinct(&mut service.origins, &fields.path("origins"));
    for origin in &service.origins.items {
        reader.origin(origin);
    }
    if let Some(fields) = reader.table(fields, "limits") {
        service.limits = limits(reader, &fields);
    }
}
