//! Types of columns and the values in them, as texts that PostgreSQL reads.

use fastrand::Rng;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int2,
    Int4,
    Int8,
    Numeric,
    Float8,
    Text,
    Varchar,
    Bool,
    Uuid,
    Date,
    Moment,
    Jsonb,
    Int4s,
    Texts,
    Range,
    Colour,
}

/// Texts that something may stumble over.
pub(super) const TEXTS: [&str; 50] = [
    "",
    " ",
    "a",
    "A",
    "b",
    "ä",
    "Ä",
    "straße",
    "日本語",
    "🦀",
    "e\u{301}",
    "a\"b",
    "a'b",
    "a,b",
    "a\\b",
    "\\",
    "\"",
    "{a}",
    "{",
    "}",
    "(a)",
    "(",
    ")",
    "[a]",
    "null",
    "NULL",
    "true",
    "%",
    "_",
    "*",
    "a.b",
    "not.eq.1",
    "eq.1",
    "a&b=c",
    "a+b",
    "100%25",
    "%41",
    "$1",
    "?",
    "#",
    "a/b",
    "a:b",
    "line\nbreak",
    "tab\tstop",
    "\u{1}",
    "'; drop table x; --",
    " padded ",
    "the quick brown foxes",
    "foxes jumped quickly",
    "1",
];

const COLOURS: [&str; 5] = ["red", "a b", "q\"u'o,te", "{brace}", "größe"];

const ALL: [Kind; 16] = [
    Kind::Int2,
    Kind::Int4,
    Kind::Int8,
    Kind::Numeric,
    Kind::Float8,
    Kind::Text,
    Kind::Varchar,
    Kind::Bool,
    Kind::Uuid,
    Kind::Date,
    Kind::Moment,
    Kind::Jsonb,
    Kind::Int4s,
    Kind::Texts,
    Kind::Range,
    Kind::Colour,
];

/// Types of keys.
const KEYS: [Kind; 4] = [Kind::Int4, Kind::Int8, Kind::Text, Kind::Uuid];

impl Kind {
    pub(super) fn any(rng: &mut Rng) -> Self {
        ALL[rng.usize(..ALL.len())]
    }

    pub(super) fn key(rng: &mut Rng) -> Self {
        KEYS[rng.usize(..KEYS.len())]
    }

    /// The type as a column has it; an enum stands in `schema`.
    pub(super) fn column_type(self, schema: &str) -> String {
        match self {
            Self::Varchar => "varchar(12)".to_owned(),
            _ => self.value_type(schema),
        }
    }

    /// The type of a value, without a length.
    pub(super) fn value_type(self, schema: &str) -> String {
        match self {
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Numeric => "numeric",
            Self::Float8 => "float8",
            Self::Text => "text",
            Self::Varchar => "varchar",
            Self::Bool => "bool",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Moment => "timestamptz",
            Self::Jsonb => "jsonb",
            Self::Int4s => "int4[]",
            Self::Texts => "text[]",
            Self::Range => "int4range",
            Self::Colour => return format!("\"{schema}\".\"Col\"\"our\""),
        }
        .to_owned()
    }

    /// The enum of a schema.
    pub(super) fn create_enum(schema: &str) -> String {
        let labels: Vec<String> = COLOURS.iter().map(|c| literal(c)).collect();
        format!(
            "create type {} as enum ({});",
            Self::Colour.value_type(schema),
            labels.join(", ")
        )
    }

    /// Whether equal values are written alike, so that it does not matter which of a group is shown.
    pub(super) fn is_exact(self) -> bool {
        !matches!(self, Self::Jsonb)
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Varchar)
    }

    pub(super) fn is_array(self) -> bool {
        matches!(self, Self::Int4s | Self::Texts)
    }

    /// A value.
    pub(super) fn value(self, rng: &mut Rng) -> String {
        let pool: &[&str] = match self {
            Self::Int2 => &["-32768", "32767", "0", "1", "2", "3", "-1"],
            Self::Int4 => &["-2147483648", "2147483647", "0", "1", "2", "3", "-1"],
            Self::Int8 => &[
                "-9223372036854775808",
                "9223372036854775807",
                "0",
                "1",
                "2",
                "9007199254740993",
            ],
            Self::Numeric => &[
                "1.50",
                "-0.001",
                "12345678901234567890.123456789",
                "NaN",
                "1",
                "0.0000000001",
                "2",
            ],
            Self::Float8 => &[
                "0",
                "1.5",
                "1e300",
                "-1e-300",
                "0.1",
                "NaN",
                "Infinity",
                "-Infinity",
                "3",
            ],
            Self::Text => &TEXTS,
            Self::Varchar => &[
                "",
                "a",
                "A",
                "ä",
                "日本語",
                "🦀",
                "a\"b",
                "a,b",
                "\\",
                "{",
                "%",
                "_",
                "null",
                "x y z",
            ],
            Self::Bool => &["true", "false"],
            Self::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "0a0b0c0d-0000-4000-8000-000000000001",
            ],
            Self::Date => &[
                "0001-01-01",
                "9999-12-31",
                "2024-02-29",
                "0044-03-15 BC",
                "infinity",
                "2024-03-01",
            ],
            Self::Moment => &[
                "2024-02-29T12:00:00.123456+00",
                "2024-02-29 12:00:00+05:30",
                "1900-01-01 00:00:00+00",
                "infinity",
                "-infinity",
                "2024-03-31 01:30:00+00",
            ],
            Self::Jsonb => &JSONS,
            Self::Int4s => &["{}", "{1}", "{1,2}", "{2,1,2}", "{NULL,1}", "{{1,2},{3,4}}", "{-5,5}"],
            Self::Texts => &[
                "{}",
                "{a}",
                "{a,b}",
                "{\"a,b\",\"c\\\"d\"}",
                "{NULL}",
                "{\"NULL\"}",
                "{\"\",\"{x}\"}",
                "{ä,🦀}",
            ],
            Self::Range => &["empty", "[1,5)", "(,)", "[1,)", "(,3)", "[3,4)", "[5,9)", "[-2,2)"],
            Self::Colour => &COLOURS,
        };
        match self {
            _ if rng.u8(..4) > 0 => pool[rng.usize(..pool.len())].to_owned(),
            Self::Int2 | Self::Int4 | Self::Int8 => rng.i32(-40..40).to_string(),
            Self::Numeric => format!("{}.{:03}", rng.i32(-9..9), rng.u32(1..999)),
            Self::Float8 => format!("{}.{}", rng.i32(-99..99), rng.u32(1..99)),
            Self::Text => {
                let parts: Vec<&str> = (0..rng.usize(..4)).map(|_| TEXTS[rng.usize(..TEXTS.len())]).collect();
                parts.concat()
            }
            Self::Date => format!("20{:02}-{:02}-{:02}", rng.u8(..99), rng.u8(1..13), rng.u8(1..29)),
            Self::Uuid => uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes())
                .into_uuid()
                .to_string(),
            Self::Int4s => format!("{{{},{}}}", rng.i32(-3..3), rng.i32(-3..3)),
            Self::Range => {
                let low = rng.i32(-9..9);
                format!("[{low},{})", low + rng.i32(1..9))
            }
            _ => pool[rng.usize(..pool.len())].to_owned(),
        }
    }

    /// A value that no other call with another `number` gives.
    pub(super) fn distinct(self, number: usize, rng: &mut Rng) -> String {
        match self {
            Self::Text => format!("{}{number}", TEXTS[rng.usize(..TEXTS.len())]),
            Self::Uuid => format!("00000000-0000-4000-8000-{number:012}"),
            _ => (number as i64 - 3).to_string(),
        }
    }

    /// The value in JSON, in one of the ways a client may write it.
    pub(super) fn json(self, value: &str, rng: &mut Rng) -> String {
        let quoted = || serde_json::Value::from(value).to_string();
        let is_number = value.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'.');
        match self {
            Self::Jsonb => value.to_owned(),
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Numeric | Self::Float8 if is_number && rng.bool() => {
                value.to_owned()
            }
            Self::Bool if rng.bool() => value.to_owned(),
            Self::Int4s if !value.contains(['N', 'n']) && rng.bool() => value.replace('{', "[").replace('}', "]"),
            _ => quoted(),
        }
    }
}

const JSONS: [&str; 14] = [
    "null",
    "1",
    "\"a\"",
    "true",
    "[]",
    "{}",
    "[1, \"b\", null, {\"a\": 2}]",
    "{\"a\": {\"b\": [1, 2, {\"c\": \"x\"}]}}",
    "{\"a\": 1, \"b\": \"a,b\", \"0\": \"zero\"}",
    "{\"k\\\"ey\": 1, \"\": 2, \"a b\": [\"ä\", \"🦀\"]}",
    "{\"a\": \"1\", \"b\": null}",
    "{\"a\": [[1, 2], [3]], \"b\": 12345678901234567890.5}",
    "{\"a.b\": {\"c->d\": \"deep\"}, \"a\": \"the quick foxes\"}",
    "[[\"x\", {\"a\": \"y\"}], {\"a\": 1.50}]",
];

/// Keys that may stand in JSON paths.
pub(super) const JSON_KEYS: [&str; 10] = ["a", "b", "c", "k\"ey", "", "a b", "a.b", "c->d", "0", "nothing"];

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
