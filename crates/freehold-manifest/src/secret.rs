//! Passwords in texts we show: hidden, byte for byte, so that spans still fit.

use std::ops::Range;

/// The first password in a URL (`scheme://user:password@…`, or its `password=` parameter), if it has one.
pub(crate) fn password(url: &str) -> Option<Range<usize>> {
    passwords(url).into_iter().next()
}

/// The text with every password written as asterisks of the same length in bytes.
pub(crate) fn hide(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let start = shown.len();
        shown.push_str(line);
        for span in passwords(line) {
            let stars = "*".repeat(span.len());
            shown.replace_range(start + span.start..start + span.end, &stars);
        }
    }
    shown
}

fn passwords(line: &str) -> Vec<Range<usize>> {
    let in_authorities = line.match_indices("://").filter_map(|(at, mark)| {
        let start = at + mark.len();
        let end = end_of_word(line, start, &['"', '\'']);
        // The last `@` ends the user part even where the password holds an unescaped `/`, `?` or `@`.
        let user_end = start + line[start..end].rfind('@')?;
        let colon = start + line[start..user_end].find(':')?;
        Some(colon + 1..user_end)
    });
    let lower = line.to_ascii_lowercase();
    let in_parameters = lower.match_indices("password=").map(|(at, key)| {
        let start = at + key.len();
        start..end_of_word(line, start, &['"', '\'', '&'])
    });
    in_authorities
        .chain(in_parameters)
        .filter(|span| !span.is_empty())
        .collect()
}

fn end_of_word(line: &str, start: usize, ends: &[char]) -> usize {
    line[start..]
        .find(|c: char| c.is_whitespace() || ends.contains(&c))
        .map_or(line.len(), |at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_and_offsets_stay() {
        let text = "a = 1\nurl = \"postgres://admin:s3cr:et@/x@db\" # é\n";
        let shown = hide(text);
        assert_eq!(shown, "a = 1\nurl = \"postgres://admin:**********@db\" # é\n");
        assert_eq!(shown.len(), text.len());
    }

    #[test]
    fn a_url_without_password_is_left_alone() {
        assert_eq!(password("postgres://admin@db:5432"), None);
        assert_eq!(password("postgres://db:5432"), None);
    }

    #[test]
    fn a_password_parameter_is_found() {
        let url = "postgres://db/x?user=a&Password=geheim&b=c";
        assert_eq!(&url[password(url).unwrap_or_default()], "geheim");
    }
}
