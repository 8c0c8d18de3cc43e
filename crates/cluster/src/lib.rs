//! How nodes find and talk to each other: the event log, the state store and the node state machine.
//!
//! - [`log`]: the ordered records of all rooms, `Memory` for one process, `Kafka` for many;
//! - [`store`]: which nodes are alive, `Memory` for one process, `Redis` for many;
//! - [`link`]: connections between nodes, QUIC with mutual TLS; what they carry is the server's;
//! - [`node`]: what a node does with records, proposals and time, sans-IO;
//! - [`evacuation`]: whether people have to leave a node that is cut off from the log, sans-IO;
//! - [`relay`]: which streams cross between nodes, sans-IO;
//! - [`service`]: the thin asynchronous front of a node that the server uses.
//!
//! A request is answered only after its own event was read back from the log and judged by crate `room`.

pub mod evacuation;
mod hash;
mod heartbeat;
pub mod link;
pub mod log;
pub mod node;
pub mod relay;
pub mod secret;
pub mod service;
pub mod store;

pub use link::{LinkConfig, LinkError, LinkEvent, LinkEvents, LinkStats, Links, Peer};
pub use log::{EventLog, KafkaConfig, KafkaLog, MemoryLog};
pub use node::{Accepted, Applied, Node, NodeConfig, Proposal, ProposalKey, Publication, Seat};
pub use service::{Condition, Counts, RoomService, ServiceConfig};
pub use store::{MemoryStore, RedisStore, StateStore};
