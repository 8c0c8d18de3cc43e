//! A client and its socket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mio::net::UdpSocket;
use protocol::transport::{IceProtocol, TransportOptions};

use crate::endpoint::Endpoint;
use crate::gap::Gap;
use crate::impairment::Way;
use crate::socket::{ClientSocket, Receiver};
use crate::totals::Totals;

/// One transport of somebody.
pub(crate) struct Participant {
    /// Among those of its thread.
    pub(crate) number: usize,
    pub(crate) client: Endpoint,
    socket: ClientSocket,
    /// What is between the client and the socket, if anything is.
    way: Option<Way>,
    /// Up to where the client's clock went.
    now: Instant,
    arrivals: Arrivals,
}

/// What came of media.
#[derive(Default)]
struct Arrivals {
    datagrams: u64,
    bytes: u64,
    /// When somebody began to wait for media, and how long it took.
    waits_since: Option<Instant>,
    waited: Option<Duration>,
    /// Of streams, by their SSRC.
    gaps: HashMap<u32, Arc<Gap>>,
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
        Self { number: 0, client: client.into(), socket, way: None, now: Instant::now(), arrivals: Arrivals::default() }
    }

    /// Over a way that is worse than the socket's.
    pub(crate) fn over(mut self, way: Option<Way>) -> Self {
        self.way = way;
        self
    }

    /// Of somebody who has waited for media since then.
    pub(crate) fn waiting_since(mut self, at: Instant) -> Self {
        self.arrivals.waits_since = Some(at);
        self
    }

    /// Notes for how long a stream does not come.
    pub(crate) fn listen(&mut self, ssrc: u32, gap: Arc<Gap>) {
        self.arrivals.gaps.insert(ssrc, gap);
    }

    /// Expects nothing more of a stream, and adds what came of it.
    pub(crate) fn forget(&mut self, ssrc: u32, totals: &mut Totals) {
        self.arrivals.gaps.remove(&ssrc);
        self.client.forget(ssrc, totals);
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
        self.travel();
    }

    /// When something is to be done to the point: media sent, a datagram passed on.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let arrival = self.way.as_ref().and_then(Way::next_arrival);
        self.client.next_capture().into_iter().chain(arrival).min()
    }

    /// Takes in what has come.
    pub(crate) fn receive(&mut self, receiver: &mut Receiver) {
        let Self { client, socket, way, arrivals, now, .. } = self;
        let local = socket.local;
        receiver.receive(socket, |arrived, source, datagram| match way {
            Some(way) => way.receive(arrived, source, local, datagram),
            None => arrivals.deliver(client, now, arrived, source, datagram),
        });
        self.flush();
        self.travel();
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.client.poll_transmit() {
            match &mut self.way {
                Some(way) => way.send(self.now, datagram),
                None => self.socket.send(&datagram.bytes, datagram.destination),
            }
        }
    }

    /// Passes on what is through.
    fn travel(&mut self) {
        while let Some((at, datagram)) = self.way.as_mut().and_then(|way| way.poll(Instant::now())) {
            if datagram.source == self.socket.local {
                self.socket.send(&datagram.bytes, datagram.destination);
            } else {
                let Self { client, arrivals, now, .. } = self;
                arrivals.deliver(client, now, at, datagram.source, &datagram.bytes);
                self.flush();
            }
        }
    }

    pub(crate) fn add_to(&self, now: Instant, totals: &mut Totals) {
        totals.datagrams += self.arrivals.datagrams;
        totals.bytes += self.arrivals.bytes;
        totals.first_packets.extend(self.arrivals.waited);
        totals.impaired += self.way.as_ref().map_or(0, Way::lost);
        self.client.add_to(now, totals);
    }
}

impl Arrivals {
    /// Gives a datagram to a client whose clock is at `now`.
    fn deliver(
        &mut self,
        client: &mut Endpoint,
        now: &mut Instant,
        arrived: Instant,
        source: SocketAddr,
        datagram: &[u8],
    ) {
        // A client's clock does not go back to before a timer that was due meanwhile.
        *now = arrived.max(*now);
        // RFC 7983 and RFC 5761: RTP.
        if let &[128..=191, kind, _, _, _, _, _, _, a, b, c, d, ..] = datagram
            && !(192..224).contains(&kind)
        {
            if let Some(gap) = self.gaps.get(&u32::from_be_bytes([a, b, c, d])) {
                gap.note(arrived);
            }
            self.datagrams += 1;
            self.bytes += datagram.len() as u64;
            let waited = self.waits_since.map(|since| arrived.saturating_duration_since(since));
            self.waited = self.waited.or(waited);
        }
        client.handle_datagram(*now, source, datagram);
    }
}
