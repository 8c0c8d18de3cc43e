//! Where a transport's packets go, and whether they can: the selected pair, and what the driver says of its connections.

use std::net::{Ipv4Addr, SocketAddr};

use super::Worker;
use crate::burst::Egress;
use crate::ice::Pair;
use crate::keys::TransportKey;
use crate::srtp::SealKeys;
use crate::transmit::{Path, SocketIndex};

impl Worker {
    /// Whether a client proved that it talks from there and still may. What no transport owns, no connection is kept
    /// for.
    pub fn is_valid_pair(&self, socket: SocketIndex, remote: SocketAddr) -> bool {
        self.pairs.contains_key(&Pair { socket, remote })
    }

    /// A connection takes no more packets for now, or takes them again. Meanwhile nothing is written for it, and what
    /// its consumers are to get waits in the rings.
    pub fn set_writable(&mut self, socket: SocketIndex, remote: SocketAddr, writable: bool) {
        let pair = Pair { socket, remote };
        let Some(&key) = self.pairs.get(&pair) else { return };
        if self.transports[key.0].path() == Some(Path::Pair(pair)) {
            self.set_blocked(key, !writable);
        }
    }

    /// A connection closed: its pair is not valid any more. The transport goes on over another, or waits for one
    /// until its consent ends.
    pub fn handle_close(&mut self, socket: SocketIndex, remote: SocketAddr) {
        let pair = Pair { socket, remote };
        let Some(key) = self.pairs.remove(&pair) else { return };
        let Some(client) = self.transports[key.0].client_mut() else { return };
        let was_selected = client.ice.selected() == Some(pair);
        client.ice.remove(pair);
        if was_selected {
            self.use_selected_pair(key);
        }
    }

    /// Sends by the pair that is selected now, from where what was held up goes on.
    pub(super) fn use_selected_pair(&mut self, key: TransportKey) {
        let transport = &mut self.transports[key.0];
        let selected = transport.path();
        if let (Some(path), Some(egress)) = (selected, &mut transport.egress) {
            egress.path = path;
        }
        self.set_blocked(key, selected.is_none());
    }

    fn set_blocked(&mut self, key: TransportKey, blocked: bool) {
        let transport = &mut self.transports[key.0];
        let Some(egress) = &mut transport.egress else { return };
        if !std::mem::replace(&mut egress.blocked, blocked) || blocked {
            return;
        }
        for index in 0..transport.consumers.len() {
            let consumer = &self.consumers[self.transports[key.0].consumers[index].0];
            for source in [consumer.source, consumer.next_source].into_iter().flatten() {
                self.queue(source.stream);
            }
        }
        self.write_data_later(key);
    }
}

/// The sending half of a transport whose handshake is through. The connection that it came over may be gone.
pub(super) fn egress(keys: SealKeys, path: Option<Path>) -> Egress {
    let nowhere = Pair { socket: SocketIndex::MAX, remote: (Ipv4Addr::UNSPECIFIED, 0).into() };
    let blocked = path.is_none();
    let path = path.unwrap_or(Path::Pair(nowhere));
    Egress { keys, path, transport_cc: 1, packets: 0, bytes: 0, blocked, bandwidth: None }
}
