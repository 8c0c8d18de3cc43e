//! Timers by name: setting one again replaces it, so there are never more than things to wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use protocol::event::RequestKey;
use protocol::{ParticipantId, RoomId};

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A proposal's record.
    Answer(RoomId, RequestKey),
    /// That a broken binding is held.
    Hold(RoomId, ParticipantId),
    /// The end of a held participant's grace time.
    Grace(RoomId, ParticipantId),
    /// The end of the time to publish inherited sources again.
    Sources(RoomId, ParticipantId),
    /// The end of a room that nobody is in.
    Empty(RoomId),
    /// The next snapshot of a room.
    Snapshot(RoomId),
    /// The next founding of a room of which the log lost records.
    Refound(RoomId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.cancel(&timer);
        self.order.insert((at, timer.clone()));
        self.due.insert(timer, at);
    }

    pub(super) fn is_set(&self, timer: &Timer) -> bool {
        self.due.contains_key(timer)
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some((timer, at)) = self.due.remove_entry(timer) {
            self.order.remove(&(at, timer));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.due.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_come_in_order_and_setting_again_replaces() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room: RoomId = "a".parse().expect("a room name");
        let grace = |id| Timer::Grace(room.clone(), ParticipantId(id));
        let mut timers = Timers::default();
        timers.set(at(1), grace(1));
        timers.set(at(2), grace(2));
        timers.set(at(3), grace(1));
        timers.set(at(2), grace(3));
        timers.cancel(&grace(3));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(timers.pop_due(at(9)), Some(grace(2)));
        assert_eq!(timers.pop_due(at(9)), Some(grace(1)));
        assert_eq!((timers.pop_due(at(9)), timers.next()), (None, None));
    }
}
