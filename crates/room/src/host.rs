//! `HostAdded` and `NodeLost`: who may write.

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

pub(crate) fn added(room: &mut Room, incarnation: Incarnation, node: &NodeId) -> Verdict {
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
        let outcome = story.own(HERE, None, RoomEvent::HostAdded { incarnation: STRANGER, node });
        assert_eq!(outcome, rejected(ErrorCode::Draining));
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
