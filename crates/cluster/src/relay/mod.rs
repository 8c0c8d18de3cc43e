//! Which streams cross between nodes, and between the workers of one, sans-IO.
//!
//! A room has people on several nodes, and on several workers of each; each node sends what its people publish to the
//! nodes that ask for it. Who wants a producer subscribes at the node that its participant is bound to, by the room's log,
//! for each of its workers that has people of the room. That one opens a pipe from its worker to the subscriber's (once
//! for all rooms that the two have in common), has it carry the producer, and says how it comes. Then the subscriber asks
//! for as many layers as its people watch.
//!
//! Between its own workers a node does the same with itself: it is its own peer, whose link is always there.
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

/// What a room has on a worker of this node, where people of it are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRoom {
    /// Which.
    pub worker: Worker,
    /// Its router there; another number where it began anew.
    pub router: u64,
    /// What people on this worker publish, each with a number that changes when it is published anew.
    pub sources: BTreeMap<ProducerId, u64>,
    /// What people elsewhere publish, and on which life of which node they are; this one's for its other workers.
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
    /// What a room has here now, worker by worker.
    Room(RoomId, Vec<LocalRoom>),
    /// What somebody publishes ended. Another of the same name may be there by now, which the next [`Input::Room`] says.
    Ended(RoomId, ProducerId),
    /// What came of an [`Output::Feed`]; nothing if there is no such producer (yet).
    Described {
        /// Of what.
        feeding: Feeding,
        /// Its streams on the pipe.
        described: Option<(MediaKind, Box<RtpParameters>)>,
    },
    /// So many layers of a producer that comes over a pipe are wanted on a worker.
    Wanted {
        /// Its room.
        room: RoomId,
        /// The worker.
        worker: Worker,
        /// Which.
        producer: ProducerId,
        /// How many.
        layers: u8,
    },
    /// A worker is another than before; its pipes are gone.
    WorkerGone(Worker),
}

/// A producer of this node on its way to another, or to another worker of this one.
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
    /// Open a pipe between two workers of this node, in place of one between the two.
    OpenLocalPipe {
        /// Which.
        workers: [Worker; 2],
        /// Its name at both, never used before.
        pipe: TransportId,
    },
    /// Close a worker's end of a pipe.
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
    /// Pipes to their workers that are open.
    pub pipes: usize,
    /// Pipes between workers of this node.
    pub local_pipes: usize,
    /// Producers of other nodes that are subscribed, once for each worker.
    pub subscriptions: usize,
    /// Those of this node that others subscribed.
    pub fed: usize,
    /// Those that its own workers did.
    pub fed_locally: usize,
    /// Subscriptions that were refused because a node has too many.
    pub refused: u64,
}

/// The streams that this node gives and takes.
pub struct Relays {
    /// This node's life.
    me: Incarnation,
    /// Where each worker sends from and is reached by others.
    addresses: Vec<SocketAddr>,
    rng: ChaCha12Rng,
    rooms: BTreeMap<RoomId, BTreeMap<Worker, LocalRoom>>,
    /// By room and worker.
    subscriptions: BTreeMap<(RoomId, Worker), BTreeMap<ProducerId, Subscription>>,
    peers: BTreeMap<Incarnation, Peer>,
    lingering: Lingering,
    outputs: VecDeque<Output>,
    /// What this node says to itself.
    loopback: VecDeque<Message>,
    last_feeding: u64,
    /// How many subscriptions there are.
    subscribed: usize,
    refused: u64,
}

impl Relays {
    /// Of the node's life `me`, without any link. `addresses` are the workers', in their order; `seed` comes from a source
    /// that cannot be guessed.
    pub fn new(me: Incarnation, addresses: Vec<SocketAddr>, seed: [u8; 32]) -> Self {
        Self {
            me,
            addresses,
            rng: ChaCha12Rng::from_seed(seed),
            rooms: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            peers: BTreeMap::from([(me, Peer::default())]),
            lingering: Lingering::default(),
            outputs: VecDeque::new(),
            loopback: VecDeque::new(),
            last_feeding: 0,
            subscribed: 0,
            refused: 0,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            // Nobody else has this life.
            Input::Up(life) | Input::Down(life) | Input::Message(life, _) if life == self.me => {}
            // Both sides begin anew: what was agreed over the last link may have been lost with it.
            Input::Up(life) => self.begin(life, None),
            Input::Down(life) => {
                if let Some(peer) = self.peers.get_mut(&life) {
                    peer.down_until = Some(now + KEPT_WITHOUT_LINK);
                }
            }
            Input::Message(life, message) => self.message(now, life, message),
            Input::Room(room, local) => self.room(now, &room, local),
            Input::Ended(room, producer) => self.unsubscribe(&room, producer),
            Input::Described { feeding, described } => self.described(feeding, described),
            Input::Wanted { room, worker, producer, layers } => {
                let at = (room, worker);
                let subscription = self.subscriptions.get(&at).and_then(|there| there.get(&producer));
                if let Some(life) = subscription.and_then(Subscription::source) {
                    self.send(life, Message::Layers { room: at.0, producer, mine: worker, layers });
                }
            }
            Input::WorkerGone(worker) => self.worker_gone(worker),
        }
        self.listen_to_itself(now);
    }

    fn listen_to_itself(&mut self, now: Instant) {
        while let Some(message) = self.loopback.pop_front() {
            self.message(now, self.me, message);
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
        self.listen_to_itself(now);
    }

    /// How much there is.
    pub fn counts(&self) -> RelayCounts {
        let others = self.peers.iter().filter(|(life, _)| **life != self.me).map(|(_, peer)| peer);
        let me = self.peers.get(&self.me);
        let fed_locally = me.map_or(0, |me| me.subscriptions);
        RelayCounts {
            peers: others.clone().filter(|peer| peer.is_up()).count(),
            pipes: others.clone().map(Peer::open_ends).sum(),
            local_pipes: me.map_or(0, Peer::open_ends) / 2,
            // Each of this node's own is fed by it.
            subscriptions: self.subscribed.saturating_sub(fed_locally),
            fed: others.map(|peer| peer.subscriptions).sum(),
            fed_locally,
            refused: self.refused,
        }
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
        let mut said = Vec::new();
        for ((room, worker), there) in &self.subscriptions {
            let at_life = there.iter().filter(|(_, subscription)| subscription.life == Some(life));
            said.extend(at_life.map(|(&producer, _)| (room.clone(), producer, *worker)));
        }
        for (room, producer, mine) in said {
            self.send(life, Message::Subscribe { room, producer, mine });
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
                if peer.subscriptions >= SUBSCRIPTIONS_MAX && life != self.me {
                    self.refused += 1;
                    return;
                }
                let at = (producer, theirs);
                match peer.fed.entry(room.clone()).or_default().insert(at, Fed::default()) {
                    // It may have forgotten the streams that it had: it gets new ones.
                    Some(earlier) => self.outputs.extend(peer.stop_feeding(life, &room, at, earlier.worker)),
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
                self.outputs.extend(peer.stop_feeding(life, &room, (producer, theirs), fed.worker));
            }
            Message::Layers { room, producer, mine: theirs, layers } => {
                let Some(worker) = peer.fed(&room, producer, theirs).and_then(|fed| fed.worker) else { return };
                let Some(pipe) = peer.pipe(worker, theirs) else { return };
                let feeding = Feeding { life, room, producer, worker, theirs, pipe, number: 0 };
                self.outputs.push_back(Output::SetLayers(feeding, layers));
            }
            Message::Stream { room, producer, mine: theirs, yours: worker, kind, parameters } => {
                let Some(pipe) = peer.pipe(worker, theirs) else { return };
                let at = (room, worker);
                let subscription = self.subscriptions.get_mut(&at).and_then(|there| there.get_mut(&producer));
                let Some(subscription) = subscription.filter(|subscription| subscription.life == Some(life)) else {
                    return;
                };
                if subscription.let_former_go(now) {
                    self.lingering.push(now, at.clone(), producer);
                }
                let (room, worker) = at;
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
        let Some(ours) = end.key.clone() else { return };
        end.pipe = Some(pipe);
        self.outputs.push_back(Output::OpenPipe { worker, pipe, remote: address, ours, theirs });
        let waiting = peer.fed.iter().flat_map(|(room, of_room)| of_room.keys().map(move |key| (room, *key)));
        let is_here = |room: &RoomId, producer: &ProducerId| {
            let local = self.rooms.get(room).and_then(|workers| workers.get(&worker));
            local.is_some_and(|local| local.sources.contains_key(producer))
        };
        let waiting = waiting.filter(|(room, (producer, theirs))| *theirs == to && is_here(room, producer));
        let waiting: Vec<_> = waiting.map(|(room, at)| (room.clone(), at)).collect();
        for (room, (producer, theirs)) in waiting {
            self.feed(life, &room, producer, theirs);
        }
    }

    /// Tells the other node of this end of a pipe, if it does not know it yet.
    fn offer_end(&mut self, life: Incarnation, at: (Worker, Worker)) {
        if life == self.me {
            return self.open_local_pipe(at);
        }
        let (mine, yours) = at;
        let Some(peer) = self.peers.get_mut(&life).filter(|peer| peer.listens()) else { return };
        let Some(&address) = self.addresses.get(usize::from(mine)) else { return };
        peer.ends.entry(at).or_insert_with(|| {
            let mut key = PipeKey([0; PIPE_KEY_BYTES]);
            self.rng.fill(&mut key.0);
            let pipe = Message::Pipe { mine, yours, address, key: key.clone() };
            self.outputs.push_back(Output::Send(life, pipe));
            End { key: Some(key), pipe: None }
        });
    }

    /// Opens the pipe between two workers of this node, if there is none yet.
    fn open_local_pipe(&mut self, (one, other): (Worker, Worker)) {
        let Some(me) = self.peers.get_mut(&self.me) else { return };
        if me.pipe(one, other).is_some() {
            return;
        }
        let pipe = TransportId(self.rng.random());
        for at in [(one, other), (other, one)] {
            me.ends.insert(at, End { key: None, pipe: Some(pipe) });
        }
        self.outputs.push_back(Output::OpenLocalPipe { workers: [one, other], pipe });
    }

    /// Has a producer carried to who subscribed it, as soon as it is here and there is a pipe.
    fn feed(&mut self, life: Incarnation, room: &RoomId, producer: ProducerId, theirs: Worker) {
        let workers = self.rooms.get(room).into_iter().flatten();
        let mut publishing = workers.filter(|(_, local)| local.sources.contains_key(&producer));
        let Some((&worker, _)) = publishing.next() else { return };
        if life == self.me && worker == theirs {
            // It came over to the worker that had it from another. What it had ends in a moment.
            return;
        }
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
        let before = fed.worker.replace(worker).filter(|before| *before != worker);
        let told = Some((pipe, parameters.clone()));
        if fed.told != told {
            fed.told = told;
            let stream =
                Message::Stream { room: room.clone(), producer, mine: worker, yours: theirs, kind, parameters };
            self.send(life, stream);
        }
        // It is published on another worker now.
        let peer = self.peers.get(&life);
        let stop = peer.and_then(|peer| peer.stop_feeding(life, &room, (producer, theirs), before));
        self.outputs.extend(stop);
    }

    fn room(&mut self, now: Instant, room: &RoomId, local: Vec<LocalRoom>) {
        let mut before = self.rooms.remove(room).unwrap_or_default();
        let now_here: BTreeMap<_, _> = local.into_iter().map(|local| (local.worker, local)).collect();
        // Nothing of what was on a router is on another.
        let goes_on =
            |earlier: &LocalRoom| now_here.get(&earlier.worker).is_some_and(|now| now.router == earlier.router);
        for (worker, _) in before.extract_if(.., |_, earlier| !goes_on(earlier)) {
            self.forget(room, worker);
        }
        let (known, sources) = (published(&before), published(&now_here));
        let mut feed = Vec::new();
        for (&life, peer) in &mut self.peers {
            for (&(producer, theirs), fed) in peer.fed.get_mut(room).into_iter().flatten() {
                if !known.contains_key(&producer) {
                    // If it was here before, it ended meanwhile, and with it what was told of it.
                    fed.told = None;
                }
                if sources.get(&producer) != known.get(&producer) {
                    feed.push((life, producer, theirs));
                }
            }
        }
        now_here.values().for_each(|local| self.subscribe(now, room, local));
        if !now_here.is_empty() {
            self.rooms.insert(room.clone(), now_here);
        }
        feed.into_iter().for_each(|(life, producer, theirs)| self.feed(life, room, producer, theirs));
    }

    /// A room is not on a worker any more, or on another router of it.
    fn forget(&mut self, room: &RoomId, worker: Worker) {
        self.unsubscribe_all(room, worker);
        let mut stopped = Vec::new();
        for (&life, peer) in &mut self.peers {
            let of_room = peer.fed.get_mut(room).into_iter().flatten();
            let there = of_room.filter(|(_, fed)| fed.worker == Some(worker));
            for (at, fed) in there {
                stopped.push(*at);
                *fed = Fed::default();
            }
            for at in stopped.drain(..) {
                self.outputs.extend(peer.stop_feeding(life, room, at, Some(worker)));
            }
        }
    }

    /// Its ends of pipes are gone, and what came over them: other nodes begin anew with this one. Its people are gone too,
    /// as the next [`Input::Room`]s say, so that nothing has to be agreed again among the workers that are left.
    fn worker_gone(&mut self, worker: Worker) {
        if let Some(me) = self.peers.get_mut(&self.me) {
            let gone = me.ends.extract_if(.., |(one, other), _| *one == worker || *other == worker);
            let closings = gone.filter_map(|((worker, _), end)| Some(Output::ClosePipe { worker, pipe: end.pipe? }));
            self.outputs.extend(closings);
        }
        let concerned = |peer: &Peer| peer.is_up() && peer.ends.keys().any(|(mine, _)| *mine == worker);
        let others = self.peers.iter().filter(|(life, peer)| **life != self.me && concerned(peer));
        let lives: Vec<_> = others.map(|(life, _)| *life).collect();
        for life in lives {
            let n = self.rng.random();
            self.begin(life, Some(n));
            self.outputs.push_back(Output::Send(life, Message::Anew { n }));
        }
    }

    /// What nobody listens to is said when both begin anew.
    fn send(&mut self, life: Incarnation, message: Message) {
        if life == self.me {
            self.loopback.push_back(message);
        } else if self.peers.get(&life).is_some_and(Peer::listens) {
            self.outputs.push_back(Output::Send(life, message));
        }
    }
}

/// What is published on which worker, and its number.
fn published(here: &BTreeMap<Worker, LocalRoom>) -> BTreeMap<ProducerId, (Worker, u64)> {
    here.iter().flat_map(|(worker, local)| local.sources.iter().map(|(id, n)| (*id, (*worker, *n)))).collect()
}
