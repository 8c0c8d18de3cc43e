//! ICE-TCP (RFC 6544): clients whose network lets no UDP through connect to the same address and port number.
//!
//! To the worker a connection is a path like any other: one of its sockets and a remote address. Whoever connects is
//! a stranger until a STUN check makes that path valid, and a connection whose path is not valid is closed.

mod connection;
mod listener;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use mio::event::Event;
use mio::{Interest, Registry, Token};
use sfu::transmit::SocketIndex;
use slab::Slab;
use tracing::warn;

use crate::metrics::{Counters, DropCause, add};
use crate::send::Outgoing;
use connection::{Connection, DATAGRAMS_MAX};
pub(crate) use listener::MediaListener;

/// Most connections of a worker.
const CONNECTIONS_MAX: usize = 8192;
/// Most connections of one address. A company behind one NAT has two for each person, and some more while they join.
const CONNECTIONS_PER_ADDRESS_MAX: u32 = 1024;
/// How long a connection may be without a valid STUN check. Browsers send one as soon as it is open.
const PROOF_TIME: Duration = Duration::from_secs(5);
/// Connections accepted in one turn.
const ACCEPTS_MAX: usize = 64;
/// Bytes read from a connection at a time.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Why a connection was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The worker has [`CONNECTIONS_MAX`].
    TooMany,
    /// Its address has [`CONNECTIONS_PER_ADDRESS_MAX`].
    TooManyOfAddress,
    /// The system has no more descriptors or memory.
    System,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The client closed it.
    ByPeer,
    /// It broke.
    ByError,
    /// What came by it were no frames of datagrams.
    FrameTooLong,
    /// No valid STUN check came in time.
    Unproven,
    /// Its transport ended, or the client has too many paths.
    Ended,
}

/// What the worker is to be told of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathChange {
    Writable(bool),
    Closed,
}

/// The listeners of a worker and the connections that came by them.
pub(crate) struct Connections {
    registry: Registry,
    listeners: Vec<MediaListener>,
    /// The first listener's socket index and token; the connections' tokens follow those of the listeners.
    first: usize,
    slots: Slab<Connection>,
    by_path: HashMap<(SocketIndex, SocketAddr), usize>,
    per_address: HashMap<IpAddr, u32>,
    readable: VecDeque<usize>,
    changes: VecDeque<(SocketIndex, SocketAddr, PathChange)>,
    queued: usize,
    buffer: Box<[u8]>,
}

impl Connections {
    /// The connections of these listeners, the first of which has this socket index and token.
    pub(crate) fn new(registry: Registry, listeners: Vec<MediaListener>, first: usize) -> Self {
        Self {
            registry,
            listeners,
            first,
            slots: Slab::new(),
            by_path: HashMap::new(),
            per_address: HashMap::new(),
            readable: VecDeque::new(),
            changes: VecDeque::new(),
            queued: 0,
            buffer: vec![0; READ_BYTES_MAX].into_boxed_slice(),
        }
    }

    /// Notes what the system says of a listener or connection.
    pub(crate) fn handle_event(&mut self, event: &Event, counters: &Counters) {
        let Some(place) = event.token().0.checked_sub(self.first) else { return };
        if let Some(listener) = self.listeners.get_mut(place) {
            listener.ready = true;
            return;
        }
        let key = place - self.listeners.len();
        // It may be an event of one that was closed meanwhile, and at worst wakes its successor.
        let Some(connection) = self.slots.get_mut(key) else { return };
        let readable = event.is_readable() || event.is_read_closed() || event.is_error();
        if readable && !std::mem::replace(&mut connection.readable, true) {
            self.readable.push_back(key);
        }
        if event.is_writable() && connection.queued() > 0 {
            self.write(key, counters, Connection::flush);
        }
    }

    /// Whether something waits to be accepted or read.
    pub(crate) fn is_ready(&self) -> bool {
        !self.readable.is_empty() || self.listeners.iter().any(|listener| listener.ready)
    }

    /// Accepts who waits, up to [`ACCEPTS_MAX`].
    pub(crate) fn accept(&mut self, now: Instant, counters: &Counters) {
        static WARNED: Once = Once::new();
        for index in 0..self.listeners.len() {
            for _ in 0..ACCEPTS_MAX {
                let listener = &mut self.listeners[index];
                if !listener.ready {
                    break;
                }
                match listener.accept() {
                    Ok((stream, remote)) => {
                        let socket = (self.first + index) as SocketIndex;
                        match self.admit(Connection::new(stream, socket, remote, now)) {
                            Ok(()) => add(&counters.tcp_accepted, 1),
                            Err(refused) => counters.tcp_refuse(refused),
                        }
                    }
                    Err(error) => {
                        // Out of descriptors: tried again at the next sweep. Who hung up while waiting is nobody's fault.
                        listener.ready = matches!(
                            error.kind(),
                            io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted | io::ErrorKind::NotConnected
                        );
                        if !listener.ready && error.kind() != io::ErrorKind::WouldBlock {
                            counters.tcp_refuse(Refused::System);
                            WARNED.call_once(|| warn!(%error, "media connections (TCP) cannot be accepted"));
                        }
                    }
                }
            }
        }
        self.publish(counters);
    }

    fn admit(&mut self, mut connection: Connection) -> Result<(), Refused> {
        if self.slots.len() >= CONNECTIONS_MAX {
            return Err(Refused::TooMany);
        }
        let address = address_of(connection.remote.ip());
        if self.per_address.get(&address).is_some_and(|count| *count >= CONNECTIONS_PER_ADDRESS_MAX) {
            return Err(Refused::TooManyOfAddress);
        }
        let entry = self.slots.vacant_entry();
        let token = Token(self.first + self.listeners.len() + entry.key());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(connection.source_mut(), token, interest).map_err(|_| Refused::System)?;
        *self.per_address.entry(address).or_default() += 1;
        self.readable.push_back(entry.key());
        self.by_path.insert((connection.socket, connection.remote), entry.key());
        entry.insert(connection);
        Ok(())
    }

    /// Reads once from the connection whose turn it is and hands its datagrams over; whether there was one.
    pub(crate) fn receive(
        &mut self,
        counters: &Counters,
        mut deliver: impl FnMut(Instant, SocketIndex, SocketAddr, &mut [u8]),
    ) -> bool {
        let Some(key) = self.readable.pop_front() else { return false };
        let Some(connection) = self.slots.get_mut(key) else { return true };
        let (socket, remote) = (connection.socket, connection.remote);
        let (mut datagrams, mut bytes) = (0, 0);
        let read = connection.receive(&mut self.buffer, |now, datagram| {
            datagrams += 1;
            bytes += datagram.len();
            deliver(now, socket, remote, datagram);
        });
        add(&counters.datagrams_in, datagrams);
        add(&counters.bytes_in, bytes);
        match read {
            Ok(()) if connection.readable => self.readable.push_back(key),
            Ok(()) => {}
            Err(cause) => self.close(key, cause, counters),
        }
        true
    }

    /// How many wait to be read.
    pub(crate) fn readable(&self) -> usize {
        self.readable.len()
    }

    /// Sends messages in order, those that follow each other to one client in as few system calls as possible. Takes
    /// all of them: what finds a full queue or no connection is counted as dropped, as on a lossy path.
    pub(crate) fn send(&mut self, socket: SocketIndex, outgoing: &[Outgoing<'_>], counters: &Counters) {
        for messages in outgoing.chunk_by(|a, b| a.remote == b.remote) {
            let remote = messages[0].remote;
            let datagrams = || messages.iter().flat_map(Outgoing::datagrams);
            let Some(&key) = self.by_path.get(&(socket, remote)) else {
                counters.drop_datagrams(DropCause::NotConnected, datagrams().count());
                continue;
            };
            let mut rest = datagrams();
            loop {
                let some: ArrayVec<&[u8], DATAGRAMS_MAX> = rest.by_ref().take(DATAGRAMS_MAX).collect();
                if some.is_empty() {
                    break;
                }
                self.write(key, counters, |connection| {
                    let dropped = connection.send(&some)?;
                    counters.drop_datagrams(DropCause::QueueFull, dropped);
                    Ok(())
                });
            }
        }
    }

    /// Lets a connection write, and notes whether the kernel takes more of it now.
    fn write(&mut self, key: usize, counters: &Counters, write: impl FnOnce(&mut Connection) -> Result<(), Closed>) {
        let Some(connection) = self.slots.get_mut(key) else { return };
        let before = connection.queued();
        match write(connection) {
            Ok(()) => {
                let after = connection.queued();
                self.queued = self.queued - before + after;
                // Told again while it is full, for the worker may have come back to it from another path meanwhile.
                if before > 0 || after > 0 {
                    let change = PathChange::Writable(after == 0);
                    self.changes.push_back((connection.socket, connection.remote, change));
                }
            }
            Err(cause) => {
                self.queued = self.queued - before + connection.queued();
                self.close(key, cause, counters);
            }
        }
        counters.tcp_queued_bytes.store(self.queued as u64, Ordering::Relaxed);
    }

    /// Closes the connections whose path is not valid, unless they are new. To be called every second.
    pub(crate) fn sweep(
        &mut self,
        now: Instant,
        counters: &Counters,
        is_valid: impl Fn(SocketIndex, SocketAddr) -> bool,
    ) {
        let mut over = Vec::new();
        for (key, connection) in &mut self.slots {
            if is_valid(connection.socket, connection.remote) {
                connection.proven = true;
            } else if connection.proven {
                over.push((key, Closed::Ended));
            } else if now.saturating_duration_since(connection.accepted) >= PROOF_TIME {
                over.push((key, Closed::Unproven));
            }
        }
        for (key, cause) in over {
            self.close(key, cause, counters);
        }
        self.listeners.iter_mut().for_each(|listener| listener.ready = true);
    }

    fn close(&mut self, key: usize, cause: Closed, counters: &Counters) {
        let Some(connection) = self.slots.try_remove(key) else { return };
        self.queued -= connection.queued();
        self.readable.retain(|readable| *readable != key);
        self.by_path.remove(&(connection.socket, connection.remote));
        let address = address_of(connection.remote.ip());
        if let Some(of_address) = self.per_address.get_mut(&address) {
            *of_address -= 1;
            if *of_address == 0 {
                self.per_address.remove(&address);
            }
        }
        self.changes.push_back((connection.socket, connection.remote, PathChange::Closed));
        counters.tcp_close(cause);
        self.publish(counters);
    }

    fn publish(&self, counters: &Counters) {
        counters.tcp_connections.store(self.slots.len() as u32, Ordering::Relaxed);
        counters.tcp_queued_bytes.store(self.queued as u64, Ordering::Relaxed);
    }

    /// What the worker is to be told next.
    pub(crate) fn poll_change(&mut self) -> Option<(SocketIndex, SocketAddr, PathChange)> {
        self.changes.pop_front()
    }
}

/// Whom the limit counts as one: an IPv4 address, or the /64 that one IPv6 subscriber usually has to himself.
fn address_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use mio::{Events, Poll};
    use sfu::framing::FRAME_BYTES_MAX;

    use super::*;
    use crate::handle::WorkerIndex;
    use crate::metrics::{TcpClosed, TcpRefused, WorkerMetrics};
    use connection::QUEUE_BYTES_MAX;

    /// The index of the first listener, as if one UDP socket came before it.
    const SOCKET: SocketIndex = 1;

    struct Run {
        poll: Poll,
        connections: Connections,
        counters: Counters,
        address: SocketAddr,
        now: Instant,
    }

    impl Run {
        fn new() -> Self {
            let poll = Poll::new().expect("epoll is there");
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = MediaListener::bind(any, poll.registry(), Token(1)).expect("loopback can be bound");
            let address = listener.local_addr().expect("it is bound");
            let registry = poll.registry().try_clone().expect("epoll can be shared");
            let connections = Connections::new(registry, vec![listener], usize::from(SOCKET));
            Self { poll, connections, counters: Counters::default(), address, now: Instant::now() }
        }

        /// Connects and is accepted, or refused.
        fn connect(&mut self) -> TcpStream {
            let client = TcpStream::connect(self.address).expect("it listens");
            client.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
            let known = |run: &Self| run.metrics().tcp_accepted + refusals(run.metrics().tcp_refused);
            let before = known(self);
            while known(self) == before {
                self.turn();
            }
            client
        }

        /// What the system says is noted, who waits accepted, what came delivered.
        fn turn(&mut self) -> Vec<Vec<u8>> {
            let mut events = Events::with_capacity(16);
            self.poll.poll(&mut events, Some(Duration::from_millis(1))).expect("epoll works");
            for event in &events {
                self.connections.handle_event(event, &self.counters);
            }
            self.connections.accept(self.now, &self.counters);
            let mut received = Vec::new();
            for _ in 0..self.connections.readable() {
                self.connections.receive(&self.counters, |_, socket, _, datagram| {
                    assert_eq!(socket, SOCKET);
                    received.push(datagram.to_vec());
                });
            }
            received
        }

        fn receive(&mut self, count: usize) -> Vec<Vec<u8>> {
            let mut received = Vec::new();
            while received.len() < count {
                received.extend(self.turn());
            }
            received
        }

        fn send(&mut self, to: &TcpStream, bytes: &[u8], segment_bytes: Option<u16>) {
            let remote = to.local_addr().expect("it is connected");
            self.connections.send(SOCKET, &[Outgoing { remote, bytes, segment_bytes }], &self.counters);
        }

        /// What the worker would be told.
        fn changes(&mut self) -> Vec<PathChange> {
            std::iter::from_fn(|| self.connections.poll_change()).map(|(_, _, change)| change).collect()
        }

        fn until_closed(&mut self) {
            while self.metrics().tcp_connections > 0 {
                self.turn();
            }
            assert_eq!(self.changes(), [PathChange::Closed]);
            assert!(self.connections.per_address.is_empty() && self.connections.by_path.is_empty());
        }

        fn metrics(&self) -> WorkerMetrics {
            self.counters.snapshot(WorkerIndex(0))
        }
    }

    fn refusals(refused: TcpRefused) -> u64 {
        refused.too_many + refused.too_many_of_address + refused.system
    }

    fn read_frame(client: &mut TcpStream) -> Vec<u8> {
        let mut length = [0; 2];
        client.read_exact(&mut length).expect("a length comes");
        let mut datagram = vec![0; u16::from_be_bytes(length).into()];
        client.read_exact(&mut datagram).expect("a datagram follows");
        datagram
    }

    #[test]
    fn frames_become_datagrams_and_messages_become_frames() {
        let mut run = Run::new();
        let mut client = run.connect();
        client.write_all(b"\x00\x03one\x00\x05thr").expect("it is sent");
        assert_eq!(run.receive(1), [b"one"]);
        client.write_all(b"ee\x00\x01x").expect("it is sent");
        assert_eq!(run.receive(2), [&b"three"[..], b"x"]);

        let message: Vec<u8> = (0..64).flat_map(|n| [n; 1000]).chain([64; 10]).collect();
        run.send(&client, &message, Some(1000));
        run.send(&client, b"single", None);
        for n in 0..64 {
            assert_eq!(read_frame(&mut client), [n; 1000]);
        }
        assert_eq!(read_frame(&mut client), [64; 10]);
        assert_eq!(read_frame(&mut client), b"single");
        assert_eq!(run.changes(), []);
        assert_eq!((run.metrics().datagrams_in, run.metrics().bytes_in), (3, 9));
    }

    #[test]
    fn a_client_that_reads_nothing_blocks_its_own_path_and_gets_whole_frames_when_it_reads_again() {
        let mut run = Run::new();
        let mut client = run.connect();
        let mut other = run.connect();
        let mut sent = 0;
        let mut next = || {
            sent += 1;
            u32::to_be_bytes(sent).repeat(250)
        };
        while run.metrics().dropped.queue_full == 0 {
            run.send(&client, &next(), None);
        }
        let changes = run.changes();
        assert!(changes.iter().all(|change| *change == PathChange::Writable(false)), "{changes:?}");
        assert!(!changes.is_empty());
        let queued = run.metrics().tcp_queued_bytes as usize;
        assert!((QUEUE_BYTES_MAX - 1002..=QUEUE_BYTES_MAX).contains(&queued), "{queued}");
        run.send(&other, b"meanwhile", None);
        assert_eq!(read_frame(&mut other), b"meanwhile");
        assert_eq!(run.changes(), []);

        // All but the one that found the queue full.
        for n in 1..sent {
            if run.metrics().tcp_queued_bytes > 0 {
                run.turn();
            }
            assert_eq!(read_frame(&mut client), n.to_be_bytes().repeat(250));
        }
        assert_eq!(run.metrics().tcp_queued_bytes, 0);
        assert_eq!(run.changes().last(), Some(&PathChange::Writable(true)));
    }

    #[test]
    fn checks_and_reports_find_room_where_media_and_messages_do_not() {
        let (media, message) = ([0x80; 1000], [23; 1000]);
        let (check, handshake, report) = ([1; 100], [22; 100], [0x80, 200, 0, 1].repeat(25));
        let mut run = Run::new();
        let mut client = run.connect();
        while run.metrics().dropped.queue_full == 0 {
            run.send(&client, &media, None);
        }
        run.send(&client, &message, None);
        assert_eq!(run.metrics().dropped.queue_full, 2);
        for control in [&check[..], &handshake, &report] {
            run.send(&client, control, None);
        }
        assert_eq!(run.metrics().dropped.queue_full, 2);
        let mut next = || {
            if run.metrics().tcp_queued_bytes > 0 {
                run.turn();
            }
            read_frame(&mut client)
        };
        let mut frame = next();
        while frame == media {
            frame = next();
        }
        assert_eq!([frame, next(), next()], [&check[..], &handshake, &report]);
    }

    #[test]
    fn a_connection_without_a_valid_path_is_closed_after_a_while() {
        let mut run = Run::new();
        let _client = run.connect();
        run.connections.sweep(run.now + PROOF_TIME - Duration::from_millis(1), &run.counters, |_, _| false);
        assert_eq!((run.metrics().tcp_connections, run.changes()), (1, vec![]));
        run.connections.sweep(run.now + PROOF_TIME, &run.counters, |_, _| false);
        assert_eq!(run.metrics().tcp_closed, TcpClosed { unproven: 1, ..TcpClosed::default() });
        run.until_closed();
    }

    #[test]
    fn a_proven_connection_stays_for_as_long_as_its_path_is_valid() {
        let mut run = Run::new();
        let client = run.connect();
        let address = client.local_addr().expect("it is connected");
        for second in 0..60 {
            let now = run.now + Duration::from_secs(second);
            run.connections.sweep(now, &run.counters, |socket, remote| (socket, remote) == (SOCKET, address));
        }
        assert_eq!((run.metrics().tcp_connections, run.changes()), (1, vec![]));
        run.connections.sweep(run.now + Duration::from_secs(60), &run.counters, |_, _| false);
        assert_eq!(run.metrics().tcp_closed, TcpClosed { ended: 1, ..TcpClosed::default() });
        run.until_closed();
    }

    #[test]
    fn one_that_sends_no_frames_or_leaves_is_closed_and_counted() {
        let mut run = Run::new();
        let mut client = run.connect();
        client.write_all(&((FRAME_BYTES_MAX + 1) as u16).to_be_bytes()).expect("it is sent");
        run.until_closed();
        assert_eq!(run.metrics().tcp_closed, TcpClosed { frame_too_long: 1, ..TcpClosed::default() });

        drop(run.connect());
        run.until_closed();
        assert_eq!(run.metrics().tcp_closed.by_peer, 1);

        let client = run.connect();
        run.send(&client, b"1234", None);
        drop(client);
        run.until_closed();
        let closed = run.metrics().tcp_closed;
        assert_eq!(closed.by_peer + closed.by_error, 2, "with data unread it is a reset");
    }

    #[test]
    fn what_is_sent_to_a_connection_that_is_gone_is_counted_as_dropped() {
        let mut run = Run::new();
        let remote = SocketAddr::from(([127, 0, 0, 1], 9));
        let message = Outgoing { remote, bytes: &[1; 25], segment_bytes: Some(10) };
        run.connections.send(SOCKET, &[message], &run.counters);
        assert_eq!(run.metrics().dropped.not_connected, 3);
    }

    #[test]
    fn an_address_has_a_share_of_the_connections_and_gets_it_back() {
        let mut run = Run::new();
        run.connections.per_address.insert([127, 0, 0, 1].into(), CONNECTIONS_PER_ADDRESS_MAX - 1);
        let first = run.connect();
        let mut second = run.connect();
        assert_eq!(run.metrics().tcp_refused, TcpRefused { too_many_of_address: 1, ..TcpRefused::default() });
        assert!(matches!(second.read(&mut [0]), Ok(0) | Err(_)), "it is closed");
        drop(first);
        while run.metrics().tcp_connections > 0 {
            run.turn();
        }
        let _third = run.connect();
        assert_eq!((run.metrics().tcp_connections, run.metrics().tcp_accepted), (1, 2));
    }

    #[test]
    fn an_ipv6_subscriber_counts_as_one() {
        let address = |text: &str| address_of(text.parse().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1:2:3"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }
}
