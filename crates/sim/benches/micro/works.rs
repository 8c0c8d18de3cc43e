//! What is measured.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::ProducerId;
use sfu::bench::Ring;
use sfu::bwe::{Share, allocate};
use sfu::srtp::{OpenKeys, Profile, RTP_OVERHEAD_MAX, Role, SealKeys, derive_keys};
use sfu::{SendBatch, Worker};
use sfu_io::bench::PacketRing;
use sim::call::Call;
use sim::network::Link;
use sim::two_workers::{Between, HERE, LANE, THERE, TwoWorkers};

use super::count_instructions;

/// Does an operation several times and says how often.
type Work = fn() -> u64;

/// The steps of a packet, and what is done beside it.
pub(super) const WORKS: [(&str, &str, Work); 13] = [
    ("open", "open an SRTP packet of 1160 bytes (AES-256-GCM)", open),
    ("seal", "seal the same", seal),
    ("ring_push", "store a packet in a full ring", ring_push),
    ("ring_read", "find a packet in the ring", ring_read),
    ("receive_video", "take a packet of a picture in: open, parse, store, note", receive_video),
    ("receive_audio", "take a packet of sound in", receive_audio),
    ("send_frame", "write a frame of 6 packets to one receiver: choose, rewrite, seal, level", send_frame),
    ("send_audio", "write a packet of sound to one receiver", send_audio),
    ("lane", "write a packet of 1160 bytes into a lane's ring and take it out", lane),
    ("room_one", "a picture to 10 people, all on the publisher's worker: all calls, per packet that comes", room_one),
    ("room_two", "the same, all on another worker, the lane between included", room_two),
    ("choose_layer", "change the layer that a viewer wants", choose_layer),
    ("allocate_24", "share an estimate among 24 pictures in three sizes", allocate_24),
];

const REPEATS: u16 = 200;
const RTP_HEADER_BYTES: usize = 12;
const PACKET_BYTES: usize = 1160;
/// Estimates, rates and clocks have settled.
const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(2);
const DELAY: Duration = Duration::from_millis(5);

/// Who watches in a room.
const ROOM_VIEWERS: usize = 10;
const FRAME_PACKETS: u16 = 6;
/// Longer than any other packet here.
const VIDEO_BYTES_MIN: usize = 900;
/// A microphone's, with SRTP's tag; nothing else here has this size.
const AUDIO_BYTES: std::ops::Range<usize> = 100..200;

fn keys(role: Role) -> (SealKeys, OpenKeys) {
    derive_keys(Profile::AeadAes256Gcm, &[7; 88], role).expect("two keys of 32 and two salts of 12 bytes")
}

/// An RTP packet, and room to seal it.
fn packet(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0; PACKET_BYTES + RTP_OVERHEAD_MAX];
    packet[..2].copy_from_slice(&[0x80, 96]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
    packet
}

fn open() -> u64 {
    let (seal, _) = keys(Role::Client);
    let (_, mut open) = keys(Role::Server);
    for sequence in 0..=REPEATS {
        let mut packet = packet(sequence);
        seal.seal_rtp(&mut packet, RTP_HEADER_BYTES, PACKET_BYTES, 0);
        let mut work = || open.open_rtp(black_box(&mut packet)).expect("what was sealed");
        // The first of a stream makes its replay window.
        if sequence == 0 {
            work();
        } else {
            count_instructions(&mut || _ = black_box(work()));
        }
    }
    REPEATS.into()
}

fn seal() -> u64 {
    let (seal, _) = keys(Role::Server);
    for sequence in 0..REPEATS {
        let mut packet = packet(sequence);
        count_instructions(&mut || {
            black_box(seal.seal_rtp(black_box(&mut packet), RTP_HEADER_BYTES, PACKET_BYTES, 0));
        });
    }
    REPEATS.into()
}

/// A ring that has been round twice.
fn full_ring() -> (Ring, u64) {
    let mut ring = Ring::of_video();
    let slots = (0..2_000).filter_map(|sequence| ring.push(sequence, &[1; 20], &[2; PACKET_BYTES]));
    let last = slots.last().expect("they fit");
    (ring, last)
}

fn ring_push() -> u64 {
    let (mut ring, last) = full_ring();
    for sequence in last + 1..=last + u64::from(REPEATS) {
        count_instructions(&mut || _ = black_box(ring.push(sequence, &[1; 20], black_box(&[2; PACKET_BYTES]))));
    }
    REPEATS.into()
}

fn ring_read() -> u64 {
    let (ring, last) = full_ring();
    for slot in last - u64::from(REPEATS)..last {
        count_instructions(&mut || _ = black_box(ring.payload(black_box(slot)).expect("it is there")));
    }
    REPEATS.into()
}

fn receive_video() -> u64 {
    received(is_video)
}

fn receive_audio() -> u64 {
    received(is_audio)
}

fn send_frame() -> u64 {
    sent(is_video, FRAME_PACKETS.into())
}

fn send_audio() -> u64 {
    sent(is_audio, 1)
}

fn lane() -> u64 {
    let mut ring = PacketRing::default();
    for sequence in 0..REPEATS {
        let packet = packet(sequence);
        count_instructions(&mut || {
            assert!(ring.write(black_box(&packet[..PACKET_BYTES])));
            assert!(ring.read(|packet| _ = black_box(packet)));
        });
    }
    REPEATS.into()
}

fn room_one() -> u64 {
    let link = Link::clean(DELAY);
    let mut call = Call::new(1);
    (0..=ROOM_VIEWERS).for_each(|_| _ = call.join(link, link));
    let camera = call.publish_video(0, frames());
    call.connect();
    (1..=ROOM_VIEWERS).for_each(|viewer| _ = call.watch(viewer, camera));
    call.run(WARM_UP);
    let packets = count_calls(&mut call);
    call.run(MEASURED);
    packets.get()
}

fn room_two() -> u64 {
    let mut two = TwoWorkers::new(1, Between::Lane { packets_max: 400 });
    let link = Link::clean(DELAY);
    two.calls[HERE].join(link, link);
    (0..ROOM_VIEWERS).for_each(|_| _ = two.calls[THERE].join(link, link));
    let camera = two.calls[HERE].publish_video(0, frames());
    two.connect();
    two.carry(camera);
    (0..ROOM_VIEWERS).for_each(|viewer| _ = two.calls[THERE].watch(viewer, camera));
    two.run(WARM_UP);
    let packets = count_calls(&mut two.calls[HERE]);
    count_calls(&mut two.calls[THERE]);
    let mut ring = PacketRing::default();
    two.handle_lane = Box::new(move |worker: &mut Worker, now: Instant, packet: &mut [u8]| {
        count_instructions(&mut || {
            assert!(ring.write(packet));
            assert!(ring.read(|packet| worker.handle_lane(now, LANE, packet)));
        });
    });
    two.run(MEASURED);
    packets.get()
}

/// Counts all that takes datagrams in and writes them from now on; how many packets of a picture come by a socket.
fn count_calls(call: &mut Call) -> Rc<Cell<u64>> {
    let packets = Rc::new(Cell::new(0));
    let counted = packets.clone();
    call.handle_datagram = Box::new(move |worker: &mut Worker, now: Instant, from: SocketAddr, bytes: &mut [u8]| {
        counted.set(counted.get() + u64::from(is_video(bytes)));
        count_instructions(&mut || worker.handle_datagram(now, 0, from, bytes));
    });
    call.poll_transmit = Box::new(move |worker: &mut Worker, now: Instant, batch: &mut SendBatch| {
        count_instructions(&mut || worker.poll_transmit(now, batch));
    });
    packets
}

fn is_video(bytes: &[u8]) -> bool {
    bytes.len() >= VIDEO_BYTES_MIN
}

fn is_audio(bytes: &[u8]) -> bool {
    is_rtp(bytes) && AUDIO_BYTES.contains(&bytes.len())
}

fn is_rtp(bytes: &[u8]) -> bool {
    bytes.len() > 1 && (128..192).contains(&bytes[0]) && !(192..224).contains(&bytes[1])
}

/// A person with camera and microphone, and one who sees and hears them.
fn two_people(layers: &[VideoConfig]) -> (Call, ProducerId) {
    let link = Link::clean(DELAY);
    let mut call = Call::new(1);
    for _ in 0..2 {
        call.join(link, link);
    }
    let microphone = call.publish_audio(0, AudioConfig::default());
    let camera = call.publish_simulcast(0, layers);
    call.connect();
    call.watch(1, microphone);
    call.watch(1, camera);
    call.run(WARM_UP);
    (call, camera)
}

/// As `script/bench` sends it: frames of six packets of nearly the same size, 30 a second.
fn frames() -> VideoConfig {
    VideoConfig { frame_rate: 30, packets: FRAME_PACKETS, bytes: 1115, ..VideoConfig::default() }
}

/// Counts what takes the publisher's packets of a kind in.
fn received(kind: fn(&[u8]) -> bool) -> u64 {
    let (mut call, _) = two_people(&[frames()]);
    let packets = Rc::new(Cell::new(0));
    let counted = packets.clone();
    call.handle_datagram = Box::new(move |worker: &mut Worker, now: Instant, from: SocketAddr, bytes: &mut [u8]| {
        if kind(bytes) {
            counted.set(counted.get() + 1);
            count_instructions(&mut || worker.handle_datagram(now, 0, from, bytes));
        } else {
            worker.handle_datagram(now, 0, from, bytes);
        }
    });
    call.run(MEASURED);
    packets.get()
}

/// Counts what writes the packets of a kind that arrived, so many together. A turn in which anything else
/// arrived is left out; a report that is due goes out too.
fn sent(kind: fn(&[u8]) -> bool, together: usize) -> u64 {
    let (mut call, _) = two_people(&[frames()]);
    let waiting = Rc::new(Cell::new(0));
    let arrived = waiting.clone();
    call.handle_datagram = Box::new(move |worker: &mut Worker, now: Instant, from: SocketAddr, bytes: &mut [u8]| {
        // Of two kinds together none is measured.
        let more = if kind(bytes) { 1 } else { together + 1 };
        arrived.set(arrived.get() + more);
        worker.handle_datagram(now, 0, from, bytes);
    });
    let bursts = Rc::new(RefCell::new(0));
    let counted = bursts.clone();
    call.poll_transmit = Box::new(move |worker: &mut Worker, now: Instant, batch: &mut SendBatch| {
        if waiting.take() != together {
            return worker.poll_transmit(now, batch);
        }
        count_instructions(&mut || worker.poll_transmit(now, batch));
        let segments: usize = batch.messages().iter().map(sfu::transmit::Message::segments).sum();
        assert!(segments >= together, "all of it left, sometimes with a report");
        *counted.borrow_mut() += 1;
    });
    call.run(MEASURED);
    bursts.take()
}

fn choose_layer() -> u64 {
    let layers = [1, 2, 5].map(|packets| VideoConfig { packets, keyframe_packets: 3 * packets, ..frames() });
    let (mut call, camera) = two_people(&layers);
    let viewed = call.people[1].consumptions.iter().find(|consumption| consumption.producer == camera);
    let consumer = viewed.expect("it is watched").consumer;
    for turn in 0..REPEATS {
        let (now, layer) = (call.now(), turn % 3);
        count_instructions(&mut || call.worker.set_preferred_layer(now, consumer, layer as u8).expect("it is there"));
        call.run(Duration::from_millis(10));
    }
    REPEATS.into()
}

fn allocate_24() -> u64 {
    let share = |id| {
        let layers = [150_000, 500_000, 1_200_000, 0, 0, 0, 0, 0, 0];
        Share { id, priority: 1 + (id % 3) as u8, wanted: Some(2), current: Some(1), layers, layer: None }
    };
    for repeat in 0..u64::from(REPEATS) {
        let mut shares: Vec<_> = (0..24).map(share).collect();
        count_instructions(&mut || {
            black_box(allocate(4_000_000 + 100_000 * repeat, 40_000, black_box(&mut shares)));
        });
    }
    REPEATS.into()
}
