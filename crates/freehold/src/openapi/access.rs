//! Which operations want a token, and what is answered without one.

use freehold_manifest::model::{ServedTo, Service};
use serde_json::{Value, json};

use super::answers::PROBLEM;
use super::fixed;
use super::rows::reference;

/// Whom the service asks who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Nobody: the system has no `[auth]`.
    Nobody,
    /// Whoever asks for what is not public.
    ForTokens,
}

/// The scheme's name.
const BEARER: &str = "bearer";

/// Adds to a document who may do what.
pub(super) fn describe(document: &mut Value, service: &Service) {
    let components = &mut document["components"];
    components["securitySchemes"] = json!({ BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the system's auth service. Of a table, it shows the rows that the table's policies allow its subject.",
    } });
    components["responses"]["Unauthorized"] = json!({
        "description": "This is not public, and there is no token; or the token is not valid, has expired, or its session has ended.",
        "headers": { "WWW-Authenticate": { "$ref": "#/components/headers/WWW-Authenticate" } },
        "content": { PROBLEM: { "schema": reference("Problem") } },
    });
    components["headers"]["WWW-Authenticate"] = json!({
        "description": "`Bearer`, with `error` and `error_description` where a token was sent (RFC 6750).",
        "schema": { "type": "string" },
    });
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, item) in paths {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            if operation["tags"] == json!([fixed::TAG]) && path != "/transaction" {
                continue;
            }
            // Without a token, what is public is answered just the same.
            operation["security"] = match is_open(service, path) {
                true => json!([{}, { BEARER: [] }]),
                false => json!([{ BEARER: [] }]),
            };
            operation["responses"]["401"] = json!({ "$ref": "#/components/responses/Unauthorized" });
            operation["responses"]["403"] = json!({ "$ref": "#/components/responses/Forbidden" });
        }
    }
}

/// Whether some of it, or all, is there without a token.
fn is_open(service: &Service, path: &str) -> bool {
    let tables = service.owns.iter().map(|table| (table.name.as_str(), table.served));
    let views = service.views.iter().map(|view| (view.name.as_str(), view.served));
    let mut functions = service
        .functions
        .iter()
        .map(|function| (function.name.as_str(), function.served));
    let is = |wanted: &str, (name, served): (&str, ServedTo)| name == wanted && served == ServedTo::Anybody;
    match path.strip_prefix("/rpc/") {
        Some(wanted) => functions.any(|function| is(wanted, function)),
        None => {
            let wanted = path.trim_start_matches('/');
            let mut relations = tables.chain(views);
            relations.clone().any(|relation| is(wanted, relation))
                || (wanted == "transaction" && relations.any(|(_, served)| served == ServedTo::Anybody))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::document;
    use crate::openapi::tests::small;

    #[test]
    fn what_is_not_public_wants_a_token() {
        let (mut service, catalog) = small();
        let plain = document(&service, &catalog, Asks::Nobody).to_string();
        assert!(!plain.contains("bearer"));
        for table in service.owns.iter_mut().filter(|t| t.name == "loose") {
            table.served = ServedTo::Anybody;
        }
        for table in service.owns.iter_mut().filter(|t| t.name == "journal") {
            table.served = ServedTo::Nobody;
        }
        let document = document(&service, &catalog, Asks::ForTokens);
        let security = |path: &str| document["paths"][path]["get"]["security"].clone();
        assert_eq!(security("/accounts"), json!([{ "bearer": [] }]));
        assert_eq!(security("/loose"), json!([{}, { "bearer": [] }]));
        assert_eq!(security("/health/live"), Value::Null);
        assert_eq!(
            document["paths"]["/transaction"]["post"]["security"],
            json!([{}, { "bearer": [] }])
        );
        assert_eq!(document["paths"]["/journal"], Value::Null);
        let refused = &document["paths"]["/accounts"]["patch"]["responses"];
        assert!(refused["401"].is_object() && refused["403"].is_object());
    }
}
