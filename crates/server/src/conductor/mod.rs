//! Turns what clients ask into room events and media calls, and what rooms and media do into notifications.
//!
//! One registry behind one lock, which is never held over an await. Some tasks and any number of sockets use it:
//! `arrive` (joins and resumes), `requests`, `follow` (the room's log), `events` (the media workers), `relays` (streams
//! between nodes, and between the workers of this one), `evacuation` (whether the log answers).
//!
//! **Order.** A person's arrivals and requests take turns, whichever socket they come by. The log is followed by one
//! task, which delivers each change to all sockets of its room, so they all see the log's order. An arrival collects
//! changes from its own event on, which it recognises by its binding, and opens its socket only after that event was
//! followed: the welcome's snapshot is the room exactly as that event left it, so nothing is missed or told twice.
//! Media calls are queued while the registry is locked, so the workers hold what the registry says, in its order.

mod arrive;
mod consume;
mod data;
mod drain;
mod evacuation;
mod events;
mod follow;
mod lobby;
mod media;
mod metrics;
mod moderate;
mod moves;
mod mutes;
mod outcomes;
mod permissions;
mod person;
mod produce;
mod registry;
mod relays;
mod requests;
mod seats;
mod signals;
mod transports;
mod turn;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use cluster::evacuation::Evacuation;
use cluster::{Applied, Condition as RoomsCondition, Links, Proposal, ProposalKey, RoomService};
use protocol::event::{Binding, RoomEvent};
use protocol::limits::Limits;
use protocol::request::{ConnectAuth, JoinPlace, JoinPlaceReply, ResumePlace, ResumePlaceReply};
use protocol::{ErrorBody, ErrorCode, NodeId, ParticipantId, Reply, Request, RoomId, RtpCapabilities};
use sfu_io::{EventReceiver, WorkerPool};
use signaling::{Handler, Opening, Outbox, SessionHandle, SignalingMetrics};
use tokio::runtime;
use tokio::sync::{Notify, mpsc};

use crate::histogram::Histogram;
use crate::http::Condition;
use crate::ice_servers::IceServers;
use crate::phase::{Phase, PhaseCell};
use crate::tokens::{PlaceToken, TokenError, Tokens, unix_time};
use metrics::Results;
use registry::Registry;

pub use relays::Relaying;

/// The same for all who come.
static ROUTER_CAPABILITIES: LazyLock<RtpCapabilities> = LazyLock::new(sfu::ortc::router_capabilities);
/// Nodes that a client may want to avoid.
const AVOID_MAX: usize = 16;
/// How long the server waits before it repeats what the log did not take.
const INSIST: Duration = Duration::from_secs(1);
/// How often a node notes how busy it is.
const LOAD_INTERVAL: Duration = Duration::from_secs(1);

/// What the conductor connects.
pub struct Parts {
    /// The rooms of this node.
    pub rooms: RoomService,
    /// Their changes, from [`RoomService::start`].
    pub changes: mpsc::Receiver<Applied>,
    /// The media workers.
    pub pool: WorkerPool,
    /// What they say.
    pub events: EventReceiver,
    /// Makes and verifies tokens.
    pub tokens: Tokens,
    /// TURN servers, for clients.
    pub ice_servers: IceServers,
    /// Whether there may be other nodes, so that a client has to be told which to connect to.
    pub clustered: bool,
    /// The links to other nodes, if there are any.
    pub relaying: Option<Relaying>,
    /// What clients may use at most.
    pub limits: Limits,
    /// Where the server is in its life.
    pub phase: Arc<PhaseCell>,
    /// The counters of signalling, for `/metrics`.
    pub signaling: Arc<SignalingMetrics>,
}

/// Answers signalling. Clones are the same conductor.
#[derive(Clone)]
pub struct Conductor(Arc<Shared>);

/// What all tasks share.
struct Shared {
    registry: Mutex<Registry>,
    relays: relays::Door,
    links: Option<Links>,
    signals: signals::Signals,
    evacuation: Mutex<Evacuation>,
    rooms: RoomService,
    pool: WorkerPool,
    tokens: Tokens,
    ice_servers: IceServers,
    clustered: bool,
    limits: Limits,
    phase: Arc<PhaseCell>,
    signaling: Arc<SignalingMetrics>,
    runtime: runtime::Handle,
    last_handle: AtomicU64,
    last_router: AtomicU64,
    /// An operator wants the node to go down.
    asked_to_end: Notify,
    /// A task without which nothing works has ended.
    broken: AtomicBool,
    joins: Results,
    join_durations: Histogram,
    resumes: Results,
    requests: Results,
}

impl Conductor {
    /// Starts following the rooms and the workers. Call it within a tokio runtime.
    pub fn start(parts: Parts) -> Self {
        let Parts { rooms, changes, pool, events, tokens, ice_servers, clustered, relaying, limits, phase, signaling } =
            parts;
        let (relays, answers) = relays::door(relaying.is_some() || pool.workers().len() > 1);
        let links = relaying.as_ref().map(|relaying| relaying.links.clone());
        let shared = Arc::new(Shared {
            relays,
            links,
            signals: signals::Signals::new(Instant::now()),
            evacuation: Mutex::default(),
            registry: Mutex::default(),
            rooms,
            pool,
            tokens,
            ice_servers,
            clustered,
            limits,
            phase,
            signaling,
            runtime: runtime::Handle::current(),
            last_handle: AtomicU64::new(0),
            last_router: AtomicU64::new(0),
            asked_to_end: Notify::new(),
            broken: AtomicBool::new(false),
            joins: Results::default(),
            join_durations: Histogram::default(),
            resumes: Results::default(),
            requests: Results::default(),
        });
        tokio::spawn(follow::run(Arc::clone(&shared), changes));
        tokio::spawn(events::run(Arc::clone(&shared), events));
        tokio::spawn(tell_load(Arc::downgrade(&shared)));
        if relaying.is_some() {
            tokio::spawn(evacuation::run(Arc::downgrade(&shared)));
        }
        if shared.relays.is_on() {
            tokio::spawn(relays::run(Arc::clone(&shared), relaying, answers));
        }
        Self(shared)
    }

    /// The media workers.
    pub fn pool(&self) -> &WorkerPool {
        &self.0.pool
    }

    /// Waits until an operator wants the node to go down.
    pub async fn asked_to_end(&self) {
        self.0.asked_to_end.notified().await;
    }

    /// Waits until other nodes have declared this one dead.
    pub async fn fenced(&self) {
        self.0.rooms.fenced().await;
    }

    /// Ends the rooms and the workers, after [`Conductor::close`].
    pub async fn stop(&self) {
        self.0.rooms.shutdown().await;
        if let Some(links) = &self.0.links {
            links.close().await;
        }
        self.0.pool.stop();
    }
}

impl Handler for Conductor {
    async fn join_place(&self, room: RoomId, body: JoinPlace) -> Result<JoinPlaceReply, ErrorBody> {
        self.0.check_taking()?;
        self.0.check_starting()?;
        let returning = match body.resume_token {
            Some(token) => Some(self.0.returning(&room, &token).await?),
            None => None,
        };
        let participant = returning.unwrap_or_else(|| ParticipantId(rand::random()));
        let (node, path) = self.0.place_of(&room, participant, body.avoid).await?;
        Ok(JoinPlaceReply {
            node,
            path,
            token: self.0.tokens.place(unix_time(), &PlaceToken { room, participant }),
            router_rtp_capabilities: Cow::Borrowed(&ROUTER_CAPABILITIES),
            ice_servers: self.0.ice_servers.of(unix_time(), participant),
        })
    }

    async fn resume_place(&self, room: RoomId, body: ResumePlace) -> Result<ResumePlaceReply, ErrorBody> {
        self.0.check_taking()?;
        let participant = self.0.returning(&room, &body.token).await?;
        let (node, path) = self.0.place_of(&room, participant, body.avoid).await?;
        let ice_servers = self.0.ice_servers.of(unix_time(), participant);
        Ok(ResumePlaceReply { node, path, ice_servers })
    }

    async fn connect(
        &self,
        auth: ConnectAuth,
        address: IpAddr,
        outbox: Outbox,
    ) -> Result<(SessionHandle, Opening), ErrorBody> {
        match auth {
            ConnectAuth { token, join: Some(join), resume: None } => {
                let started = Instant::now();
                let joined = self.0.joins.count(self.0.join(&token, join, address, outbox).await);
                if joined.is_ok() {
                    self.0.join_durations.observe(started.elapsed());
                }
                joined
            }
            ConnectAuth { token, join: None, resume: Some(resume) } => {
                self.0.resumes.count(self.0.resume(&token, resume, outbox).await)
            }
            _ => Err(ErrorBody::new(ErrorCode::BadRequest, "exactly one of join and resume has to be there")),
        }
    }

    async fn request(&self, session: SessionHandle, n: u64, request: Request) -> Result<Reply, ErrorBody> {
        self.0.requests.count(self.0.request(session, n, request).await)
    }

    fn disconnected(&self, session: SessionHandle, closing: bool) {
        let left = self.0.registry().drop_socket(session);
        if let Some((room, binding)) = left {
            self.0.insist(room, binding, RoomEvent::Held { closing });
        }
    }
}

impl crate::http::Monitor for Conductor {
    fn condition(&self) -> Condition {
        if self.0.broken.load(Ordering::Relaxed) || !self.0.pool.is_alive() {
            return Condition::Broken;
        }
        match self.0.rooms.condition() {
            RoomsCondition::Starting => Condition::Starting,
            RoomsCondition::Works => Condition::Works,
            RoomsCondition::Degraded => Condition::Degraded,
        }
    }

    async fn metrics(&self) -> String {
        self.0.metrics_text().await
    }

    fn ask_to_end(&self, token: &str) -> Result<(), ErrorBody> {
        self.0.tokens.verify_operator(unix_time(), self.0.rooms.node().as_str(), token).map_err(unauthorized)?;
        self.0.asked_to_end.notify_one();
        Ok(())
    }
}

impl Shared {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_draining(&self) -> bool {
        self.phase.now() == Phase::Draining
    }

    /// A node that goes down takes nobody, nor does one that cannot do what others can.
    fn check_taking(&self) -> Result<(), ErrorBody> {
        if self.is_draining() {
            return Err(ErrorBody::new(ErrorCode::Draining, "the server is going down; join another node"));
        }
        if self.is_cut_off() {
            return Err(ErrorBody::new(ErrorCode::LogUnavailable, "the server does not reach the rooms; ask another"));
        }
        Ok(())
    }

    /// A node that has not read its rooms yet knows nobody; others do.
    fn check_starting(&self) -> Result<(), ErrorBody> {
        if self.rooms.condition() == RoomsCondition::Starting {
            return Err(ErrorBody::new(ErrorCode::LogUnavailable, "the server has not read its rooms yet; try again"));
        }
        Ok(())
    }

    /// The node for somebody who enters or comes back, and where its Socket.IO is.
    async fn place_of(
        &self,
        room: &RoomId,
        participant: ParticipantId,
        avoid: Vec<NodeId>,
    ) -> Result<(NodeId, String), ErrorBody> {
        if avoid.len() > AVOID_MAX {
            return Err(ErrorBody::new(ErrorCode::BadRequest, format!("avoid: more than {AVOID_MAX} nodes")));
        }
        let node = self.rooms.place(room.clone(), participant, avoid).await?;
        // A balancer in front of the nodes takes the first two segments as its directions.
        let path = if self.clustered { format!("/nodes/{node}/socket.io/") } else { "/socket.io/".to_owned() };
        Ok((node, path))
    }

    /// Has the node say something of a participant, again and again until the rules have judged it.
    fn insist(self: &Arc<Self>, room: RoomId, binding: Binding, event: RoomEvent) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            let proposal = Proposal { room, key: ProposalKey::Node, binding: Some(binding), event };
            while let Err(error) = shared.rooms.propose(proposal.clone()).await {
                if error.code != ErrorCode::LogUnavailable {
                    break;
                }
                tokio::time::sleep(INSIST).await;
            }
        });
    }
}

/// Notes for the other nodes how busy this one is, as long as it is there.
async fn tell_load(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        // A room that makes one worker busy goes on to the others.
        let living = shared.pool.metrics().into_iter().filter(|worker| worker.alive);
        let busy: Vec<_> = living.map(|worker| worker.busy_permille as usize).collect();
        let mean = busy.iter().sum::<usize>() / busy.len().max(1);
        shared.rooms.set_busy(u16::try_from(mean).unwrap_or(u16::MAX));
        drop(shared);
        tokio::time::sleep(LOAD_INTERVAL).await;
    }
}

/// Held by a task that runs as long as the server: should it end before, by a panic too, the log and `/readyz` say so.
struct Vital {
    shared: Arc<Shared>,
    what: &'static str,
}

impl Vital {
    fn new(shared: &Arc<Shared>, what: &'static str) -> Self {
        Self { shared: Arc::clone(shared), what }
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        if !self.shared.is_draining() {
            tracing::error!(what = self.what, "nothing follows this any more; the server has to be restarted");
            self.shared.broken.store(true, Ordering::Relaxed);
        }
    }
}

fn unauthorized(error: TokenError) -> ErrorBody {
    ErrorBody::new(ErrorCode::Unauthorized, error.to_string())
}
