//! Which nodes are alive: a registry of leases.
//!
//! The store is a cache. What it says of a node is at most one heartbeat old, a missing node proves nothing,
//! and no request waits for it.

mod memory;

#[cfg(test)]
mod contract;

use std::future::Future;
use std::time::Duration;

use protocol::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};

pub use memory::MemoryStore;

/// A registry of nodes that forgets those that stop renewing.
pub trait StateStore: Send + Sync + 'static {
    /// Registers a node, or renews it, for `lease`. Replaces what was known of this incarnation.
    fn put(&self, entry: NodeEntry, lease: Duration) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every node whose lease has not ended, in the order of incarnations.
    fn list(&self) -> impl Future<Output = Result<Vec<NodeEntry>, StoreError>> + Send;

    /// Forgets a node now; nothing happens if it is not known.
    fn remove(&self, incarnation: Incarnation) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a node says of itself with each heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEntry {
    /// Its name.
    pub node: NodeId,
    /// This life of it. Two lives of one node may be registered for the length of a lease.
    pub incarnation: Incarnation,
    /// Where other nodes reach it: `host:port`.
    pub address: String,
    /// Its binary's version.
    pub version: String,
    /// Whether it may be chosen.
    pub state: NodeState,
    /// People connected to it.
    pub participants: u32,
}

/// Whether a node may be chosen for new people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeState {
    /// Not yet.
    Starting,
    /// Yes.
    Ready,
    /// No longer.
    Draining,
}

/// Why the store did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// As many nodes are registered as may be.
    #[error("the store is full")]
    Full,
    /// The store cannot be reached. It may or may not have done it.
    #[error("the store cannot be reached")]
    Unavailable,
}
