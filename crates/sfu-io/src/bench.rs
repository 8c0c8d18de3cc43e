//! What micro benches measure that nobody else may reach.

use crate::packet_ring::{Reader, Writer, packet_ring};

/// One direction of a lane.
pub struct PacketRing {
    writer: Writer,
    reader: Reader,
}

impl Default for PacketRing {
    fn default() -> Self {
        let (writer, reader) = packet_ring();
        Self { writer, reader }
    }
}

impl PacketRing {
    /// Copies a packet into it; false when there is no room.
    pub fn write(&mut self, packet: &[u8]) -> bool {
        self.writer.write(packet)
    }

    /// Takes the oldest packet; false when there is none.
    pub fn read(&mut self, take: impl FnOnce(&mut [u8])) -> bool {
        self.reader.read(take)
    }
}
