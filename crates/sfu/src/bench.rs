//! What micro benches measure that nobody else may reach.

use crate::ring::PacketInfo;

/// The ring of a stream (`ring.rs`).
#[derive(Debug)]
pub struct Ring(crate::ring::Ring);

impl Ring {
    /// As a picture's stream has it.
    pub fn of_video() -> Self {
        Self(crate::stream::ring(protocol::MediaKind::Video))
    }

    /// Stores a packet and gives its slot.
    pub fn push(&mut self, sequence: u64, tail: &[u8], payload: &[u8]) -> Option<u64> {
        self.0.push(PacketInfo { sequence, ..PacketInfo::default() }, tail, payload)
    }

    /// The payload in a slot.
    pub fn payload(&self, slot: u64) -> Option<&[u8]> {
        self.0.packet(slot).map(|packet| packet.payload)
    }
}
