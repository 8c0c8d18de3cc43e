//! A room as its members see it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{DataProducerId, MediaKind, ParticipantId, ProducerId, Role, RoomId, RoomSettings};

/// Everything that a member needs to know of a room to draw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RoomSnapshot {
    /// Which room.
    pub room_id: RoomId,
    /// How many room events have been applied; notifications count on from here.
    #[ts(type = "number")]
    pub seq: u64,
    /// In the order in which they joined.
    pub participants: Vec<ParticipantView>,
    /// The video codecs that everybody in the room can receive, as `video/VP8`, the server's first choice first.
    pub video_codecs: Vec<String>,
    /// The newest messages, oldest first.
    pub chat: Vec<ChatMessage>,
    /// What the host and co-hosts decided for all.
    #[serde(default)]
    pub settings: RoomSettings,
}

/// What somebody wrote to the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// The room's messages are numbered from 1 in their order, without gaps.
    #[ts(type = "number")]
    pub number: u64,
    /// Who wrote it; they may be gone.
    pub participant_id: ParticipantId,
    /// What they were called then.
    pub name: String,
    /// As they typed it: no markup.
    pub text: String,
    /// When the room took it, in milliseconds since the Unix epoch.
    #[ts(type = "number")]
    pub time_ms: u64,
}

/// A participant as the others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantView {
    /// Who.
    pub id: ParticipantId,
    /// As they typed it.
    pub name: String,
    /// What they may do.
    #[serde(default)]
    pub role: Role,
    /// Whether they raised their hand: the number of the event that did, so the lowest was first.
    #[serde(default)]
    #[ts(type = "number | null")]
    pub hand: Option<u64>,
    /// What they publish.
    pub producers: Vec<ProducerView>,
    /// The channels that they send on.
    pub data_producers: Vec<DataProducerView>,
}

/// A producer as the others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProducerView {
    /// For `consume`; names the participant and the source.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Muted, or switched off for now.
    pub paused: bool,
}

/// A data producer as the others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DataProducerView {
    /// For `consumeData`; names the participant.
    pub id: DataProducerId,
    /// What its sender calls it; need not be unique.
    pub label: String,
    /// What its messages are, in a word of the application's.
    pub protocol: String,
}
