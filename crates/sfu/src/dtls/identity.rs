//! Who we are: the certificate, and the settings of the DTLS library, which take a millisecond to check.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::crypto::{CryptoProvider, aws_lc_rs};
use dimpl::{Config, Dtls, DtlsCertificate, certificate};
use protocol::transport::{DtlsFingerprint, DtlsParameters, DtlsRole};

use super::key::OwnKey;
use crate::ice::CONSENT_TIMEOUT;
use crate::transmit::DATAGRAM_BYTES_MAX;

/// Doubles with every try: 250 ms are more than most round trips, and a handshake must survive heavy loss.
const RETRANSMISSION_TIMEOUT: Duration = Duration::from_millis(250);
/// 250 ms doubled so often fill the handshake timeout.
const RETRANSMISSIONS: usize = 6;

/// An ECDSA certificate with its key, and what all handshakes have in common. One per process.
pub struct Identity {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    fingerprint: DtlsFingerprint,
}

/// Why a process has no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No key or certificate could be made.
    #[error("cannot make a certificate")]
    Certificate,
    /// The crypto library does not do what DTLS needs.
    #[error("cannot configure DTLS: {0}")]
    Config(dimpl::Error),
}

impl Identity {
    /// Makes a new certificate, valid for a year, and checks the crypto library.
    pub fn generate() -> Result<Arc<Self>, IdentityError> {
        let certificate = certificate::generate_self_signed_certificate().map_err(|_| IdentityError::Certificate)?;
        let key = OwnKey::read(&certificate.private_key).ok_or(IdentityError::Certificate)?;
        // Providers live as long as the process, as the identity does.
        let provider = CryptoProvider { key_provider: Box::leak(Box::new(key)), ..aws_lc_rs::default_provider() };
        let config = Config::builder()
            .with_crypto_provider(provider)
            .mtu(DATAGRAM_BYTES_MAX)
            // STUN has validated the address already; a cookie would only cost a round trip.
            .use_server_cookie(false)
            .flight_start_rto(RETRANSMISSION_TIMEOUT)
            .flight_retries(RETRANSMISSIONS)
            .handshake_timeout(CONSENT_TIMEOUT)
            .build()
            .map_err(IdentityError::Config)?;
        let fingerprint = DtlsFingerprint { algorithm: "sha-256".to_owned(), value: certificate.fingerprint_str() };
        Ok(Arc::new(Self { config: Arc::new(config), certificate, fingerprint }))
    }

    /// The certificate's SHA-256 hash.
    pub fn fingerprint(&self) -> &DtlsFingerprint {
        &self.fingerprint
    }

    /// What clients are told: we take either role.
    pub fn parameters(&self) -> DtlsParameters {
        DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![self.fingerprint.clone()] }
    }

    pub(super) fn endpoint(&self, now: Instant) -> Dtls {
        Dtls::new_12(self.config.clone(), self.certificate.clone(), now)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint.value).finish_non_exhaustive()
    }
}
