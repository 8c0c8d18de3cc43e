//! What was read of a partition last, so that another record in the place of one that was read is known as such.

use std::collections::VecDeque;

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::hash::fnv1a;

/// Records of a partition that are remembered, by 8 bytes each: more than a busy one takes in the half minute after
/// which an operating system has written everything down.
const REMEMBERED_MAX: usize = 4096;

/// The newest records that were read of a partition.
#[derive(Debug)]
pub(super) struct Seen {
    /// Of consecutive offsets.
    hashes: VecDeque<u64>,
    next: i64,
    has_forgotten: bool,
}

/// What a record is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It comes next.
    New,
    /// It was read before.
    Known,
    /// Another one was read at its offset.
    Changed,
}

impl Seen {
    /// Of a reader that begins with `next`.
    pub(super) fn new(next: i64) -> Self {
        Self { hashes: VecDeque::new(), next, has_forgotten: false }
    }

    /// The offset of the record after the newest.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// The oldest offset that is remembered; the next one if none is.
    pub(super) fn oldest(&self) -> i64 {
        self.next - i64::try_from(self.hashes.len()).expect("a few thousand")
    }

    /// Whether records from before the oldest one were read and are not remembered.
    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// What the record at `offset` is.
    pub(super) fn look(&self, offset: i64, hash: u64) -> Sight {
        match usize::try_from(offset - self.oldest()).ok().and_then(|index| self.hashes.get(index)) {
            Some(known) if *known == hash => Sight::Known,
            Some(_) => Sight::Changed,
            None => Sight::New,
        }
    }

    /// Remembers the record at `offset` as the newest.
    pub(super) fn take(&mut self, offset: i64, hash: u64) {
        if offset != self.next {
            self.has_forgotten |= !self.hashes.is_empty();
            self.hashes.clear();
        }
        if self.hashes.len() >= REMEMBERED_MAX {
            self.hashes.pop_front();
            self.has_forgotten = true;
        }
        self.hashes.push_back(hash);
        self.next = offset + 1;
    }

    /// Forgets the records from `end` on.
    pub(super) fn cut(&mut self, end: i64) {
        self.hashes.truncate(usize::try_from(end - self.oldest()).unwrap_or(0));
        self.next = end;
    }
}

/// Differs between any two records, but by a chance of 1 to 2^64.
pub(super) fn hash(message: &BorrowedMessage<'_>) -> u64 {
    let time = message.timestamp().to_millis().unwrap_or(0).to_le_bytes();
    let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
    fnv1a(time.into_iter().chain(key.iter().copied()).chain(value.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(offsets: std::ops::Range<i64>) -> Seen {
        let mut seen = Seen::new(offsets.start);
        for offset in offsets {
            assert_eq!(seen.look(offset, offset.unsigned_abs()), Sight::New);
            seen.take(offset, offset.unsigned_abs());
        }
        seen
    }

    #[test]
    fn a_record_in_the_place_of_another_is_known_as_such() {
        let mut seen = seen(10..20);
        assert_eq!((seen.oldest(), seen.next()), (10, 20));
        assert!((10..20).all(|offset| seen.look(offset, offset.unsigned_abs()) == Sight::Known));
        assert_eq!(seen.look(15, 99), Sight::Changed);
        seen.cut(15);
        seen.take(15, 99);
        assert_eq!((seen.oldest(), seen.next()), (10, 16), "what came after it is gone too");
        assert_eq!(seen.look(16, 16), Sight::New);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_consecutive() {
        let max = i64::try_from(REMEMBERED_MAX).expect("small");
        assert!(!seen(0..max).has_forgotten());
        let mut seen = seen(0..max + 5);
        assert_eq!((seen.oldest(), seen.next(), seen.has_forgotten()), (5, max + 5, true));
        seen.take(max + 9, 1);
        assert_eq!((seen.oldest(), seen.next()), (max + 9, max + 10));
        seen.cut(3);
        assert_eq!((seen.oldest(), seen.next()), (3, 3));
    }
}
