//! A client and its socket.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mio::net::UdpSocket;
use protocol::transport::{IceProtocol, TransportOptions};

use crate::endpoint::Endpoint;
use crate::socket::{ClientSocket, Receiver};
use crate::totals::Totals;

/// One transport of somebody.
pub(crate) struct Participant {
    /// Among those of its thread.
    pub(crate) number: usize,
    pub(crate) client: Endpoint,
    socket: ClientSocket,
    /// Up to where the client's clock went.
    now: Instant,
    datagrams: u64,
    bytes: u64,
    /// When somebody began to wait for media, and how long it took.
    waits_since: Option<Instant>,
    waited: Option<Duration>,
}

/// A transport with only the candidates that such a client tries: the server's own address, over UDP.
pub(crate) fn reachable(server: SocketAddr, options: Option<TransportOptions>) -> anyhow::Result<TransportOptions> {
    let mut options = options.context("the welcome has no transport")?;
    options.ice_candidates.retain(|candidate| {
        candidate.protocol == IceProtocol::Udp
            && candidate.ip.is_ipv4() == server.is_ipv4()
            && candidate.ip.is_loopback() == server.ip().is_loopback()
    });
    anyhow::ensure!(!options.ice_candidates.is_empty(), "the server takes no media by UDP at {}", server.ip());
    Ok(options)
}

impl Participant {
    pub(crate) fn new(client: impl Into<Endpoint>, socket: ClientSocket) -> Self {
        Self {
            number: 0,
            client: client.into(),
            socket,
            now: Instant::now(),
            datagrams: 0,
            bytes: 0,
            waits_since: None,
            waited: None,
        }
    }

    /// Of somebody who has waited for media since then.
    pub(crate) fn waiting_since(mut self, at: Instant) -> Self {
        self.waits_since = Some(at);
        self
    }

    /// For epoll.
    pub(crate) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket.socket
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.client.poll_timeout() <= now {
            self.now = now;
            self.client.handle_timeout(now);
            self.flush();
        }
    }

    /// Takes in what has come.
    pub(crate) fn receive(&mut self, receiver: &mut Receiver) {
        let Self { client, socket, now, datagrams, bytes, waits_since, waited, .. } = self;
        receiver.receive(socket, |arrived, source, datagram| {
            // A client's clock does not go back to before a timer that was due meanwhile.
            *now = arrived.max(*now);
            // RFC 7983 and RFC 5761: RTP.
            if matches!(datagram, [128..=191, kind, ..] if !(192..224).contains(kind)) {
                *datagrams += 1;
                *bytes += datagram.len() as u64;
                *waited = waited.or(waits_since.map(|since| arrived.saturating_duration_since(since)));
            }
            client.handle_datagram(*now, source, datagram);
        });
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.client.poll_transmit() {
            self.socket.send(&datagram.bytes, datagram.destination);
        }
    }

    pub(crate) fn add_to(&self, now: Instant, totals: &mut Totals) {
        totals.datagrams += self.datagrams;
        totals.bytes += self.bytes;
        totals.first_packets.extend(self.waited);
        self.client.add_to(now, totals);
    }
}
