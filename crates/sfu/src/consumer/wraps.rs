//! What a receiver sees of any switches, pauses and restarts of the source, around the wrap of every running number.

use std::collections::VecDeque;
use std::time::Instant;

use protocol::ConsumerId;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Consumer, ConsumerFormat, Lost, Source};
use crate::clock::Micros;
use crate::codec::{Codec, PictureNumbers};
use crate::keys::{ProducerKey, StreamKey, TransportKey};
use crate::ring::{PacketInfo, Ring};

const RATE: u32 = 90_000;
const FRAME_US: Micros = 50_000;
const PACKETS: u64 = 3;
const KEYFRAME_EVERY: u64 = 7;

/// An encoder whose numbers all wrap soon.
struct Layer {
    ring: Ring,
    sequence: u64,
    timestamp: u32,
    picture: PictureNumbers,
}

impl Layer {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        // The slots that are remembered wrap at 29 bits; the whole numbers never do.
        let packets = (1 << [29, 32][rng.random_range(0..2)]) - rng.random_range(0..2_000);
        Self {
            ring: Ring::new(1 << 16, 512).after(packets),
            sequence: rng.random_range(1..4_u64) << 16 | rng.random_range(65_000..65_536),
            timestamp: u32::MAX - rng.random_range(0..20 * RATE),
            picture: PictureNumbers { picture_id: 0x7fff - rng.random_range(0..200), tl0_picture_index: rng.random() },
        }
    }

    fn push_frame(&mut self, frame: u64) {
        for packet in 0..PACKETS {
            let info = PacketInfo {
                sequence: self.sequence,
                timestamp: self.timestamp,
                capture_us: frame as Micros * FRAME_US,
                marker: packet + 1 == PACKETS,
                keyframe: packet == 0 && frame.is_multiple_of(KEYFRAME_EVERY),
                picture: Some(self.picture),
                extensions: 0,
            };
            self.ring.push(info, &[], &[packet as u8]).expect("fits");
            self.sequence += 1;
        }
        self.timestamp = self.timestamp.wrapping_add(RATE / 20);
        self.picture = self.picture.next();
        self.picture.picture_id &= 0x7fff;
    }
}

/// A packet as its receiver gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    sequence: u64,
    timestamp: u32,
    picture_id: u16,
    tl0_picture_index: u8,
    capture_us: Micros,
}

fn seen(sequence: u64, shift: super::Shift, info: &PacketInfo) -> Seen {
    let picture = info.picture.expect("numbered").shifted(shift.picture);
    Seen {
        sequence,
        timestamp: info.timestamp.wrapping_add(shift.timestamp),
        picture_id: picture.picture_id & 0x7fff,
        tl0_picture_index: picture.tl0_picture_index,
        capture_us: info.capture_us,
    }
}

fn consumer(rng: &mut ChaCha8Rng) -> Consumer {
    let format = ConsumerFormat {
        codec: Codec::Vp8,
        ssrc: 1,
        payload_type: 101,
        rtx: Some((2, 102)),
        clock_rate: RATE,
        mid: None,
        transport_cc: true,
        abs_send_time: false,
        extensions: 0,
    };
    let mut consumer = Consumer::new(ConsumerId(1), 1, TransportKey(0), ProducerKey(0), format, 0, 0);
    // As if it had sent for a while.
    consumer.next = rng.random_range(1..4_u64) << 16 | rng.random_range(65_000..65_536);
    consumer.resume();
    consumer
}

fn source(layer: usize) -> Source {
    Source { layer: layer as u8, stream: StreamKey(layer) }
}

/// Sends all that is due.
fn read(consumer: &mut Consumer, ring: &Ring, out: &mut VecDeque<Seen>) {
    let now = Instant::now();
    let mut slot = consumer.cursor(ring);
    while let Some(packet) = ring.packet(slot) {
        if let Some(outgoing) = consumer.admit(ring, slot, &packet.info) {
            out.push_back(seen(outgoing.sequence, outgoing.shift, &packet.info));
            consumer.on_sent(now, slot, outgoing, &packet);
        }
        consumer.advance_to(slot + 1);
        slot += 1;
    }
}

/// `paused` says that frames were left out between these two.
fn check_next(before: &Seen, next: &Seen, paused: bool) {
    assert_eq!(next.sequence, before.sequence + 1, "no gap, and none twice");
    let pictures = next.picture_id.wrapping_sub(before.picture_id) & 0x7fff;
    let lowest = next.tl0_picture_index.wrapping_sub(before.tl0_picture_index);
    let ticks = next.timestamp.wrapping_sub(before.timestamp);
    let passed = next.capture_us - before.capture_us;
    if passed == 0 && pictures == 0 {
        assert_eq!((ticks, lowest), (0, 0), "of one frame");
        return;
    }
    assert_eq!(u16::from(lowest), pictures & 0xff);
    assert!(pictures == 1 || paused && Micros::from(pictures) <= passed / FRAME_US, "{pictures} pictures");
    // Two streams may have a frame of the same instant, which is shown a millisecond later.
    let meant = (passed.max(1_000) * Micros::from(RATE) / 1_000_000) as u32;
    assert!(ticks.abs_diff(meant) <= RATE / 1_000 * 40, "{ticks} instead of {meant}");
    assert!(ticks >= RATE / 1_000, "a frame has a timestamp of its own, after the one before");
}

#[test]
fn a_receiver_sees_one_stream_whatever_becomes_of_its_source() {
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut layers: Vec<Layer> = (0..3).map(|_| Layer::new(&mut rng)).collect();
        let mut consumer = consumer(&mut rng);
        consumer.switch(source(0), &layers[0].ring, 0);
        let (mut current, mut last, mut paused) = (0, None, false);
        let (mut recent, mut received, mut repeated) = (VecDeque::new(), 0, 0);
        for frame in 0..3_000 {
            for layer in &mut layers {
                layer.push_frame(frame);
            }
            let now_us = frame as Micros * FRAME_US;
            match rng.random_range(0..60) {
                0 => {
                    consumer.pause();
                    paused = true;
                }
                1 | 2 if consumer.paused() => {
                    consumer.resume();
                    consumer.restart(&layers[current].ring, now_us);
                }
                3..=5 if frame % KEYFRAME_EVERY == 0 && !consumer.paused() => {
                    current = rng.random_range(0..layers.len());
                    assert!(consumer.can_switch(&layers[current].ring, now_us));
                    consumer.switch(source(current), &layers[current].ring, now_us);
                }
                6 => {
                    // The publisher's page was loaded again.
                    consumer.detach();
                    layers = (0..3).map(|_| Layer::new(&mut rng)).collect();
                    recent.clear();
                    consumer.switch(source(current), &layers[current].ring, now_us);
                    paused = true;
                }
                _ => {}
            }
            let mut out = VecDeque::new();
            read(&mut consumer, &layers[current].ring, &mut out);
            for packet in out {
                if let Some(last) = &last {
                    check_next(last, &packet, paused);
                }
                paused = false;
                received += 1;
                last = Some(packet);
                recent.push_back(packet);
            }
            while recent.len() > 30 {
                recent.pop_front();
            }
            // A retransmission says of a packet what was said the first time.
            if let Some(lost) = recent.get(rng.random_range(0..30)) {
                let ring_of = |layer: u8| layers.get(usize::from(layer)).map(|layer| &layer.ring);
                if let Lost::Again(found) = consumer.lost(lost.sequence as u16, frame as Micros * FRAME_US, 0, ring_of)
                {
                    repeated += 1;
                    let packet = layers[usize::from(found.layer)].ring.packet(found.slot).expect("found");
                    assert_eq!(seen(found.sequence, found.shift, &packet.info), *lost, "seed {seed}");
                }
            }
        }
        assert!(received > 1_500, "seed {seed}: {received} packets");
        assert!(repeated > 500, "seed {seed}: {repeated} packets again");
    }
}
