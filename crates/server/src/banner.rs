//! What start-up prints: where the server is, and how to reach and trust it from another machine.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::config::AddressRange;
use crate::origins::host;
use crate::tls::Tls;

/// The address bar's text for a listen address; for a wildcard that of the first address in `reachable` that it takes.
pub fn url(tls: bool, listen: SocketAddr, reachable: &[IpAddr]) -> String {
    let scheme = if tls { "https" } else { "http" };
    let address = taken(listen.ip(), reachable).next().map_or_else(|| "localhost".to_owned(), host);
    format!("{scheme}://{address}:{}/", listen.port())
}

/// Those addresses of the machine at which `listen` takes connections: `0.0.0.0` takes no IPv6, while Linux lets
/// `[::]` take both.
fn taken(listen: IpAddr, reachable: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let own = (!listen.is_unspecified()).then_some(listen);
    let others = if own.is_none() { reachable } else { &[] };
    own.into_iter().chain(others.iter().copied().filter(move |address| address.is_ipv4() || listen.is_ipv6()))
}

/// Everything but the last line: the media sockets and, where others can reach the server, their URLs, a QR code and
/// the certificate's fingerprint, or what `proxies` in front of it speak.
pub fn details(
    listen: SocketAddr,
    reachable: &[IpAddr],
    media: &[SocketAddr],
    tls: Option<&Tls>,
    proxies: &[AddressRange],
) -> String {
    let mut text = String::new();
    let sockets: Vec<String> = media.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "Media: UDP {}", sockets.join(", "));
    let Some(tls) = tls.filter(|_| !listen.ip().is_loopback()) else { return text };
    if !proxies.is_empty() {
        // People have the proxy's address, and its certificate.
        let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "Plain HTTP for {}, HTTPS for everybody else.", proxies.join(", "));
        return text;
    }
    let addresses: Vec<IpAddr> = taken(listen.ip(), reachable).filter(|address| !address.is_loopback()).collect();
    for address in &addresses {
        let _ = writeln!(text, "From other machines: {}", url(true, SocketAddr::new(*address, listen.port()), &[]));
    }
    if let Some(first) = addresses.first() {
        let url = url(true, SocketAddr::new(*first, listen.port()), &[]);
        if let Ok(code) = QrCode::new(url) {
            // Light modules are drawn, as most terminals are dark; on a light one scanners take it inverted.
            let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
            text.push_str(&code.render::<Dense1x2>().dark_color(dark).light_color(light).build());
            text.push('\n');
        }
    }
    if tls.self_signed {
        text.push_str("The certificate is self-signed: browsers warn once. Compare before you go on:\n");
    }
    let _ = writeln!(text, "Certificate SHA-256: {}", tls.fingerprint);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_an_address_that_can_be_opened() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let reachable = [ip("2001:db8::7"), ip("192.0.2.7")];
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(url(false, at("127.0.0.1:4400"), &reachable), "http://127.0.0.1:4400/");
        assert_eq!(url(true, at("0.0.0.0:4400"), &reachable), "https://192.0.2.7:4400/");
        assert_eq!(url(true, at("0.0.0.0:4400"), &[ip("2001:db8::7")]), "https://localhost:4400/");
        assert_eq!(url(true, at("[::]:4400"), &reachable), "https://[2001:db8::7]:4400/");
        assert_eq!(url(true, at("[::]:4400"), &[]), "https://localhost:4400/");
        assert_eq!(url(false, at("[::1]:80"), &[]), "http://[::1]:80/");
    }
}
