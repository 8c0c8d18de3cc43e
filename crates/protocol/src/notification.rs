//! Notifications: Socket.IO events from the server, without acknowledgement.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::sctp::DataConsumerCloseReason;
use crate::snapshot::{ChatMessage, DataProducerView, ParticipantView, ProducerView, WaitingView};
use crate::{
    ConsumerId, DataConsumerId, DataProducerId, ErrorCode, ParticipantId, ProducerId, Role, RoomSettings, Signal,
    Source, TransportId,
};

/// What a client is told. The variant's name in camelCase is the event's name. Those with `seq` come from the
/// room's log and arrive in its order; the number is the room's count of applied events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Notification {
    /// Somebody entered.
    ParticipantJoined {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        participant: ParticipantView,
    },
    /// Somebody left, for good.
    ParticipantLeft {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        participant_id: ParticipantId,
        /// Who sent them out, if somebody did.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        by: Option<ParticipantId>,
    },
    /// Somebody has another name.
    ParticipantUpdated {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        participant_id: ParticipantId,
        /// What others read from now on.
        name: String,
    },
    /// Somebody wrote to the room.
    ChatMessage {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// What.
        message: ChatMessage,
    },
    /// Somebody published a source; or replaced one, then with the same id as before.
    ProducerAdded {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Whose.
        participant_id: ParticipantId,
        /// What.
        producer: ProducerView,
    },
    /// Muted.
    ProducerPaused {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Which.
        producer_id: ProducerId,
        /// Who did it, if it was somebody else.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        by: Option<ParticipantId>,
    },
    /// Unmuted.
    ProducerResumed {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Which.
        producer_id: ProducerId,
    },
    /// No longer published.
    ProducerClosed {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Which.
        producer_id: ProducerId,
        /// Who did it, if it was somebody else.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        by: Option<ParticipantId>,
    },
    /// Somebody raised their hand.
    HandRaised {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        participant_id: ParticipantId,
        /// Their place in the queue: who has the lowest was first.
        #[ts(type = "number")]
        order: u64,
    },
    /// A hand is down again.
    HandLowered {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Whose.
        participant_id: ParticipantId,
        /// Who did it, if it was somebody else.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        by: Option<ParticipantId>,
    },
    /// Somebody has another role: it was given to them, or the host left and they are the next.
    RoleChanged {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        participant_id: ParticipantId,
        /// What they are now.
        role: Role,
        /// Who gave it to them, if somebody did.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        by: Option<ParticipantId>,
    },
    /// The room is set otherwise.
    SettingsChanged {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// How.
        settings: RoomSettings,
        /// By whom.
        by: ParticipantId,
    },
    /// Somebody waits to be let in, or has another name than before. Only the host and co-hosts are told.
    WaitingAdded {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        waiting: WaitingView,
    },
    /// Somebody does not wait any more: they were let in or sent away, or went. Only the host and co-hosts are told.
    WaitingRemoved {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Who.
        participant_id: ParticipantId,
    },
    /// Who waits, for a participant who has just become the host or a co-host.
    WaitingListed {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// In the order in which they came.
        waiting: Vec<WaitingView>,
    },
    /// This participant is asked to unmute. Only they are told.
    AskedToUnmute {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// By whom.
        by: ParticipantId,
        /// `mic` or `camera`.
        source: Source,
    },
    /// Since somebody came or left, everybody in the room can receive these video codecs. Whoever publishes video with
    /// another publishes it anew with one of them.
    VideoCodecsChanged {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// As `video/VP8`, the server's first choice first.
        video_codecs: Vec<String>,
    },
    /// A consumer of this client ended although its producer goes on, which has another codec now.
    ConsumerClosed {
        /// Which.
        consumer_id: ConsumerId,
    },
    /// A consumer of a producer with several layers gets another one.
    ConsumerLayersChanged {
        /// Which.
        consumer_id: ConsumerId,
        /// What it gets, 0 the lowest.
        spatial_layer: u8,
    },
    /// How well a consumer of this client arrives changed, or how well its producer does.
    ConsumerScore {
        /// Which.
        consumer_id: ConsumerId,
        /// At this client: from 0 to 10, nothing is lost.
        score: u8,
        /// At the server: from 0, nothing comes, to 10.
        producer_score: u8,
    },
    /// Somebody else shows something of this moment. It may be lost.
    Signal {
        /// Who.
        participant_id: ParticipantId,
        /// What.
        #[serde(flatten)]
        #[ts(flatten)]
        signal: Signal,
    },
    /// Nobody wants layers above this one of a producer of this client: stop to send them until told otherwise.
    WantedLayers {
        /// Which.
        producer_id: ProducerId,
        /// The highest that is wanted, 0 the lowest.
        spatial_layer: u8,
    },
    /// Somebody opened a channel.
    DataProducerAdded {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Whose.
        participant_id: ParticipantId,
        /// What.
        data_producer: DataProducerView,
    },
    /// A channel was closed, by its sender or because its transport ended.
    DataProducerClosed {
        /// The room's count of applied events.
        #[ts(type = "number")]
        seq: u64,
        /// Which.
        data_producer_id: DataProducerId,
    },
    /// A data consumer of this client ended.
    DataConsumerClosed {
        /// Which.
        data_consumer_id: DataConsumerId,
        /// Why.
        reason: DataConsumerCloseReason,
    },
    /// A transport of this client has had no consent for too long; replace it.
    TransportClosed {
        /// Which.
        transport_id: TransportId,
    },
    /// Somebody else than before speaks most.
    ActiveSpeaker {
        /// Their microphone.
        producer_id: ProducerId,
    },
    /// How loud people are: at once when somebody begins to speak, and two or three times a second while anybody speaks.
    /// Only those above silence.
    AudioLevels {
        /// Loudest first.
        levels: Vec<AudioLevel>,
    },
    /// The node goes down, or cannot change its rooms while others can: go on at another one, while everything here still
    /// works. Who does not is told `draining` when the time of a node that goes down is over.
    MoveRequested {},
    /// This session is over and its socket will be closed.
    SessionEnded {
        /// Why: `superseded`, `draining`, `removed` …
        reason: ErrorCode,
    },
}

/// How loud one producer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AudioLevel {
    /// Which.
    pub producer_id: ProducerId,
    /// In dBov (RFC 6464): 0 is the loudest, -127 silence.
    pub level: i8,
}

impl Notification {
    /// The event's name and its one argument.
    pub fn into_event(self) -> (String, Value) {
        // A tagged enum of plain structs always serialises to `{event, data}`.
        let Ok(Value::Object(mut object)) = serde_json::to_value(self) else { return Default::default() };
        match (object.remove("event"), object.remove("data")) {
            (Some(Value::String(event)), Some(data)) => (event, data),
            _ => Default::default(),
        }
    }
}
