//! Proxies in front: whose word for a client's address is taken, and who may speak plain HTTP beyond loopback.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::middleware::map_request;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An address or a range of them, as `192.0.2.7` or `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AddressRange(IpNet);

impl AddressRange {
    /// Whether it is all addresses of a kind, and so says nothing.
    pub(crate) fn is_everybody(&self) -> bool {
        self.0.prefix_len() == 0
    }
}

impl FromStr for AddressRange {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<IpAddr>().map_or_else(|_| text.parse(), |address| Ok(address.into())).map(Self)
    }
}

impl TryFrom<String> for AddressRange {
    type Error = ipnet::AddrParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// The proxies that are trusted.
#[derive(Clone)]
pub(crate) struct Proxies(Arc<[AddressRange]>);

impl Proxies {
    pub(crate) fn new(ranges: &[AddressRange]) -> Self {
        Self(ranges.into())
    }

    pub(crate) fn contains(&self, peer: IpAddr) -> bool {
        // IPv4 comes to an IPv6 socket in disguise.
        let peer = peer.to_canonical();
        self.0.iter().any(|range| range.0.contains(&peer))
    }
}

/// Puts the client's address in place of the peer's for requests that come from one of `proxies`.
pub(crate) fn believe(router: Router, proxies: &Proxies) -> Router {
    if proxies.0.is_empty() {
        return router;
    }
    let proxies = proxies.clone();
    router.layer(map_request(move |mut request: Request| {
        let proxies = proxies.clone();
        async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
            if peer.is_some_and(|peer| proxies.contains(peer))
                && let Some(client) = client(request.headers())
            {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
            }
            request
        }
    }))
}

/// The last address of the list: the one that the proxy itself wrote.
fn client(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next()?;
    last.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    fn proxies(ranges: &[&str]) -> Proxies {
        let ranges: Vec<AddressRange> = ranges.iter().map(|range| range.parse().expect("a range")).collect();
        Proxies::new(&ranges)
    }

    #[test]
    fn ranges_are_written_as_they_are_read() {
        for text in ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/64"] {
            assert_eq!(text.parse::<AddressRange>().expect("a range").to_string(), text);
        }
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.1:80", "*"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_ends_where_it_ends() {
        let proxies = proxies(&["10.0.0.1", "172.30.0.0/31", "fd00::/64"]);
        for inside in ["10.0.0.1", "::ffff:10.0.0.1", "172.30.0.1", "::ffff:172.30.0.0", "fd00::5"] {
            assert!(proxies.contains(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["10.0.0.2", "172.30.0.2", "172.29.255.255", "fd00:0:0:1::5", "127.0.0.1", "::1"] {
            assert!(!proxies.contains(outside.parse().expect("an address")), "{outside}");
        }
    }

    async fn seen(peer: &str, forwarded: &[&str]) -> String {
        let show = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = believe(Router::new().route("/", get(show)), &proxies(&["10.0.0.1", "10.1.0.0/24"]));
        let mut request = Request::builder().uri("/");
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 5)));
        let response = router.oneshot(request).await.expect("an answer");
        let body = axum::body::to_bytes(response.into_body(), 100).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_trusted_proxy_says_who_the_client_is() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.7"]).await, "203.0.113.7");
        assert_eq!(seen("::ffff:10.0.0.1", &["2001:db8::1"]).await, "2001:db8::1");
        assert_eq!(seen("10.1.0.255", &["203.0.113.7"]).await, "203.0.113.7");
    }

    #[tokio::test]
    async fn nobody_else_does_and_what_the_client_wrote_does_not_count() {
        assert_eq!(seen("10.0.0.2", &["203.0.113.7"]).await, "10.0.0.2");
        assert_eq!(seen("10.1.1.0", &["203.0.113.7"]).await, "10.1.1.0");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 203.0.113.7"]).await, "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "203.0.113.7"]).await, "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &["nonsense"]).await, "10.0.0.1");
    }
}
