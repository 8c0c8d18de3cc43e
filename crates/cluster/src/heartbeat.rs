//! Tells the registry of this node, and the node of the registry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{Incarnation, NodeId};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::log::EventLog;
use crate::service::{Command, Gauges};
use crate::store::{HEARTBEAT, LEASE, Listing, NodeEntry, NodeState, StateStore, StoreError};

pub(crate) struct Heartbeat {
    pub(crate) store: StateStore,
    pub(crate) log: EventLog,
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) version: String,
    pub(crate) link: Option<SocketAddr>,
    pub(crate) commands: mpsc::WeakSender<Command>,
    pub(crate) gauges: Arc<Gauges>,
}

impl Heartbeat {
    /// Goes on until the node ends, and takes it out of the registry then.
    pub(crate) async fn run(self) {
        while self.commands.upgrade().is_some_and(|commands| !commands.is_closed()) {
            let answer = self.beat().await;
            self.tell(&answer);
            if let Some(commands) = self.commands.upgrade() {
                // Nobody listens once the node has ended.
                let _ = commands.send(Command::Registry(answer.ok())).await;
            }
            // Earlier, if there is something to say.
            let _ = timeout(HEARTBEAT, self.gauges.beat.notified()).await;
        }
        if let Err(error) = self.store.remove(self.incarnation).await {
            tracing::debug!(%error, "the registry keeps this node until its lease ends");
        }
    }

    async fn beat(&self) -> Result<Listing, StoreError> {
        let entry = NodeEntry {
            node: self.node.clone(),
            incarnation: self.incarnation,
            version: self.version.clone(),
            state: self.state(),
            participants: u32::try_from(self.gauges.own_participants()).unwrap_or(u32::MAX),
            busy_permille: self.gauges.busy_permille.load(Ordering::Relaxed),
            link: self.link,
        };
        self.store.put(entry, LEASE).await?;
        self.store.list().await
    }

    fn state(&self) -> NodeState {
        match self.gauges.state() {
            NodeState::Ready if !self.log.status().reachable => NodeState::Degraded,
            state => state,
        }
    }

    /// Says when the answer changed.
    fn tell(&self, answer: &Result<Listing, StoreError>) {
        match (self.gauges.set_registry_reachable(answer.is_ok()), answer) {
            (true, Err(error)) => {
                tracing::warn!(%error, "the registry of nodes does not answer; meetings go on, lost nodes are not noticed");
            }
            (false, Ok(listing)) => tracing::info!(nodes = listing.nodes.len(), "the registry of nodes answers"),
            _ => {}
        }
    }
}
