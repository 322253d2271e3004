//! E-mail addresses.

use std::fmt;

/// RFC 5321, 4.5.3.1.3: a path holds 256 bytes, its brackets among them.
const BYTES_MAX: usize = 254;

/// RFC 5321, 4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 64;

/// An address as somebody wrote it, good enough to try a mail. Whether it is theirs, only the mail tells.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address; none if no mail could go there, or it could carry more than an address.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let labels = domain.split('.');
        let sound = text.len() <= BYTES_MAX
            && (1..=LOCAL_BYTES_MAX).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.bytes().all(is_atom)
            && labels.clone().count() >= 2
            && labels.clone().all(is_label);
        // The mail library has the last word: it writes the address into a header.
        (sound && text.parse::<lettre::Address>().is_ok()).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    pub(crate) fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(local, _)| local)
    }

    /// By which an account is found: as the database's `lower(email collate "C")`.
    pub(crate) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// RFC 5322, 3.2.3: `atext`, and the dot between.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mail_can_reach_are_read() {
        for text in ["a@b.example", " Ann.Lee+notes@mail.example.org ", "o'neil@x-y.example"] {
            let read = Email::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.as_str(), text.trim());
        }
    }

    #[test]
    fn what_is_no_address_or_more_than_one_is_not_read() {
        let long = format!("{}@b.example", "a".repeat(65));
        let longer = format!("a@{}.example", ["b".repeat(60).as_str(); 5].join("."));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b.example",
            "a@b",
            "a@@b.example",
            "a b@c.example",
            "a@b.example,c@d.example",
            "<a@b.example>",
            "a@b.example\r\nBcc: c@d.example",
            "a@b.example\0",
            "a@-b.example",
            "a@b..example",
            ".a@b.example",
            "a..a@b.example",
            "ä@b.example",
            "a@[127.0.0.1]",
            "\"a b\"@c.example",
            &long,
            &longer,
        ] {
            assert!(Email::read(text).is_none(), "{text:?}");
        }
    }
}
