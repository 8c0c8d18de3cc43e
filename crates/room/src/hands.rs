//! `HandRaised` and `HandLowered`. The number of the event that raised a hand is its place, so all see one queue.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::roles::{actor, moderator};
use crate::state::Room;

/// A hand that is up keeps its place.
pub(crate) fn raised(room: &mut Room, record: &Record) -> Verdict {
    let id = actor(room, record)?.id;
    let order = room.seq + 1;
    let participant = room.participants.get_mut(&id).ok_or(ErrorCode::NotJoined)?;
    if participant.hand.is_some() {
        return Ok(Effect::default());
    }
    participant.hand = Some(order);
    Ok(Change::HandRaised { participant: id, order }.into())
}

/// One's own, or as the host or a co-host anybody's: to call on somebody is no privilege over them.
pub(crate) fn lowered(room: &mut Room, record: &Record, target: Option<ParticipantId>) -> Verdict {
    let by_self = target.is_some_and(|target| record.binding.is_some_and(|binding| binding.participant == target));
    let by = if by_self { actor(room, record)?.id } else { moderator(room, record)?.id };
    if target.is_some_and(|target| !room.participants.contains_key(&target)) {
        return Err(ErrorCode::NotFound);
    }
    let meant = room.participants.values_mut().filter(|participant| target.is_none_or(|id| participant.id() == id));
    let up = meant.filter_map(|participant| participant.hand.take().map(|_| participant.id()));
    let changes =
        up.map(|participant| Change::HandLowered { participant, by: (participant != by).then_some(by) }).collect();
    Ok(Effect { binding: None, changes })
}

#[cfg(test)]
mod tests {
    use protocol::Role;
    use protocol::event::{Binding, RoomEvent};

    use super::*;
    use crate::testing::{HERE, Story, THERE, accepted, binding, changes, rejected, set_role};

    fn raise(story: &mut Story, whose: Binding, n: u64) -> u64 {
        accepted(&story.ask(whose, n, RoomEvent::HandRaised {})).seq
    }

    fn lower(whose: Binding) -> RoomEvent {
        RoomEvent::HandLowered { target: Some(whose.participant) }
    }

    fn hand(story: &Story, whose: Binding) -> Option<u64> {
        story.view(whose.participant.0).hand
    }

    #[test]
    fn hands_queue_in_the_order_in_which_they_were_raised() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        let outcome = story.ask(b, 1, RoomEvent::HandRaised {});
        let first = accepted(&outcome).seq;
        assert_eq!(changes(&outcome), [Change::HandRaised { participant: b.participant, order: first }]);
        raise(&mut story, a, 1);
        assert_eq!(changes(&story.ask(b, 2, RoomEvent::HandRaised {})), [], "it is up");
        assert!(hand(&story, b) < hand(&story, a) && hand(&story, b) == Some(first));
        let outcome = story.ask(b, 3, lower(b));
        assert_eq!(changes(&outcome), [Change::HandLowered { participant: b.participant, by: None }]);
        raise(&mut story, b, 4);
        assert!(hand(&story, b) > hand(&story, a), "again at the end");
    }

    #[test]
    fn a_hand_stays_up_through_a_move_and_a_reload_and_falls_with_a_leave() {
        let mut story = Story::new();
        let (_, b) = (story.joined(1), story.joined(2));
        let order = raise(&mut story, b, 1);
        story.resume(THERE, 2, 2);
        let b = binding(&story.join(2, 9));
        assert_eq!(hand(&story, b), Some(order));
        story.own(HERE, Some(b), RoomEvent::Left {});
        let b = binding(&story.join(2, 10));
        assert_eq!(hand(&story, b), None);
    }

    #[test]
    fn hosts_and_co_hosts_lower_the_hands_of_others_and_all_at_once() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        story.ask(a, 1, set_role(b, Role::CoHost));
        for whose in [a, b, c] {
            raise(&mut story, whose, 10);
        }
        assert_eq!(story.ask(c, 11, lower(a)), rejected(ErrorCode::Forbidden));
        assert_eq!(story.ask(c, 12, RoomEvent::HandLowered { target: None }), rejected(ErrorCode::Forbidden));
        let lowered = |whose: Binding, by: Option<Binding>| Change::HandLowered {
            participant: whose.participant,
            by: by.map(|by| by.participant),
        };
        assert_eq!(changes(&story.ask(b, 11, lower(a))), [lowered(a, Some(b))], "also the host's");
        let outcome = story.ask(b, 12, RoomEvent::HandLowered { target: None });
        assert_eq!(changes(&outcome), [lowered(b, None), lowered(c, Some(b))]);
        assert_eq!(changes(&story.ask(a, 13, lower(c))), [], "it is down");
        let nobody = RoomEvent::HandLowered { target: Some(ParticipantId(99)) };
        assert_eq!(story.ask(a, 14, nobody), rejected(ErrorCode::NotFound));
    }
}
