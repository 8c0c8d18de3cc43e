//! The receiving side of transport-wide congestion control: which packets of a transport arrived, and when.
//!
//! As in libwebrtc, a feedback packet begins with the oldest number that has not been reported, so that a packet that
//! was reported missing and came late is reported again, with all that follows it.

use std::time::{Duration, Instant};

use crate::rtcp::{RtcpWriter, TICK};
use crate::rtp::Unwrapper16;

/// Numbers remembered, a power of two: a second at 20 Mbit/s.
const WINDOW: u64 = 2_048;
/// A packet so much later than its successors is not reported again; libwebrtc's limit.
const LATE_MAX: Duration = Duration::from_millis(500);
/// Packets that wait for feedback at most.
const WAITING_MAX: usize = 100;
/// Packets from which on feedback is sent at the shorter interval: at 2.5 Mbit/s and above.
const WAITING_MANY: usize = 15;
/// Between feedback packets at a high bitrate; libwebrtc's shortest interval.
const INTERVAL_MIN: Duration = Duration::from_millis(50);
/// Between feedback packets at a low bitrate; libwebrtc's default.
const INTERVAL_MAX: Duration = Duration::from_millis(100);

const MISSING: i64 = i64::MIN;

/// The arrivals on one transport.
#[derive(Debug)]
pub struct Arrivals {
    epoch: Instant,
    unwrapper: Unwrapper16,
    /// By the number's lower bits, in [`TICK`]s since the epoch; valid from `next - WINDOW` up to `next`.
    ticks: Box<[i64]>,
    /// One more than the highest number that arrived.
    next: u64,
    /// The first number of the next feedback.
    base: u64,
    waiting: usize,
    /// When there was last nothing to report.
    since: Instant,
    feedback_count: u8,
}

impl Arrivals {
    /// Nothing arrived; times are reported relative to `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            unwrapper: Unwrapper16::default(),
            ticks: vec![MISSING; WINDOW as usize].into_boxed_slice(),
            next: 0,
            base: 0,
            waiting: 0,
            since: now,
            feedback_count: 0,
        }
    }

    /// The packet with this transport-wide number arrived at `now`, which need not ascend.
    pub fn on_packet(&mut self, now: Instant, sequence: u16) {
        let first = self.unwrapper.newest().is_none();
        let sequence = self.unwrapper.extend(sequence);
        if first {
            (self.base, self.next) = (sequence, sequence);
        }
        let ticks = self.ticks_at(now);
        if sequence >= self.next {
            self.advance(sequence + 1);
        } else if sequence < self.oldest() || self.at(sequence) != MISSING || self.is_too_late(sequence, ticks) {
            return;
        }
        *self.slot(sequence) = ticks;
        self.base = self.base.min(sequence);
        self.waiting += 1;
    }

    /// Appends one feedback packet if one is due; false when none is, or it does not fit.
    ///
    /// Call it until it gives false, each time with room for a packet: what does not fit into one takes several.
    pub fn poll_feedback(
        &mut self,
        now: Instant,
        sender_ssrc: u32,
        media_ssrc: u32,
        writer: &mut RtcpWriter<'_>,
    ) -> bool {
        if self.next_timeout().is_none_or(|due| due > now) {
            return false;
        }
        let taken = writer.transport_cc(sender_ssrc, media_ssrc, self.feedback_count, self.base, self.arrived());
        let Some(last) = taken.checked_sub(1).and_then(|last| self.arrived().nth(last)) else { return false };
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.base = last.0 + 1;
        self.waiting = self.arrived().count();
        if self.waiting == 0 {
            self.since = now;
        }
        true
    }

    /// When the next feedback is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.waiting {
            0 => None,
            WAITING_MAX.. => Some(self.since),
            WAITING_MANY.. => Some(self.since + INTERVAL_MIN),
            _ => Some(self.since + INTERVAL_MAX),
        }
    }

    /// What arrived of the numbers that the next feedback is about.
    fn arrived(&self) -> impl Iterator<Item = (u64, i64)> {
        (self.base..self.next).map(|sequence| (sequence, self.at(sequence))).filter(|(_, ticks)| *ticks != MISSING)
    }

    /// Moves the window; what falls out of it is forgotten, what comes into it is missing.
    fn advance(&mut self, next: u64) {
        for sequence in self.next.max(next.saturating_sub(WINDOW))..next {
            *self.slot(sequence) = MISSING;
        }
        self.next = next;
        self.base = self.base.max(self.oldest());
    }

    /// Whether the next number that arrived did so too long before.
    fn is_too_late(&self, sequence: u64, ticks: i64) -> bool {
        let successor = (sequence + 1..self.next).map(|sequence| self.at(sequence)).find(|ticks| *ticks != MISSING);
        successor.is_some_and(|successor| ticks - successor > in_ticks(LATE_MAX))
    }

    fn oldest(&self) -> u64 {
        self.next.saturating_sub(WINDOW)
    }

    fn ticks_at(&self, now: Instant) -> i64 {
        in_ticks(now.saturating_duration_since(self.epoch))
    }

    fn at(&self, sequence: u64) -> i64 {
        self.ticks[(sequence % WINDOW) as usize]
    }

    fn slot(&mut self, sequence: u64) -> &mut i64 {
        &mut self.ticks[(sequence % WINDOW) as usize]
    }
}

fn in_ticks(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros() / TICK.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test may begin at any instant")]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::rtcp::{PacketStatus, RtcpPacket, TransportCc, packets};
    use crate::rtp::fuzz;

    const MS: Duration = Duration::from_millis(1);

    fn parse(packet: &[u8]) -> TransportCc<'_> {
        let Some(RtcpPacket::TransportCc(feedback)) = packets(packet).next() else { panic!("feedback") };
        feedback
    }

    /// Each packet's number and arrival in milliseconds since the start.
    type Reported = Vec<(u16, Option<i64>)>;

    /// The number of the next feedback packet and what it says.
    fn feedback(arrivals: &mut Arrivals, now: Instant) -> Option<(u8, Reported)> {
        let mut buffer = [0; 1_200];
        let mut writer = RtcpWriter::new(&mut buffer);
        arrivals.poll_feedback(now, 1, 2, &mut writer).then(|| {
            let feedback = parse(writer.bytes());
            let status = |packet: PacketStatus| (packet.sequence, packet.arrival_ticks.map(|ticks| ticks / 4));
            (feedback.feedback_count, feedback.packets().map(status).collect())
        })
    }

    #[test]
    fn a_few_packets_are_reported_after_a_hundred_milliseconds() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        assert_eq!(arrivals.next_timeout(), None);
        arrivals.on_packet(start + 10 * MS, 7);
        arrivals.on_packet(start + 20 * MS, 9);
        assert_eq!(arrivals.next_timeout(), Some(start + 100 * MS));
        assert_eq!(feedback(&mut arrivals, start + 99 * MS), None);
        let reported = vec![(7, Some(10)), (8, None), (9, Some(20))];
        assert_eq!(feedback(&mut arrivals, start + 100 * MS), Some((0, reported)));
        assert_eq!(feedback(&mut arrivals, start + 100 * MS), None);
        assert_eq!(arrivals.next_timeout(), None);
    }

    #[test]
    fn many_packets_are_reported_sooner() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for sequence in 0..15 {
            arrivals.on_packet(start + MS, sequence);
        }
        assert_eq!(arrivals.next_timeout(), Some(start + 50 * MS));
        for sequence in 15..100 {
            arrivals.on_packet(start + 2 * MS, sequence);
        }
        assert_eq!(feedback(&mut arrivals, start + 2 * MS).expect("feedback").1.len(), 100);
    }

    #[test]
    fn each_feedback_goes_on_where_the_last_ended() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for round in 0..600u32 {
            let now = start + 100 * MS * (round + 1);
            arrivals.on_packet(now, (round * 3) as u16);
            let (count, reported) = feedback(&mut arrivals, now).expect("feedback");
            assert_eq!(count, round as u8);
            let numbers: Vec<_> = reported.iter().map(|(sequence, _)| *sequence).collect();
            let expected = if round == 0 { vec![0] } else { (round * 3 - 2..=round * 3).map(|n| n as u16).collect() };
            assert_eq!(numbers, expected, "what is missing between feedbacks is reported too");
        }
    }

    #[test]
    fn numbers_wrap() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for sequence in [65_534, 0, 1] {
            arrivals.on_packet(start, sequence);
        }
        let reported = vec![(65_534, Some(0)), (65_535, None), (0, Some(0)), (1, Some(0))];
        assert_eq!(feedback(&mut arrivals, start + 100 * MS), Some((0, reported)));
    }

    #[test]
    fn a_late_packet_is_reported_again_with_what_follows_it() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for sequence in [1, 2, 4, 5] {
            arrivals.on_packet(start + 8 * MS, sequence);
        }
        assert!(feedback(&mut arrivals, start + 100 * MS).is_some());
        arrivals.on_packet(start + 120 * MS, 6);
        arrivals.on_packet(start + 124 * MS, 3);
        let reported = vec![(3, Some(124)), (4, Some(8)), (5, Some(8)), (6, Some(120))];
        assert_eq!(feedback(&mut arrivals, start + 200 * MS), Some((1, reported)));
        assert_eq!(arrivals.next_timeout(), None);
    }

    #[test]
    fn a_packet_that_is_far_too_late_is_not_reported() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.on_packet(start, 1);
        arrivals.on_packet(start, 3);
        assert!(feedback(&mut arrivals, start + 100 * MS).is_some());
        arrivals.on_packet(start + 501 * MS, 2);
        assert_eq!(arrivals.next_timeout(), None);
    }

    #[test]
    fn duplicates_keep_their_first_time_and_cause_no_feedback() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.on_packet(start + 4 * MS, 1);
        arrivals.on_packet(start + 8 * MS, 1);
        assert_eq!(feedback(&mut arrivals, start + 100 * MS), Some((0, vec![(1, Some(4))])));
        arrivals.on_packet(start + 120 * MS, 1);
        assert_eq!(arrivals.next_timeout(), None);
    }

    #[test]
    fn a_jump_reports_at_most_the_window() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.on_packet(start, 0);
        arrivals.on_packet(start, 30_000);
        let (_, reported) = feedback(&mut arrivals, start + 100 * MS).expect("feedback");
        assert_eq!((reported.len(), reported[0].0), (2_048, 27_953));
        assert_eq!(reported.last(), Some(&(30_000, Some(0))));
    }

    #[test]
    fn what_does_not_fit_one_datagram_takes_several() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for sequence in 0..2_000u16 {
            arrivals.on_packet(start + 80 * MS * u32::from(sequence % 2), sequence);
        }
        let now = start + 100 * MS;
        let mut reported = Vec::new();
        let mut count = 0;
        while let Some((number, part)) = feedback(&mut arrivals, now) {
            assert_eq!(number, count);
            reported.extend(part);
            count += 1;
        }
        assert!(count > 1);
        let expected: Vec<_> = (0..2_000).map(|sequence| (sequence, Some(80 * i64::from(sequence % 2)))).collect();
        assert_eq!(reported, expected);
    }

    #[test]
    fn without_room_it_stays_due() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.on_packet(start, 1);
        let mut writer = RtcpWriter::new(&mut []);
        assert!(!arrivals.poll_feedback(start + 100 * MS, 1, 2, &mut writer));
        assert!(feedback(&mut arrivals, start + 100 * MS).is_some());
    }

    #[test]
    fn every_arrival_within_bounds_is_reported_whatever_the_order() {
        for seed in 0..50 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let start = Instant::now();
            let mut arrivals = Arrivals::new(start);
            // Up to 200 ms of delay at one packet a millisecond.
            let first: u64 = 65_536 + rng.random_range(60_000..70_000);
            let mut sent: Vec<_> = (0..3_000u64).filter(|_| rng.random_bool(0.9)).collect();
            let mut delays = ChaCha8Rng::seed_from_u64(seed);
            sent.sort_by_cached_key(|ms| ms + delays.random_range(0..200));
            let mut reported = std::collections::BTreeSet::new();
            for (step, ms) in sent.iter().enumerate() {
                let now = start + MS * step as u32;
                arrivals.on_packet(now, (first + ms) as u16);
                while let Some((_, part)) = feedback(&mut arrivals, now) {
                    reported.extend(part.iter().filter(|(_, at)| at.is_some()).map(|(sequence, _)| *sequence));
                }
            }
            while let Some((_, part)) = feedback(&mut arrivals, start + 10_000 * MS) {
                reported.extend(part.iter().filter(|(_, at)| at.is_some()).map(|(sequence, _)| *sequence));
            }
            let expected = sent.iter().map(|ms| (first + ms) as u16).collect();
            assert_eq!(reported, expected, "seed {seed}");
        }
    }

    #[test]
    fn any_numbers_at_any_time_never_panic() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        fuzz::damaged(5, &[&[0, 1, 0, 2, 0, 3]], |bytes| {
            for [s0, s1, ms] in bytes.as_chunks().0 {
                let now = start + MS * u32::from(*ms) * 100;
                arrivals.on_packet(now, u16::from_be_bytes([*s0, *s1]));
                if *ms < 8 {
                    feedback(&mut arrivals, now);
                }
            }
        });
    }
}
