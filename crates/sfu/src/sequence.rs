//! Which sequence numbers of a stream were seen, and the numbers it has without dropped padding.

use arrayvec::ArrayVec;

/// How far back a packet may be late, in packets.
const WINDOW: u64 = 2048;
/// How many dropped packets are remembered one by one. What arrives later than that has no number of its own any
/// more and is refused: two packets under one number would be sealed with one nonce.
const DROPS_MAX: usize = 64;

/// Tells new packets from duplicates (a retransmission may bring what arrived meanwhile) and closes the gaps
/// that dropped padding-only packets would leave (mediasoup#793: receivers wait for them).
#[derive(Debug)]
pub(crate) struct SequenceMap {
    newest: Option<u64>,
    seen: [u64; (WINDOW / 64) as usize],
    dropped: u64,
    drops: ArrayVec<u64, DROPS_MAX>,
    /// Up to here drops are forgotten.
    forgotten: Option<u64>,
}

impl Default for SequenceMap {
    fn default() -> Self {
        Self { newest: None, seen: [0; (WINDOW / 64) as usize], dropped: 0, drops: ArrayVec::new(), forgotten: None }
    }
}

impl SequenceMap {
    /// The extended number nearest to the newest, for a number that came with 16 bits; `None` when that is before
    /// the stream's beginning, or it has not begun: a retransmission does not tell the cycle.
    pub(crate) fn extend(&self, sequence: u16) -> Option<u64> {
        let newest = self.newest?;
        newest.checked_add_signed(i64::from(sequence.wrapping_sub(newest as u16) as i16))
    }

    /// Notes a number; false when it was seen before or is too old to tell.
    pub(crate) fn insert(&mut self, sequence: u64) -> bool {
        if self.forgotten.is_some_and(|forgotten| sequence <= forgotten) {
            return false;
        }
        match self.newest {
            None => self.newest = Some(sequence),
            Some(newest) if sequence > newest => {
                if sequence - newest >= WINDOW {
                    self.seen = [0; (WINDOW / 64) as usize];
                } else {
                    for between in newest + 1..sequence {
                        self.clear(between);
                    }
                }
                self.clear(sequence);
                self.newest = Some(sequence);
            }
            Some(newest) if newest - sequence >= WINDOW => return false,
            Some(_) => {}
        }
        let (word, bit) = Self::place(sequence);
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    /// Leaves out a number that was just inserted and is the newest; false when later ones were forwarded
    /// already, so that leaving it out would leave a gap.
    pub(crate) fn drop_newest(&mut self, sequence: u64) -> bool {
        if self.newest != Some(sequence) {
            return false;
        }
        if self.drops.is_full() {
            self.forgotten = Some(self.drops.remove(0));
        }
        self.drops.push(sequence);
        self.dropped += 1;
        true
    }

    /// The number without the dropped ones before it.
    pub(crate) fn map(&self, sequence: u64) -> u64 {
        let later = self.drops.iter().rev().take_while(|&&dropped| dropped > sequence).count() as u64;
        sequence.saturating_sub(self.dropped - later)
    }

    fn place(sequence: u64) -> (usize, u64) {
        ((sequence % WINDOW / 64) as usize, 1 << (sequence % 64))
    }

    fn clear(&mut self, sequence: u64) {
        let (word, bit) = Self::place(sequence);
        self.seen[word] &= !bit;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let mut map = SequenceMap::default();
        for n in 65_000..70_000u64 {
            assert!(map.insert(n));
            assert!(!map.insert(n));
            assert_eq!(map.extend(n as u16), Some(n));
        }
        assert!(!map.insert(69_999 - 2048), "too old to tell");
        assert!(map.insert(80_000), "a jump forgets the window");
        assert!(map.insert(79_999));
        assert!(!map.insert(80_000));
    }

    #[test]
    fn a_retransmission_has_no_number_before_the_stream_has() {
        let mut map = SequenceMap::default();
        assert_eq!(map.extend(7), None);
        assert!(map.insert(3));
        assert_eq!(map.extend(65_535), None, "before the beginning");
        assert_eq!(map.extend(2), Some(2));
    }

    #[test]
    fn no_number_is_given_twice_however_much_is_dropped() {
        let mut map = SequenceMap::default();
        assert!(map.insert(98));
        assert_eq!(map.map(98), 98);
        for n in 100..100 + DROPS_MAX as u64 {
            assert!(map.insert(n) && map.drop_newest(n));
        }
        assert!(map.insert(99));
        assert_eq!(map.map(99), 99, "all drops are remembered");
        let next = 100 + DROPS_MAX as u64;
        assert!(map.insert(next) && map.drop_newest(next));
        assert!(!map.insert(97), "its number would be that of another");
        assert!(map.insert(next + 1));
        assert_eq!(map.map(next + 1), 100);
    }

    #[test]
    fn late_packets_fill_their_own_places() {
        let mut map = SequenceMap::default();
        for n in [10, 13, 11, 12] {
            assert!(map.insert(n));
            assert_eq!(map.map(n), n);
        }
        assert!(!map.insert(11));
    }

    #[test]
    fn dropped_padding_leaves_no_gap() {
        let mut map = SequenceMap::default();
        let mut out = Vec::new();
        for n in 100..110u64 {
            assert!(map.insert(n));
            if n == 103 || n == 107 {
                assert!(map.drop_newest(n));
            } else if n != 105 {
                out.push(map.map(n));
            }
        }
        assert_eq!(out, [100, 101, 102, 103, 105, 106, 107]);
        assert_eq!(map.map(105), 104, "late, after the second drop");
        assert!(!map.drop_newest(105), "its place is expected by now");
    }

    #[test]
    fn whatever_is_lost_late_doubled_or_dropped_each_packet_has_one_number_around_every_wrap() {
        for seed in 0..50 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let first = rng.random_range(1..4_u64) << 16 | rng.random_range(63_000..65_536);
            let mut arrivals: Vec<u64> = (first..first + 4_000)
                .flat_map(|n| std::iter::repeat_n(n, [0, 1, 1, 1, 1, 1, 1, 1, 1, 2][rng.random_range(0..10)]))
                .collect();
            arrivals.sort_by_cached_key(|n| n + rng.random_range(0..20));
            let mut map = SequenceMap::default();
            let (mut seen, mut dropped, mut given) = (HashSet::new(), Vec::new(), HashSet::new());
            for n in arrivals {
                assert!(seen.is_empty() || map.extend(n as u16) == Some(n), "seed {seed}: {n}");
                assert_eq!(map.insert(n), seen.insert(n), "seed {seed}: {n} is new once");
                if seen.len() == given.len() + dropped.len() {
                    continue;
                }
                if rng.random_ratio(1, 50) && map.drop_newest(n) {
                    dropped.push(n);
                    continue;
                }
                let before = dropped.iter().filter(|&&dropped| dropped < n).count() as u64;
                assert_eq!(map.map(n), n - before, "seed {seed}");
                assert!(given.insert(map.map(n)), "seed {seed}: {n} has the number of another");
            }
        }
    }
}
