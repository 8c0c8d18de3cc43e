//! Which streams cross between nodes, sans-IO.
//!
//! A room has people on several nodes; each node sends what its people publish to the nodes that ask for it. Who wants
//! a producer subscribes at the node that its participant is bound to, by the room's log. That one opens a pipe from its
//! worker to the subscriber's (once for all rooms that the two have in common), has it carry the producer, and says how it
//! comes. Then the subscriber asks for as many layers as its people watch.
//!
//! Feed it with [`Relays::handle`], do what [`Relays::poll_output`] wants, in its order, and call
//! [`Relays::handle_timeout`] at [`Relays::poll_timeout`]. Everything it is told is a state and not a step ([`Input::Room`]
//! says all that a room has here now), so nothing is lost where something was told too early or twice. When a link comes
//! up both sides begin anew.

mod message;
mod peer;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::{Incarnation, MediaKind, ProducerId, RoomId, RtpParameters, TransportId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use peer::{End, Fed, Peer};
use subscriptions::{Lingering, Subscription};

pub use message::{Message, PIPE_KEY_BYTES, PipeKey, Worker};

/// How long media goes on over the pipes to a node whose link is down. Either it comes back by then, or the room's log says
/// that its people are elsewhere.
pub const KEPT_WITHOUT_LINK: Duration = Duration::from_secs(15);
/// Media workers that a node may have.
const WORKERS_MAX: Worker = 256;
/// Producers that one node may subscribe at another at a time.
pub const SUBSCRIPTIONS_MAX: usize = 50_000;

/// A room's media on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRoom {
    /// The worker that has it.
    pub worker: Worker,
    /// Its router; another number where it began anew.
    pub router: u64,
    /// What people of this node publish, each with a number that changes when it is published anew.
    pub sources: BTreeMap<ProducerId, u64>,
    /// What people of other nodes publish, and on which life of which node they are.
    pub remote: BTreeMap<ProducerId, Incarnation>,
    /// What people publish who came from another node, and have not published here yet: it still comes from there.
    pub awaited: BTreeSet<ProducerId>,
}

/// What the machine is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The link to another node is there, for the first time or again.
    Up(Incarnation),
    /// It is gone.
    Down(Incarnation),
    /// Something came over it.
    Message(Incarnation, Message),
    /// What a room has here now; `None`: nothing any more.
    Room(RoomId, Option<LocalRoom>),
    /// What somebody publishes ended. Another of the same name may be there by now, which the next [`Input::Room`] says.
    Ended(RoomId, ProducerId),
    /// What came of an [`Output::Feed`]; nothing if there is no such producer (yet).
    Described {
        /// Of what.
        feeding: Feeding,
        /// Its streams on the pipe.
        described: Option<(MediaKind, Box<RtpParameters>)>,
    },
    /// So many layers of another node's producer are wanted here.
    Wanted {
        /// Its room.
        room: RoomId,
        /// Which.
        producer: ProducerId,
        /// How many.
        layers: u8,
    },
    /// A worker is another than before; its pipes are gone.
    WorkerGone(Worker),
}

/// A producer of this node on its way to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feeding {
    /// The other node's life.
    pub life: Incarnation,
    /// Its room.
    pub room: RoomId,
    /// Which.
    pub producer: ProducerId,
    /// The worker that has it.
    pub worker: Worker,
    /// The other node's worker that gets it.
    pub theirs: Worker,
    /// The pipe between the two.
    pub pipe: TransportId,
    /// Rises from one to the next.
    pub number: u64,
}

/// What the machine wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a message over a link.
    Send(Incarnation, Message),
    /// Open a pipe of a worker, in place of one to the same address.
    OpenPipe {
        /// Which worker's.
        worker: Worker,
        /// Its name, never used before.
        pipe: TransportId,
        /// The other end.
        remote: SocketAddr,
        /// What this end seals with.
        ours: PipeKey,
        /// What the other does.
        theirs: PipeKey,
    },
    /// Close it.
    ClosePipe {
        /// Which worker's.
        worker: Worker,
        /// Which.
        pipe: TransportId,
    },
    /// Have a pipe carry a producer; answer with [`Input::Described`].
    Feed(Feeding),
    /// Carry it no more.
    StopFeeding(Feeding),
    /// Let so many layers flow.
    SetLayers(Feeding, u8),
    /// Make a producer of what comes over a pipe.
    Receive {
        /// Which worker's pipe.
        worker: Worker,
        /// Which.
        pipe: TransportId,
        /// The room.
        room: RoomId,
        /// What it is.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
        /// Its streams.
        parameters: Box<RtpParameters>,
    },
}

/// How much there is, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayCounts {
    /// Nodes to which there is a link.
    pub peers: usize,
    /// Pipes that are open.
    pub pipes: usize,
    /// Producers of other nodes that are subscribed.
    pub subscriptions: usize,
    /// Producers of this node that others subscribed.
    pub fed: usize,
    /// Subscriptions that were refused because a node has too many.
    pub refused: u64,
}

/// The streams that this node gives and takes.
pub struct Relays {
    /// Where each worker sends from and is reached by others.
    addresses: Vec<SocketAddr>,
    rng: ChaCha12Rng,
    rooms: BTreeMap<RoomId, LocalRoom>,
    subscriptions: BTreeMap<RoomId, BTreeMap<ProducerId, Subscription>>,
    peers: BTreeMap<Incarnation, Peer>,
    lingering: Lingering,
    outputs: VecDeque<Output>,
    last_feeding: u64,
    /// How many subscriptions there are.
    subscribed: usize,
    refused: u64,
}

impl Relays {
    /// Without any link. `addresses` are the workers', in their order; `seed` comes from a source that cannot be guessed.
    pub fn new(addresses: Vec<SocketAddr>, seed: [u8; 32]) -> Self {
        Self {
            addresses,
            rng: ChaCha12Rng::from_seed(seed),
            rooms: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            peers: BTreeMap::new(),
            lingering: Lingering::default(),
            outputs: VecDeque::new(),
            last_feeding: 0,
            subscribed: 0,
            refused: 0,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Up(life) => self.up(life),
            Input::Down(life) => {
                if let Some(peer) = self.peers.get_mut(&life) {
                    peer.down_until = Some(now + KEPT_WITHOUT_LINK);
                }
            }
            Input::Message(life, message) => self.message(now, life, message),
            Input::Room(room, Some(local)) => self.room(now, &room, local),
            Input::Room(room, None) => self.forget_room(&room),
            Input::Ended(room, producer) => self.unsubscribe(&room, producer),
            Input::Described { feeding, described } => self.described(feeding, described),
            Input::Wanted { room, producer, layers } => {
                let subscription = self.subscriptions.get(&room).and_then(|of_room| of_room.get(&producer));
                if let Some((life, mine)) = subscription.and_then(Subscription::source) {
                    self.send(life, Message::Layers { room, producer, mine, layers });
                }
            }
            Input::WorkerGone(worker) => self.worker_gone(worker),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Relays::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let down = self.peers.values().filter_map(|peer| peer.down_until).min();
        down.into_iter().chain(self.lingering.next()).min()
    }

    /// Gives up the nodes whose links did not come back, and what was kept until another node took over.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_due = |peer: &Peer| peer.down_until.is_some_and(|until| until <= now);
        let gone: Vec<_> = self.peers.extract_if(.., |_, peer| is_due(peer)).collect();
        for (life, peer) in gone {
            self.outputs.extend(peer.closings());
            self.forget_formers(life);
        }
        self.end_lingering(now);
    }

    /// How much there is.
    pub fn counts(&self) -> RelayCounts {
        let peers = self.peers.values();
        RelayCounts {
            peers: peers.clone().filter(|peer| peer.is_up()).count(),
            pipes: peers.clone().flat_map(|peer| peer.ends.values()).filter(|end| end.pipe.is_some()).count(),
            subscriptions: self.subscribed,
            fed: peers.map(|peer| peer.subscriptions).sum(),
            refused: self.refused,
        }
    }

    /// Both sides begin anew: what was agreed over the last link may have been lost with it.
    fn up(&mut self, life: Incarnation) {
        self.begin(life, None);
    }

    /// Forgets what was agreed with a node. Agrees on everything again, once it has answered if an answer is awaited.
    fn begin(&mut self, life: Incarnation, awaited: Option<u64>) {
        let fresh = Peer { awaited, ..Peer::default() };
        if let Some(earlier) = self.peers.insert(life, fresh) {
            self.outputs.extend(earlier.closings());
        }
        self.forget_formers(life);
        if awaited.is_some() {
            return;
        }
        for (room, subscriptions) in &self.subscriptions {
            for (&producer, subscription) in subscriptions.iter().filter(|(_, at)| at.life == Some(life)) {
                let subscribe = Message::Subscribe { room: room.clone(), producer, mine: subscription.worker };
                self.outputs.push_back(Output::Send(life, subscribe));
            }
        }
    }

    fn message(&mut self, now: Instant, life: Incarnation, message: Message) {
        let Some(peer) = self.peers.get_mut(&life) else { return };
        match (&message, peer.awaited) {
            (Message::Anew { n }, awaited) => {
                self.outputs.push_back(Output::Send(life, Message::Begun { n: *n }));
                return self.begin(life, awaited);
            }
            (Message::Begun { n }, Some(awaited)) if *n == awaited => return self.begin(life, None),
            (_, Some(_)) | (Message::Begun { .. }, None) => return,
            (_, None) => {}
        }
        let Some(peer) = self.peers.get_mut(&life) else { return };
        match message {
            Message::Pipe { mine: theirs, yours: mine, address, key } => self.pipe(life, (mine, theirs), address, key),
            Message::Subscribe { room, producer, mine: theirs } => {
                if theirs >= WORKERS_MAX {
                    return;
                }
                if peer.subscriptions >= SUBSCRIPTIONS_MAX {
                    self.refused += 1;
                    return;
                }
                let at = (producer, theirs);
                match peer.fed.entry(room.clone()).or_default().insert(at, Fed::default()) {
                    // It may have forgotten the streams that it had: it gets new ones.
                    Some(earlier) => self.outputs.extend(peer.stop_feeding(life, &room, at, &earlier)),
                    None => peer.subscriptions += 1,
                }
                self.feed(life, &room, producer, theirs);
            }
            Message::Unsubscribe { room, producer, mine: theirs } => {
                let Some(of_room) = peer.fed.get_mut(&room) else { return };
                let Some(fed) = of_room.remove(&(producer, theirs)) else { return };
                if of_room.is_empty() {
                    peer.fed.remove(&room);
                }
                peer.subscriptions -= 1;
                self.outputs.extend(peer.stop_feeding(life, &room, (producer, theirs), &fed));
            }
            Message::Layers { room, producer, mine: theirs, layers } => {
                let Some(worker) = peer.fed(&room, producer, theirs).and_then(|fed| fed.worker) else { return };
                let Some(pipe) = peer.pipe(worker, theirs) else { return };
                let feeding = Feeding { life, room, producer, worker, theirs, pipe, number: 0 };
                self.outputs.push_back(Output::SetLayers(feeding, layers));
            }
            Message::Stream { room, producer, mine: theirs, yours: worker, kind, parameters } => {
                let Some(pipe) = peer.pipe(worker, theirs) else { return };
                let of_room = self.subscriptions.get_mut(&room);
                let subscription = of_room.and_then(|of_room| of_room.get_mut(&producer));
                let Some(subscription) = subscription.filter(|subscription| subscription.is_at(life, worker)) else {
                    return;
                };
                if subscription.let_former_go(now) {
                    self.lingering.push(now, room.clone(), producer);
                }
                self.outputs.push_back(Output::Receive { worker, pipe, room, producer, kind, parameters });
            }
            Message::Anew { .. } | Message::Begun { .. } | Message::Unknown => {}
        }
    }

    /// The other end of a pipe: it is open as soon as both sides know both ends.
    fn pipe(&mut self, life: Incarnation, at: (Worker, Worker), address: SocketAddr, theirs: PipeKey) {
        let (worker, to) = at;
        if to >= WORKERS_MAX {
            return;
        }
        let Some(peer) = self.peers.get_mut(&life).filter(|_| usize::from(worker) < self.addresses.len()) else {
            return;
        };
        if let Some(pipe) = peer.pipe(worker, to) {
            // The other end is new, and no key is used for two pipes.
            peer.ends.remove(&at);
            self.outputs.push_back(Output::ClosePipe { worker, pipe });
        }
        self.offer_end(life, at);
        let pipe = TransportId(self.rng.random());
        let Some(peer) = self.peers.get_mut(&life) else { return };
        // No key is used for two pipes.
        let Some(end) = peer.ends.get_mut(&at).filter(|end| end.pipe.is_none()) else { return };
        end.pipe = Some(pipe);
        let ours = end.key.clone();
        self.outputs.push_back(Output::OpenPipe { worker, pipe, remote: address, ours, theirs });
        let waiting = peer.fed.iter().flat_map(|(room, of_room)| of_room.keys().map(move |key| (room.clone(), *key)));
        let waiting: Vec<_> = waiting.filter(|(_, (_, theirs))| *theirs == to).collect();
        for (room, (producer, theirs)) in waiting {
            self.feed(life, &room, producer, theirs);
        }
    }

    /// Tells the other node of this end of a pipe, if it does not know it yet.
    fn offer_end(&mut self, life: Incarnation, at: (Worker, Worker)) {
        let (mine, yours) = at;
        let Some(peer) = self.peers.get_mut(&life).filter(|peer| peer.listens()) else { return };
        let Some(&address) = self.addresses.get(usize::from(mine)) else { return };
        peer.ends.entry(at).or_insert_with(|| {
            let mut key = PipeKey([0; PIPE_KEY_BYTES]);
            self.rng.fill(&mut key.0);
            let pipe = Message::Pipe { mine, yours, address, key: key.clone() };
            self.outputs.push_back(Output::Send(life, pipe));
            End { key, pipe: None }
        });
    }

    /// Has a producer carried to who subscribed it, as soon as it is here and there is a pipe.
    fn feed(&mut self, life: Incarnation, room: &RoomId, producer: ProducerId, theirs: Worker) {
        let local = self.rooms.get(room).filter(|local| local.sources.contains_key(&producer));
        let Some(worker) = local.map(|local| local.worker) else { return };
        self.offer_end(life, (worker, theirs));
        let Some(peer) = self.peers.get_mut(&life) else { return };
        let Some(pipe) = peer.pipe(worker, theirs) else { return };
        let Some(fed) = peer.fed(room, producer, theirs) else { return };
        self.last_feeding += 1;
        fed.newest = self.last_feeding;
        let feeding = Feeding { life, room: room.clone(), producer, worker, theirs, pipe, number: fed.newest };
        self.outputs.push_back(Output::Feed(feeding));
    }

    fn described(&mut self, feeding: Feeding, described: Option<(MediaKind, Box<RtpParameters>)>) {
        let Some(peer) = self.peers.get_mut(&feeding.life) else { return };
        let Feeding { life, room, producer, worker, theirs, pipe, number } = feeding.clone();
        if peer.pipe(worker, theirs) != Some(pipe) {
            // Of a pipe that is gone; over the next it is described again.
            return;
        }
        let Some(fed) = peer.fed(&room, producer, theirs) else {
            return self.outputs.push_back(Output::StopFeeding(feeding));
        };
        if fed.newest != number {
            // A newer one is under way, and may have overtaken it.
            return;
        }
        let Some((kind, parameters)) = described else {
            fed.told = None;
            return;
        };
        fed.worker = Some(worker);
        let told = Some((pipe, parameters.clone()));
        if fed.told != told {
            fed.told = told;
            self.send(life, Message::Stream { room, producer, mine: worker, yours: theirs, kind, parameters });
        }
    }

    fn room(&mut self, now: Instant, room: &RoomId, local: LocalRoom) {
        let earlier = self.rooms.get(room);
        if earlier.is_some_and(|earlier| (earlier.worker, earlier.router) != (local.worker, local.router)) {
            // Nothing of what was here is on the new one.
            self.forget_room(room);
        }
        let known = self.rooms.remove(room).map(|earlier| earlier.sources).unwrap_or_default();
        let mut feed = Vec::new();
        for (&life, peer) in &mut self.peers {
            for (&(producer, theirs), fed) in peer.fed.get_mut(room).into_iter().flatten() {
                if !known.contains_key(&producer) {
                    // If it was here before, it ended meanwhile, and with it what was told of it.
                    fed.told = None;
                }
                if local.sources.get(&producer) != known.get(&producer) {
                    feed.push((life, producer, theirs));
                }
            }
        }
        self.subscribe(now, room, &local);
        self.rooms.insert(room.clone(), local);
        feed.into_iter().for_each(|(life, producer, theirs)| self.feed(life, room, producer, theirs));
    }

    fn forget_room(&mut self, room: &RoomId) {
        self.rooms.remove(room);
        self.unsubscribe_all(room);
        for (&life, peer) in &mut self.peers {
            let of_room = peer.fed.get_mut(room).map(std::mem::take).unwrap_or_default();
            for (at, fed) in &of_room {
                self.outputs.extend(peer.stop_feeding(life, room, *at, fed));
            }
            if let Some(fed) = peer.fed.get_mut(room) {
                fed.extend(of_room.into_keys().map(|at| (at, Fed::default())));
            }
        }
    }

    /// Its ends of pipes are gone, and what came over them: all others begin anew with this node.
    fn worker_gone(&mut self, worker: Worker) {
        let concerned = |peer: &Peer| peer.is_up() && peer.ends.keys().any(|(mine, _)| *mine == worker);
        let lives: Vec<_> = self.peers.iter().filter(|(_, peer)| concerned(peer)).map(|(life, _)| *life).collect();
        for life in lives {
            let n = self.rng.random();
            self.begin(life, Some(n));
            self.outputs.push_back(Output::Send(life, Message::Anew { n }));
        }
    }

    /// What nobody listens to is said when both begin anew.
    fn send(&mut self, life: Incarnation, message: Message) {
        if self.peers.get(&life).is_some_and(Peer::listens) {
            self.outputs.push_back(Output::Send(life, message));
        }
    }
}
