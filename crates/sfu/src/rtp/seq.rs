//! Numbers that wrap on the wire: 16-bit sequence numbers and 32-bit timestamps, compared and extended to 64 bits.

/// Whether sequence number `a` is newer than `b`, at most half of the range apart (RFC 1982).
pub fn is_newer16(a: u16, b: u16) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

/// Whether timestamp `a` is newer than `b`, at most half of the range apart (RFC 1982).
pub fn is_newer32(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

/// Extends 16-bit sequence numbers to 64 bits; each is taken as the one nearest to the newest seen.
///
/// The lower 16 bits stay the number on the wire. The first number is put into the second cycle, 2^16 to 2^17, so
/// that ones before it exist too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwrapper16 {
    newest: Option<u64>,
}

impl Unwrapper16 {
    /// The newest so far.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Extends `value` without taking note of it.
    pub fn nearest(&self, value: u16) -> u64 {
        match self.newest {
            None => 1 << 16 | u64::from(value),
            Some(newest) => newest.wrapping_add_signed(i64::from(value.wrapping_sub(newest as u16).cast_signed())),
        }
    }

    /// Extends `value`, which becomes the newest if it is newer.
    pub fn extend(&mut self, value: u16) -> u64 {
        let extended = self.nearest(value);
        self.newest = self.newest.max(Some(extended));
        extended
    }
}

/// Extends 32-bit timestamps to 64 bits; as [`Unwrapper16`], the first from 2^32 on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwrapper32 {
    newest: Option<u64>,
}

impl Unwrapper32 {
    /// The newest so far.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Extends `value` without taking note of it.
    pub fn nearest(&self, value: u32) -> u64 {
        match self.newest {
            None => 1 << 32 | u64::from(value),
            Some(newest) => newest.wrapping_add_signed(i64::from(value.wrapping_sub(newest as u32).cast_signed())),
        }
    }

    /// Extends `value`, which becomes the newest if it is newer.
    pub fn extend(&mut self, value: u32) -> u64 {
        let extended = self.nearest(value);
        self.newest = self.newest.max(Some(extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn newer_is_decided_around_the_wrap() {
        for (a, b, newer) in [(1, 0, true), (0, 0, false), (0, 65_535, true), (65_535, 0, false), (0x7fff, 0, true)] {
            assert_eq!(is_newer16(a, b), newer, "{a} {b}");
            assert_eq!(is_newer32(u32::from(a) << 16, u32::from(b) << 16), newer, "{a} {b}");
        }
        assert!(!is_newer16(0x8000, 0) && !is_newer16(0, 0x8000), "half of the range apart: neither");
    }

    #[test]
    fn newer_depends_only_on_the_distance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100_000 {
            let (a, distance) = (rng.random::<u16>(), rng.random_range(1..0x8000_u16));
            assert!(is_newer16(a.wrapping_add(distance), a) && !is_newer16(a, a.wrapping_add(distance)));
            let (a, distance) = (rng.random::<u32>(), rng.random_range(1..0x8000_0000_u32));
            assert!(is_newer32(a.wrapping_add(distance), a) && !is_newer32(a, a.wrapping_add(distance)));
        }
    }

    #[test]
    fn numbers_before_the_first_exist() {
        let mut unwrapper = Unwrapper16::default();
        assert_eq!(unwrapper.extend(0), 1 << 16);
        assert_eq!(unwrapper.extend(65_535), 0xffff);
        assert_eq!(unwrapper.extend(0x8000), 0x8000);
        assert_eq!(unwrapper.newest(), Some(1 << 16));
        let mut unwrapper = Unwrapper32::default();
        assert_eq!(unwrapper.extend(0), 1 << 32);
        assert_eq!(unwrapper.extend(u32::MAX), 0xffff_ffff);
        assert_eq!(unwrapper.newest(), Some(1 << 32));
    }

    #[test]
    fn nearest_takes_no_note() {
        let mut unwrapper = Unwrapper16::default();
        unwrapper.extend(10);
        assert_eq!(unwrapper.nearest(20), (1 << 16) + 20);
        assert_eq!(unwrapper.newest(), Some((1 << 16) + 10));
    }

    #[test]
    fn any_walk_within_half_of_the_range_is_followed() {
        for seed in 0..50 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut newest16: u64 = (1 << 16) + u64::from(rng.random::<u16>());
            let mut newest32: u64 = (1 << 32) + u64::from(rng.random::<u32>());
            let (mut short, mut long) = (Unwrapper16::default(), Unwrapper32::default());
            assert_eq!(short.extend(newest16 as u16), newest16);
            assert_eq!(long.extend(newest32 as u32), newest32);
            for _ in 0..10_000 {
                let next = newest16.wrapping_add_signed(rng.random_range(-0x8000..0x8000));
                assert_eq!(short.extend(next as u16), next, "seed {seed}");
                newest16 = newest16.max(next);
                let next = newest32.wrapping_add_signed(rng.random_range(-0x8000_0000..0x8000_0000));
                assert_eq!(long.extend(next as u32), next, "seed {seed}");
                newest32 = newest32.max(next);
                assert_eq!((short.newest(), long.newest()), (Some(newest16), Some(newest32)));
            }
        }
    }
}
