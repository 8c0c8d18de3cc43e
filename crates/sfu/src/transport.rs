//! A WebRTC transport: one client's ICE, DTLS and SRTP, and what it publishes and receives.

use std::time::{Duration, Instant};

use protocol::TransportId;
use rustc_hash::FxHashMap;

use crate::burst::Egress;
use crate::clock::SenderClock;
use crate::consumer_list::ConsumerList;
use crate::dtls::DtlsServer;
use crate::ice::IceLite;
use crate::keys::{ConsumerKey, ProducerKey, StreamKey};
use crate::srtp::OpenKeys;
use crate::twcc::Arrivals;
use crate::worker::{RouterId, TransportData};

/// What is taken for the round trip of a transport until something told.
const ROUND_TRIP_GUESS: Duration = Duration::from_millis(100);

/// What an SSRC from the client carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) stream: StreamKey,
    pub(crate) is_rtx: bool,
}

/// The server's end of one client's transport.
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    pub(crate) router: RouterId,
    // Boxed, as they are large and no packet of media looks at them.
    pub(crate) ice: Box<IceLite>,
    pub(crate) dtls: Box<DtlsServer>,
    /// Both are there once DTLS is through.
    pub(crate) open: Option<OpenKeys>,
    pub(crate) egress: Option<Egress>,
    /// Streams from the client by SSRC, retransmission streams included.
    pub(crate) incoming: FxHashMap<u32, Incoming>,
    pub(crate) producers: Vec<ProducerKey>,
    pub(crate) consumers: ConsumerList,
    /// Consumers by the SSRC of their media.
    pub(crate) consumer_ssrcs: FxHashMap<u32, ConsumerKey>,
    /// The client's clock. A client has one CNAME per transport.
    pub(crate) sender_clock: SenderClock,
    /// Arrivals of packets with transport-wide sequence numbers, from the first on, and the SSRC of the newest.
    pub(crate) arrivals: Option<Box<Arrivals>>,
    pub(crate) arrivals_ssrc: u32,
    /// SRTP and SRTCP packets from the client, and their bytes.
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
    /// A packet from the client came, of so many bytes.
    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.packets_received += 1;
        self.bytes_received += bytes as u64;
    }

    /// The round trip to the client, or a guess.
    pub(crate) fn rtt(&self) -> Duration {
        self.round_trip.unwrap_or(ROUND_TRIP_GUESS)
    }
}
