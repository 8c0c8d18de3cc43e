//! What a host does without being asked. Every duty is safe to do twice and is repeated until it is done.

use std::time::{Duration, Instant};

use protocol::event::{Binding, RoomEvent};
use protocol::{ParticipantId, RoomId};
use room::Participant;

use super::Node;
use super::hosted::Broken;
use super::timers::Timer;

impl Node {
    /// Sees to it that a binding without a socket is held, if it is in force. The caller appends the first `Held`.
    pub(super) fn keep_holding(&mut self, now: Instant, room: &RoomId, binding: Binding, closing: bool) {
        let Some(hosted) = self.rooms.get_mut(room) else { return };
        let id = binding.participant;
        if hosted.room.participant(id).is_some_and(|participant| is_broken(participant, binding)) {
            hosted.broken.insert(id, Broken { binding, closing });
            self.timers.set(now + self.config.answer_timeout, Timer::Hold(room.clone(), id));
        }
    }

    pub(super) fn hold_due(&mut self, now: Instant, room: &RoomId, id: ParticipantId) {
        let broken = self.rooms.get_mut(room).and_then(|hosted| hosted.broken.remove(&id));
        let Some(Broken { binding, closing }) = broken else { return };
        if self.participant(room, id).is_some_and(|participant| is_broken(participant, binding)) {
            self.keep_holding(now, room, binding, closing);
            self.append_own(room, Some(binding), RoomEvent::Held { closing });
        }
    }

    /// Waits for the end of what a participant was given time for.
    pub(super) fn watch(&mut self, now: Instant, room: &RoomId, id: ParticipantId) {
        let Some(hosted) = self.rooms.get_mut(room) else { return };
        let (Some(limits), Some(participant)) = (hosted.room.limits(), hosted.room.participant(id)) else { return };
        if hosted.broken.remove(&id).is_some() {
            self.timers.cancel(&Timer::Hold(room.clone(), id));
        }
        let grace = Timer::Grace(room.clone(), id);
        match participant.held_until_ms() {
            Some(until_ms) => self.timers.set(later(now, until_ms.saturating_sub(hosted.room.time_ms())), grace),
            None => self.timers.cancel(&grace),
        }
        let sources = Timer::Sources(room.clone(), id);
        if participant.has_inherited() {
            self.timers.set(later(now, limits.sources_ms), sources);
        } else {
            self.timers.cancel(&sources);
        }
    }

    /// Watches everybody, as a new host.
    pub(super) fn follow_all(&mut self, now: Instant, room: &RoomId) {
        let Some(hosted) = self.rooms.get(room) else { return };
        for id in people_of(&hosted.room) {
            self.watch(now, room, id);
        }
    }

    pub(super) fn unwatch(&mut self, room: &RoomId, id: ParticipantId) {
        if let Some(hosted) = self.rooms.get_mut(room) {
            hosted.broken.remove(&id);
        }
        self.timers.cancel(&Timer::Hold(room.clone(), id));
        self.timers.cancel(&Timer::Grace(room.clone(), id));
        self.timers.cancel(&Timer::Sources(room.clone(), id));
    }

    pub(super) fn grace_due(&mut self, now: Instant, room: RoomId, id: ParticipantId) {
        let held = |participant: &&Participant| participant.held_until_ms().is_some();
        let Some(participant) = self.participant(&room, id).filter(held) else { return };
        let binding = participant.binding();
        if self.no_grace_ends_until.is_none_or(|until| until <= now) {
            self.append_own(&room, Some(binding), RoomEvent::GraceExpired {});
        }
        self.timers.set(now + self.config.answer_timeout, Timer::Grace(room, id));
    }

    pub(super) fn sources_due(&mut self, now: Instant, room: RoomId, id: ParticipantId) {
        let inherited = |participant: &&Participant| participant.has_inherited();
        let Some(participant) = self.participant(&room, id).filter(inherited) else { return };
        let binding = participant.binding();
        self.append_own(&room, Some(binding), RoomEvent::SourcesExpired {});
        self.timers.set(now + self.config.answer_timeout, Timer::Sources(room, id));
    }

    /// Forgets a room that is over, and ends one that nobody is in or on the way to.
    pub(super) fn settle(&mut self, now: Instant, room: &RoomId) {
        let Some(hosted) = self.rooms.get(room) else { return };
        let empty = Timer::Empty(room.clone());
        // While the past is being read it has to be known that the room's beginning was.
        if hosted.is_idle() && self.caught_up {
            // Of one that nobody but this node ever spoke of nothing is on the log.
            if let Some(hosted) = self.rooms.remove(room).filter(|hosted| hosted.next_offset > 0) {
                self.remember_end(hosted.room);
            }
            self.timers.cancel(&empty);
            self.timers.cancel(&Timer::Snapshot(room.clone()));
        } else if hosted.room.is_host(self.incarnation)
            && hosted.room.participants().len() == 0
            && hosted.pending.is_empty()
            && !self.timers.is_set(&empty)
        {
            self.append_own(room, None, RoomEvent::RoomEnded {});
            self.timers.set(now + self.config.answer_timeout, empty);
        }
    }

    fn participant(&self, room: &RoomId, id: ParticipantId) -> Option<&Participant> {
        self.rooms.get(room).filter(|hosted| hosted.room.is_host(self.incarnation))?.room.participant(id)
    }
}

pub(super) fn people_of(room: &room::Room) -> Vec<ParticipantId> {
    room.participants().map(Participant::id).collect()
}

/// Whether a binding that lost its socket still speaks for a participant who is not held.
fn is_broken(participant: &Participant, binding: Binding) -> bool {
    participant.binding() == binding && participant.held_until_ms().is_none()
}

fn later(now: Instant, ms: u64) -> Instant {
    // A limit of centuries, which a record may carry, is as good as one of a year.
    let year = Duration::from_secs(365 * 24 * 3600);
    now + Duration::from_millis(ms).min(year)
}
