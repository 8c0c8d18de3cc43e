//! The link between nodes: one QUIC connection for each pair of lives, for control and liveness. Media never goes
//! over it (docs/decisions/0007).
//!
//! It knows nothing of what it carries: frames are opaque bytes, in order from an [`LinkEvent::Up`] to the
//! [`LinkEvent::Down`] after it. What was under way when a connection broke is lost, so after each `Up` both sides
//! tell each other everything anew.
//!
//! Of two lives the lower dials. A node takes everybody who proves the cluster's secret, also lives that its registry
//! does not list yet.

mod accept;
mod close;
mod connection;
mod dial;
mod events;
mod frame;
mod hello;
mod identity;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use protocol::{Incarnation, NodeId};
use quinn::{AsyncUdpSocket, Endpoint};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use close::Close;
use connection::Current;
use events::{Open, Queued};

pub use events::{LinkEvent, LinkEvents};

/// Largest frame, in bytes. One more ends its connection.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Frames that wait to be sent to one node. One more ends its connection: who is so far behind starts over.
pub const SEND_QUEUE_MAX: usize = 1024;
/// Events that wait to be read. While it is full the other nodes' frames wait at the other nodes.
pub const EVENTS_MAX: usize = 256;
/// Links at a time, and nodes that are dialed at a time.
pub const LINKS_MAX: usize = 1024;
/// How often a node that has nothing to say shows that it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How long a node that shows nothing is taken to live.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection may take until both nodes know each other.
pub const HANDSHAKE_TIMEOUT: Duration = IDLE_TIMEOUT;
/// How long [`Links::close`] waits for the other nodes to hear of it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often it looks whether its socket is closed: quinn closes it in a task of its own.
const CLOSE_POLL: Duration = Duration::from_millis(5);
/// Refusals that are logged, each once; the rest are only counted.
const TOLD_MAX: usize = 64;

/// What [`Links`] are made with.
pub struct LinkConfig {
    /// This node's name.
    pub node: NodeId,
    /// This life of it.
    pub life: Incarnation,
    /// The cluster's secrets, at least one: the first signs, all are believed.
    pub secrets: Vec<String>,
    /// Where to listen (UDP); port 0 takes any free one.
    pub listen: SocketAddr,
}

/// A node to be linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub node: NodeId,
    /// This life of it.
    pub life: Incarnation,
    /// Where its link listens.
    pub address: SocketAddr,
}

/// What the links of a node count, for metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// Links that are up, by name of the node, with their round trips.
    pub up: Vec<(NodeId, Duration)>,
    /// Attempts to reach a node that ended without a link.
    pub dials_failed: u64,
    /// Connections, of either direction, that were refused: secret, version, life, too many.
    pub refused: u64,
    /// Frames handed to the network.
    pub frames_sent: u64,
    /// Frames that came.
    pub frames_received: u64,
    /// Links that were ended because too many frames waited for them.
    pub overruns: u64,
    /// Links that were ended because of a frame that was too large.
    pub oversize: u64,
}

/// Why there are no links.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is nothing to prove.
    #[error("the link between nodes needs the cluster's secret")]
    NoSecret,
    /// The certificates cannot be made. A fault of this program or its libraries.
    #[error("cannot make the certificates of the link between nodes: {0}")]
    Certificates(String),
    /// The address cannot be used.
    #[error("the link between nodes cannot listen on {address} (UDP): {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

/// The links of this node. Clones are handles to the same; with the last one all links end.
#[derive(Clone)]
pub struct Links {
    handle: Arc<Handle>,
}

impl Links {
    /// Listens, and takes whoever proves the secret. Has to be called in a Tokio runtime. Whoever drops the events
    /// ends all links.
    pub fn start(config: LinkConfig) -> Result<(Self, LinkEvents), LinkError> {
        let LinkConfig { node, life, secrets, listen } = config;
        let (endpoint, socket) = identity::Identity::of(&secrets)?.listen(listen)?;
        let address = endpoint.local_addr().map_err(|error| LinkError::Listen { address: listen, error })?;
        let (events, queue) = mpsc::channel(EVENTS_MAX);
        let open = Arc::new(Open::default());
        let shared = Arc::new(Shared {
            hello: hello::encode(&node, life),
            life,
            address,
            socket,
            open: Arc::clone(&open),
            counters: Arc::default(),
            state: Mutex::new(State { endpoint: Some(endpoint.clone()), events: Some(events), ..State::default() }),
        });
        tokio::spawn(accept::accept(Arc::clone(&shared), endpoint));
        Ok((Self { handle: Arc::new(Handle(shared)) }, LinkEvents::new(queue, open)))
    }

    /// Says which nodes there are, as often as one likes. Those with a higher life than this one are dialed until they
    /// are left out again. A link that is up stays up until it breaks, whether or not its node is among them.
    pub fn set_peers(&self, peers: Vec<Peer>) {
        let shared = &self.handle.0;
        let mut state = shared.state();
        if state.events.is_none() {
            return;
        }
        let mut peers: BTreeMap<Incarnation, Peer> =
            peers.into_iter().filter(|peer| peer.life > shared.life).map(|peer| (peer.life, peer)).collect();
        state.dialed.retain(|life, dialed| {
            let same = peers.get(life) == Some(&dialed.peer);
            if same {
                peers.remove(life);
            } else {
                dialed.task.abort();
            }
            same
        });
        for (life, peer) in peers {
            if state.dialed.len() >= LINKS_MAX {
                break;
            }
            let task = tokio::spawn(dial::keep_dialing(Arc::clone(shared), peer.clone())).abort_handle();
            state.dialed.insert(life, Dialed { peer, task });
        }
    }

    /// Sends a frame, without waiting, to a life whose `Up` was read from the events and whose `Down` was not. `false`:
    /// there is no such link, or it ends with this: its queue was full, or the frame too large.
    pub fn send(&self, to: Incarnation, frame: Bytes) -> bool {
        self.handle.0.open.send(to, frame)
    }

    /// Where the link listens, with its real port.
    pub fn local_address(&self) -> SocketAddr {
        self.handle.0.address
    }

    /// What was counted.
    pub fn stats(&self) -> LinkStats {
        let shared = &self.handle.0;
        let up = shared.state().links.values().map(|link| (link.node.clone(), link.connection.rtt())).collect();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { dials_failed, refused, frames_sent, frames_received, overruns, oversize } = &*shared.counters;
        LinkStats {
            up,
            dials_failed: read(dials_failed),
            refused: read(refused),
            frames_sent: read(frames_sent),
            frames_received: read(frames_received),
            overruns: read(overruns),
            oversize: read(oversize),
        }
    }

    /// Ends all links and takes no more. The other nodes are told; what still waits to be sent is not. The events end
    /// after a last `Down` for each link. Once it returns the address is free.
    pub async fn close(&self) {
        let shared = &self.handle.0;
        let Some(endpoint) = shared.end() else { return };
        let closed = async {
            endpoint.wait_idle().await;
            drop(endpoint);
            while shared.socket.strong_count() > 0 {
                tokio::time::sleep(CLOSE_POLL).await;
            }
        };
        // Who does not hear of it notices.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
    }
}

/// Whether a first frame is the hello of some node, for who tests with frames of his own: links read theirs.
pub fn is_hello(frame: &[u8]) -> bool {
    // No life is drawn as 0.
    hello::decode(frame, Incarnation(0), None).is_ok()
}

#[cfg(test)]
impl Links {
    fn connections(&self) -> usize {
        self.handle.0.endpoint().map_or(0, |endpoint| endpoint.open_connections())
    }

    fn dialed(&self) -> usize {
        self.handle.0.state().dialed.len()
    }
}

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What the tasks have in common.
struct Shared {
    hello: Bytes,
    life: Incarnation,
    address: SocketAddr,
    socket: Weak<dyn AsyncUdpSocket>,
    open: Arc<Open>,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` once it is over, like the events.
    endpoint: Option<Endpoint>,
    events: Option<mpsc::Sender<Queued>>,
    links: BTreeMap<Incarnation, Current>,
    dialed: BTreeMap<Incarnation, Dialed>,
    told: BTreeSet<(IpAddr, Close)>,
}

struct Dialed {
    peer: Peer,
    task: AbortHandle,
}

#[derive(Default)]
struct Counters {
    dials_failed: AtomicU64,
    refused: AtomicU64,
    frames_sent: AtomicU64,
    frames_received: AtomicU64,
    overruns: AtomicU64,
    oversize: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and every change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.state().endpoint.clone()
    }

    /// Ends everything; the endpoint that has to be waited for is left, to whoever comes first.
    fn end(&self) -> Option<Endpoint> {
        let mut state = self.state();
        state.events = None;
        for dialed in std::mem::take(&mut state.dialed).into_values() {
            dialed.task.abort();
        }
        let endpoint = state.endpoint.take()?;
        endpoint.close(Close::Shutdown.code(), Close::Shutdown.to_string().as_bytes());
        Some(endpoint)
    }

    /// Counts a refusal, and says whether it is the first of its kind from there, to be logged.
    fn refused(&self, from: SocketAddr, why: Close) -> bool {
        count(&self.counters.refused);
        let told = &mut self.state().told;
        told.len() < TOLD_MAX && told.insert((from.ip(), why))
    }
}
