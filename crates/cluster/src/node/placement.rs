//! On which node a person is to be.
//!
//! A room's people are on as few nodes as carry them: a stream crosses to each other node once. So they follow each
//! other while the node has room for them, by its own load and by how many of the room it has already. Where that is
//! not so, or nobody is yet, there are two choices, the highest rendezvous hashes of the room, of which the less loaded
//! one is taken: nodes that have read the same registry choose alike, and where they do not, both are right.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Instant;

use protocol::{Incarnation, NodeId, ParticipantId, RoomId};

use super::Node;
use crate::hash::fnv1a;
use crate::store::{NodeEntry, NodeState};

/// A node whose media workers are busier than this in the mean is chosen only where all are, in thousandths.
const BUSY_MARK: u16 = 700;

impl Node {
    /// The node for somebody who enters `room`, or comes back to it. None of `avoid`, unless there is no other.
    pub fn place(&mut self, now: Instant, room: &RoomId, participant: ParticipantId, avoid: &[NodeId]) -> NodeId {
        self.placed.forget_before(now);
        let mut candidates = self.candidates(now, room);
        if candidates.iter().any(|(_, node)| !avoid.contains(node)) {
            candidates.retain(|(_, node)| !avoid.contains(node));
        }
        let chosen = self.choose(room, participant, &candidates);
        let Some((life, node)) = chosen.map(|(life, node)| (life, node.clone())) else {
            return self.config.node.clone();
        };
        self.placed.note(now, room, participant, life);
        node
    }

    fn choose<'a>(
        &self,
        room: &RoomId,
        participant: ParticipantId,
        candidates: &[(Incarnation, &'a NodeId)],
    ) -> Option<(Incarnation, &'a NodeId)> {
        let candidates = candidates.iter().copied();
        let own = self.room(room).and_then(|room| room.participant(participant));
        let own = own.map(|own| own.binding().incarnation);
        // What they had may still be there.
        if let Some(own) = candidates.clone().find(|(life, _)| own == Some(*life)) {
            return Some(own);
        }
        let others = |life| self.others_on(room, participant, life);
        let has_room = |life| others(life) < self.config.room_mark && self.busy_permille(life) < BUSY_MARK;
        let hosts = candidates.clone().filter(|(life, _)| others(*life) > 0 && has_room(*life));
        let host = hosts.max_by_key(|(life, node)| (others(*life), rendezvous(room, node.as_str())));
        if host.is_some() {
            return host;
        }
        // Those that have room for more, then those that were hashed for it.
        let mut choices: Vec<_> = candidates.collect();
        choices.sort_by_cached_key(|(life, node)| (!has_room(*life), Reverse(rendezvous(room, node.as_str()))));
        let equals = choices.iter().take(2).filter(|(life, _)| has_room(*life) == has_room(choices[0].0));
        equals.copied().min_by_key(|(life, _)| self.people_on(*life))
    }

    /// People on a node, as far as is known: by the registry, and those whom this node sent there since.
    fn people_on(&self, life: Incarnation) -> u32 {
        let listed = self.membership.entry(life).map_or(0, |entry| entry.participants);
        listed.saturating_add(self.placed.of_node(life))
    }

    fn busy_permille(&self, life: Incarnation) -> u16 {
        self.membership.entry(life).map_or(0, |entry| entry.busy_permille)
    }

    /// People of a room, but one, who are connected to a node or on the way there.
    fn others_on(&self, room: &RoomId, but: ParticipantId, life: Incarnation) -> usize {
        let people = self.room(room).into_iter().flat_map(room::Room::participants);
        let connected = people.filter(|other| other.binding().incarnation == life && other.held_until_ms().is_none());
        let mut others: BTreeSet<_> =
            connected.map(room::Participant::id).chain(self.placed.of_room(room, life)).collect();
        others.remove(&but);
        others.len()
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

    /// Whether people can go on at another node, as far as is known.
    pub fn has_others(&self) -> bool {
        self.ready().any(|(life, _)| life != self.incarnation)
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
