//! Mutual TLS from the cluster's secret, and the QUIC that it is for.
//!
//! Each secret is an authority: an Ed25519 key pair and a certificate that are the same, to the byte, wherever they are
//! derived. Each process makes a key and a certificate of its own when it starts, signed by the authority of the first
//! secret, and believes the authorities of all.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, Runtime as _, TokioRuntime, TransportConfig, VarInt};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{FRAME_BYTES_MAX, IDLE_TIMEOUT, KEEP_ALIVE, LinkError};
use crate::secret;

/// What the authority's key is derived with.
const AUTHORITY_LABEL: &[u8] = b"hyperion link authority 1";
/// The name of every node: the certificate says that somebody is of the cluster, the hello who it is.
pub(super) const SERVER_NAME: &str = "node.hyperion.internal";
const ALPN: &[u8] = b"hyperion-link";
/// Bytes on their way on one connection: some of the largest frames.
const WINDOW_BYTES: u32 = 16 * FRAME_BYTES_MAX as u32;
/// The round trip before there is one: nodes are near each other, and a lost first packet is sent again the sooner.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Connections that wait to be looked at; more are refused.
const INCOMING_MAX: usize = 256;

/// What this process proves, and believes.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
}

impl Identity {
    pub(super) fn of(secrets: &[String]) -> Result<Self, LinkError> {
        let mut roots = RootCertStore::empty();
        for secret in secrets {
            let (params, key) = authority(secret).map_err(certificates)?;
            let certificate = params.self_signed(&key).map_err(certificates)?;
            roots.add(certificate.der().clone()).map_err(certificates)?;
        }
        let (params, key) = authority(secrets.first().ok_or(LinkError::NoSecret)?).map_err(certificates)?;
        let (leaf, leaf_key) = leaf(&Issuer::new(params, key)).map_err(certificates)?;
        Ok(Self { chain: vec![leaf], key: leaf_key.into(), roots: Arc::new(roots) })
    }

    /// An endpoint that takes and makes connections, and what shows whether its socket is still open.
    pub(super) fn listen(&self, address: SocketAddr) -> Result<(Endpoint, Weak<dyn AsyncUdpSocket>), LinkError> {
        let (server, client) = (self.server()?, self.client()?);
        let failed = |error| LinkError::Listen { address, error };
        let runtime = Arc::new(TokioRuntime);
        let socket = UdpSocket::bind(address).and_then(|socket| runtime.wrap_udp_socket(socket)).map_err(failed)?;
        let open = Arc::downgrade(&socket);
        let config = EndpointConfig::default();
        let mut endpoint = Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime).map_err(failed)?;
        endpoint.set_default_client_config(client);
        Ok((endpoint, open))
    }

    fn server(&self) -> Result<quinn::ServerConfig, LinkError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(certificates)?
            .with_client_cert_verifier(verifier.build().map_err(certificates)?)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(certificates)?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        // Every connection proves the secret anew.
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        tls.send_tls13_tickets = 0;
        let crypto = QuicServerConfig::try_from(tls).map_err(certificates)?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(transport()).migration(false).max_incoming(INCOMING_MAX);
        Ok(server)
    }

    fn client(&self) -> Result<quinn::ClientConfig, LinkError> {
        let tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(certificates)?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(certificates)?;
        over_quic(tls)
    }

    /// A client that believes this cluster and has nothing to show.
    #[cfg(test)]
    pub(super) fn client_without_certificate(&self) -> quinn::ClientConfig {
        let tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        over_quic(tls).expect("a configuration")
    }
}

fn over_quic(mut tls: rustls::ClientConfig) -> Result<quinn::ClientConfig, LinkError> {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).map_err(certificates)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(transport());
    Ok(client)
}

/// The certificate and the key of the authority that a secret is.
fn authority(secret: &str) -> Result<(CertificateParams, KeyPair), rcgen::Error> {
    let seed = secret::derive(secret.as_bytes(), AUTHORITY_LABEL);
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let der = key.to_pkcs8v1().map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_ref()), &PKCS_ED25519)?;
    let mut params = params(Vec::new(), "Hyperion cluster")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok((params, key))
}

/// A certificate of this process alone.
fn leaf(authority: &Issuer<'_, KeyPair>) -> Result<(CertificateDer<'static>, KeyPair), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = params(vec![SERVER_NAME.to_owned()], "Hyperion node")?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok((params.signed_by(&key, authority)?.der().clone(), key))
}

/// Certificates are always valid: a secret ends when it is taken out of the file, and no clock decides who is of the
/// cluster (RFC 5280, 4.1.2.5: the end of what has none).
fn params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    Ok(params)
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IDLE_TIMEOUT.try_into().expect("three seconds are not too long")))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(WINDOW_BYTES.into())
        .receive_window(WINDOW_BYTES.into())
        .send_window(WINDOW_BYTES.into())
        .initial_rtt(INITIAL_RTT);
    Arc::new(transport)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificates(error: impl std::fmt::Display) -> LinkError {
    LinkError::Certificates(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls_pki_types::{ServerName, UnixTime};

    fn secrets(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn believes(one: &Identity, other: &Identity, unix_seconds: u64) -> bool {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&one.roots), provider());
        let verifier = verifier.build().expect("a verifier");
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(unix_seconds));
        verifier.verify_server_cert(&other.chain[0], &[], &name, &[], now).is_ok()
    }

    #[test]
    fn a_secret_is_one_authority_wherever_it_is_derived() {
        let certificate = |secret| {
            let (params, key) = authority(secret).expect("an authority");
            params.self_signed(&key).expect("a certificate").der().clone()
        };
        assert_eq!(certificate("one"), certificate("one"));
        assert_ne!(certificate("one"), certificate("two"));
    }

    #[test]
    fn the_first_secret_signs_and_all_are_believed_whatever_the_clock_says() {
        let [old, both, swapped, new] = [&["old"][..], &["old", "new"], &["new", "old"], &["new"]]
            .map(|lines| Identity::of(&secrets(lines)).expect("an identity"));
        for unix_seconds in [1, 1_800_000_000, 4_000_000_000, 200_000_000_000] {
            for (one, other) in [(&old, &both), (&both, &swapped), (&swapped, &new)] {
                assert!(believes(one, other, unix_seconds) && believes(other, one, unix_seconds));
            }
            assert!(!believes(&old, &new, unix_seconds) && !believes(&new, &old, unix_seconds));
            assert!(believes(&both, &new, unix_seconds) && !believes(&new, &both, unix_seconds));
        }
    }

    #[test]
    fn without_a_secret_there_is_nobody_to_be() {
        assert!(matches!(Identity::of(&[]), Err(LinkError::NoSecret)));
    }
}
