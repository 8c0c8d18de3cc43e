//! A client's socket, as a browser has one: each datagram comes by itself, with the instant at which the kernel took
//! it. What it then waits for a busy thread of ours is not the server's delay.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use mio::net::UdpSocket;
use nix::sys::socket::{setsockopt, sockopt::UdpGroSegment};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Socket, Type};

/// Room for bursts while the thread is at work for another client.
const RECEIVE_BUFFER: usize = 1 << 20;
const DATAGRAM_BYTES_MAX: usize = 2048;

/// A bound socket.
pub(crate) struct ClientSocket {
    pub(crate) socket: UdpSocket,
    state: UdpSocketState,
    pub(crate) local: SocketAddr,
}

impl ClientSocket {
    /// A socket that reaches the server from the address that the system chooses for it.
    pub(crate) fn bind(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::DGRAM, None).context("a UDP socket")?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&SocketAddr::new(own_address(server)?, 0).into())?;
        let state = UdpSocketState::new((&socket).into())?;
        // Asked for by the line above.
        setsockopt(&socket, UdpGroSegment, &false).context("receiving without GRO")?;
        let socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        Ok(Self { socket, state, local })
    }

    pub(crate) fn send(&self, bytes: &[u8], destination: SocketAddr) {
        // What the kernel does not take is lost, as anywhere on the way.
        let _ = self.socket.send_to(bytes, destination);
    }
}

/// The address of this machine that the server sees.
fn own_address(server: SocketAddr) -> io::Result<std::net::IpAddr> {
    let any: std::net::IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// The receive buffers of a thread.
pub(crate) struct Receiver {
    buffers: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self { buffers: vec![0; BATCH_SIZE * DATAGRAM_BYTES_MAX], metas: [RecvMeta::default(); BATCH_SIZE] }
    }

    /// Empties the socket, and hands each datagram over with its sender and the instant of its arrival.
    pub(crate) fn receive(&mut self, socket: &ClientSocket, mut deliver: impl FnMut(Instant, SocketAddr, &[u8])) {
        loop {
            let mut slices = self.buffers.chunks_exact_mut(DATAGRAM_BYTES_MAX).map(IoSliceMut::new).collect::<Vec<_>>();
            let Ok(count) = socket.state.recv((&socket.socket).into(), &mut slices, &mut self.metas) else { return };
            let now = Instant::now();
            let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            for (meta, datagram) in self.metas.iter().zip(&slices).take(count) {
                let waited = meta.timestamp.map_or_else(Default::default, |at| clock.saturating_sub(at));
                deliver(now.checked_sub(waited).unwrap_or(now), meta.addr, &datagram[..meta.len]);
            }
            if count < BATCH_SIZE {
                return;
            }
        }
    }
}
