//! Whom this node sent where a moment ago: neither the rooms nor the registry know of them yet.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use protocol::{Incarnation, ParticipantId, RoomId};

use crate::store::HEARTBEAT;

/// How long somebody is on the way: a join, and until the registry was told and asked.
const ON_THE_WAY: Duration = HEARTBEAT.saturating_mul(2);
/// How many are remembered; the oldest are forgotten first.
const PLACED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Placed {
    queue: VecDeque<(Instant, RoomId, Incarnation)>,
    /// In the order of the queue.
    by_room: BTreeMap<(RoomId, Incarnation), VecDeque<ParticipantId>>,
    by_node: BTreeMap<Incarnation, u32>,
}

impl Placed {
    pub(super) fn note(&mut self, now: Instant, room: &RoomId, participant: ParticipantId, life: Incarnation) {
        if self.queue.len() >= PLACED_MAX {
            self.forget_oldest();
        }
        self.queue.push_back((now, room.clone(), life));
        self.by_room.entry((room.clone(), life)).or_default().push_back(participant);
        *self.by_node.entry(life).or_default() += 1;
    }

    /// Forgets who is counted by the registry by now, or will never come.
    pub(super) fn forget_before(&mut self, now: Instant) {
        while self.queue.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) >= ON_THE_WAY) {
            self.forget_oldest();
        }
    }

    /// Who was sent to a room on a node, some of them twice.
    pub(super) fn of_room(&self, room: &RoomId, life: Incarnation) -> impl Iterator<Item = ParticipantId> {
        self.by_room.get(&(room.clone(), life)).into_iter().flatten().copied()
    }

    /// How many were sent to a node.
    pub(super) fn of_node(&self, life: Incarnation) -> u32 {
        self.by_node.get(&life).copied().unwrap_or_default()
    }

    fn forget_oldest(&mut self) {
        let Some((_, room, life)) = self.queue.pop_front() else { return };
        if let Some(people) = self.by_room.get_mut(&(room.clone(), life)) {
            people.pop_front();
            if people.is_empty() {
                self.by_room.remove(&(room, life));
            }
        }
        if let Some(count) = self.by_node.get_mut(&life) {
            *count -= 1;
            if *count == 0 {
                self.by_node.remove(&life);
            }
        }
    }
}
