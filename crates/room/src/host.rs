//! `HostAdded` and `NodeLost`: who may write.

use protocol::event::Creation;
use protocol::{ErrorCode, Incarnation, NodeId};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::requests::Window;
use crate::state::{Host, Room};

/// Live hosts of one room.
const HOSTS_MAX: usize = 64;

/// Lost incarnations that are remembered. Each is a restart of a host during the room's life; a forgotten
/// one that woke could become a host again, but nobody is bound to it any more.
const LOST_MAX: usize = 1024;

/// Whoever builds on another creation did not read this room's life: what they say of it would be of a room that only
/// they have.
pub(crate) fn added(room: &mut Room, incarnation: Incarnation, node: &NodeId, creation: Option<Creation>) -> Verdict {
    if !room.is_meant(incarnation, creation) {
        return Err(ErrorCode::WrongState);
    }
    if room.is_host(incarnation) {
        return Err(ErrorCode::AlreadyExists);
    }
    if room.hosts.len() >= HOSTS_MAX {
        return Err(ErrorCode::LimitReached);
    }
    room.hosts.insert(incarnation, Host { node: node.clone(), window: Window::default() });
    Ok(Effect::default())
}

pub(crate) fn lost(room: &mut Room, incarnation: Incarnation) -> Verdict {
    if room.hosts.remove(&incarnation).is_none() {
        return Err(ErrorCode::NotFound);
    }
    room.lost.push_back(incarnation);
    if room.lost.len() > LOST_MAX {
        room.lost.pop_front();
    }
    let until_ms = room.grace_end_ms(false);
    let stranded = room.participants.values_mut().filter(|p| p.binding.incarnation == incarnation);
    let changes = stranded.filter(|participant| participant.held_until_ms.is_none()).map(|participant| {
        participant.held_until_ms = Some(until_ms);
        Change::Held { binding: participant.binding }
    });
    Ok(Effect { binding: None, changes: changes.collect() })
}

#[cfg(test)]
mod tests {
    use protocol::Source;
    use protocol::event::RoomEvent;

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, Story, THERE, accepted, binding, changes, produce, rejected};

    const STRANGER: Incarnation = Incarnation(9);

    #[test]
    fn only_live_hosts_are_believed() {
        let mut story = Story::new();
        let a = story.joined(1);
        assert_eq!(story.own(STRANGER, Some(a), RoomEvent::Left {}), rejected(ErrorCode::Draining));
        accepted(&story.host(STRANGER));
        assert_eq!(story.host(STRANGER), rejected(ErrorCode::AlreadyExists));
        accepted(&story.own(STRANGER, Some(a), RoomEvent::Left {}));
    }

    #[test]
    fn a_host_introduces_only_itself() {
        let mut story = Story::new();
        let node = "node-9".parse().expect("a node id");
        let outcome = story.own(HERE, None, RoomEvent::HostAdded { incarnation: STRANGER, node, creation: None });
        assert_eq!(outcome, rejected(ErrorCode::Draining));
    }

    #[test]
    fn who_founds_a_room_that_lives_is_no_host_of_it_until_they_know_it() {
        let mut story = Story::new();
        story.joined(1);
        let before = story.room.snapshot();
        let created = RoomEvent::RoomCreated { rules: crate::RULES, limits: crate::testing::LIMITS };
        assert_eq!(story.own(STRANGER, None, created), rejected(ErrorCode::AlreadyExists));
        for creation in [Creation::Own, Creation::At { offset: 3, as_of: 4 }] {
            assert_eq!(story.host_on(STRANGER, Some(creation)), rejected(ErrorCode::WrongState));
        }
        let joined = RoomEvent::Joined {
            participant: protocol::ParticipantId(9),
            session: protocol::SessionId(9),
            name: "P".to_owned(),
            video_codecs: Vec::new(),
            address_tag: None,
        };
        assert_eq!(story.own(STRANGER, None, joined), rejected(ErrorCode::Draining));
        assert_eq!(story.room.snapshot(), before);
        let creation = story.room.creation();
        assert_eq!(creation, Some(Creation::At { offset: 0, as_of: story.room.offset() }));
        accepted(&story.host_on(STRANGER, creation));
    }

    #[test]
    fn the_founder_and_who_names_the_same_creation_are_hosts() {
        let mut story = Story::blank();
        story.create();
        assert_eq!(story.host_on(THERE, Some(Creation::Own)), rejected(ErrorCode::WrongState));
        accepted(&story.host_on(HERE, Some(Creation::Own)));
        accepted(&story.host_on(THERE, Some(Creation::At { offset: 0, as_of: 0 })));
        // As a host that shows that it lives.
        let again = story.host_on(THERE, Some(Creation::At { offset: 0, as_of: 3 }));
        assert_eq!(again, rejected(ErrorCode::AlreadyExists));
    }

    #[test]
    fn a_room_that_began_again_is_another_one() {
        let mut story = Story::new();
        let creation = story.room.creation();
        let a = story.joined(1);
        story.ask(a, 1, RoomEvent::Left {});
        assert_eq!(story.room.creation(), None);
        story.create();
        assert_eq!(story.host_on(THERE, creation), rejected(ErrorCode::WrongState));
        accepted(&story.host_on(HERE, Some(Creation::Own)));
    }

    #[test]
    fn a_lost_host_is_lost_for_good_and_its_people_are_held() {
        let mut story = Story::new();
        let a = story.joined(1);
        let b = binding(&story.resume(THERE, 1, 1));
        let other = story.joined(2);
        let outcome = story.own(THERE, None, RoomEvent::NodeLost { incarnation: HERE });
        assert_eq!(changes(&outcome), [Change::Held { binding: other }]);
        assert_eq!(story.own(HERE, Some(a), RoomEvent::Held { closing: false }), rejected(ErrorCode::Draining));
        assert_eq!(story.host(HERE), rejected(ErrorCode::Draining));
        accepted(&story.ask(b, 1, produce(Source::Mic)));
        let outcome = story.own(THERE, None, RoomEvent::NodeLost { incarnation: HERE });
        assert_eq!(outcome, rejected(ErrorCode::NotFound));
    }

    #[test]
    fn a_request_refused_by_the_fence_succeeds_through_a_live_host() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.own(THERE, None, RoomEvent::NodeLost { incarnation: HERE });
        assert_eq!(story.ask(a, 1, produce(Source::Mic)), rejected(ErrorCode::Draining));
        let moved = binding(&story.resume(THERE, 1, 1));
        assert!(matches!(story.ask(moved, 1, produce(Source::Mic)), Outcome::Accepted { .. }));
    }

    #[test]
    fn hosts_are_bounded() {
        let mut story = Story::new();
        for incarnation in 10..100 {
            story.host(Incarnation(incarnation));
        }
        assert_eq!(story.room.hosts().count(), HOSTS_MAX);
        assert_eq!(story.host(STRANGER), rejected(ErrorCode::LimitReached));
    }
}
