//! One transport of a synthetic participant, sans-IO: a publisher or a receiver.

mod channels;
mod latency;
mod parameters;
mod payload;
mod recording;
mod source;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use protocol::MediaKind;
use protocol::rtp::{RtpCapabilities, RtpParameters};
use protocol::sctp::SctpStreamParameters;
use protocol::transport::{DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, IceProtocol, TransportOptions};
use str0m::bwe::{Bitrate, BweKind};
use str0m::change::DirectApi;
use str0m::config::Fingerprint;
use str0m::ice::IceCreds;
use str0m::media::{KeyframeRequestKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

pub use latency::Latencies;
pub use parameters::receive_capabilities;
pub use payload::PayloadError;
pub use recording::Recording;
pub use source::{AudioConfig, VideoConfig};
pub use stream::{Fault, StreamReport};

use channels::Channels;
use source::{Source, SourcePacket};
use stream::ReceivedStream;

/// Packets that a publisher keeps for retransmission, and for how long.
const RTX_CACHE: (usize, Duration) = (1024, Duration::from_secs(3));

/// What mediasoup-client sets up beside the first video that it consumes, for the server's bandwidth probes.
const PROBATOR_MID: &str = "probator";
pub(crate) const PROBATOR_SSRC: u32 = 1234;

/// Where libwebrtc's estimation starts.
const ESTIMATE_FIRST_BPS: u64 = 300_000;

/// A datagram between a client and the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Whom it is from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why a client cannot use what the server told it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's fingerprint or candidates make no sense.
    #[error("the transport options cannot be used: {0}")]
    TransportOptions(&'static str),
    /// A consumer's parameters make no sense.
    #[error("the consumer's parameters cannot be used: {0}")]
    RtpParameters(&'static str),
    /// `str0m` refused.
    #[error(transparent)]
    Rtc(#[from] str0m::RtcError),
}

struct Publication {
    source: Source,
    mid: Mid,
    /// Of the lowest of the layers that it is one of.
    picture: Mid,
    /// Which of the picture's layers it is.
    layer: u8,
    ssrc: Ssrc,
    payload_type: u8,
    sequence: u64,
    packets: u64,
    sending: bool,
}

/// A transport of a participant.
pub struct Client {
    rtc: Rtc,
    local: SocketAddr,
    /// Capture times count from here; the same for all clients of a run.
    epoch: Instant,
    now: Instant,
    timeout: Instant,
    connected: bool,
    closed: bool,
    paused: bool,
    estimate_bps: Option<u64>,
    publications: Vec<Publication>,
    streams: BTreeMap<u32, ReceivedStream>,
    channels: Channels,
    outgoing: VecDeque<Datagram>,
    captured: Vec<SourcePacket>,
}

impl Client {
    /// A publisher at `local`, for the options of a send transport.
    pub fn publisher(
        now: Instant,
        epoch: Instant,
        local: SocketAddr,
        options: &TransportOptions,
    ) -> Result<Self, ClientError> {
        Self::new(now, epoch, local, options, parameters::sender_config())
    }

    /// The same with bandwidth estimation: it probes and paces, up to `desired_bps`.
    pub fn estimating_publisher(
        now: Instant,
        epoch: Instant,
        local: SocketAddr,
        options: &TransportOptions,
        desired_bps: u64,
    ) -> Result<Self, ClientError> {
        let config = parameters::sender_config().enable_bwe(Some(Bitrate::bps(ESTIMATE_FIRST_BPS)));
        let mut client = Self::new(now, epoch, local, options, config)?;
        client.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(desired_bps));
        Ok(client)
    }

    /// A receiver at `local`, for the options of a receive transport of a router with these capabilities.
    pub fn receiver(
        now: Instant,
        epoch: Instant,
        local: SocketAddr,
        options: &TransportOptions,
        router: &RtpCapabilities,
    ) -> Result<Self, ClientError> {
        let mut client = Self::new(now, epoch, local, options, parameters::receiver_config(router))?;
        client.rtc.direct_api().enable_twcc_feedback();
        Ok(client)
    }

    fn new(
        now: Instant,
        epoch: Instant,
        local: SocketAddr,
        options: &TransportOptions,
        config: RtcConfig,
    ) -> Result<Self, ClientError> {
        let unusable = ClientError::TransportOptions;
        let fingerprint = options.dtls_parameters.fingerprints.first().ok_or(unusable("no fingerprint"))?;
        let mut rtc = config.build(now);
        let candidate = |address| Candidate::host(address, "udp").map_err(|_| unusable("bad candidate"));
        rtc.add_local_candidate(candidate(local)?);
        for server in options.ice_candidates.iter().filter(|server| server.protocol == IceProtocol::Udp) {
            rtc.add_remote_candidate(candidate(SocketAddr::new(server.ip, server.port))?);
        }
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.set_remote_ice_credentials(credentials(&options.ice_parameters));
        direct.set_remote_fingerprint(read_fingerprint(fingerprint).ok_or(unusable("bad fingerprint"))?);
        direct.start_dtls(true)?;
        let mut client = Self {
            rtc,
            local,
            epoch,
            now,
            timeout: now,
            connected: false,
            closed: false,
            paused: false,
            estimate_bps: None,
            publications: Vec::new(),
            streams: BTreeMap::new(),
            channels: Channels::default(),
            outgoing: VecDeque::new(),
            captured: Vec::new(),
        };
        client.handle_timeout(now);
        Ok(client)
    }

    /// What to tell the server when connecting the transport.
    pub fn dtls_parameters(&mut self) -> DtlsParameters {
        let direct = self.rtc.direct_api();
        let Fingerprint { hash_func, bytes } = direct.local_dtls_fingerprint();
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let fingerprint = DtlsFingerprint { algorithm: hash_func.clone(), value: pairs.join(":") };
        DtlsParameters { role: DtlsRole::Client, fingerprints: vec![fingerprint] }
    }

    /// Goes on with new credentials of the server, from another address if one is given: what a browser does
    /// after an ICE restart. The path that is there stays until the new one is.
    pub fn restart_ice(&mut self, parameters: &IceParameters) {
        self.rtc.direct_api().set_remote_ice_credentials(credentials(parameters));
    }

    /// Begins to send an Opus-like stream. `publisher` is stamped on every packet: another number for each life
    /// of a participant.
    pub fn produce_audio(&mut self, now: Instant, publisher: u32, config: AudioConfig) -> RtpParameters {
        self.produce(publisher, Source::audio(now, self.epoch, publisher, config))
    }

    /// Begins to send a VP8-like stream.
    pub fn produce_video(&mut self, now: Instant, publisher: u32, config: VideoConfig) -> RtpParameters {
        self.produce(publisher, Source::video(now, self.epoch, publisher, config))
    }

    /// Begins to send one picture in several sizes, the smallest first. Each is stamped with a number of its own,
    /// counted from `publisher`, and all make keyframes at the same time, as libwebrtc's do.
    pub fn produce_simulcast(&mut self, now: Instant, publisher: u32, configs: &[VideoConfig]) -> RtpParameters {
        let mut all: Option<RtpParameters> = None;
        let picture = Mid::from(self.publications.len().to_string().as_str());
        for (layer, &config) in (0_u8..).zip(configs) {
            let one = self.produce_video(now, publisher + u32::from(layer), config);
            if let Some(publication) = self.publications.last_mut() {
                publication.picture = picture;
                publication.layer = layer;
            }
            match &mut all {
                Some(all) => all.encodings.extend(one.encodings),
                None => all = Some(one),
            }
        }
        all.expect("one layer at least")
    }

    fn produce(&mut self, publisher: u32, source: Source) -> RtpParameters {
        let kind = source.kind();
        let index = self.publications.len() as u32;
        let ssrc = publisher.wrapping_mul(0x0101_0107).wrapping_add(0x4000_0000 + index * 2);
        let rtx_ssrc = (kind == MediaKind::Video).then_some(ssrc.wrapping_add(1));
        let name = index.to_string();
        let mid = Mid::from(name.as_str());
        let mut direct = self.rtc.direct_api();
        direct.declare_media(mid, media_kind(kind));
        let stream = direct.declare_stream_tx(ssrc.into(), rtx_ssrc.map(Into::into), mid, None);
        stream.set_rtx_cache(RTX_CACHE.0, RTX_CACHE.1, None);
        self.publications.push(Publication {
            source,
            mid,
            picture: mid,
            layer: 0,
            ssrc: ssrc.into(),
            payload_type: parameters::sent_payload_type(kind),
            // Below 2^15, as browsers begin.
            sequence: u64::from(publisher.wrapping_mul(0x85eb_ca6b) >> 17),
            packets: 0,
            sending: true,
        });
        self.timeout = self.now;
        parameters::produce_parameters(kind, &name, ssrc, rtx_ssrc, &format!("publisher-{publisher}"))
    }

    /// Stops or continues to send what was produced as the `index`th; captures go on.
    pub fn set_sending(&mut self, index: usize, sending: bool) {
        if let Some(publication) = self.publications.get_mut(index) {
            publication.sending = sending;
        }
    }

    /// Captures nothing for a while, or goes on, with keyframes. Frames are numbered as if there had been no pause.
    pub fn set_paused(&mut self, now: Instant, paused: bool) {
        if self.paused && !paused {
            self.publications.iter_mut().for_each(|publication| publication.source.resume(now));
        }
        self.paused = paused;
    }

    /// Sends the layers of all pictures up to this one only, 0 the lowest; captures go on.
    pub fn send_layers(&mut self, highest: u8) {
        for publication in &mut self.publications {
            publication.sending = publication.layer <= highest;
        }
    }

    /// How many keyframes the publication that was produced as the `index`th has sent.
    pub fn keyframes_sent(&self, index: usize) -> u64 {
        self.publications.get(index).map_or(0, |publication| publication.source.keyframes)
    }

    /// How many media packets were sent so far, retransmissions left out.
    pub fn packets_sent(&self) -> u64 {
        self.publications.iter().map(|publication| publication.packets).sum()
    }

    /// When the next frame is to be sent; none before there is a connection.
    pub fn next_capture(&self) -> Option<Instant> {
        let sources = self.publications.iter().map(|publication| publication.source.next_at());
        sources.min().filter(|_| self.connected && !self.paused)
    }

    /// Expects the media of a consumer, and gives its SSRC, the key of its report.
    pub fn consume(&mut self, kind: MediaKind, parameters: &RtpParameters) -> Result<u32, ClientError> {
        let unusable = ClientError::RtpParameters;
        let mid = parameters.mid.as_deref().ok_or(unusable("no mid"))?;
        let encoding = parameters.encodings.first().ok_or(unusable("no encoding"))?;
        let ssrc = encoding.ssrc.ok_or(unusable("no ssrc"))?;
        let mid = Mid::from(mid);
        let mut direct = self.rtc.direct_api();
        direct.declare_media(mid, media_kind(kind));
        let stream = direct.expect_stream_rx(ssrc.into(), encoding.rtx.map(|rtx| rtx.ssrc.into()), mid, None);
        // Browsers ask for packets again only where `nack` was negotiated, which it is not for audio.
        stream.suppress_nack(encoding.rtx.is_none());
        if kind == MediaKind::Video {
            let probator = Mid::from(PROBATOR_MID);
            direct.declare_media(probator, str0m::media::MediaKind::Video);
            direct.expect_stream_rx(PROBATOR_SSRC.into(), None, probator, None).suppress_nack(true);
        }
        let mut received = ReceivedStream::new(kind, self.epoch);
        received.report.repaired = encoding.rtx.is_some();
        self.streams.insert(ssrc, received);
        Ok(ssrc)
    }

    /// Expects nothing more of a consumer that was closed, and gives what came of it.
    pub fn forget(&mut self, ssrc: u32) -> Option<StreamReport> {
        self.rtc.direct_api().remove_stream_rx(ssrc.into());
        self.streams.remove(&ssrc).map(|stream| stream.report)
    }

    /// Opens a data channel that signalling told of; the server's transport must have been made for that.
    pub fn open_channel(&mut self, parameters: &SctpStreamParameters) {
        self.channels.open(&mut self.rtc, parameters);
        self.timeout = self.now;
    }

    /// Closes a data channel.
    pub fn close_channel(&mut self, stream: u16) {
        self.channels.close(&mut self.rtc, stream);
        self.timeout = self.now;
    }

    /// Sends a binary message; false when there is no such channel or too much waits.
    pub fn send_message(&mut self, stream: u16, message: &[u8]) -> bool {
        self.timeout = self.now;
        self.channels.send(&mut self.rtc, stream, message)
    }

    /// Whether a data channel is open.
    pub fn is_channel_open(&self, stream: u16) -> bool {
        self.channels.is_open(stream)
    }

    /// The messages that came on a data channel.
    pub fn messages(&self, stream: u16) -> &[Vec<u8>] {
        self.channels.received(stream)
    }

    /// Whether ICE and DTLS are through.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the server closed the connection, or `str0m` gave it up.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What an estimating publisher thinks that its path takes, in bit/s.
    pub fn estimate_bps(&self) -> Option<u64> {
        self.estimate_bps
    }

    /// What came of a consumer's stream.
    pub fn report(&self, ssrc: u32) -> Option<&StreamReport> {
        self.streams.get(&ssrc).map(|stream| &stream.report)
    }

    /// What came of every consumer's stream, by SSRC.
    pub fn reports(&self) -> impl Iterator<Item = (u32, &StreamReport)> {
        self.streams.iter().map(|(&ssrc, stream)| (ssrc, &stream.report))
    }

    /// Takes in a datagram from the server.
    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        self.now = now;
        let Ok(contents) = bytes.try_into() else { return };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        if self.rtc.handle_input(Input::Receive(now, receive)).is_err() {
            self.closed = true;
        }
        self.drain();
        if self.request_keyframes() {
            self.advance();
        }
    }

    /// Does what is due: captures, reports, checks.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.capture();
        for stream in self.streams.values_mut() {
            stream.handle_timeout(now);
        }
        self.advance();
    }

    /// When [`Client::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Instant {
        let streams = self.streams.values().filter_map(ReceivedStream::next_timeout);
        streams.chain(self.next_capture()).fold(self.timeout, Instant::min)
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front()
    }

    fn capture(&mut self) {
        if !self.connected || self.paused {
            return;
        }
        for publication in &mut self.publications {
            publication.source.poll(self.now, &mut self.captured);
            let level = publication.source.level();
            let mut direct = self.rtc.direct_api();
            for packet in self.captured.drain(..) {
                if let Some(stream) = direct.stream_tx(&publication.ssrc).filter(|_| publication.sending) {
                    let values = ExtensionValues {
                        audio_level: level,
                        voice_activity: level.map(|level| level > -50),
                        ..ExtensionValues::default()
                    };
                    let (pt, sequence) = (publication.payload_type.into(), publication.sequence.into());
                    let write = RtpWrite::new(pt, sequence, packet.timestamp, packet.captured, packet.payload);
                    stream.write_rtp(write.marker(packet.marker).ext_vals(values).nackable(level.is_none()));
                    publication.sequence += 1;
                    publication.packets += 1;
                }
            }
        }
    }

    /// Asks for the keyframes that decoders wait for; false when there are none.
    fn request_keyframes(&mut self) -> bool {
        let mut direct: DirectApi<'_> = self.rtc.direct_api();
        let mut any = false;
        for (&ssrc, stream) in &mut self.streams {
            if stream.wants_keyframe(self.now)
                && let Some(stream) = direct.stream_rx(&ssrc.into())
            {
                stream.request_keyframe(KeyframeRequestKind::Pli);
                any = true;
            }
        }
        any
    }

    fn advance(&mut self) {
        if self.rtc.handle_input(Input::Timeout(self.now)).is_err() {
            self.closed = true;
        }
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    // str0m may name a time that has come; it has nothing to do before the clock moves.
                    self.timeout = at.max(self.now + Duration::from_micros(500));
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.outgoing.push_back(Datagram {
                    source: transmit.source,
                    destination: transmit.destination,
                    bytes: transmit.contents.into(),
                }),
                Ok(Output::Event(event)) => self.handle_event(event),
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::ChannelOpen(id, _) => self.channels.on_open(id),
            Event::ChannelClose(id) => self.channels.on_close(id),
            Event::ChannelData(data) => self.channels.on_data(data),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.estimate_bps = Some(estimate.as_u64());
            }
            Event::KeyframeRequest(request) => {
                let asked = self.publications.iter().find(|publication| publication.mid == request.mid);
                let picture = asked.map(|publication| publication.picture);
                for publication in self.publications.iter_mut().filter(|p| Some(p.picture) == picture) {
                    publication.source.request_keyframe();
                }
            }
            Event::RtpPacket(packet) => {
                let header = &packet.header;
                if let Some(stream) = self.streams.get_mut(&*header.ssrc) {
                    stream.on_packet(self.now, *packet.seq_no, header.timestamp, header.marker, &packet.payload);
                    if let Some(level) = header.ext_vals.audio_level {
                        stream.on_audio_level(level);
                    }
                }
            }
            Event::SenderFeedback(feedback) => {
                let info = feedback.sender_info;
                let unix = info.ntp_time.duration_since(UNIX_EPOCH).unwrap_or_default();
                if let Some(stream) = self.streams.get_mut(&*info.ssrc) {
                    stream.on_sender_report(unix.as_micros() as i64, info.rtp_time.numer() as u32);
                }
            }
            _ => {}
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("local", &self.local)
            .field("connected", &self.connected)
            .field("publications", &self.publications.len())
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

fn credentials(parameters: &IceParameters) -> IceCreds {
    IceCreds { ufrag: parameters.username_fragment.clone(), pass: parameters.password.clone() }
}

fn read_fingerprint(fingerprint: &DtlsFingerprint) -> Option<Fingerprint> {
    let bytes: Result<Vec<u8>, _> = fingerprint.value.split(':').map(|pair| u8::from_str_radix(pair, 16)).collect();
    Some(Fingerprint { hash_func: fingerprint.algorithm.clone(), bytes: bytes.ok()? })
}

fn media_kind(kind: MediaKind) -> str0m::media::MediaKind {
    match kind {
        MediaKind::Audio => str0m::media::MediaKind::Audio,
        MediaKind::Video => str0m::media::MediaKind::Video,
    }
}
