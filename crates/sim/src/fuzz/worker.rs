//! A whole worker: datagrams of anybody, and anything that a peer with keys can send and ask for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use protocol::rtp::RtpParameters;
use protocol::transport::{DtlsParameters, IceParameters};
use protocol::{ConsumerId, MediaKind, ParticipantId, ProducerId, Source, TransportId};
use serde_json::Value;
use sfu::dtls::{DtlsServer, Identity};
use sfu::ice::{PacketKind, classify};
use sfu::rtp::RtpHeader;
use sfu::srtp::{OpenError, OpenKeys};
use sfu::transmit::{DATAGRAM_BYTES_MAX, SEGMENTS_MAX};
use sfu::worker::{ListenAddr, RouterId};
use sfu::{Event, SendBatch, Worker, WorkerConfig};

use super::Input;
use crate::keyed_peer::{KeyedPeer, NOMINATE};

pub(super) const ROUTER: RouterId = RouterId(1);
/// The transport of the peer, and one that nobody has come to yet.
pub(super) const TRANSPORT: TransportId = TransportId(1);
const IDLE_TRANSPORT: TransportId = TransportId(2);
const MIC: ProducerId = ProducerId { participant: ParticipantId(1), source: Source::Mic };
const CAMERA: ProducerId = ProducerId { participant: ParticipantId(1), source: Source::Camera };
/// What the camera may be, in the fixture.
const CAMERAS: [&str; 5] = ["camera", "simulcast", "h264", "vp9", "av1"];
/// SSRCs that were not announced: those of streams that RIDs name, and nobody's.
const UNANNOUNCED: [u32; 6] = [1001, 1002, 1003, 1004, 1005, 1006];
/// The peer asks for consent so often.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// An input is not worth more time.
pub(super) const STEPS_MAX: usize = 256;

static IDENTITY: LazyLock<Arc<Identity>> = LazyLock::new(|| Identity::generate().expect("a certificate"));
static CHROMIUM: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../sfu/tests/fixtures/chromium.json")).expect("the fixture is JSON")
});

/// What `mediasoup-client` said in Chromium.
pub(super) fn chromium() -> &'static Value {
    &CHROMIUM
}

/// A client's certificate hashes, as its signalling brings them.
pub(super) fn fingerprints(parameters: &DtlsParameters) {
    let now = Instant::now();
    let mut server = DtlsServer::new(IDENTITY.clone());
    let taken = server.set_remote_parameters(now, parameters).is_ok();
    assert_eq!(server.has_remote_parameters(), taken);
}

/// Datagrams of strangers and of addresses that STUN validated, none of which has keys.
pub fn datagrams(data: &[u8]) {
    let mut scene = Scene::new();
    let mut input = Input(data);
    // What claims to be DTLS from a validated address may end that handshake, after some attempts.
    let mut may_close = false;
    for _ in 0..STEPS_MAX {
        let Some(kind) = input.byte() else { break };
        let Some(block) = input.block() else { break };
        match kind % 8 {
            0 => scene.deliver(address(2), block.to_vec()),
            1 => {
                may_close |= classify(block) == Some(PacketKind::Dtls);
                scene.deliver(address(1), block.to_vec());
            }
            2 => scene.wait(Duration::from_millis(block.len() as u64)),
            3 => scene.deliver(address(1), KeyedPeer::check(&scene.ice, block)),
            4 => {
                let port = 10 + u16::from(kind >> 3);
                scene.deliver(address(port), KeyedPeer::check(&scene.ice, block));
                scene.deliver(address(port), vec![0x80; 64]);
            }
            5 => scene.restart_ice(),
            6 => {
                // Signed and then damaged: at a place, with a value.
                let mut check = KeyedPeer::check(&scene.ice, &NOMINATE);
                for change in block.chunks_exact(2) {
                    let place = usize::from(change[0]) % check.len();
                    check[place] ^= change[1];
                }
                let check_is_whole = check == KeyedPeer::check(&scene.ice, &NOMINATE);
                let from = if check_is_whole { address(1) } else { address(3) };
                scene.deliver(from, check);
            }
            _ => scene.handshake(block.first().map_or(1, |&datagrams| datagrams % 8)),
        }
    }
    scene.wait(Duration::from_millis(500));
    assert!(!scene.sent.contains_key(&address(2)), "a stranger is not answered");
    assert!(!scene.sent.contains_key(&address(3)), "nor who does not know the password");
    let held = scene.worker.stats().transports;
    assert!(held == 2 || may_close && held == 1, "{held} transports");
}

/// Everything that a peer with keys may seal and ask for: RTP and RTCP of any content, among calls.
pub fn peer(data: &[u8]) {
    let mut input = Input(data);
    let Some(choice) = input.byte() else { return };
    let mut scene = Scene::new();
    scene.deliver(address(1), KeyedPeer::check(&scene.ice, &NOMINATE));
    scene.handshake(u8::MAX);
    assert!(scene.peer.is_connected());
    let mut person = Person::new(&mut scene, CAMERAS[usize::from(choice) % CAMERAS.len()]);
    for _ in 0..STEPS_MAX {
        if person.step(&mut scene, &mut input).is_none() {
            break;
        }
        scene.flush();
    }
    scene.wait(Duration::from_millis(1200));
    let stats = scene.worker.stats();
    assert_eq!((stats.transports, stats.producers, stats.consumers), (2, 2, 2));
    assert_eq!(stats.srtp_failed, 0, "all of it was authentic");
}

pub(super) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

/// A worker with a peer that may come to it.
pub(super) struct Scene {
    pub(super) worker: Worker,
    pub(super) now: Instant,
    pub(super) ice: IceParameters,
    pub(super) peer: KeyedPeer,
    checked: Instant,
    batch: SendBatch,
    /// How many bytes went where.
    sent: HashMap<SocketAddr, usize>,
    /// The newest sequence number of each stream that the worker sends.
    newest: HashMap<u32, u16>,
    /// DTLS for the peer.
    pub(super) inbox: Vec<Vec<u8>>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let config = WorkerConfig {
            listen: vec![ListenAddr { local: SocketAddr::from(([10, 0, 0, 1], 40_000)), announced: Vec::new() }],
            identity: IDENTITY.clone(),
            seed: [7; 32],
            unix_time: Duration::from_secs(1_800_000_000),
        };
        let mut worker = Worker::new(config, now);
        worker.create_router(ROUTER).expect("a new router");
        let options = worker.create_transport(now, ROUTER, TRANSPORT).expect("a new transport");
        worker.create_transport(now, ROUTER, IDLE_TRANSPORT).expect("a new transport");
        worker.connect_transport(now, TRANSPORT, &KeyedPeer::dtls_parameters()).expect("usable parameters");
        Self {
            worker,
            now,
            ice: options.ice_parameters,
            peer: KeyedPeer::new(now),
            checked: now,
            batch: SendBatch::default(),
            sent: HashMap::new(),
            newest: HashMap::new(),
            inbox: Vec::new(),
        }
    }

    pub(super) fn deliver(&mut self, from: SocketAddr, mut datagram: Vec<u8>) {
        self.worker.handle_datagram(self.now, 0, from, &mut datagram);
        self.flush();
    }

    /// Goes on with the handshake for so many datagrams of the peer.
    pub(super) fn handshake(&mut self, mut datagrams: u8) {
        loop {
            let outgoing = self.peer.poll_dtls();
            if outgoing.is_empty() {
                return;
            }
            for datagram in outgoing {
                let Some(left) = datagrams.checked_sub(1) else { return };
                datagrams = left;
                self.deliver(address(1), datagram);
            }
            for datagram in std::mem::take(&mut self.inbox) {
                self.peer.handle_dtls(self.now, &datagram);
            }
        }
    }

    pub(super) fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            if self.now >= self.checked + CHECK_INTERVAL {
                self.checked = self.now;
                self.deliver(address(1), KeyedPeer::check(&self.ice, &NOMINATE));
            }
            let next = self.worker.poll_timeout().filter(|at| *at <= end);
            // A deadline that has passed must not hold the clock.
            self.now = next.map_or(end, |at| at.max(self.now + Duration::from_micros(100)).min(end));
            self.worker.handle_timeout(self.now);
            self.flush();
            if self.now == end {
                return;
            }
        }
    }

    fn restart_ice(&mut self) {
        self.ice = self.worker.restart_ice(TRANSPORT).expect("it is there");
    }

    fn flush(&mut self) {
        loop {
            self.worker.poll_transmit(self.now, &mut self.batch);
            if self.batch.is_empty() {
                break;
            }
            for message in self.batch.messages() {
                assert!(message.segments() <= SEGMENTS_MAX);
                let remote = message.remote().expect("there is no lane");
                for datagram in self.batch.bytes(message).chunks(message.segment_bytes) {
                    assert!(datagram.len() <= DATAGRAM_BYTES_MAX, "{} bytes", datagram.len());
                    *self.sent.entry(remote).or_default() += datagram.len();
                    let kind = classify(datagram).expect("a protocol of WebRTC");
                    if kind == PacketKind::Dtls {
                        self.inbox.push(datagram.to_vec());
                    } else if let Some(keys) = self.peer.open_keys()
                        && let Some(header) = open_sealed(keys, kind, datagram)
                    {
                        self.newest.insert(header.ssrc, header.sequence);
                    }
                }
            }
            self.batch.clear();
        }
        while let Some(event) = self.worker.poll_event() {
            assert!(!matches!(event, Event::ConsumerClosed { .. }), "{event:?}");
        }
    }
}

/// What the worker seals is well-formed, authentic, and no index is used twice. Gives the header if it is RTP.
fn open_sealed(keys: &mut OpenKeys, kind: PacketKind, datagram: &[u8]) -> Option<RtpHeader> {
    let mut datagram = datagram.to_vec();
    let result = match kind {
        PacketKind::Rtp => keys.open_rtp(&mut datagram).map(|opened| opened.payload_end),
        PacketKind::Rtcp => keys.open_rtcp(&mut datagram),
        PacketKind::Stun | PacketKind::Dtls => return None,
    };
    match result {
        Ok(end) if kind == PacketKind::Rtp => {
            let header = RtpHeader::parse(&datagram[..end]).expect("an RTP packet");
            assert!(header.padding_bytes(&datagram[header.header_bytes..end]).is_some());
            Some(header)
        }
        // Late by more than a window.
        Ok(_) | Err(OpenError::TooOld) => None,
        Err(error) => panic!("the worker sent {kind:?} that is not to be opened: {error}"),
    }
}

/// Who produces and consumes on one transport.
struct Person {
    parameters: [(ProducerId, RtpParameters); 2],
    consumers: Vec<ConsumerId>,
    ssrcs: Vec<u32>,
    payload_types: Vec<u8>,
    timestamp: u32,
}

impl Person {
    fn new(scene: &mut Scene, camera: &str) -> Self {
        let parameters = [(MIC, "mic"), (CAMERA, camera)];
        let parameters =
            parameters.map(|(id, name)| (id, serde_json::from_value(chromium()[name].clone()).expect("parameters")));
        let mut person = Self {
            parameters,
            consumers: Vec::new(),
            ssrcs: Vec::new(),
            payload_types: Vec::new(),
            timestamp: u32::MAX - 100_000,
        };
        let capabilities = serde_json::from_value(chromium()["recvRtpCapabilities"].clone()).expect("capabilities");
        for index in 0..person.parameters.len() {
            person.produce(scene, index, false);
            let (producer, parameters) = &person.parameters[index];
            let consumer = ConsumerId(index as u64);
            let consumed = scene.worker.consume(TRANSPORT, consumer, *producer, &capabilities);
            let (_, consumed) = consumed.expect("Chromium can receive what it sends");
            scene.worker.resume_consumer(scene.now, consumer).expect("it is there");
            person.consumers.push(consumer);
            for encoding in consumed.encodings.iter().chain(&parameters.encodings) {
                person.ssrcs.extend(encoding.ssrc.into_iter().chain(encoding.rtx.map(|rtx| rtx.ssrc)));
            }
            person.payload_types.extend(parameters.codecs.iter().map(|codec| codec.payload_type));
        }
        person.ssrcs.extend(UNANNOUNCED);
        person
    }

    fn produce(&self, scene: &mut Scene, index: usize, paused: bool) {
        let (id, parameters) = &self.parameters[index];
        let kind = if *id == MIC { MediaKind::Audio } else { MediaKind::Video };
        scene.worker.produce(scene.now, TRANSPORT, *id, kind, parameters, paused).expect("can be produced");
    }

    fn step(&mut self, scene: &mut Scene, input: &mut Input<'_>) -> Option<()> {
        match input.byte()? % 8 {
            0..=3 => self.send_rtp(scene, input),
            4 | 5 => self.send_rtcp(scene, input.block()?),
            6 => {
                scene.wait(Duration::from_millis(u64::from(input.byte()?) * 4));
                Some(())
            }
            _ => self.call(scene, input.byte()?, input.byte()?),
        }
    }

    /// A header of which the input chooses what is known, and then what the input says: contributing sources, header
    /// extensions, payload, padding.
    fn send_rtp(&mut self, scene: &mut Scene, input: &mut Input<'_>) -> Option<()> {
        let (stream, kind, flags, step, ticks) =
            (input.byte()?, input.byte()?, input.byte()?, input.byte()? as i8, input.byte()? as i8);
        let payload_type = self.payload_types[usize::from(kind & 0x7f) % self.payload_types.len()];
        self.timestamp = self.timestamp.wrapping_add_signed(i32::from(ticks) * 960);
        // Version 2, any other bits.
        let mut packet = vec![0x80 | flags & 0x3f, kind & 0x80 | payload_type, 0, 0];
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrcs[usize::from(stream) % self.ssrcs.len()].to_be_bytes());
        packet.extend(input.block()?);
        let step = if step == i8::MIN { 30_000 } else { step.into() };
        if let Some(sealed) = scene.peer.seal_rtp(packet, step) {
            scene.deliver(address(1), sealed);
        }
        Some(())
    }

    /// Small numbers become SSRCs, and in a NACK so many before the newest, as the input cannot know those.
    fn send_rtcp(&mut self, scene: &mut Scene, block: &[u8]) -> Option<()> {
        let mut packet = block.to_vec();
        for word in packet.as_chunks_mut::<4>().0.iter_mut().skip(1) {
            if let Some(ssrc) = self.ssrcs.get(u32::from_be_bytes(*word) as usize) {
                *word = ssrc.to_be_bytes();
            }
        }
        if let [first, second, ..] = packet.as_mut_slice() {
            // What tells RTCP from the rest (RFC 7983 7, RFC 5761 4).
            (*first, *second) = (0x80 | *first & 0x3f, 0xc0 | *second & 0x1f);
        }
        if let [[0x81, 205, ..], _, media, items @ ..] = packet.as_chunks_mut::<4>().0
            && let Some(newest) = scene.newest.get(&u32::from_be_bytes(*media))
        {
            for [high, low, ..] in items.iter_mut().filter(|item| item[0] == 0) {
                [*high, *low] = newest.wrapping_sub(u16::from(*low)).to_be_bytes();
            }
        }
        if let Some(sealed) = scene.peer.seal_rtcp(packet) {
            scene.deliver(address(1), sealed);
        }
        Some(())
    }

    fn call(&mut self, scene: &mut Scene, action: u8, value: u8) -> Option<()> {
        let index = usize::from(value & 1);
        let (producer, consumer) = (self.parameters[index].0, self.consumers[index]);
        let (now, worker) = (scene.now, &mut scene.worker);
        let done = match action % 8 {
            0 => worker.pause_consumer(consumer),
            1 => worker.resume_consumer(now, consumer),
            2 => worker.pause_producer(ROUTER, producer),
            3 => worker.resume_producer(now, ROUTER, producer),
            4 => worker.set_preferred_layer(now, consumer, value >> 1),
            5 => {
                worker.tell_layers(TRANSPORT);
                Ok(())
            }
            6 => {
                scene.restart_ice();
                Ok(())
            }
            _ => {
                self.produce(scene, index, value & 2 != 0);
                Ok(())
            }
        };
        done.expect("it is there");
        Some(())
    }
}
