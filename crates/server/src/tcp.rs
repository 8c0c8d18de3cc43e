//! The listening socket of HTTP, and what its connections are to do when their peer is silent.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// How long sent bytes may stay unacknowledged (RFC 5482). Longer than what Engine.IO waits for its pong, so it only
/// ends what Engine.IO has given up already, and HTTP's connections: by itself the kernel would try for 15 minutes.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);
/// After so much silence the kernel asks whether the peer is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// And then so often until it answers, or [`UNACKNOWLEDGED_MAX`] is over.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Listens on an address. Linux passes the options on to the connections, from their first moment.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    let socket = SockRef::from(&listener);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    // Messages are small and whole: none gains from waiting for the acknowledgement of the one before.
    socket.set_tcp_nodelay(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn connections_have_the_options_of_their_listener() {
        let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("loopback can be bound");
        let _client = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (accepted, _) = listener.accept().expect("somebody came");
        let accepted = SockRef::from(&accepted);
        assert_eq!(accepted.tcp_user_timeout().expect("an option"), Some(UNACKNOWLEDGED_MAX));
        assert!(accepted.keepalive().expect("an option") && accepted.tcp_nodelay().expect("an option"));
        assert_eq!(accepted.tcp_keepalive_time().expect("an option"), KEEPALIVE_AFTER);
        assert_eq!(accepted.tcp_keepalive_interval().expect("an option"), KEEPALIVE_INTERVAL);
    }
}
