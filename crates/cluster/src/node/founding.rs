//! Two rooms of one name, of which one was founded by a node that did not know the other: the one that began first
//! counts.
//!
//! Who knows the elder refuses the younger's host by the rules, but those who do not know it judge by the younger. So
//! a host answers a refusal with a [`RoomEvent::HostAdded`] of its own, which names its creation of the room and the
//! newest record that it had applied: whoever has a room that began in between is the ignorant one. They give it up,
//! send its people to look again, and know the elder by the snapshot that follows.

use std::time::{Duration, Instant};

use protocol::event::{Creation, Record, RoomEvent};
use protocol::{ErrorCode, RoomId};
use room::Outcome;

use super::duties::people_of;
use super::snapshots::{Kept, unpack};
use super::timers::Timer;
use super::{Node, Output};
use crate::log::Entry;

impl Node {
    /// Takes notice that others have an elder room than this node, before the record is judged by that. Says
    /// whether it is to be judged at all.
    pub(super) fn heed(&mut self, now: Instant, entry: &Entry, record: &Record) -> bool {
        let Some(hosted) = self.rooms.get(&entry.room).filter(|hosted| hosted.room.limits().is_some()) else {
            return true;
        };
        // What is so of a room of which records were lost is said when it is founded again.
        if record.origin == self.incarnation || hosted.lost.is_some() {
            return true;
        }
        let (ours, offset) = (hosted.room.created(), hosted.room.offset());
        match &record.event {
            RoomEvent::HostAdded { creation: Some(Creation::At { offset: theirs, as_of }), .. }
                if *as_of < entry.offset && is_elder(Some(*theirs), ours, *as_of) =>
            {
                self.give_up_room(now, entry);
                self.keep(now, entry, record)
            }
            // Another one was written before the log lost its newest records.
            RoomEvent::Snapshot { as_of, state } if *as_of < entry.offset => {
                let Some(room) = unpack(&entry.room, record.rules, state).filter(|room| room.is_host(record.origin))
                else {
                    return true;
                };
                if is_elder(room.created(), ours, *as_of) {
                    self.give_up_room(now, entry);
                    if offset == *as_of {
                        self.unknown.remove(&entry.room);
                        self.insert(room);
                        return true;
                    }
                    if self.caught_up {
                        // It is written down again for whoever does not know it.
                        let creation = Some(Creation::Own);
                        let (incarnation, node) = (self.incarnation, self.config.node.clone());
                        self.append_own(&entry.room, None, RoomEvent::HostAdded { incarnation, node, creation });
                    }
                    return self.keep(now, entry, record);
                }
                if room.created() == ours {
                    self.compare(entry, room, *as_of);
                } else {
                    self.contradict(&entry.room);
                }
                true
            }
            _ => true,
        }
    }

    /// Answers a host that was refused because it does not know this room.
    pub(super) fn answer_ignorance(&mut self, room: &RoomId, record: &Record, outcome: &Outcome) {
        let refused = matches!(record.event, RoomEvent::HostAdded { .. })
            && *outcome == Outcome::Rejected(ErrorCode::WrongState)
            && record.origin != self.incarnation;
        if refused {
            self.contradict(room);
        }
    }

    /// Says which room this is, if it is this node's to say; otherwise remembers that somebody has to.
    fn contradict(&mut self, room: &RoomId) {
        let (incarnation, node) = (self.incarnation, self.config.node.clone());
        let Some(hosted) = self.rooms.get_mut(room) else { return };
        hosted.is_contested = true;
        if hosted.room.is_host(incarnation) {
            let creation = hosted.room.creation();
            self.append_own(room, None, RoomEvent::HostAdded { incarnation, node, creation });
        }
    }

    /// After a host said which room this is: it is written down for whoever did not know it, who has kept everything
    /// from there on.
    pub(super) fn write_down_contested(&mut self, now: Instant, room: &RoomId, record: &Record) {
        let RoomEvent::HostAdded { creation, .. } = record.event else { return };
        let me = self.incarnation;
        let Some(hosted) = self.rooms.get_mut(room).filter(|hosted| hosted.room.is_host(me)) else { return };
        let says_so = hosted.room.is_host(record.origin) && creation != Some(Creation::Own);
        if says_so && std::mem::take(&mut hosted.is_contested) {
            // Of several hosts one is first, and the others see that it is done.
            let stagger = self.config.answer_timeout / 20 * u32::from(me.0.to_le_bytes()[0]) / 256;
            self.timers.set(now + stagger, Timer::Snapshot(room.clone()));
        }
    }

    /// Whether this node had another room of this name, and does not know this one yet.
    pub(super) fn gave_up(&self, room: &RoomId) -> bool {
        self.unknown.get(room).is_some_and(|kept| kept.gave_up.is_some())
    }

    /// Whether this node has just found out that it does not know a room that lives, and does not know it yet.
    pub(super) fn is_ignorant_of(&self, now: Instant, room: &RoomId) -> bool {
        let gave_up = self.unknown.get(room).and_then(|kept| kept.gave_up);
        gave_up.is_some_and(|at| now.saturating_duration_since(at) < self.ignorance_max())
    }

    /// How long a room is waited for that others have. If it cannot be written down, it is found out again.
    fn ignorance_max(&self) -> Duration {
        2 * self.config.answer_timeout
    }

    /// Forgets a room that others have another, elder one of: for its people here it is over.
    fn give_up_room(&mut self, now: Instant, entry: &Entry) {
        let id = &entry.room;
        let Some(hosted) = self.rooms.remove(id) else { return };
        let people = people_of(&hosted.room);
        self.pending -= hosted.pending.len();
        self.participants = self.participants.saturating_sub(people.len());
        for (key, pending) in hosted.pending {
            self.timers.cancel(&Timer::Answer(id.clone(), key));
            // They ask again, and elsewhere or of the elder room.
            self.resolve(pending.ticket, Err(ErrorCode::LogUnavailable));
        }
        for participant in &people {
            self.unwatch(id, *participant);
        }
        self.timers.cancel(&Timer::Empty(id.clone()));
        self.timers.cancel(&Timer::Snapshot(id.clone()));
        self.timers.cancel(&Timer::Refound(id.clone()));
        if hosted.room.is_host(self.incarnation) {
            self.say_over(id, hosted.room.seq() + 1, people);
            self.outputs.push_back(Output::Ignorant { room: id.clone(), offset: entry.offset });
        }
        // In the past that is being read nobody waits for it.
        let gave_up = self.caught_up.then_some(now);
        self.unknown.insert(id.clone(), Kept::instead(now, gave_up));
    }
}

/// Whether a room that was created at `theirs` and lived at `as_of` is the one of this name, and not ours. Rooms of
/// older rules do not know when they were created: before all others.
fn is_elder(theirs: Option<u64>, ours: Option<u64>, as_of: u64) -> bool {
    theirs < ours && ours.is_some_and(|ours| ours <= as_of)
}
