//! Drives clients with real sockets, all on one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use loadtest::client::Client;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

/// How often the clients' timers are looked at.
const TICK: Duration = Duration::from_millis(5);
/// Room for bursts while the thread is at work for another client.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A client and its socket.
pub(crate) struct Participant {
    client: Client,
    socket: UdpSocket,
}

/// What all clients of a drive have received so far.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Media packets.
    pub(crate) packets: AtomicU64,
    /// Datagrams that carry media, and their bytes.
    pub(crate) datagrams: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Packets that never came.
    pub(crate) lost: AtomicU64,
    /// Faults that the checks found.
    pub(crate) faults: AtomicU64,
    /// Clients that are not connected.
    pub(crate) unconnected: AtomicU64,
}

/// A thread with clients; it ends with this value.
pub(crate) struct Drive {
    pub(crate) received: Arc<Received>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A socket for a client, on loopback.
pub(crate) fn bind() -> anyhow::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).context("a UDP socket")?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let socket = UdpSocket::from_std(socket.into());
    let address = socket.local_addr()?;
    Ok((socket, address))
}

impl Participant {
    pub(crate) fn new(client: Client, socket: UdpSocket) -> Self {
        Self { client, socket }
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.client.poll_transmit() {
            // What the kernel does not take is lost, as anywhere on the way.
            let _ = self.socket.send_to(&datagram.bytes, datagram.destination);
        }
    }

    fn receive(&mut self, buffer: &mut [u8], received: &Received) {
        while let Ok((bytes, source)) = self.socket.recv_from(buffer) {
            let datagram = &buffer[..bytes];
            // RFC 7983 and RFC 5761: RTP.
            if matches!(datagram, [128..=191, kind, ..] if !(192..224).contains(kind)) {
                received.datagrams.fetch_add(1, Ordering::Relaxed);
                received.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            self.client.handle_datagram(Instant::now(), source, datagram);
        }
        self.flush();
    }
}

impl Drive {
    /// Starts a thread for these clients.
    pub(crate) fn start(mut participants: Vec<Participant>) -> anyhow::Result<Self> {
        let mut poll = Poll::new().context("epoll")?;
        for (index, participant) in participants.iter_mut().enumerate() {
            poll.registry().register(&mut participant.socket, Token(index), Interest::READABLE)?;
        }
        let received = Arc::new(Received::default());
        received.unconnected.store(participants.len() as u64, Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let (counts, stopped) = (received.clone(), stop.clone());
        let work = move || {
            let mut events = Events::with_capacity(1024);
            let mut buffer = [0; 2048];
            let mut next = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let wait = next.saturating_duration_since(Instant::now());
                if poll.poll(&mut events, Some(wait)).is_err() {
                    continue;
                }
                for event in &events {
                    if let Some(participant) = participants.get_mut(event.token().0) {
                        participant.receive(&mut buffer, &counts);
                    }
                }
                let now = Instant::now();
                if now >= next {
                    next = now + TICK;
                    tick(&mut participants, now, &counts);
                }
            }
        };
        let thread = std::thread::Builder::new().name("clients".to_owned()).spawn(work)?;
        Ok(Self { received, stop, thread: Some(thread) })
    }
}

fn tick(participants: &mut [Participant], now: Instant, received: &Received) {
    let (mut packets, mut lost, mut faults, mut unconnected) = (0, 0, 0, 0);
    for participant in participants {
        if participant.client.poll_timeout() <= now {
            participant.client.handle_timeout(now);
        }
        participant.flush();
        unconnected += u64::from(!participant.client.is_connected());
        for (_, report) in participant.client.reports() {
            packets += report.packets;
            lost += report.lost;
            faults += report.faults;
        }
    }
    received.packets.store(packets, Ordering::Relaxed);
    received.lost.store(lost, Ordering::Relaxed);
    received.faults.store(faults, Ordering::Relaxed);
    received.unconnected.store(unconnected, Ordering::Relaxed);
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
