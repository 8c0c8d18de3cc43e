//! `Joined`: somebody enters, or comes back with a new session after a reload.
//!
//! Whoever comes back is the same participant: others see neither leave nor join, only a new name if there is
//! one. Their producers stay, with their ids, so that the consumers of others survive until the new page
//! publishes again. It finds them in its snapshot and closes at once those that it will not publish; what it
//! neither publishes nor closes is closed by `SourcesExpired`, so that no tile stays dead.

use std::collections::BTreeMap;

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId, SessionId};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::requests::Window;
use crate::state::{Participant, Room};
use crate::{rename, roles, video_codecs};

/// Who enters, as the record says.
pub(crate) struct Joining<'a> {
    pub(crate) id: ParticipantId,
    pub(crate) session: SessionId,
    pub(crate) name: &'a str,
    pub(crate) video_codecs: &'a [String],
}

pub(crate) fn joined(room: &mut Room, record: &Record, joining: Joining<'_>) -> Verdict {
    let Joining { id, session, name, .. } = joining;
    rename::check(room, name)?;
    if room.ended.contains(session) {
        return Err(ErrorCode::SessionExpired);
    }
    let of_another = room.participants.get(&id).is_none_or(|participant| participant.session != session);
    if of_another && room.sessions.contains_key(&session) {
        return Err(ErrorCode::Forbidden);
    }
    if room.participants.contains_key(&id) { returned(room, record, joining) } else { entered(room, record, joining) }
}

fn entered(room: &mut Room, record: &Record, Joining { id, session, name, video_codecs }: Joining<'_>) -> Verdict {
    let participants_max = room.limits.map_or(0, |limits| limits.participants_max);
    if room.participants.len() as u64 >= u64::from(participants_max) {
        return Err(ErrorCode::RoomFull);
    }
    if room.settings.is_some_and(|settings| settings.locked) {
        return Err(ErrorCode::RoomLocked);
    }
    let role = roles::of_newcomer(room);
    let binding = room.bind(id, record.origin);
    let participant = Participant {
        name: name.to_owned(),
        session,
        generation: 0,
        binding,
        joined: binding.number,
        role,
        hand: None,
        held_until_ms: None,
        producers: BTreeMap::new(),
        data_producers: BTreeMap::new(),
        video_codecs: video_codecs.to_vec(),
    };
    let mut changes = vec![Change::Joined { participant: participant.view(), binding }];
    room.participants.insert(id, participant);
    changes.extend(video_codecs::agree(room));
    room.sessions.insert(session, Window::default());
    Ok(Effect { binding: Some(binding), changes })
}

fn returned(room: &mut Room, record: &Record, Joining { id, session, name, video_codecs }: Joining<'_>) -> Verdict {
    let binding = room.bind(id, record.origin);
    let participant = room.participants.get_mut(&id).ok_or(ErrorCode::NotFound)?;
    let earlier = participant.session;
    let mut changes = participant.rebind(binding, session);
    if participant.name != name {
        name.clone_into(&mut participant.name);
        changes.push(Change::Renamed { participant: id, name: name.to_owned() });
    }
    video_codecs.clone_into(&mut participant.video_codecs);
    if earlier != session {
        room.end_session(earlier, ErrorCode::Superseded);
        room.sessions.insert(session, Window::default());
    }
    changes.extend(video_codecs::agree(room));
    Ok(Effect { binding: Some(binding), changes })
}

#[cfg(test)]
mod tests {
    use protocol::Source;
    use protocol::event::RoomEvent;

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, Story, accepted, binding, changes, rejected};

    #[test]
    fn a_join_is_seen_and_makes_a_binding() {
        let mut story = Story::new();
        let outcome = story.join_as(1, 1, "Anna");
        let binding = binding(&outcome);
        assert_eq!((binding.participant, binding.incarnation), (ParticipantId(1), HERE));
        let joined = Change::Joined { participant: story.view(1), binding };
        assert_eq!(changes(&outcome), [joined]);
    }

    #[test]
    fn the_snapshot_lists_people_in_the_order_of_joining() {
        let mut story = Story::new();
        for participant in [7, 3, 5] {
            story.joined(participant);
        }
        story.resume(HERE, 7, 7);
        let snapshot = story.room.snapshot();
        assert_eq!(snapshot.seq, story.room.seq());
        let order: Vec<u64> = snapshot.participants.iter().map(|participant| participant.id.0).collect();
        assert_eq!(order, [7, 3, 5]);
    }

    #[test]
    fn a_full_room_refuses_newcomers_but_not_those_who_come_back() {
        let mut story = Story::new();
        for participant in 1..=3 {
            story.joined(participant);
        }
        assert_eq!(story.join(4, 4), rejected(ErrorCode::RoomFull));
        accepted(&story.join(1, 11));
        assert_eq!(story.room.participants().len(), 3);
    }

    #[test]
    fn a_refused_join_stays_refused_and_another_session_may_try() {
        let mut story = Story::new();
        for participant in 1..=3 {
            story.joined(participant);
        }
        story.join(4, 4);
        let leaver = story.room.participant(ParticipantId(1)).expect("a participant").binding();
        story.ask(leaver, 1, RoomEvent::Left {});
        assert_eq!(story.join(4, 4), Outcome::Repeated(Err(ErrorCode::RoomFull)));
        accepted(&story.join(4, 5));
    }

    #[test]
    fn names_have_a_length() {
        let mut story = Story::new();
        assert_eq!(story.join_as(1, 1, ""), rejected(ErrorCode::BadRequest));
        assert_eq!(story.join_as(1, 2, "seventeen letters"), rejected(ErrorCode::BadRequest));
        accepted(&story.join_as(1, 3, "sixteen  letters"));
    }

    #[test]
    fn a_reload_is_neither_leave_nor_join() {
        let mut story = Story::new();
        let before = story.joined(1);
        story.produce(before, Source::Mic);
        story.own(HERE, Some(before), RoomEvent::Held { closing: false });
        let outcome = story.join(1, 2);
        let after = binding(&outcome);
        assert!(after.number > before.number);
        assert_eq!(changes(&outcome), [Change::Returned { binding: after }]);
        let participant = story.room.participant(ParticipantId(1)).expect("a participant");
        assert_eq!((participant.held_until_ms(), participant.has_inherited()), (None, true));
        assert_eq!(story.view(1).producers.len(), 1);
    }

    #[test]
    fn a_reload_may_bring_another_name() {
        let mut story = Story::new();
        story.joined(1);
        let outcome = story.join_as(1, 2, "Q");
        let renamed = Change::Renamed { participant: ParticipantId(1), name: "Q".to_owned() };
        assert_eq!(changes(&outcome)[1..], [renamed]);
    }

    #[test]
    fn a_session_that_was_taken_over_stays_out() {
        let mut story = Story::new();
        let before = story.joined(1);
        story.join(1, 2);
        assert_eq!(story.join(1, 1), Outcome::Repeated(Err(ErrorCode::Superseded)));
        assert_eq!(story.resume(HERE, 1, 1), rejected(ErrorCode::Superseded));
        let asked = story.ask(before, 1, RoomEvent::Left {});
        assert_eq!(asked, Outcome::Repeated(Err(ErrorCode::Superseded)));
    }

    #[test]
    fn a_late_copy_of_a_join_brings_no_ghost() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.joined(2);
        story.ask(a, 1, RoomEvent::Left {});
        assert_eq!(story.join(1, 1), Outcome::Repeated(Err(ErrorCode::SessionExpired)));
        assert_eq!(story.room.participants().len(), 1);
    }

    #[test]
    fn nobody_joins_with_the_session_of_another() {
        let mut story = Story::new();
        story.joined(1);
        let (participant, session) = (ParticipantId(2), SessionId(1));
        let event = RoomEvent::Joined { participant, session, name: "P".to_owned(), video_codecs: Vec::new() };
        assert_eq!(story.own(HERE, None, event), rejected(ErrorCode::Forbidden));
    }
}
