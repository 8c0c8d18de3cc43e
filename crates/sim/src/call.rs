//! One `sfu::Worker` and many `str0m` clients on one virtual clock and network.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use loadtest::client::{AudioConfig, Client, StreamReport, VideoConfig, receive_capabilities};
use protocol::rtp::{RtpCapabilities, RtpParameters};
use protocol::sctp::SctpStreamParameters;
use protocol::{ConsumerId, DataConsumerId, DataProducerId, MediaKind, ParticipantId, ProducerId, Source, TransportId};
use sfu::dtls::Identity;
use sfu::worker::{ListenAddr, RouterId};
use sfu::{Event, SendBatch, Worker, WorkerConfig};
use slab::Slab;

use crate::network::{Datagram, Link, Network, Path};

/// The server's address.
pub const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
/// The address of a second server's worker, for calls that reach over two.
pub const NEIGHBOUR: ([u8; 4], u16) = ([10, 0, 0, 2], 40_000);
/// The router that everybody is on.
pub const ROUTER: RouterId = RouterId(1);
/// What happens within one of these happens at once.
const TICK: Duration = Duration::from_millis(1);

/// Making a certificate takes longer than many a test.
static IDENTITY: LazyLock<Arc<Identity>> = LazyLock::new(|| Identity::generate().expect("a certificate"));

/// A client's transport and its way to the server.
pub struct Peer {
    /// The client.
    pub client: Client,
    /// The transport at the server.
    pub transport: TransportId,
    /// Where the server sees the client; moving it is what a NAT does that forgot the old one.
    pub address: SocketAddr,
    /// The way to the server.
    pub up: Link,
    /// The way from the server.
    pub down: Link,
    paths: [Path; 2],
}

/// What a person receives of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumption {
    /// The consumer at the server.
    pub consumer: ConsumerId,
    /// What it is of.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// The key of its report at the client.
    pub ssrc: u32,
}

/// A participant: a transport to send with and one to receive with.
#[derive(Debug)]
pub struct Person {
    /// Their id.
    pub participant: ParticipantId,
    /// Which peer sends.
    pub publisher: usize,
    /// Which peer receives.
    pub receiver: usize,
    /// What they send.
    pub producers: Vec<ProducerId>,
    /// What they asked for last to send it.
    asked: BTreeMap<Source, RtpParameters>,
    /// What they receive.
    pub consumptions: Vec<Consumption>,
    /// The streams of the channels that they receive.
    channels: Vec<(DataProducerId, u16)>,
    /// How often the page was loaded.
    pub lives: u32,
}

/// What the server still has of somebody who went without a word.
#[derive(Debug)]
pub struct Remains {
    participant: ParticipantId,
    transports: [TransportId; 2],
    producers: Vec<ProducerId>,
}

/// What a peer does.
#[derive(Debug, Clone, Copy)]
enum Role {
    Publisher,
    EstimatingPublisher(u64),
    Receiver,
}

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From a peer to the server.
    Up,
    /// From the server to a peer.
    Down,
}

/// What a test does to a datagram beside what the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Pass,
    /// It is lost.
    Lose,
    /// It takes so much longer.
    Delay(Duration),
}

/// Decides over each datagram: its peer, its way, its bytes.
pub type Meddler = Box<dyn FnMut(usize, Way, &[u8]) -> Fate>;

/// Gives a datagram to the worker.
pub type HandleDatagram = Box<dyn FnMut(&mut Worker, Instant, SocketAddr, &mut [u8])>;

/// Told true before the worker is called and false when it has returned; a test may count what it allocates meanwhile.
pub type Meter = fn(bool);

/// Lets the worker fill a batch.
pub type PollTransmit = Box<dyn FnMut(&mut Worker, Instant, &mut SendBatch)>;

/// A call.
pub struct Call {
    /// The server.
    pub worker: Worker,
    /// All transports' clients.
    pub peers: Slab<Peer>,
    /// Everybody who is there.
    pub people: Slab<Person>,
    /// What the server said, and when.
    pub events: Vec<(Duration, Event)>,
    /// What the server sent to other servers.
    pub abroad: Vec<Datagram>,
    /// What the server's worker gave to the next one, over whatever lane.
    pub next_worker: Vec<Vec<u8>>,
    /// Meddles with datagrams, if a test wants that.
    pub meddler: Option<Meddler>,
    /// How datagrams get into the worker; a test may measure around it.
    pub handle_datagram: HandleDatagram,
    /// How batches come out of it.
    pub poll_transmit: PollTransmit,
    meter: Meter,
    address: SocketAddr,
    start: Instant,
    now: Instant,
    network: Network,
    seed: u64,
    routes: HashMap<SocketAddr, usize>,
    batch: SendBatch,
    router: RtpCapabilities,
    next_participant: u64,
    next_transport: u64,
    next_consumer: u64,
}

impl Call {
    /// An empty router.
    pub fn new(seed: u64) -> Self {
        Self::metered(seed, |_| {})
    }

    /// The same, measured.
    pub fn metered(seed: u64, meter: Meter) -> Self {
        Self::at(seed, meter, SERVER.into(), Instant::now())
    }

    /// The same at the second server, from the same moment on.
    pub fn next_door(seed: u64, first: &Self) -> Self {
        let mut call = Self::at(seed, |_| {}, NEIGHBOUR.into(), first.start);
        call.next_participant = 1_000;
        call
    }

    fn at(seed: u64, meter: Meter, address: SocketAddr, start: Instant) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let config = WorkerConfig {
            listen: vec![ListenAddr { local: address, announced: Vec::new() }],
            identity: IDENTITY.clone(),
            seed: bytes,
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        let worker = metered(meter, || {
            let mut worker = Worker::new(config, start);
            worker.create_router(ROUTER).expect("a new router");
            worker
        });
        Self {
            worker,
            peers: Slab::new(),
            people: Slab::new(),
            events: Vec::new(),
            abroad: Vec::new(),
            next_worker: Vec::new(),
            meddler: None,
            handle_datagram: Box::new(|worker, now, from, bytes| worker.handle_datagram(now, 0, from, bytes)),
            poll_transmit: Box::new(Worker::poll_transmit),
            meter,
            address,
            start,
            now: start,
            network: Network::default(),
            seed,
            routes: HashMap::new(),
            batch: SendBatch::default(),
            router: sfu::ortc::router_capabilities(),
            next_participant: 1,
            next_transport: 1,
            next_consumer: 1,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// A person joins with both transports, over ways of these kinds.
    pub fn join(&mut self, up: Link, down: Link) -> usize {
        self.join_as(up, down, Role::Publisher)
    }

    /// The same; their publisher estimates its bandwidth, probes for up to `desired_bps` and paces.
    pub fn join_estimating(&mut self, up: Link, down: Link, desired_bps: u64) -> usize {
        self.join_as(up, down, Role::EstimatingPublisher(desired_bps))
    }

    fn join_as(&mut self, up: Link, down: Link, role: Role) -> usize {
        let publisher = self.add_peer(up, down, role);
        let receiver = self.add_peer(up, down, Role::Receiver);
        let participant = ParticipantId(self.next_participant);
        self.next_participant += 1;
        let (producers, consumptions, channels) = (Vec::new(), Vec::new(), Vec::new());
        let asked = BTreeMap::new();
        self.people.insert(Person {
            participant,
            publisher,
            receiver,
            producers,
            asked,
            consumptions,
            channels,
            lives: 1,
        })
    }

    fn add_peer(&mut self, up: Link, down: Link, role: Role) -> usize {
        let transport = TransportId(self.next_transport);
        self.next_transport += 1;
        let options = metered(self.meter, || self.worker.create_transport(self.now, ROUTER, transport));
        let options = options.expect("a new transport");
        let index = self.peers.vacant_key();
        let address = SocketAddr::from(([10, 1, (index >> 8) as u8, index as u8], 5000));
        let (now, epoch) = (self.now, self.start);
        let client = match role {
            Role::Publisher => Client::publisher(now, epoch, address, &options),
            Role::EstimatingPublisher(bps) => Client::estimating_publisher(now, epoch, address, &options, bps),
            Role::Receiver => Client::receiver(now, epoch, address, &options, &self.router),
        };
        let mut client = client.expect("usable options");
        let parameters = client.dtls_parameters();
        let connected = metered(self.meter, || self.worker.connect_transport(self.now, transport, &parameters));
        connected.expect("usable parameters");
        self.routes.insert(address, index);
        let paths = [0, 1].map(|way| Path::new(self.seed, 2 * index as u64 + way));
        self.peers.insert(Peer { client, transport, address, up, down, paths })
    }

    /// A person begins to send from their microphone.
    pub fn publish_audio(&mut self, person: usize, config: AudioConfig) -> ProducerId {
        self.publish(person, Source::Mic, |client, now, life| client.produce_audio(now, life, config))
    }

    /// A person begins to send from their camera.
    pub fn publish_video(&mut self, person: usize, config: VideoConfig) -> ProducerId {
        self.publish(person, Source::Camera, |client, now, life| client.produce_video(now, life, config))
    }

    /// A person begins to send from their camera in several sizes, the smallest first.
    pub fn publish_simulcast(&mut self, person: usize, configs: &[VideoConfig]) -> ProducerId {
        self.publish(person, Source::Camera, |client, now, life| client.produce_simulcast(now, life, configs))
    }

    fn publish(
        &mut self,
        person: usize,
        source: Source,
        produce: impl FnOnce(&mut Client, Instant, u32) -> RtpParameters,
    ) -> ProducerId {
        let Person { participant, publisher, lives, .. } = self.people[person];
        let producer = ProducerId { participant, source };
        let peer = &mut self.peers[publisher];
        let life = participant.0 as u32 * 100 + lives;
        let parameters = produce(&mut peer.client, self.now, life);
        let (now, transport) = (self.now, peer.transport);
        let produce = || self.worker.produce(now, transport, producer, source.kind(), &parameters, false);
        metered(self.meter, produce).expect("can be produced");
        self.people[person].asked.insert(source, parameters);
        if !self.people[person].producers.contains(&producer) {
            self.people[person].producers.push(producer);
        }
        producer
    }

    /// A person asks once more for what they send, as when the answer was lost.
    pub fn publish_once_more(&mut self, person: usize) {
        let Person { participant, publisher, ref asked, .. } = self.people[person];
        let transport = self.peers[publisher].transport;
        for (&source, parameters) in asked {
            let producer = ProducerId { participant, source };
            let again = self.worker.produce(self.now, transport, producer, source.kind(), parameters, false);
            again.expect("can be produced");
        }
    }

    /// A person's page is loaded again: another sending transport, on which nothing is produced yet.
    pub fn reload(&mut self, person: usize) {
        let old = self.go_over(person);
        self.end(old);
    }

    /// The same, but the one before goes on. Gives that one's peer.
    pub fn go_over(&mut self, person: usize) -> usize {
        let old = self.people[person].publisher;
        let Peer { up, down, .. } = self.peers[old];
        self.people[person].publisher = self.add_peer(up, down, Role::Publisher);
        self.people[person].lives += 1;
        old
    }

    /// Closes a peer's transport, and nothing more reaches it.
    pub fn end(&mut self, peer: usize) {
        let Peer { transport, address, .. } = self.peers[peer];
        self.worker.close_transport(transport).expect("it was there");
        self.routes.remove(&address);
    }

    /// A person leaves, and says so.
    pub fn leave(&mut self, person: usize) {
        let remains = self.vanish(person);
        self.bury(remains);
    }

    /// A person is gone without a word; until it is noticed, everything of theirs stays at the server.
    pub fn vanish(&mut self, person: usize) -> Remains {
        let Person { participant, publisher, receiver, producers, .. } = self.people.remove(person);
        let transports = [publisher, receiver].map(|peer| {
            let Peer { transport, address, .. } = self.peers.remove(peer);
            self.routes.remove(&address);
            transport
        });
        Remains { participant, transports, producers }
    }

    /// What signalling does when it has noticed, and then the others; transports may have ended by themselves.
    pub fn bury(&mut self, remains: Remains) {
        let Remains { participant, transports, producers } = remains;
        metered(self.meter, || {
            for producer in producers {
                self.worker.close_producer(ROUTER, producer).expect("it is there");
            }
            for transport in transports {
                let _ = self.worker.close_transport(transport);
            }
        });
        for (_, Person { receiver, consumptions, channels, .. }) in &mut self.people {
            let client = &mut self.peers[*receiver].client;
            for gone in consumptions.extract_if(.., |consumption| consumption.producer.participant == participant) {
                client.forget(gone.ssrc);
            }
            for (_, stream) in channels.extract_if(.., |(producer, _)| producer.participant == participant) {
                client.close_channel(stream);
            }
        }
    }

    /// A person opens a channel on their sending transport.
    pub fn produce_data(&mut self, person: usize, parameters: SctpStreamParameters) -> DataProducerId {
        let Person { participant, publisher, .. } = self.people[person];
        let peer = &mut self.peers[publisher];
        let id = DataProducerId { participant, number: parameters.stream_id.into() };
        metered(self.meter, || {
            self.worker.enable_sctp(peer.transport).expect("it is there");
            self.worker.produce_data(peer.transport, id, &parameters, "chat", "").expect("can be produced");
        });
        peer.client.open_channel(&parameters);
        id
    }

    /// A person receives a channel, from the next message on. Gives the stream at their receiving transport.
    pub fn consume_data(&mut self, person: usize, producer: DataProducerId) -> (DataConsumerId, u16) {
        let id = DataConsumerId(self.next_consumer);
        self.next_consumer += 1;
        let peer = &mut self.peers[self.people[person].receiver];
        let consumption = metered(self.meter, || {
            self.worker.enable_sctp(peer.transport).expect("it is there");
            self.worker.consume_data(peer.transport, id, producer).expect("can be consumed")
        });
        peer.client.open_channel(&consumption.sctp_stream_parameters);
        metered(self.meter, || self.worker.resume_data_consumer(id)).expect("it is there");
        let stream = consumption.sctp_stream_parameters.stream_id;
        self.people[person].channels.push((producer, stream));
        (id, stream)
    }

    /// A person sends a message on a channel of theirs; false when too much waits already.
    pub fn send_message(&mut self, person: usize, producer: DataProducerId, message: &[u8]) -> bool {
        let peer = &mut self.peers[self.people[person].publisher];
        peer.client.send_message(producer.number as u16, message)
    }

    /// A person closes a channel of theirs, and then those who received it.
    pub fn close_channel(&mut self, person: usize, producer: DataProducerId) {
        self.peers[self.people[person].publisher].client.close_channel(producer.number as u16);
        metered(self.meter, || self.worker.close_data_producer(ROUTER, producer)).expect("it is there");
        for (_, Person { receiver, channels, .. }) in &mut self.people {
            for (_, stream) in channels.extract_if(.., |(other, _)| *other == producer) {
                self.peers[*receiver].client.close_channel(stream);
            }
        }
    }

    /// What a person got on a channel.
    pub fn messages(&self, person: usize, stream: u16) -> &[Vec<u8>] {
        self.peers[self.people[person].receiver].client.messages(stream)
    }

    /// A person consumes a producer; the consumer is paused.
    pub fn consume(&mut self, person: usize, producer: ProducerId) -> Consumption {
        let consumer = ConsumerId(self.next_consumer);
        self.next_consumer += 1;
        let peer = &mut self.peers[self.people[person].receiver];
        let capabilities = receive_capabilities(&self.router);
        let consume = || self.worker.consume(peer.transport, consumer, producer, &capabilities);
        let (kind, parameters) = metered(self.meter, consume).expect("can be consumed");
        let ssrc = peer.client.consume(kind, &parameters).expect("usable parameters");
        let consumption = Consumption { consumer, producer, kind, ssrc };
        self.people[person].consumptions.push(consumption);
        consumption
    }

    /// A person consumes a producer and resumes it.
    pub fn watch(&mut self, person: usize, producer: ProducerId) -> Consumption {
        let consumption = self.consume(person, producer);
        self.resume(consumption);
        consumption
    }

    /// Resumes what is paused.
    pub fn resume(&mut self, consumption: Consumption) {
        metered(self.meter, || self.worker.resume_consumer(self.now, consumption.consumer)).expect("it is there");
    }

    /// Everybody consumes and resumes what all others send.
    pub fn watch_all(&mut self) {
        let everybody: Vec<usize> = self.people.iter().map(|(person, _)| person).collect();
        for &person in &everybody {
            for &other in everybody.iter().filter(|&&other| other != person) {
                for producer in self.people[other].producers.clone() {
                    self.watch(person, producer);
                }
            }
        }
    }

    /// What came of what a person consumes.
    pub fn report(&self, person: usize, consumption: Consumption) -> &StreamReport {
        let client = &self.peers[self.people[person].receiver].client;
        client.report(consumption.ssrc).expect("it is consumed")
    }

    /// Lets time pass until everybody is connected, or panics after a while.
    pub fn connect(&mut self) {
        let deadline = self.now + Duration::from_secs(10);
        while !self.peers.iter().all(|(_, peer)| peer.client.is_connected()) {
            assert!(self.now < deadline, "not everybody is connected after 10 s");
            self.run(Duration::from_millis(10));
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            let next = self.next_at().unwrap_or(end).min(end);
            // Up to the next whole tick, one at least.
            let ticks = (next - self.start).as_nanos().div_ceil(TICK.as_nanos()) as u32;
            self.now = (self.start + TICK * ticks).max(self.now + TICK);
            self.turn();
        }
    }

    /// Brings a datagram to the server, whoever says to have sent it.
    pub fn inject(&mut self, source: SocketAddr, bytes: &[u8]) {
        self.worker.handle_datagram(self.now, 0, source, &mut bytes.to_vec());
    }

    /// Moves a peer to another address, as a NAT does.
    pub fn move_peer(&mut self, peer: usize, address: SocketAddr) {
        let old = std::mem::replace(&mut self.peers[peer].address, address);
        self.routes.remove(&old);
        self.routes.insert(address, peer);
    }

    /// Everybody stops to send, and the repairs under way end.
    pub fn fall_silent(&mut self) {
        for (_, peer) in &mut self.peers {
            for index in 0..2 {
                peer.client.set_sending(index, false);
            }
        }
        self.run(Duration::from_millis(1500));
    }

    fn next_at(&self) -> Option<Instant> {
        let clients = self.peers.iter().filter(|(_, peer)| !peer.client.is_closed());
        let clients = clients.map(|(_, peer)| peer.client.poll_timeout()).min();
        [clients, self.network.next_arrival(), self.worker.poll_timeout()].into_iter().flatten().min()
    }

    fn turn(&mut self) {
        while let Some(mut datagram) = self.network.poll(self.now) {
            if datagram.destination == self.address {
                let handle = &mut self.handle_datagram;
                metered(self.meter, || handle(&mut self.worker, self.now, datagram.source, &mut datagram.bytes));
            } else if let Some(&peer) = self.routes.get(&datagram.destination) {
                self.peers[peer].client.handle_datagram(self.now, self.address, &datagram.bytes);
            }
        }
        if self.worker.poll_timeout().is_some_and(|at| at <= self.now) {
            metered(self.meter, || self.worker.handle_timeout(self.now));
        }
        for peer in 0..self.peers.capacity() {
            let Some(Peer { client, .. }) = self.peers.get_mut(peer) else { continue };
            if !client.is_closed() && client.poll_timeout() <= self.now {
                client.handle_timeout(self.now);
            }
            while let Some(datagram) = self.peers[peer].client.poll_transmit() {
                let source = self.peers[peer].address;
                self.send(peer, Way::Up, Datagram { source, destination: self.address, bytes: datagram.bytes });
            }
        }
        self.flush_worker();
        while let Some(event) = metered(self.meter, || self.worker.poll_event()) {
            self.events.push((self.elapsed(), event));
        }
    }

    fn flush_worker(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        loop {
            let poll = &mut self.poll_transmit;
            metered(self.meter, || poll(&mut self.worker, self.now, &mut batch));
            if batch.is_empty() {
                break;
            }
            for message in batch.messages() {
                assert!(message.segments() <= sfu::transmit::SEGMENTS_MAX);
                let datagrams = batch.bytes(message).chunks(message.segment_bytes);
                let Some(remote) = message.remote() else {
                    self.next_worker.extend(datagrams.map(<[u8]>::to_vec));
                    continue;
                };
                let peer = self.routes.get(&remote).copied();
                let is_server = [SERVER.into(), NEIGHBOUR.into()].contains(&remote);
                if peer.is_none() && !is_server {
                    continue;
                }
                for bytes in datagrams {
                    assert!(bytes.len() <= sfu::transmit::DATAGRAM_BYTES_MAX, "{} bytes", bytes.len());
                    let datagram = Datagram { source: self.address, destination: remote, bytes: bytes.to_vec() };
                    match peer {
                        Some(peer) => self.send(peer, Way::Down, datagram),
                        None => self.abroad.push(datagram),
                    }
                }
            }
            batch.clear();
        }
        self.batch = batch;
    }

    fn send(&mut self, peer: usize, way: Way, datagram: Datagram) {
        let fate = self.meddler.as_mut().map_or(Fate::Pass, |meddle| meddle(peer, way, &datagram.bytes));
        let Peer { up, down, paths: [path_up, path_down], .. } = &mut self.peers[peer];
        let (mut link, path) = match way {
            Way::Up => (*up, path_up),
            Way::Down => (*down, path_down),
        };
        match fate {
            Fate::Pass => _ = self.network.send(self.now, &link, path, datagram),
            Fate::Lose => {}
            Fate::Delay(more) => {
                link.delay += more;
                // What is delayed holds nothing else up.
                self.network.send(self.now, &link, &mut Path::new(self.seed, 0), datagram);
            }
        }
    }
}

/// Calls the worker.
fn metered<T>(meter: Meter, call: impl FnOnce() -> T) -> T {
    meter(true);
    let result = call();
    meter(false);
    result
}
