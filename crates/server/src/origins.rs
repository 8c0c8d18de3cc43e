//! Which web pages may connect: the `Origin` values (RFC 6454) of this server's own pages, and configured ones.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Config;

/// The allowed origins of a server that listens on `listen` (with its real port) and is reached at `addresses`.
pub fn allowed(config: &Config, listen: SocketAddr, addresses: &[IpAddr]) -> Vec<String> {
    let scheme = if config.tls() { "https" } else { "http" };
    let mut origins = BTreeSet::from([origin(scheme, "localhost", listen.port())]);
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].into_iter();
    let own = loopback.chain([listen.ip()]).chain(addresses.iter().copied());
    for address in own.filter(|address| !address.is_unspecified()) {
        origins.insert(origin(scheme, &host(address), listen.port()));
    }
    origins.extend(config.allowed_origins.iter().cloned());
    origins.into_iter().collect()
}

/// The address as the host of a URL.
pub fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Whether a text is an origin exactly as browsers send it.
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let host =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_');
    let scheme_ok = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    scheme_ok && !authority.is_empty() && authority.bytes().all(host)
}

/// Browsers leave out the port that the scheme implies.
fn origin(scheme: &str, host: &str, port: u16) -> String {
    match (scheme, port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_its_names_and_the_announced_addresses() {
        let config = Config::default();
        let origins = allowed(&config, config.listen, &["192.0.2.7".parse().expect("an address")]);
        assert_eq!(
            origins,
            ["http://127.0.0.1:4400", "http://192.0.2.7:4400", "http://[::1]:4400", "http://localhost:4400"]
        );
    }

    #[test]
    fn beyond_loopback_https_without_its_own_port() {
        let listen: SocketAddr = "0.0.0.0:443".parse().expect("an address");
        let config = Config { listen, allowed_origins: vec!["https://meet.example.org".into()], ..Config::default() };
        let origins = allowed(&config, listen, &["2001:db8::1".parse().expect("an address")]);
        assert_eq!(
            origins,
            [
                "https://127.0.0.1",
                "https://[2001:db8::1]",
                "https://[::1]",
                "https://localhost",
                "https://meet.example.org"
            ]
        );
    }

    #[test]
    fn origins_are_spelled_as_browsers_do() {
        for good in ["https://meet.example.org", "http://[::1]:4400", "capacitor://localhost"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["meet.example.org", "https://", "https://a/", "https://A", "https://a b", "*", "null"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
