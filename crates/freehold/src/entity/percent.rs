//! Percent-encoded text, as query strings and forms write it. PURE.

use std::borrow::Cow;

/// Decodes one name or value; `+` is a space.
///
/// # Errors
/// What is wrong with it, to be put after its name: no UTF-8, or a NUL character.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+' | 0)) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| "does not decode to UTF-8")?;
    if decoded.contains('\0') {
        return Err("contains a NUL character, which PostgreSQL cannot store");
    }
    Ok(Cow::Owned(decoded.into_owned()))
}

/// Splits `name=value&…`; a part without `=` has an empty value, an empty part is none.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_plus_signs_are_decoded() {
        for (text, decoded) in [
            ("", Ok("")),
            ("abc", Ok("abc")),
            ("a+b%2Bc%20d", Ok("a b+c d")),
            ("gr%C3%B6%c3%9fe", Ok("größe")),
            ("100%", Ok("100%")),
            ("%2", Ok("%2")),
            ("%zz", Ok("%zz")),
            ("%ff", Err("does not decode to UTF-8")),
            ("%00", Err("contains a NUL character, which PostgreSQL cannot store")),
            ("\0", Err("contains a NUL character, which PostgreSQL cannot store")),
        ] {
            assert_eq!(decode(text).as_deref().map_err(|e| *e), decoded, "{text}");
        }
    }

    #[test]
    fn pairs_stand_between_ampersands() {
        let found: Vec<_> = pairs("a=1&&b&=2&c=d=e&").collect();
        assert_eq!(found, [("a", "1"), ("b", ""), ("", "2"), ("c", "d=e")]);
        assert_eq!(pairs("").count(), 0);
    }
}
