//! `Held` and `GraceExpired`: a broken socket is not a leave, and a closed page may be a reload. Any host may say
//! either; the first counts.

use protocol::ErrorCode;
use protocol::event::Record;

use crate::apply::Verdict;
use crate::change::{Change, LeaveReason};
use crate::leave;
use crate::state::Room;

pub(crate) fn held(room: &mut Room, record: &Record, closing: bool) -> Verdict {
    let until_ms = room.grace_end_ms(closing);
    let participant = room.bound(record)?;
    if participant.held_until_ms.is_some() {
        return Err(ErrorCode::WrongState);
    }
    participant.held_until_ms = Some(until_ms);
    Ok(Change::Held { binding: participant.binding }.into())
}

pub(crate) fn grace_expired(room: &mut Room, record: &Record) -> Verdict {
    let participant = room.bound(record)?;
    if participant.held_until_ms.is_none() {
        return Err(ErrorCode::WrongState);
    }
    let id = participant.id();
    Ok(leave::remove(room, id, LeaveReason::GraceExpired))
}

#[cfg(test)]
mod tests {
    use protocol::event::RoomEvent;
    use protocol::{ParticipantId, Source};

    use super::*;
    use crate::testing::{HERE, Story, THERE, accepted, binding, changes, produce, rejected};

    #[test]
    fn who_is_held_stays_in_the_room_with_what_they_publish() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.produce(a, Source::Mic);
        let before = story.view(1);
        let outcome = story.own(HERE, Some(a), RoomEvent::Held { closing: false });
        assert_eq!(changes(&outcome), [Change::Held { binding: a }]);
        assert_eq!(story.view(1), before);
    }

    #[test]
    fn who_closes_the_page_is_held_for_a_shorter_time_than_whose_socket_broke() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.time_ms = 7_000;
        accepted(&story.own(HERE, Some(a), RoomEvent::Held { closing: true }));
        accepted(&story.own(HERE, Some(b), RoomEvent::Held { closing: false }));
        let until = |id| story.room.participant(ParticipantId(id)).and_then(crate::Participant::held_until_ms);
        assert_eq!((until(1), until(2)), (Some(12_000), Some(37_000)));
    }

    #[test]
    fn a_reload_within_the_grace_time_ends_the_hold() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.own(HERE, Some(a), RoomEvent::Held { closing: true });
        let again = binding(&story.join(1, 9));
        assert_eq!(story.room.participant(ParticipantId(1)).and_then(crate::Participant::held_until_ms), None);
        assert_eq!(story.own(HERE, Some(a), RoomEvent::GraceExpired {}), rejected(ErrorCode::Superseded));
        assert_eq!(story.own(HERE, Some(again), RoomEvent::GraceExpired {}), rejected(ErrorCode::WrongState));
    }

    #[test]
    fn the_first_of_several_hosts_counts() {
        let mut story = Story::new();
        let a = story.joined(1);
        accepted(&story.own(THERE, Some(a), RoomEvent::Held { closing: false }));
        assert_eq!(story.own(HERE, Some(a), RoomEvent::Held { closing: false }), rejected(ErrorCode::WrongState));
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
        story.own(HERE, Some(a), RoomEvent::Held { closing: false });
        let outcome = story.own(HERE, Some(a), RoomEvent::GraceExpired {});
        let left = Change::Left { participant: a.participant, reason: LeaveReason::GraceExpired };
        assert_eq!(changes(&outcome), [left]);
    }

    #[test]
    fn a_request_under_way_when_the_socket_broke_still_counts() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.own(HERE, Some(a), RoomEvent::Held { closing: false });
        accepted(&story.ask(a, 1, produce(Source::Mic)));
    }
}
