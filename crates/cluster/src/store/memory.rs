//! The registry of a single process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Incarnation;

use super::{NodeEntry, StoreError};

/// Nodes at a time; a cluster has tens.
const NODES_MAX: usize = 1024;

/// A [`StateStore`](super::StateStore) in memory. Clones share the registry.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    nodes: Mutex<BTreeMap<Incarnation, Leased>>,
}

struct Leased {
    entry: NodeEntry,
    /// The first millisecond at which it is no longer known.
    end_ms: u64,
}

impl MemoryStore {
    /// An empty registry. `clock` gives milliseconds that never go backwards.
    pub fn new(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { clock: Box::new(clock), nodes: Mutex::default() }) }
    }

    /// The registry without those whose lease has ended.
    fn alive(&self) -> (u64, MutexGuard<'_, BTreeMap<Incarnation, Leased>>) {
        let now_ms = (self.shared.clock)();
        // Nothing panics while it holds the lock.
        let mut nodes = self.shared.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|_, leased| leased.end_ms > now_ms);
        (now_ms, nodes)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    pub(super) fn put(&self, entry: NodeEntry, lease: Duration) -> Result<(), StoreError> {
        let (now_ms, mut nodes) = self.alive();
        if nodes.len() >= NODES_MAX && !nodes.contains_key(&entry.incarnation) {
            return Err(StoreError::Full);
        }
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        nodes.insert(entry.incarnation, Leased { entry, end_ms: now_ms.saturating_add(lease_ms) });
        Ok(())
    }

    pub(super) fn list(&self) -> Vec<NodeEntry> {
        self.alive().1.values().map(|leased| leased.entry.clone()).collect()
    }

    pub(super) fn remove(&self, incarnation: Incarnation) {
        self.alive().1.remove(&incarnation);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::store::contract;

    #[tokio::test]
    async fn keeps_the_contract_of_a_store() {
        let now_ms = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&now_ms);
        let store = MemoryStore::new(move || clock.load(Ordering::Relaxed));
        let advance = async |time: Duration| {
            now_ms.fetch_add(u64::try_from(time.as_millis()).expect("a short time"), Ordering::Relaxed);
        };
        contract::check(&store.into(), crate::store::LEASE, advance).await;
    }

    #[test]
    fn a_full_registry_takes_renewals_only() {
        let store = MemoryStore::new(|| 0);
        let lease = Duration::from_secs(6);
        for incarnation in 0..NODES_MAX as u128 {
            store.put(contract::entry(incarnation), lease).expect("room for it");
        }
        assert_eq!(store.put(contract::entry(u128::MAX), lease), Err(StoreError::Full));
        assert_eq!(store.put(contract::entry(0), lease), Ok(()));
    }
}
