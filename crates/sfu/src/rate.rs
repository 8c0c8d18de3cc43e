//! How much of a stream comes in, and goes out.

use std::time::{Duration, Instant};

use crate::clock::Micros;

/// Over which the rate is measured.
const WINDOW_US: Micros = 500_000;
/// What a packet takes beside its payload when it leaves: header, extensions, tag.
const OVERHEAD_BYTES: u64 = 40;

/// The bitrate of a stream as it will leave, smoothed over about a second. While nothing comes it stays what it was:
/// that is what the stream will need when it comes again.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    started: Option<Micros>,
    bytes: u64,
    bps: Option<u64>,
}

impl RateMeter {
    pub(crate) fn on_packet(&mut self, now: Micros, payload_bytes: usize) {
        let started = *self.started.get_or_insert(now);
        let passed = now - started;
        if passed >= WINDOW_US {
            // A window in which it paused says nothing about how much it takes.
            if passed < 2 * WINDOW_US {
                let measured = self.bytes * 8_000_000 / passed as u64;
                self.bps = Some(self.bps.map_or(measured, |bps| bps.midpoint(measured)));
            }
            self.started = Some(now);
            self.bytes = 0;
        }
        self.bytes += payload_bytes as u64 + OVERHEAD_BYTES;
    }

    /// In bit/s; 0 when nothing ever came.
    pub(crate) fn bps(&self) -> u64 {
        // A stream begins with a keyframe, so its first moments are not extrapolated.
        self.bps.unwrap_or(self.bytes * 8_000_000 / WINDOW_US as u64)
    }
}

/// The bitrate of what a consumer sent, between two looks at its counters.
#[derive(Debug, Default)]
pub(crate) struct SendRate {
    looked: Option<Instant>,
    bytes: u64,
    bps: u64,
}

impl SendRate {
    /// Looks at what was sent so far: packets, and bytes of their payload.
    pub(crate) fn look(&mut self, now: Instant, packets: u64, payload_bytes: u64) {
        let bytes = payload_bytes + packets * OVERHEAD_BYTES;
        let passed = self.looked.replace(now).map_or(Duration::ZERO, |looked| now.saturating_duration_since(looked));
        let sent = bytes - std::mem::replace(&mut self.bytes, bytes);
        self.bps = (sent * 8_000).checked_div(passed.as_millis() as u64).unwrap_or(0);
    }

    /// In bit/s.
    pub(crate) fn bps(&self) -> u64 {
        self.bps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_remembered() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.bps(), 0);
        for packet in 0..200 {
            meter.on_packet(packet * 10_000, 960);
        }
        assert!((780_000..820_000).contains(&meter.bps()), "{}", meter.bps());
        let before = meter.bps();
        meter.on_packet(60_000_000, 960);
        assert_eq!(meter.bps(), before, "a pause is no rate");
    }

    #[test]
    fn the_first_moments_are_not_extrapolated() {
        let mut meter = RateMeter::default();
        for _ in 0..10 {
            meter.on_packet(0, 1_210);
        }
        assert_eq!(meter.bps(), 200_000);
    }
}
