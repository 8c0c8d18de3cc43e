//! Ids as they travel: newtypes that parse strictly and print the same text they parse.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ts_rs::TS;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct ParseIdError(pub &'static str);

/// Serialises through `Display` and `FromStr`, so that the wire form and the log form are one.
macro_rules! text_id {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

/// A number that travels as exactly `$digits` lower-case hexadecimal digits.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $int:ty, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
        #[ts(as = "String")]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if text.len().to_string() != $digits || !text.bytes().all(digits) {
                    return Err(ParseIdError(stringify!($name)));
                }
                <$int>::from_str_radix(text, 16).map(Self).map_err(|_| ParseIdError(stringify!($name)))
            }
        }

        text_id!($name);
    };
}

hex_id!(
    /// A person in a room. Chosen at random when they first join, kept over resume, move and reload.
    ParticipantId, u64, "16"
);
hex_id!(
    /// One page's life in a room: the scope of request numbers. A reload starts a new session of the same participant.
    SessionId, u64, "16"
);
hex_id!(
    /// A transport on the node that created it.
    TransportId, u64, "16"
);
hex_id!(
    /// A consumer on the node that created it.
    ConsumerId, u64, "16"
);
hex_id!(
    /// A data consumer on the node that created it.
    DataConsumerId, u64, "16"
);
hex_id!(
    /// One life of a node: drawn at random at start and after each self-fence.
    Incarnation, u128, "32"
);

/// The name of a room: 1 to 64 of `a-z 0-9 - _`, so that it is a URL path segment as it stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(as = "String")]
pub struct RoomId(String);

impl RoomId {
    /// The longest name, in bytes.
    pub const LENGTH_MAX: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoomId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > Self::LENGTH_MAX || !text.bytes().all(allowed) {
            return Err(ParseIdError("room name"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_id!(RoomId);

/// The name of a node, unique in its cluster: 1 to 32 of `a-z 0-9 -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(as = "String")]
pub struct NodeId(String);

impl NodeId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(allowed) {
            return Err(ParseIdError("node id"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_id!(NodeId);

/// What a participant publishes: at most one producer per source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Microphone.
    Mic,
    /// Camera.
    Camera,
    /// A shared screen or window.
    Screen,
    /// The sound of a shared screen.
    ScreenAudio,
}

impl Source {
    /// Every source, in the order of their wire names.
    pub const ALL: [Source; 4] = [Source::Mic, Source::Camera, Source::Screen, Source::ScreenAudio];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Mic => "mic",
            Source::Camera => "camera",
            Source::Screen => "screen",
            Source::ScreenAudio => "screenAudio",
        }
    }

    /// The kind of media that this source carries.
    pub fn kind(self) -> crate::MediaKind {
        match self {
            Source::Mic | Source::ScreenAudio => crate::MediaKind::Audio,
            Source::Camera | Source::Screen => crate::MediaKind::Video,
        }
    }

    /// Sources that are to be played in time with each other share a stream id: a person's mic and camera
    /// are one, the screen and its sound another (mediasoup-client#233).
    pub fn stream_label(self) -> &'static str {
        match self {
            Source::Mic | Source::Camera => "face",
            Source::Screen | Source::ScreenAudio => "screen",
        }
    }
}

/// A producer: what one participant sends from one source. Because the id is made of these two it survives
/// reload, resume and a move to another node, and so do its consumers. On the wire `{participant}-{source}`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(as = "String")]
pub struct ProducerId {
    /// Who sends.
    pub participant: ParticipantId,
    /// What is sent.
    pub source: Source,
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.participant, self.source.as_str())
    }
}

impl FromStr for ProducerId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = ParseIdError("producer id");
        let (participant, source) = text.split_once('-').ok_or(error)?;
        let source = Source::ALL.into_iter().find(|s| s.as_str() == source).ok_or(error)?;
        Ok(Self { participant: participant.parse().map_err(|_| error)?, source })
    }
}

text_id!(ProducerId);

/// A data producer: one channel that one participant sends on. Unlike a producer it ends with its transport, so each
/// has a number of its own. On the wire `{participant}-{number}`, the number as 8 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(as = "String")]
pub struct DataProducerId {
    /// Who sends.
    pub participant: ParticipantId,
    /// Which of theirs; drawn at random.
    pub number: u32,
}

impl fmt::Display for DataProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.participant, self.number)
    }
}

impl FromStr for DataProducerId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = ParseIdError("data producer id");
        let (participant, number) = text.split_once('-').ok_or(error)?;
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if number.len() != 8 || !number.bytes().all(digits) {
            return Err(error);
        }
        let number = u32::from_str_radix(number, 16).map_err(|_| error)?;
        Ok(Self { participant: participant.parse().map_err(|_| error)?, number })
    }
}

text_id!(DataProducerId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_what_they_parse() {
        let id: ProducerId = "00000000000000ff-screenAudio".parse().expect("a valid id");
        assert_eq!(id, ProducerId { participant: ParticipantId(255), source: Source::ScreenAudio });
        assert_eq!(id.to_string(), "00000000000000ff-screenAudio");
        assert_eq!(serde_json::to_string(&Incarnation(7)).expect("json"), "\"00000000000000000000000000000007\"");
    }

    #[test]
    fn data_producer_ids_have_one_spelling_and_are_no_producer_ids() {
        let id: DataProducerId = "00000000000000ff-0000000a".parse().expect("a valid id");
        assert_eq!(id, DataProducerId { participant: ParticipantId(255), number: 10 });
        assert_eq!(id.to_string(), "00000000000000ff-0000000a");
        assert!(id.to_string().parse::<ProducerId>().is_err());
        for bad in ["", "00000000000000ff-a", "00000000000000ff-0000000A", "00000000000000ff-+000000a", "ff-0000000a"] {
            assert!(bad.parse::<DataProducerId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hex_ids_have_one_spelling() {
        for bad in ["", "ff", "00000000000000FF", "+0000000000000ff", "00000000000000fff"] {
            assert!(bad.parse::<ParticipantId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn room_names_are_path_segments() {
        for good in ["a", "daily-stand_up-7", &"x".repeat(64)] {
            assert!(good.parse::<RoomId>().is_ok(), "{good}");
        }
        for bad in ["", "A", "a/b", "ä", "a b", "..", &"x".repeat(65)] {
            assert!(bad.parse::<RoomId>().is_err(), "{bad}");
        }
    }
}
