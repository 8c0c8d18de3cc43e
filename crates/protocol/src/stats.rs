//! What the server knows of a transport and of everything on it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::rtp::MediaKind;
use crate::transport::IceProtocol;
use crate::{ConsumerId, ProducerId, TransportId};

/// One transport, counted since it was made. Bitrates are of about the last second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TransportStats {
    /// Which.
    pub transport_id: TransportId,
    /// Whether ICE and DTLS are through.
    pub connected: bool,
    /// What it goes by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub protocol: Option<IceProtocol>,
    /// SRTP and SRTCP packets received.
    #[ts(type = "number")]
    pub packets_received: u64,
    /// Bytes of those.
    #[ts(type = "number")]
    pub bytes_received: u64,
    /// SRTP packets sent, retransmissions included.
    #[ts(type = "number")]
    pub packets_sent: u64,
    /// Bytes of those.
    #[ts(type = "number")]
    pub bytes_sent: u64,
    /// In ms, once something told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub round_trip_time: Option<f64>,
    /// What its path is thought to carry to the client, in bit/s; known while video is received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub available_outgoing_bitrate: Option<u64>,
    /// What the client publishes on it.
    pub producers: Vec<ProducerStats>,
    /// What the client receives on it.
    pub consumers: Vec<ConsumerStats>,
}

/// One producer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProducerStats {
    /// Which.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Muted.
    pub paused: bool,
    /// How well its best layer arrives.
    pub score: u8,
    /// Its layers, the lowest first.
    pub streams: Vec<StreamStats>,
}

/// One incoming stream: a producer's only one, or a layer of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StreamStats {
    /// Known from the first packet on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ssrc: Option<u32>,
    /// The encoding's, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rid: Option<String>,
    /// From 0, nothing comes, to 10, nothing is lost.
    pub score: u8,
    /// In bit/s.
    #[ts(type = "number")]
    pub bitrate: u64,
    /// Packets received, retransmissions not counted.
    #[ts(type = "number")]
    pub packets_received: u64,
    /// Packets that the network lost.
    #[ts(type = "number")]
    pub packets_lost: u64,
    /// Of those, sent again and received.
    #[ts(type = "number")]
    pub packets_repaired: u64,
    /// Interarrival jitter (RFC 3550 6.4.1), in ms.
    pub jitter: f64,
    /// Packets that the server asked for again.
    #[ts(type = "number")]
    pub nack_count: u64,
    /// Keyframes that the server asked for.
    #[ts(type = "number")]
    pub pli_count: u64,
}

/// One consumer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStats {
    /// Which.
    pub consumer_id: ConsumerId,
    /// What it receives.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// By its client.
    pub paused: bool,
    /// How well it arrives, from 0 to 10: nothing is lost.
    pub score: u8,
    /// How well what it receives comes to the server, from 0, nothing comes, to 10.
    pub producer_score: u8,
    /// The layer that it gets, 0 the lowest; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub spatial_layer: Option<u8>,
    /// In bit/s.
    #[ts(type = "number")]
    pub bitrate: u64,
    /// Packets sent, retransmissions not counted.
    #[ts(type = "number")]
    pub packets_sent: u64,
    /// Packets sent again.
    #[ts(type = "number")]
    pub packets_retransmitted: u64,
    /// Packets that the receiver says it lost.
    #[ts(type = "number")]
    pub packets_lost: u64,
    /// Interarrival jitter that the receiver tells, in ms.
    pub jitter: f64,
    /// Packets that the receiver asked for again.
    #[ts(type = "number")]
    pub nack_count: u64,
    /// Keyframes that the receiver asked for.
    #[ts(type = "number")]
    pub pli_count: u64,
    /// Skips to a keyframe because the path was too slow.
    #[ts(type = "number")]
    pub skip_count: u64,
}
