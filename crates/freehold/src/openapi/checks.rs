//! What CHECK constraints say about one column, where a schema can say it too: bounds, lengths, lists of values, plain
//! regular expressions.
//!
//! They are read as PostgreSQL writes them. What is not understood is left out: the database checks it all the same.

use serde_json::{Map, Number, Value};

use crate::pg::catalog::{Column, ConstraintKind, TableShape};

/// The schema with what the table's constraints say of this column.
pub(super) fn narrow(mut schema: Value, table: &TableShape, column: &Column) -> Value {
    let of_column = |columns: &[String]| matches!(columns, [only] if *only == column.name);
    let checks = table.constraints.values();
    let checks = checks.filter(|c| c.kind == ConstraintKind::Check && of_column(&c.columns));
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    for check in checks {
        let Some(condition) = check.definition.strip_prefix("CHECK ").and_then(inside) else {
            // NOT VALID, among others: there may be rows that break it.
            continue;
        };
        for part in conjuncts(condition) {
            learn(members, column, part);
        }
    }
    schema
}

/// What stands in the parentheses that are all of the text.
fn inside(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let closes_at_the_end = scan(text).all(|(at, depth)| depth > 0 || at + 1 == text.len());
    closes_at_the_end.then_some(inner)
}

/// The conditions that are joined by AND, each without the parentheses around it.
fn conjuncts(condition: &str) -> Vec<&str> {
    if let Some(inner) = inside(condition) {
        return conjuncts(inner);
    }
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, depth) in scan(condition) {
        let rest = condition.get(at..).unwrap_or_default();
        if depth == 0 && at >= from && rest.starts_with(" AND ") {
            parts.push(condition.get(from..at).unwrap_or_default());
            from = at + " AND ".len();
        }
    }
    let last = condition.get(from..).unwrap_or_default();
    match parts.is_empty() {
        true => vec![last.trim()],
        false => parts.into_iter().chain([last]).flat_map(conjuncts).collect(),
    }
}

/// Every place outside of quotes, with the number of parentheses open after it.
fn scan(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut depth = 0_usize;
    let mut quoted = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        (!quoted && byte.is_ascii()).then_some((at, depth))
    })
}

fn learn(schema: &mut Map<String, Value>, column: &Column, condition: &str) {
    let of = schema.get("type").and_then(Value::as_str).map(str::to_owned);
    let rest = after_column(condition, column);
    match (of.as_deref(), rest) {
        (Some("integer" | "number"), Some(rest)) => learn_bound(schema, rest),
        (Some("string"), Some(rest)) => {
            if let Some(labels) = rest.strip_prefix("= ANY ").and_then(labels) {
                schema.insert("enum".to_owned(), labels.into());
            } else if let Some(pattern) = rest.strip_prefix("~ ").and_then(literal).filter(|p| is_plain(p)) {
                schema.insert("pattern".to_owned(), pattern.into());
            } else if rest.strip_prefix("<> ").and_then(literal).is_some_and(|l| l.is_empty()) {
                schema.insert("minLength".to_owned(), 1.into());
            }
        }
        (Some("string"), None) => learn_length(schema, column, condition),
        _ => {}
    }
}

/// What follows the column at the beginning of a condition; a `varchar` stands there as text.
fn after_column<'t>(condition: &'t str, column: &Column) -> Option<&'t str> {
    let names = [column.name.clone(), format!("\"{}\"", column.name.replace('"', "\"\""))];
    let forms = names
        .iter()
        .flat_map(|name| [format!("({name})::text "), format!("{name} ")]);
    forms.into_iter().find_map(|form| condition.strip_prefix(&form))
}

fn learn_bound(schema: &mut Map<String, Value>, rest: &str) {
    let Some((operator, value)) = rest.split_once(' ') else {
        return;
    };
    let Some(value) = number(value) else {
        return;
    };
    let member = match operator {
        ">=" => "minimum",
        "<=" => "maximum",
        ">" => "exclusiveMinimum",
        "<" => "exclusiveMaximum",
        _ => return,
    };
    let is_lower = member.ends_with("inimum");
    let narrower = |known: &Value| match (known.as_f64(), value.as_f64()) {
        (Some(known), Some(value)) => (value > known) == is_lower,
        _ => false,
    };
    if schema.get(member).is_none_or(narrower) {
        schema.insert(member.to_owned(), value.into());
    }
}

/// `length(name) <= 200`, `btrim(name) <> ''::text`.
fn learn_length(schema: &mut Map<String, Value>, column: &Column, condition: &str) {
    let Some((function, rest)) = condition.split_once('(') else {
        return;
    };
    let Some((argument, rest)) = rest.split_once(") ") else {
        return;
    };
    let names_column = after_column(&format!("{argument} "), column).is_some();
    match (function, names_column) {
        ("length" | "char_length", true) => {
            let mut found = Map::new();
            learn_bound(&mut found, rest);
            let whole = |member: &str| found.get(member).and_then(Value::as_i64);
            let least = whole("minimum").or(whole("exclusiveMinimum").map(|n| n.saturating_add(1)));
            let most = whole("maximum").or(whole("exclusiveMaximum").map(|n| n.saturating_sub(1)));
            for (member, length) in [("minLength", least), ("maxLength", most)] {
                if let Some(length) = length.filter(|n| *n >= 0) {
                    schema.insert(member.to_owned(), length.into());
                }
            }
        }
        ("btrim", true) if rest.strip_prefix("<> ").and_then(literal).is_some_and(|l| l.is_empty()) => {
            schema.entry("pattern").or_insert_with(|| "[^ ]".into());
        }
        _ => {}
    }
}

/// `5`, `(5)::numeric`, `'-5'::integer`, `9999.99`.
fn number(text: &str) -> Option<Number> {
    let text = text.split("::").next()?.trim();
    let text = inside(text).unwrap_or(text).trim_matches('\'');
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.')) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}

/// `(ARRAY['a'::text, 'b'::text])`, with a cast around it or not.
fn labels(text: &str) -> Option<Vec<String>> {
    let mut text = inside(text)?;
    if let Some((array, _)) = text.rsplit_once(")::") {
        text = array.strip_prefix('(')?;
    }
    let list = text.strip_prefix("ARRAY[")?.strip_suffix(']')?;
    let mut found = Vec::new();
    let mut from = 0;
    let commas = scan(list).filter(|(at, _)| list.as_bytes().get(*at) == Some(&b','));
    for at in commas.map(|(at, _)| at).chain([list.len()]) {
        found.push(literal(list.get(from..at)?.trim())?);
        from = at + 1;
    }
    Some(found)
}

/// The text of `'it''s'::text`.
fn literal(text: &str) -> Option<String> {
    let (quoted, _) = text.rsplit_once("::")?;
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let text = inner.replace("''", "\u{0}");
    // A quote inside would be the end of another text.
    (!text.contains('\'')).then(|| text.replace('\u{0}', "'"))
}

/// Whether a regular expression means the same here and in a schema: no escapes, no classes, and a dot stands for itself
/// within brackets only.
fn is_plain(pattern: &str) -> bool {
    let mut in_brackets = false;
    for (at, c) in pattern.char_indices() {
        match c {
            '[' if in_brackets => return false,
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            '.' if !in_brackets => return false,
            '?' if pattern.get(..at).is_some_and(|before| before.ends_with('(')) => return false,
            '\\' => return false,
            _ => {}
        }
    }
    !in_brackets && !pattern.starts_with("***")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::openapi::tests::column;
    use crate::openapi::types;
    use crate::pg::catalog::Constraint;

    fn narrowed(base: &str, definition: &str) -> Value {
        let column = column("c", base);
        let check = Constraint {
            kind: ConstraintKind::Check,
            columns: vec!["c".to_owned()],
            definition: definition.to_owned(),
            to: None,
        };
        let table = TableShape {
            constraints: BTreeMap::from([("rule".to_owned(), check)]),
            ..TableShape::default()
        };
        narrow(types::schema((&column).into()), &table, &column)
    }

    #[test]
    fn bounds_lengths_lists_and_patterns_are_told() {
        for (base, definition, member, value) in [
            ("int4", "CHECK ((c >= 0))", "minimum", json!(0)),
            (
                "int4",
                "CHECK (((c >= '-5'::integer) AND (c <= 100)))",
                "minimum",
                json!(-5),
            ),
            ("int4", "CHECK (((c >= 1) AND (c <= 100)))", "maximum", json!(100)),
            ("int4", "CHECK ((c > 0))", "exclusiveMinimum", json!(0)),
            (
                "numeric",
                "CHECK (((c >= (0)::numeric) AND (c <= 9999999999.99)))",
                "maximum",
                json!(9_999_999_999.99),
            ),
            ("text", "CHECK ((length(c) <= 200))", "maxLength", json!(200)),
            ("varchar", "CHECK ((length((c)::text) < 200))", "maxLength", json!(199)),
            ("text", "CHECK ((length(c) > 0))", "minLength", json!(1)),
            ("text", "CHECK ((c <> ''::text))", "minLength", json!(1)),
            (
                "text",
                "CHECK (((btrim(c) <> ''::text) AND (length(c) <= 100)))",
                "pattern",
                json!("[^ ]"),
            ),
            (
                "text",
                "CHECK ((c = ANY (ARRAY['a'::text, 'it''s, (x)'::text])))",
                "enum",
                json!(["a", "it's, (x)"]),
            ),
            (
                "varchar",
                "CHECK (((c)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
                "enum",
                json!(["a", "b"]),
            ),
            (
                "text",
                "CHECK (((length(c) <= 100) AND (c ~ '^[a-z0-9]+(-[a-z0-9._]+)*$'::text)))",
                "pattern",
                json!("^[a-z0-9]+(-[a-z0-9._]+)*$"),
            ),
        ] {
            assert_eq!(narrowed(base, definition)[member], value, "{definition}");
        }
    }

    #[test]
    fn what_a_schema_cannot_say_is_left_to_the_database() {
        for (base, definition) in [
            ("int4", "CHECK ((c >= 0)) NOT VALID"),
            ("int4", "CHECK ((c >= other))"),
            ("int4", "CHECK (((c >= 0) OR (c = '-1'::integer)))"),
            ("text", r"CHECK ((c ~ '^[^[:space:]]+$'::text))"),
            ("text", r"CHECK ((c ~ '^\d+$'::text))"),
            ("text", "CHECK ((c ~ '^a.c$'::text))"),
            ("text", "CHECK ((lower(c) = c))"),
            ("text", "CHECK ((c ~~ 'a%'::text))"),
            ("jsonb", "CHECK ((jsonb_typeof(c) = 'object'::text))"),
            ("bool", "CHECK (c)"),
            ("text", "CHECK ((length(c) <= 'x'::integer))"),
            ("text", "nonsense ( AND '"),
        ] {
            let plain = types::schema((&column("c", base)).into());
            assert_eq!(narrowed(base, definition), plain, "{definition}");
        }
    }
}
