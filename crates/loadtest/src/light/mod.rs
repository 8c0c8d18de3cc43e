//! A receiver that costs little: real ICE and DTLS, then it only counts what comes by the headers, without decrypting,
//! and sends what a browser sends: STUN checks, receiver reports, transport-wide feedback. Nothing is asked for again.

mod feedback;
mod handshake;
mod srtcp;
mod stream;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceConnectionState, IceCreds, Protocol};
use protocol::MediaKind;
use protocol::rtp::{RtpCapabilities, RtpParameters};
use protocol::transport::{DtlsFingerprint, DtlsParameters, DtlsRole, IceProtocol, TransportOptions};

use crate::client::{ClientError, Datagram, PROBATOR_SSRC};
use feedback::Feedback;
use handshake::Handshake;
use srtcp::Sealer;
use stream::{LightStream, RtpHeader};

pub use handshake::{Identity, IdentityError};
pub use stream::LightReport;

/// Between the first checks of a path, as in libwebrtc; the one that nominates is the second.
const CHECK_INTERVAL: Duration = Duration::from_millis(48);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);
/// Most report blocks of a receiver report (RFC 3550 section 6.4.2), and the size of one.
const BLOCKS_MAX: usize = 31;
const BLOCK_BYTES: usize = 24;
const RECEIVER_REPORT: u8 = 201;
const TRANSPORT_WIDE_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// A receive transport of a participant, sans-IO, driven as [`Client`](crate::client::Client) is.
pub struct LightClient {
    ice: IceAgent,
    handshake: Handshake,
    fingerprint: String,
    sealer: Option<Sealer>,
    connected: bool,
    closed: bool,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    /// What our reports are sent as.
    ssrc: u32,
    transport_id: Option<u8>,
    streams: BTreeMap<u32, LightStream>,
    /// SSRCs of retransmissions and probes; they tell nothing about what is missing.
    repairs: BTreeSet<u32>,
    feedback: Feedback,
    next_report: Instant,
    next_feedback: Instant,
    outgoing: VecDeque<Datagram>,
}

impl LightClient {
    /// A receiver at `local`, for the options of a receive transport of a router with these capabilities.
    pub fn new(
        now: Instant,
        identity: &Arc<Identity>,
        local: SocketAddr,
        options: &TransportOptions,
        router: &RtpCapabilities,
    ) -> Result<Self, ClientError> {
        let unusable = ClientError::TransportOptions;
        let expected = options.dtls_parameters.fingerprints.iter().find(|f| f.algorithm == "sha-256");
        let expected = expected.ok_or(unusable("no SHA-256 fingerprint"))?;
        let candidate = |address| Candidate::host(address, "udp").map_err(|_| unusable("bad candidate"));
        let mut ice = IceAgent::new(IceCreds::new());
        ice.set_controlling(true);
        ice.set_initial_stun_rto(CHECK_INTERVAL);
        ice.add_local_candidate(candidate(local)?);
        let parameters = &options.ice_parameters;
        let (ufrag, pass) = (parameters.username_fragment.clone(), parameters.password.clone());
        ice.set_remote_credentials(IceCreds { ufrag, pass });
        for server in options.ice_candidates.iter().filter(|server| server.protocol == IceProtocol::Udp) {
            ice.add_remote_candidate(candidate(SocketAddr::new(server.ip, server.port))?);
        }
        let extension = router.header_extensions.iter().find(|extension| extension.uri == TRANSPORT_WIDE_CC);
        let mut client = Self {
            ice,
            handshake: Handshake::new(now, identity, &expected.value),
            fingerprint: identity.fingerprint(),
            sealer: None,
            connected: false,
            closed: false,
            local,
            remote: None,
            ssrc: u32::from(local.port()),
            transport_id: extension.map(|extension| extension.preferred_id),
            streams: BTreeMap::new(),
            repairs: BTreeSet::new(),
            feedback: Feedback::new(now),
            next_report: now,
            next_feedback: now,
            outgoing: VecDeque::new(),
        };
        client.handle_timeout(now);
        Ok(client)
    }

    /// What to tell the server when connecting the transport.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        let fingerprint = DtlsFingerprint { algorithm: "sha-256".to_owned(), value: self.fingerprint.clone() };
        DtlsParameters { role: DtlsRole::Client, fingerprints: vec![fingerprint] }
    }

    /// What a server needs to check the client's own ICE messages, if it is no lite agent that ignores them.
    pub fn ice_credentials(&self) -> IceCreds {
        self.ice.local_credentials().clone()
    }

    /// Expects the media of a consumer.
    pub fn consume(&mut self, kind: MediaKind, parameters: &RtpParameters) -> Result<(), ClientError> {
        let encoding = parameters.encodings.first().ok_or(ClientError::RtpParameters("no encoding"))?;
        let ssrc = encoding.ssrc.ok_or(ClientError::RtpParameters("no ssrc"))?;
        self.streams.insert(ssrc, LightStream::new(kind));
        self.repairs.extend(encoding.rtx.map(|rtx| rtx.ssrc));
        if kind == MediaKind::Video {
            self.repairs.insert(PROBATOR_SSRC);
        }
        Ok(())
    }

    /// Expects nothing more of a consumer that was closed, and gives what came of it.
    pub fn forget(&mut self, ssrc: u32) -> Option<LightReport> {
        self.streams.remove(&ssrc).map(|stream| stream.report())
    }

    /// Whether ICE and DTLS are through.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the server closed the connection, or does not answer.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What came of every consumer's stream.
    pub fn reports(&self) -> impl Iterator<Item = LightReport> {
        self.streams.values().map(LightStream::report)
    }

    /// Takes in a datagram from the server.
    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        // RFC 7983, and RFC 5761 for RTCP, which only tells what is encrypted.
        match datagram {
            [0..=3, ..] => self.handle_stun(now, source, datagram),
            [20..=63, ..] => self.handle_dtls(now, Some(datagram)),
            [128..=191, kind, ..] if !(192..224).contains(kind) => self.handle_rtp(now, datagram),
            _ => {}
        }
    }

    /// Does what is due: checks, reports, feedback.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ice.poll_timeout().is_none_or(|at| at <= now) {
            self.ice.handle_timeout(now);
            self.drain_ice(now);
        }
        if self.remote.is_some() && self.handshake.timeout() <= now {
            self.handle_dtls(now, None);
        }
        if self.connected && self.next_report <= now {
            self.next_report = now + REPORT_INTERVAL;
            self.send_reports();
        }
        if self.connected && self.next_feedback <= now {
            self.next_feedback = now + FEEDBACK_INTERVAL;
            self.send_feedback();
        }
    }

    /// When [`LightClient::handle_timeout`] is due next.
    pub fn poll_timeout(&mut self) -> Instant {
        let reports = self.next_report.min(self.next_feedback);
        let reports = self.connected.then_some(reports);
        let handshake = self.remote.map(|_| self.handshake.timeout());
        let others = [reports, handshake].into_iter().flatten();
        others.chain(self.ice.poll_timeout()).min().unwrap_or(self.next_report)
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front()
    }

    fn handle_stun(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        if let Ok(message) = StunMessage::parse(datagram) {
            let packet = StunPacket { proto: Protocol::Udp, source, destination: self.local, message };
            self.ice.handle_packet(now, packet);
            self.drain_ice(now);
        }
    }

    fn drain_ice(&mut self, now: Instant) {
        while let Some(event) = self.ice.poll_event() {
            match event {
                IceAgentEvent::NominatedSend { destination, .. } => {
                    let first = self.remote.replace(destination).is_none();
                    // The handshake begins with the first path.
                    if first {
                        self.handle_dtls(now, None);
                    }
                }
                IceAgentEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => self.closed = true,
                _ => {}
            }
        }
        while let Some(check) = self.ice.poll_transmit() {
            let (source, destination) = (check.source, check.destination);
            self.outgoing.push_back(Datagram { source, destination, bytes: check.contents.into() });
        }
    }

    /// Gives the handshake a packet, or time.
    fn handle_dtls(&mut self, now: Instant, packet: Option<&[u8]>) {
        let Some(destination) = self.remote else { return };
        let (source, outgoing) = (self.local, &mut self.outgoing);
        let send = |bytes: &[u8]| outgoing.push_back(Datagram { source, destination, bytes: bytes.to_vec() });
        let handled = match packet {
            Some(packet) => self.handshake.handle_packet(now, packet, send),
            None => self.handshake.handle_timeout(now, send),
        };
        self.closed |= handled.is_err();
        if let Some(sealer) = self.handshake.take_sealer() {
            self.sealer = Some(sealer);
            self.connected = true;
            (self.next_report, self.next_feedback) = (now + REPORT_INTERVAL, now + FEEDBACK_INTERVAL);
        }
    }

    fn handle_rtp(&mut self, now: Instant, packet: &[u8]) {
        let Some(header) = RtpHeader::read(packet, self.transport_id) else { return };
        if let Some(stream) = self.streams.get_mut(&header.ssrc) {
            stream.on_packet(now, &header);
        } else if !self.repairs.contains(&header.ssrc) {
            return;
        }
        if let Some(sequence) = header.transport_sequence {
            self.feedback.on_packet(now, sequence);
        }
    }

    fn send_reports(&mut self) {
        let mut blocks = Vec::new();
        for (&ssrc, stream) in &mut self.streams {
            stream.write_block(ssrc, &mut blocks);
        }
        for blocks in blocks.chunks(BLOCKS_MAX * BLOCK_BYTES) {
            let count = (blocks.len() / BLOCK_BYTES) as u8;
            let words = (1 + blocks.len() / 4) as u16;
            let mut packet = vec![0x80 | count, RECEIVER_REPORT];
            packet.extend_from_slice(&words.to_be_bytes());
            packet.extend_from_slice(&self.ssrc.to_be_bytes());
            packet.extend_from_slice(blocks);
            self.send_rtcp(packet);
        }
    }

    fn send_feedback(&mut self) {
        let Some((&media, _)) = self.streams.first_key_value() else { return };
        let mut packet = Vec::new();
        while self.feedback.poll(self.ssrc, media, &mut packet) {
            self.send_rtcp(packet.clone());
        }
    }

    fn send_rtcp(&mut self, mut packet: Vec<u8>) {
        if let (Some(sealer), Some(destination)) = (&mut self.sealer, self.remote)
            && sealer.seal(&mut packet)
        {
            self.outgoing.push_back(Datagram { source: self.local, destination, bytes: packet });
        }
    }
}

impl std::fmt::Debug for LightClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LightClient")
            .field("local", &self.local)
            .field("connected", &self.connected)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}
