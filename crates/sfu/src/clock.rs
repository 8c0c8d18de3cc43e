//! When things were captured, in the worker's own clock.
//!
//! Sender reports tie RTP timestamps to the sender's wall clock; the difference between that clock and ours is
//! taken once per CNAME, so that all streams of one person keep their places relative to each other however
//! differently the network delays them. Sender reports to viewers, and timestamps across a change of source,
//! use nothing else (mediasoup#1881: reports from arrival times break lip sync).

use std::time::{Duration, Instant};

/// A point on the worker's clock, in microseconds since its start.
pub(crate) type Micros = i64;

/// Half of the time over which the least network delay is remembered.
const WINDOW_US: Micros = 15_000_000;

/// The worker's clock: monotonic, with a fixed relation to wall time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerClock {
    start: Instant,
    unix_at_start: Duration,
}

impl WorkerClock {
    /// A clock that reads 0 at `start`, when the Unix time was `unix_at_start`.
    pub(crate) fn new(start: Instant, unix_at_start: Duration) -> Self {
        Self { start, unix_at_start }
    }

    /// `now` in microseconds since the start.
    pub(crate) fn micros(&self, now: Instant) -> Micros {
        now.saturating_duration_since(self.start).as_micros() as Micros
    }

    /// The instant of a point on this clock.
    pub(crate) fn instant(&self, at: Micros) -> Instant {
        self.start + Duration::from_micros(at.max(0) as u64)
    }

    /// The Unix time of a point on this clock.
    pub(crate) fn unix_time(&self, at: Micros) -> Duration {
        let unix_us = self.unix_at_start.as_micros() as i64 + at;
        Duration::from_micros(unix_us.max(0) as u64)
    }
}

/// The offset between a sender's wall clock and ours: the least of arrival minus sending time that was seen in
/// the last 15 to 30 seconds. One per CNAME.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SenderClock {
    current: Option<Micros>,
    previous: Option<Micros>,
    window_started: Micros,
}

impl SenderClock {
    /// A report that was sent at `sent`, in the sender's Unix time in microseconds, arrived at `now`.
    pub(crate) fn on_report(&mut self, now: Micros, sent: Micros) {
        let offset = now - sent;
        if self.current.is_none() || now - self.window_started >= WINDOW_US {
            self.previous = self.current.take();
            self.window_started = now;
        }
        self.current = Some(self.current.map_or(offset, |least| least.min(offset)));
    }

    /// What to add to the sender's time to get ours; `None` before the first report.
    pub(crate) fn offset(&self) -> Option<Micros> {
        match (self.current, self.previous) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// The relation between a stream's RTP timestamps and time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MediaClock {
    rate_hz: i64,
    /// From the newest sender report: an RTP timestamp and the sender's Unix time in microseconds.
    report: Option<(u32, Micros)>,
    /// Until then: an RTP timestamp and the time of the arrival that had least delay.
    anchor: Option<(u32, Micros)>,
}

impl MediaClock {
    /// A clock that ticks `rate_hz` times a second.
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self { rate_hz: i64::from(rate_hz.max(1)), report: None, anchor: None }
    }

    /// A sender report: `timestamp` is the stream's at `sent`, in the sender's Unix time in microseconds.
    pub(crate) fn on_report(&mut self, timestamp: u32, sent: Micros) {
        self.report = Some((timestamp, sent));
    }

    /// When the packet with this timestamp, which arrived at `now`, was captured.
    pub(crate) fn capture(&mut self, now: Micros, timestamp: u32, sender: &SenderClock) -> Micros {
        if let (Some((at, sent)), Some(offset)) = (self.report, sender.offset()) {
            return sent + offset + self.ticks_to_micros(at, timestamp);
        }
        let estimate = self.anchor.map(|(at, arrived)| arrived + self.ticks_to_micros(at, timestamp));
        match estimate {
            Some(estimate) if estimate <= now => estimate,
            _ => {
                // Nothing is captured after it arrived: this packet had less delay than the anchor.
                self.anchor = Some((timestamp, now));
                now
            }
        }
    }

    /// The time from one timestamp to another, in microseconds; negative when `to` is the older.
    fn ticks_to_micros(&self, from: u32, to: u32) -> Micros {
        i64::from(to.wrapping_sub(from) as i32) * 1_000_000 / self.rate_hz
    }

    /// A span of time in ticks, wrapping as timestamps do.
    pub(crate) fn micros_to_ticks(rate_hz: u32, micros: Micros) -> u32 {
        (micros.saturating_mul(i64::from(rate_hz)) / 1_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_sender_share_the_least_delay() {
        let mut sender = SenderClock::default();
        let (mut audio, mut video) = (MediaClock::new(48_000), MediaClock::new(90_000));
        // The sender's clock reads 1,000 s more than ours. Audio takes 10 ms, video 310 ms.
        let sent = 1_000_000_000;
        audio.on_report(48_000, sent);
        sender.on_report(10_000, sent);
        video.on_report(90_000, sent);
        sender.on_report(310_000, sent);
        let heard = audio.capture(30_000, 48_000 + 960, &sender);
        let seen = video.capture(330_000, 90_000 + 1_800, &sender);
        assert_eq!(heard, 30_000);
        assert_eq!(heard, seen, "both were captured 20 ms after the reports");
    }

    #[test]
    fn a_delay_that_grew_is_believed_after_the_window() {
        let mut sender = SenderClock::default();
        for second in 0..60 {
            let delay = if second < 10 { 10_000 } else { 90_000 };
            sender.on_report(second * 1_000_000 + delay, second * 1_000_000);
        }
        assert_eq!(sender.offset(), Some(90_000));
    }

    #[test]
    fn without_reports_the_fastest_packet_counts() {
        let mut clock = MediaClock::new(90_000);
        let sender = SenderClock::default();
        assert_eq!(clock.capture(50_000, 0, &sender), 50_000);
        assert_eq!(clock.capture(90_000, 2_700, &sender), 80_000);
        assert_eq!(clock.capture(105_000, 5_400, &sender), 105_000, "faster than the first");
        assert_eq!(clock.capture(150_000, 8_100, &sender), 135_000);
    }

    #[test]
    fn timestamps_wrap() {
        let mut clock = MediaClock::new(90_000);
        let mut sender = SenderClock::default();
        clock.on_report(u32::MAX - 899, 0);
        sender.on_report(0, 0);
        assert_eq!(clock.capture(20_000, 0, &sender), 10_000);
        assert_eq!(MediaClock::micros_to_ticks(90_000, 10_000), 900);
    }
}
