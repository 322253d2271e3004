//! Forms (`application/x-www-form-urlencoded`): one row, or the arguments of a function, as names and texts. PURE.

use serde_json::{Map, Value};

use super::limits::COLUMNS_MAX;
use super::percent;
use super::problem::Problem;

/// Reads names and values in the order they came; a name may come again, as the arguments of a variadic function do.
///
/// # Errors
/// A 400 for what does not decode, a pair without a name, or more pairs than a row has columns.
pub(super) fn read(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let decode = |text| percent::decode(text).map_err(|why| Problem::body(format!("the form {why}")));
    let mut pairs = Vec::new();
    for (name, value) in percent::pairs(text.trim()) {
        if pairs.len() == COLUMNS_MAX {
            return Err(Problem::body(format!("the form has more than {COLUMNS_MAX} fields")));
        }
        if name.is_empty() {
            return Err(Problem::body("a field of the form has no name"));
        }
        pairs.push((decode(name)?.into_owned(), decode(value)?.into_owned()));
    }
    Ok(pairs)
}

/// Turns a form into the text of a JSON object whose values are texts.
///
/// # Errors
/// As [`read`], and a 400 for a name that comes again.
pub(super) fn to_json(text: &str) -> Result<Vec<u8>, Problem> {
    let mut object = Map::new();
    for (name, value) in read(text)? {
        if object.contains_key(&name) {
            return Err(Problem::body(format!("the form names `{name}` twice")));
        }
        object.insert(name, Value::String(value));
    }
    Ok(Value::Object(object).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, String> {
        to_json(text)
            .map(|json| String::from_utf8_lossy(&json).into_owned())
            .map_err(|p| p.message().to_owned())
    }

    #[test]
    fn a_form_is_an_object_of_texts() {
        assert_eq!(
            json("a=1&b=x+y%22&%C3%A4=&c").as_deref(),
            Ok(r#"{"a":"1","b":"x y\"","c":"","ä":""}"#)
        );
        assert_eq!(json("").as_deref(), Ok("{}"));
        assert_eq!(json("a=1\n").as_deref(), Ok(r#"{"a":"1"}"#));
    }

    #[test]
    fn a_bad_form_is_refused() {
        let many = (0..=COLUMNS_MAX)
            .map(|n| format!("a{n}=1"))
            .collect::<Vec<_>>()
            .join("&");
        for text in ["a=1&a=2", "=1", "a=%ff", "%ff=a", "a=%00", many.as_str()] {
            assert!(json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arguments_keep_their_order_and_may_come_again() {
        let read = read("b=2&a=1&b=3").ok();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, Some(vec![pair("b", "2"), pair("a", "1"), pair("b", "3")]));
    }
}
