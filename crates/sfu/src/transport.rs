//! A transport: a client's way to the worker, by ICE, DTLS and SRTP, or another worker's, and what goes over it.

use std::time::{Duration, Instant};

use protocol::TransportId;
use rand::Rng;
use rand_chacha::ChaCha12Rng;
use rustc_hash::FxHashMap;

use crate::bandwidth::PROBATOR_SSRC;
use crate::burst::Egress;
use crate::clock::SenderClock;
use crate::consumer_list::ConsumerList;
use crate::dtls::DtlsServer;
use crate::ice::{IceLite, Pair};
use crate::keys::{ConsumerKey, ProducerKey, StreamKey};
use crate::srtp::OpenKeys;
use crate::transmit::Path;
use crate::twcc::Arrivals;
use crate::worker::{RouterId, TransportData};

/// What is taken for the round trip of a transport until something told.
const ROUND_TRIP_GUESS: Duration = Duration::from_millis(100);

/// From one consumer's SSRC to the next. It is odd, so every number comes up before one comes again.
const SSRC_STEP: u32 = 0x9E37_79B9;

/// What an SSRC from the peer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) stream: StreamKey,
    pub(crate) is_rtx: bool,
}

/// How a client proves where it is, and comes to the keys.
pub(crate) struct Client {
    pub(crate) ice: IceLite,
    pub(crate) dtls: DtlsServer,
}

/// Who is at the other end.
pub(crate) enum Peer {
    // Boxed, as it is large and no packet of media looks at it.
    Client(Box<Client>),
    /// Another worker. Path and keys were agreed elsewhere.
    Pipe(Path),
}

/// The server's end of one transport.
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    /// A client is on one router; a pipe carries streams of all.
    pub(crate) router: Option<RouterId>,
    pub(crate) peer: Peer,
    /// Both are there once DTLS is through.
    pub(crate) open: Option<OpenKeys>,
    pub(crate) egress: Option<Egress>,
    /// Streams from the peer by SSRC, retransmission streams included.
    pub(crate) incoming: FxHashMap<u32, Incoming>,
    pub(crate) producers: Vec<ProducerKey>,
    /// The streams from the peer that lack packets, or a keyframe that somebody waits for. A pipe may have many others.
    pub(crate) lacking: Vec<StreamKey>,
    pub(crate) consumers: ConsumerList,
    /// Consumers by the SSRC of their media.
    pub(crate) consumer_ssrcs: FxHashMap<u32, ConsumerKey>,
    /// The peer's clock. A client has one CNAME per transport; a pipe's times are all of its worker's clock.
    pub(crate) sender_clock: SenderClock,
    /// Arrivals of packets with transport-wide sequence numbers, from the first on, and the SSRC of the newest.
    pub(crate) arrivals: Option<Box<Arrivals>>,
    pub(crate) arrivals_ssrc: u32,
    /// SRTP and SRTCP packets from the peer, and their bytes.
    pub(crate) packets_received: u64,
    pub(crate) bytes_received: u64,
    /// When the first DTLS datagram came.
    pub(crate) handshake_began: Option<Instant>,
    /// From the newest receiver report; before the first, how long DTLS took.
    pub(crate) round_trip: Option<Duration>,
    /// The number of the consumer from which on its client is still to be told again how they do.
    pub(crate) tell_from: Option<u64>,
    /// The SSRC that feedback and receiver reports come from.
    pub(crate) rtcp_ssrc: u32,
    /// When the next sender and receiver reports are due.
    pub(crate) reports_at: Instant,
    /// The valid deadline in the worker's timers.
    pub(crate) timer: Option<Instant>,
    pub(crate) next_mid: u32,
    /// The SSRC that a consumer gets next. None is used twice in the life of the transport's keys.
    pub(crate) next_ssrc: u32,
    /// Its data channels, if its client asked for them.
    pub(crate) data: Option<Box<TransportData>>,
}

impl Transport {
    /// One over which nothing went yet.
    pub(crate) fn new(
        now: Instant,
        id: TransportId,
        router: Option<RouterId>,
        peer: Peer,
        rng: &mut ChaCha12Rng,
    ) -> Self {
        Self {
            id,
            router,
            peer,
            open: None,
            egress: None,
            incoming: FxHashMap::default(),
            producers: Vec::new(),
            lacking: Vec::new(),
            consumers: ConsumerList::default(),
            consumer_ssrcs: FxHashMap::default(),
            tell_from: None,
            sender_clock: SenderClock::default(),
            arrivals: None,
            arrivals_ssrc: 0,
            packets_received: 0,
            bytes_received: 0,
            handshake_began: None,
            round_trip: None,
            rtcp_ssrc: rng.random_range(1..u32::MAX),
            reports_at: now,
            timer: None,
            next_mid: 0,
            next_ssrc: rng.random(),
            data: None,
        }
    }

    pub(crate) fn is_pipe(&self) -> bool {
        matches!(self.peer, Peer::Pipe(_))
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        match &self.peer {
            Peer::Client(client) => Some(client),
            Peer::Pipe(_) => None,
        }
    }

    pub(crate) fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.peer {
            Peer::Client(client) => Some(client),
            Peer::Pipe(_) => None,
        }
    }

    /// Where to send.
    pub(crate) fn path(&self) -> Option<Path> {
        match &self.peer {
            Peer::Client(client) => client.ice.selected().map(Path::Pair),
            Peer::Pipe(path) => Some(*path),
        }
    }

    /// All the pairs of addresses that its packets may come by.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = Pair> {
        let fixed = match &self.peer {
            Peer::Pipe(Path::Pair(pair)) => Some(*pair),
            Peer::Pipe(Path::Lane(_)) | Peer::Client(_) => None,
        };
        self.client().into_iter().flat_map(|client| client.ice.pairs()).chain(fixed)
    }

    /// An SSRC that no consumer of it had before.
    pub(crate) fn fresh_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.next_ssrc;
            self.next_ssrc = ssrc.wrapping_add(SSRC_STEP);
            if ssrc != 0 && ssrc != PROBATOR_SSRC {
                return ssrc;
            }
        }
    }

    /// Has the timer look at a stream that lacks something; `lacking` is the stream's own.
    pub(crate) fn look_at(&mut self, stream: StreamKey, lacking: &mut bool) {
        if !std::mem::replace(lacking, true) {
            self.lacking.push(stream);
        }
    }

    /// A packet from the peer came, of so many bytes.
    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.packets_received += 1;
        self.bytes_received += bytes as u64;
    }

    /// The round trip to the peer, or a guess.
    pub(crate) fn rtt(&self) -> Duration {
        self.round_trip.unwrap_or(ROUND_TRIP_GUESS)
    }
}
