//! A consumer: a cursor into the ring of its source, and what it takes to rewrite packets for one receiver.
//!
//! The source can be re-pointed at any time (a layer switch, a publisher who reloads, a relay that fails over);
//! the receiver sees one stream whose sequence numbers, timestamps and picture ids go on. EAGAIN, pacing and pause
//! all mean that the cursor does not advance.

mod header;
mod reported;
mod sent;
#[cfg(test)]
mod wraps;

use std::time::{Duration, Instant};

use protocol::{ConsumerId, MediaKind};

pub(crate) use header::{HeaderFields, HeaderWriter};
pub(crate) use reported::Reported;
pub(crate) use sent::{Found, Lost, Shift};

use crate::clock::{MediaClock, Micros};
use crate::codec::{Codec, PictureNumbers};
use crate::keys::{ProducerKey, StreamKey, TransportKey};
use crate::rate::SendRate;
use crate::ring::{PacketInfo, Ring, StoredPacket};
use crate::rtcp::ReportBlock;
use crate::score::BEST;
use sent::{SentPackets, UpTo};

/// How far back a start looks for packets that overtook the keyframe's first.
const OVERTAKEN_MAX: u64 = 64;
/// A source that jumps further ahead starts anew: after a jump of 2^15 a receiver would guess the wrong rollover
/// counter for good (RFC 3711 3.3.1).
const JUMP_MAX: u64 = 1 << 14;
/// A keyframe that is followed by no more than this is still good to begin with: the receiver catches up within a
/// moment.
const FRESH_US: Micros = 300_000;
/// Unless it is older than this, with all that keeps it on its way here: nothing came since.
const KEYFRAME_AGE_US_MAX: Micros = 2_000_000;
/// Who lags this far behind the newest packet skips to a keyframe.
const LAG_US_MAX: Micros = 300_000;
/// But not before this long after its last start: the keyframe that it began with may be large for its path, and
/// another costs all who watch the same.
const CATCH_UP_US: Micros = 2_000_000;
/// The packets of a frame come within this time.
const FRAME_TIME_MAX: Duration = Duration::from_millis(50);
/// A keyframe of another layer may be older by this than what was sent, about a frame: it is larger, and so comes
/// later than the next frame of the layer that goes on meanwhile. Were it refused, the one after it would be too.
const BEHIND_US_MAX: Micros = 40_000;

/// What makes the packets of a consumer its own.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerFormat {
    pub(crate) codec: Codec,
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

impl ConsumerFormat {
    /// The SSRCs of media and retransmissions; 0: it has none.
    pub(crate) fn ssrcs(&self) -> (u32, u32) {
        (self.ssrc, self.rtx.map_or(0, |(ssrc, _)| ssrc))
    }
}

/// One of the streams of the consumer's producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its place among the producer's encodings, 0 the lowest.
    pub(crate) layer: u8,
    pub(crate) stream: StreamKey,
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

/// The newest packet that was sent.
#[derive(Debug, Clone, Copy)]
struct Newest {
    timestamp: u32,
    capture_us: Micros,
    picture: Option<PictureNumbers>,
    marker: bool,
}

/// How a packet leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) sequence: u64,
    pub(crate) shift: Shift,
}

/// Counters of what a consumer sent and what its receiver asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConsumerStats {
    /// Media packets, retransmissions not counted.
    pub(crate) packets: u64,
    /// Bytes of payload, for sender reports.
    pub(crate) payload_bytes: u64,
    /// Retransmissions.
    pub(crate) retransmitted: u64,
    /// How often the cursor had to skip: the ring was overwritten, or the path is too slow.
    pub(crate) skipped: u64,
    /// Packet numbers that the receiver asked for again.
    pub(crate) nacks: u64,
    /// Keyframes that the receiver asked for.
    pub(crate) keyframe_requests: u64,
}

/// One receiver's copy of a producer.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// Its id.
    pub(crate) id: ConsumerId,
    /// Higher than those of the worker's consumers that were made before.
    pub(crate) number: u64,
    pub(crate) transport: TransportKey,
    pub(crate) producer: ProducerKey,
    /// Which incoming stream it reads; `None` while the producer has none.
    pub(crate) source: Option<Source>,
    /// The stream that it goes over to as soon as that has a keyframe.
    pub(crate) next_source: Option<Source>,
    /// It is another worker's and carries this layer, whatever becomes of the others.
    pub(crate) only_layer: Option<u8>,
    /// The highest layer that the client wants.
    pub(crate) preferred_layer: u8,
    /// The highest layer that the path carries.
    pub(crate) allowed_layer: u8,
    pub(crate) format: ConsumerFormat,
    pub(crate) header: HeaderWriter,
    pub(crate) stats: ConsumerStats,
    pub(crate) reported: Reported,
    /// The bitrate of what was sent, retransmissions not counted.
    pub(crate) rate: SendRate,
    /// Its score and its source's, as the client knows them.
    pub(crate) scores_told: (u8, u8),
    /// How much of its receiver's path it gets before others; at least 1.
    pub(crate) priority: u8,
    /// When a packet was last sent, for sender reports.
    pub(crate) last_sent: Option<Instant>,
    cursor: u64,
    /// Up to here the source's packets were sent or given up.
    sent_to: u64,
    paused: bool,
    flow: Flow,
    /// The next output sequence number.
    next: u64,
    newest: Option<Newest>,
    /// The sequence number with which the newest keyframe began.
    newest_keyframe: u64,
    /// When what it began with was captured.
    began_us: Micros,
    /// Waiting for a tick, because its path took all that it may.
    pub(crate) held: bool,
    /// The source was changed since the newest packet: its running numbers have nothing to do with the old ones.
    resync: bool,
    sent: SentPackets,
    /// How many retransmissions wait to be sent.
    pub(crate) retransmissions: u16,
    rtx_sequence: u64,
}

impl Consumer {
    /// A paused consumer. Sequence numbers start at `first_sequence` and `first_rtx_sequence`, both below 2^15
    /// so that the receiver cannot mistake the rollover counter.
    pub(crate) fn new(
        id: ConsumerId,
        number: u64,
        transport: TransportKey,
        producer: ProducerKey,
        format: ConsumerFormat,
        first_sequence: u16,
        first_rtx_sequence: u16,
    ) -> Self {
        Self {
            id,
            number,
            transport,
            producer,
            source: None,
            next_source: None,
            only_layer: None,
            preferred_layer: u8::MAX,
            allowed_layer: u8::MAX,
            header: HeaderWriter::new(&format),
            stats: ConsumerStats::default(),
            reported: Reported::default(),
            rate: SendRate::default(),
            scores_told: (BEST, BEST),
            priority: 1,
            last_sent: None,
            cursor: 0,
            sent_to: 0,
            paused: true,
            flow: Flow::Paused,
            next: u64::from(first_sequence & 0x7fff),
            newest: None,
            newest_keyframe: 0,
            began_us: 0,
            held: false,
            resync: true,
            sent: SentPackets::new(format.rtx.is_some()),
            format,
            retransmissions: 0,
            rtx_sequence: u64::from(first_rtx_sequence & 0x7fff),
        }
    }

    /// Whether the client paused it.
    pub(crate) fn paused(&self) -> bool {
        self.paused
    }

    /// Whether anything may leave.
    pub(crate) fn flows(&self) -> bool {
        self.flow != Flow::Paused
    }

    /// Whether anything was sent yet.
    pub(crate) fn has_begun(&self) -> bool {
        self.newest.is_some()
    }

    /// Takes in a report of its receiver.
    pub(crate) fn on_report(&mut self, block: &ReportBlock) {
        self.reported.on_report(block, &self.stats, self.next);
    }

    /// Lets packets flow once the source is started.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// Lets nothing flow.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
        self.flow = Flow::Paused;
        self.next_source = None;
    }

    /// Has no source any more. Packets sent before can no longer be retransmitted.
    pub(crate) fn detach(&mut self) {
        self.source = None;
        self.next_source = None;
        self.flow = Flow::Paused;
        self.sent.clear();
        self.retransmissions = 0;
    }

    /// Reads from another stream of the producer from now on, beginning where [`Consumer::restart`] does.
    pub(crate) fn switch(&mut self, source: Source, ring: &Ring, now_us: Micros) {
        self.source = Some(source);
        self.next_source = None;
        self.resync = true;
        self.sent_to = 0;
        self.restart(ring, now_us);
    }

    /// Starts again at a keyframe that just came, else at the next.
    pub(crate) fn restart(&mut self, ring: &Ring, now_us: Micros) {
        if !self.paused {
            self.cursor = self.fresh_keyframe(ring, now_us, self.sent_to).unwrap_or(ring.head());
            self.flow = Flow::Starting;
        }
    }

    /// Whether it can go over to this stream now: a keyframe just came that is not before what was sent.
    pub(crate) fn can_switch(&self, ring: &Ring, now_us: Micros) -> bool {
        self.fresh_keyframe(ring, now_us, 0).is_some()
    }

    /// Whether more of the frame that it is sending is still to come. One that broke off is not waited for.
    pub(crate) fn in_mid_frame(&self, now: Instant) -> bool {
        let frame_goes_on = self.newest.is_some_and(|newest| !newest.marker);
        frame_goes_on && self.last_sent.is_some_and(|sent| now.saturating_duration_since(sent) < FRAME_TIME_MAX)
    }

    /// Whether nothing leaves until a keyframe comes.
    pub(crate) fn waits_for_keyframe(&self, ring: &Ring) -> bool {
        self.flow == Flow::Starting && self.cursor >= ring.head()
    }

    /// The slot of a keyframe to begin with.
    fn fresh_keyframe(&self, ring: &Ring, now_us: Micros, from: u64) -> Option<u64> {
        let (slot, capture_us) = ring.keyframe()?;
        let newest_us = ring.newest_capture()?;
        let new = self.newest.is_none_or(|newest| capture_us >= newest.capture_us - BEHIND_US_MAX);
        let fresh = newest_us - capture_us <= FRESH_US && now_us - capture_us <= KEYFRAME_AGE_US_MAX;
        let start = ring.start_of(slot, OVERTAKEN_MAX);
        (new && fresh && start >= from).then_some(slot)
    }

    /// The slot to be read next, moved past what was overwritten meanwhile.
    pub(crate) fn cursor(&mut self, ring: &Ring) -> u64 {
        if self.cursor < ring.tail() && self.flow != Flow::Paused {
            self.stats.skipped += 1;
            self.cursor = ring.head();
            self.sent_to = self.cursor;
            self.flow = Flow::Starting;
        }
        self.cursor
    }

    /// Gives up the frames that would reach the receiver too late: goes on at a newer keyframe, or waits for the next.
    pub(crate) fn skip_stale(&mut self, ring: &Ring) {
        let Some(newest_us) = ring.newest_capture() else { return };
        // Each packet of sound stands for itself; of a picture only whole frames are left out, and a keyframe is dear.
        let audio = self.format.codec.kind() == MediaKind::Audio;
        let may_skip =
            audio || self.newest.is_some_and(|newest| newest.marker) && newest_us - self.began_us > CATCH_UP_US;
        let lagging = matches!(self.flow, Flow::Running { .. })
            && may_skip
            && ring.packet(self.cursor).is_some_and(|packet| newest_us - packet.info.capture_us > LAG_US_MAX);
        if lagging {
            self.stats.skipped += 1;
            let keyframe = ring.keyframe().filter(|&(slot, at)| slot > self.cursor && newest_us - at <= LAG_US_MAX);
            self.cursor = keyframe.map_or(ring.head(), |(slot, _)| slot);
            self.flow = Flow::Starting;
        }
    }

    /// Moves the cursor to `slot`.
    pub(crate) fn advance_to(&mut self, slot: u64) {
        self.cursor = slot;
    }

    /// Whether the packet in `slot` is to be sent, and how. Asking twice gives the same answer.
    pub(crate) fn admit(&mut self, ring: &Ring, slot: u64, info: &PacketInfo) -> Option<Outgoing> {
        match self.flow {
            Flow::Paused => None,
            Flow::Starting if !info.keyframe => None,
            Flow::Starting => {
                let start = ring.start_of(slot, OVERTAKEN_MAX);
                if start < self.sent_to {
                    // It comes so late that some of what follows it went out, or was passed by: it cannot be whole.
                    self.stats.skipped += 1;
                    return None;
                }
                let from = info.sequence;
                self.flow = Flow::Running { from, offset: self.next.wrapping_sub(from) };
                self.began_us = info.capture_us;
                self.sent.set_shift(self.next, self.next_shift(info));
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

    /// Whether the flow begins anew with this packet, so that what is planned has to be sent before: its numbers
    /// follow those of what was sent, and none is ever sealed twice.
    pub(crate) fn begins_anew_at(&self, info: &PacketInfo) -> bool {
        let leaps = |out: Outgoing| out.sequence > self.next + JUMP_MAX;
        self.flow == Flow::Starting || self.outgoing(info).is_some_and(leaps)
    }

    fn outgoing(&self, info: &PacketInfo) -> Option<Outgoing> {
        let Flow::Running { from, offset } = self.flow else { return None };
        (info.sequence >= from)
            .then(|| Outgoing { sequence: info.sequence.wrapping_add(offset), shift: self.sent.shift() })
    }

    /// What to add to the source's running numbers so that the receiver's go on where they were.
    fn next_shift(&self, info: &PacketInfo) -> Shift {
        let (true, Some(newest)) = (self.resync, self.newest) else { return self.sent.shift() };
        let rate = self.format.clock_rate;
        // At least a millisecond on: two frames never share a timestamp.
        let passed = MediaClock::micros_to_ticks(rate, (info.capture_us - newest.capture_us).max(1000));
        let picture = newest.picture.zip(info.picture).map(|(sent, first)| sent.next().since(first));
        Shift {
            timestamp: newest.timestamp.wrapping_add(passed).wrapping_sub(info.timestamp),
            picture: picture.unwrap_or_default(),
        }
    }

    /// Notes that a packet goes out.
    pub(crate) fn on_sent(&mut self, now: Instant, slot: u64, out: Outgoing, packet: &StoredPacket<'_>) {
        let info = &packet.info;
        if out.sequence >= self.next {
            self.next = out.sequence + 1;
            let picture = info.picture.map(|picture| picture.shifted(out.shift.picture));
            let timestamp = info.timestamp.wrapping_add(out.shift.timestamp);
            self.newest = Some(Newest { timestamp, capture_us: info.capture_us, picture, marker: info.marker });
        }
        // Each packet of sound is one, and makes up for none before it.
        if info.keyframe && self.format.codec.kind() == MediaKind::Video {
            self.newest_keyframe = self.newest_keyframe.max(out.sequence);
        }
        self.sent_to = self.sent_to.max(slot + 1);
        self.stats.packets += 1;
        self.stats.payload_bytes += packet.payload.len() as u64;
        self.last_sent = Some(now);
        self.sent.insert(out.sequence, self.source.map_or(0, |source| source.layer), slot);
    }

    /// Looks up a packet that the receiver lacks among those of the producer's streams.
    pub(crate) fn lost<'a>(
        &mut self,
        sequence: u16,
        now_us: Micros,
        rtt_ms: u16,
        ring_of: impl FnOnce(u8) -> Option<&'a Ring>,
    ) -> Lost {
        let upto = UpTo {
            next: self.next,
            newest_us: self.newest.map_or(0, |newest| newest.capture_us),
            newest_keyframe: self.newest_keyframe,
        };
        self.sent.lost(sequence, upto, now_us, rtt_ms, ring_of)
    }

    /// A packet that was to be sent again is not: it may be asked for at once.
    pub(crate) fn on_not_resent(&mut self, original: &Found) {
        self.sent.on_not_resent(original.sequence);
    }

    /// The next sequence number of the retransmission stream.
    pub(crate) fn next_rtx_sequence(&mut self) -> u64 {
        self.rtx_sequence += 1;
        self.rtx_sequence - 1
    }

    /// The RTP timestamp that belongs to `at`; `None` before the first packet.
    pub(crate) fn timestamp_at(&self, at: Micros) -> Option<u32> {
        let newest = self.newest?;
        let passed = at.saturating_sub(newest.capture_us);
        let ticks = MediaClock::micros_to_ticks(self.format.clock_rate, passed.abs());
        let timestamp = newest.timestamp;
        Some(if passed < 0 { timestamp.wrapping_sub(ticks) } else { timestamp.wrapping_add(ticks) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::TWO_BYTE_TAIL;
    use crate::rtp::{Extension, RtpHeader};

    const RATE: u32 = 90_000;

    fn consumer() -> Consumer {
        let format = ConsumerFormat {
            codec: Codec::Vp8,
            ssrc: 0x0102_0304,
            payload_type: 101,
            rtx: Some((5, 102)),
            clock_rate: RATE,
            mid: Some("7".to_owned()),
            transport_cc: true,
            abs_send_time: false,
            extensions: 1 << 6,
        };
        Consumer::new(ConsumerId(1), 1, TransportKey(0), ProducerKey(0), format, 1000, 2000)
    }

    fn source(layer: u8) -> Source {
        Source { layer, stream: StreamKey(usize::from(layer)) }
    }

    /// A consumer that waits for the first keyframe of this ring.
    fn started(ring: &Ring) -> Consumer {
        let mut consumer = consumer();
        consumer.resume();
        consumer.switch(source(0), ring, 0);
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
                    sent.push((out.sequence, packet.info.timestamp.wrapping_add(out.shift.timestamp)));
                    consumer.advance_to(slot + 1);
                    slot += 1;
                }
                None => {
                    consumer.advance_to(slot + 1);
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
        let mut consumer = started(&ring);
        for packet in [info(50, 0, false), info(51, 3000, true), info(52, 3000, false)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1000, 3000), (1001, 3000)]);
    }

    #[test]
    fn elements_too_long_for_the_one_byte_form_are_passed_on() {
        let extensions = 1 << Extension::DependencyDescriptor.router_id();
        let header = HeaderWriter::new(&ConsumerFormat { extensions, ..consumer().format });
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
        let bytes = header.write(&mut out, &packet, &fields);
        assert_eq!(bytes, header.bytes(&packet));
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
        let mut consumer = started(&ring);
        for packet in [info(49, 0, false), info(52, 3000, false), info(51, 3000, true), info(53, 3000, false)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1001, 3000), (1000, 3000), (1002, 3000)]);
    }

    #[test]
    fn a_keyframe_that_just_came_is_begun_with_and_an_old_one_is_not() {
        let mut ring = ring_of(&[info(52, 3000, false), info(51, 3000, true), info(53, 3000, false)]);
        let begun = |ring: &Ring, now_us| {
            let mut consumer = consumer();
            consumer.resume();
            consumer.switch(source(0), ring, now_us);
            (read(&mut consumer, ring).len(), consumer.waits_for_keyframe(ring))
        };
        assert_eq!(begun(&ring, 1_900_000), (3, false), "however long it was on its way");
        assert_eq!(begun(&ring, 2_100_000), (0, true), "but nothing came for two seconds");
        ring.push(info(54, 3000 + 300 * 90, false), &[], &[0]);
        assert_eq!(begun(&ring, 400_000), (4, false));
        ring.push(info(55, 3000 + 301 * 90, false), &[], &[0]);
        assert_eq!(begun(&ring, 400_000), (0, true), "more than 300 ms to catch up");
    }

    #[test]
    fn a_keyframe_whose_rest_went_out_is_passed_by() {
        let mut ring = ring_of(&[info(50, 0, true), info(53, 6000, false)]);
        let mut consumer = started(&ring);
        assert_eq!(read(&mut consumer, &ring), [(1000, 0), (1003, 6000)]);
        consumer.restart(&ring, 0);
        for packet in [info(51, 3000, true), info(54, 6000, false), info(55, 9000, true)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1004, 9000)]);
        assert_eq!(consumer.stats.skipped, 1, "so that another keyframe is asked for");
    }

    #[test]
    fn a_pause_leaves_no_gap() {
        let mut ring = ring_of(&[info(10, 0, true)]);
        let mut consumer = started(&ring);
        assert_eq!(read(&mut consumer, &ring), [(1000, 0)]);
        consumer.pause();
        ring.push(info(11, 90_000, true), &[], &[0]);
        assert_eq!(read(&mut consumer, &ring), []);
        consumer.resume();
        consumer.restart(&ring, 4_000_000);
        ring.push(info(12, 180_000, true), &[], &[0]);
        assert_eq!(read(&mut consumer, &ring), [(1001, 180_000)]);
    }

    #[test]
    fn a_change_of_source_goes_on_by_capture_time() {
        let old = ring_of(&[info(10, 90_000, true)]);
        let mut consumer = consumer();
        consumer.resume();
        consumer.switch(source(0), &old, 1_000_000);
        assert_eq!(read(&mut consumer, &old), [(1000, 90_000)]);

        // Captured half a second later, under timestamps of its own.
        let new = ring_of(&[PacketInfo { capture_us: 1_500_000, ..info(60_000, 7, true) }]);
        consumer.switch(source(1), &new, 1_500_000);
        assert_eq!(read(&mut consumer, &new), [(1001, 135_000)]);
    }

    #[test]
    fn a_layer_is_changed_only_at_a_keyframe_that_is_not_before_what_was_sent() {
        let low = ring_of(&[info(10, 90_000, true)]);
        let mut consumer = consumer();
        consumer.resume();
        consumer.switch(source(0), &low, 1_000_000);
        read(&mut consumer, &low);
        let mut high = ring_of(&[info(5, 90_000 - 41 * 90, true), info(6, 90_000 - 60, false)]);
        assert!(!consumer.can_switch(&high, 1_000_000), "41 ms before what was sent");
        high.push(info(7, 90_000 - 40 * 90, true), &[], &[0]);
        assert!(consumer.can_switch(&high, 1_000_000), "larger frames come later");
        high.push(info(8, 90_000, true), &[], &[0]);
        assert!(consumer.can_switch(&high, 1_000_000), "of the same instant");
        assert!(!consumer.can_switch(&high, 3_100_000), "too long ago");
        consumer.switch(source(2), &high, 1_000_000);
        assert_eq!(read(&mut consumer, &high), [(1001, 90_090)], "a frame has a timestamp of its own");
    }

    #[test]
    fn picture_ids_go_on_across_layers() {
        let picture = |picture_id, tl0_picture_index| Some(PictureNumbers { picture_id, tl0_picture_index });
        let low = ring_of(&[PacketInfo { picture: picture(0x7fff, 9), ..info(10, 0, true) }]);
        let mut consumer = started(&low);
        read(&mut consumer, &low);
        let high = ring_of(&[PacketInfo { picture: picture(700, 3), ..info(1, 3000, true) }]);
        consumer.switch(source(1), &high, 0);
        let packet = high.packet(0).expect("stored");
        let out = consumer.admit(&high, 0, &packet.info).expect("a keyframe");
        let sent = packet.info.picture.expect("numbered").shifted(out.shift.picture);
        assert_eq!((sent.picture_id & 0x7fff, sent.tl0_picture_index), (0, 10));
    }

    #[test]
    fn a_source_that_jumps_ahead_is_numbered_without_the_jump() {
        let mut ring = ring_of(&[]);
        let mut consumer = started(&ring);
        for packet in [info(10, 0, true), info(40_000, 960, true), info(40_001, 1920, true)] {
            ring.push(packet, &[], &[0]);
        }
        assert_eq!(read(&mut consumer, &ring), [(1000, 0), (1001, 960), (1002, 1920)]);
    }

    #[test]
    fn a_lost_packet_is_found_once_per_round_trip_in_the_layer_that_it_was_of() {
        let packets: Vec<_> = (0..5u32).map(|n| info(u64::from(n), n * 3000, n == 0)).collect();
        let low = ring_of(&packets);
        let mut consumer = started(&low);
        read(&mut consumer, &low);
        let high = ring_of(&[info(70, 15_000, true)]);
        consumer.switch(source(1), &high, 0);
        read(&mut consumer, &high);

        let ring_of = |layer: u8| [&low, &high].get(usize::from(layer)).copied();
        let place = |lost| match lost {
            Lost::Again(found) => Some((found.layer, found.slot, found.sequence)),
            Lost::Settled | Lost::TooLate => None,
        };
        assert_eq!(place(consumer.lost(1002, 200_000, 50, ring_of)), Some((0, 2, 1002)));
        assert_eq!(consumer.lost(1002, 249_000, 50, ring_of), Lost::Settled);
        assert_eq!(place(consumer.lost(1002, 250_000, 50, ring_of)), Some((0, 2, 1002)));
        assert_eq!(place(consumer.lost(1005, 250_000, 50, ring_of)), Some((1, 0, 1005)), "of the other layer");
        consumer.detach();
        assert_eq!(consumer.lost(1002, 300_000, 50, ring_of), Lost::Settled, "before the other layer's keyframe");
    }

    #[test]
    fn who_lacks_what_is_gone_or_old_needs_a_keyframe_unless_one_was_sent_since() {
        let at = |sequence, ms: u32, keyframe| info(sequence, ms * 90, keyframe);
        let mut ring = ring_of(&[at(0, 0, true), at(1, 100, false), at(3, 600, false)]);
        let mut consumer = started(&ring_of(&[]));
        read(&mut consumer, &ring);
        fn ask(consumer: &mut Consumer, sequence: u16, ring: &Ring, rtt_ms: u16) -> Lost {
            consumer.lost(sequence, 0, rtt_ms, |_| Some(ring))
        }
        assert!(matches!(ask(&mut consumer, 1001, &ring, 0), Lost::Again(_)));
        assert_eq!(ask(&mut consumer, 1002, &ring, 0), Lost::Settled, "lost on its way to the server");
        assert_eq!(ask(&mut consumer, 900, &ring, 0), Lost::Settled, "before the first keyframe");
        assert_eq!(ask(&mut consumer, 1004, &ring, 0), Lost::Settled, "not sent yet");

        ring.push(at(4, 601, false), &[], &[0]);
        read(&mut consumer, &ring);
        assert_eq!(ask(&mut consumer, 1001, &ring, 0), Lost::TooLate, "captured 501 ms before the newest");
        let long_way = consumer.lost(1001, 1_000_000, 180, |_| Some(&ring));
        assert!(matches!(long_way, Lost::Again(_)), "within four round trips");
        assert_eq!(consumer.lost(1003, 0, 0, |_| None), Lost::TooLate, "overwritten");

        ring.push(at(5, 602, true), &[], &[0]);
        read(&mut consumer, &ring);
        assert_eq!(ask(&mut consumer, 1001, &ring, 0), Lost::Settled);
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
        let bytes = consumer.header.write(&mut out, &packet, &fields);
        assert_eq!(bytes, consumer.header.bytes(&packet));
        let expected =
            [0xB0, 0xE4, 2, 3, 0, 0, 0, 9, 1, 2, 3, 4, 0xBE, 0xDE, 0, 2, 0x10, b'7', 0x51, 0xAB, 0xCD, 0x60, 0x85, 0];
        assert_eq!(out[..bytes], expected);
    }
}
