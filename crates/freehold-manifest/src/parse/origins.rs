//! Origins of web pages, as browsers write them in the header `Origin`: `https://shop.example`.

use super::reader::Reader;
use crate::declared::At;

/// Ports that a browser leaves out, by scheme.
const PORTS_LEFT_OUT: &[(&str, u16)] = &[("http", 80), ("https", 443)];

impl Reader<'_> {
    /// Reports an origin that is neither `*` nor what a browser would send.
    pub(super) fn origin(&mut self, origin: &At<String>) {
        let Some((label, help)) = fault(&origin.value) else {
            return;
        };
        let message = format!("`{}` is not an origin", origin.value);
        self.invalid(&origin.span, message, label, help);
    }
}

/// What is wrong with an origin, and what was probably meant.
fn fault(origin: &str) -> Option<(&'static str, Option<String>)> {
    const SHAPE: &str = "expected `*` or `<scheme>://<host>[:<port>]`";
    if origin == "*" {
        return None;
    }
    let Some((scheme, rest)) = origin.split_once("://") else {
        let help = (origin.contains(['.', ':']) && is_authority(origin)).then(|| format!("write `https://{origin}`"));
        return Some((SHAPE, help));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let plain = format!("{scheme}://{authority}").to_ascii_lowercase();
    if !is_scheme(&scheme.to_ascii_lowercase()) || !is_authority(authority) {
        return Some((SHAPE, None));
    }
    if plain.len() != origin.len() {
        return Some(("a path does not belong to it", Some(format!("write `{plain}`"))));
    }
    if plain != origin {
        return Some(("browsers write it in lowercase", Some(format!("write `{plain}`"))));
    }
    let (host, port) = split_port(authority);
    let left_out = PORTS_LEFT_OUT
        .iter()
        .any(|(of, port_of)| *of == scheme && port == Some(port_of.to_string().as_str()));
    left_out.then(|| {
        let help = format!("write `{scheme}://{host}`");
        ("browsers leave the scheme's own port out", Some(help))
    })
}

fn is_scheme(scheme: &str) -> bool {
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'))
}

/// `host` or `host:port`; the host a name, an address, or an IPv6 address in brackets.
fn is_authority(authority: &str) -> bool {
    let (host, port) = split_port(authority);
    let is_host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    };
    let is_port = |port: &str| {
        let digits = !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit());
        digits && port.parse::<u16>().is_ok()
    };
    is_host && port.is_none_or(is_port)
}

/// The host, and the port if one is written.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}
