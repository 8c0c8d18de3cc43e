//! A worker's UDP socket: bound to one concrete address, large buffers, never fragmenting.

use std::io;
use std::net::SocketAddr;
use std::sync::Once;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::warn;

/// Asked for in each direction: a second of a worker's video at 30 Mbit/s, or a burst of 3,000 full datagrams.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

pub(crate) struct MediaSocket {
    pub(crate) socket: UdpSocket,
    pub(crate) state: UdpSocketState,
    /// Something may wait to be read. Readiness is edge-triggered: this stays true until a read comes back short.
    pub(crate) readable: bool,
    pub(crate) local: SocketAddr,
    token: Token,
}

impl MediaSocket {
    /// Binds the socket and registers it for reading.
    pub(crate) fn bind(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
        socket.set_send_buffer_size(BUFFER_BYTES)?;
        warn_if_capped(&socket)?;
        // Makes it non-blocking, asks for GRO and receive timestamps, and forbids fragmentation (IP_PMTUDISC_PROBE).
        let state = UdpSocketState::new((&socket).into())?;
        socket.bind(&address.into())?;
        let mut socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Self { socket, state, readable: true, local, token })
    }

    /// Asks to be woken, or no longer, when the send buffer has room. Only while something is blocked on it: each
    /// datagram that leaves the buffer would wake the thread otherwise.
    pub(crate) fn want_writable(&mut self, registry: &Registry, wanted: bool) -> io::Result<()> {
        let interest = if wanted { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut self.socket, self.token, interest)
    }

    /// Whether the kernel can cut one message into datagrams for this socket.
    pub(crate) fn can_segment(&self) -> bool {
        self.state.max_gso_segments() > 1
    }
}

fn warn_if_capped(socket: &Socket) -> io::Result<()> {
    static WARNED: Once = Once::new();
    // Linux tells twice what was asked for, its own bookkeeping included (socket(7)).
    let (receive, send) = (socket.recv_buffer_size()? / 2, socket.send_buffer_size()? / 2);
    if receive < BUFFER_BYTES || send < BUFFER_BYTES {
        WARNED.call_once(|| {
            warn!(
                receive_bytes = receive,
                send_bytes = send,
                wanted_bytes = BUFFER_BYTES,
                "the system caps UDP socket buffers, bursts of media may be lost; raise them with: \
                 sysctl -w net.core.rmem_max={BUFFER_BYTES} net.core.wmem_max={BUFFER_BYTES}"
            );
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn a_bound_socket_knows_its_port_and_sends_no_fragments() {
        let poll = Poll::new().expect("epoll is there");
        for (token, address) in ["127.0.0.1:0", "[::1]:0"].into_iter().enumerate() {
            let address = address.parse().expect("it is an address");
            let bound = MediaSocket::bind(address, poll.registry(), Token(token)).expect("loopback can be bound");
            assert_eq!(bound.local.ip(), address.ip());
            assert_ne!(bound.local.port(), 0);
            assert!(!bound.state.may_fragment());
        }
    }

    #[test]
    fn ipv4_and_ipv6_can_share_a_port_number() {
        let poll = Poll::new().expect("epoll is there");
        let v6 = "[::1]:0".parse().expect("it is an address");
        let v6 = MediaSocket::bind(v6, poll.registry(), Token(0)).expect("loopback can be bound");
        let v4 = SocketAddr::from(([127, 0, 0, 1], v6.local.port()));
        // Another program may hold the port by chance; what must not happen is that our own socket does.
        if std::net::UdpSocket::bind(v4).is_ok() {
            MediaSocket::bind(v4, poll.registry(), Token(1)).expect("the IPv6 socket leaves IPv4 alone");
        }
    }

    #[test]
    fn room_in_the_send_buffer_wakes_only_while_it_is_wanted() {
        let mut poll = Poll::new().expect("epoll is there");
        let address = "127.0.0.1:0".parse().expect("it is an address");
        let mut bound = MediaSocket::bind(address, poll.registry(), Token(0)).expect("loopback can be bound");
        let mut events = Events::with_capacity(4);
        for (wanted, expected) in [(false, 0), (true, 1), (false, 0), (true, 1)] {
            bound.want_writable(poll.registry(), wanted).expect("it is registered");
            poll.poll(&mut events, Some(Duration::ZERO)).expect("epoll works");
            assert_eq!(events.iter().filter(|event| event.is_writable()).count(), expected);
        }
    }
}
