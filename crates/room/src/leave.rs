//! `Left` and `RoomEnded`: the last one turns off the light.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId};

use crate::apply::{Effect, Verdict};
use crate::change::{Change, LeaveReason};
use crate::state::Room;
use crate::{roles, video_codecs};

pub(crate) fn left(room: &mut Room, record: &Record) -> Verdict {
    let id = room.bound(record)?.id();
    Ok(remove(room, id, LeaveReason::Left))
}

/// A room that was created and never entered, because its only join was refused or lost.
pub(crate) fn room_ended(room: &mut Room) -> Verdict {
    if room.participants.is_empty() { Ok(Change::Ended.into()) } else { Err(ErrorCode::WrongState) }
}

pub(crate) fn remove(room: &mut Room, id: ParticipantId, reason: LeaveReason) -> Effect {
    let error = match reason {
        LeaveReason::Removed { .. } => ErrorCode::Removed,
        LeaveReason::Left | LeaveReason::GraceExpired | LeaveReason::MeetingEnded => ErrorCode::SessionExpired,
    };
    room.remove(id, error);
    let mut changes = vec![Change::Left { participant: id, reason }];
    if room.participants.is_empty() {
        changes.push(Change::Ended);
    } else {
        changes.extend(roles::succeed(room));
        changes.extend(video_codecs::agree(room));
    }
    Effect { binding: None, changes }
}

#[cfg(test)]
mod tests {
    use protocol::event::RoomEvent;

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, Story, accepted, changes, rejected};

    #[test]
    fn a_leave_can_be_repeated() {
        let mut story = Story::new();
        story.joined(2);
        let a = story.joined(1);
        let outcome = story.ask(a, 1, RoomEvent::Left {});
        assert_eq!(changes(&outcome), [Change::Left { participant: a.participant, reason: LeaveReason::Left }]);
        assert_eq!(story.ask(a, 1, RoomEvent::Left {}), Outcome::Repeated(Ok(accepted(&outcome))));
        assert_eq!(story.ask(a, 2, RoomEvent::Left {}), Outcome::Repeated(Err(ErrorCode::SessionExpired)));
    }

    #[test]
    fn the_room_ends_with_the_last_one() {
        let mut story = Story::new();
        let a = story.joined(1);
        let outcome = story.ask(a, 1, RoomEvent::Left {});
        assert_eq!(changes(&outcome)[1..], [Change::Ended]);
        assert_eq!((story.room.limits(), story.room.seq(), story.room.hosts().count()), (None, 0, 0));
    }

    #[test]
    fn only_an_empty_room_is_ended_by_its_host() {
        let mut story = Story::new();
        let a = story.joined(1);
        assert_eq!(story.own(HERE, None, RoomEvent::RoomEnded {}), rejected(ErrorCode::WrongState));
        story.ask(a, 1, RoomEvent::Left {});
        story.create();
        story.host(HERE);
        assert_eq!(changes(&story.own(HERE, None, RoomEvent::RoomEnded {})), [Change::Ended]);
    }
}
