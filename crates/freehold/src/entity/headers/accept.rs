//! `Accept`: the form of the answer.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::entity::problem::Problem;

/// Media types that a refusal repeats.
const REPEATED_MAX: usize = 8;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::entity) enum Form {
    /// An array of rows.
    Array,
    /// An array of rows without members that are null.
    StrippedArray,
    /// Exactly one row.
    Object,
    /// Exactly one row without members that are null.
    StrippedObject,
    /// The one row a function gives.
    Row,
    /// Rows as CSV.
    Csv,
    /// One value as it is.
    Text,
}

impl Form {
    /// Whether there must be one row, no more and no less.
    pub(in crate::entity) fn is_single(self) -> bool {
        matches!(self, Self::Object | Self::StrippedObject | Self::Row)
    }

    /// Whether members that are null are left out.
    pub(in crate::entity) fn strips_nulls(self) -> bool {
        matches!(self, Self::StrippedArray | Self::StrippedObject)
    }

    /// What `Content-Type` says.
    pub(in crate::entity) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Array | Self::Row => "application/json; charset=utf-8",
            Self::StrippedArray => "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
            Self::Object => "application/vnd.pgrst.object+json; charset=utf-8",
            Self::StrippedObject => "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
        })
    }
}

/// Chooses the form of rows: the acceptable one of highest quality, of equals the first.
///
/// # Errors
/// A 406 when none is.
pub(in crate::entity) fn accepted(headers: &HeaderMap) -> Result<Form, Problem> {
    let hint = "rows are application/json, application/vnd.pgrst.object+json, application/vnd.pgrst.array+json (both \
                also with ;nulls=stripped) or text/csv";
    choose(headers, |form| form != Form::Text).map_err(|p| p.with_hint(hint))
}

/// Chooses the form of a value that is no row, as functions give it.
///
/// # Errors
/// A 406 when none is acceptable.
pub(in crate::entity) fn accepted_of_value(headers: &HeaderMap) -> Result<Form, Problem> {
    let hint = "a value is application/json or text/plain";
    choose(headers, |form| form != Form::Csv).map_err(|p| p.with_hint(hint))
}

fn choose(headers: &HeaderMap, is_possible: impl Fn(Form) -> bool) -> Result<Form, Problem> {
    let mut best: Option<(u16, Form)> = None;
    let mut asked = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            if name.is_empty() {
                continue;
            }
            let form = named(&name, parts.clone()).filter(|form| is_possible(*form));
            asked.push(name);
            let quality = quality(parts);
            if let Some(form) = form
                && quality > 0
                && best.is_none_or(|(q, _)| quality > q)
            {
                best = Some((quality, form));
            }
        }
    }
    match best {
        Some((_, form)) => Ok(form),
        None if asked.is_empty() => Ok(Form::Array),
        None => Err(none_of(&asked)),
    }
}

fn named<'a>(name: &str, mut parameters: impl Iterator<Item = &'a str>) -> Option<Form> {
    let form = match name {
        "*/*" | "application/*" | "application/json" => return Some(Form::Array),
        "text/csv" => return Some(Form::Csv),
        "text/plain" => return Some(Form::Text),
        "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => (Form::Array, Form::StrippedArray),
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => (Form::Object, Form::StrippedObject),
        _ => return None,
    };
    Some(match parameters.any(|p| p.eq_ignore_ascii_case("nulls=stripped")) {
        true => form.1,
        false => form.0,
    })
}

/// Thousandths; what cannot be read counts as 1.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u16 {
    let Some(q) = parameters.find_map(|p| p.strip_prefix("q=")) else {
        return 1000;
    };
    match q.parse::<f32>() {
        // Clamped to 0..=1000: the cast cannot wrap.
        Ok(q) if q.is_finite() => (q.clamp(0.0, 1.0) * 1000.0) as u16,
        _ => 1000,
    }
}

fn none_of(asked: &[String]) -> Problem {
    let mut list: Vec<&str> = asked.iter().take(REPEATED_MAX).map(String::as_str).collect();
    if asked.len() > REPEATED_MAX {
        list.push("…");
    }
    let message = format!("None of these media types are available: {}", list.join(", "));
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "PGRST107", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::headers::map;

    fn rows(accept: &'static str) -> Result<Form, String> {
        accepted(&map(&[("accept", accept)])).map_err(|p| p.message().to_owned())
    }

    fn value(accept: &'static str) -> Result<Form, String> {
        accepted_of_value(&map(&[("accept", accept)])).map_err(|p| p.message().to_owned())
    }

    #[test]
    fn every_form_has_its_media_types() {
        for (accept, form) in [
            ("", Form::Array),
            ("*/*", Form::Array),
            ("application/*", Form::Array),
            ("application/json", Form::Array),
            ("Application/JSON; charset=utf-8", Form::Array),
            ("application/json;nulls=stripped", Form::Array),
            ("application/vnd.pgrst.array+json", Form::Array),
            ("application/vnd.pgrst.array", Form::Array),
            ("application/vnd.pgrst.array+json;nulls=stripped", Form::StrippedArray),
            (
                "application/vnd.pgrst.array; nulls=stripped; q=0.5",
                Form::StrippedArray,
            ),
            ("application/vnd.pgrst.array+json;nulls=kept", Form::Array),
            ("application/vnd.pgrst.object+json", Form::Object),
            ("application/vnd.pgrst.object", Form::Object),
            (
                "application/vnd.pgrst.object+json ; nulls=stripped",
                Form::StrippedObject,
            ),
            ("text/csv", Form::Csv),
        ] {
            assert_eq!(rows(accept), Ok(form), "{accept}");
        }
        assert_eq!(accepted(&HeaderMap::new()).ok(), Some(Form::Array));
        assert_eq!(value("text/plain"), Ok(Form::Text));
        assert_eq!(value("*/*"), Ok(Form::Array));
    }

    #[test]
    fn the_best_possible_form_is_chosen() {
        assert_eq!(rows("text/html, */*;q=0.1"), Ok(Form::Array));
        assert_eq!(rows("text/plain, application/json;q=0.5"), Ok(Form::Array));
        assert_eq!(value("text/csv, text/plain;q=0.5"), Ok(Form::Text));
        assert_eq!(
            rows("application/json;q=0.5, application/vnd.pgrst.object+json"),
            Ok(Form::Object)
        );
        assert_eq!(
            rows("application/json;q=0.5, text/csv;q=0.6, */*;q=x;q=0"),
            Ok(Form::Array)
        );
        assert_eq!(rows("text/csv;q=0.6, application/json;q=0.6"), Ok(Form::Csv));
        let several = map(&[("accept", "text/html"), ("accept", "text/csv")]);
        assert_eq!(accepted(&several).ok(), Some(Form::Csv));
    }

    #[test]
    fn what_cannot_be_produced_is_refused_by_its_name() {
        let none = |list: &str| Err(format!("None of these media types are available: {list}"));
        assert_eq!(rows("text/html, image/png"), none("text/html, image/png"));
        assert_eq!(rows("*/*;q=0"), none("*/*"));
        assert_eq!(rows("text/plain"), none("text/plain"));
        assert_eq!(value("text/csv"), none("text/csv"));
        assert_eq!(rows("a,b,c,d,e,f,g,h,i"), none("a, b, c, d, e, f, g, h, …"));
        let problem = accepted(&map(&[("accept", "image/png")])).expect_err("it is no form");
        assert_eq!((problem.status().as_u16(), problem.code()), (406, "PGRST107"));
    }

    #[test]
    fn only_objects_and_a_functions_row_are_single() {
        let single = [Form::Object, Form::StrippedObject, Form::Row];
        let stripped = [Form::StrippedArray, Form::StrippedObject];
        for form in [
            Form::Array,
            Form::StrippedArray,
            Form::Object,
            Form::StrippedObject,
            Form::Row,
            Form::Csv,
            Form::Text,
        ] {
            assert_eq!(form.is_single(), single.contains(&form), "{form:?}");
            assert_eq!(form.strips_nulls(), stripped.contains(&form), "{form:?}");
            let says = form.content_type();
            let says = says.to_str().expect("it is text");
            assert_eq!(says.contains("nulls=stripped"), form.strips_nulls(), "{form:?}");
            assert!(says.ends_with("; charset=utf-8"), "{form:?}");
        }
    }
}
