//! A client that knows its keys, so that a test can have anything sealed that `str0m` would never send.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use aws_lc_rs::hmac;
use dimpl::{Config, Dtls, DtlsCertificate, Output, certificate};
use protocol::transport::{DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters};
use sfu::rtp::RtpHeader;
use sfu::srtp::{OpenKeys, Profile, RTCP_OVERHEAD_MAX, RTP_OVERHEAD_MAX, Role, SealKeys, derive_keys};

/// The STUN attributes of a usual check: PRIORITY, ICE-CONTROLLING, USE-CANDIDATE.
pub const NOMINATE: [u8; 24] =
    [0, 0x24, 0, 4, 0x6e, 0, 0x1e, 0xff, 0x80, 0x2a, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0x25, 0, 0];

/// What a stream's first packet is numbered, so that the rollover counter soon changes.
const FIRST_SEQUENCE: u64 = 65_500;

/// Making a certificate takes longer than many a test.
static CERTIFICATE: LazyLock<DtlsCertificate> =
    LazyLock::new(|| certificate::generate_self_signed_certificate().expect("a certificate"));

/// Making it tries out the whole crypto library.
static CONFIG: LazyLock<Arc<Config>> =
    LazyLock::new(|| Arc::new(Config::builder().use_server_cookie(false).build().expect("a valid configuration")));

/// A client without media: ICE as far as a lite server needs it, DTLS, and what came of that.
pub struct KeyedPeer {
    dtls: Dtls,
    keys: Option<(SealKeys, OpenKeys)>,
    /// The highest index of each stream that it sends (RFC 3711 3.3.1).
    indices: HashMap<u32, u64>,
    /// Application data of the server.
    data: Vec<Vec<u8>>,
}

impl KeyedPeer {
    /// A client that is about to begin the handshake.
    pub fn new(now: Instant) -> Self {
        let mut dtls = Dtls::new_12(CONFIG.clone(), CERTIFICATE.clone(), now);
        dtls.set_active(true);
        dtls.handle_timeout(now).expect("it begins");
        Self { dtls, keys: None, indices: HashMap::new(), data: Vec::new() }
    }

    /// What to tell the server when connecting the transport.
    pub fn dtls_parameters() -> DtlsParameters {
        let value = CERTIFICATE.fingerprint_str();
        let fingerprints = vec![DtlsFingerprint { algorithm: "sha-256".to_owned(), value }];
        DtlsParameters { role: DtlsRole::Client, fingerprints }
    }

    /// A binding request with USERNAME, these attributes and the integrity of these credentials (RFC 8489 14).
    pub fn check(server: &IceParameters, attributes: &[u8]) -> Vec<u8> {
        let username = format!("{}:peer", server.username_fragment);
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        message.extend([0, 6, 0, username.len() as u8]);
        message.extend(username.as_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message.extend(attributes);
        message.resize(message.len().next_multiple_of(4), 0);
        // Up to the integrity, which is 24 bytes.
        let length = (message.len() - 20 + 24) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, server.password.as_bytes());
        let tag = hmac::sign(&key, &message);
        message.extend([0, 8, 0, 20]);
        message.extend(tag.as_ref());
        message
    }

    /// Whether DTLS is through.
    pub fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    /// Takes in a DTLS datagram.
    pub fn handle_dtls(&mut self, now: Instant, datagram: &[u8]) {
        self.dtls.handle_timeout(now).expect("in time");
        self.dtls.handle_packet(datagram).expect("the server's handshake");
    }

    /// The DTLS datagrams to be sent.
    pub fn poll_dtls(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => datagrams.push(packet.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = Profile::try_from(profile).expect("a profile of ours");
                    self.keys = Some(derive_keys(profile, &material, Role::Client).expect("valid material"));
                }
                Output::ApplicationData(data) => self.data.push(data.to_vec()),
                Output::Timeout(_) => return datagrams,
                _ => {}
            }
        }
    }

    /// Seals application data; gives the datagrams.
    pub fn seal_data(&mut self, data: &[u8]) -> Vec<Vec<u8>> {
        self.dtls.send_application_data(data).expect("connected");
        self.poll_dtls()
    }

    /// The application data that came since the last time.
    pub fn take_data(&mut self) -> Vec<Vec<u8>> {
        self.poll_dtls();
        std::mem::take(&mut self.data)
    }

    /// Seals an RTP packet, of which the sequence number is set: `step` after the highest of its stream so far.
    /// `None` when there are no keys or it is not an RTP packet.
    pub fn seal_rtp(&mut self, mut packet: Vec<u8>, step: i64) -> Option<Vec<u8>> {
        let header = RtpHeader::parse(&packet)?;
        let (seal, _) = self.keys.as_ref()?;
        // The rollover counter of a stream's first packet is 0 (RFC 3711 3.3.1).
        let highest = self.indices.get(&header.ssrc);
        let index = highest.map_or(FIRST_SEQUENCE, |highest| highest.saturating_add_signed(step));
        self.indices.insert(header.ssrc, index.max(highest.copied().unwrap_or_default()));
        packet[2..4].copy_from_slice(&(index as u16).to_be_bytes());
        let end = packet.len();
        packet.resize(end + RTP_OVERHEAD_MAX, 0);
        let bytes = seal.seal_rtp(&mut packet, header.header_bytes, end, (index >> 16) as u32);
        packet.truncate(bytes);
        Some(packet)
    }

    /// Seals a compound RTCP packet; `None` when there are no keys or it is shorter than a header.
    pub fn seal_rtcp(&mut self, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let end = packet.len();
        if end < 8 {
            return None;
        }
        packet.resize(end + RTCP_OVERHEAD_MAX, 0);
        let bytes = self.keys.as_mut()?.0.seal_rtcp(&mut packet, end).ok()?;
        packet.truncate(bytes);
        Some(packet)
    }

    /// The keys for what the server sends, once there are any.
    pub fn open_keys(&mut self) -> Option<&mut OpenKeys> {
        self.keys.as_mut().map(|(_, open)| open)
    }
}
