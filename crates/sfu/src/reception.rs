//! How well one incoming stream is received, for the reports to its sender (RFC 3550 section 6.4.1, appendix A).
//!
//! Packets that came again through RTX do not count as received: like libwebrtc's receiver, which keeps statistics by
//! SSRC, a report shows what the network lost, so that the sender's bandwidth estimate and error correction react to
//! it even where every loss is repaired.

use std::time::{Duration, Instant};

use crate::rtcp::{NtpTime, ReportBlock, compact_ntp};
use crate::score::{Interval, Score};

/// A jump forward by more is a restart of the source rather than loss (RFC 3550 appendix A.1, MAX_DROPOUT).
const DROPOUT_MAX: u64 = 3_000;
/// A jump back by more is a restart rather than reordering; libwebrtc's threshold.
const MISORDER_MAX: u64 = 450;
/// Differences of transit time beyond are a restart of a clock, not jitter; libwebrtc's limit.
const JITTER_DIFFERENCE_MAX: Duration = Duration::from_secs(5);

/// The reception statistics of one SSRC.
#[derive(Debug, Clone)]
pub struct Reception {
    clock_rate: u32,
    span: Option<Span>,
    /// The number after a jump, at which a second packet in order would confirm a restart.
    restart_at: Option<u64>,
    last_arrival: Option<Arrival>,
    /// In RTP units, times 16.
    jitter_q4: u32,
    last_sender_report: Option<(NtpTime, Instant)>,
    repaired: u64,
    repaired_at_report: u64,
    score: Score,
}

/// What was received since the source started.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u64,
    highest: u64,
    received: u64,
    expected_at_report: u64,
    received_at_report: u64,
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Instant,
    timestamp: u32,
}

impl Reception {
    /// Statistics of a stream with this RTP clock, in Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            span: None,
            restart_at: None,
            last_arrival: None,
            jitter_q4: 0,
            last_sender_report: None,
            repaired: 0,
            repaired_at_report: 0,
            score: Score::default(),
        }
    }

    /// A packet came on the stream's own SSRC; `sequence` is extended as by [`crate::rtp::Unwrapper16`].
    pub fn on_packet(&mut self, now: Instant, sequence: u64, timestamp: u32) {
        let Some(span) = &mut self.span else {
            self.start(now, sequence, timestamp);
            return;
        };
        if sequence > span.highest.saturating_add(DROPOUT_MAX) || sequence.saturating_add(MISORDER_MAX) < span.highest {
            // One stray packet must not count as thousands lost; a second one in order is a restart.
            if self.restart_at.replace(sequence.saturating_add(1)) == Some(sequence) {
                self.start(now, sequence, timestamp);
            }
            return;
        }
        self.restart_at = None;
        span.received += 1;
        if sequence > span.highest {
            span.highest = sequence;
            self.update_jitter(now, timestamp);
        }
    }

    /// A lost packet came through RTX.
    pub fn on_repaired(&mut self) {
        self.repaired += 1;
    }

    /// A sender report of this stream came.
    pub fn on_sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.last_sender_report = Some((ntp, now));
    }

    /// The block to report now, which begins the next interval for the fraction lost; `None` before the first packet.
    ///
    /// `worst_downstream` is the greatest fraction that a consumer of this stream reports: the greater one is told,
    /// since an Opus encoder adds in-band FEC only when it hears of loss.
    pub fn report_block(&mut self, now: Instant, ssrc: u32, worst_downstream: Option<u8>) -> Option<ReportBlock> {
        let span = self.span.as_mut()?;
        let (expected, lost) = span.close_interval();
        let repaired = self.repaired - std::mem::replace(&mut self.repaired_at_report, self.repaired);
        self.score.on_interval(Interval { expected, lost, repaired });
        let fraction_lost = u8::try_from((lost << 8).checked_div(expected).unwrap_or(0)).unwrap_or(u8::MAX);
        let (last_sr, delay_since_last_sr) = match self.last_sender_report {
            Some((ntp, at)) => (ntp.middle(), compact_ntp(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        Some(ReportBlock {
            ssrc,
            fraction_lost: fraction_lost.max(worst_downstream.unwrap_or(0)),
            cumulative_lost: i32::try_from(span.lost()).unwrap_or(i32::MAX),
            highest_sequence: span.highest_on_wire(),
            jitter: self.jitter_q4 >> 4,
            last_sr,
            delay_since_last_sr,
        })
    }

    /// Packets received on the stream's own SSRC since its source started.
    pub fn packets(&self) -> u64 {
        self.span.map_or(0, |span| span.received)
    }

    /// Packets lost since the source started; negative where duplicates came.
    pub fn lost(&self) -> i64 {
        self.span.map_or(0, |span| span.lost())
    }

    /// Lost packets that came through RTX.
    pub fn repaired(&self) -> u64 {
        self.repaired
    }

    /// How well it arrives, from 0 to 10: nothing is lost. Of the time between reports.
    pub fn score(&self) -> u8 {
        self.score.value()
    }

    /// Interarrival jitter.
    pub fn jitter(&self) -> Duration {
        Duration::from_secs(1) * (self.jitter_q4 >> 4) / self.clock_rate.max(1)
    }

    fn start(&mut self, now: Instant, sequence: u64, timestamp: u32) {
        self.span = Some(Span {
            first: sequence,
            highest: sequence,
            received: 1,
            expected_at_report: 0,
            received_at_report: 0,
        });
        self.restart_at = None;
        self.last_arrival = Some(Arrival { at: now, timestamp });
    }

    /// Appendix A.8, but only the first packet of a frame counts, as in libwebrtc: pacing of the rest is not jitter.
    fn update_jitter(&mut self, now: Instant, timestamp: u32) {
        let Some(last) = self.last_arrival.replace(Arrival { at: now, timestamp }) else { return };
        if last.timestamp == timestamp {
            self.last_arrival = Some(last);
            return;
        }
        let waited = self.rtp_units(now.saturating_duration_since(last.at));
        let meant = i64::from(timestamp.wrapping_sub(last.timestamp).cast_signed());
        let difference = waited.saturating_sub(meant).unsigned_abs();
        if difference < self.rtp_units(JITTER_DIFFERENCE_MAX).unsigned_abs() {
            let jitter = u64::from(self.jitter_q4);
            self.jitter_q4 = u32::try_from(jitter + difference - ((jitter + 8) >> 4)).unwrap_or(u32::MAX);
        }
    }

    fn rtp_units(&self, duration: Duration) -> i64 {
        i64::try_from(duration.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000).unwrap_or(i64::MAX)
    }
}

impl Span {
    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    fn lost(&self) -> i64 {
        self.expected().cast_signed() - self.received.cast_signed()
    }

    /// The number of cycles and the number (appendix A.1), where the source's first number is in cycle 0.
    fn highest_on_wire(&self) -> u32 {
        (self.highest - (self.first & !0xffff)) as u32
    }

    /// Packets expected and lost since the last call (appendix A.3).
    fn close_interval(&mut self) -> (u64, u64) {
        let expected = self.expected() - self.expected_at_report;
        let received = self.received - self.received_at_report;
        self.expected_at_report = self.expected();
        self.received_at_report = self.received;
        (expected, expected.saturating_sub(received))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test may begin at any instant")]
mod tests {
    use super::*;
    use crate::rtp::Unwrapper16;

    const MS: Duration = Duration::from_millis(1);
    const BASE: u64 = 1 << 16;

    fn receive(reception: &mut Reception, now: Instant, sequences: impl IntoIterator<Item = u64>) {
        for sequence in sequences {
            reception.on_packet(now + 20 * MS * sequence as u32, BASE + sequence, 960 * sequence as u32);
        }
    }

    fn report(reception: &mut Reception, now: Instant) -> ReportBlock {
        reception.report_block(now, 7, None).expect("a block")
    }

    #[test]
    fn nothing_is_reported_before_the_first_packet() {
        assert_eq!(Reception::new(48_000).report_block(Instant::now(), 7, Some(9)), None);
    }

    #[test]
    fn loss_is_of_the_interval_and_in_total() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, now, (0..100).filter(|sequence| sequence % 4 != 1));
        let block = report(&mut reception, now);
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (64, 25, 99));
        receive(&mut reception, now, 100..200);
        let block = report(&mut reception, now);
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (0, 25, 199));
        assert_eq!((reception.packets(), reception.lost()), (175, 25));
        assert_eq!(report(&mut reception, now).fraction_lost, 0, "an empty interval has no loss");
    }

    #[test]
    fn late_packets_count_and_duplicates_make_loss_negative() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, now, [0, 3, 1, 2, 3, 3]);
        let block = report(&mut reception, now);
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (0, -2, 3));
    }

    #[test]
    fn repaired_packets_do_not_hide_the_loss() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        receive(&mut reception, now, [0, 2]);
        reception.on_repaired();
        assert_eq!(report(&mut reception, now).fraction_lost, 85);
        assert_eq!((reception.lost(), reception.repaired()), (1, 1));
    }

    #[test]
    fn the_worst_loss_downstream_is_passed_on() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, now, [0, 1]);
        let mut fraction = |worst| reception.report_block(now, 7, worst).expect("a block").fraction_lost;
        assert_eq!([fraction(Some(20)), fraction(None)], [20, 0]);
    }

    #[test]
    fn the_highest_number_counts_wraps_from_zero() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        let mut unwrapper = Unwrapper16::default();
        for sequence in [65_534, 65_535, 0, 1] {
            reception.on_packet(now, unwrapper.extend(sequence), 0);
        }
        assert_eq!(report(&mut reception, now).highest_sequence, 0x0001_0001);
    }

    #[test]
    fn steady_arrival_has_no_jitter_and_a_wobble_settles_at_its_size() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, now, 0..100);
        assert_eq!(reception.jitter(), Duration::ZERO);
        for sequence in 100..1_000u32 {
            let wobble = if sequence % 2 == 0 { 5 * MS } else { Duration::ZERO };
            reception.on_packet(now + 20 * MS * sequence + wobble, BASE + u64::from(sequence), 960 * sequence);
        }
        let block = report(&mut reception, now);
        assert!((235..=240).contains(&block.jitter), "{} of 240 units, which are 5 ms", block.jitter);
        assert!((4_800..=5_000).contains(&reception.jitter().as_micros()));
    }

    #[test]
    fn the_packets_of_a_frame_are_not_jitter() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        for frame in 0..30u32 {
            for packet in 0..5u32 {
                let sequence = BASE + u64::from(frame * 5 + packet);
                reception.on_packet(now + 40 * MS * frame + 3 * MS * packet, sequence, 3_600 * frame);
            }
        }
        assert_eq!(reception.jitter(), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_jumps_is_not_jitter() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        reception.on_packet(now, BASE, 0);
        reception.on_packet(now + MS, BASE + 1, 90_000 * 60);
        assert_eq!(reception.jitter(), Duration::ZERO);
    }

    #[test]
    fn the_last_sender_report_and_its_age_are_told() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, now, [0]);
        let block = report(&mut reception, now);
        assert_eq!((block.last_sr, block.delay_since_last_sr), (0, 0));
        reception.on_sender_report(now, NtpTime(0xb44d_b705_2000_0000));
        let block = report(&mut reception, now + 5_250 * MS);
        assert_eq!((block.last_sr, block.delay_since_last_sr), (0xb705_2000, 0x0005_4000));
    }

    #[test]
    fn one_stray_packet_is_left_out_and_two_in_order_are_a_restart() {
        let now = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, now, (0..10).chain([20_000]).chain(10..20));
        assert_eq!((reception.packets(), reception.lost()), (20, 0));
        receive(&mut reception, now, 20_000..20_005);
        assert_eq!((reception.packets(), reception.lost()), (4, 0), "from the second packet on");
        assert_eq!(report(&mut reception, now).fraction_lost, 0);
        receive(&mut reception, now, 100..105);
        assert_eq!((reception.packets(), reception.lost()), (4, 0), "back again");
    }
}
