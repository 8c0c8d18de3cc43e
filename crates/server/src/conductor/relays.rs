//! Streams between nodes, and between the workers of this one: does what [`cluster::relay`] wants, with the links and the
//! media workers.
//!
//! Everybody else only marks rooms in which something changed ([`Door`]). One task looks at those, one after the other:
//! what is published here, from the registry, and what elsewhere, from the rooms. So nothing depends on the order in
//! which the log, the workers and the links say things.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cluster::evacuation;
use cluster::relay::{Feeding, Input, LocalRoom, Message, Output, RelayCounts, Relays};
use cluster::{LinkEvent, LinkEvents, Links, Publication};
use protocol::{Incarnation, MediaKind, ProducerId, RoomId, RtpParameters, TransportId};
use sfu::Worker;
use sfu::srtp::MasterKey;
use sfu::transmit::SocketIndex;
use sfu::worker::RouterId;
use sfu_io::{CallError, OpenLocalPipeError, WorkerHandle, WorkerIndex};
use tokio::sync::{Notify, mpsc};

use super::media::{Closing, Media};
use super::{Shared, Vital};

/// How long a call waits until it is tried again on a worker with too many calls waiting.
const BUSY_RETRY: Duration = Duration::from_millis(20);
/// Messages to a node go out together up to so much, half of what a frame may have.
const FRAME_BYTES: usize = cluster::link::FRAME_BYTES_MAX / 2;
/// Answers of workers that wait to be passed on.
const DESCRIBED_MAX: usize = 1024;
/// What is taken for the round trip between two nodes until something told.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The link of a node to others, and by which of its sockets their media goes.
pub struct Relaying {
    /// The links.
    pub links: Links,
    /// What they say.
    pub events: LinkEvents,
    /// The workers' socket for streams from and to other nodes.
    pub socket: SocketIndex,
}

/// Where the rest of the conductor says what changed. Whoever does so never waits.
pub(super) struct Door {
    /// Whether there are other nodes, or several workers.
    on: bool,
    pending: Mutex<Pending>,
    wake: Notify,
    described: mpsc::Sender<Described>,
    counts: Mutex<RelayCounts>,
}

/// What was said since the task looked last. Only the newest of each counts.
#[derive(Default)]
struct Pending {
    /// Rooms to be looked at, with the producers that ended since.
    rooms: BTreeMap<RoomId, BTreeSet<ProducerId>>,
    /// How many layers of what comes over pipes are wanted.
    wanted: BTreeMap<(RouterId, ProducerId), u8>,
    /// Workers that were started in place of dead ones.
    replaced: BTreeSet<WorkerIndex>,
}

/// What came of having a pipe carry a producer.
struct Described {
    feeding: Feeding,
    described: Option<(MediaKind, Box<RtpParameters>)>,
}

impl Door {
    /// Whether streams may come from elsewhere than from a client of the worker.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Something of a room is another than before.
    pub(super) fn changed(&self, room: &RoomId) {
        self.say(|pending| _ = pending.rooms.entry(room.clone()).or_default());
    }

    /// What somebody published ended; another of the same name may follow.
    pub(super) fn ended(&self, room: &RoomId, producer: ProducerId) {
        self.say(|pending| _ = pending.rooms.entry(room.clone()).or_default().insert(producer));
    }

    /// So many layers of what comes over a pipe are wanted.
    pub(super) fn wanted(&self, router: RouterId, producer: ProducerId, layers: u8) {
        self.say(|pending| _ = pending.wanted.insert((router, producer), layers));
    }

    /// A worker runs in place of a dead one.
    pub(super) fn replaced(&self, worker: WorkerIndex) {
        self.say(|pending| _ = pending.replaced.insert(worker));
    }

    fn say(&self, say: impl FnOnce(&mut Pending)) {
        if self.on {
            say(&mut self.pending());
            self.wake.notify_one();
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counts(&self) -> RelayCounts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A door and what comes back through it.
pub(super) fn door(on: bool) -> (Door, Answers) {
    let (described, queue) = mpsc::channel(DESCRIBED_MAX);
    let (pending, counts) = (Mutex::default(), Mutex::default());
    (Door { on, pending, wake: Notify::new(), described, counts }, Answers(queue))
}

/// What workers answered to the task.
pub(super) struct Answers(mpsc::Receiver<Described>);

struct Task {
    shared: Arc<Shared>,
    /// To other nodes, if there may be any.
    links: Option<Links>,
    socket: SocketIndex,
    relays: Relays,
    /// What is to be said to each node.
    frames: BTreeMap<Incarnation, Vec<u8>>,
    /// What is muted.
    muted: HashMap<RoomId, BTreeSet<ProducerId>>,
}

/// Goes on until the rooms or the links end.
pub(super) async fn run(shared: Arc<Shared>, relaying: Option<Relaying>, Answers(mut answers): Answers) {
    let _vital = Vital::new(&shared, "streams between workers and nodes");
    let (links, mut events, socket) = match relaying {
        Some(Relaying { links, events, socket }) => (Some(links), Some(events), socket),
        None => (None, None, 0),
    };
    let address = |worker: &WorkerHandle| worker.local_addresses().get(usize::from(socket)).copied();
    let addresses = shared.pool.workers().iter().filter_map(address).collect();
    let mut peers = shared.rooms.peers();
    let relays = Relays::new(shared.rooms.incarnation(), addresses, rand::random());
    let mut task =
        Task { shared: Arc::clone(&shared), links, socket, relays, frames: BTreeMap::new(), muted: HashMap::new() };
    loop {
        let due = task.relays.poll_timeout();
        tokio::select! {
            event = next(&mut events) => match event {
                Some(event) => task.link(event),
                None => return,
            },
            () = shared.relays.wake.notified() => task.look().await,
            Some(Described { feeding, described }) = answers.recv() => {
                task.handle(Input::Described { feeding, described });
            }
            changed = peers.changed() => match (changed, &task.links) {
                (Ok(()), Some(links)) => links.set_peers(peers.borrow_and_update().clone()),
                (Ok(()), None) => {}
                // The rooms ended.
                (Err(_), _) => return,
            },
            () = until(due) => task.relays.handle_timeout(Instant::now()),
        }
        while let Some(output) = task.relays.poll_output() {
            task.carry_out(output).await;
        }
        task.flush();
        *shared.relays.counts.lock().unwrap_or_else(PoisonError::into_inner) = task.relays.counts();
    }
}

impl Task {
    fn handle(&mut self, input: Input) {
        self.relays.handle(Instant::now(), input);
    }

    fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up { life, .. } => {
                self.shared.evacuation(evacuation::Input::Up(life));
                self.handle(Input::Up(life));
            }
            LinkEvent::Down { life, .. } => {
                self.shared.evacuation(evacuation::Input::Down(life));
                self.handle(Input::Down(life));
            }
            LinkEvent::Message { node, life, bytes } => {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    match serde_json::from_slice(line) {
                        Ok(Message::Unknown) => {
                            self.shared.heard_of_the_log(life, line);
                            self.shared.heard_a_signal(line);
                        }
                        Ok(message) => self.handle(Input::Message(life, message)),
                        Err(error) => tracing::error!(%node, %error, "another node said what cannot be understood"),
                    }
                }
            }
        }
    }

    /// Looks at what was said.
    async fn look(&mut self) {
        let Pending { rooms, wanted, replaced } = std::mem::take(&mut *self.shared.relays.pending());
        for worker in replaced {
            self.handle(Input::WorkerGone(worker.0));
        }
        for (room, ended) in rooms {
            // Without an answer the node ends.
            let Some(published) = self.shared.rooms.publications(room.clone()).await else { return };
            let local = self.local(&room, &published);
            for producer in ended {
                self.handle(Input::Ended(room.clone(), producer));
            }
            match &local[..] {
                [] => _ = self.muted.remove(&room),
                [..] => self.mute(&room, &published).await,
            }
            self.handle(Input::Room(room, local));
        }
        for ((router, producer), layers) in wanted {
            let place = self.shared.registry().router(router);
            if let Some((room, WorkerIndex(worker))) = place {
                self.handle(Input::Wanted { room, worker, producer, layers });
            }
        }
    }

    /// What a room has on each worker.
    fn local(&self, room: &RoomId, published: &[Publication]) -> Vec<LocalRoom> {
        let me = self.shared.rooms.incarnation();
        let on_other_nodes: BTreeMap<_, _> =
            published.iter().filter(|one| self.is_elsewhere(one)).map(|one| (one.producer, one.life)).collect();
        // Everybody's requests wait for the registry meanwhile.
        let (awaited, sources, routers) = {
            let mut registry = self.shared.registry();
            let of_this_node = published.iter().map(|one| one.producer).filter(|id| !on_other_nodes.contains_key(id));
            let awaited: BTreeSet<_> = of_this_node.filter(|id| !registry.publishes(room, *id)).collect();
            registry.set_remote(room, on_other_nodes.keys().chain(&awaited).copied().collect());
            for media in registry.take_empty_routers(room) {
                self.shared.close(&media, vec![Closing::Router]);
            }
            let sources: Vec<_> = registry.sources(room).collect();
            let routers: Vec<_> = registry.routers_of(room).map(|media| (media.worker.index(), media.router)).collect();
            (awaited, sources, routers)
        };
        let local = routers.into_iter().map(|(worker, router)| {
            let (here, there): (Vec<_>, Vec<_>) = sources.iter().copied().partition(|(at, ..)| *at == worker);
            let on_other_workers = there.into_iter().map(|(_, producer, _)| (producer, me));
            LocalRoom {
                worker: worker.0,
                router: router.0,
                sources: here.into_iter().map(|(_, producer, number)| (producer, number)).collect(),
                // Whoever left something behind here is elsewhere.
                remote: on_other_workers.chain(on_other_nodes.clone()).collect(),
                awaited: awaited.clone(),
            }
        });
        local.collect()
    }

    fn is_elsewhere(&self, publication: &Publication) -> bool {
        publication.life != self.shared.rooms.incarnation()
    }

    /// Mutes what is muted wherever it comes by a pipe, so that its silence is not taken for a fault.
    async fn mute(&mut self, room: &RoomId, published: &[Publication]) {
        let muted: BTreeSet<_> = published.iter().filter(|one| one.paused).map(|one| one.producer).collect();
        let before = self.muted.insert(room.clone(), muted.clone()).unwrap_or_default();
        let is_published = |producer: &ProducerId| published.iter().any(|one| one.producer == *producer);
        let mut changes = Vec::new();
        {
            let registry = self.shared.registry();
            for producer in muted.symmetric_difference(&before).copied().filter(is_published) {
                let routers = registry.routers_of(room).cloned();
                let from_elsewhere = routers.filter(|media| registry.comes_over(room, media.router, producer));
                changes.extend(from_elsewhere.map(|media| (media, producer)));
            }
        }
        for (Media { worker, router }, producer) in changes {
            let pause = muted.contains(&producer);
            // What has not come yet is muted from its beginning.
            let change = move |worker: &mut Worker, now| match pause {
                true => worker.pause_producer(router, producer),
                false => worker.resume_producer(now, router, producer),
            };
            drop(self.insist(&worker, change).await);
        }
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send(life, message) => self.say(life, &message),
            Output::OpenPipe { worker, pipe, remote, ours, theirs } => {
                let Some(worker) = self.worker(worker) else { return };
                let (ours, theirs, socket) = (MasterKey(ours.0), MasterKey(theirs.0), self.socket);
                let open = move |worker: &mut Worker, now| {
                    worker.open_pipe(now, pipe, socket, remote, [&ours, &theirs], Some(ROUND_TRIP))
                };
                let call = self.insist(&worker, open).await;
                tokio::spawn(async move {
                    match call.await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::error!(%remote, %error, "a pipe to another node cannot be opened"),
                        Err(error) => tracing::error!(%remote, %error, "a pipe to another node was not opened"),
                    }
                });
            }
            Output::OpenLocalPipe { workers: [one, other], pipe } => {
                let (Some(one), Some(other)) = (self.worker(one), self.worker(other)) else { return };
                let open = || {
                    let opening = one.open_pipe(&other, pipe);
                    Some(async {
                        match opening.await {
                            Err(OpenLocalPipeError::Call(error)) => Err(error),
                            opened => Ok(opened),
                        }
                    })
                };
                let Some(call) = insist(open).await else { return };
                tokio::spawn(async move {
                    // It is agreed anew when another worker runs in place of one that is gone.
                    if let Ok(Err(error)) = call.await {
                        tracing::error!(%error, "a pipe between workers cannot be opened");
                    }
                });
            }
            Output::ClosePipe { worker, pipe } => {
                let Some(worker) = self.worker(worker) else { return };
                drop(self.insist(&worker, move |worker, _| worker.close_transport(pipe)).await);
            }
            Output::Feed(feeding) => self.feed(feeding).await,
            Output::StopFeeding(Feeding { room, producer, worker, pipe, .. }) => {
                let Some(Media { worker, router }) = self.router(&room, worker) else { return };
                drop(self.insist(&worker, move |worker, _| worker.pipe_unconsume(pipe, router, producer)).await);
            }
            Output::SetLayers(Feeding { room, producer, worker, pipe, .. }, layers) => {
                let Some(Media { worker, router }) = self.router(&room, worker) else { return };
                let set = move |worker: &mut Worker, now| worker.set_pipe_layers(now, pipe, router, producer, layers);
                drop(self.insist(&worker, set).await);
            }
            Output::Receive { worker, pipe, room, producer, kind, parameters } => {
                let Some(media) = self.router(&room, worker) else { return };
                self.receive(&media, pipe, (room, producer), (kind, Arc::from(parameters))).await;
            }
        }
    }
}

impl Task {
    async fn feed(&mut self, feeding: Feeding) {
        let Feeding { ref room, producer, worker, pipe, .. } = feeding;
        let Some(Media { worker, router }) = self.router(room, worker) else {
            return self.handle(Input::Described { feeding, described: None });
        };
        let call = self.insist(&worker, move |worker, _| worker.pipe_consume(pipe, router, producer)).await;
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let described = call.await.ok().and_then(Result::ok);
            let described = described.map(|(kind, parameters)| (kind, Box::new(parameters)));
            // Nobody listens any more at the server's end.
            let _ = shared.relays.described.send(Described { feeding, described }).await;
        });
    }

    /// Makes a producer of what comes over a pipe, unless it is published here by now: the registry is locked while that
    /// is looked at and the call queued, as it is where somebody publishes.
    async fn receive(
        &self,
        Media { worker, router }: &Media,
        pipe: TransportId,
        (room, producer): (RoomId, ProducerId),
        (kind, parameters): (MediaKind, Arc<RtpParameters>),
    ) {
        let (router, muted) = (*router, self.muted.get(&room).is_some_and(|muted| muted.contains(&producer)));
        let queue = || {
            let registry = self.shared.registry();
            registry.comes_over(&room, router, producer).then(|| {
                let parameters = Arc::clone(&parameters);
                worker.call(move |worker, now| {
                    worker.pipe_produce(now, pipe, router, producer, (kind, &parameters), muted)
                })
            })
        };
        let Some(call) = insist(queue).await else { return };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            match call.await {
                Ok(Ok(())) => shared.registry().arrived(&room),
                Ok(Err(error)) => tracing::error!(?producer, %error, "a stream from elsewhere cannot be used"),
                // The pool says so.
                Err(_) => {}
            }
        });
    }

    /// Puts a message into the next frame to a node, one a line: after a link came up there are many, and a link takes so
    /// many frames at a time.
    fn say(&mut self, life: Incarnation, message: &Message) {
        let bytes = serde_json::to_vec(message).expect("a message is plain data, which JSON can always carry");
        let frame = self.frames.entry(life).or_default();
        if !frame.is_empty() && frame.len() + bytes.len() >= FRAME_BYTES {
            let full = std::mem::take(frame);
            self.send(life, full);
        }
        let frame = self.frames.entry(life).or_default();
        frame.extend_from_slice(&bytes);
        frame.push(b'\n');
    }

    fn flush(&mut self) {
        for (life, frame) in std::mem::take(&mut self.frames) {
            self.send(life, frame);
        }
    }

    fn send(&self, life: Incarnation, frame: Vec<u8>) {
        if let Some(links) = &self.links {
            // A link that does not take it ends, and everything is said anew over the next.
            let _ = links.send(life, Bytes::from(frame));
        }
    }

    fn worker(&self, worker: u16) -> Option<WorkerHandle> {
        self.shared.pool.workers().into_iter().nth(usize::from(worker))
    }

    /// A room's router on a worker.
    fn router(&self, room: &RoomId, worker: u16) -> Option<Media> {
        self.shared.registry().router_on(room, WorkerIndex(worker))
    }

    /// Queues a call, again and again while the worker has too many waiting, and gives its result to be waited for.
    async fn insist<R, F>(&self, worker: &WorkerHandle, run: F) -> Pin<Box<dyn Future<Output = Called<R>> + Send>>
    where
        R: Send + 'static,
        F: FnOnce(&mut Worker, Instant) -> R + Clone + Send + 'static,
    {
        match insist(|| Some(worker.call(run.clone()))).await {
            Some(call) => call,
            None => Box::pin(pending()),
        }
    }
}

/// What comes of a call.
type Called<R> = Result<R, CallError>;

/// Calls `queue` until the worker took what it queued; nothing if it queues nothing.
async fn insist<R: Send + 'static, C: Future<Output = Called<R>> + Send + 'static>(
    queue: impl Fn() -> Option<C>,
) -> Option<Pin<Box<dyn Future<Output = Called<R>> + Send>>> {
    loop {
        let mut call = Box::pin(queue()?);
        // One that is not taken says so at once.
        match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
            Poll::Ready(Err(CallError::WorkerBusy)) => tokio::time::sleep(BUSY_RETRY).await,
            Poll::Ready(done) => return Some(Box::pin(ready(done))),
            Poll::Pending => return Some(call),
        }
    }
}

/// What the links say next; nothing ever if there are none.
async fn next(events: &mut Option<LinkEvents>) -> Option<LinkEvent> {
    match events {
        Some(events) => events.next().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
