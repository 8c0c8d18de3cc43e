//! On which node a person is to be.
//!
//! A room is on one node as long as that lives, because a stream reaches the people of its own node only (there are no
//! relays between nodes yet). So a room's people follow each other, and where nobody is yet, every node comes to the
//! same choice by itself: the highest rendezvous hash among those that are ready.

use std::time::Instant;

use protocol::{Incarnation, NodeId, ParticipantId, RoomId};

use super::Node;
use crate::hash::fnv1a;
use crate::store::{NodeEntry, NodeState};

impl Node {
    /// The node for somebody who enters `room`, or comes back to it as `returning`. None of `avoid`, unless there is
    /// no other.
    pub fn place(&self, now: Instant, room: &RoomId, returning: Option<ParticipantId>, avoid: &[NodeId]) -> NodeId {
        let mut candidates = self.candidates(now, room);
        if candidates.iter().any(|(_, node)| !avoid.contains(node)) {
            candidates.retain(|(_, node)| !avoid.contains(node));
        }
        let own = self.room(room).zip(returning).and_then(|(room, id)| room.participant(id));
        let own = own.map(|participant| participant.binding().incarnation);
        let chosen = candidates.iter().max_by_key(|(life, node)| {
            let others = self.others_on(room, returning, *life);
            (others, own == Some(*life), rendezvous(room, node.as_str()))
        });
        chosen.map_or_else(|| self.config.node.clone(), |(_, node)| (*node).clone())
    }

    /// Whether somebody who came here on their own would be alone here, while others of the room are on a node that
    /// lives; not counting the one that they come from, which may be dead without anybody knowing.
    pub(super) fn belongs_elsewhere(&self, now: Instant, room: &RoomId, returning: ParticipantId) -> bool {
        let own = self.room(room).and_then(|room| room.participant(returning)).map(|p| p.binding().incarnation);
        let others_on = |life| self.others_on(room, Some(returning), life) > 0;
        let mut elsewhere = self.candidates(now, room).into_iter().map(|(life, _)| life);
        !others_on(self.incarnation)
            && elsewhere.any(|life| life != self.incarnation && Some(life) != own && others_on(life))
    }

    /// People of a room, but one, who are connected to a node.
    fn others_on(&self, room: &RoomId, but: Option<ParticipantId>, life: Incarnation) -> usize {
        let people = self.room(room).into_iter().flat_map(room::Room::participants);
        let others = people.filter(|other| Some(other.id()) != but && other.held_until_ms().is_none());
        others.filter(|other| other.binding().incarnation == life).count()
    }

    /// The nodes that may be chosen: the ready ones, and hosts of the room that the registry does not know (yet, or
    /// any more, or because it is away) but that were noticed a moment ago.
    fn candidates<'a>(&'a self, now: Instant, room: &RoomId) -> Vec<(Incarnation, &'a NodeId)> {
        let mut candidates: Vec<(Incarnation, &NodeId)> = self.ready().collect();
        for (life, node) in self.room(room).into_iter().flat_map(room::Room::hosts) {
            let is_listed = candidates.iter().any(|(_, listed)| *listed == node);
            if !is_listed && *node != self.config.node && self.membership.may_live_unlisted(now, life) {
                candidates.push((life, node));
            }
        }
        candidates
    }

    /// The ready nodes with their lives, this one included as long as it takes people: it knows that better than the
    /// registry does. Those that do not reach the log only where none does.
    pub(super) fn ready(&self) -> impl Iterator<Item = (Incarnation, &NodeId)> {
        let others_do = self.others_reach_the_log();
        let state = if self.log_answers || others_do { NodeState::Ready } else { NodeState::Degraded };
        let me = (!self.draining && (self.log_answers || !others_do)).then_some((self.incarnation, &self.config.node));
        self.others(state).map(|entry| (entry.incarnation, &entry.node)).chain(me)
    }

    /// Whether there are nodes that reach the log, by what they said last.
    pub(super) fn others_reach_the_log(&self) -> bool {
        self.others(NodeState::Ready).next().is_some()
    }

    fn others(&self, state: NodeState) -> impl Iterator<Item = &NodeEntry> {
        self.membership.in_state(state).filter(|entry| entry.node != self.config.node)
    }

    /// Whether this node is the one that does what any node could do for a room without a live host.
    pub(super) fn is_first_for(&self, room: &RoomId) -> bool {
        let first = self.ready().max_by_key(|(_, node)| rendezvous(room, node.as_str()));
        first.is_some_and(|(life, _)| life == self.incarnation)
    }
}

/// How much a node is a room's: FNV-1a with a final mix, the same on every node and in every version.
fn rendezvous(room: &RoomId, node: &str) -> u64 {
    let bytes = room.as_str().bytes().chain([0]).chain(node.bytes());
    let hash = fnv1a(bytes);
    // The last bytes of FNV move the low bits only; names differ in their last.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn rooms_are_spread_over_nodes_and_move_only_when_theirs_goes() {
        let nodes = ["node-1", "node-2", "node-3", "node-4"];
        let first = |room: &RoomId, nodes: &[&'static str]| {
            *nodes.iter().max_by_key(|node| rendezvous(room, node)).expect("a node")
        };
        let mut rooms = BTreeMap::<_, u32>::new();
        for n in 0..4000 {
            let room: RoomId = format!("room-{n}").parse().expect("a room name");
            let node = first(&room, &nodes);
            *rooms.entry(node).or_default() += 1;
            if node != "node-4" {
                assert_eq!(first(&room, &nodes[..3]), node);
            }
        }
        assert!(rooms.values().all(|count| (900..1100).contains(count)), "{rooms:?}");
    }
}
