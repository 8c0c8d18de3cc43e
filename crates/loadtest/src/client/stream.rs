//! A received stream, checked packet by packet as a jitter buffer and a decoder would see it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::latency::Latencies;
use super::payload::{PayloadError, Stamp, read_audio, read_video};

/// Packets that may still overtake the first are waited for this long.
const START_WAIT: Duration = Duration::from_millis(60);
/// A missing audio packet is given up after this time: nobody repairs it.
const AUDIO_WAIT: Duration = Duration::from_millis(150);
/// A missing video packet is given up after this time, far more than its retransmission takes.
const VIDEO_WAIT: Duration = Duration::from_secs(1);
/// A decoder that needs a keyframe asks for one this often (libwebrtc's `kMaxWaitForKeyFrame`).
const KEYFRAME_WAIT: Duration = Duration::from_millis(200);
/// Any other asks after so long without a frame that it can decode (libwebrtc's `kMaxWaitForFrame`).
const FRAME_WAIT: Duration = Duration::from_secs(3);
/// Most packets that wait for a missing one.
const WAITING_MAX: usize = 4096;
/// Rounding of timestamps, in ticks.
const TICKS_TOLERANCE: i64 = 2;
/// How much older a frame of another layer may be than the newest of the layer before; its timestamp moves on by the
/// least that it can.
const BACK: Duration = Duration::from_millis(45);
/// How far a timestamp may be off where the publisher changed.
const CHANGE_TOLERANCE: Duration = Duration::from_millis(100);

/// Something that an SFU must never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A payload was changed.
    #[error("packet {sequence}: {error}")]
    Payload {
        /// Its extended sequence number.
        sequence: u64,
        /// What is wrong.
        error: PayloadError,
    },
    /// Frames or packets are in the wrong order, or come twice under two numbers.
    #[error("packet {sequence}: frame {frame} comes after frame {last}")]
    Order {
        /// Its extended sequence number.
        sequence: u64,
        /// Its frame.
        frame: u32,
        /// The frame before it.
        last: u32,
    },
    /// Packets of a frame are missing although no sequence number is.
    #[error("packet {sequence}: packet {packet} of frame {frame} comes where packet {expected} belongs")]
    HiddenGap {
        /// Its extended sequence number.
        sequence: u64,
        /// Its frame.
        frame: u32,
        /// Its place in the frame.
        packet: u16,
        /// The place that was due.
        expected: u16,
    },
    /// A frame that cannot be decoded, although no sequence number is missing: a decoder would not know.
    #[error("packet {sequence}: frame {frame} depends on one that was never sent")]
    BrokenDependency {
        /// The extended sequence number of its last packet.
        sequence: u64,
        /// It.
        frame: u32,
    },
    /// The marker is missing at a frame's end, or set elsewhere.
    #[error("packet {sequence}: the marker is wrong")]
    Marker {
        /// Its extended sequence number.
        sequence: u64,
    },
    /// A timestamp does not fit the time of capture.
    #[error("packet {sequence}: the timestamp moved by {ticks} ticks where {expected} ticks passed")]
    Timestamp {
        /// Its extended sequence number.
        sequence: u64,
        /// What it moved by.
        ticks: i64,
        /// What passed between the captures.
        expected: i64,
    },
}

/// What came of a stream so far.
#[derive(Debug, Clone, Default)]
pub struct StreamReport {
    /// Packets received.
    pub packets: u64,
    /// Bytes of payload received.
    pub bytes: u64,
    /// Frames that arrived whole, keyframes included.
    pub frames: u64,
    /// Of those, the ones that could be decoded.
    pub decoded: u64,
    /// Keyframes among those.
    pub keyframes: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packet numbers that never came.
    pub lost: u64,
    /// Whether what is missing is asked for again.
    pub repaired: bool,
    /// Frames that the server left out without a gap in the sequence numbers.
    pub skipped: u64,
    /// How often the publisher changed.
    pub changes: u64,
    /// Keyframe requests sent.
    pub keyframe_requests: u64,
    /// The loudest audio level seen, in dBov.
    pub level: Option<i8>,
    /// When the first and the newest decoded frame were whole.
    pub seen: Option<(Instant, Instant)>,
    /// When the first and the newest decoded frame were captured, since the epoch.
    pub captured: Option<(Duration, Duration)>,
    /// The longest time between two whole frames.
    pub longest_freeze: Duration,
    /// By sender reports: wall clock of the newest packet less its capture time, in microseconds. Equal for all
    /// streams that are to be played in time with each other.
    pub capture_offset_us: Option<i64>,
    /// Sender reports received.
    pub sender_reports: u64,
    /// When the newest packet came.
    pub newest_at: Option<Instant>,
    /// From the first sending of a packet to its arrival, of all packets.
    pub latencies: Latencies,
    /// How many things went wrong.
    pub faults: u64,
    /// The first of them.
    pub first_fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    stamp: Stamp,
    timestamp: u32,
    marker: bool,
    at: Instant,
}

/// The packet before the next.
#[derive(Debug, Clone, Copy)]
struct Last {
    packet: Packet,
    /// All of the frame's packets up to this one are there.
    whole: bool,
    /// Every frame before this one that it depends on is there.
    decodable: bool,
}

/// A stream on its way through the checks.
#[derive(Debug)]
pub(super) struct ReceivedStream {
    kind: MediaKind,
    /// Times of stamps count from here.
    epoch: Instant,
    waiting: BTreeMap<u64, Packet>,
    expected: Option<u64>,
    highest: u64,
    last: Option<Last>,
    /// A decoder could go on with the next frame.
    in_step: bool,
    first_at: Option<Instant>,
    decoded_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// A sender report: Unix time in microseconds and the RTP timestamp.
    sender_report: Option<(i64, u32)>,
    pub(super) report: StreamReport,
}

impl ReceivedStream {
    pub(super) fn new(kind: MediaKind, epoch: Instant) -> Self {
        Self {
            kind,
            epoch,
            waiting: BTreeMap::new(),
            expected: None,
            highest: 0,
            last: None,
            in_step: false,
            first_at: None,
            decoded_at: None,
            asked_at: None,
            sender_report: None,
            report: StreamReport::default(),
        }
    }

    pub(super) fn on_packet(&mut self, now: Instant, sequence: u64, timestamp: u32, marker: bool, payload: &[u8]) {
        self.first_at.get_or_insert(now);
        self.report.newest_at = Some(now);
        self.report.packets += 1;
        self.report.bytes += payload.len() as u64;
        let read = match self.kind {
            MediaKind::Audio => read_audio(payload),
            MediaKind::Video => read_video(payload),
        };
        let stamp = match read {
            Ok(stamp) => stamp,
            Err(error) => return self.fault(Fault::Payload { sequence, error }),
        };
        let latency = now.saturating_duration_since(self.epoch).saturating_sub(stamp.sent);
        self.report.latencies.record(latency);
        if sequence < self.highest {
            self.report.reordered += 1;
        }
        self.highest = self.highest.max(sequence);
        if self.expected.is_none_or(|expected| sequence >= expected) && self.waiting.len() < WAITING_MAX {
            self.waiting.insert(sequence, Packet { stamp, timestamp, marker, at: now });
        }
        self.drain();
    }

    pub(super) fn on_audio_level(&mut self, level: i8) {
        self.report.level = Some(self.report.level.map_or(level, |loudest| loudest.max(level)));
    }

    pub(super) fn on_sender_report(&mut self, unix_us: i64, timestamp: u32) {
        self.report.sender_reports += 1;
        self.sender_report = Some((unix_us, timestamp));
        self.note_capture_offset();
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let (sequence, first) = self.waiting.first_key_value()?;
        let wait = match (self.expected, self.kind) {
            (None, _) => START_WAIT,
            (Some(_), MediaKind::Audio) => AUDIO_WAIT,
            (Some(_), MediaKind::Video) => VIDEO_WAIT,
        };
        debug_assert!(self.expected != Some(*sequence), "drained whenever it changes");
        Some(first.at + wait)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while self.next_timeout().is_some_and(|at| at <= now) {
            let Some((&sequence, _)) = self.waiting.first_key_value() else { return };
            if let Some(expected) = self.expected {
                self.report.lost += sequence - expected;
                self.in_step = false;
                self.last = self.last.map(|last| Last { whole: false, ..last });
                self.consume_next(sequence, true);
            } else {
                self.consume_next(sequence, true);
            }
            self.drain();
        }
    }

    /// Whether a browser would ask for a keyframe now; to be asked after packets came.
    pub(super) fn wants_keyframe(&mut self, now: Instant) -> bool {
        if self.kind == MediaKind::Audio {
            return false;
        }
        let Some(since) = self.decoded_at.or(self.first_at) else { return false };
        let since = self.asked_at.map_or(since, |asked| asked.max(since));
        let wait = if self.in_step { FRAME_WAIT } else { KEYFRAME_WAIT };
        let wants = now.saturating_duration_since(since) >= wait;
        if wants {
            self.asked_at = Some(now);
            self.report.keyframe_requests += 1;
        }
        wants
    }

    fn drain(&mut self) {
        while let Some(expected) = self.expected
            && self.waiting.contains_key(&expected)
        {
            self.consume_next(expected, false);
        }
    }

    fn consume_next(&mut self, sequence: u64, after_gap: bool) {
        let Some(packet) = self.waiting.remove(&sequence) else { return };
        self.expected = Some(sequence + 1);
        self.check_timestamp(sequence, &packet);
        let last_of_frame = packet.stamp.packet + 1 == packet.stamp.packets;
        if self.kind == MediaKind::Video && packet.marker != last_of_frame {
            self.fault(Fault::Marker { sequence });
        }
        let whole = self.check_order(sequence, &packet, after_gap);
        let decodable = packet.stamp.keyframe
            || match &self.last {
                _ if self.kind == MediaKind::Audio => true,
                Some(last) if same_frame(last, &packet) => last.decodable,
                Some(last) => self.in_step && follows(last, &packet),
                None => false,
            };
        self.last = Some(Last { packet, whole, decodable });
        self.note_capture_offset();
        if whole && last_of_frame {
            self.on_frame(sequence, &packet, decodable, after_gap);
        }
    }

    /// Checks the packet's place behind the one before it, and tells whether its frame is whole up to it.
    fn check_order(&mut self, sequence: u64, packet: &Packet, after_gap: bool) -> bool {
        let Stamp { publisher, frame, packet: place, .. } = packet.stamp;
        let Some(last) = self.last else {
            return place == 0;
        };
        let before = last.packet.stamp;
        let expected = if same_frame(&last, packet) { before.packet + 1 } else { 0 };
        if publisher != before.publisher {
            self.report.changes += 1;
        } else if frame < before.frame && !(packet.stamp.keyframe && frame + 1 == before.frame)
            || (expected > 0 && place < expected)
        {
            self.fault(Fault::Order { sequence, frame, last: before.frame });
        }
        if after_gap {
            return place == 0;
        }
        // The frame before must have ended, unless it was broken already, or a keyframe follows: that needs nothing of
        // what was before it. The rest may have been lost on the way to the server, which went over to another layer.
        let needless = packet.stamp.keyframe && place == 0;
        let ended = expected > 0 || before.packet + 1 == before.packets || !last.whole || needless;
        if place != expected && last.whole || !ended {
            self.fault(Fault::HiddenGap { sequence, frame, packet: place, expected });
        }
        if expected == 0 && publisher == before.publisher {
            self.report.skipped += u64::from(frame.saturating_sub(before.frame + 1));
        }
        place == expected && (expected == 0 || last.whole)
    }

    fn check_timestamp(&mut self, sequence: u64, packet: &Packet) {
        let Some(last) = self.last else { return };
        let rate: i64 = match self.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        let ticks = i64::from(packet.timestamp.wrapping_sub(last.packet.timestamp) as i32);
        let (from, to) = (last.packet.stamp.captured, packet.stamp.captured);
        let passed_us = to.as_micros() as i64 - from.as_micros() as i64;
        let expected = passed_us * rate / 1_000_000;
        let same = packet.stamp.publisher == last.packet.stamp.publisher;
        let other_layer = packet.stamp.keyframe || packet.stamp.packets != last.packet.stamp.packets;
        let tolerance = match (same, other_layer) {
            (true, false) => TICKS_TOLERANCE,
            (true, true) => BACK.as_millis() as i64 * rate / 1000,
            (false, _) => CHANGE_TOLERANCE.as_millis() as i64 * rate / 1000,
        };
        if (ticks - expected).abs() > tolerance || (!same && ticks <= 0) {
            self.fault(Fault::Timestamp { sequence, ticks, expected });
        }
    }

    fn on_frame(&mut self, sequence: u64, packet: &Packet, decodable: bool, after_gap: bool) {
        self.report.frames += 1;
        if !decodable {
            // A gap in the numbers has told the decoder; nothing else would.
            if self.in_step && !after_gap {
                self.fault(Fault::BrokenDependency { sequence, frame: packet.stamp.frame });
            }
            self.in_step = false;
            return;
        }
        self.in_step = true;
        self.report.decoded += 1;
        self.report.keyframes += u64::from(packet.stamp.keyframe);
        self.decoded_at = Some(packet.at);
        let first = match self.report.seen {
            Some((first, newest)) => {
                let freeze = packet.at.saturating_duration_since(newest);
                self.report.longest_freeze = self.report.longest_freeze.max(freeze);
                first
            }
            None => packet.at,
        };
        let newest = self.report.seen.map_or(packet.at, |(_, newest)| newest.max(packet.at));
        self.report.seen = Some((first, newest));
        let captured = packet.stamp.captured;
        self.report.captured = Some((self.report.captured.map_or(captured, |(first, _)| first), captured));
    }

    fn note_capture_offset(&mut self) {
        let (Some(last), Some((unix_us, timestamp))) = (&self.last, self.sender_report) else { return };
        let rate: i64 = match self.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        let ticks = i64::from(last.packet.timestamp.wrapping_sub(timestamp) as i32);
        let wall_us = unix_us + ticks * 1_000_000 / rate;
        self.report.capture_offset_us = Some(wall_us - last.packet.stamp.captured.as_micros() as i64);
    }

    fn fault(&mut self, fault: Fault) {
        self.report.faults += 1;
        self.report.first_fault.get_or_insert(fault);
    }
}

/// Another layer may begin with a frame that was shown already, under a timestamp of its own.
fn same_frame(last: &Last, packet: &Packet) -> bool {
    let (a, b) = (&last.packet.stamp, &packet.stamp);
    a.publisher == b.publisher && a.frame == b.frame && last.packet.timestamp == packet.timestamp
}

/// Whether the packet's frame can be decoded because the one before it could.
fn follows(last: &Last, packet: &Packet) -> bool {
    let (a, b) = (&last.packet.stamp, &packet.stamp);
    let ended = last.whole && a.packet + 1 == a.packets;
    ended && last.decodable && a.publisher == b.publisher && a.frame + 1 == b.frame
}

#[cfg(test)]
mod tests {
    use super::super::payload::write_video;
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// A stream of frames of two packets, 50 ms apart, of which `keep` chooses what is sent; the numbers are the
    /// publisher's unless `close_gaps`.
    fn run(keep: impl Fn(u32, u16) -> bool, close_gaps: bool) -> StreamReport {
        let start = Instant::now();
        let mut stream = ReceivedStream::new(MediaKind::Video, start);
        let mut sequence = 100;
        for frame in 0..60 {
            let now = start + ms(50) * frame;
            stream.handle_timeout(now);
            let (keyframe, captured) = (frame % 30 == 0, ms(50) * frame);
            for packet in 0..2 {
                let sent = keep(frame, packet);
                if sent {
                    let stamp = Stamp { publisher: 1, frame, packet, packets: 2, keyframe, captured, sent: captured };
                    stream.on_packet(now, sequence, frame * 4500, packet == 1, &write_video(&stamp, 100));
                }
                sequence += u64::from(sent || !close_gaps);
            }
        }
        stream.handle_timeout(start + ms(10_000));
        stream.report
    }

    #[test]
    fn a_whole_stream_is_decoded() {
        let report = run(|_, _| true, false);
        assert_eq!((report.frames, report.decoded, report.keyframes, report.lost), (60, 60, 2, 0));
        assert_eq!(report.first_fault, None);
        assert_eq!(report.longest_freeze, ms(50));
    }

    #[test]
    fn a_lost_packet_breaks_until_the_next_keyframe() {
        let report = run(|frame, packet| (frame, packet) != (10, 1), false);
        assert_eq!((report.lost, report.frames, report.decoded), (1, 59, 40));
        assert_eq!(report.first_fault, None, "loss is no fault of the server");
    }

    #[test]
    fn a_gap_that_the_numbers_hide_is_a_fault() {
        let report = run(|frame, packet| (frame, packet) != (10, 1), true);
        assert!(matches!(report.first_fault, Some(Fault::HiddenGap { frame: 11, .. })), "{:?}", report.first_fault);
        let report = run(|frame, packet| (frame, packet) != (29, 1), true);
        assert_eq!((report.first_fault, report.decoded), (None, 59), "unless a keyframe follows");
        let report = run(|frame, _| frame != 10, true);
        assert!(matches!(report.first_fault, Some(Fault::BrokenDependency { frame: 11, .. })));
        let report = run(|frame, _| !(10..30).contains(&frame), true);
        assert_eq!((report.first_fault, report.skipped, report.decoded), (None, 20, 40), "resumed at a keyframe");
    }
}
