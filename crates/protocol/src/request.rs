//! Requests: Socket.IO events with an acknowledgement.
//!
//! Every request is an event whose one argument is `{n, data}`. `n` is counted by the client from 1 up over
//! the whole session, reconnects included, so that repeating a request is always safe. The acknowledgement is
//! [`Ack`]: `{ok: true, data}` or `{ok: false, error}`.

use std::borrow::Cow;
use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::error::{ErrorBody, ErrorCode};
use crate::roles::Moderation;
use crate::rtp::{MediaKind, RtpCapabilities, RtpParameters};
use crate::sctp::SctpStreamParameters;
use crate::signal::Signal;
use crate::snapshot::RoomSnapshot;
use crate::stats::TransportStats;
use crate::transport::{DtlsParameters, IceParameters, TransportOptions};
use crate::{ConsumerId, DataConsumerId, DataProducerId, NodeId, ParticipantId, ProducerId, Source, TransportId};

/// `POST /api/v1/rooms/{room}/join`: where to go and what to bring.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinPlace {
    /// A token of an earlier stay in this room: come back as the same participant (reload).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub resume_token: Option<String>,
    /// Nodes that did not answer this client a moment ago; another is chosen if there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<NodeId>>")]
    pub avoid: Vec<NodeId>,
}

/// The answer to [`JoinPlace`].
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct JoinPlaceReply {
    /// The node to use.
    pub node: NodeId,
    /// Its Socket.IO path, to be resolved against the page's origin.
    pub path: String,
    /// For the Socket.IO CONNECT auth; valid for a short time, for this room.
    pub token: String,
    /// For `Device.load`.
    pub router_rtp_capabilities: Cow<'static, RtpCapabilities>,
    /// For both transports.
    pub ice_servers: Vec<IceServer>,
}

/// `POST /api/v1/rooms/{room}/resume`: where to come back to a session whose node does not answer.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumePlace {
    /// The newest session token. It is not used up by this.
    pub token: String,
    /// Nodes that did not answer this client a moment ago; another is chosen if there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<NodeId>>")]
    pub avoid: Vec<NodeId>,
}

/// The answer to [`ResumePlace`]. The token stays the session's.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ResumePlaceReply {
    /// The node to use; the session's own as long as it lives.
    pub node: NodeId,
    /// Its Socket.IO path, to be resolved against the page's origin.
    pub path: String,
    /// For transports that the `welcome` brings.
    pub ice_servers: Vec<IceServer>,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IceServer {
    /// `turn:…`, `stun:…`.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub credential: Option<String>,
}

/// The auth payload of the Socket.IO CONNECT packet. Exactly one of `join` and `resume` is there. The answer
/// is the event `welcome` with an [`Ack`] of [`Welcome`]; after a refusal the server closes the socket.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ConnectAuth {
    /// From [`JoinPlaceReply`], or the session token of [`Welcome`] when resuming.
    pub token: String,
    /// Enter the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub join: Option<Join>,
    /// Come back to a session whose socket broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub resume: Option<Resume>,
}

/// Enter the room.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Join {
    /// What others read on the tile; trimmed, 1 byte to `name_bytes_max`.
    pub name: String,
    /// What this client can receive: `device.recvRtpCapabilities`.
    pub rtp_capabilities: RtpCapabilities,
    /// Whether the transports shall carry data channels.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub enable_sctp: bool,
}

/// Come back to a session whose socket broke. On the node where it was, transports, producers and consumers are as
/// they were; on another the `welcome` brings new transports, and everything is published and consumed again.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resume {
    /// The highest room sequence number seen.
    #[ts(type = "number")]
    pub seq: u64,
    /// As in [`Join`], for a node that does not know this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rtp_capabilities: Option<RtpCapabilities>,
    /// As in [`Join`].
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub enable_sctp: bool,
}

/// The answer to `join` and `resume`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// Who this client is.
    pub participant_id: ParticipantId,
    /// For [`ConnectAuth::token`] of a resume, and for [`JoinPlace::resume_token`] after a reload. Each use
    /// makes a new one and ends the old.
    pub session_token: String,
    /// The room as it is now, this client included.
    pub room: RoomSnapshot,
    /// A transport for `createSendTransport`; absent after a resume that kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub send_transport: Option<TransportOptions>,
    /// A transport for `createRecvTransport`; absent after a resume that kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub recv_transport: Option<TransportOptions>,
}

/// The argument of the event `waiting`, in place of the `welcome`, where a host has to let this client in first. The
/// `welcome` follows by the same socket when one does.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Who this client is, and will be.
    pub participant_id: ParticipantId,
    /// As [`Welcome::session_token`].
    pub session_token: String,
}

/// Every request after the welcome. The variant's name in camelCase is the event's name.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(tag = "event", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// Leave for good.
    Leave {},
    /// Replace a transport that failed; the old one of that direction is closed with all on it.
    CreateWebRtcTransport {
        /// `send` or `recv`, from the client's point of view.
        direction: Direction,
    },
    /// Give the client's DTLS parameters, from the transport's `connect` event.
    ConnectWebRtcTransport {
        /// Which transport.
        transport_id: TransportId,
        /// The client's role and certificate hashes.
        dtls_parameters: DtlsParameters,
    },
    /// New ICE credentials after a change of network.
    RestartIce {
        /// Which transport.
        transport_id: TransportId,
    },
    /// Publish, from the transport's `produce` event. A source that is published already is replaced, and
    /// its consumers go on.
    Produce {
        /// The send transport.
        transport_id: TransportId,
        /// What is published.
        source: Source,
        /// Must fit the source.
        kind: MediaKind,
        /// As `mediasoup-client` gives them.
        rtp_parameters: RtpParameters,
        /// Start muted.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        paused: bool,
    },
    /// Mute.
    PauseProducer {
        /// One of this participant's.
        producer_id: ProducerId,
    },
    /// Unmute.
    ResumeProducer {
        /// One of this participant's.
        producer_id: ProducerId,
    },
    /// Stop publishing.
    CloseProducer {
        /// One of this participant's.
        producer_id: ProducerId,
    },
    /// Receive producers, many at once. Each consumer starts paused.
    Consume {
        /// The recv transport.
        transport_id: TransportId,
        /// At most 100.
        producer_ids: Vec<ProducerId>,
    },
    /// Let media flow; send it after `transport.consume()` resolved, before waiting for `play()`.
    ResumeConsumer {
        /// One of this participant's.
        consumer_id: ConsumerId,
    },
    /// Stop media for now.
    PauseConsumer {
        /// One of this participant's.
        consumer_id: ConsumerId,
    },
    /// Of a producer with several layers, receive this one or, while it does not come, a lower one.
    SetPreferredLayers {
        /// One of this participant's.
        consumer_id: ConsumerId,
        /// 0 the lowest; what is above the highest means the highest.
        spatial_layer: u8,
    },
    /// Give a consumer more or less of what the path carries than others.
    SetPriority {
        /// One of this participant's.
        consumer_id: ConsumerId,
        /// From 1, which it is at first, to 255: those with the highest are served first.
        priority: NonZeroU8,
    },
    /// What the server knows of a transport and of all that is on it.
    GetStats {
        /// One of this participant's.
        transport_id: TransportId,
    },
    /// Stop media for good.
    CloseConsumer {
        /// One of this participant's.
        consumer_id: ConsumerId,
    },
    /// Write to the room. Who sends it again with the same number writes it once.
    SendChatMessage {
        /// What, trimmed; 1 byte to `chat_message_bytes_max`.
        text: String,
    },
    /// Raise the hand, or lower it. A hand that is up keeps its place.
    RaiseHand {
        /// Up or down.
        raised: bool,
    },
    /// What only the host and co-hosts may do.
    Moderate(Moderation),
    /// Show the others something of this moment.
    Signal(Signal),
    /// Open a channel to the others, from the transport's `producedata` event.
    ProduceData {
        /// The send transport.
        transport_id: TransportId,
        /// As `mediasoup-client` gives them.
        sctp_stream_parameters: SctpStreamParameters,
        /// What to call it, at most 128 bytes; need not be unique.
        #[serde(default)]
        #[ts(optional, as = "Option<String>")]
        label: String,
        /// What its messages are, in a word of the application's, at most 128 bytes.
        #[serde(default)]
        #[ts(optional, as = "Option<String>")]
        protocol: String,
    },
    /// Close a channel to the others.
    CloseDataProducer {
        /// One of this participant's.
        data_producer_id: DataProducerId,
    },
    /// Receive data producers, many at once. Each data consumer starts paused.
    ConsumeData {
        /// The recv transport.
        transport_id: TransportId,
        /// At most 100.
        data_producer_ids: Vec<DataProducerId>,
    },
    /// Let messages flow; send it after `transport.consumeData()` resolved. What is sent before is not kept.
    ResumeDataConsumer {
        /// One of this participant's.
        data_consumer_id: DataConsumerId,
    },
    /// Stop messages for good.
    CloseDataConsumer {
        /// One of this participant's.
        data_consumer_id: DataConsumerId,
    },
}

/// Which way media flows, from the client's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The client publishes.
    Send,
    /// The client receives.
    Recv,
}

/// The one argument of every request event.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The request's number, counted by the client from 1 up over the whole session.
    #[ts(type = "number")]
    pub n: u64,
    /// The request's fields; absent means none.
    #[serde(default)]
    #[ts(optional, type = "unknown")]
    pub data: Value,
}

impl Request {
    /// The names of all request events.
    pub const EVENTS: [&str; 24] = [
        "leave",
        "createWebRtcTransport",
        "connectWebRtcTransport",
        "restartIce",
        "produce",
        "pauseProducer",
        "resumeProducer",
        "closeProducer",
        "consume",
        "resumeConsumer",
        "pauseConsumer",
        "setPreferredLayers",
        "setPriority",
        "getStats",
        "closeConsumer",
        "sendChatMessage",
        "raiseHand",
        "moderate",
        "signal",
        "produceData",
        "closeDataProducer",
        "consumeData",
        "resumeDataConsumer",
        "closeDataConsumer",
    ];

    /// Decodes the event `name` with its `data`.
    pub fn decode(name: &str, data: Value) -> Result<Self, ErrorBody> {
        if !Self::EVENTS.contains(&name) {
            let message = format!("there is no request '{}'; docs/signaling.md lists them", name.escape_debug());
            return Err(ErrorBody::new(ErrorCode::UnknownRequest, message));
        }
        let data = if data.is_null() { Value::Object(serde_json::Map::new()) } else { data };
        // Not by `json!`, which copies.
        let mut tagged = serde_json::Map::new();
        tagged.insert("event".to_owned(), name.into());
        tagged.insert("data".to_owned(), data);
        serde_json::from_value(Value::Object(tagged))
            .map_err(|e| ErrorBody::new(ErrorCode::BadRequest, format!("{name}: {e}")))
    }
}

/// The data of a successful acknowledgement. Requests without a result answer `{}`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum Reply {
    /// To `createWebRtcTransport`.
    Transport(Box<TransportOptions>),
    /// To `restartIce`.
    #[serde(rename_all = "camelCase")]
    RestartIce {
        /// The new credentials.
        ice_parameters: IceParameters,
    },
    /// To `produce`: exactly what `mediasoup-client`'s `produce` callback takes.
    Produce {
        /// The producer's id.
        id: ProducerId,
    },
    /// To `consume`, one result per requested producer, in order.
    Consume {
        /// The consumers, or why there is none.
        consumers: Vec<ConsumeResult>,
    },
    /// To `produceData`: exactly what `mediasoup-client`'s `producedata` callback takes.
    ProduceData {
        /// The data producer's id.
        id: DataProducerId,
    },
    /// To `consumeData`, one result per requested data producer, in order.
    #[serde(rename_all = "camelCase")]
    ConsumeData {
        /// The data consumers, or why there is none.
        data_consumers: Vec<ConsumeDataResult>,
    },
    /// To `getStats`.
    Stats(Box<TransportStats>),
    /// To everything else.
    Done {},
}

/// One result of `consumeData`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum ConsumeDataResult {
    /// For `transport.consumeData()`.
    DataConsumer(Box<DataConsumerOptions>),
    /// This data producer cannot be consumed; the others can.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Which data producer.
        data_producer_id: DataProducerId,
        /// Why.
        error: ErrorBody,
    },
}

/// What `mediasoup-client` needs for `consumeData`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DataConsumerOptions {
    /// The data consumer's id.
    pub id: DataConsumerId,
    /// What it receives.
    pub data_producer_id: DataProducerId,
    /// How it receives it.
    pub sctp_stream_parameters: SctpStreamParameters,
    /// The data producer's.
    pub label: String,
    /// The data producer's.
    pub protocol: String,
}

/// One result of `consume`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum ConsumeResult {
    /// For `transport.consume()`.
    Consumer(Box<ConsumerOptions>),
    /// This producer cannot be consumed; the others can.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Which producer.
        producer_id: ProducerId,
        /// Why.
        error: ErrorBody,
    },
}

/// What `mediasoup-client` needs for `consume`, and whose it is.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerOptions {
    /// The consumer's id.
    pub id: ConsumerId,
    /// What it receives.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// How it receives it.
    pub rtp_parameters: RtpParameters,
    /// Streams with the same id are played in time with each other.
    pub stream_id: String,
}

/// An acknowledgement.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum Ack<T> {
    /// `{ok: true, data}`.
    Ok {
        /// Always true.
        ok: True,
        /// The result.
        data: T,
    },
    /// `{ok: false, error}`.
    Err {
        /// Always false.
        ok: False,
        /// Why.
        error: ErrorBody,
    },
}

impl<T> From<Result<T, ErrorBody>> for Ack<T> {
    fn from(result: Result<T, ErrorBody>) -> Self {
        match result {
            Ok(data) => Self::Ok { ok: True, data },
            Err(error) => Self::Err { ok: False, error },
        }
    }
}

/// The literal `true`.
#[derive(Debug, Clone, Copy, TS)]
#[ts(type = "true")]
pub struct True;

/// The literal `false`.
#[derive(Debug, Clone, Copy, TS)]
#[ts(type = "false")]
pub struct False;

macro_rules! literal {
    ($name:ident, $value:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bool($value)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match bool::deserialize(deserializer)? {
                    $value => Ok(Self),
                    _ => Err(serde::de::Error::custom(concat!("expected ", $value))),
                }
            }
        }
    };
}

literal!(True, true);
literal!(False, false);
