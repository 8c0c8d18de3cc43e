//! Which lives of nodes are there, by what the registry and the log say.
//!
//! The registry is a cache: that a node is missing in it proves nothing by itself. A life of a node is gone when the
//! registry answered for a whole lease without it, without an error in between, and the log did not show it either.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use protocol::Incarnation;

use crate::store::{LEASE, Listing, NodeEntry, NodeState};

/// Lives that are remembered beyond those in the registry: of hosts of rooms that died. Over it those that were not
/// seen for longest are forgotten, and noticed anew.
const SEEN_MAX: usize = 1024;
/// Two answers further apart have a gap in between: the registry was away, or this node slept.
const GAP: Duration = LEASE;

#[derive(Debug, Default)]
pub(super) struct Membership {
    /// The registry's last answer.
    entries: Vec<NodeEntry>,
    /// Since when it answers without a gap, and when it did last.
    answering: Option<(Instant, Instant)>,
    /// When each life was seen last, or noticed first.
    seen: BTreeMap<Incarnation, Instant>,
}

impl Membership {
    /// Takes an answer of the registry, or that there was none.
    pub(super) fn registry(&mut self, now: Instant, answer: Option<Listing>) {
        let Some(Listing { nodes, unreadable }) = answer else {
            self.answering = None;
            return;
        };
        let since = match self.answering {
            Some((since, last)) if now.saturating_duration_since(last) <= GAP => since,
            _ => now,
        };
        self.answering = Some((since, now));
        for life in nodes.iter().map(|entry| entry.incarnation).chain(unreadable) {
            self.seen.insert(life, now);
        }
        self.entries = nodes;
        if self.seen.len() > SEEN_MAX {
            let mut times: Vec<Instant> = self.seen.values().copied().collect();
            times.sort_unstable();
            let oldest_kept = times[times.len() - SEEN_MAX];
            self.seen.retain(|_, seen| *seen >= oldest_kept);
        }
    }

    /// Notes a sign of life on the log.
    pub(super) fn spoke(&mut self, now: Instant, incarnation: Incarnation) {
        if let Some(seen) = self.seen.get_mut(&incarnation) {
            *seen = now;
        }
    }

    /// Whether a life of a node is over, as far as anybody can know.
    pub(super) fn is_gone(&mut self, now: Instant, incarnation: Incarnation) -> bool {
        self.unseen(now, incarnation) >= LEASE
    }

    /// For how long a life of a node was looked for in vain.
    pub(super) fn unseen(&mut self, now: Instant, incarnation: Incarnation) -> Duration {
        let seen = *self.seen.entry(incarnation).or_insert(now);
        self.answering.map_or(Duration::ZERO, |(since, _)| now.saturating_duration_since(since.max(seen)))
    }

    /// Whether a life of a node that the registry does not list may be there all the same: it was seen less than a
    /// lease ago, or nobody ever looked.
    pub(super) fn may_live_unlisted(&self, now: Instant, incarnation: Incarnation) -> bool {
        let listed = self.entries.iter().any(|entry| entry.incarnation == incarnation);
        let seen = self.seen.get(&incarnation);
        !listed && seen.is_none_or(|seen| now.saturating_duration_since(*seen) < LEASE)
    }

    /// What a life of a node said of itself last.
    pub(super) fn entry(&self, life: Incarnation) -> Option<&NodeEntry> {
        self.entries.iter().find(|entry| entry.incarnation == life)
    }

    /// The nodes that say `state`. Without the registry, those of its last answer.
    pub(super) fn in_state(&self, state: NodeState) -> impl Iterator<Item = &NodeEntry> {
        self.entries.iter().filter(move |entry| entry.state == state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::HEARTBEAT;
    use crate::store::contract::entry;

    const OTHER: Incarnation = Incarnation(7);

    fn answered(membership: &mut Membership, now: Instant, lives: &[u128]) {
        membership.registry(now, Some(lives.iter().map(|life| entry(*life)).collect::<Vec<_>>().into()));
    }

    #[test]
    fn a_node_is_gone_when_the_registry_answered_for_a_lease_without_it() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        answered(&mut membership, start, &[7]);
        for beat in 1..=3 {
            let now = start + HEARTBEAT * beat;
            answered(&mut membership, now, &[]);
            assert_eq!(membership.is_gone(now, OTHER), beat == 3, "{beat}");
        }
    }

    #[test]
    fn a_node_whose_entry_cannot_be_read_is_there_all_the_same() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        answered(&mut membership, start, &[7]);
        for beat in 1..=9 {
            let now = start + HEARTBEAT * beat;
            membership.registry(now, Some(Listing { nodes: Vec::new(), unreadable: vec![OTHER] }));
            assert!(!membership.is_gone(now, OTHER));
        }
        assert_eq!(membership.in_state(NodeState::Ready).count(), 0, "nothing is known of it but that");
    }

    #[test]
    fn a_registry_that_was_away_proves_nothing_for_a_lease() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        answered(&mut membership, start, &[7]);
        membership.registry(start + HEARTBEAT, None);
        for beat in 5..=7 {
            answered(&mut membership, start + HEARTBEAT * beat, &[]);
            assert!(!membership.is_gone(start + HEARTBEAT * beat, OTHER));
        }
        answered(&mut membership, start + HEARTBEAT * 8, &[]);
        assert!(membership.is_gone(start + HEARTBEAT * 8, OTHER));
    }

    #[test]
    fn a_node_that_slept_believes_nobody_gone_for_a_lease() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        answered(&mut membership, start, &[7]);
        let awake = start + Duration::from_secs(30);
        answered(&mut membership, awake, &[]);
        assert!(!membership.is_gone(awake, OTHER));
    }

    #[test]
    fn whoever_writes_to_the_log_lives() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        answered(&mut membership, start, &[7]);
        for beat in 1..=6 {
            let now = start + HEARTBEAT * beat;
            answered(&mut membership, now, &[]);
            if beat <= 3 {
                membership.spoke(now, OTHER);
            }
            assert_eq!(membership.is_gone(now, OTHER), beat == 6, "{beat}");
        }
    }

    #[test]
    fn a_host_that_was_never_seen_has_a_lease_from_when_it_was_noticed() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        for beat in 0..=3 {
            let now = start + HEARTBEAT * beat;
            answered(&mut membership, now, &[]);
            assert_eq!(membership.is_gone(now, OTHER), beat == 3, "{beat}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut membership, start) = (Membership::default(), Instant::now());
        for life in 0..3000_u128 {
            membership.is_gone(start + Duration::from_millis(u64::try_from(life).expect("small")), Incarnation(life));
        }
        answered(&mut membership, start + Duration::from_secs(4), &[1]);
        assert!(membership.seen.len() <= SEEN_MAX + 1, "{}", membership.seen.len());
        let ready = membership.in_state(NodeState::Ready).map(|entry| entry.incarnation);
        assert_eq!(ready.collect::<Vec<_>>(), [Incarnation(1)]);
    }
}
