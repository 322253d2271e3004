//! Patterns of what a query string may say about a column: `eq.7`, `not.in.(1,2)`, `is.null`.
//!
//! They are exact in form and describe values as PostgreSQL writes them, so that what is made from them is mostly
//! understood. What the language has beyond one column's plain test (JSON paths, embedded relations, trees within
//! trees) has no pattern here; the description of a parameter says so.

use super::types::{self, Type};
use crate::pg::catalog::Kind;

/// One day.
const DAY: &str = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
/// One moment of a day.
const CLOCK: &str = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?";
/// An offset from UTC.
const OFFSET: &str = r"(Z|[-+](0[0-9]|1[0-5])(:?[0-5][0-9])?)";
/// A number that need not be whole.
const DECIMAL: &str = r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?";
/// Whatever a URL can carry; PostgreSQL stores no NUL.
const ANY: &str = r"[^\x00]*";
/// A value within a list or a tree, where `,(){}"\` mean something unless it is quoted.
const LISTED: &str = r#"([^\x00,(){}"\\\s]+|"([^\x00"\\]|\\[^\x00])*")"#;
/// The name of a text search configuration: those that PostgreSQL has for the most spoken languages of Europe. It has more,
/// and a service may have its own.
const LANGUAGE: &str = r"(\((simple|danish|dutch|english|finnish|french|german|hungarian|italian|norwegian|portuguese|romanian|russian|spanish|swedish|turkish)\))?";

/// Bytes a regular expression may have; 0 where none may be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct PatternBytes(pub(super) u64);

/// What is asked of a type's values.
struct Tests {
    /// A value that stands alone.
    value: String,
    /// A value in a list.
    listed: String,
    order: Order,
    /// Operators of this type alone, with their values.
    own: Vec<String>,
}

/// Whether values of a type are compared.
#[derive(Clone, Copy)]
enum Order {
    Total,
    /// Nothing says whether two are equal.
    None,
}

/// The pattern of a column's parameter.
pub(super) fn pattern(of: Type<'_>, most: PatternBytes) -> String {
    let tests = tests(of);
    let (value, listed) = (&tests.value, &tests.listed);
    let mut forms = Vec::new();
    if let Order::Total = tests.order {
        forms.push(format!(r"(eq|neq|gt|gte|lt|lte|isdistinct)\.({value})"));
        forms.push(format!(
            r"(eq|gt|gte|lt|lte)\((any|all)\)\.\{{(({listed})(,({listed}))*)?\}}"
        ));
        forms.push(format!(r"in\.\((({listed})(,({listed}))*)?\)"));
    }
    forms.extend(tests.own);
    if let (Kind::Text, 1..) = (of.kind, most.0) {
        // A regular expression is PostgreSQL's own; these are so in every dialect.
        forms.push(r"(match|imatch)\.\^?([A-Za-z0-9 _-]|\.[*+?]?){0,100}\$?".to_owned());
    }
    forms.push(is(of).to_owned());
    format!("^(not\\.)?({})$", forms.join("|"))
}

/// The pattern of one test inside `and=(…)`: few forms, for every column of a table stands in it.
pub(super) fn in_tree(of: Type<'_>) -> String {
    let tests = tests(of);
    let listed = &tests.listed;
    match tests.order {
        Order::Total => format!(r"(not\.)?((eq|neq|gt|gte|lt|lte)\.({listed})|{})", is(of)),
        Order::None => format!(r"(not\.)?{}", is(of)),
    }
}

/// The pattern of a value of that type by itself, as a parameter of a function has it.
pub(super) fn value(of: Type<'_>) -> String {
    format!("^({})$", tests(of).value)
}

/// The pattern of `eq` with a value of that type.
pub(super) fn equals(of: Type<'_>) -> String {
    format!(r"^eq\.({})$", tests(of).value)
}

fn is(of: Type<'_>) -> &'static str {
    match of.kind {
        Kind::Boolean => r"is\.(null|not_null|true|false|unknown)",
        _ => r"is\.(null|not_null)",
    }
}

fn tests(of: Type<'_>) -> Tests {
    match of.kind {
        Kind::Boolean => plain("true|false|t|f|yes|no|on|off|1|0"),
        Kind::Text => text(),
        Kind::Json => json(of.base),
        Kind::Array => array(of),
        Kind::Composite => quoted(r"\([^\x00]*\)"),
        Kind::Scalar if !of.labels.is_empty() => {
            let labels: Vec<String> = of.labels.iter().map(|label| escape(label)).collect();
            let quoted: Vec<String> = of.labels.iter().map(|label| quote(label)).collect();
            Tests {
                value: labels.join("|"),
                listed: quoted.join("|"),
                order: Order::Total,
                own: Vec::new(),
            }
        }
        Kind::Scalar => scalar(of.base),
    }
}

fn scalar(base: &str) -> Tests {
    match base {
        "int2" => plain("-?[0-9]{1,5}"),
        "int4" => plain("-?[0-9]{1,10}"),
        "int8" | "oid" => plain("-?[0-9]{1,19}"),
        "numeric" | "float4" | "float8" => plain(&format!("{DECIMAL}|NaN|-?Infinity")),
        "uuid" => plain("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "date" => plain(&format!("{DAY}|-?infinity")),
        "timestamp" => plain(&format!("{DAY}([T ]{CLOCK})?|-?infinity")),
        "timestamptz" => plain(&format!("{DAY}([T ]{CLOCK}{OFFSET}?)?|-?infinity")),
        "time" => plain(CLOCK),
        "timetz" => plain(&format!("{CLOCK}{OFFSET}?")),
        "interval" => plain(
            "-?[0-9]{1,4} (second|minute|hour|day|week|month|year)s?|P([0-9]{1,4}[YMWD])*(T([0-9]{1,4}[HMS])+)?|[0-9]{1,3}:[0-5][0-9](:[0-5][0-9])?",
        ),
        "bytea" => plain(r"\\x([0-9a-fA-F]{2})*"),
        "bit" | "varbit" => plain("[01]+"),
        "inet" | "cidr" => plain(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?|[0-9a-fA-F:.]{2,45}(/[0-9]{1,3})?"),
        "macaddr" => plain("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}"),
        "tsvector" => Tests {
            own: search(),
            ..quoted(ANY)
        },
        "int4range" | "int8range" => range("-?[0-9]{1,10}"),
        "numrange" => range(r"-?[0-9]{1,20}(\.[0-9]{1,20})?"),
        "daterange" => range(DAY),
        "tsrange" => range(&format!("{DAY} {CLOCK}")),
        "tstzrange" => range(&format!("{DAY} {CLOCK}{OFFSET}")),
        "xml" | "point" | "polygon" | "path" => Tests {
            order: Order::None,
            ..quoted(ANY)
        },
        _ => quoted(ANY),
    }
}

/// Values that need no quotes in a list.
fn plain(value: &str) -> Tests {
    Tests {
        value: value.to_owned(),
        listed: format!(r#"{value}|"({value})""#),
        order: Order::Total,
        own: Vec::new(),
    }
}

/// Values that are quoted in a list where they must.
fn quoted(value: &str) -> Tests {
    Tests {
        value: value.to_owned(),
        listed: LISTED.to_owned(),
        order: Order::Total,
        own: Vec::new(),
    }
}

fn text() -> Tests {
    let mut own = vec![
        format!(r"(like|ilike)\.{ANY}"),
        format!(r"(like|ilike)\((any|all)\)\.\{{({LISTED}(,{LISTED})*)?\}}"),
    ];
    own.extend(search());
    Tests { own, ..quoted(ANY) }
}

fn search() -> Vec<String> {
    vec![
        format!(r"fts{LANGUAGE}\.[A-Za-z0-9]+( ?[&|] ?!?[A-Za-z0-9]+)*"),
        format!(r"(plfts|phfts|wfts){LANGUAGE}\.{ANY}"),
    ]
}

fn json(base: &str) -> Tests {
    let value = r#"null|true|false|-?[0-9]{1,9}|"[^"\\\x00-\x1f]*"|\{[^\x00]*\}|\[[^\x00]*\]"#;
    match base {
        "jsonb" => Tests {
            own: vec![format!(r"(cs|cd)\.({value})")],
            ..quoted(value)
        },
        _ => Tests {
            order: Order::None,
            ..quoted(value)
        },
    }
}

fn array(of: Type<'_>) -> Tests {
    let element = match types::element(of) {
        Some(element) if element.kind == Kind::Scalar || element.kind == Kind::Boolean => tests(element).listed,
        _ => LISTED.to_owned(),
    };
    let value = format!(r"\{{(({element})(,({element}))*)?\}}");
    Tests {
        own: vec![format!(r"(cs|cd|ov)\.{value}")],
        ..quoted(&value)
    }
}

fn range(bound: &str) -> Tests {
    let value = format!(r#"empty|[\[(]("?{bound}"?)?,("?{bound}"?)?[\])]"#);
    Tests {
        own: vec![format!(r"(cs|cd|ov|sl|sr|nxr|nxl|adj)\.({value})")],
        ..quoted(&value)
    }
}

/// A text as a pattern of itself.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\^$.|?*+()[]{}".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A text as it stands in a list: in quotes unless it is a word.
fn quote(text: &str) -> String {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if is_word {
        return text.to_owned();
    }
    let inside = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", escape(&inside))
}
