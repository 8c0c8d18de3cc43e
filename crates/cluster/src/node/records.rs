//! Records as they come back from the log.

use std::time::Instant;

use protocol::event::{Logged, Record, RoomEvent};
use protocol::{ErrorCode, RoomId};
use room::{Change, Outcome};

use super::hosted::{Hosted, Pending};
use super::proposal::enters;
use super::{Accepted, Applied, Node, Output};
use crate::log::Entry;

/// How often a join is appended to a room that ends under its hands before its client is told to try again.
const ATTEMPTS_MAX: u8 = 3;

impl Node {
    pub(super) fn entry(&mut self, now: Instant, entry: &Entry) {
        let Entry { room, offset, time_ms, value } = entry;
        if self.rooms.get(room).is_some_and(|hosted| *offset < hosted.next_offset) {
            return;
        }
        let Ok(record) = serde_json::from_slice::<Record>(value) else {
            self.outputs.push_back(Output::SetAside { room: room.clone(), offset: *offset });
            return;
        };
        self.membership.spoke(now, record.origin);
        // What this node wrote itself somebody waits for, unless it is of a room that was given up.
        let is_strange = record.origin != self.incarnation || self.gave_up(room);
        self.refounded(now, entry, &record);
        let is_to_be_judged = match self.rooms.contains_key(room) {
            true => self.heed(now, entry, &record),
            false => !is_strange || self.keep(now, entry, &record),
        };
        if !is_to_be_judged {
            return;
        }
        // Of a room that is followed nothing is missing, and what came before it is over.
        self.unknown.remove(room);
        let logged = Logged { offset: *offset, time_ms: *time_ms, record };
        let outcome = self.apply(now, room, &logged);
        if outcome == Outcome::SetAside {
            // What somebody writes by known rules who is no host others do not have either.
            let Record { rules, origin, .. } = logged.record;
            if let Some(hosted) = self.rooms.get_mut(room) {
                hosted.lacks_events |= !room::knows(rules) || hosted.room.is_host(origin);
            }
            self.outputs.push_back(Output::SetAside { room: room.clone(), offset: *offset });
        }
        self.answer_ignorance(room, &logged.record, &outcome);
        self.write_down_contested(now, room, &logged.record);
        if matches!(logged.record.event, RoomEvent::Snapshot { .. }) && self.is_host(room) {
            self.write_down_later(now, room);
        }
        if let (Outcome::Accepted { .. }, RoomEvent::NodeLost { incarnation }) = (&outcome, &logged.record.event) {
            self.hosts_lost += 1;
            if *incarnation == self.incarnation {
                self.fence();
            }
        }
        if logged.record.origin == self.incarnation {
            self.answer(now, room, &logged.record, &outcome);
        }
        self.settle(now, room);
    }

    fn apply(&mut self, now: Instant, room: &RoomId, logged: &Logged) -> Outcome {
        let incarnation = self.incarnation;
        let hosted = self.rooms.entry(room.clone()).or_insert_with(|| Hosted::new(room.clone()));
        hosted.next_offset = logged.offset.saturating_add(1);
        if let Some(lost) = &mut hosted.lost {
            lost.count();
        }
        let before = hosted.room.participants().len();
        let was_host = hosted.room.is_host(incarnation);
        let outcome = room::apply(&mut hosted.room, logged);
        let is_host = hosted.room.is_host(incarnation);
        if is_host {
            hosted.announced = false;
        }
        self.participants = (self.participants + hosted.room.participants().len()).saturating_sub(before);
        if let Outcome::Accepted { accepted, changes } = &outcome
            && (was_host || is_host)
        {
            for change in changes {
                self.follow(now, room, change);
                let applied = Applied { room: room.clone(), seq: accepted.seq, change: change.clone() };
                self.outputs.push_back(Output::Changed(applied));
            }
        }
        if is_host && !was_host {
            self.follow_all(now, room);
            self.write_down_soon(now, room);
        }
        outcome
    }

    pub(super) fn is_host(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|hosted| hosted.room.is_host(self.incarnation))
    }

    /// Answers whoever waits for a record of this node.
    fn answer(&mut self, now: Instant, room: &RoomId, record: &Record, outcome: &Outcome) {
        let enters = enters(&record.event);
        let Some(pending) = self.take_pending(room, record.key) else {
            if let Outcome::Accepted { accepted: room::Accepted { binding: Some(binding), .. }, .. } = outcome {
                // Its client was told `log_unavailable` and may be gone: without a socket it is held.
                self.keep_holding(now, room, *binding, false);
                self.append_own(room, Some(*binding), RoomEvent::Held { closing: false });
            }
            return;
        };
        match *outcome {
            Outcome::Accepted { accepted: room::Accepted { seq, binding }, .. } => {
                let snapshot = if enters { self.snapshot(room) } else { None };
                self.resolve(pending.ticket, Ok(Accepted { seq, binding, snapshot }));
            }
            Outcome::Repeated(Ok(earlier)) if enters => self.enter_again(room, &pending, earlier),
            Outcome::Repeated(Ok(room::Accepted { seq, binding })) => {
                self.resolve(pending.ticket, Ok(Accepted { seq, binding, snapshot: None }));
            }
            Outcome::NoRoom => self.unheard(room, pending, ErrorCode::SessionExpired),
            Outcome::Rejected(ErrorCode::Draining) => self.unheard(room, pending, ErrorCode::Draining),
            Outcome::Rejected(error) | Outcome::Repeated(Err(error)) => self.resolve(pending.ticket, Err(error)),
            Outcome::SetAside => self.resolve(pending.ticket, Err(ErrorCode::Internal)),
        }
    }

    /// A join or resume that had succeeded before, without its client having heard of it. The binding of then
    /// may be held by now, so the client gets one of its own.
    fn enter_again(&mut self, room: &RoomId, pending: &Pending, earlier: room::Accepted) {
        let entered = match pending.record.event {
            RoomEvent::Joined { participant, session, .. } => Some((participant, session)),
            // Of two hedged resumes the first one wins; a lost answer of our own is repeated.
            RoomEvent::Resumed { participant, session, .. }
                if earlier.binding.is_some_and(|binding| binding.incarnation == self.incarnation) =>
            {
                Some((participant, session))
            }
            _ => None,
        };
        let Some((participant, session)) = entered else {
            self.resolve(pending.ticket, Err(ErrorCode::Superseded));
            return;
        };
        let in_force = self.room(room).and_then(|room| room.participant(participant));
        let generation = in_force.map_or(0, room::Participant::generation);
        let event = RoomEvent::Resumed { participant, session, generation };
        let record = Record { key: self.own_key(), event, ..pending.record };
        self.append(room, &record);
        self.wait(room.clone(), Pending { record, ..*pending });
    }

    /// There was no room, or this node was no host of it, when the record came: the last one left just before
    /// it, or the log lost what should have come first.
    fn unheard(&mut self, room: &RoomId, pending: Pending, error: ErrorCode) {
        if let Some(hosted) = self.rooms.get_mut(room) {
            hosted.announced = false;
        }
        let again = match pending.record.event {
            RoomEvent::Joined { .. } => true,
            RoomEvent::Resumed { .. } => error == ErrorCode::Draining,
            _ => false,
        };
        if again && pending.attempts < ATTEMPTS_MAX {
            self.announce(room);
            self.append_again(room, Pending { attempts: pending.attempts + 1, ..pending });
        } else {
            self.resolve(pending.ticket, Err(if again { ErrorCode::Draining } else { error }));
        }
    }

    /// Sets the timers that a change asks for.
    fn follow(&mut self, now: Instant, room: &RoomId, change: &Change) {
        match change {
            Change::Held { binding } | Change::Returned { binding } => self.watch(now, room, binding.participant),
            Change::Left { participant, .. } | Change::WaitingRemoved { participant, reason: Some(_) } => {
                self.unwatch(room, *participant);
            }
            Change::Joined { .. }
            | Change::ProducerAdded { .. }
            | Change::ProducerPaused { .. }
            | Change::ProducerStaysPaused { .. }
            | Change::ProducerResumed { .. }
            | Change::ProducerClosed { .. }
            | Change::Renamed { .. }
            | Change::ChatSent { .. }
            | Change::Replaced
            | Change::DataProducerAdded { .. }
            | Change::DataProducerClosed { .. }
            | Change::VideoCodecsChanged { .. }
            | Change::HandRaised { .. }
            | Change::HandLowered { .. }
            | Change::RoleChanged { .. }
            | Change::SettingsChanged { .. }
            | Change::AskedToUnmute { .. }
            | Change::WaitingAdded { .. }
            | Change::WaitingRemoved { reason: None, .. }
            | Change::WaitingListed { .. }
            | Change::Ended => {}
        }
    }
}
