//! When something is due: one deadline per transport, earliest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::keys::TransportKey;

/// A heap of deadlines. Superseded entries stay in it until they come up and are skipped then, because the
/// owner of a deadline keeps the valid one.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Timers {
    /// Sets the deadline of a transport, unless `current` is earlier, and gives the valid one.
    pub(crate) fn set(&mut self, key: TransportKey, current: Option<Instant>, at: Instant) -> Instant {
        match current {
            Some(current) if current <= at => current,
            _ => {
                self.heap.push(Reverse((at, key.0)));
                at
            }
        }
    }

    /// How many deadlines there are, valid and superseded.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Forgets all of them, for when there is no transport left that could have one.
    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }

    /// The earliest deadline, valid or superseded.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest deadline that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, TransportKey)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, key))| (at, TransportKey(key)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_come_up_in_order_and_only_when_due() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let first = timers.set(TransportKey(1), None, at(50));
        assert_eq!(timers.set(TransportKey(1), Some(first), at(70)), at(50), "the earlier one counts");
        assert_eq!(timers.set(TransportKey(1), Some(first), at(20)), at(20));
        timers.set(TransportKey(2), None, at(30));
        assert_eq!(timers.pop_due(at(10)), None);
        assert_eq!(timers.pop_due(at(40)), Some((at(20), TransportKey(1))));
        assert_eq!(timers.pop_due(at(40)), Some((at(30), TransportKey(2))));
        assert_eq!(timers.pop_due(at(40)), None);
        assert_eq!(timers.next(), Some(at(50)));
    }
}
