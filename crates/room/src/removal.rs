//! `Removed` and `MeetingEnded`: who is sent out, and when all are.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId, Role};

use crate::apply::{Effect, Verdict};
use crate::change::{Change, LeaveReason};
use crate::leave;
use crate::roles::moderator;
use crate::state::Room;

/// Their session is over, for whoever has a token of it too.
pub(crate) fn removed(room: &mut Room, record: &Record, target: ParticipantId) -> Verdict {
    let actor = moderator(room, record)?;
    actor.subject(room, target)?;
    Ok(leave::remove(room, target, LeaveReason::Removed { by: actor.id }))
}

pub(crate) fn meeting_ended(room: &mut Room, record: &Record) -> Verdict {
    if moderator(room, record)?.role != Role::Host {
        return Err(ErrorCode::Forbidden);
    }
    let people = room.participants.keys();
    let left = people.map(|id| Change::Left { participant: *id, reason: LeaveReason::MeetingEnded });
    Ok(Effect { binding: None, changes: left.chain([Change::Ended]).collect() })
}

#[cfg(test)]
mod tests {
    use protocol::SessionId;
    use protocol::event::{Binding, RoomEvent};

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, Story, THERE, accepted, changes, rejected, set_role};

    fn remove(whom: Binding) -> RoomEvent {
        RoomEvent::Removed { target: whom.participant }
    }

    #[test]
    fn who_is_removed_is_gone_and_so_is_their_session() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        let outcome = story.ask(a, 1, remove(b));
        let reason = LeaveReason::Removed { by: a.participant };
        assert_eq!(changes(&outcome), [Change::Left { participant: b.participant, reason }]);
        assert_eq!(story.ask(b, 1, RoomEvent::HandRaised {}), Outcome::Repeated(Err(ErrorCode::Removed)));
        assert_eq!(story.resume(THERE, 2, 2), rejected(ErrorCode::Removed));
        assert_eq!(story.join(2, 2), Outcome::Repeated(Err(ErrorCode::Removed)));
        assert_eq!(story.room.ended_with(SessionId(2)), Some(ErrorCode::Removed));
        accepted(&story.join(4, 4));
        assert_eq!(story.ask(a, 2, remove(b)), rejected(ErrorCode::NotFound));
    }

    #[test]
    fn who_is_held_can_be_removed() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.own(HERE, Some(b), RoomEvent::Held { closing: false });
        accepted(&story.ask(a, 1, remove(b)));
        assert_eq!(story.resume(HERE, 2, 2), rejected(ErrorCode::Removed));
    }

    #[test]
    fn nobody_removes_themselves_or_those_above() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        story.ask(a, 1, set_role(b, Role::CoHost));
        assert_eq!(story.ask(a, 2, remove(a)), rejected(ErrorCode::Forbidden));
        assert_eq!(story.ask(b, 1, remove(a)), rejected(ErrorCode::Forbidden));
        assert_eq!(story.ask(c, 1, remove(b)), rejected(ErrorCode::Forbidden));
        accepted(&story.ask(b, 2, remove(c)));
    }

    #[test]
    fn the_host_alone_ends_the_meeting_for_everybody() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.ask(a, 1, set_role(b, Role::CoHost));
        assert_eq!(story.ask(b, 1, RoomEvent::MeetingEnded {}), rejected(ErrorCode::Forbidden));
        let outcome = story.ask(a, 2, RoomEvent::MeetingEnded {});
        let left = |whose: Binding| Change::Left { participant: whose.participant, reason: LeaveReason::MeetingEnded };
        assert_eq!(changes(&outcome), [left(a), left(b), Change::Ended]);
        assert_eq!((story.room.limits(), story.room.participants().len()), (None, 0));
        assert_eq!(story.resume(HERE, 2, 2), Outcome::NoRoom);
    }
}
