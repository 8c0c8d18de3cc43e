//! The DTLS client of a light client, for nothing but SRTP's keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, certificate};

use super::srtcp::Sealer;

/// What browsers wait at first before they send a flight again (RFC 9147 section 5.8.2 allows less than a second).
const RETRANSMISSION_TIMEOUT: Duration = Duration::from_millis(250);
/// Longer than any message of the handshake.
const MESSAGE_BYTES_MAX: usize = 8192;

/// A certificate, and settings of the DTLS library, which take a millisecond to check; for all clients of a process.
pub struct Identity {
    config: Arc<Config>,
    certificate: DtlsCertificate,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No key or certificate could be made.
    #[error("cannot make a certificate")]
    Certificate,
    /// The crypto library does not do what DTLS needs.
    #[error("cannot configure DTLS: {0}")]
    Config(dimpl::Error),
}

impl Identity {
    /// Makes a certificate.
    pub fn generate() -> Result<Arc<Self>, IdentityError> {
        let config = Config::builder().flight_start_rto(RETRANSMISSION_TIMEOUT).build();
        let config = Arc::new(config.map_err(IdentityError::Config)?);
        let certificate = certificate::generate_self_signed_certificate().map_err(|_| IdentityError::Certificate)?;
        Ok(Arc::new(Self { config, certificate }))
    }

    /// Its SHA-256 hash.
    pub(super) fn fingerprint(&self) -> String {
        self.certificate.fingerprint_str()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

/// The client's end.
pub(super) struct Handshake {
    dtls: Dtls,
    /// SHA-256 of the server's certificate, as signalled.
    expected: String,
    verified: bool,
    sealer: Option<Sealer>,
    timeout: Instant,
}

/// The handshake failed, or the server closed the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

impl Handshake {
    pub(super) fn new(now: Instant, identity: &Identity, expected: &str) -> Self {
        let mut dtls = Dtls::new_12(identity.config.clone(), identity.certificate.clone(), now);
        dtls.set_active(true);
        Self { dtls, expected: expected.to_owned(), verified: false, sealer: None, timeout: now }
    }

    pub(super) fn timeout(&self) -> Instant {
        self.timeout
    }

    /// Lets time pass, and gives what is to be sent to `send`.
    pub(super) fn handle_timeout(&mut self, now: Instant, send: impl FnMut(&[u8])) -> Result<(), Closed> {
        self.dtls.handle_timeout(now).map_err(|_| Closed)?;
        self.poll(now, send)
    }

    pub(super) fn handle_packet(&mut self, now: Instant, packet: &[u8], send: impl FnMut(&[u8])) -> Result<(), Closed> {
        // The library takes its clock from the last timeout.
        self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(packet)).map_err(|_| Closed)?;
        self.poll(now, send)
    }

    /// The keys, once, when the server is who signalling said.
    pub(super) fn take_sealer(&mut self) -> Option<Sealer> {
        self.sealer.take_if(|_| self.verified)
    }

    fn poll(&mut self, now: Instant, mut send: impl FnMut(&[u8])) -> Result<(), Closed> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => send(packet),
                Output::PeerCert(der) => {
                    let fingerprint = certificate::format_fingerprint(&certificate::calculate_fingerprint(der));
                    self.verified = fingerprint.eq_ignore_ascii_case(&self.expected);
                    if !self.verified {
                        return Err(Closed);
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    self.sealer = Some(Sealer::for_client(&material, profile).ok_or(Closed)?);
                }
                Output::Timeout(at) => {
                    self.timeout = at.max(now + Duration::from_millis(1));
                    return Ok(());
                }
                Output::CloseNotify | Output::BufferTooSmall { .. } => return Err(Closed),
                _ => {}
            }
        }
    }
}
