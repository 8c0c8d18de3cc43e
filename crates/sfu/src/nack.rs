//! Which packets of an incoming stream to ask for again, and when.
//!
//! The rules are those of libwebrtc's and mediasoup's receivers, except for the first request, which they send at
//! once: here it waits for 3 newer packets or 5 ms, whichever is first, so that mere reordering is not asked for.
//! After that a packet is asked for once per round trip, at most 10 times.

use std::ops::Range;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

/// Sequence numbers in one request: if none are neighbours, they fill 1,024 B of NACK.
pub const REQUEST_MAX: usize = 256;

/// Numbers missing at a time; a stream that lacks more is better off with a keyframe.
const MISSING_MAX: usize = 512;
/// Requests for one packet; both libwebrtc and mediasoup give up after 10.
const REQUESTS_MAX: u8 = 10;
/// Newer packets that prove a loss, as many as duplicate acknowledgements in TCP.
const REORDER_PACKETS: u64 = 3;
/// Time that proves a loss where no newer packets follow.
const REORDER_WAIT: Duration = Duration::from_millis(5);
/// The round trip before one was measured; libwebrtc's and mediasoup's.
const ROUND_TRIP_DEFAULT: Duration = Duration::from_millis(100);
/// The shortest time between requests for a packet, for round trips that are shorter than a retransmission takes.
const ROUND_TRIP_MIN: Duration = Duration::from_millis(20);

/// What a packet told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// Nothing to do.
    Normal,
    /// It was missing and had been asked for.
    Repaired,
    /// Too many before it are missing: they are given up, and a keyframe must be requested.
    KeyframeNeeded,
}

/// The missing packets of one stream.
#[derive(Debug)]
pub struct NackGenerator {
    highest: Option<u64>,
    /// Which of the 128 numbers after the highest came through RTX, the lowest bit the next.
    recovered_ahead: u128,
    /// Ascending; its capacity is never exceeded. Those not asked for yet are the last.
    missing: Vec<Missing>,
    due: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    sequence: u64,
    due: Instant,
    requests: u8,
}

impl Default for NackGenerator {
    fn default() -> Self {
        Self { highest: None, recovered_ahead: 0, missing: Vec::with_capacity(MISSING_MAX), due: None }
    }
}

impl NackGenerator {
    /// A packet came; `sequence` is extended as by [`crate::rtp::Unwrapper16`], `recovered` means through RTX.
    pub fn on_packet(&mut self, now: Instant, sequence: u64, recovered: bool) -> Received {
        let Some(highest) = self.highest else {
            // What RTX brings before the stream began says nothing of where it is.
            if !recovered {
                self.highest = Some(sequence);
            }
            return Received::Normal;
        };
        if sequence <= highest {
            return self.found(sequence);
        }
        let ahead = sequence - highest;
        if recovered {
            // Packets between may still be on their way, so a recovered one is no proof that they are lost.
            if ahead <= u64::from(u128::BITS) {
                self.recovered_ahead |= 1 << (ahead - 1);
            }
            return Received::Normal;
        }
        let received = self.note_missing(now, highest + 1..sequence);
        self.recovered_ahead = shifted(self.recovered_ahead, ahead);
        self.highest = Some(sequence);
        if self.unasked().is_some_and(|missing| sequence - missing.sequence >= REORDER_PACKETS) {
            self.due = Some(now);
        }
        received
    }

    /// A keyframe begins with `sequence`: nobody needs what is missing before it.
    pub fn on_keyframe(&mut self, sequence: u64) {
        let older = self.missing.partition_point(|missing| missing.sequence < sequence);
        self.missing.drain(..older);
    }

    /// The source restarted: its numbers have nothing to do with those before.
    pub fn reset(&mut self) {
        self.highest = None;
        self.recovered_ahead = 0;
        self.missing.clear();
    }

    /// Fills `request` with the numbers to ask for now, ascending, the low 16 bits of each; empty when there are none.
    ///
    /// What does not fit stays due.
    pub fn poll(&mut self, now: Instant, round_trip: Option<Duration>, request: &mut ArrayVec<u16, REQUEST_MAX>) {
        request.clear();
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let again = now + round_trip.unwrap_or(ROUND_TRIP_DEFAULT).max(ROUND_TRIP_MIN);
        let highest = self.highest.unwrap_or(0);
        let mut due = None;
        self.missing.retain_mut(|missing| {
            let lost = missing.requests == 0 && highest - missing.sequence >= REORDER_PACKETS;
            if (lost || missing.due <= now) && request.try_push(missing.sequence as u16).is_ok() {
                missing.requests += 1;
                missing.due = again;
            }
            let keep = missing.requests < REQUESTS_MAX;
            if keep {
                due = Some(due.map_or(missing.due, |earliest: Instant| earliest.min(missing.due)));
            }
            keep
        });
        self.due = if request.is_full() { due.map(|due| due.min(now)) } else { due };
    }

    /// When [`NackGenerator::poll`] has something to ask for.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.missing.is_empty() { None } else { self.due }
    }

    fn found(&mut self, sequence: u64) -> Received {
        let Ok(index) = self.missing.binary_search_by_key(&sequence, |missing| missing.sequence) else {
            return Received::Normal;
        };
        if self.missing.remove(index).requests > 0 { Received::Repaired } else { Received::Normal }
    }

    fn note_missing(&mut self, now: Instant, gap: Range<u64>) -> Received {
        let recovered = self.recovered_ahead;
        let lost = |sequence: &u64| shifted(recovered, sequence - gap.start) & 1 == 0;
        let count = (gap.end - gap.start).saturating_sub(u64::from(u128::BITS))
            + gap.clone().take(u128::BITS as usize).filter(lost).count() as u64;
        if count > (MISSING_MAX - self.missing.len()) as u64 {
            self.missing.clear();
            return Received::KeyframeNeeded;
        }
        if count > 0 {
            let due = now + REORDER_WAIT;
            self.due = if self.missing.is_empty() { Some(due) } else { self.due.min(Some(due)) };
            self.missing.extend(gap.clone().filter(lost).map(|sequence| Missing { sequence, due, requests: 0 }));
        }
        Received::Normal
    }

    /// The oldest missing one that was not asked for.
    fn unasked(&self) -> Option<&Missing> {
        self.missing.get(self.missing.partition_point(|missing| missing.requests > 0))
    }
}

fn shifted(bits: u128, by: u64) -> u128 {
    u32::try_from(by).ok().and_then(|by| bits.checked_shr(by)).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test may begin at any instant")]
mod tests {
    use std::collections::BTreeSet;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const BASE: u64 = 1 << 16;

    fn receive(nack: &mut NackGenerator, now: Instant, sequences: impl IntoIterator<Item = u64>) {
        for sequence in sequences {
            assert_eq!(nack.on_packet(now, BASE + sequence, false), Received::Normal);
        }
    }

    fn poll(nack: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut request = ArrayVec::new();
        nack.poll(now, Some(50 * MS), &mut request);
        request.to_vec()
    }

    #[test]
    fn nothing_is_asked_for_without_loss() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, 0..100);
        assert_eq!(nack.next_timeout(), None);
        assert!(poll(&mut nack, now + 1_000 * MS).is_empty());
    }

    #[test]
    fn a_loss_is_asked_for_once_three_newer_packets_came() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 2, 3]);
        assert_eq!(nack.next_timeout(), Some(now + 5 * MS));
        assert!(poll(&mut nack, now).is_empty());
        receive(&mut nack, now + MS, [4]);
        assert_eq!(nack.next_timeout(), Some(now + MS));
        assert_eq!(poll(&mut nack, now + MS), [1]);
        assert_eq!(nack.next_timeout(), Some(now + 51 * MS));
    }

    #[test]
    fn a_loss_is_asked_for_after_five_milliseconds() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 2]);
        assert!(poll(&mut nack, now + 4 * MS).is_empty());
        assert_eq!(poll(&mut nack, now + 5 * MS), [1]);
    }

    #[test]
    fn reordering_is_not_asked_for() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 2, 1, 4, 3]);
        assert!(poll(&mut nack, now + 10 * MS).is_empty());
        assert_eq!(nack.next_timeout(), None);
    }

    #[test]
    fn a_packet_is_asked_for_once_a_round_trip_at_most_ten_times() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 2, 3, 4]);
        let mut asked = Vec::new();
        for ms in 0..2_000 {
            if !poll(&mut nack, now + MS * ms).is_empty() {
                asked.push(ms);
            }
        }
        assert_eq!(asked, (0..10).map(|request| request * 50).collect::<Vec<_>>());
        assert_eq!(nack.next_timeout(), None);
    }

    #[test]
    fn the_interval_has_a_default_and_a_minimum() {
        let now = Instant::now();
        for (round_trip, wait) in [(None, 100 * MS), (Some(MS), 20 * MS)] {
            let mut nack = NackGenerator::default();
            receive(&mut nack, now, [0, 2, 3, 4]);
            nack.poll(now, round_trip, &mut ArrayVec::new());
            assert_eq!(nack.next_timeout(), Some(now + wait));
        }
    }

    #[test]
    fn a_packet_that_came_again_is_no_longer_asked_for() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 3, 4, 5]);
        assert_eq!(poll(&mut nack, now), [1, 2]);
        assert_eq!(nack.on_packet(now + 30 * MS, BASE + 1, true), Received::Repaired);
        assert_eq!(nack.on_packet(now + 30 * MS, BASE + 1, true), Received::Normal, "a duplicate");
        assert_eq!(poll(&mut nack, now + 50 * MS), [2]);
    }

    #[test]
    fn what_rtx_brought_early_is_not_missing_later() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0]);
        for ahead in [2, 4, 128, 129, 500] {
            assert_eq!(nack.on_packet(now, BASE + ahead, true), Received::Normal);
        }
        assert_eq!(nack.next_timeout(), None, "RTX proves no loss");
        receive(&mut nack, now, [3, 6, 7, 8]);
        assert_eq!(poll(&mut nack, now), [1, 5]);
        receive(&mut nack, now, 9..128);
        receive(&mut nack, now, 130..134);
        assert_eq!(poll(&mut nack, now), [129], "128 came, 129 was too far ahead to be noted");
    }

    #[test]
    fn rtx_before_the_first_packet_does_not_begin_the_stream() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        assert_eq!(nack.on_packet(now, BASE, true), Received::Normal);
        receive(&mut nack, now, 10..14);
        assert!(poll(&mut nack, now + 10 * MS).is_empty());
    }

    #[test]
    fn too_large_a_gap_needs_a_keyframe_instead() {
        let now = Instant::now();
        for gap in [513, 1_001, 30_000, u64::MAX / 2] {
            let mut nack = NackGenerator::default();
            receive(&mut nack, now, [0, 2]);
            assert_eq!(nack.on_packet(now, BASE + 3 + gap, false), Received::KeyframeNeeded);
            assert_eq!(nack.next_timeout(), None);
        }
    }

    #[test]
    fn too_many_gaps_need_a_keyframe_instead() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, (0..=512).map(|sequence| sequence * 2));
        let capacity = nack.missing.capacity();
        assert_eq!(nack.on_packet(now, BASE + 1_026, false), Received::KeyframeNeeded);
        assert_eq!(nack.missing.capacity(), capacity, "never allocates");
        receive(&mut nack, now, [1_028, 1_029, 1_030]);
        assert_eq!(poll(&mut nack, now), [1_027], "and goes on from there");
    }

    #[test]
    fn more_than_fits_one_request_stays_due() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 401]);
        let later = now + 5 * MS;
        assert_eq!(poll(&mut nack, later), (1..=256).collect::<Vec<_>>());
        assert_eq!(nack.next_timeout(), Some(later));
        assert_eq!(poll(&mut nack, later), (257..=400).collect::<Vec<_>>());
        assert_eq!(nack.next_timeout(), Some(later + 50 * MS));
    }

    #[test]
    fn a_keyframe_ends_the_wait_for_what_is_older() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [0, 2, 4, 5, 7, 8, 9]);
        nack.on_keyframe(BASE + 5);
        assert_eq!(poll(&mut nack, now), [6]);
    }

    #[test]
    fn numbers_wrap_in_requests() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [65_534, 65_537, 65_538, 65_539]);
        assert_eq!(poll(&mut nack, now), [65_535, 0]);
    }

    #[test]
    fn a_restart_forgets_what_was_missing() {
        let now = Instant::now();
        let mut nack = NackGenerator::default();
        receive(&mut nack, now, [1_000, 1_005]);
        nack.reset();
        receive(&mut nack, now, [0, 1, 2, 3]);
        assert!(poll(&mut nack, now + 10 * MS).is_empty());
    }

    #[test]
    fn exactly_what_is_missing_is_asked_for_once_around_every_wrap() {
        for seed in 0..50 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let now = Instant::now();
            let first = BASE * rng.random_range(1..4) + rng.random_range(65_000..65_536);
            let mut lost: BTreeSet<u64> = (first + 1..first + 1_000).filter(|_| rng.random_ratio(1, 10)).collect();
            // Not one that nothing follows.
            lost.retain(|sequence| *sequence < first + 990);
            let mut arrivals: Vec<u64> = (first..first + 1_000).filter(|sequence| !lost.contains(sequence)).collect();
            arrivals.sort_by_cached_key(|sequence| sequence + rng.random_range(0..3));
            let mut nack = NackGenerator::default();
            let (mut asked, mut highest) = (BTreeSet::new(), 0);
            for (at, sequence) in arrivals.into_iter().enumerate() {
                let now = now + MS * at as u32;
                assert_eq!(nack.on_packet(now, sequence, false), Received::Normal, "seed {seed}: never asked for");
                highest = highest.max(sequence);
                for number in poll(&mut nack, now) {
                    let sequence = highest - u64::from((highest as u16).wrapping_sub(number));
                    assert!(lost.contains(&sequence) && asked.insert(sequence), "seed {seed}: {sequence}");
                    assert_eq!(nack.on_packet(now, sequence, true), Received::Repaired, "seed {seed}");
                }
            }
            assert_eq!(asked, lost, "seed {seed}");
        }
    }
}
