//! Drives clients with real sockets, all on one thread.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use loadtest::client::ClientError;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use protocol::request::ConsumerOptions;
use protocol::transport::{IceProtocol, TransportOptions};
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

use crate::endpoint::Endpoint;
use crate::totals::Totals;

/// How often the clients' timers are looked at.
const TICK: Duration = Duration::from_millis(5);
/// Room for bursts while the thread is at work for another client.
const RECEIVE_BUFFER: usize = 1 << 20;
/// The token of commands; clients are counted from 0.
const COMMANDS: Token = Token(usize::MAX);

/// A client and its socket.
pub(crate) struct Participant {
    client: Endpoint,
    socket: UdpSocket,
    datagrams: u64,
    bytes: u64,
    /// When somebody began to wait for media, and how long it took.
    waits_since: Option<Instant>,
    waited: Option<Duration>,
}

/// A client of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientId(usize);

/// A thread with clients; it ends with this value.
pub(crate) struct Drive {
    commands: Option<Sender<Command>>,
    waker: Waker,
    added: AtomicUsize,
    thread: Option<JoinHandle<()>>,
}

type Participants = BTreeMap<usize, Participant>;

enum Command {
    Add(ClientId, Box<Participant>),
    Consume(ClientId, Box<ConsumerOptions>, oneshot::Sender<Result<(), ClientError>>),
    Totals(Sender<Totals>),
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

/// A transport with only the candidates that such a socket reaches.
pub(crate) fn reachable(options: Option<TransportOptions>) -> anyhow::Result<TransportOptions> {
    let mut options = options.context("the welcome has no transport")?;
    options.ice_candidates.retain(|candidate| {
        candidate.protocol == IceProtocol::Udp && candidate.ip.is_ipv4() && candidate.ip.is_loopback()
    });
    anyhow::ensure!(!options.ice_candidates.is_empty(), "the server takes no media on 127.0.0.1");
    Ok(options)
}

impl Drive {
    /// Starts a thread without clients.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let poll = Poll::new().context("epoll")?;
        let waker = Waker::new(poll.registry(), COMMANDS)?;
        let (commands, receiver) = channel();
        let thread = std::thread::Builder::new().name("clients".to_owned()).spawn(move || run(poll, &receiver))?;
        Ok(Self { commands: Some(commands), waker, added: AtomicUsize::new(0), thread: Some(thread) })
    }

    /// Takes over a participant.
    pub(crate) fn add(&self, participant: Participant) -> anyhow::Result<ClientId> {
        let id = ClientId(self.added.fetch_add(1, Ordering::Relaxed));
        self.send(Command::Add(id, Box::new(participant)))?;
        Ok(id)
    }

    /// Lets a client expect a consumer's media.
    pub(crate) async fn consume(&self, id: ClientId, consumer: ConsumerOptions) -> anyhow::Result<()> {
        let (done, is_done) = oneshot::channel();
        self.send(Command::Consume(id, Box::new(consumer), done))?;
        is_done.await.context("the client is gone")??;
        Ok(())
    }

    /// What came of all clients until now.
    pub(crate) fn totals(&self) -> anyhow::Result<Totals> {
        let (answer, answered) = channel();
        self.send(Command::Totals(answer))?;
        answered.recv().context("the clients' thread ended")
    }

    fn send(&self, command: Command) -> anyhow::Result<()> {
        let commands = self.commands.as_ref().filter(|commands| commands.send(command).is_ok());
        commands.context("the clients' thread ended")?;
        Ok(self.waker.wake()?)
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut poll: Poll, commands: &Receiver<Command>) {
    let mut participants = Participants::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = [0; 2048];
    let mut next = Instant::now();
    loop {
        let wait = next.saturating_duration_since(Instant::now());
        if poll.poll(&mut events, Some(wait)).is_err() {
            continue;
        }
        for event in &events {
            if event.token() == COMMANDS {
                if carry_out(commands, &mut participants, poll.registry()).is_none() {
                    return;
                }
            } else if let Some(participant) = participants.get_mut(&event.token().0) {
                participant.receive(&mut buffer);
            }
        }
        if Instant::now() >= next {
            next = tick(&mut participants);
        }
    }
}

/// None when the drive is gone.
fn carry_out(commands: &Receiver<Command>, participants: &mut Participants, registry: &Registry) -> Option<()> {
    loop {
        match commands.try_recv() {
            Ok(Command::Add(id, mut participant)) => {
                registry.register(&mut participant.socket, Token(id.0), Interest::READABLE).ok()?;
                participants.insert(id.0, *participant);
            }
            Ok(Command::Consume(id, consumer, done)) => {
                let participant = participants.get_mut(&id.0)?;
                let _ = done.send(participant.client.consume(&consumer));
            }
            Ok(Command::Totals(answer)) => {
                let (now, mut totals) = (Instant::now(), Totals::default());
                participants.values().for_each(|participant| participant.add_to(now, &mut totals));
                let _ = answer.send(totals);
            }
            Err(TryRecvError::Empty) => return Some(()),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
}

/// Does what is due, and says when to look again: in time for the next frame, at the latest after a tick.
fn tick(participants: &mut Participants) -> Instant {
    let mut next = Instant::now() + TICK;
    for participant in participants.values_mut() {
        let now = Instant::now();
        if participant.client.poll_timeout() <= now {
            participant.client.handle_timeout(now);
            participant.flush();
        }
        if let Some(capture) = participant.client.next_capture() {
            next = next.min(capture);
        }
    }
    next
}

impl Participant {
    pub(crate) fn new(client: impl Into<Endpoint>, socket: UdpSocket) -> Self {
        Self { client: client.into(), socket, datagrams: 0, bytes: 0, waits_since: None, waited: None }
    }

    /// Of somebody who has waited for media since then.
    pub(crate) fn waiting_since(mut self, at: Instant) -> Self {
        self.waits_since = Some(at);
        self
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.client.poll_transmit() {
            // What the kernel does not take is lost, as anywhere on the way.
            let _ = self.socket.send_to(&datagram.bytes, datagram.destination);
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        while let Ok((bytes, source)) = self.socket.recv_from(buffer) {
            let (now, datagram) = (Instant::now(), &buffer[..bytes]);
            // RFC 7983 and RFC 5761: RTP.
            if matches!(datagram, [128..=191, kind, ..] if !(192..224).contains(kind)) {
                self.datagrams += 1;
                self.bytes += bytes as u64;
                self.waited = self.waited.or(self.waits_since.map(|since| now - since));
            }
            self.client.handle_datagram(now, source, datagram);
        }
        self.flush();
    }

    fn add_to(&self, now: Instant, totals: &mut Totals) {
        totals.datagrams += self.datagrams;
        totals.bytes += self.bytes;
        totals.first_packets.extend(self.waited);
        self.client.add_to(now, totals);
    }
}
