//! Which nodes are alive: a registry of leases.
//!
//! The store is a cache. What it says of a node is at most one heartbeat old, a missing node proves nothing,
//! and no request waits for it.

mod memory;
mod redis;

#[cfg(test)]
pub(crate) mod contract;

use std::net::SocketAddr;
use std::time::Duration;

use protocol::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};

pub use memory::MemoryStore;
pub use redis::RedisStore;

/// How long a node is known without renewal.
pub const LEASE: Duration = Duration::from_secs(6);
/// How often a node renews.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// A registry of nodes that forgets those that stop renewing.
#[derive(Debug, Clone)]
pub enum StateStore {
    /// Of one process.
    Memory(MemoryStore),
    /// In Redis, for any number of processes.
    Redis(RedisStore),
}

impl StateStore {
    /// Registers a node, or renews it, for `lease`. Replaces what was known of this incarnation.
    pub async fn put(&self, entry: NodeEntry, lease: Duration) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.put(entry, lease),
            Self::Redis(store) => store.put(&entry, lease).await,
        }
    }

    /// Every node whose lease has not ended.
    pub async fn list(&self) -> Result<Listing, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.list().into()),
            Self::Redis(store) => store.list().await,
        }
    }

    /// Forgets a node now; nothing happens if it is not known.
    pub async fn remove(&self, incarnation: Incarnation) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => {
                store.remove(incarnation);
                Ok(())
            }
            Self::Redis(store) => store.remove(incarnation).await,
        }
    }
}

impl From<MemoryStore> for StateStore {
    fn from(store: MemoryStore) -> Self {
        Self::Memory(store)
    }
}

impl From<RedisStore> for StateStore {
    fn from(store: RedisStore) -> Self {
        Self::Redis(store)
    }
}

/// What the registry holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Who says what, in the order of incarnations.
    pub nodes: Vec<NodeEntry>,
    /// Lives that say something which this version cannot read. They are there all the same.
    pub unreadable: Vec<Incarnation>,
}

impl From<Vec<NodeEntry>> for Listing {
    fn from(nodes: Vec<NodeEntry>) -> Self {
        Self { nodes, unreadable: Vec::new() }
    }
}

/// What a node says of itself with each heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEntry {
    /// Its name.
    pub node: NodeId,
    /// This life of it. Two lives of one node may be registered for the length of a lease.
    pub incarnation: Incarnation,
    /// Its binary's version.
    pub version: String,
    /// Whether it may be chosen.
    pub state: NodeState,
    /// People connected to it.
    pub participants: u32,
    /// How busy its media workers are in the mean, in thousandths.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub busy_permille: u16,
    /// Where its link to the other nodes listens (UDP); `None` if it has none, or is of a version without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<SocketAddr>,
}

// serde hands it over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(busy: &u16) -> bool {
    *busy == 0
}

/// Whether a node may be chosen for new people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeState {
    /// Not yet.
    Starting,
    /// Yes.
    Ready,
    /// Only where none is ready: it does not reach the log.
    Degraded,
    /// No longer.
    Draining,
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// As many nodes are registered as may be.
    #[error("the store is full")]
    Full,
    /// The store cannot be reached. It may or may not have done it.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_a_node_without_a_link_is_read_and_written_as_before() {
        let text = r#"{"node":"node-1","incarnation":"00000000000000000000000000000001","version":"0.1.0","state":"ready","participants":3}"#;
        let entry: NodeEntry = serde_json::from_str(text).expect("an entry");
        assert_eq!(entry.link, None);
        assert_eq!(serde_json::to_string(&entry).expect("plain data"), text);
        let linked = NodeEntry { link: Some("[::1]:4600".parse().expect("an address")), ..entry };
        let text = serde_json::to_string(&linked).expect("plain data");
        assert!(text.ends_with(r#","link":"[::1]:4600"}"#), "{text}");
        assert_eq!(serde_json::from_str::<NodeEntry>(&text).expect("an entry"), linked);
    }
}
