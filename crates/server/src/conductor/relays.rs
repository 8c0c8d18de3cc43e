//! Streams between nodes: does what [`cluster::relay`] wants, with the links and the media workers.
//!
//! Everybody else only marks rooms in which something changed ([`Door`]). One task looks at those, one after the other:
//! what is published here, from the registry, and what elsewhere, from the rooms. So nothing depends on the order in
//! which the log, the workers and the links say things.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cluster::relay::{Feeding, Input, LocalRoom, Message, Output, RelayCounts, Relays};
use cluster::{Elsewhere, LinkEvent, LinkEvents, Links};
use protocol::{Incarnation, MediaKind, ProducerId, RoomId, RtpParameters, TransportId};
use sfu::Worker;
use sfu::srtp::MasterKey;
use sfu::transmit::SocketIndex;
use sfu::worker::RouterId;
use sfu_io::{CallError, WorkerHandle, WorkerIndex};
use tokio::sync::{Notify, mpsc, watch};

use super::media::Media;
use super::{Shared, Vital};

/// How long a call waits until it is tried again on a worker with too many calls waiting.
const BUSY_RETRY: Duration = Duration::from_millis(20);
/// What workers say that waits to be passed on.
const NEWS_MAX: usize = 1024;

/// The link of a node to others, and by which of its sockets their media goes.
pub struct Relaying {
    /// The links.
    pub links: Links,
    /// What they say.
    pub events: LinkEvents,
    /// The workers' socket for streams from and to other nodes.
    pub socket: SocketIndex,
}

/// Where the rest of the conductor says what changed.
pub(super) struct Door {
    /// Whether there is a link to other nodes.
    on: bool,
    changed: Mutex<Changed>,
    wake: Notify,
    news: mpsc::Sender<News>,
    /// Counts what arrived from other nodes.
    arrivals: watch::Sender<u64>,
    counts: Mutex<RelayCounts>,
}

/// Rooms to be looked at, with the producers that ended since the last look.
type Changed = BTreeMap<RoomId, BTreeSet<ProducerId>>;

/// What comes from the media workers.
pub(super) enum News {
    /// So many layers of a producer that comes from another node are wanted.
    Wanted { router: RouterId, producer: ProducerId, layers: u8 },
    /// A worker died.
    WorkerDied(WorkerIndex),
    /// What came of a call.
    Described { feeding: Feeding, described: Option<(MediaKind, Box<RtpParameters>)> },
}

impl Door {
    /// Something of a room is another than before.
    pub(super) fn changed(&self, room: &RoomId) {
        self.changed_by(room, None);
    }

    /// A producer ended; another of the same name may follow.
    pub(super) fn ended(&self, room: &RoomId, producer: ProducerId) {
        self.changed_by(room, Some(producer));
    }

    fn changed_by(&self, room: &RoomId, ended: Option<ProducerId>) {
        if !self.on {
            return;
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        match changed.get_mut(room) {
            Some(producers) => producers.extend(ended),
            None => _ = changed.insert(room.clone(), ended.into_iter().collect()),
        }
        drop(changed);
        self.wake.notify_one();
    }

    /// Passes on what a worker says.
    pub(super) async fn tell(&self, news: News) {
        if !self.on {
            return;
        }
        // Nobody listens any more at the server's end.
        let _ = self.news.send(news).await;
    }

    /// Whether there is a link to other nodes.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Rises with everything that arrives from other nodes.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    pub(super) fn counts(&self) -> RelayCounts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A door and what comes in by it.
pub(super) fn door(on: bool) -> (Door, mpsc::Receiver<News>) {
    let (news, queue) = mpsc::channel(NEWS_MAX);
    let (changed, counts) = (Mutex::default(), Mutex::default());
    (Door { on, changed, wake: Notify::new(), news, arrivals: watch::Sender::default(), counts }, queue)
}

struct Task {
    shared: Arc<Shared>,
    links: Links,
    socket: SocketIndex,
    relays: Relays,
    /// What is muted of what comes from other nodes.
    muted: HashMap<RoomId, BTreeSet<ProducerId>>,
}

/// Goes on until the links are closed.
pub(super) async fn run(shared: Arc<Shared>, relaying: Relaying, mut news: mpsc::Receiver<News>) {
    let _vital = Vital::new(&shared, "streams between nodes");
    let Relaying { links, mut events, socket } = relaying;
    let address = |worker: &WorkerHandle| worker.local_addresses().get(usize::from(socket)).copied();
    let addresses = shared.pool.workers().iter().filter_map(address).collect();
    let mut peers = shared.rooms.peers();
    let relays = Relays::new(addresses, rand::random());
    let mut task = Task { shared: Arc::clone(&shared), links, socket, relays, muted: HashMap::new() };
    loop {
        let due = task.relays.poll_timeout();
        tokio::select! {
            event = events.next() => match event {
                Some(event) => task.link(event),
                None => return,
            },
            () = shared.relays.wake.notified() => task.look().await,
            Some(news) = news.recv() => task.news(news),
            Ok(()) = peers.changed() => task.links.set_peers(peers.borrow_and_update().clone()),
            () = until(due) => task.relays.handle_timeout(Instant::now()),
        }
        while let Some(output) = task.relays.poll_output() {
            task.carry_out(output).await;
        }
        *shared.relays.counts.lock().unwrap_or_else(PoisonError::into_inner) = task.relays.counts();
    }
}

impl Task {
    fn handle(&mut self, input: Input) {
        self.relays.handle(Instant::now(), input);
    }

    fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up { node, life } => {
                tracing::info!(%node, "linked to another node");
                self.handle(Input::Up(life));
            }
            LinkEvent::Down { node, life } => {
                tracing::warn!(%node, "the link to another node is down");
                self.handle(Input::Down(life));
            }
            LinkEvent::Message { node, life, bytes } => match serde_json::from_slice(&bytes) {
                Ok(message) => self.handle(Input::Message(life, message)),
                Err(error) => tracing::error!(%node, %error, "another node said what cannot be understood"),
            },
        }
    }

    fn news(&mut self, news: News) {
        match news {
            News::Wanted { router, producer, layers } => {
                let room = self.shared.registry().room_of(router);
                if let Some(room) = room {
                    self.handle(Input::Wanted { room, producer, layers });
                }
            }
            News::WorkerDied(worker) => self.handle(Input::WorkerGone(worker.0)),
            News::Described { feeding, described } => self.handle(Input::Described { feeding, described }),
        }
    }

    /// Looks at the rooms that changed.
    async fn look(&mut self) {
        let changed = std::mem::take(&mut *self.shared.relays.changed.lock().unwrap_or_else(PoisonError::into_inner));
        for (room, ended) in changed {
            let elsewhere = self.shared.rooms.elsewhere(room.clone()).await;
            let local = self.local(&room, &elsewhere);
            for producer in ended {
                self.handle(Input::Ended(room.clone(), producer));
            }
            match local {
                None => _ = self.muted.remove(&room),
                Some(_) => self.mute(&room, &elsewhere).await,
            }
            self.handle(Input::Room(room, local));
        }
    }

    /// What a room has here, if anything.
    fn local(&self, room: &RoomId, elsewhere: &[Elsewhere]) -> Option<LocalRoom> {
        let mut registry = self.shared.registry();
        registry.set_remote(room, elsewhere.iter().map(|one| one.producer));
        let media = registry.media(room, || None)?;
        let sources: BTreeMap<_, _> = registry.sources(room).collect();
        if !registry.has_members(room) {
            return None;
        }
        let remote = elsewhere.iter().map(|one| (one.producer, one.life)).collect();
        Some(LocalRoom { worker: media.worker.index().0, router: media.router.0, sources, remote })
    }

    /// Mutes what is muted elsewhere, so that its silence is not taken for a fault.
    async fn mute(&mut self, room: &RoomId, elsewhere: &[Elsewhere]) {
        let muted: BTreeSet<_> = elsewhere.iter().filter(|one| one.paused).map(|one| one.producer).collect();
        let before = self.muted.insert(room.clone(), muted.clone()).unwrap_or_default();
        let Some(Media { worker, router }) = self.shared.registry().media(room, || None) else { return };
        let there = |producer: &ProducerId| elsewhere.iter().any(|one| one.producer == *producer);
        for producer in muted.symmetric_difference(&before).copied().filter(there) {
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
            Output::Send(life, message) => self.send(life, &message),
            Output::OpenPipe { worker, pipe, remote, ours, theirs } => {
                let Some(worker) = self.worker(worker) else { return };
                let (ours, theirs, socket) = (MasterKey(ours.0), MasterKey(theirs.0), self.socket);
                let open =
                    move |worker: &mut Worker, now| worker.open_pipe(now, pipe, socket, remote, [&ours, &theirs], None);
                drop(self.insist(&worker, open).await);
            }
            Output::ClosePipe { worker, pipe } => {
                let Some(worker) = self.worker(worker) else { return };
                drop(self.insist(&worker, move |worker, _| worker.close_transport(pipe)).await);
            }
            Output::Feed(feeding) => self.feed(feeding).await,
            Output::StopFeeding(Feeding { room, producer, worker, pipe, .. }) => {
                let Some(Media { worker, router }) = self.media(&room, worker) else { return };
                drop(self.insist(&worker, move |worker, _| worker.pipe_unconsume(pipe, router, producer)).await);
            }
            Output::SetLayers(Feeding { room, producer, worker, pipe, .. }, layers) => {
                let Some(Media { worker, router }) = self.media(&room, worker) else { return };
                let set = move |worker: &mut Worker, now| worker.set_pipe_layers(now, pipe, router, producer, layers);
                drop(self.insist(&worker, set).await);
            }
            Output::Receive { worker, pipe, room, producer, kind, parameters } => {
                let Some(media) = self.media(&room, worker) else { return };
                self.receive(&media, pipe, (room, producer), (kind, parameters)).await;
            }
        }
    }
}

impl Task {
    async fn feed(&mut self, feeding: Feeding) {
        let Feeding { ref room, producer, worker, pipe, .. } = feeding;
        let Some(Media { worker, router }) = self.media(room, worker) else {
            return self.handle(Input::Described { feeding, described: None });
        };
        let call = self.insist(&worker, move |worker, _| worker.pipe_consume(pipe, router, producer)).await;
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let described = call.await.ok().and_then(Result::ok);
            let described = described.map(|(kind, parameters)| (kind, Box::new(parameters)));
            shared.relays.tell(News::Described { feeding, described }).await;
        });
    }

    async fn receive(
        &self,
        Media { worker, router }: &Media,
        pipe: TransportId,
        (room, producer): (RoomId, ProducerId),
        (kind, parameters): (MediaKind, Box<RtpParameters>),
    ) {
        let (router, muted) = (*router, self.muted.get(&room).is_some_and(|muted| muted.contains(&producer)));
        let produce = move |worker: &mut Worker, now| {
            worker.pipe_produce(now, pipe, router, producer, (kind, &parameters), muted)
        };
        let call = self.insist(worker, produce).await;
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            match call.await {
                Ok(Ok(())) => shared.relays.arrivals.send_modify(|count| *count += 1),
                Ok(Err(error)) => tracing::error!(%room, ?producer, %error, "a stream of another node cannot be used"),
                // The pool says so.
                Err(_) => {}
            }
        });
    }

    fn send(&self, life: Incarnation, message: &Message) {
        let bytes = serde_json::to_vec(message).expect("a message is plain data, which JSON can always carry");
        // A link that does not take it ends, and everything is said anew over the next.
        let _ = self.links.send(life, Bytes::from(bytes));
    }

    fn worker(&self, worker: u16) -> Option<WorkerHandle> {
        self.shared.pool.workers().into_iter().nth(usize::from(worker))
    }

    /// A room's media, if it is on this worker.
    fn media(&self, room: &RoomId, worker: u16) -> Option<Media> {
        self.shared.registry().media(room, || None).filter(|media| media.worker.index().0 == worker)
    }

    /// Queues a call, again and again while the worker has too many waiting, and gives its result to be waited for.
    async fn insist<R, F>(
        &self,
        worker: &WorkerHandle,
        run: F,
    ) -> Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>
    where
        R: Send + 'static,
        F: FnOnce(&mut Worker, Instant) -> R + Clone + Send + 'static,
    {
        loop {
            let mut call = Box::pin(worker.call(run.clone()));
            // One that is not taken says so at once.
            match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
                Poll::Ready(Err(CallError::WorkerBusy)) => tokio::time::sleep(BUSY_RETRY).await,
                Poll::Ready(done) => return Box::pin(ready(done)),
                Poll::Pending => return call,
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
