//! The asynchronous front of a [`Node`]: one task that owns it, and handles to ask it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorBody, ErrorCode, Incarnation, NodeId, ParticipantId, RoomId, SessionId};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::heartbeat::Heartbeat;
use crate::link::Peer;
use crate::log::{Cut, EventLog, LogStatus, Next, Start, Tail, TailError};
use crate::node::{Accepted, Applied, Input, Node, NodeConfig, Output, Proposal, Publication, Seat, Ticket};
use crate::store::{Listing, NodeEntry, NodeState, StateStore};

/// How long the node waits before it tries again to open a log that does not answer.
const OPEN_AGAIN: Duration = Duration::from_millis(500);

/// What a [`RoomService`] is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// The node's name and limits.
    pub node: NodeConfig,
    /// Proposals and questions that wait to be taken up; one more proposal gets `log_unavailable`.
    pub queue_max: usize,
    /// Changes that wait for the server; while it is full the node stands still.
    pub applied_max: usize,
    /// The version of the binary, for the registry.
    pub version: String,
    /// Where the link to the other nodes listens, for the registry.
    pub link: Option<SocketAddr>,
}

impl ServiceConfig {
    /// The defaults: a queue of 1,024 each way, no link.
    pub fn new(node: NodeConfig) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { node, queue_max: 1024, applied_max: 1024, version, link: None }
    }
}

/// How much a node has to do with, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rooms that are known.
    pub rooms: usize,
    /// People in them, the held ones included.
    pub participants: usize,
    /// Those of them who are on this node.
    pub own_participants: usize,
    /// Nodes that the registry knows to be ready.
    pub nodes_ready: usize,
    /// Hosts of rooms that were declared lost; a node counts once for each of its rooms.
    pub hosts_lost: u64,
    /// Rooms that were not as other hosts have them. Each is a fault.
    pub diverged: u64,
    /// How often a partition of the log lost records that had been read. Each is a fault.
    pub cuts: u64,
    /// Rooms that were founded again from a node's memory because of that, as far as was read.
    pub refounded: u64,
    /// Proposals whose record is not back yet.
    pub pending: usize,
    /// Records that were left out because they could not be read.
    pub set_aside: u64,
}

/// Whether the rooms of a node can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Not yet: the log did not answer yet, or what is on it is not read yet.
    Starting,
    /// Yes.
    Works,
    /// Something does not answer. Without the log rooms stay as they are, and what would change one gets
    /// `log_unavailable` until it does; without the registry lost nodes are not noticed.
    Degraded,
}

/// A handle to the rooms of this node. Clones are handles to the same.
///
/// **Order.** The receiver that [`RoomService::start`] returns carries the changes of all rooms that this node
/// hosts in the order of the log, and every change whose `seq` is not above that of an answer was put into
/// it *before* the answer was given. So a server that makes its outbox for a participant known *before* it
/// proposes their join, and drops for it what is not above `snapshot.seq`, misses nothing and repeats nothing.
///
/// **Progress.** The receiver is bounded and the node waits while it is full: whoever reads it must never wait
/// for [`RoomService::propose`] or [`RoomService::snapshot`] in between.
///
/// **Lost answers.** If the socket of a participant breaks while their join or resume is under way, the server
/// proposes `Held` with the binding of the answer when it comes. A join or resume that comes back from the log
/// after `log_unavailable` was answered is held by the node itself.
#[derive(Debug, Clone)]
pub struct RoomService {
    node: NodeId,
    incarnation: Incarnation,
    commands: mpsc::Sender<Command>,
    gauges: Arc<Gauges>,
    log: EventLog,
    fenced: Arc<Notify>,
    peers: watch::Receiver<Vec<Peer>>,
}

impl RoomService {
    /// Opens the log and starts the node's task. `incarnation` is drawn at random for this start. A log that does
    /// not answer is tried again until it does; [`RoomService::condition`] says so. `store` tells the nodes of each
    /// other.
    ///
    /// Errors: the log is not as it has to be.
    pub async fn start(
        incarnation: Incarnation,
        config: ServiceConfig,
        log: impl Into<EventLog>,
        store: impl Into<StateStore>,
    ) -> Result<(Self, mpsc::Receiver<Applied>), TailError> {
        let log = log.into();
        let read_back = config.node.read_back();
        let tail = match log.tail(start(read_back)).await {
            Ok(tail) => Some(tail),
            Err(error @ TailError::Unavailable(_)) => {
                tracing::warn!(%error, "there are no rooms until the log answers");
                None
            }
            Err(error) => return Err(error),
        };
        let (commands, queue) = mpsc::channel(config.queue_max);
        let (applied, changes) = mpsc::channel(config.applied_max);
        let gauges = Arc::new(Gauges::default());
        // The node is told before it takes its first command.
        gauges.caught_up.store(tail.as_ref().is_some_and(Tail::is_caught_up), Ordering::Relaxed);
        let name = config.node.node.clone();
        let fenced = Arc::new(Notify::new());
        let (peers, linked) = watch::channel(Vec::new());
        let heartbeat = Heartbeat {
            store: store.into(),
            log: log.clone(),
            node: name.clone(),
            incarnation,
            version: config.version,
            link: config.link,
            commands: commands.downgrade(),
            gauges: Arc::clone(&gauges),
        };
        let driver = Driver {
            node: Node::new(incarnation, config.node),
            peers,
            log: log.clone(),
            applied,
            gauges: Arc::clone(&gauges),
            fenced: Arc::clone(&fenced),
            caught_up: false,
            asking: BTreeMap::new(),
            last_ticket: 0,
        };
        tokio::spawn(driver.run(tail, queue, read_back));
        tokio::spawn(heartbeat.run());
        Ok((Self { node: name, incarnation, commands, gauges, log, fenced, peers: linked }, changes))
    }

    /// The node's name.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// This life of the node, as bindings name it.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Has an event judged by the room's rules and returns the verdict once it was applied here. Dropping the
    /// future changes nothing: the event happens or not all the same.
    ///
    /// Errors: what the rules say; `log_unavailable` if the record was not back in time or too much waits (a
    /// repeat with the same key is safe); `server_full`; `draining` after [`RoomService::shutdown`].
    pub async fn propose(&self, proposal: Proposal) -> Result<Accepted, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        let result = match self.commands.try_send(Command::Propose(proposal, reply)) {
            // Without an answer the node stopped.
            Ok(()) => answer.await.unwrap_or(Err(ErrorCode::Draining)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(ErrorCode::LogUnavailable),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ErrorCode::Draining),
        };
        result.map_err(|code| ErrorBody::new(code, explain(code)))
    }

    /// The room as its members see it now; `None` if there is none.
    pub async fn snapshot(&self, room: RoomId) -> Option<RoomSnapshot> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Snapshot(room, reply)).await.ok()?;
        answer.await.ok()?
    }

    /// The node for somebody who enters a room, or comes back to it; none of `avoid` unless there is no other. This one if the log did not answer yet.
    ///
    /// Errors: `log_unavailable` if another node has to be asked, because this one does not read what they do.
    pub async fn place(
        &self,
        room: RoomId,
        participant: ParticipantId,
        avoid: Vec<NodeId>,
    ) -> Result<NodeId, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Place { room, participant, avoid, reply }).await.is_err() {
            return Ok(self.node.clone());
        }
        answer.await.unwrap_or_else(|_| Some(self.node.clone())).ok_or_else(ask_elsewhere)
    }

    /// Whether people can go on at another node, as far as this one knows.
    pub async fn has_others(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::HasOthers(reply)).await.is_ok() && answer.await.unwrap_or_default()
    }

    /// Who may speak for a participant, as far as this node has read.
    ///
    /// Errors: `session_expired` or `removed` if they are not in the room, the second if `session` was sent out; as
    /// [`RoomService::place`].
    pub async fn seat(&self, room: RoomId, participant: ParticipantId, session: SessionId) -> Result<Seat, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        let unknown = || Some(Err(ErrorCode::SessionExpired));
        let seat = match self.commands.send(Command::Seat { room, participant, session, reply }).await {
            Ok(()) => answer.await.unwrap_or_else(|_| unknown()),
            Err(_) => unknown(),
        };
        seat.ok_or_else(ask_elsewhere)?.map_err(|code| ErrorBody::new(code, explain(code)))
    }

    /// What a room's people publish, on whichever node; `None` if the node ended, or has not read its rooms yet.
    pub async fn publications(&self, room: RoomId) -> Option<Vec<Publication>> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Publications(room, reply)).await.ok()?;
        answer.await.ok()
    }

    /// The other lives of nodes that carry a room; none if this one does not know it.
    pub async fn other_hosts(&self, room: RoomId) -> Vec<Incarnation> {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::OtherHosts(room, reply)).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// The other nodes with a link, as the registry knew them last.
    pub fn peers(&self) -> watch::Receiver<Vec<Peer>> {
        self.peers.clone()
    }

    /// Notes how busy this node's media workers are in the mean, in thousandths, for all who send people to nodes.
    pub fn set_busy(&self, permille: u16) {
        self.gauges.busy_permille.store(permille, Ordering::Relaxed);
    }

    /// Tells the other nodes that this one takes nobody any more.
    pub fn drain(&self) {
        self.gauges.draining.store(true, Ordering::Relaxed);
        self.gauges.beat.notify_one();
    }

    /// Waits until other nodes have declared this one dead, or the log cannot be read on. It has to send its people
    /// away and start anew.
    pub async fn fenced(&self) {
        self.fenced.notified().await;
        // For whoever else waits.
        self.fenced.notify_one();
    }

    /// Whether the registry of nodes answered last.
    pub fn registry_reachable(&self) -> bool {
        self.gauges.registry_reachable()
    }

    /// Whether rooms can change now.
    pub fn condition(&self) -> Condition {
        if !self.gauges.caught_up.load(Ordering::Relaxed) {
            Condition::Starting
        } else if self.log.status().reachable && self.gauges.registry_reachable() {
            Condition::Works
        } else {
            Condition::Degraded
        }
    }

    /// How the log is doing, for metrics.
    pub fn log_status(&self) -> LogStatus {
        self.log.status()
    }

    /// What the metrics show.
    pub fn counts(&self) -> Counts {
        self.gauges.read()
    }

    /// Refuses proposals from here on, waits until those under way have their answers (at most the answer
    /// timeout), and stops the node. The channel of changes ends then.
    pub async fn shutdown(&self) {
        // If the node has stopped already there is nothing to tell it.
        let _ = self.commands.send(Command::Shutdown).await;
        self.commands.closed().await;
    }
}

pub(crate) enum Command {
    Propose(Proposal, oneshot::Sender<Result<Accepted, ErrorCode>>),
    Snapshot(RoomId, oneshot::Sender<Option<RoomSnapshot>>),
    Place {
        room: RoomId,
        participant: ParticipantId,
        avoid: Vec<NodeId>,
        reply: oneshot::Sender<Option<NodeId>>,
    },
    /// Without an answer in the answer another node has to be asked.
    Seat {
        room: RoomId,
        participant: ParticipantId,
        session: SessionId,
        reply: oneshot::Sender<Option<Result<Seat, ErrorCode>>>,
    },
    Publications(RoomId, oneshot::Sender<Vec<Publication>>),
    HasOthers(oneshot::Sender<bool>),
    OtherHosts(RoomId, oneshot::Sender<Vec<Incarnation>>),
    Registry(Option<Listing>),
    Shutdown,
}

impl Drop for Driver {
    /// The registry learns of the end at once.
    fn drop(&mut self) {
        self.gauges.beat.notify_one();
    }
}

struct Driver {
    node: Node,
    peers: watch::Sender<Vec<Peer>>,
    log: EventLog,
    applied: mpsc::Sender<Applied>,
    gauges: Arc<Gauges>,
    fenced: Arc<Notify>,
    caught_up: bool,
    asking: BTreeMap<Ticket, oneshot::Sender<Result<Accepted, ErrorCode>>>,
    last_ticket: u64,
}

/// What woke the task.
enum Wake {
    Log(Result<Next, TailError>),
    Command(Option<Command>),
    Timeout,
}

impl Driver {
    async fn run(mut self, tail: Option<Tail>, mut queue: mpsc::Receiver<Command>, read_back: Duration) {
        let tail = match tail {
            Some(tail) => Some(tail),
            None => self.open(&mut queue, read_back).await,
        };
        let Some(mut tail) = tail else { return };
        let mut stopping = false;
        while !(stopping && self.node.pending() == 0) {
            if tail.is_caught_up() && !std::mem::replace(&mut self.caught_up, true) {
                self.gauges.caught_up.store(true, Ordering::Relaxed);
                self.node.handle(now(), Input::CaughtUp);
                // The others learn at once that people may be sent here.
                self.gauges.beat.notify_one();
                tracing::debug!(rooms = self.node.rooms(), "the log is read");
            }
            let wake = tokio::select! {
                // Records first: they free what proposals wait for.
                biased;
                next = tail.next() => Wake::Log(next),
                () = until(self.node.poll_timeout()) => Wake::Timeout,
                command = queue.recv() => Wake::Command(command),
            };
            match wake {
                Wake::Log(Ok(Next::Entry(entry))) => self.node.handle(now(), Input::Entry(entry)),
                Wake::Log(Ok(Next::Cut(cut))) => self.cut(cut),
                Wake::Log(Err(error)) => {
                    tracing::error!(%error, "the log cannot be read any more; this node has to start anew");
                    self.fenced.notify_one();
                    return;
                }
                Wake::Timeout => {
                    self.node.log_answers(now(), self.log.status().reachable);
                    self.node.handle_timeout(now());
                }
                Wake::Command(Some(Command::Propose(proposal, reply))) => self.propose(proposal, reply),
                Wake::Command(Some(Command::Snapshot(room, reply))) => {
                    // Who asked may have stopped waiting.
                    let _ = reply.send(self.node.snapshot(&room));
                }
                Wake::Command(Some(Command::Place { room, participant, avoid, reply })) => {
                    let knows = self.node.knows_about(now(), &room);
                    let _ = reply.send(knows.then(|| self.node.place(now(), &room, participant, &avoid)));
                }
                Wake::Command(Some(Command::OtherHosts(room, reply))) => _ = reply.send(self.node.other_hosts(&room)),
                Wake::Command(Some(Command::HasOthers(reply))) => _ = reply.send(self.node.has_others()),
                Wake::Command(Some(Command::Seat { room, participant, session, reply })) => {
                    let seat = || self.node.seat(&room, participant, session);
                    let _ = reply.send(self.node.knows_about(now(), &room).then(seat));
                }
                Wake::Command(Some(Command::Publications(room, reply))) => {
                    _ = reply.send(self.node.publications(&room));
                }
                Wake::Command(Some(Command::Registry(answer))) => {
                    self.tell_peers(answer.as_ref());
                    self.node.log_answers(now(), self.log.status().reachable);
                    self.node.handle(now(), Input::Registry(answer));
                    self.gauges.count_people(&self.node);
                }
                Wake::Command(Some(Command::Shutdown)) => {
                    self.node.drain();
                    stopping = true;
                }
                Wake::Command(None) => return,
            }
            if self.flush().await.is_err() {
                tracing::debug!("nobody reads changes any more; this node's rooms stop");
                return;
            }
        }
    }

    /// The rooms go on, and somebody has to find out how a log that is never to lose anything did.
    fn cut(&mut self, cut: Cut) {
        let Cut { partition, end, .. } = cut;
        tracing::error!(partition, end, "the log lost records that had been read; rooms are founded again from memory");
        self.gauges.cuts.fetch_add(1, Ordering::Relaxed);
        self.node.handle(now(), Input::Cut(cut));
    }

    /// Tries to open the log until it can be read; whoever asks meanwhile is told to ask again. `None` if there is
    /// nothing more to do.
    async fn open(&mut self, queue: &mut mpsc::Receiver<Command>, read_back: Duration) -> Option<Tail> {
        let log = self.log.clone();
        let opening = async move {
            loop {
                match log.tail(start(read_back)).await {
                    Err(TailError::Unavailable(error)) => tracing::debug!(error, "the log does not answer yet"),
                    result => return result,
                }
                tokio::time::sleep(OPEN_AGAIN).await;
            }
        };
        tokio::pin!(opening);
        loop {
            let command = tokio::select! {
                biased;
                result = &mut opening => match result {
                    Ok(tail) => return Some(tail),
                    Err(error) => {
                        tracing::error!(%error, "the log cannot be used; this node has no rooms");
                        return None;
                    }
                },
                command = queue.recv() => command,
            };
            // Who asked may have stopped waiting.
            match command {
                Some(Command::Propose(_, reply)) => _ = reply.send(Err(ErrorCode::LogUnavailable)),
                Some(Command::Snapshot(_, reply)) => _ = reply.send(None),
                Some(Command::Place { reply, .. }) => drop(reply),
                Some(Command::HasOthers(reply)) => _ = reply.send(false),
                Some(Command::OtherHosts(_, reply)) => drop(reply),
                Some(Command::Seat { reply, .. }) => _ = reply.send(Some(Err(ErrorCode::SessionExpired))),
                Some(Command::Publications(_, reply)) => drop(reply),
                Some(Command::Registry(answer)) => self.node.handle(now(), Input::Registry(answer)),
                Some(Command::Shutdown) | None => return None,
            }
        }
    }

    /// Says where the other nodes' links are; as it was while the registry does not answer.
    fn tell_peers(&self, answer: Option<&Listing>) {
        let Some(listing) = answer else { return };
        let others = listing.nodes.iter().filter(|entry| entry.incarnation != self.node.incarnation());
        let linked = others.filter_map(|NodeEntry { node, incarnation, link, .. }| {
            Some(Peer { node: node.clone(), life: *incarnation, address: (*link)? })
        });
        self.peers.send_replace(linked.collect());
    }

    fn propose(&mut self, proposal: Proposal, reply: oneshot::Sender<Result<Accepted, ErrorCode>>) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.asking.insert(ticket, reply);
        self.node.handle(now(), Input::Propose { ticket, proposal });
    }

    /// Does what the node wants, in its order. Fails when nobody reads changes any more.
    async fn flush(&mut self) -> Result<(), mpsc::error::SendError<Applied>> {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Append { room, key, value } => {
                    if let Err(error) = self.log.append(&room, value) {
                        tracing::warn!(%error, %room, "the log refused a record");
                        self.node.handle(now(), Input::AppendRefused { room, key });
                    }
                }
                Output::Changed(applied) => self.applied.send(applied).await?,
                Output::Resolve { ticket, result } => {
                    if let Some(reply) = self.asking.remove(&ticket) {
                        // Who asked may have stopped waiting.
                        let _ = reply.send(result);
                    }
                }
                Output::SetAside { room, offset } => {
                    tracing::warn!(%room, offset, "a record of the log cannot be read and was left out");
                    self.gauges.set_aside.fetch_add(1, Ordering::Relaxed);
                }
                Output::Diverged { room, offset } => {
                    tracing::error!(%room, offset, "a room is not as another node wrote it down; the one that knows of more events is believed");
                    self.gauges.diverged.fetch_add(1, Ordering::Relaxed);
                }
                Output::Ignorant { room, offset } => {
                    tracing::error!(%room, offset, "this node founded a room that others have been holding; its people here are sent to look again");
                    self.gauges.diverged.fetch_add(1, Ordering::Relaxed);
                }
                Output::Refounded { room, offset } => {
                    tracing::warn!(%room, offset, "a room was founded again from a node's memory, as the log lost records of it");
                    self.gauges.refounded.fetch_add(1, Ordering::Relaxed);
                }
                Output::TooLarge { room } => {
                    tracing::warn!(%room, "the room is too large to be written down; nodes that start later do not know it");
                }
                Output::Fenced => {
                    tracing::error!("other nodes hold this one for dead; it sends its people away and starts anew");
                    self.fenced.notify_one();
                }
            }
        }
        self.gauges.write(&self.node);
        Ok(())
    }
}

/// Where a node begins to read.
fn start(read_back: Duration) -> Start {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let since = now.saturating_sub(read_back);
    Start::Since(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(Instant::from_std(deadline)).await,
        None => std::future::pending().await,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Gauges {
    caught_up: AtomicBool,
    draining: AtomicBool,
    /// Asks for a heartbeat now.
    pub(crate) beat: Notify,
    registry_lost: AtomicBool,
    /// As the server said last.
    pub(crate) busy_permille: AtomicU16,
    own_participants: AtomicUsize,
    nodes_ready: AtomicUsize,
    hosts_lost: AtomicU64,
    diverged: AtomicU64,
    cuts: AtomicU64,
    refounded: AtomicU64,
    rooms: AtomicUsize,
    participants: AtomicUsize,
    pending: AtomicUsize,
    set_aside: AtomicU64,
}

impl Gauges {
    pub(crate) fn state(&self) -> NodeState {
        if self.draining.load(Ordering::Relaxed) {
            NodeState::Draining
        } else if self.caught_up.load(Ordering::Relaxed) {
            NodeState::Ready
        } else {
            NodeState::Starting
        }
    }

    pub(crate) fn own_participants(&self) -> usize {
        self.own_participants.load(Ordering::Relaxed)
    }

    pub(crate) fn registry_reachable(&self) -> bool {
        !self.registry_lost.load(Ordering::Relaxed)
    }

    /// Returns what it was before.
    pub(crate) fn set_registry_reachable(&self, reachable: bool) -> bool {
        !self.registry_lost.swap(!reachable, Ordering::Relaxed)
    }

    fn count_people(&self, node: &Node) {
        self.own_participants.store(node.own_participants(), Ordering::Relaxed);
        self.nodes_ready.store(node.nodes_ready(), Ordering::Relaxed);
    }

    fn write(&self, node: &Node) {
        self.rooms.store(node.rooms(), Ordering::Relaxed);
        self.participants.store(node.participants(), Ordering::Relaxed);
        self.pending.store(node.pending(), Ordering::Relaxed);
        self.hosts_lost.store(node.hosts_lost(), Ordering::Relaxed);
    }

    fn read(&self) -> Counts {
        Counts {
            rooms: self.rooms.load(Ordering::Relaxed),
            participants: self.participants.load(Ordering::Relaxed),
            own_participants: self.own_participants(),
            nodes_ready: self.nodes_ready.load(Ordering::Relaxed),
            hosts_lost: self.hosts_lost.load(Ordering::Relaxed),
            diverged: self.diverged.load(Ordering::Relaxed),
            cuts: self.cuts.load(Ordering::Relaxed),
            refounded: self.refounded.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
            set_aside: self.set_aside.load(Ordering::Relaxed),
        }
    }
}

fn ask_elsewhere() -> ErrorBody {
    ErrorBody::new(ErrorCode::LogUnavailable, "this node does not know the room as others do; ask another, or again")
}

/// The sentence for people that goes with a refusal of the rules or of the node.
fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadRequest => "a field has a value that the room does not allow",
        ErrorCode::Forbidden => "the room's rules do not allow this",
        ErrorCode::NotJoined => "you are not in this room; join it first",
        ErrorCode::RoomFull => "the room is full",
        ErrorCode::RoomLocked => "the room is locked; ask somebody who is in it",
        ErrorCode::ServerFull => "the server has as many rooms as it may; try again later",
        ErrorCode::LimitReached => "a limit of the room is reached",
        ErrorCode::NotFound => "there is nothing of this name in the room",
        ErrorCode::AlreadyExists => "it exists already",
        ErrorCode::WrongState => "this does not fit the room's state",
        ErrorCode::RequestExpired => "the request's number is too old; its outcome was forgotten",
        ErrorCode::Superseded => "a newer connection of the same participant took over",
        ErrorCode::SessionExpired => "you were away for too long; join again",
        ErrorCode::Removed => "you were sent out of the meeting",
        ErrorCode::Denied => "you were not let in",
        ErrorCode::MeetingEnded => "the host ended the meeting",
        ErrorCode::LogUnavailable => "the room's log does not answer; repeat the request with the same number",
        ErrorCode::Draining => "the server is going down; join another node",
        _ => "the request failed for a reason of the server's own",
    }
}
