//! The listening half of an address: the same address and port number as the UDP socket's.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// RFC 6544 clients send media: what the kernel holds unsent beyond this is late when it arrives. It does not limit what
/// is on its way, so a long path is filled all the same.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

pub(crate) struct MediaListener {
    listener: TcpListener,
    /// Somebody may wait. Readiness is edge-triggered.
    pub(super) ready: bool,
}

impl MediaListener {
    /// Listens on the address and registers for who comes.
    pub(crate) fn bind(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Connections of the process before this one may still be ending.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        registry.register(&mut listener, token, Interest::READABLE)?;
        Ok(Self { listener, ready: true })
    }

    #[cfg(test)]
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection, set up for media.
    pub(super) fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, remote) = self.listener.accept()?;
        let options = SockRef::from(&stream);
        options.set_tcp_nodelay(true)?;
        options.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        // What is not sent when a connection is closed nobody wants any more.
        options.set_linger(Some(Duration::ZERO))?;
        Ok((stream, remote))
    }
}
