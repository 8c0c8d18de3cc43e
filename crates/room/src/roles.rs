//! `RoleChanged`, and who is the host of the meeting. (The nodes that carry a room, which are called its hosts too, have
//! no part in this.)
//!
//! Whoever comes into an empty room is its host, and there is exactly one as long as anybody is in. Being held is not
//! being gone: the host who reloads stays the host.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId, Role};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::permissions;
use crate::state::{Participant, Room};

/// Somebody who asks for what only some may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) id: ParticipantId,
    pub(crate) role: Role,
}

impl Actor {
    /// Whether this is the host or a co-host.
    pub(crate) fn moderates(self) -> bool {
        self.role <= Role::CoHost
    }

    /// Whether they may do something to somebody else: the host to all, co-hosts to those who are neither.
    pub(crate) fn is_above(self, other: &Participant) -> bool {
        self.moderates() && self.role < other.role
    }

    /// The one that they want to do something to.
    pub(crate) fn subject(self, room: &mut Room, id: ParticipantId) -> Result<&mut Participant, ErrorCode> {
        let subject = room.participants.get_mut(&id).ok_or(ErrorCode::NotFound)?;
        if self.is_above(subject) { Ok(subject) } else { Err(ErrorCode::Forbidden) }
    }
}

/// Who asks. Rooms of older rules have no roles.
pub(crate) fn actor(room: &mut Room, record: &Record) -> Result<Actor, ErrorCode> {
    let has_roles = room.settings.is_some();
    let Participant { role, .. } = *room.bound(record)?;
    let id = record.binding.ok_or(ErrorCode::BadRequest)?.participant;
    if has_roles { Ok(Actor { id, role }) } else { Err(ErrorCode::WrongState) }
}

/// Who asks for what only the host and co-hosts may do.
pub(crate) fn moderator(room: &mut Room, record: &Record) -> Result<Actor, ErrorCode> {
    let actor = actor(room, record)?;
    if actor.moderates() { Ok(actor) } else { Err(ErrorCode::Forbidden) }
}

pub(crate) fn changed(room: &mut Room, record: &Record, target: ParticipantId, role: Role) -> Verdict {
    let actor = moderator(room, record)?;
    let subject = actor.subject(room, target)?;
    if actor.role != Role::Host && role <= Role::CoHost {
        return Err(ErrorCode::Forbidden);
    }
    if std::mem::replace(&mut subject.role, role) == role {
        return Ok(Effect::default());
    }
    let by = Some(actor.id);
    let mut changes = vec![Change::RoleChanged { participant: target, role, by }];
    if role == Role::Host
        && let Some(former) = room.participants.get_mut(&actor.id)
    {
        former.role = Role::CoHost;
        changes.push(Change::RoleChanged { participant: actor.id, role: Role::CoHost, by });
    }
    changes.extend(permissions::restrict(room, target, actor.id));
    Ok(Effect { binding: None, changes })
}

/// The role of whoever enters now.
pub(crate) fn of_newcomer(room: &Room) -> Role {
    if room.settings.is_some() && room.participants.is_empty() { Role::Host } else { Role::Participant }
}

/// Makes somebody the host if nobody is any more: of the co-hosts, else of the participants, else of the viewers the one
/// who joined first.
pub(crate) fn succeed(room: &mut Room) -> Option<Change> {
    room.settings?;
    let next = room.participants.values_mut().min_by_key(|participant| (participant.role, participant.joined))?;
    if next.role == Role::Host {
        return None;
    }
    next.role = Role::Host;
    Some(Change::RoleChanged { participant: next.id(), role: Role::Host, by: None })
}

#[cfg(test)]
mod tests {
    use protocol::event::{Binding, RoomEvent};
    use protocol::{DataProducerId, ProducerId, Source};

    use super::*;
    use crate::change::LeaveReason;
    use crate::testing::{HERE, Story, accepted, binding, changes, produce, rejected, set_role};

    fn roles(story: &Story) -> Vec<(u64, Role)> {
        story.room.snapshot().participants.iter().map(|participant| (participant.id.0, participant.role)).collect()
    }

    fn became(by: Option<Binding>, whom: Binding, role: Role) -> Change {
        Change::RoleChanged { participant: whom.participant, role, by: by.map(|by| by.participant) }
    }

    #[test]
    fn the_first_is_the_host_and_the_others_are_participants() {
        let mut story = Story::new();
        let (a, _) = (story.joined(1), story.joined(2));
        assert_eq!(roles(&story), [(1, Role::Host), (2, Role::Participant)]);
        story.own(HERE, Some(a), RoomEvent::Held { closing: true });
        story.join(1, 9);
        assert_eq!(roles(&story)[0], (1, Role::Host), "who reloads is the host as before");
    }

    #[test]
    fn the_host_gives_roles_and_hands_over() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        let outcome = story.ask(a, 1, set_role(c, Role::CoHost));
        assert_eq!(changes(&outcome), [became(Some(a), c, Role::CoHost)]);
        assert_eq!(changes(&story.ask(a, 2, set_role(c, Role::CoHost))), [], "they are one already");
        let outcome = story.ask(a, 3, set_role(b, Role::Host));
        assert_eq!(changes(&outcome), [became(Some(a), b, Role::Host), became(Some(a), a, Role::CoHost)]);
        assert_eq!(roles(&story), [(1, Role::CoHost), (2, Role::Host), (3, Role::CoHost)]);
        assert_eq!(story.ask(a, 4, set_role(b, Role::Viewer)), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn nobody_changes_their_own_role_and_nobody_that_of_who_is_not_there() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        for (n, role) in (1..).zip([Role::Host, Role::CoHost, Role::Participant]) {
            assert_eq!(story.ask(a, n, set_role(a, role)), rejected(ErrorCode::Forbidden));
        }
        story.ask(b, 1, RoomEvent::Left {});
        assert_eq!(story.ask(a, 9, set_role(b, Role::CoHost)), rejected(ErrorCode::NotFound));
    }

    #[test]
    fn a_co_host_gives_only_the_roles_below() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        story.ask(a, 1, set_role(b, Role::CoHost));
        for (n, wanted) in (1..).zip([set_role(c, Role::CoHost), set_role(c, Role::Host), set_role(a, Role::Viewer)]) {
            assert_eq!(story.ask(b, n, wanted), rejected(ErrorCode::Forbidden));
        }
        accepted(&story.ask(b, 5, set_role(c, Role::Viewer)));
        accepted(&story.ask(b, 6, set_role(c, Role::Participant)));
        assert_eq!(story.ask(c, 1, set_role(b, Role::Viewer)), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn who_becomes_a_viewer_publishes_nothing_any_more() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.produce(b, Source::Mic);
        story.produce(b, Source::Screen);
        story.ask(b, 1, RoomEvent::DataProducerAdded { number: 7, label: String::new(), protocol: String::new() });
        let outcome = story.ask(a, 1, set_role(b, Role::Viewer));
        let closed = |source| Change::ProducerClosed {
            producer: ProducerId { participant: b.participant, source },
            by: Some(a.participant),
        };
        let data_producer = DataProducerId { participant: b.participant, number: 7 };
        let channel = Change::DataProducerClosed { data_producer };
        let viewer = became(Some(a), b, Role::Viewer);
        assert_eq!(changes(&outcome), [viewer, closed(Source::Mic), closed(Source::Screen), channel]);
        assert_eq!(story.ask(b, 2, produce(Source::Mic)), rejected(ErrorCode::Forbidden));
        let muted = RoomEvent::ProducerAdded { source: Source::Mic, kind: Source::Mic.kind(), paused: true };
        assert_eq!(story.ask(b, 3, muted), rejected(ErrorCode::Forbidden));
        let channel = RoomEvent::DataProducerAdded { number: 8, label: String::new(), protocol: String::new() };
        assert_eq!(story.ask(b, 4, channel), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn when_the_host_is_gone_the_longest_standing_of_the_highest_role_is_the_next() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        story.ask(a, 1, set_role(c, Role::CoHost));
        let outcome = story.ask(a, 2, RoomEvent::Left {});
        let left = |gone: Binding, reason| Change::Left { participant: gone.participant, reason };
        assert_eq!(changes(&outcome), [left(a, LeaveReason::Left), became(None, c, Role::Host)]);
        // A reload changes the binding and not who came first.
        let d = story.joined(4);
        let b = { binding(&story.join(b.participant.0, 9)) };
        story.own(HERE, Some(c), RoomEvent::Held { closing: false });
        let outcome = story.own(HERE, Some(c), RoomEvent::GraceExpired {});
        assert_eq!(changes(&outcome), [left(c, LeaveReason::GraceExpired), became(None, b, Role::Host)]);
        accepted(&story.own(HERE, Some(b), set_role(d, Role::Viewer)));
        let outcome = story.own(HERE, Some(b), RoomEvent::Left {});
        assert_eq!(changes(&outcome)[1..], [became(None, d, Role::Host)], "a viewer, where there is nobody else");
    }

    #[test]
    fn who_leaves_and_was_not_the_host_has_no_successor() {
        let mut story = Story::new();
        let (_, b) = (story.joined(1), story.joined(2));
        assert_eq!(changes(&story.ask(b, 1, RoomEvent::Left {})).len(), 1);
    }
}
