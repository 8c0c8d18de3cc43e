//! At which rate what we sent arrives.

use crate::clock::Micros;

/// A bucket is 2^16 us, 66 ms: two frames at 30 fps.
const BUCKET_SHIFT: u32 = 16;
const BUCKETS: usize = 8;
/// Over 459 ms.
const LONG: i64 = 7;
/// Over 197 ms.
const SHORT: i64 = 3;

/// The acknowledged bitrate.
///
/// Measured twice, by when the receiver says that packets arrived and by when we sent them, and the lower counts: a
/// receiver cannot claim that more arrived in a second than was sent in one.
#[derive(Debug, Default)]
pub(super) struct AckedBitrate {
    arrived: Window,
    sent: Window,
}

impl AckedBitrate {
    pub(super) fn on_packet(&mut self, sent: Micros, arrived: Micros, bytes: u16) {
        self.sent.add(sent, bytes);
        self.arrived.add(arrived, bytes);
    }

    /// The mean over half a second, in bit/s; `None` until packets have come for so long.
    pub(super) fn mean(&self) -> Option<u64> {
        Some(self.arrived.rate(LONG)?.min(self.sent.rate(LONG)?))
    }

    /// The rate of the last 0.2 s, in bit/s: what a bottleneck lets through when it is the limit.
    pub(super) fn recent(&self) -> Option<u64> {
        Some(self.arrived.rate(SHORT)?.min(self.sent.rate(SHORT)?))
    }
}

/// Bytes by time, in a ring of buckets of which the newest is still being filled.
#[derive(Debug, Default)]
struct Window {
    bytes: [u32; BUCKETS],
    newest: i64,
    /// How many buckets before the newest there are, a gap included.
    complete: i64,
}

impl Window {
    fn add(&mut self, at: Micros, bytes: u16) {
        let bucket = at >> BUCKET_SHIFT;
        if bucket > self.newest {
            self.advance(bucket);
        }
        if self.newest - bucket < BUCKETS as i64 {
            self.bytes[index(bucket)] += u32::from(bytes);
        }
    }

    fn advance(&mut self, bucket: i64) {
        let ahead = bucket - self.newest;
        if ahead >= BUCKETS as i64 {
            // What came before is too long ago to say anything.
            self.bytes.fill(0);
            self.complete = 0;
        } else {
            (self.newest + 1..=bucket).for_each(|bucket| self.bytes[index(bucket)] = 0);
            self.complete = (self.complete + ahead).min(LONG);
        }
        self.newest = bucket;
    }

    fn rate(&self, buckets: i64) -> Option<u64> {
        if self.complete < buckets {
            return None;
        }
        let bytes: u32 = (self.newest - buckets..self.newest).map(|bucket| self.bytes[index(bucket)]).sum();
        Some(((u64::from(bytes) * 8_000_000) >> BUCKET_SHIFT) / buckets as u64)
    }
}

fn index(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Micros = 1_000_000;
    /// A packet of 1,250 B each 10 ms.
    const BPS: u64 = 1_000_000;

    fn close(rate: Option<u64>, expected: u64) -> bool {
        rate.is_some_and(|rate| rate.abs_diff(expected) * 10 < expected)
    }

    #[test]
    fn a_steady_rate_is_measured_after_half_a_second() {
        let mut acked = AckedBitrate::default();
        for packet in 0..100 {
            let at = START + packet * 10_000;
            acked.on_packet(at, at + 50_000, 1_250);
            if packet < 40 {
                assert_eq!(acked.mean(), None);
            }
        }
        assert!(close(acked.mean(), BPS) && close(acked.recent(), BPS), "{acked:?}");
    }

    #[test]
    fn the_recent_rate_shows_a_bottleneck_first() {
        let mut acked = AckedBitrate::default();
        for packet in 0..100 {
            acked.on_packet(START + packet * 10_000, START + packet * 10_000, 1_250);
        }
        for packet in 100..130 {
            acked.on_packet(START + packet * 10_000, START + 1_000_000 + (packet - 100) * 100_000, 1_250);
            if packet == 103 {
                assert!(acked.recent().expect("a rate") < acked.mean().expect("a rate") / 2, "{acked:?}");
            }
        }
        assert!(close(acked.recent(), BPS / 10), "{acked:?}");
    }

    #[test]
    fn claims_of_early_arrival_do_not_raise_it() {
        let mut acked = AckedBitrate::default();
        for packet in 0..1_000 {
            acked.on_packet(START + packet * 10_000, packet * 1_000, 1_250);
        }
        assert!(acked.mean() <= Some(BPS * 11 / 10), "{acked:?}");
    }

    #[test]
    fn after_a_pause_it_starts_anew() {
        let mut acked = AckedBitrate::default();
        for packet in 0..100 {
            acked.on_packet(START + packet * 10_000, START + packet * 10_000, 1_250);
        }
        acked.on_packet(10 * START, 10 * START, 1_250);
        assert_eq!((acked.mean(), acked.recent()), (None, None));
    }
}
