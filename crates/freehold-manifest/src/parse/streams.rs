//! `[streams.<name>]` and `[projections.<name>]` of `freehold.toml`.

use super::fields::Fields;
use super::reader::Reader;
use crate::declared::{At, DeclaredProjection, DeclaredStream, Listed};
use crate::model::{Audience, Timing};

const TIMINGS: &[(&str, Timing)] = &[
    ("after_append", Timing::AfterAppend),
    ("with_append", Timing::WithAppend),
];

pub(super) fn stream(reader: &mut Reader<'_>, fields: &Fields<'_>, name: At<String>) -> DeclaredStream {
    reader.only(fields, &["summary", "events", "published"]);
    reader.identifier(&name, "stream name");
    DeclaredStream {
        summary: reader.string(fields, "summary").map(|s| s.value).unwrap_or_default(),
        events: names(
            reader,
            fields,
            "events",
            "events = [\"created\", \"edited\"]",
            "event name",
        ),
        audience: if reader.boolean(fields, "published", false) {
            Audience::Published
        } else {
            Audience::Private
        },
        name,
    }
}

pub(super) fn projection(reader: &mut Reader<'_>, fields: &Fields<'_>, name: At<String>) -> DeclaredProjection {
    reader.only(fields, &["summary", "tables", "streams", "topics", "timing", "fold"]);
    reader.identifier(&name, "projection name");
    let tables = match fields.get("tables") {
        Some(_) => names(reader, fields, "tables", "", "table name"),
        None => Listed {
            items: vec![name.clone()],
            complete: true,
        },
    };
    let streams = match fields.get("topics") {
        None => names(reader, fields, "streams", "streams = [\"note\"]", "stream name"),
        Some(_) => Listed::empty(),
    };
    let timing = reader.word(fields, "timing", TIMINGS, Timing::AfterAppend);
    let topics = topics(reader, fields, &timing);
    let fold = reader.string(fields, "fold");
    if timing.value == Timing::WithAppend && fields.get("fold").is_none() {
        let message = format!("{} needs `fold`", fields.path("timing"));
        let help = "name the SQL function that folds: whoever appends, from whatever language, then folds too";
        let label = "folded by the database or not at all";
        reader.invalid(&timing.span, message, label, Some(help.to_owned()));
    }
    DeclaredProjection {
        summary: reader.string(fields, "summary").map(|s| s.value).unwrap_or_default(),
        tables,
        streams,
        topics,
        timing,
        fold,
        name,
    }
}

/// What is followed instead of streams: positions of the log are others.
fn topics(reader: &mut Reader<'_>, fields: &Fields<'_>, timing: &At<Timing>) -> Listed {
    if fields.get("topics").is_none() {
        return Listed::empty();
    }
    let mut topics = reader.strings(fields, "topics");
    reader.distinct(&mut topics, &fields.path("topics"));
    if topics.items.is_empty() && topics.complete {
        let message = format!("{} is empty", fields.path("topics"));
        reader.invalid(&fields.key_span("topics"), message, "expected at least one", None);
    }
    if fields.get("streams").is_some() {
        let message = format!("{} stands beside `streams`", fields.path("topics"));
        let help = "make two projections: streams and the log have positions of their own".to_owned();
        reader.invalid(&fields.key_span("topics"), message, "one or the other", Some(help));
    }
    if timing.value == Timing::WithAppend {
        let message = format!("{} cannot be `with_append` with `topics`", fields.path("timing"));
        reader.invalid(&timing.span, message, "the log is written after the commit", None);
    }
    topics
}

/// At least one name.
fn names(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, example: &str, what: &str) -> Listed {
    if fields.get(key).is_none() {
        reader.missing(fields, key, example);
        return Listed::unknown();
    }
    let mut listed = reader.strings(fields, key);
    reader.distinct(&mut listed, &fields.path(key));
    if listed.items.is_empty() && listed.complete {
        let message = format!("{} is empty", fields.path(key));
        reader.invalid(&fields.key_span(key), message, "expected at least one", None);
    }
    for name in &listed.items {
        reader.identifier(name, what);
    }
    listed
}
