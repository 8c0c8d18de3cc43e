//! What came of all clients of a drive.

use std::time::Duration;

use loadtest::client::{Fault, Latencies};

/// Sums over all clients since they were added; those that are gone count for what they had received.
#[derive(Debug, Default, Clone)]
pub(crate) struct Totals {
    /// Clients, and those of them that are connected.
    pub(crate) clients: usize,
    pub(crate) connected: usize,
    /// Streams that are consumed, those of which something came, and those of which nothing came lately.
    pub(crate) streams: usize,
    pub(crate) heard: usize,
    pub(crate) silent: usize,
    /// Media packets sent by publishers, once each.
    pub(crate) sent: u64,
    /// Media packets received, and those of them that were decrypted and checked.
    pub(crate) packets: u64,
    pub(crate) verified: u64,
    /// Datagrams that carry media, and their bytes.
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
    /// Packets that never came.
    pub(crate) lost: u64,
    /// Of the verified those of streams whose missing packets are asked for again, and what is missing of them still.
    pub(crate) repaired: u64,
    pub(crate) unrepaired: u64,
    /// Datagrams of any kind that the impairment threw away, on both ways.
    pub(crate) impaired: u64,
    /// Faults that the checks found, and one of them.
    pub(crate) faults: u64,
    pub(crate) fault: Option<Fault>,
    /// From sending to arrival, of packets that were decrypted.
    pub(crate) latencies: Latencies,
    /// From the first request of each participant who waited for media to its first packet.
    pub(crate) first_packets: Vec<Duration>,
}

impl Totals {
    /// Adds those of other clients.
    pub(crate) fn add(&mut self, other: Self) {
        self.clients += other.clients;
        self.connected += other.connected;
        self.streams += other.streams;
        self.heard += other.heard;
        self.silent += other.silent;
        self.sent += other.sent;
        self.packets += other.packets;
        self.verified += other.verified;
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.repaired += other.repaired;
        self.unrepaired += other.unrepaired;
        self.impaired += other.impaired;
        self.faults += other.faults;
        self.fault = self.fault.or(other.fault);
        self.latencies.add(&other.latencies);
        self.first_packets.extend(other.first_packets);
    }

    /// What stays when they are gone.
    pub(crate) fn past(self) -> Self {
        Self { clients: 0, connected: 0, streams: 0, heard: 0, silent: 0, ..self }
    }

    /// Clients that are not connected.
    pub(crate) fn unconnected(&self) -> usize {
        self.clients - self.connected
    }
}
