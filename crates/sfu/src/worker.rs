//! A worker: everything that one thread carries. Sans-IO: it is told the time and given datagrams.
//!
//! `control` holds the calls that make and change things, `ingress` takes datagrams in, `feedback` acts on
//! RTCP, `data` carries data channels, `layers` chooses what each consumer gets, `sharing` how much of its path,
//! `paths` where its packets go, `pipes` other workers, `gather` lets frames become complete under load, `fan_out` holds what waits to be
//! sent, `egress` writes what is due, `reports` does what time brings, `speakers` tells who speaks, `stats` how everything is doing,
//! `succession` has a producer's next source take over when it comes.

mod control;
mod data;
mod egress;
mod fan_out;
mod feedback;
mod gather;
mod ingress;
mod layers;
mod paths;
mod pipes;
mod reports;
mod sharing;
mod speakers;
mod stats;
mod succession;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sctp::DataConsumerCloseReason;
use protocol::{ConsumerId, DataConsumerId, DataProducerId, ProducerId, TransportId};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use rustc_hash::{FxHashMap, FxHashSet};
use slab::Slab;

pub(crate) use data::TransportData;
pub use data::{ConsumeDataError, DataConsumption, ProduceDataError};

pub use stats::{ESTIMATE_KBPS, ROUND_TRIP_MS, Survey};

pub use pipes::OpenPipeError;

pub use control::{ConnectError, ConsumeError, CreateTransportError, NotFound, ProduceError, RouterError};

use crate::bwe::Share;
use crate::clock::WorkerClock;
use crate::consumer::Consumer;
use crate::control_queue::ControlQueue;
use crate::dtls::MESSAGE_BYTES_MAX;
use crate::ice::Pair;
use crate::keys::{ConsumerKey, ProducerKey, TransportKey};
use crate::producer::Producer;
use crate::stream::Stream;
use crate::timers::Timers;
use crate::transmit::Lane;
use crate::transport::Transport;

/// Most events that wait to be polled; audio levels beyond that are dropped.
const EVENTS_MAX: usize = 4096;

/// A router on its worker: one room's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(pub u64);

/// An address of a worker, for UDP and TCP alike, and where clients are told to find it.
#[derive(Debug, Clone)]
pub struct ListenAddr {
    /// The concrete address that the sockets are bound to, never a wildcard.
    pub local: SocketAddr,
    /// Addresses to put into candidates instead of the local one, where the machine is behind NAT.
    pub announced: Vec<IpAddr>,
}

/// What a worker is made with.
#[derive(Clone)]
pub struct WorkerConfig {
    /// Its addresses, from which each [`SocketIndex`](crate::transmit::SocketIndex) follows.
    pub listen: Vec<ListenAddr>,
    /// The DTLS identity, one per process.
    pub identity: Arc<crate::dtls::Identity>,
    /// Seeds everything random: ufrags, passwords, SSRCs, first sequence numbers.
    pub seed: [u8; 32],
    /// Wall-clock time since the Unix epoch at `now`, for NTP timestamps in sender reports.
    pub unix_time: Duration,
}

/// What a worker has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// ICE and DTLS are through.
    TransportConnected {
        /// Which.
        transport: TransportId,
    },
    /// No consent for 30 s, the peer closed DTLS, or the worker at the other end of a local pipe is gone or opened
    /// another: it is gone with all that was on it.
    TransportClosed {
        /// Which.
        transport: TransportId,
    },
    /// A consumer ended because its producer did.
    ConsumerClosed {
        /// The transport it was on.
        transport: TransportId,
        /// Which.
        consumer: ConsumerId,
        /// What it was of.
        producer: ProducerId,
    },
    /// A consumer of a producer with several layers now gets this one, 0 the lowest.
    ConsumerLayer {
        /// The transport it is on.
        transport: TransportId,
        /// Which.
        consumer: ConsumerId,
        /// What it gets.
        layer: u8,
    },
    /// How well a consumer's packets arrive changed, or how well its producer's do.
    ConsumerScore {
        /// The transport it is on.
        transport: TransportId,
        /// Which.
        consumer: ConsumerId,
        /// At its receiver: from 0 to 10, nothing is lost.
        score: u8,
        /// At the server: from 0, nothing comes, to 10.
        producer_score: u8,
    },
    /// Layers above this one nobody wants; the publisher may stop them until it is told otherwise.
    ProducerLayer {
        /// The transport that feeds it.
        transport: TransportId,
        /// Which.
        producer: ProducerId,
        /// The highest layer that is wanted, 0 the lowest.
        layer: u8,
    },
    /// So many layers of a producer that another worker feeds are wanted here, the lowest first; 0: nobody does.
    PipeLayers {
        /// The pipe that feeds it.
        pipe: TransportId,
        /// Which router it is on.
        router: RouterId,
        /// Which.
        producer: ProducerId,
        /// How many.
        layers: u8,
    },
    /// A data producer ended because its client closed the channel, or its transport or association ended.
    DataProducerClosed {
        /// Which router it was on.
        router: RouterId,
        /// Which.
        data_producer: DataProducerId,
    },
    /// A data consumer ended, not by a call.
    DataConsumerClosed {
        /// The transport it was on.
        transport: TransportId,
        /// Which.
        data_consumer: DataConsumerId,
        /// Why.
        reason: DataConsumerCloseReason,
    },
    /// Somebody else than before speaks most.
    ActiveSpeaker {
        /// Which router.
        router: RouterId,
        /// Their microphone.
        producer: ProducerId,
    },
    /// How loud the producers of a router are, loudest first: at once when somebody begins to speak, and two or three
    /// times a second while anybody speaks.
    AudioLevels {
        /// Which router.
        router: RouterId,
        /// In dBov, 0 the loudest, -127 silence.
        levels: Vec<(ProducerId, i8)>,
    },
}

/// Counters since the worker's start, and how much of everything it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Held now.
    pub routers: usize,
    /// Held now.
    pub transports: usize,
    /// Held now.
    pub producers: usize,
    /// Held now.
    pub consumers: usize,
    /// Held now.
    pub data_producers: usize,
    /// Held now.
    pub data_consumers: usize,
    /// Deadlines of transports that wait, those included that an earlier one superseded.
    pub timers: usize,
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Media packets and retransmissions sent.
    pub packets_out: u64,
    /// Bytes of those.
    pub bytes_out: u64,
    /// STUN checks answered.
    pub stun_answered: u64,
    /// STUN messages dropped: unknown ufrag, wrong integrity, malformed.
    pub stun_dropped: u64,
    /// Datagrams from addresses that no STUN check validated, or of no known kind, and what comes over a lane for no
    /// pipe.
    pub unknown_dropped: u64,
    /// SRTP and SRTCP packets that failed authentication or were malformed.
    pub srtp_failed: u64,
    /// SRTP and SRTCP packets that were replayed or too old.
    pub srtp_replayed: u64,
    /// RTP packets whose SSRC or payload type nobody announced.
    pub rtp_unannounced: u64,
    /// RTP packets that had come already, by retransmission or the other way round.
    pub rtp_duplicate: u64,
    /// RTP packets accepted from publishers.
    pub rtp_in: u64,
    /// Of those, recovered by retransmission.
    pub rtp_recovered: u64,
    /// Packet numbers that we asked publishers for again.
    pub nacks_out: u64,
    /// Packet numbers that receivers asked us for again.
    pub nacks_in: u64,
    /// Of those, sent again.
    pub retransmitted: u64,
    /// Not sent again: gone from the ring, or the share of the path that retransmissions have was used up.
    pub retransmissions_refused: u64,
    /// How often a consumer skipped to a keyframe because its path is too slow, or the ring was overwritten.
    pub skipped: u64,
    /// Packets of padding sent to find out what paths carry.
    pub probes_out: u64,
    /// Keyframe requests sent to publishers.
    pub keyframe_requests_out: u64,
    /// Keyframe requests of receivers.
    pub keyframe_requests_in: u64,
    /// Messages of data producers received.
    pub data_messages_in: u64,
    /// Bytes of those.
    pub data_bytes_in: u64,
    /// Messages taken for data consumers.
    pub data_messages_out: u64,
    /// Bytes of those.
    pub data_bytes_out: u64,
    /// Messages that unreliable data consumers did not get because too much was on its way to them.
    pub data_messages_dropped: u64,
    /// Reliable data consumers that ended because of that.
    pub data_consumers_overrun: u64,
    /// Messages on streams that no data producer is for, or of a kind that channels do not have.
    pub data_messages_unannounced: u64,
    /// STUN, DTLS and RTCP datagrams dropped because their queue was full.
    pub control_dropped: u64,
    /// Audio level and layer events dropped because nobody polled.
    pub events_dropped: u64,
}

#[derive(Default)]
struct Router {
    transports: FxHashSet<TransportKey>,
    producers: FxHashMap<ProducerId, ProducerKey>,
    /// When levels were told last, or there were none to tell.
    levels_told: Option<Instant>,
    /// Who spoke most so far.
    speaker: Option<ProducerId>,
}

/// The media of many rooms on one thread.
pub struct Worker {
    config: WorkerConfig,
    clock: WorkerClock,
    rng: ChaCha12Rng,
    routers: FxHashMap<RouterId, Router>,
    transports: Slab<Transport>,
    producers: Slab<Producer>,
    consumers: Slab<Consumer>,
    streams: Slab<Stream>,
    transport_ids: FxHashMap<TransportId, TransportKey>,
    consumer_ids: FxHashMap<ConsumerId, ConsumerKey>,
    /// How many consumers were made.
    consumers_made: u64,
    /// Validated address pairs.
    pairs: FxHashMap<Pair, TransportKey>,
    /// Pipes to other workers of the process. Apart from the pairs, so that nothing of a network is taken for theirs.
    lanes: FxHashMap<Lane, TransportKey>,
    ufrags: FxHashMap<String, TransportKey>,
    timers: Timers,
    levels_at: Instant,
    control: ControlQueue,
    fan_out: fan_out::FanOut,
    gathering: gather::Gathering,
    data: data::DataChannels,
    events: VecDeque<Event>,
    stats: WorkerStats,
    /// Room for the shares of one transport.
    shares: Vec<Share>,
    /// Room for one message of DTLS, RTCP compound or STUN reply.
    scratch: Box<[u8; MESSAGE_BYTES_MAX]>,
}

impl Worker {
    /// A worker that holds nothing yet.
    pub fn new(config: WorkerConfig, now: Instant) -> Self {
        Self {
            clock: WorkerClock::new(now, config.unix_time),
            rng: ChaCha12Rng::from_seed(config.seed),
            config,
            routers: FxHashMap::default(),
            transports: Slab::new(),
            producers: Slab::new(),
            consumers: Slab::new(),
            streams: Slab::new(),
            transport_ids: FxHashMap::default(),
            consumer_ids: FxHashMap::default(),
            consumers_made: 0,
            pairs: FxHashMap::default(),
            lanes: FxHashMap::default(),
            ufrags: FxHashMap::default(),
            timers: Timers::default(),
            levels_at: now,
            control: ControlQueue::default(),
            fan_out: fan_out::FanOut::default(),
            gathering: gather::Gathering::default(),
            data: data::DataChannels::default(),
            events: VecDeque::with_capacity(EVENTS_MAX),
            stats: WorkerStats::default(),
            shares: Vec::new(),
            scratch: Box::new([0; MESSAGE_BYTES_MAX]),
        }
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Worker::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.transports.is_empty() {
            return None;
        }
        let paced = [self.fan_out.tick(), self.gathering.poll_timeout()].into_iter().flatten().min();
        let paced = paced.map(|at| self.clock.instant(at));
        let next = [self.timers.next(), self.data.poll_timeout(), paced, Some(self.levels_at)];
        next.into_iter().flatten().min()
    }

    /// How many transports it holds.
    pub fn transports(&self) -> usize {
        self.transports.len()
    }

    /// Counters and how much it holds. It looks at every transport.
    pub fn stats(&self) -> WorkerStats {
        let sent = self.transports.iter().filter_map(|(_, t)| t.egress.as_ref());
        let (packets, bytes) = sent.fold((0, 0), |(p, b), egress| (p + egress.packets, b + egress.bytes));
        WorkerStats {
            routers: self.routers.len(),
            transports: self.transports.len(),
            producers: self.producers.len(),
            consumers: self.consumers.len(),
            data_producers: self.data.producers(),
            data_consumers: self.data.consumers(),
            timers: self.timers.len(),
            packets_out: self.stats.packets_out + packets,
            bytes_out: self.stats.bytes_out + bytes,
            control_dropped: self.control.dropped(),
            ..self.stats
        }
    }

    fn emit(&mut self, event: Event) {
        // Everything else is bounded by the number of transports and consumers there ever were, or waits for room.
        let may_wait =
            matches!(event, Event::AudioLevels { .. } | Event::ConsumerLayer { .. } | Event::ConsumerScore { .. });
        if may_wait && self.events.len() >= EVENTS_MAX {
            self.stats.events_dropped += 1;
            return;
        }
        self.events.push_back(event);
    }

    /// Makes sure that the transport's timer fires no later than `at`.
    fn schedule(&mut self, key: TransportKey, at: Instant) {
        if let Some(transport) = self.transports.get_mut(key.0) {
            transport.timer = Some(self.timers.set(key, transport.timer, at));
        }
    }
}
