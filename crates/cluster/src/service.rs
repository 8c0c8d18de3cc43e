//! The asynchronous front of a [`Node`]: one task that owns it, and handles to ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorBody, ErrorCode, Incarnation, NodeId, RoomId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::log::{Entry, EventLog, LogStatus, Start, Tail, TailError};
use crate::node::{Accepted, Applied, Input, Node, NodeConfig, Output, Proposal, Ticket};

/// Where a node begins to read. Rooms of an earlier life of it, or of another node, are not taken up yet.
const START: Start = Start::End;
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
}

impl ServiceConfig {
    /// The defaults: a queue of 1,024 each way.
    pub fn new(node: NodeConfig) -> Self {
        Self { node, queue_max: 1024, applied_max: 1024 }
    }
}

/// How much a node has to do with, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rooms that are known.
    pub rooms: usize,
    /// People in them, the held ones included.
    pub participants: usize,
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
    /// Not now, since the log does not answer: rooms stay as they are, and what would change one gets
    /// `log_unavailable` until it does.
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
}

impl RoomService {
    /// Opens the log and starts the node's task. `incarnation` is drawn at random for this start. A log that does
    /// not answer is tried again until it does; [`RoomService::condition`] says so.
    ///
    /// Errors: the log is not as it has to be.
    pub async fn start(
        incarnation: Incarnation,
        config: ServiceConfig,
        log: impl Into<EventLog>,
    ) -> Result<(Self, mpsc::Receiver<Applied>), TailError> {
        let log = log.into();
        let tail = match log.tail(START).await {
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
        gauges.caught_up.store(tail.as_ref().is_some_and(Tail::is_caught_up), Ordering::Relaxed);
        let name = config.node.node.clone();
        let driver = Driver {
            node: Node::new(incarnation, config.node),
            log: log.clone(),
            applied,
            gauges: Arc::clone(&gauges),
            asking: BTreeMap::new(),
            last_ticket: 0,
        };
        tokio::spawn(driver.run(tail, queue));
        Ok((Self { node: name, incarnation, commands, gauges, log }, changes))
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

    /// Whether rooms can change now.
    pub fn condition(&self) -> Condition {
        if !self.gauges.caught_up.load(Ordering::Relaxed) {
            Condition::Starting
        } else if self.log.status().reachable {
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

enum Command {
    Propose(Proposal, oneshot::Sender<Result<Accepted, ErrorCode>>),
    Snapshot(RoomId, oneshot::Sender<Option<RoomSnapshot>>),
    Shutdown,
}

struct Driver {
    node: Node,
    log: EventLog,
    applied: mpsc::Sender<Applied>,
    gauges: Arc<Gauges>,
    asking: BTreeMap<Ticket, oneshot::Sender<Result<Accepted, ErrorCode>>>,
    last_ticket: u64,
}

/// What woke the task.
enum Wake {
    Entry(Result<Entry, TailError>),
    Command(Option<Command>),
    Timeout,
}

impl Driver {
    async fn run(mut self, tail: Option<Tail>, mut queue: mpsc::Receiver<Command>) {
        let tail = match tail {
            Some(tail) => Some(tail),
            None => self.open(&mut queue).await,
        };
        let Some(mut tail) = tail else { return };
        let mut stopping = false;
        while !(stopping && self.node.pending() == 0) {
            if tail.is_caught_up() {
                self.gauges.caught_up.store(true, Ordering::Relaxed);
            }
            let wake = tokio::select! {
                // Records first: they free what proposals wait for.
                biased;
                entry = tail.next() => Wake::Entry(entry),
                () = until(self.node.poll_timeout()) => Wake::Timeout,
                command = queue.recv() => Wake::Command(command),
            };
            match wake {
                Wake::Entry(Ok(entry)) => self.node.handle(now(), Input::Entry(entry)),
                Wake::Entry(Err(error)) => {
                    tracing::error!(%error, "the log cannot be read any more; this node's rooms stop");
                    return;
                }
                Wake::Timeout => self.node.handle_timeout(now()),
                Wake::Command(Some(Command::Propose(proposal, reply))) => self.propose(proposal, reply),
                Wake::Command(Some(Command::Snapshot(room, reply))) => {
                    // Who asked may have stopped waiting.
                    let _ = reply.send(self.node.snapshot(&room));
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

    /// Tries to open the log until it can be read; whoever asks meanwhile is told to ask again. `None` if there is
    /// nothing more to do.
    async fn open(&mut self, queue: &mut mpsc::Receiver<Command>) -> Option<Tail> {
        let log = self.log.clone();
        let opening = async move {
            loop {
                match log.tail(START).await {
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
                Some(Command::Shutdown) | None => return None,
            }
        }
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
            }
        }
        self.gauges.write(&self.node);
        Ok(())
    }
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
struct Gauges {
    caught_up: AtomicBool,
    rooms: AtomicUsize,
    participants: AtomicUsize,
    pending: AtomicUsize,
    set_aside: AtomicU64,
}

impl Gauges {
    fn write(&self, node: &Node) {
        self.rooms.store(node.rooms(), Ordering::Relaxed);
        self.participants.store(node.participants(), Ordering::Relaxed);
        self.pending.store(node.pending(), Ordering::Relaxed);
    }

    fn read(&self) -> Counts {
        Counts {
            rooms: self.rooms.load(Ordering::Relaxed),
            participants: self.participants.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
            set_aside: self.set_aside.load(Ordering::Relaxed),
        }
    }
}

/// The sentence for people that goes with a refusal of the rules or of the node.
fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadRequest => "a field has a value that the room does not allow",
        ErrorCode::Forbidden => "the room's rules do not allow this",
        ErrorCode::NotJoined => "you are not in this room; join it first",
        ErrorCode::RoomFull => "the room is full",
        ErrorCode::ServerFull => "the server has as many rooms as it may; try again later",
        ErrorCode::LimitReached => "a limit of the room is reached",
        ErrorCode::NotFound => "there is nothing of this name in the room",
        ErrorCode::AlreadyExists => "it exists already",
        ErrorCode::WrongState => "this does not fit the room's state",
        ErrorCode::RequestExpired => "the request's number is too old; its outcome was forgotten",
        ErrorCode::Superseded => "a newer connection of the same participant took over",
        ErrorCode::SessionExpired => "you were away for too long; join again",
        ErrorCode::LogUnavailable => "the room's log does not answer; repeat the request with the same number",
        ErrorCode::Draining => "the server is going down; join another node",
        _ => "the request failed for a reason of the server's own",
    }
}
