//! Whether packets wait in a queue on the way.
//!
//! A slope alone cannot tell a growing queue from jitter: with 200 ± 50 ms libwebrtc's detector fires again and
//! again. But jitter lets some packets through quickly, and a queue none. So the least delay of the last moments is
//! compared with the least of the last half minute, and the difference with what is usual on this path.

use crate::clock::Micros;

/// The least delay is taken of the packets of so long, and of the part of the next that there is.
const BUCKET_US: Micros = 100_000;
/// Half of the time over which the least delay of all is remembered.
const BASE_WINDOW_US: Micros = 15_000_000;
/// A lesser difference is no queue on any path.
const GUARD_US_MIN: Micros = 12_000;
/// What is unusual on every path.
const GUARD_US_MAX: Micros = 250_000;
/// What differs from the fastest by so many times the usual change is unusual.
const UNUSUAL: Micros = 6;
/// What is usual until it is known.
const USUAL_US_START: Micros = 8_000;
/// A change counts for no more than this.
const USUAL_US_MAX: Micros = 60_000;
/// What is usual is the mean over 2^6 buckets.
const USUAL_SHIFT: u32 = 6;

const NONE: Micros = Micros::MAX;

/// The delay of packets, less a constant that nobody knows.
#[derive(Debug)]
pub(super) struct QueueDelay {
    bucket_started: Micros,
    bucket: Micros,
    before: Micros,
    base_started: Micros,
    base: Micros,
    base_before: Micros,
    /// How much the least delay changes from one bucket to the next, scaled by 2^`USUAL_SHIFT`: jitter does that all
    /// the time, a queue once.
    usual: Micros,
}

impl Default for QueueDelay {
    fn default() -> Self {
        Self {
            bucket_started: Micros::MIN / 2,
            bucket: NONE,
            before: NONE,
            base_started: Micros::MIN / 2,
            base: NONE,
            base_before: NONE,
            usual: USUAL_US_START << USUAL_SHIFT,
        }
    }
}

impl QueueDelay {
    /// A packet that was sent at `sent` took `delay`.
    pub(super) fn on_packet(&mut self, sent: Micros, delay: Micros) {
        if sent - self.bucket_started >= BUCKET_US {
            self.next_bucket(sent);
        }
        self.bucket = self.bucket.min(delay);
        self.base = self.base.min(delay);
    }

    /// How much more delay every packet of the last moments had than the fastest lately.
    pub(super) fn excess(&self) -> Micros {
        match self.bucket.min(self.before) {
            NONE => 0,
            least => least - self.base.min(self.base_before),
        }
    }

    /// Whether that is more than this path's jitter explains.
    pub(super) fn is_standing(&self) -> bool {
        self.before != NONE && self.excess() > self.guard()
    }

    /// What stands now is the path's own delay.
    pub(super) fn accept(&mut self) {
        (self.base, self.base_before) = (self.bucket.min(self.before), NONE);
        self.base_started = self.bucket_started;
    }

    fn guard(&self) -> Micros {
        (GUARD_US_MIN + ((self.usual * UNUSUAL) >> USUAL_SHIFT)).min(GUARD_US_MAX)
    }

    fn next_bucket(&mut self, sent: Micros) {
        if self.bucket != NONE {
            let change = if self.before == NONE { 0 } else { (self.bucket - self.before).abs() };
            self.usual += change.min(USUAL_US_MAX) - (self.usual >> USUAL_SHIFT);
        }
        self.before = std::mem::replace(&mut self.bucket, NONE);
        self.bucket_started = sent;
        if sent - self.base_started >= BASE_WINDOW_US {
            self.base_before = std::mem::replace(&mut self.base, NONE);
            self.base_started = sent;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const MS: Micros = 1_000;

    /// Packets every 10 ms from `at` on.
    fn feed(queue: &mut QueueDelay, at: Micros, packets: i64, mut delay: impl FnMut(i64) -> Micros) -> Option<i64> {
        (0..packets).find(|packet| {
            queue.on_packet(at + packet * 10 * MS, delay(*packet));
            queue.is_standing()
        })
    }

    #[test]
    fn a_queue_is_seen_within_a_quarter_of_a_second() {
        let mut queue = QueueDelay::default();
        assert_eq!(feed(&mut queue, 0, 3_000, |_| 50 * MS), None);
        let packets = feed(&mut queue, 30_000 * MS, 100, |_| 90 * MS).expect("a queue");
        assert!((10..25).contains(&packets), "{packets}");
    }

    #[test]
    fn a_frame_that_waits_for_itself_is_no_queue() {
        let mut queue = QueueDelay::default();
        assert_eq!(feed(&mut queue, 0, 3_000, |packet| if packet % 8 == 0 { 50 * MS } else { 90 * MS }), None);
    }

    #[test]
    fn jitter_is_no_queue_and_a_queue_shows_through_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut queue = QueueDelay::default();
        let mut jitter = move |_| rng.random_range(150..250) * MS;
        let standing = (0..30_000).filter(|packet| feed(&mut queue, packet * 10 * MS, 1, &mut jitter).is_some());
        assert!(standing.count() < 60, "less than 2 in 1,000");
        let queued = feed(&mut queue, 300_000 * MS, 100, |packet| jitter(packet) + 150 * MS);
        assert!(queued.is_some());
    }

    #[test]
    fn a_longer_path_becomes_the_usual_one() {
        let mut queue = QueueDelay::default();
        feed(&mut queue, 0, 1_000, |_| 50 * MS);
        assert!(feed(&mut queue, 10_000 * MS, 100, |_| 250 * MS).is_some());
        for packet in 0..4_000 {
            queue.on_packet((11_000 + packet * 10) * MS, 250 * MS);
        }
        assert!(!queue.is_standing());
        assert_eq!(queue.excess(), 0);
    }
}
