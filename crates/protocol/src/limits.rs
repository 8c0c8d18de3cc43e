//! Limits that a client can run into, with their defaults. Each has a metric that counts what it refused.

use serde::{Deserialize, Serialize};

/// How much of everything a node lets people have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest Socket.IO message and HTTP body, in bytes.
    pub message_bytes_max: usize,
    /// Requests per second that one socket may send on average; bursts of four times that are taken.
    pub requests_per_second: u32,
    /// Joins per second that one address may try on average; bursts of ten times that are taken. A whole company may
    /// be behind one address and come at nine o'clock, so the default only stops what no crowd of people does.
    pub joins_per_second_per_address: u32,
    /// Sockets that one address may hold at a time.
    pub sockets_per_address_max: usize,
    /// People in a room.
    pub participants_per_room_max: usize,
    /// People of one room on one node before those who come next go to another. No limit: where all nodes have as many,
    /// they are taken all the same.
    pub participants_per_room_and_node: usize,
    /// People of one room on one media worker (a thread) of a node before those who come next go to another. No limit, as
    /// before.
    pub participants_per_room_and_worker: usize,
    /// Rooms on a node.
    pub rooms_per_node_max: usize,
    /// Consumers of a participant.
    pub consumers_per_participant_max: usize,
    /// Data producers of a participant.
    pub data_producers_per_participant_max: usize,
    /// Data consumers of a participant. A browser has 1,024 channels per transport.
    pub data_consumers_per_participant_max: usize,
    /// Longest display name, in bytes.
    pub name_bytes_max: usize,
    /// Longest message of the chat, in bytes.
    pub chat_message_bytes_max: usize,
    /// How long a participant whose socket broke is held, in milliseconds.
    pub grace_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 * 1024,
            requests_per_second: 50,
            joins_per_second_per_address: 200,
            sockets_per_address_max: 1000,
            participants_per_room_max: 1000,
            participants_per_room_and_node: 150,
            participants_per_room_and_worker: 50,
            rooms_per_node_max: 10_000,
            consumers_per_participant_max: 4000,
            data_producers_per_participant_max: 16,
            data_consumers_per_participant_max: 1000,
            name_bytes_max: 128,
            chat_message_bytes_max: 4096,
            grace_ms: 30_000,
        }
    }
}
