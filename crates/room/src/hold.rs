//! `Held` and `GraceExpired`: a broken socket is not a leave. Any host may say either; the first counts.

use protocol::ErrorCode;
use protocol::event::Record;

use crate::apply::Verdict;
use crate::change::{Change, LeaveReason};
use crate::leave;
use crate::state::Room;

pub(crate) fn held(room: &mut Room, record: &Record) -> Verdict {
    let now_ms = room.time_ms;
    let participant = room.bound(record)?;
    if participant.held_since_ms.is_some() {
        return Err(ErrorCode::WrongState);
    }
    participant.held_since_ms = Some(now_ms);
    Ok(Change::Held { binding: participant.binding }.into())
}

pub(crate) fn grace_expired(room: &mut Room, record: &Record) -> Verdict {
    let participant = room.bound(record)?;
    if participant.held_since_ms.is_none() {
        return Err(ErrorCode::WrongState);
    }
    let id = participant.id();
    Ok(leave::remove(room, id, LeaveReason::GraceExpired))
}

#[cfg(test)]
mod tests {
    use protocol::Source;
    use protocol::event::RoomEvent;

    use super::*;
    use crate::testing::{HERE, Story, THERE, accepted, changes, produce, rejected};

    #[test]
    fn who_is_held_stays_in_the_room_with_what_they_publish() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.produce(a, Source::Mic);
        let before = story.view(1);
        let outcome = story.own(HERE, Some(a), RoomEvent::Held {});
        assert_eq!(changes(&outcome), [Change::Held { binding: a }]);
        assert_eq!(story.view(1), before);
    }

    #[test]
    fn the_first_of_several_hosts_counts() {
        let mut story = Story::new();
        let a = story.joined(1);
        accepted(&story.own(THERE, Some(a), RoomEvent::Held {}));
        assert_eq!(story.own(HERE, Some(a), RoomEvent::Held {}), rejected(ErrorCode::WrongState));
        story.joined(2);
        accepted(&story.own(HERE, Some(a), RoomEvent::GraceExpired {}));
        assert_eq!(story.own(THERE, Some(a), RoomEvent::GraceExpired {}), rejected(ErrorCode::NotJoined));
    }

    #[test]
    fn grace_expires_for_the_held_only() {
        let mut story = Story::new();
        story.joined(2);
        let a = story.joined(1);
        assert_eq!(story.own(HERE, Some(a), RoomEvent::GraceExpired {}), rejected(ErrorCode::WrongState));
        story.own(HERE, Some(a), RoomEvent::Held {});
        let outcome = story.own(HERE, Some(a), RoomEvent::GraceExpired {});
        let left = Change::Left { participant: a.participant, reason: LeaveReason::GraceExpired };
        assert_eq!(changes(&outcome), [left]);
    }

    #[test]
    fn a_request_under_way_when_the_socket_broke_still_counts() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.own(HERE, Some(a), RoomEvent::Held {});
        accepted(&story.ask(a, 1, produce(Source::Mic)));
    }
}
