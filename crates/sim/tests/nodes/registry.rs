//! What the registry says to each node: the truth, nothing, or that a node is not there which is, or the other way round.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cluster::node::Input;
use cluster::store::{HEARTBEAT, LEASE, NodeEntry, NodeState};
use rand::Rng;

use super::{NODES, World, config};

#[derive(Default)]
pub(crate) struct Registry {
    /// What each node said last, and when.
    heartbeats: BTreeMap<usize, (Instant, NodeEntry)>,
    pub(crate) lies: bool,
    /// By whom it is told and whom it is about.
    told_now: BTreeMap<(usize, usize), Lie>,
    /// Lies so far.
    pub(crate) told: u64,
}

struct Lie {
    until: Instant,
    is_there: bool,
}

impl Registry {
    pub(crate) fn speaks_the_truth(&mut self) {
        self.lies = false;
        self.told_now.clear();
    }

    fn listing(&self, now: Instant, asks: usize) -> Vec<NodeEntry> {
        let is_listed = |site: usize, at: Instant| match self.told_now.get(&(asks, site)) {
            Some(lie) if now < lie.until => lie.is_there,
            _ => now - at < LEASE,
        };
        let entries = self.heartbeats.iter().filter(|(site, (at, _))| is_listed(**site, *at));
        entries.map(|(_, (_, entry))| entry.clone()).collect()
    }
}

impl World {
    /// A node tells the registry of itself and asks for the others; at times there is no answer.
    pub(crate) fn beat(&mut self, site: usize) {
        if self.now < self.nodes[site].next_heartbeat {
            return;
        }
        self.nodes[site].next_heartbeat = self.now + HEARTBEAT;
        let log_answers = self.log_answers(site);
        self.nodes[site].node.log_answers(self.now, log_answers);
        if self.registry.lies && self.rng.random_ratio(1, 12) {
            let lie = Lie {
                until: self.now + Duration::from_secs(self.rng.random_range(1..20)),
                is_there: self.rng.random_ratio(1, 3),
            };
            self.registry.told_now.insert((site, self.rng.random_range(0..NODES)), lie);
            self.registry.told += 1;
        }
        let answers = !self.faults || self.rng.random_ratio(9, 10);
        if answers {
            let entry = NodeEntry {
                node: config(site).node,
                incarnation: self.nodes[site].node.incarnation(),
                version: String::new(),
                state: if log_answers { NodeState::Ready } else { NodeState::Degraded },
                participants: 0,
                busy_permille: 0,
                link: None,
            };
            self.registry.heartbeats.insert(site, (self.now, entry));
        }
        let listing = answers.then(|| self.registry.listing(self.now, site).into());
        self.nodes[site].node.handle(self.now, Input::Registry(listing));
        self.drain(site);
    }
}
