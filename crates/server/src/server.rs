//! The running server: everything composed, from a configuration to a listening port, and down again.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use cluster::log::MemoryLogConfig;
use cluster::store::{HEARTBEAT, LEASE};
use cluster::{
    EventLog, KafkaConfig, KafkaLog, LinkConfig, Links, MemoryLog, MemoryStore, NodeConfig, RedisStore, RoomService,
    ServiceConfig, StateStore,
};
use protocol::{Incarnation, NodeId};
use sfu::dtls::Identity;
use sfu_io::{PoolConfig, StartError, WorkerPool};
use signaling::{SignalingConfig, SignalingMetrics};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::conductor::{Conductor, Parts, Relaying};
use crate::config::{AddressRange, Config};
use crate::http::{Condition, Monitor as _};
use crate::https::Https;
use crate::ice_servers::IceServers;
use crate::phase::{Phase, PhaseCell};
use crate::proxies::Proxies;
use crate::tls::{Tls, tls};
use crate::tokens::Tokens;
use crate::{addresses, banner, http, origins, proxies, secret, tcp};

/// How long a client may take to send a request's head, TLS handshake apart.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the registry is asked whether the node's name is free.
const NAME_POLL: Duration = Duration::from_millis(200);
/// How long sockets have, on the way down, to take their last words.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A server that runs until it is told to stop.
pub struct Server {
    listen: SocketAddr,
    media: Vec<SocketAddr>,
    reachable: Vec<IpAddr>,
    tls: Option<Tls>,
    proxies: Vec<AddressRange>,
    drain: Duration,
    conductor: Conductor,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts everything. When it returns, the server takes requests.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let media_addresses = addresses::media_addresses(&config)?;
        let reachable = addresses::told(&media_addresses);
        let tls = if config.tls() { Some(tls(&config, &reachable)?) } else { None };
        let listener = tcp::listen(config.listen).with_context(|| {
            format!("cannot listen on {} (another server may run already; --listen takes another port)", config.listen)
        })?;
        let listen = listener.local_addr().context("the listening socket has no address")?;

        let mut pool_config = PoolConfig::new(
            addresses::listen_addrs(&media_addresses, config.media_port),
            Identity::generate().context("cannot make a DTLS certificate")?,
            rand::random(),
        );
        pool_config.workers = NonZeroUsize::new(config.worker_count());
        // Tied to cores only where there is a core for each; more would share the first ones.
        pool_config.pin = config.workers == 0;
        let (pool, events) = WorkerPool::start(&pool_config).map_err(|error| no_media(&error))?;
        let media = pool.workers().iter().flat_map(|worker| worker.local_addresses().to_vec()).collect();

        let name = config.node_name()?;
        let tokens = tokens(&config)?;
        let ice_servers = IceServers::load(&config.turn)?;
        let (log, store) = (log(&config)?, store(&config)?);
        if config.clustered() {
            wait_for_the_name(&name, &store).await?;
        }
        let life = Incarnation(rand::random());
        let relaying = config.clustered().then(|| relaying(&config, &pool_config, &name, life)).transpose()?;
        let link = relaying.as_ref().map(|relaying| relaying.links.local_address());
        let node = ServiceConfig { link, ..ServiceConfig::new(NodeConfig::new(name, &config.limits)) };
        let (rooms, changes) = RoomService::start(life, node, log, store).await?;

        let phase = Arc::new(PhaseCell::default());
        let metrics = Arc::new(SignalingMetrics::default());
        let conductor = Conductor::start(Parts {
            rooms,
            changes,
            pool,
            events,
            tokens,
            ice_servers,
            clustered: config.clustered(),
            relaying,
            limits: config.limits.clone(),
            phase: Arc::clone(&phase),
            signaling: Arc::clone(&metrics),
        });
        let signaling_config = SignalingConfig {
            limits: config.limits.clone(),
            allowed_origins: origins::allowed(&config, listen, &reachable),
        };
        let signaling = signaling::router(Arc::new(conductor.clone()), &signaling_config, metrics);
        let router = http::router(signaling, Arc::clone(&phase), Arc::new(conductor.clone()));
        let proxies = Proxies::new(&config.trusted_proxies);
        let router = proxies::believe(router, &proxies);

        let handle = Handle::new();
        let serving = serve(listener, tls.as_ref(), proxies, router, handle.clone())?;
        phase.enter(Phase::Ready);
        let (proxies, drain) = (config.trusted_proxies, Duration::from_secs(config.drain_seconds.into()));
        Ok(Self { listen, media, reachable, tls, proxies, drain, conductor, handle, serving })
    }

    /// Where HTTP listens, with its real port.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The media sockets of all workers, with their real ports.
    pub fn media(&self) -> &[SocketAddr] {
        &self.media
    }

    /// What is behind the sockets.
    pub fn conductor(&self) -> &Conductor {
        &self.conductor
    }

    /// Whether it still waits for what it needs to take people; it goes on by itself.
    pub fn is_waiting(&self) -> bool {
        self.conductor.condition() == Condition::Starting
    }

    /// Where a browser finds the start page.
    pub fn url(&self) -> String {
        banner::url(self.tls.is_some(), self.listen, &self.reachable)
    }

    /// What start-up prints before the URL: media sockets, and how to come from another machine.
    pub fn details(&self) -> String {
        banner::details(self.listen, &self.reachable, &self.media, self.tls.as_ref(), &self.proxies)
    }

    /// Waits until an operator asks for its end by the API.
    pub async fn asked_to_end(&self) {
        self.conductor.asked_to_end().await;
    }

    /// Waits until other nodes have declared this one dead. It has to be stopped then, and may be started again.
    pub async fn fenced(&self) {
        self.conductor.fenced().await;
    }

    /// Takes nobody any more, and waits until everybody goes on at another node, if there is one, at most as long as is
    /// configured. To be followed by [`Server::stop`], also if it is given up.
    pub async fn drain(&self) {
        self.conductor.drain(self.drain).await;
    }

    /// Tells everybody who is left, waits until their sockets are closed (at most a few seconds), and ends everything.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.conductor.close();
        // Sockets that were upgraded are no longer HTTP's to wait for.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.conductor.closed()).await;
        self.handle.graceful_shutdown(Some(CLOSE_TIMEOUT));
        let served = self.serving.await;
        self.conductor.stop().await;
        served.context("the HTTP task")?.context("the HTTP listener")
    }
}

/// Where the rooms' events are kept.
fn log(config: &Config) -> anyhow::Result<EventLog> {
    match &config.kafka.brokers[..] {
        [] => Ok(MemoryLog::new(MemoryLogConfig::default(), unix_millis).into()),
        brokers => Ok(KafkaLog::new(KafkaConfig::new(brokers.to_vec())).context("cannot use Kafka (--kafka)")?.into()),
    }
}

/// Where the nodes find each other.
fn store(config: &Config) -> anyhow::Result<StateStore> {
    match &config.redis.url {
        None => Ok(MemoryStore::new(unix_millis).into()),
        Some(url) => Ok(RedisStore::new(url, "hyperion:node:").context("cannot use Redis (--redis)")?.into()),
    }
}

/// Waits while the registry knows another life of this node, which after a crash it does for a lease. One that goes on
/// is another node of the same name, and the two would end each other again and again.
async fn wait_for_the_name(name: &NodeId, store: &StateStore) -> anyhow::Result<()> {
    let deadline = Instant::now() + LEASE + HEARTBEAT;
    // A registry that does not answer says nothing of anybody.
    while let Ok(listing) = store.list().await
        && listing.nodes.iter().any(|entry| entry.node == *name)
    {
        anyhow::ensure!(
            Instant::now() < deadline,
            "a node named {name} runs already in this cluster; give this one another name (--node)"
        );
        tokio::time::sleep(NAME_POLL).await;
    }
    Ok(())
}

/// The link to other nodes, on the address that media has first if none is given. Their media comes and goes by the
/// workers' sockets on that address.
fn relaying(config: &Config, media: &PoolConfig, name: &NodeId, life: Incarnation) -> anyhow::Result<Relaying> {
    let first = media.listen.first().map(|listen| SocketAddr::new(listen.local.ip(), 0));
    let listen = config.link_listen.or(first).context("no address for media")?;
    let socket = media.listen.iter().position(|media| media.local.ip() == listen.ip());
    let socket = socket.with_context(|| {
        let addresses: Vec<_> = media.listen.iter().map(|media| media.local.ip().to_string()).collect();
        format!(
            "link_listen = {listen}: streams go to other nodes by the same address, but media does not listen there; it listens on {}",
            addresses.join(", ")
        )
    })?;
    let secrets = secret::cluster(config)?.context("a node of a cluster needs --cluster-secret-file")?;
    let (links, events) = Links::start(LinkConfig { node: name.clone(), life, secrets, listen })?;
    Ok(Relaying { links, events, socket: u8::try_from(socket).context("too many addresses for media")? })
}

/// With a secret of this process alone if there is none to share: then nobody comes back after a restart.
fn tokens(config: &Config) -> anyhow::Result<Tokens> {
    let secrets = secret::cluster(config)?;
    Ok(secrets.map_or_else(|| Tokens::new([&rand::random::<[u8; 32]>()[..]]), |secrets| Tokens::of(&secrets)))
}

fn serve(
    listener: TcpListener,
    tls: Option<&Tls>,
    proxies: Proxies,
    router: Router,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<JoinHandle<std::io::Result<()>>> {
    let mut server = axum_server::from_tcp(listener).context("the listening socket")?.handle(handle);
    server.http_builder().http1().header_read_timeout(REQUEST_HEAD_TIMEOUT);
    let server = server.first_request_timeout(REQUEST_HEAD_TIMEOUT).accept_error_handler(not_accepted);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(match tls {
        None => tokio::spawn(server.serve(service)),
        Some(tls) => {
            let https = Https::new(Arc::clone(&tls.server_config), proxies, REQUEST_HEAD_TIMEOUT);
            tokio::spawn(server.acceptor(https).serve(service))
        }
    })
}

/// A peer whose TLS handshake failed is nobody's business; a connection that could not be taken is the operator's.
fn not_accepted(peer: Option<&SocketAddr>, error: &std::io::Error) {
    match peer {
        Some(peer) => tracing::debug!(%peer, %error, "a connection ended before its first request"),
        None => tracing::warn!(%error, "a connection cannot be taken; too many open files? see ulimit -n"),
    }
}

/// Whoever reads it can change the configuration, not the code: what to change is in it.
fn no_media(error: &StartError) -> anyhow::Error {
    match error {
        StartError::Bind { .. } => anyhow::anyhow!("{error}; --media-port takes another port, or 0 for any free one"),
        error => anyhow::anyhow!("{error}"),
    }
}

fn unix_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use cluster::store::{NodeEntry, NodeState};

    use super::*;

    fn store() -> StateStore {
        let start = Instant::now();
        MemoryStore::new(move || u64::try_from(start.elapsed().as_millis()).expect("a short test")).into()
    }

    fn entry(name: &str) -> NodeEntry {
        let (node, version) = (name.parse().expect("a node id"), String::new());
        NodeEntry {
            node,
            incarnation: Incarnation(1),
            version,
            state: NodeState::Ready,
            participants: 0,
            busy_permille: 0,
            link: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_waits_for_the_lease_of_its_life_before_and_not_for_others() {
        let (store, name) = (store(), "node-1".parse().expect("a node id"));
        store.put(entry("node-2"), LEASE).await.expect("a store");
        let start = Instant::now();
        wait_for_the_name(&name, &store).await.expect("it is free");
        assert_eq!(start.elapsed(), Duration::ZERO);
        store.put(entry("node-1"), LEASE).await.expect("a store");
        wait_for_the_name(&name, &store).await.expect("it is free when the lease is over");
        assert!((LEASE..=LEASE + NAME_POLL).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_another_node_has_is_refused() {
        let (store, name) = (store(), "node-1".parse().expect("a node id"));
        store.put(entry("node-1"), LEASE * 10).await.expect("a store");
        let error = wait_for_the_name(&name, &store).await.expect_err("it goes on");
        assert!(error.to_string().contains("node-1 runs already"), "{error}");
    }
}
