//! Who sends a request, as far as the network tells.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::Accounts;
use crate::error::Error;

/// Bytes of what a client says it is.
const DEVICE_BYTES_MAX: usize = 200;

/// Address and device of a client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Its address, or the outermost that a proxy of ours saw.
    pub(crate) address: IpAddr,
    /// What it says it is: for people, who see it in the list of their sessions.
    pub(crate) device: String,
}

impl Client {
    /// What attempts are counted by. An IPv6 customer has a /64 at least.
    pub(crate) fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !0 << 64)),
            v4 => v4,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Extension(accounts) = Extension::<Arc<Accounts>>::from_request_parts(parts, state)
            .await
            .map_err(freehold::Error::other)?;
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(freehold::Error::other)?;
        let device = parts
            .headers
            .get(header::USER_AGENT)
            .map_or(&b""[..], |value| value.as_bytes());
        let device: String = String::from_utf8_lossy(device)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        Ok(Self {
            address: outermost(peer.0.ip(), &parts.headers, &accounts.settings.proxies),
            device: device[..device.floor_char_boundary(DEVICE_BYTES_MAX)].to_owned(),
        })
    }
}

/// The address farthest out that somebody we trust vouches for. What a stranger wrote into the header is not looked at.
fn outermost(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while proxies.contains(&address) {
        let Some(Ok(hop)) = hops.next().map(|hop| hop.trim().parse::<IpAddr>()) else {
            break;
        };
        address = hop.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn seen(peer: &str, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let proxies = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
        outermost(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    #[test]
    fn only_what_our_proxies_saw_is_believed() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["192.0.2.66, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            seen("10.0.0.1", &["192.0.2.66", "198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn neighbours_of_one_ipv6_customer_are_counted_together() {
        let network = |text: &str| {
            let client = Client {
                address: text.parse().expect("an address"),
                device: String::new(),
            };
            client.network()
        };
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
