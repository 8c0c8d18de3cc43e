//! TURN servers for clients whose network lets nothing else through, with credentials that end by themselves.
//!
//! They are those of the "REST API for access to TURN services" (draft-uberti-behave-turn-rest-00), which coturn calls
//! `use-auth-secret`: the name is when they end, and for whom they are; the password is its HMAC-SHA1 under a secret that
//! the TURN server knows too.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use protocol::ParticipantId;
use protocol::request::IceServer;

use crate::config::Turn;
use crate::{secret, tokens};

/// A transport keeps the credentials that it began with, and may need them whenever its path breaks.
const TTL: Duration = tokens::SESSION_TTL;

/// Makes what clients are told.
pub struct IceServers(Option<Known>);

struct Known {
    urls: Vec<String>,
    key: hmac::Key,
}

impl IceServers {
    /// Reads the secret, if there is a TURN server.
    pub(crate) fn load(config: &Turn) -> anyhow::Result<Self> {
        match &config.secret_file {
            Some(path) if !config.urls.is_empty() => Ok(Self::new(config.urls.clone(), &read_secret(path)?)),
            _ => Ok(Self(None)),
        }
    }

    fn new(urls: Vec<String>, secret: &str) -> Self {
        Self(Some(Known { urls, key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes()) }))
    }

    /// No servers.
    pub fn none() -> Self {
        Self(None)
    }

    /// The servers for one participant, at a time since the Unix epoch.
    pub fn of(&self, now: Duration, participant: ParticipantId) -> Vec<IceServer> {
        let Some(Known { urls, key }) = &self.0 else { return Vec::new() };
        let username = format!("{}:{participant}", (now + TTL).as_secs());
        let credential = BASE64.encode(hmac::sign(key, username.as_bytes()));
        vec![IceServer { urls: urls.clone(), username: Some(username), credential: Some(credential) }]
    }
}

/// The first line, as in the file of the cluster's secret: a TURN server has one.
fn read_secret(path: &Path) -> anyhow::Result<String> {
    let secrets = secret::read(path, "the TURN server's secret", "turn-secret-file")?;
    Ok(secrets.into_iter().next().unwrap_or_default())
}

/// Whether a text is the address of a TURN server (RFC 7065).
pub(crate) fn is_turn_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("turn:").or_else(|| text.strip_prefix("turns:")) else { return false };
    let (address, transport) = rest.split_once("?transport=").unwrap_or((rest, "udp"));
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !address.ends_with(']') => (host, port),
        _ => (address, "3478"),
    };
    let is_name =
        |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let is_address = |host: &str| {
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok())
    };
    matches!(transport, "udp" | "tcp")
        && port.parse::<u16>().is_ok_and(|port| port != 0)
        && (is_name(host) || is_address(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_what_the_turn_server_computes() {
        let servers = IceServers::new(vec!["turn:turn.example.org".to_owned()], "north");
        let now = Duration::from_secs(1_000_000_000);
        let made = servers.of(now, ParticipantId(7));
        let [IceServer { urls, username: Some(username), credential: Some(credential) }] = &made[..] else {
            panic!("one server: {made:?}")
        };
        assert_eq!((urls[0].as_str(), username.as_str()), ("turn:turn.example.org", "1000086400:0000000000000007"));
        // printf %s "$username" | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(credential, "IQ7ys6hbjKj43aiwiH/QkZogqf8=");
        assert_ne!(made, servers.of(now, ParticipantId(8)));
        assert_ne!(made, servers.of(now + Duration::from_secs(1), ParticipantId(7)));
    }

    #[test]
    fn without_a_turn_server_there_is_nothing_to_tell() {
        let none = IceServers::load(&Turn::default()).expect("nothing to read");
        assert_eq!(none.of(Duration::ZERO, ParticipantId(7)), []);
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_named() {
        let turn = Turn { urls: vec!["turn:turn.example.org".to_owned()], secret_file: Some("/nowhere".into()) };
        let error = IceServers::load(&turn).err().expect("there is no such file");
        assert!(error.to_string().contains("/nowhere (--turn-secret-file)"), "{error:#}");
    }

    #[test]
    fn addresses_of_turn_servers() {
        for good in [
            "turn:turn.example.org",
            "turn:192.0.2.7:3478?transport=udp",
            "turns:turn.example.org:443?transport=tcp",
            "turn:[2001:db8::1]:3478",
            "turn:[2001:db8::1]",
        ] {
            assert!(is_turn_url(good), "{good}");
        }
        for bad in [
            "turn.example.org",
            "turn://turn.example.org",
            "stun:stun.example.org",
            "turn:",
            "turn:a:0",
            "turn:a:70000",
            "turn:a?transport=sctp",
            "turn:user@a",
            "turn:2001:db8::1",
            "turn:a b",
        ] {
            assert!(!is_turn_url(bad), "{bad}");
        }
    }
}
