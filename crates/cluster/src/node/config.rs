//! What a node is made with.

use std::time::Duration;

use protocol::NodeId;
use protocol::event::RoomLimits;
use protocol::limits::Limits;

/// A node's name and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name, unique in its cluster.
    pub node: NodeId,
    /// What rooms that it creates allow.
    pub room_limits: RoomLimits,
    /// People of one room before those who come next are sent to another node.
    pub room_mark: usize,
    /// Rooms; a join that needs one more gets `server_full`.
    pub rooms_max: usize,
    /// Proposals whose record is not back yet; one more gets `log_unavailable`.
    pub pending_max: usize,
    /// How long a proposal waits for its record before it gets `log_unavailable`.
    pub answer_timeout: Duration,
    /// How often a room with people in it is written down.
    pub snapshot_every: Duration,
}

impl NodeConfig {
    /// The defaults for a node of this name: what `limits` say, 10,000 proposals, 5 s, 5 minutes.
    pub fn new(node: NodeId, limits: &Limits) -> Self {
        Self {
            node,
            room_limits: RoomLimits::from(limits),
            room_mark: limits.participants_per_room_and_node,
            rooms_max: limits.rooms_per_node_max,
            pending_max: 10_000,
            answer_timeout: Duration::from_secs(5),
            snapshot_every: Duration::from_secs(5 * 60),
        }
    }

    /// How far before the end of the log a node begins to read: two snapshots, and an outage of the log in which none
    /// could be written. Half an hour by default.
    pub fn read_back(&self) -> Duration {
        self.snapshot_every * 6
    }
}
