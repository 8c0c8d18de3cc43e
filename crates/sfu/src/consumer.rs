//! A consumer: a cursor into the ring of its source, and what it takes to rewrite packets for one receiver.
//!
//! The source can be re-pointed at any time (a layer switch, a publisher who reloads, a relay that fails over);
//! the receiver sees one stream whose sequence numbers and timestamps go on. EAGAIN, pacing and pause all mean
//! that the cursor does not advance.

use std::time::Instant;

use arrayvec::ArrayVec;
use protocol::ConsumerId;

use crate::clock::{MediaClock, Micros};
use crate::keys::{ProducerKey, StreamKey, TransportKey};
use crate::ring::{PacketInfo, Ring, StoredPacket, TWO_BYTE_TAIL};
use crate::rtp::{self, Extension};

/// How many packets back a retransmission may be asked for; a power of two.
const INDEX_ENTRIES: usize = 512;
/// How many changes of the timestamp offset are remembered for retransmissions.
const EPOCHS_MAX: usize = 8;
/// How far back a start looks for packets that overtook the keyframe's first.
const OVERTAKEN_MAX: u64 = 64;
/// A source that jumps further ahead starts anew: after a jump of 2^15 a receiver would guess the wrong rollover
/// counter for good (RFC 3711 3.3.1).
const JUMP_MAX: u64 = 1 << 14;
/// Longest block of header extensions that every packet carries: mid (17), transport-cc (3), abs-send-time (4).
const FIXED_EXTENSIONS_MAX: usize = 24;
/// More than a block of header extensions in two-byte form takes: the fixed ones, and a tail of at most 255 bytes.
const LONG_BLOCK_MAX: usize = 320;

/// What makes the packets of a consumer its own.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerFormat {
    /// SSRC of the media.
    pub(crate) ssrc: u32,
    /// Payload type of the media.
    pub(crate) payload_type: u8,
    /// SSRC and payload type of retransmissions, where the client takes them.
    pub(crate) rtx: Option<(u32, u8)>,
    /// RTP clock, in Hz.
    pub(crate) clock_rate: u32,
    /// The mid, if the client takes the extension.
    pub(crate) mid: Option<String>,
    /// Write transport-wide sequence numbers.
    pub(crate) transport_cc: bool,
    /// Write absolute send times.
    pub(crate) abs_send_time: bool,
    /// Which header extensions of the packet are passed on, a bit per router id.
    pub(crate) extensions: u16,
}

/// What may leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Nothing.
    Paused,
    /// The next packet that a decoder can start with.
    Starting,
    /// Everything from `from` on, numbered `offset` higher.
    Running { from: u64, offset: u64 },
}

/// What is remembered of a packet that was sent, at its sequence number modulo the index's length.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    sequence: u16,
    /// Milliseconds of the worker's clock of the last retransmission, 16 bits; 0 when there was none.
    resent_ms: u16,
    /// The low bits of the ring's slot number, plus one; 0 for an unused entry.
    slot: u32,
}

/// From which output sequence number on which timestamp offset holds.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    from: u64,
    timestamp_offset: u32,
}

/// How a packet leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
}

/// Counters of what a consumer sent and what its receiver said about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConsumerStats {
    /// Media packets, retransmissions not counted.
    pub(crate) packets: u64,
    /// Bytes of payload, for sender reports.
    pub(crate) payload_bytes: u64,
    /// Retransmissions.
    pub(crate) retransmitted: u64,
    /// How often the cursor had to skip because the ring was overwritten.
    pub(crate) skipped: u64,
    /// The receiver's newest fraction lost, in 1/256.
    pub(crate) fraction_lost: u8,
}

/// One receiver's copy of a producer.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// Its id.
    pub(crate) id: ConsumerId,
    pub(crate) transport: TransportKey,
    pub(crate) producer: ProducerKey,
    /// Which incoming stream it reads; `None` while the producer has none.
    pub(crate) source: Option<StreamKey>,
    pub(crate) format: ConsumerFormat,
    pub(crate) stats: ConsumerStats,
    /// When a packet was last sent, for sender reports.
    pub(crate) last_sent: Option<Instant>,
    cursor: u64,
    /// Where the cursor was when the flow last began anew: what lies before was sent, or given up.
    restarted_at: u64,
    paused: bool,
    flow: Flow,
    /// The next output sequence number.
    next: u64,
    /// Output timestamp and capture time of the newest packet sent.
    newest: Option<(u32, Micros)>,
    /// The source was changed since the newest packet: its timestamps have nothing to do with the old ones.
    resync: bool,
    epochs: ArrayVec<Epoch, EPOCHS_MAX>,
    index: Box<[Sent]>,
    /// How many retransmissions wait to be sent.
    pub(crate) retransmissions: u16,
    rtx_sequence: u64,
    fixed: ArrayVec<u8, FIXED_EXTENSIONS_MAX>,
    transport_cc_at: Option<usize>,
    abs_send_time_at: Option<usize>,
}

impl Consumer {
    /// A paused consumer. Sequence numbers start at `first_sequence` and `first_rtx_sequence`, both below 2^15
    /// so that the receiver cannot mistake the rollover counter.
    pub(crate) fn new(
        id: ConsumerId,
        transport: TransportKey,
        producer: ProducerKey,
        format: ConsumerFormat,
        first_sequence: u16,
        first_rtx_sequence: u16,
    ) -> Self {
        let mut fixed = ArrayVec::new();
        let mut element = |extension: Extension, value: &[u8]| {
            let header = extension.router_id() << 4 | (value.len() - 1) as u8;
            if fixed.try_push(header).is_err() || fixed.try_extend_from_slice(value).is_err() {
                return None;
            }
            Some(fixed.len() - value.len())
        };
        if let Some(mid) = format.mid.as_deref().filter(|mid| (1..=16).contains(&mid.len())) {
            element(Extension::Mid, mid.as_bytes());
        }
        let transport_cc_at = format.transport_cc.then(|| element(Extension::TransportCc, &[0; 2])).flatten();
        let abs_send_time_at = format.abs_send_time.then(|| element(Extension::AbsSendTime, &[0; 3])).flatten();
        let index_entries = if format.rtx.is_some() { INDEX_ENTRIES } else { 0 };
        Self {
            id,
            transport,
            producer,
            source: None,
            format,
            stats: ConsumerStats::default(),
            last_sent: None,
            cursor: 0,
            restarted_at: 0,
            paused: true,
            flow: Flow::Paused,
            next: u64::from(first_sequence & 0x7fff),
            newest: None,
            resync: true,
            epochs: ArrayVec::new(),
            index: vec![Sent::default(); index_entries].into_boxed_slice(),
            retransmissions: 0,
            rtx_sequence: u64::from(first_rtx_sequence & 0x7fff),
            fixed,
            transport_cc_at,
            abs_send_time_at,
        }
    }

    /// Whether the client paused it.
    pub(crate) fn paused(&self) -> bool {
        self.paused
    }

    /// Lets packets flow from the next one that a decoder can start with.
    pub(crate) fn resume(&mut self, ring: Option<&Ring>) {
        if self.paused {
            self.paused = false;
            self.restart(ring);
        }
    }

    /// Lets nothing flow.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
        self.flow = Flow::Paused;
    }

    /// Reads from `source` from now on. Packets sent before can no longer be retransmitted.
    pub(crate) fn repoint(&mut self, source: Option<StreamKey>, ring: Option<&Ring>) {
        self.source = source;
        self.resync = true;
        self.index.fill(Sent::default());
        self.retransmissions = 0;
        if !self.paused {
            self.restart(ring);
        }
    }

    /// Skips to the newest packet and starts again at the next one that a decoder can start with.
    pub(crate) fn restart(&mut self, ring: Option<&Ring>) {
        self.cursor = ring.map_or(0, Ring::head);
        self.restarted_at = self.cursor;
        self.flow = Flow::Starting;
    }

    /// The slot to be read next, moved past what was overwritten meanwhile.
    pub(crate) fn cursor(&mut self, ring: &Ring) -> u64 {
        if self.cursor < ring.tail() && self.flow != Flow::Paused {
            self.stats.skipped += 1;
            self.restart(Some(ring));
        }
        self.cursor
    }

    /// Moves the cursor behind `slot`.
    pub(crate) fn advance(&mut self, slot: u64) {
        self.cursor = slot + 1;
    }

    /// Whether the packet in `slot` is to be sent, and how. Asking twice gives the same answer.
    pub(crate) fn admit(&mut self, ring: &Ring, slot: u64, info: &PacketInfo) -> Option<Outgoing> {
        match self.flow {
            Flow::Paused => None,
            Flow::Starting if !info.keyframe => None,
            Flow::Starting => {
                let start = ring.start_of(slot, OVERTAKEN_MAX);
                if start < self.restarted_at {
                    // It comes so late that some of what follows it was passed by already: it cannot be whole.
                    self.stats.skipped += 1;
                    return None;
                }
                let from = info.sequence;
                self.flow = Flow::Running { from, offset: self.next.wrapping_sub(from) };
                let timestamp_offset = self.timestamp_offset(info);
                if self.epochs.is_full() {
                    self.epochs.remove(0);
                }
                self.epochs.push(Epoch { from: self.next, timestamp_offset });
                self.resync = false;
                // What overtook the first packet lies before it; the caller reads on from there.
                self.cursor = start;
                self.outgoing(info)
            }
            Flow::Running { .. } => {
                let out = self.outgoing(info)?;
                if out.sequence <= self.next + JUMP_MAX {
                    return Some(out);
                }
                self.stats.skipped += 1;
                self.flow = Flow::Starting;
                self.admit(ring, slot, info)
            }
        }
    }

    fn outgoing(&self, info: &PacketInfo) -> Option<Outgoing> {
        let Flow::Running { from, offset } = self.flow else { return None };
        if info.sequence < from {
            return None;
        }
        let timestamp_offset = self.epochs.last().map_or(0, |epoch| epoch.timestamp_offset);
        Some(Outgoing {
            sequence: info.sequence.wrapping_add(offset),
            timestamp: info.timestamp.wrapping_add(timestamp_offset),
        })
    }

    /// What to add to the source's timestamps so that the receiver's go on where they were.
    fn timestamp_offset(&self, info: &PacketInfo) -> u32 {
        let unchanged = self.epochs.last().map_or(0, |epoch| epoch.timestamp_offset);
        let (true, Some((timestamp, capture_us))) = (self.resync, self.newest) else { return unchanged };
        let rate = self.format.clock_rate;
        // At least a millisecond on: two frames never share a timestamp.
        let passed = MediaClock::micros_to_ticks(rate, (info.capture_us - capture_us).max(1000));
        timestamp.wrapping_add(passed).wrapping_sub(info.timestamp)
    }

    /// Notes that a packet goes out.
    pub(crate) fn on_sent(&mut self, now: Instant, slot: u64, out: Outgoing, packet: &StoredPacket<'_>) {
        if out.sequence >= self.next {
            self.next = out.sequence + 1;
            self.newest = Some((out.timestamp, packet.info.capture_us));
        }
        self.stats.packets += 1;
        self.stats.payload_bytes += packet.payload.len() as u64;
        self.last_sent = Some(now);
        if !self.index.is_empty() {
            let at = out.sequence as usize & (INDEX_ENTRIES - 1);
            let slot = (slot as u32).wrapping_add(1).max(1);
            self.index[at] = Sent { sequence: out.sequence as u16, resent_ms: 0, slot };
        }
    }

    /// Looks up a lost packet: its slot and how it left. `None` when it cannot or should not be sent again: it
    /// is forgotten, or went out again less than `rtt_ms` ago.
    pub(crate) fn lost(&mut self, ring: &Ring, sequence: u16, now_ms: u64, rtt_ms: u16) -> Option<(u64, Outgoing)> {
        let at = usize::from(sequence) & (INDEX_ENTRIES - 1);
        let sent = self.index.get_mut(at).filter(|sent| sent.slot != 0 && sent.sequence == sequence)?;
        let now_ms = (now_ms as u16).max(1);
        if sent.resent_ms != 0 && now_ms.wrapping_sub(sent.resent_ms) < rtt_ms {
            return None;
        }
        // The ring holds far fewer than 2^32 slots, so the low bits name one.
        let slot = ring.head().checked_sub(u64::from((ring.head() as u32).wrapping_add(1).wrapping_sub(sent.slot)))?;
        let info = ring.packet(slot)?.info;
        sent.resent_ms = now_ms;
        let newest = self.next.checked_sub(1)?;
        let back = u64::from((newest as u16).wrapping_sub(sequence));
        let sequence = newest.checked_sub(back)?;
        let epoch = self.epochs.iter().rev().find(|epoch| epoch.from <= sequence)?;
        self.stats.retransmitted += 1;
        Some((slot, Outgoing { sequence, timestamp: info.timestamp.wrapping_add(epoch.timestamp_offset) }))
    }

    /// The next sequence number of the retransmission stream.
    pub(crate) fn next_rtx_sequence(&mut self) -> u64 {
        self.rtx_sequence += 1;
        self.rtx_sequence - 1
    }

    /// The RTP timestamp that belongs to `at`; `None` before the first packet.
    pub(crate) fn timestamp_at(&self, at: Micros) -> Option<u32> {
        let (timestamp, capture_us) = self.newest?;
        let passed = at.saturating_sub(capture_us);
        let ticks = MediaClock::micros_to_ticks(self.format.clock_rate, passed.abs());
        Some(if passed < 0 { timestamp.wrapping_sub(ticks) } else { timestamp.wrapping_add(ticks) })
    }

    /// How many bytes the RTP header of a packet takes.
    pub(crate) fn header_bytes(&self, packet: &StoredPacket<'_>) -> usize {
        if is_long(packet) {
            return 12 + self.write_long_block(&mut [0; LONG_BLOCK_MAX], packet, [0; 2], [0; 3]);
        }
        let elements = self.fixed.len() + self.tail_bytes(packet);
        if elements == 0 { 12 } else { 16 + elements.next_multiple_of(4) }
    }

    /// Writes the RTP header of a packet, as long as [`Consumer::header_bytes`] says, and gives its length.
    /// `transport_cc` and `abs_send_time` go where the receiver wants them.
    pub(crate) fn write_header(&self, out: &mut [u8], packet: &StoredPacket<'_>, fields: &HeaderFields) -> usize {
        let long = is_long(packet);
        let elements = if long { 0 } else { self.fixed.len() + self.tail_bytes(packet) };
        let extended = elements > 0;
        out[0] = 0x80 | u8::from(fields.padded) << 5 | u8::from(extended) << 4;
        out[1] = u8::from(packet.info.marker) << 7 | fields.payload_type;
        out[2..4].copy_from_slice(&(fields.sequence as u16).to_be_bytes());
        out[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
        if long {
            let [_, abs_send_time @ ..] = fields.abs_send_time.to_be_bytes();
            let block = self.write_long_block(&mut out[12..], packet, fields.transport_cc.to_be_bytes(), abs_send_time);
            out[0] |= u8::from(block > 0) << 4;
            return 12 + block;
        }
        if !extended {
            return 12;
        }
        let block = elements.next_multiple_of(4);
        out[12..14].copy_from_slice(&[0xBE, 0xDE]);
        out[14..16].copy_from_slice(&((block / 4) as u16).to_be_bytes());
        out[16..16 + self.fixed.len()].copy_from_slice(&self.fixed);
        if let Some(at) = self.transport_cc_at {
            out[16 + at..18 + at].copy_from_slice(&fields.transport_cc.to_be_bytes());
        }
        if let Some(at) = self.abs_send_time_at {
            out[16 + at..19 + at].copy_from_slice(&fields.abs_send_time.to_be_bytes()[1..]);
        }
        let tail_at = 16 + self.fixed.len();
        let end = self.write_tail(out, tail_at, packet);
        out[end..16 + block].fill(0);
        16 + block
    }

    /// Writes the extension block of a packet that came with elements in two-byte form, and gives its length. The
    /// only such packets are the first of keyframes with temporal or spatial layers, so this may take longer.
    fn write_long_block(
        &self,
        out: &mut [u8],
        packet: &StoredPacket<'_>,
        transport_cc: [u8; 2],
        abs_send_time: [u8; 3],
    ) -> usize {
        let fixed = rtp::elements(rtp::ONE_BYTE_PROFILE, &self.fixed).map(|(id, value)| match id {
            id if id == Extension::TransportCc.router_id() => (id, &transport_cc[..]),
            id if id == Extension::AbsSendTime.router_id() => (id, &abs_send_time[..]),
            _ => (id, value),
        });
        let tail = rtp::elements(rtp::TWO_BYTE_PROFILE, packet.tail).filter(|&(id, _)| self.takes(id));
        rtp::write_extensions(out, fixed.chain(tail)).unwrap_or(0)
    }

    fn passes_all(&self, packet: &StoredPacket<'_>) -> bool {
        packet.info.extensions & !self.format.extensions == 0
    }

    fn tail_bytes(&self, packet: &StoredPacket<'_>) -> usize {
        if self.passes_all(packet) {
            return packet.tail.len();
        }
        elements(packet.tail).filter(|&(id, _)| self.takes(id)).map(|(_, element)| element.len()).sum()
    }

    fn write_tail(&self, out: &mut [u8], mut at: usize, packet: &StoredPacket<'_>) -> usize {
        if self.passes_all(packet) {
            out[at..at + packet.tail.len()].copy_from_slice(packet.tail);
            return at + packet.tail.len();
        }
        for (_, element) in elements(packet.tail).filter(|&(id, _)| self.takes(id)) {
            out[at..at + element.len()].copy_from_slice(element);
            at += element.len();
        }
        at
    }

    fn takes(&self, id: u8) -> bool {
        self.format.extensions >> id & 1 == 1
    }
}

fn is_long(packet: &StoredPacket<'_>) -> bool {
    packet.info.extensions & TWO_BYTE_TAIL != 0
}

/// The parts of an RTP header that differ between a packet and its retransmission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderFields {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) padded: bool,
    pub(crate) transport_cc: u16,
    /// 24 bits of 6.18 fixed-point seconds.
    pub(crate) abs_send_time: u32,
}

/// The one-byte-form elements of a stored tail, each with its header byte. The ring holds only what
/// `crate::stream` wrote there, so the form is right.
fn elements(tail: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = tail;
    std::iter::from_fn(move || {
        let header = *rest.first()?;
        let (element, after) = rest.split_at_checked(2 + usize::from(header & 0x0f))?;
        rest = after;
        Some((header >> 4, element))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::RtpHeader;

    const RATE: u32 = 90_000;

    fn consumer() -> Consumer {
        let format = ConsumerFormat {
            ssrc: 0x0102_0304,
            payload_type: 101,
            rtx: Some((5, 102)),
            clock_rate: RATE,
            mid: Some("7".to_owned()),
            transport_cc: true,
            abs_send_time: false,
            extensions: 1 << 6,
        };
        let mut consumer = Consumer::new(ConsumerId(1), TransportKey(0), ProducerKey(0), format, 1000, 2000);
        consumer.repoint(Some(StreamKey(0)), None);
        consumer
    }

    fn info(sequence: u64, timestamp: u32, keyframe: bool) -> PacketInfo {
        let capture_us = i64::from(timestamp) * 1_000_000 / i64::from(RATE);
        PacketInfo { sequence, timestamp, keyframe, capture_us, ..PacketInfo::default() }
    }

    /// Pushes packets and gives what a consumer sends of them.
    fn read(consumer: &mut Consumer, ring: &Ring) -> Vec<(u64, u32)> {
        let now = Instant::now();
        let mut sent = Vec::new();
        let mut slot = consumer.cursor(ring);
        while let Some(packet) = ring.packet(slot) {
            match consumer.admit(ring, slot, &packet.info) {
                Some(_) if consumer.cursor(ring) < slot => slot = consumer.cursor(ring),
                Some(out) => {
                    consumer.on_sent(now, slot, out, &packet);
                    sent.push((out.sequence, out.timestamp));
                    consumer.advance(slot);
                    slot += 1;
                }
                None => {
                    consumer.advance(slot);
                    slot += 1;
                }
            }
        }
        sent
    }

    fn ring_of(packets: &[PacketInfo]) -> Ring {
        let mut ring = Ring::new(10_000, 64);
        for &packet in packets {
            ring.push(packet, &[], &[1, 2, 3]);
        }
        ring
    }

    #[test]
    fn video_starts_at_a_keyframe_and_is_numbered_from_its_own_first() {
        let mut ring = Ring::new(10_000, 64);
        let mut consumer = consumer();
        consumer.resume(Some(&ring));
        for packet in [info(50, 0, false), info(51, 3000, true), info(52, 3000, false)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1000, 3000), (1001, 3000)]);
    }

    #[test]
    fn elements_too_long_for_the_one_byte_form_are_passed_on() {
        let mut consumer = consumer();
        consumer.format.extensions = 1 << Extension::DependencyDescriptor.router_id();
        let descriptor = [9; 97];
        let tail = [&[7, 97][..], &descriptor, &[8, 1, 0xff]].concat();
        let info = PacketInfo { extensions: 1 << 7 | 1 << 8 | TWO_BYTE_TAIL, ..info(1, 0, true) };
        let packet = StoredPacket { info, tail: &tail, payload: &[] };
        let fields = HeaderFields {
            ssrc: 1,
            payload_type: 107,
            sequence: 1,
            timestamp: 2,
            padded: false,
            transport_cc: 0x1234,
            abs_send_time: 0,
        };
        let mut out = [0xee; 256];
        let bytes = consumer.write_header(&mut out, &packet, &fields);
        assert_eq!(bytes, consumer.header_bytes(&packet));
        let header = RtpHeader::parse(&out[..bytes]).expect("a header");
        assert_eq!(header.header_bytes, bytes);
        let read: Vec<_> = header.extensions(&out[..bytes]).collect();
        assert_eq!(
            read,
            [(1, &b"7"[..]), (5, &[0x12, 0x34]), (7, &descriptor)],
            "and one that is not wanted is left out"
        );
    }

    #[test]
    fn packets_that_overtook_the_keyframes_first_are_sent_too() {
        let mut ring = ring_of(&[]);
        let mut consumer = consumer();
        consumer.resume(Some(&ring));
        for packet in [info(49, 0, false), info(52, 3000, false), info(51, 3000, true), info(53, 3000, false)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1001, 3000), (1000, 3000), (1002, 3000)]);
    }

    #[test]
    fn a_keyframe_whose_rest_came_before_the_start_is_passed_by() {
        let mut ring = ring_of(&[info(52, 3000, false)]);
        let mut consumer = consumer();
        consumer.resume(Some(&ring));
        for packet in [info(53, 3000, false), info(51, 3000, true), info(54, 6000, false), info(55, 9000, true)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1000, 9000)]);
        assert_eq!(consumer.stats.skipped, 1, "so that another keyframe is asked for");
    }

    #[test]
    fn a_pause_leaves_no_gap() {
        let mut ring = ring_of(&[]);
        let mut consumer = consumer();
        consumer.resume(Some(&ring));
        ring.push(info(10, 0, true), &[], &[0]);
        assert_eq!(read(&mut consumer, &ring), [(1000, 0)]);
        consumer.pause();
        ring.push(info(11, 960, true), &[], &[0]);
        assert_eq!(read(&mut consumer, &ring), []);
        consumer.resume(Some(&ring));
        ring.push(info(12, 1920, true), &[], &[0]);
        assert_eq!(read(&mut consumer, &ring), [(1001, 1920)]);
    }

    #[test]
    fn a_change_of_source_goes_on_by_capture_time() {
        let mut consumer = consumer();
        let mut old = ring_of(&[]);
        consumer.resume(Some(&old));
        old.push(info(10, 90_000, true), &[], &[0]);
        assert_eq!(read(&mut consumer, &old), [(1000, 90_000)]);

        let mut new = ring_of(&[]);
        consumer.repoint(Some(StreamKey(1)), Some(&new));
        // Captured half a second later, under timestamps of its own.
        let packet = PacketInfo { capture_us: 1_500_000, ..info(60_000, 7, true) };
        new.push(packet, &[], &[0]);
        assert_eq!(read(&mut consumer, &new), [(1001, 135_000)]);
    }

    #[test]
    fn a_source_that_jumps_ahead_is_numbered_without_the_jump() {
        let mut ring = ring_of(&[]);
        let mut consumer = consumer();
        consumer.resume(Some(&ring));
        for packet in [info(10, 0, true), info(40_000, 960, true), info(40_001, 1920, true)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1000, 0), (1001, 960), (1002, 1920)]);
    }

    #[test]
    fn a_lost_packet_is_found_once_per_round_trip() {
        let mut ring = ring_of(&[]);
        let mut consumer = consumer();
        consumer.resume(Some(&ring));
        for n in 0..5u32 {
            ring.push(info(u64::from(n), n * 3000, n == 0), &[], &[0]);
        }
        read(&mut consumer, &ring);
        let (slot, out) = consumer.lost(&ring, 1002, 5000, 50).expect("remembered");
        assert_eq!((slot, out), (2, Outgoing { sequence: 1002, timestamp: 6000 }));
        assert_eq!(consumer.lost(&ring, 1002, 5049, 50), None);
        assert!(consumer.lost(&ring, 1002, 5050, 50).is_some());
        assert_eq!(consumer.lost(&ring, 1005, 5050, 50), None, "never sent");
        consumer.repoint(Some(StreamKey(1)), Some(&ring));
        assert_eq!(consumer.lost(&ring, 1002, 6000, 50), None, "of another source");
    }

    #[test]
    fn the_header_carries_what_the_receiver_takes() {
        let consumer = consumer();
        let tail = [6 << 4, 0x85, 8 << 4, 1];
        let info = PacketInfo { marker: true, extensions: 1 << 6 | 1 << 8, ..info(0, 0, true) };
        let packet = StoredPacket { info, tail: &tail, payload: &[] };
        let fields = HeaderFields {
            ssrc: 0x0102_0304,
            payload_type: 100,
            sequence: 0x1_0203,
            timestamp: 9,
            padded: true,
            transport_cc: 0xABCD,
            abs_send_time: 0,
        };
        let mut out = [0xFF; 64];
        let bytes = consumer.write_header(&mut out, &packet, &fields);
        assert_eq!(bytes, consumer.header_bytes(&packet));
        let expected =
            [0xB0, 0xE4, 2, 3, 0, 0, 0, 9, 1, 2, 3, 4, 0xBE, 0xDE, 0, 2, 0x10, b'7', 0x51, 0xAB, 0xCD, 0x60, 0x85, 0];
        assert_eq!(out[..bytes], expected);
    }
}
