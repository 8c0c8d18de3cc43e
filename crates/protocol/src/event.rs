//! Room events as they stand on the log: JSON records, keyed by room.
//!
//! Unknown fields are ignored and an unknown event decodes as [`RoomEvent::Unknown`], so that a newer node's
//! records never stop an older one.

use serde::{Deserialize, Serialize};

use crate::{Incarnation, MediaKind, NodeId, ParticipantId, Role, SessionId, Setting, Source};

/// One record of a room: what happened, who says so, and what makes it count only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The version of the rules under which it was written.
    pub rules: u16,
    /// The node that wrote it. Only live hosts of the room are believed.
    pub origin: Incarnation,
    /// What it repeats if it is a repeat.
    pub key: RequestKey,
    /// The participant it is about and the binding it was made under; an older binding is not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// What happened.
    pub event: RoomEvent,
}

/// A request's name: whatever carries the same key is the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestKey {
    /// A client's. Its join is number 0, its requests count from 1.
    Session {
        /// The session that asks.
        session: SessionId,
        /// Counted by the client over the whole session.
        n: u64,
    },
    /// A node's own.
    Node {
        /// The node, which is the record's origin too.
        incarnation: Incarnation,
        /// Counted by the node for each room.
        n: u64,
    },
}

/// Which node speaks for a participant. Every join and resume makes a new one with a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Who.
    pub participant: ParticipantId,
    /// Rises with every join and resume; the highest is in force.
    pub number: u64,
    /// The node that holds the participant's socket and transports.
    pub incarnation: Incarnation,
}

/// What happened in a room. Those about a participant name them by [`Record::binding`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RoomEvent {
    /// The room begins. The first one counts.
    RoomCreated {
        /// The rules' version for the room's whole life.
        rules: u16,
        /// The room's limits for its whole life.
        limits: RoomLimits,
    },
    /// The origin carries the room from here on.
    HostAdded {
        /// The same as the origin.
        incarnation: Incarnation,
        /// Its name.
        node: NodeId,
        /// The creation of the room that it knows. A node that knows another one is no host. `None` where that is not
        /// known: in rooms that rules before 2 created.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        creation: Option<Creation>,
    },
    /// Somebody enters, or comes back with a new session after a reload.
    Joined {
        /// Who.
        participant: ParticipantId,
        /// The page that speaks for them now.
        session: SessionId,
        /// What others read.
        name: String,
        /// The server's video codecs that this page can receive, as `video/VP8`, the server's first choice first.
        #[serde(default)]
        video_codecs: Vec<String>,
    },
    /// The same session comes back on a new socket.
    Resumed {
        /// Who.
        participant: ParticipantId,
        /// Must be the session in force.
        session: SessionId,
        /// The number of the session token that the answer brings: above that of the token it was asked with. Of
        /// two resumes with one token, through two nodes, the first counts.
        #[serde(default)]
        generation: u32,
    },
    /// The binding's socket is gone; the participant stays for the grace time.
    Held {
        /// The page said that it is being closed or reloaded: the shorter of the two grace times.
        #[serde(default)]
        closing: bool,
    },
    /// The binding was held for the whole grace time; the participant is gone.
    GraceExpired {},
    /// Sources that the binding took over were not published again in time; they are closed.
    SourcesExpired {},
    /// The participant leaves for good.
    Left {},
    /// The participant has another name.
    Renamed {
        /// What others read.
        name: String,
    },
    /// The participant publishes a source, or publishes it again.
    ProducerAdded {
        /// What.
        source: Source,
        /// Must fit the source.
        kind: MediaKind,
        /// Muted from the start.
        #[serde(default)]
        paused: bool,
    },
    /// Muted.
    ProducerPaused {
        /// Which of the participant's.
        source: Source,
    },
    /// Unmuted.
    ProducerResumed {
        /// Which of the participant's.
        source: Source,
    },
    /// No longer published.
    ProducerClosed {
        /// Which of the participant's.
        source: Source,
    },
    /// The participant writes to the room.
    ChatSent {
        /// What.
        text: String,
    },
    /// The participant opens a channel.
    DataProducerAdded {
        /// Which of the participant's; none that is open.
        number: u32,
        /// What its sender calls it.
        label: String,
        /// What its messages are, in a word of the application's.
        protocol: String,
    },
    /// A channel is closed.
    DataProducerClosed {
        /// Which of the participant's.
        number: u32,
    },
    /// The participant raises their hand.
    HandRaised {},
    /// The participant lowers a hand: their own or, as a host, another's.
    HandLowered {
        /// Whose; without it, everybody's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<ParticipantId>,
    },
    /// The participant, a host, gives somebody another role.
    RoleChanged {
        /// Whom.
        target: ParticipantId,
        /// Which.
        role: Role,
    },
    /// The participant, a host, switches one of the room's settings.
    SettingChanged {
        /// Which.
        setting: Setting,
        /// Its new value.
        on: bool,
    },
    /// The participant, a host, mutes somebody or, of a screen, has it closed.
    Muted {
        /// Whom; without it, all others whom the participant may mute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<ParticipantId>,
        /// Which of their sources.
        source: Source,
    },
    /// The participant, a host, asks somebody to unmute.
    AskedToUnmute {
        /// Whom.
        target: ParticipantId,
        /// Which of their sources.
        source: Source,
    },
    /// The participant, a host, sends somebody out.
    Removed {
        /// Whom.
        target: ParticipantId,
    },
    /// The participant, the host, ends the meeting for everybody.
    MeetingEnded {},
    /// A node that hosts the room is gone for good; those who were bound to it are held.
    NodeLost {
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// Nobody is in the room; it is over.
    RoomEnded {},
    /// The room as all records up to `as_of` made it, for those who begin to read the log later.
    Snapshot {
        /// The offset of the newest record that is in it. Those between it and the snapshot's own are not.
        as_of: u64,
        /// The room's state, in a form of crate `cluster`.
        state: String,
    },
    /// The room as a node has it in memory, because the log lost records of it: it goes on with this state. It counts if
    /// its writer had read everything of the room that stands before it.
    Refounded {
        /// What of the room stands from here on was not read when it was written.
        read_to: u64,
        /// The newest record that was lost and is in it.
        salvaged: Salvaged,
        /// The room's state, in a form of crate `cluster`.
        state: String,
    },
    /// Written by a newer node.
    #[serde(other)]
    Unknown,
}

/// Which creation of a room a node builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Creation {
    /// The origin's own: it knew of no such room.
    Own,
    /// The one that the log has at `offset`, and that was the room's still when the record at `as_of` was applied.
    At {
        /// Of the room's `roomCreated`.
        offset: u64,
        /// Of the newest record that the origin had applied.
        as_of: u64,
    },
}

/// How much of what the log lost a node still knows; the greater one knows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Salvaged {
    /// The room's time when it had applied the newest of it, in milliseconds since the Unix epoch. Where the log lost
    /// records twice, what came in between is newer.
    pub time_ms: u64,
    /// The offset of the newest record that it had applied, on the log as it was.
    pub offset: u64,
}

/// What a room allows; the same on each of its hosts, because the room's first event fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoomLimits {
    /// People at a time, the held ones included.
    pub participants_max: u32,
    /// Longest display name, in bytes.
    pub name_bytes_max: u32,
    /// Data producers of a participant at a time.
    pub data_producers_max: u32,
    /// Longest message of the chat, in bytes.
    pub chat_message_bytes_max: u32,
    /// Messages of the chat that are kept for those who come later.
    pub chat_messages_max: u32,
    /// Bytes of all of them together, with their senders' names.
    pub chat_bytes_max: u32,
    /// How long a participant whose socket broke is held, in milliseconds.
    pub grace_ms: u64,
    /// How long a participant is held whose page said that it is being closed, in milliseconds: as long as a reload
    /// takes.
    pub closing_grace_ms: u64,
    /// How long the sources of somebody who came back are kept until they are published again, in milliseconds.
    pub sources_ms: u64,
}

impl Default for RoomLimits {
    /// Those of [`Limits`](crate::limits::Limits), 200 messages of 32 KiB, at most 5 s for a page that closes, and 10 s
    /// for sources.
    fn default() -> Self {
        Self::from(&crate::limits::Limits::default())
    }
}

impl From<&crate::limits::Limits> for RoomLimits {
    fn from(limits: &crate::limits::Limits) -> Self {
        let saturate = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self {
            participants_max: saturate(limits.participants_per_room_max),
            name_bytes_max: saturate(limits.name_bytes_max),
            data_producers_max: saturate(limits.data_producers_per_participant_max),
            chat_message_bytes_max: saturate(limits.chat_message_bytes_max),
            chat_messages_max: 200,
            chat_bytes_max: 32 * 1024,
            grace_ms: limits.grace_ms,
            closing_grace_ms: limits.grace_ms.min(5_000),
            sources_ms: 10_000,
        }
    }
}

/// A record where the log put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Rises from record to record of a room.
    pub offset: u64,
    /// The log's time, in milliseconds since the Unix epoch. It may go backwards between records.
    pub time_ms: u64,
    /// The record.
    pub record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(event: RoomEvent) -> Record {
        let key = RequestKey::Session { session: SessionId(2), n: u64::MAX };
        let binding = Binding { participant: ParticipantId(3), number: 4, incarnation: Incarnation(5) };
        Record { rules: 1, origin: Incarnation(5), key, binding: Some(binding), event }
    }

    fn host_added(creation: Option<Creation>) -> RoomEvent {
        let node = "node-1".parse().expect("a node id");
        RoomEvent::HostAdded { incarnation: Incarnation(u128::MAX), node, creation }
    }

    #[test]
    fn a_host_of_before_names_no_creation() {
        let incarnation = "ffffffffffffffffffffffffffffffff";
        let json = format!(r#"{{"type":"hostAdded","incarnation":"{incarnation}","node":"node-1"}}"#);
        assert_eq!(serde_json::from_str::<RoomEvent>(&json).expect("an event"), host_added(None));
        assert_eq!(serde_json::to_string(&host_added(None)).expect("json"), json);
        let now = serde_json::to_string(&Creation::At { offset: 1, as_of: 2 }).expect("json");
        assert_eq!(now, r#"{"at":{"offset":1,"asOf":2}}"#);
    }

    #[test]
    fn records_survive_the_log() {
        let name = "Ä \u{1F600}".to_owned();
        for event in [
            RoomEvent::RoomCreated { rules: 1, limits: RoomLimits::default() },
            host_added(None),
            host_added(Some(Creation::Own)),
            host_added(Some(Creation::At { offset: 1, as_of: u64::MAX })),
            RoomEvent::Joined {
                participant: ParticipantId(3),
                session: SessionId(2),
                name,
                video_codecs: vec!["video/VP8".to_owned()],
            },
            RoomEvent::Held { closing: true },
            RoomEvent::ProducerAdded { source: Source::ScreenAudio, kind: MediaKind::Audio, paused: true },
            RoomEvent::DataProducerAdded { number: u32::MAX, label: "chat".to_owned(), protocol: String::new() },
            RoomEvent::HandLowered { target: None },
            RoomEvent::RoleChanged { target: ParticipantId(7), role: Role::CoHost },
            RoomEvent::SettingChanged { setting: Setting::Locked, on: true },
            RoomEvent::Muted { target: Some(ParticipantId(7)), source: Source::Mic },
            RoomEvent::RoomEnded {},
            RoomEvent::Refounded {
                read_to: u64::MAX,
                salvaged: Salvaged { time_ms: u64::MAX, offset: 1 },
                state: "e30=".to_owned(),
            },
        ] {
            let record = record(event);
            let bytes = serde_json::to_vec(&record).expect("json");
            assert_eq!(serde_json::from_slice::<Record>(&bytes).expect("the same record"), record);
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_unknown_events_are_known_as_such() {
        let mut json = serde_json::to_value(record(RoomEvent::Held { closing: false })).expect("json");
        json["later"] = 1.into();
        json["event"]["later"] = serde_json::json!({ "deep": [1] });
        assert_eq!(
            serde_json::from_value::<Record>(json.clone()).expect("a record"),
            record(RoomEvent::Held { closing: false })
        );

        json["event"]["type"] = "songSung".into();
        assert_eq!(serde_json::from_value::<Record>(json).expect("a record").event, RoomEvent::Unknown);
    }
}
