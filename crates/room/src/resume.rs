//! `Resumed`: the session in force comes back on a new socket, here or on another node.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId, SessionId};

use crate::apply::{Effect, Verdict};
use crate::state::Room;

pub(crate) fn resumed(
    room: &mut Room,
    record: &Record,
    id: ParticipantId,
    session: SessionId,
    generation: u32,
) -> Verdict {
    let Some(participant) = room.participants.get(&id) else {
        let removed = room.ended_with(session).filter(|error| *error == ErrorCode::Removed);
        return Err(removed.unwrap_or(ErrorCode::SessionExpired));
    };
    // Once more with the same token: its answer may have been lost, but not if it came through another node and has
    // a socket there.
    let answer_lost = participant.binding.incarnation == record.origin || participant.held_until_ms.is_some();
    let is_newest = generation > participant.generation || (generation == participant.generation && answer_lost);
    if participant.session != session || !is_newest {
        return Err(ErrorCode::Superseded);
    }
    let binding = room.bind(id, record.origin);
    let participant = room.participants.get_mut(&id).ok_or(ErrorCode::SessionExpired)?;
    participant.generation = generation;
    let changes = participant.rebind(binding, session);
    Ok(Effect { binding: Some(binding), changes })
}

#[cfg(test)]
mod tests {
    use protocol::Source;
    use protocol::event::RoomEvent;

    use super::*;
    use crate::change::Change;
    use crate::testing::{HERE, Story, THERE, binding, changes, rejected};

    #[test]
    fn who_resumes_is_no_longer_held() {
        let mut story = Story::new();
        let before = story.joined(1);
        story.own(HERE, Some(before), RoomEvent::Held { closing: false });
        let outcome = story.resume(HERE, 1, 1);
        assert_eq!(changes(&outcome), [Change::Returned { binding: binding(&outcome) }]);
        let late = story.own(HERE, Some(before), RoomEvent::GraceExpired {});
        assert_eq!(late, rejected(ErrorCode::Superseded));
        assert_eq!(story.room.participants().len(), 1);
    }

    #[test]
    fn sources_outlive_a_resume_at_the_same_node_only() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.produce(a, Source::Mic);
        story.resume(HERE, 1, 1);
        let has_inherited =
            |story: &Story| story.room.participant(ParticipantId(1)).is_some_and(crate::Participant::has_inherited);
        assert!(!has_inherited(&story));
        story.resume(THERE, 1, 1);
        assert!(has_inherited(&story));
    }

    #[test]
    fn of_two_resumes_with_one_token_the_first_counts() {
        let mut story = Story::new();
        story.joined(1);
        let resume = |story: &mut Story, origin, generation| {
            let (participant, session) = (ParticipantId(1), protocol::SessionId(1));
            story.own(origin, None, RoomEvent::Resumed { participant, session, generation })
        };
        let first = binding(&resume(&mut story, THERE, 1));
        assert_eq!(resume(&mut story, HERE, 1), rejected(ErrorCode::Superseded));
        // Its answer was lost: once more at the same node, or anywhere when nobody is there any more.
        assert!(binding(&resume(&mut story, THERE, 1)) > first);
        let newest = story.room.participant(ParticipantId(1)).expect("a participant").binding();
        story.own(THERE, Some(newest), RoomEvent::Held { closing: false });
        binding(&resume(&mut story, HERE, 1));
        assert_eq!(resume(&mut story, HERE, 0), rejected(ErrorCode::Superseded));
    }

    #[test]
    fn who_was_away_for_too_long_has_to_join() {
        let mut story = Story::new();
        story.joined(2);
        let a = story.joined(1);
        story.own(HERE, Some(a), RoomEvent::Held { closing: false });
        story.own(HERE, Some(a), RoomEvent::GraceExpired {});
        assert_eq!(story.resume(HERE, 1, 1), rejected(ErrorCode::SessionExpired));
    }
}
