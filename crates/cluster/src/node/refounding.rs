//! Rooms of which the log lost records that this node had applied.
//!
//! Whoever had read the same goes on alike: each keeps its room in memory and applies on top of it what the log has in
//! place of what was lost. But others had read less of it, or begin to read now. For them one founds the room again, by
//! writing it down ([`RoomEvent::Refounded`]). It counts if its writer had read everything of the room that stands
//! before it, which all readers can tell; so of several the first counts, and what others wrote meanwhile is judged, by
//! what the writer knows. Who knows more of what was lost than a founding that counts does not adopt it, but founds the
//! room once more. Until a room is founded again this node writes nothing else of it: what is asked waits.

use std::time::{Duration, Instant};

use protocol::event::{Binding, Record, RequestKey, RoomEvent, Salvaged};
use protocol::{ParticipantId, RoomId};
use room::{Change, LeaveReason, Participant, Room};

use super::duties::people_of;
use super::hosted::Hosted;
use super::proposal::enters;
use super::snapshots::{pack, unpack};
use super::timers::Timer;
use super::{Applied, Node, Output};
use crate::log::{Cut, Entry};

/// Rooms that ended and are remembered. More do not end in one part of the log in the moment before it loses that.
const ENDED_MAX: usize = 1024;

/// What is special about a room that was not founded again yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    /// How much this node knows.
    known: Salvaged,
    /// No node counts more events.
    seq: u64,
}

impl Lost {
    /// Notes that another record is on top of what was lost. It counts for those who lost nothing, perhaps.
    pub(super) fn count(&mut self) {
        self.seq += 1;
    }
}

impl Node {
    /// Goes on where the log goes on, with every room as it is here.
    pub(super) fn cut(&mut self, now: Instant, cut: Cut) {
        for (_, kept) in self.unknown.iter_mut().filter(|(id, _)| cut.concerns(id)) {
            kept.cut(cut.end);
        }
        for room in self.ended.extract_if(.., |room| cut.concerns(room.id()) && room.offset() >= cut.end) {
            // It was over, and has to be for all who read that it is not.
            let hosted = self.rooms.entry(room.id().clone()).or_insert_with(|| Hosted::new(room.id().clone()));
            if hosted.room.limits().is_none() {
                hosted.next_offset = room.offset().saturating_add(1);
                hosted.room = room;
            }
        }
        let mut lost = Vec::new();
        for (id, hosted) in
            self.rooms.iter_mut().filter(|(id, hosted)| cut.concerns(id) && hosted.next_offset > cut.end)
        {
            let known = Salvaged { time_ms: hosted.room.time_ms(), offset: hosted.room.offset() };
            hosted.lost.get_or_insert(Lost { known, seq: hosted.room.seq() });
            hosted.room.rewind(cut.end);
            hosted.next_offset = cut.end;
            lost.push(id.clone());
        }
        for id in lost {
            self.refound_soon(now, &id);
        }
    }

    /// Founds a room again, soon. Hosts are the first, of several hosts one is, and the others see that it is done.
    fn refound_soon(&mut self, now: Instant, id: &RoomId) {
        let stagger = self.config.answer_timeout / 20 * u32::from(self.incarnation.0.to_le_bytes()[0]) / 256;
        let wait = if self.is_host(id) { Duration::ZERO } else { self.config.answer_timeout / 2 };
        self.timers.set(now + wait + stagger, Timer::Refound(id.clone()));
    }

    pub(super) fn refound_due(&mut self, now: Instant, id: &RoomId) {
        let Some((hosted, lost)) = self.rooms.get(id).and_then(|hosted| Some((hosted, hosted.lost?))) else { return };
        if self.fenced {
            return;
        }
        if hosted.lacks_events {
            // Others know more of it.
            self.go_on(id);
            return;
        }
        match pack(&hosted.room.refounded(lost.seq)) {
            Some(state) => {
                let (read_to, salvaged) = (hosted.next_offset, lost.known);
                self.append_own(id, None, RoomEvent::Refounded { read_to, salvaged, state });
                // Should it not come back.
                self.timers.set(now + self.config.answer_timeout, Timer::Refound(id.clone()));
            }
            None => {
                // Those who had read the same have the same room all the same.
                self.outputs.push_back(Output::TooLarge { room: id.clone() });
                self.go_on(id);
            }
        }
    }

    /// Takes a room that was founded again in place of what is known of it, if that counts.
    pub(super) fn refounded(&mut self, now: Instant, entry: &Entry, record: &Record) {
        let RoomEvent::Refounded { read_to, salvaged, state } = &record.event else { return };
        let id = &entry.room;
        let room = unpack(id, record.rules, state);
        if room.is_none() {
            self.outputs.push_back(Output::SetAside { room: id.clone(), offset: entry.offset });
        }
        let lost = self.rooms.get(id).and_then(|hosted| hosted.lost);
        let counts = self.read_of(id).is_some_and(|(next, time_ms)| {
            next <= *read_to && *read_to <= entry.offset && room.as_ref().is_some_and(|room| room.time_ms() >= time_ms)
        });
        match (room.filter(|_| counts), lost) {
            (Some(room), None) => self.replace(now, entry, room),
            (Some(room), Some(lost)) if *salvaged >= lost.known => self.replace(now, entry, room),
            // Something that this node knows is missing.
            (Some(_), Some(_)) => self.refound_soon(now, id),
            (None, Some(_)) if record.origin == self.incarnation => self.refound_soon(now, id),
            (None, _) => {}
        }
    }

    /// From where on a room was not read, and the time up to there; `None` if that is not known.
    fn read_of(&self, id: &RoomId) -> Option<(u64, u64)> {
        if let Some(hosted) = self.rooms.get(id) {
            return Some((hosted.next_offset, hosted.room.time_ms()));
        }
        let kept = self.unknown.get(id).and_then(|kept| kept.newest_entry());
        let kept = kept.map(|entry| (entry.offset.saturating_add(1), entry.time_ms));
        let ended = self.ended.iter().rev().find(|room| room.id() == id);
        let ended = ended.map(|room| (room.offset().saturating_add(1), room.time_ms()));
        // Of a room that lives something is in the past that is read, unless it was lost.
        kept.or(ended).or(Some((0, 0)))
    }

    fn replace(&mut self, now: Instant, entry: &Entry, room: Room) {
        let (id, me) = (&entry.room, self.incarnation);
        self.unknown.remove(id);
        let before = self.rooms.get(id).map(|hosted| hosted.room.clone());
        let is_alike = before.as_ref().is_some_and(|before| before.is_alike(&room));
        let was_host = before.as_ref().is_some_and(|before| before.is_host(me));
        let is_over = room.limits().is_none();
        let (is_fenced, is_host, seq) = (room.has_lost(me), room.is_host(me), room.seq());
        self.insert(room);
        if let Some(hosted) = self.rooms.get_mut(id) {
            // Whoever wrote it lacked none.
            hosted.lacks_events = false;
        }
        self.outputs.push_back(Output::Refounded { room: id.clone(), offset: entry.offset });
        if !is_alike {
            let broken = self.rooms.get_mut(id).map(|hosted| std::mem::take(&mut hosted.broken)).unwrap_or_default();
            let people = before.iter().flat_map(people_of).collect::<Vec<_>>();
            for participant in &people {
                self.unwatch(id, *participant);
            }
            if is_host {
                self.follow_all(now, id);
            }
            for (_, broken) in broken {
                self.keep_holding(now, id, broken.binding, broken.closing);
            }
            if is_over && was_host {
                self.say_over(id, seq, people);
            } else if was_host || is_host {
                self.say_replaced(id, before.as_ref());
            }
        }
        if is_host {
            self.write_down_soon(now, id);
        }
        if is_fenced {
            self.fence();
        }
        self.go_on(id);
        self.hold_strangers(now, id, before.as_ref());
    }

    /// People who are bound to this node under bindings that it did not know have no socket here.
    fn hold_strangers(&mut self, now: Instant, id: &RoomId, before: Option<&Room>) {
        let known = |binding: Binding| {
            before
                .and_then(|room| room.participant(binding.participant))
                .is_some_and(|known| known.binding() == binding)
        };
        let people = self.room(id).into_iter().flat_map(Room::participants).map(Participant::binding);
        let strangers: Vec<Binding> =
            people.filter(|binding| binding.incarnation == self.incarnation && !known(*binding)).collect();
        for binding in strangers {
            self.keep_holding(now, id, binding, false);
            self.append_own(id, Some(binding), RoomEvent::Held { closing: false });
        }
    }

    /// Tells the server that a room that it has is over.
    pub(super) fn say_over(&mut self, id: &RoomId, seq: u64, people: Vec<ParticipantId>) {
        for change in people.into_iter().map(gone).chain([Change::Ended]) {
            self.outputs.push_back(Output::Changed(Applied { room: id.clone(), seq, change }));
        }
    }

    /// Tells the server that a room is not as it was here: who of those it knew is gone or somewhere else, and that all
    /// have to look again.
    pub(super) fn say_replaced(&mut self, id: &RoomId, before: Option<&Room>) {
        let Some(room) = self.rooms.get(id).map(|hosted| &hosted.room) else { return };
        let difference = |known: &Participant| match room.participant(known.id()) {
            None => Some(gone(known.id())),
            Some(now) if now.binding() != known.binding() => Some(Change::Returned { binding: now.binding() }),
            Some(_) => None,
        };
        let people = before.into_iter().flat_map(Room::participants);
        for change in people.filter_map(difference).chain([Change::Replaced]) {
            self.outputs.push_back(Output::Changed(Applied { room: id.clone(), seq: room.seq(), change }));
        }
    }

    /// Writes of a room as of any other again. What was asked meanwhile, or was on its way when the log lost it, is
    /// appended; should it be there already, it is a repeat.
    fn go_on(&mut self, id: &RoomId) {
        self.timers.cancel(&Timer::Refound(id.clone()));
        let Some(hosted) = self.rooms.get_mut(id).filter(|hosted| hosted.lost.is_some()) else { return };
        hosted.lost = None;
        hosted.announced = false;
        let keys: Vec<RequestKey> = hosted.pending.keys().copied().collect();
        if hosted.pending.values().any(|pending| enters(&pending.record.event)) {
            self.announce(id);
        }
        for key in keys {
            if let Some(pending) = self.take_pending(id, key) {
                self.append_again(id, pending);
            }
        }
    }

    /// Remembers a room that ended, should the log lose that.
    pub(super) fn remember_end(&mut self, room: Room) {
        self.ended.retain(|ended| ended.id() != room.id());
        if self.ended.len() >= ENDED_MAX {
            self.ended.remove(0);
        }
        self.ended.push(room);
    }
}

/// Somebody who is not in the room any more, for a server that knew them.
fn gone(participant: ParticipantId) -> Change {
    Change::Left { participant, reason: LeaveReason::GraceExpired }
}
