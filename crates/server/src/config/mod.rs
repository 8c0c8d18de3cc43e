//! Configuration: one struct, filled from defaults, the file, the environment and flags, in this order.

mod keys;
mod load;
mod sample;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use protocol::NodeId;
use protocol::limits::Limits;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::ice_servers::is_turn_url;
pub use crate::proxies::AddressRange;

pub use load::{ConfigError, LoadError, Loaded, load};
pub use sample::sample;

/// The port of HTTP and signalling, unless configured.
pub const HTTP_PORT: u16 = 4400;
/// The UDP port of the first worker, unless configured.
pub const MEDIA_PORT: u16 = 44000;

/// What `log.level` may be, for messages.
const LEVELS: &str = "error, warn, info, debug, trace, off or directives such as info,sfu=debug";

/// Everything that can be configured. `config/keys.rs` documents each key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where HTTP and signalling listen.
    pub listen: SocketAddr,
    /// The UDP port of the first worker; worker `i` uses `media_port + i`. 0: any free ports.
    pub media_port: u16,
    /// How many media threads; 0: one per core.
    pub workers: u16,
    /// Addresses told to clients for media; empty: those of the machine.
    pub announce: Vec<IpAddr>,
    /// Web origins that may connect, beside the server's own.
    pub allowed_origins: Vec<String>,
    /// Whether people without a token may join on a server that others can reach.
    pub open: bool,
    /// PEM file with the certificate chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Where the self-signed certificate is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// This node's name in its cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The file with the secret that all nodes of a cluster share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_secret_file: Option<PathBuf>,
    /// Where the link to the cluster's other nodes listens (UDP), as they are told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_listen: Option<SocketAddr>,
    /// How long its people have to go on at other nodes when it ends, in seconds.
    pub drain_seconds: u32,
    /// Proxies whose word for a client's address is taken, and who may speak plain HTTP.
    pub trusted_proxies: Vec<AddressRange>,
    /// Where the rooms' events are kept.
    pub kafka: Kafka,
    /// How nodes find each other.
    pub redis: Redis,
    /// A TURN server, for clients whose network lets nothing else through.
    pub turn: Turn,
    /// What is logged, and how.
    pub log: Log,
    /// What clients may use at most.
    pub limits: Limits,
}

/// Where the rooms' events are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Some of Kafka's brokers, as `host:port`; empty: the events stay in this process.
    pub brokers: Vec<String>,
    /// Whether Kafka may be on another machine, with nothing that protects the way to it.
    pub dangerously_unprotected: bool,
}

/// How nodes find each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Redis, as `redis://[user:password@]host:port`; not set: this is the only node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether Redis may be on another machine without a password.
    pub dangerously_unprotected: bool,
}

/// A TURN server, for clients whose network lets nothing else through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// Where clients find it, as `turn:host:port?transport=udp`; empty: there is none.
    pub urls: Vec<String>,
    /// The file with the secret that it shares with the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level, or `tracing` directives.
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), HTTP_PORT),
            media_port: MEDIA_PORT,
            workers: 0,
            announce: Vec::new(),
            allowed_origins: Vec::new(),
            open: false,
            tls_cert: None,
            tls_key: None,
            data_dir: None,
            node: None,
            cluster_secret_file: None,
            link_listen: None,
            drain_seconds: 30,
            trusted_proxies: Vec::new(),
            kafka: Kafka::default(),
            redis: Redis::default(),
            turn: Turn::default(),
            log: Log::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Config {
    /// Whether other machines can reach the HTTP port.
    pub fn beyond_loopback(&self) -> bool {
        !self.listen.ip().is_loopback()
    }

    /// Whether HTTP is served over TLS, to all but the trusted proxies.
    pub fn tls(&self) -> bool {
        self.beyond_loopback() || self.tls_cert.is_some()
    }

    /// How many media threads to start.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => usize::from(workers),
        }
    }

    /// Checks what no single key can tell.
    fn check(&self) -> Result<(), ConfigError> {
        if self.beyond_loopback() && !self.open {
            return Err(ConfigError::new(
                "listen",
                &self.listen,
                "a loopback address, or add --open: other machines can reach this one, and there are no tokens yet, \
                 so that anybody who knows or guesses the name of a room may join it, through a proxy in front or past it",
            ));
        }
        if let Some(range) = self.trusted_proxies.iter().find(|range| range.is_everybody()) {
            return Err(ConfigError::new(
                "trusted_proxies",
                range,
                "addresses and ranges where nobody but proxies is: everybody there may name any address as his own and \
                 speaks plain HTTP",
            ));
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), None) => {
                return Err(ConfigError::new("tls_cert", &cert.display(), "together with tls_key only"));
            }
            (None, Some(key)) => {
                return Err(ConfigError::new("tls_key", &key.display(), "together with tls_cert only"));
            }
            _ => {}
        }
        if self.media_port != 0 && usize::from(self.media_port) + self.worker_count() > 1 << 16 {
            let allowed =
                format!("0, or at most {} with {} workers", (1 << 16) - self.worker_count(), self.worker_count());
            return Err(ConfigError::new("media_port", &self.media_port, allowed));
        }
        if let Some(address) = self.announce.iter().find(|address| address.is_unspecified() || address.is_multicast()) {
            return Err(ConfigError::new("announce", address, "addresses that a client can send to"));
        }
        for origin in &self.allowed_origins {
            if !crate::origins::is_origin(origin) {
                let allowed = "origins as browsers send them: scheme://host or scheme://host:port, lower case, no slash at the end";
                return Err(ConfigError::new("allowed_origins", origin, allowed));
            }
        }
        for broker in &self.kafka.brokers {
            let Some(host) = host_of(broker) else {
                return Err(ConfigError::new("kafka.brokers", broker, "addresses with a port, such as 127.0.0.1:9092"));
            };
            if !is_loopback(host) && !self.kafka.dangerously_unprotected {
                return Err(ConfigError::new(
                    "kafka.brokers",
                    broker,
                    "addresses of this machine, or add --kafka-dangerously-unprotected: Hyperion speaks to Kafka without \
                     encryption and without a password yet, so that anybody on the way, and anybody who reaches that \
                     Kafka, can read and change every room",
                ));
            }
        }
        self.check_turn()?;
        self.check_cluster()?;
        if let Some(word) = self.log.level.split(',').find(|directive| !names_a_level(directive)) {
            return Err(ConfigError::new("log.level", &self.log.level, format!("{LEVELS} ('{word}' is no level)")));
        }
        if let Err(error) = self.log.level.parse::<EnvFilter>() {
            return Err(ConfigError::new("log.level", &self.log.level, format!("{LEVELS} ({error})")));
        }
        Ok(())
    }
}

impl Config {
    /// Whether this is a node beside others.
    pub fn clustered(&self) -> bool {
        self.redis.url.is_some()
    }

    /// The node's name; a single node needs none.
    pub fn node_name(&self) -> anyhow::Result<NodeId> {
        self.node.clone().map_or_else(|| "single".parse().context("the node's name"), Ok)
    }

    fn check_turn(&self) -> Result<(), ConfigError> {
        if let Some(url) = self.turn.urls.iter().find(|url| !is_turn_url(url)) {
            let allowed = "addresses such as turn:turn.example.org:3478?transport=udp or turns:turn.example.org:443?transport=tcp";
            return Err(ConfigError::new("turn.urls", url, allowed));
        }
        match (&self.turn.urls[..], &self.turn.secret_file) {
            ([url, ..], None) => Err(ConfigError::new("turn.urls", url, "together with turn.secret_file only")),
            ([], Some(file)) => {
                Err(ConfigError::new("turn.secret_file", &file.display(), "together with turn.urls only"))
            }
            _ => Ok(()),
        }
    }

    /// A node has to have what makes several of them one system.
    fn check_cluster(&self) -> Result<(), ConfigError> {
        if let Some(address) = self.link_listen {
            let refused = |allowed| Err(ConfigError::new("link_listen", &address, allowed));
            if !self.clustered() {
                return refused("an address beside redis.url only: a node without others has none to be linked to");
            }
            if address.ip().is_unspecified() || address.ip().is_multicast() {
                return refused(
                    "the address of this machine at which the other nodes reach it: it is what they are told",
                );
            }
        }
        let Some(url) = &self.redis.url else { return Ok(()) };
        let shown = url.rsplit('@').next().unwrap_or_default();
        let allowed = "redis://host:port or redis://user:password@host:port";
        let rest = url.strip_prefix("redis://").ok_or_else(|| ConfigError::new("redis.url", &shown, allowed))?;
        let (login, address) = rest.rsplit_once('@').map_or((None, rest), |(login, address)| (Some(login), address));
        let address = address.split('/').next().unwrap_or_default();
        let host = host_of(address).ok_or_else(|| ConfigError::new("redis.url", &shown, allowed))?;
        let has_password = login.is_some_and(|login| login.split_once(':').is_some_and(|(_, word)| !word.is_empty()));
        if !is_loopback(host) && !has_password && !self.redis.dangerously_unprotected {
            return Err(ConfigError::new(
                "redis.url",
                &shown,
                "an address of this machine, or one with a password, or add --redis-dangerously-unprotected: anybody who \
                 reaches a Redis without a password can send people to nodes of his own",
            ));
        }
        let secret = "--cluster-secret-file FILE (openssl rand -hex 32 makes one)";
        let needs = |key, what: &str| {
            let all = format!("{what}. A node of a cluster has --redis, --kafka HOST:PORT, --node NAME and {secret}");
            Err(ConfigError::new(key, &"nothing", all))
        };
        if self.kafka.brokers.is_empty() {
            return needs("kafka.brokers", "an address, beside redis.url: nodes share their rooms through Kafka");
        }
        if self.node.is_none() {
            return needs("node", "a name that no other node has, such as node-1, beside redis.url");
        }
        if self.cluster_secret_file.is_none() {
            return needs("cluster_secret_file", "a file with the secret that all nodes share, beside redis.url");
        }
        Ok(())
    }
}

/// The host of `host:port`, in brackets if it is an IPv6 address.
fn host_of(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|port| *port != 0)?;
    let is_name = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    };
    (is_name(host) || ipv6(host).is_some()).then_some(host)
}

fn ipv6(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6)
}

fn is_loopback(host: &str) -> bool {
    let address = ipv6(host).or_else(|| host.parse().ok());
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// Whether a directive says how much to log. [`EnvFilter`] takes any other word as the name of a module, to be logged
/// in full: a misspelled level would log nothing.
fn names_a_level(directive: &str) -> bool {
    directive.contains(['=', '[']) || directive.parse::<LevelFilter>().is_ok()
}
