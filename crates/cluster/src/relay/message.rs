//! What two nodes tell each other over their link about the streams that they pass on.

use std::fmt;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{MediaKind, ProducerId, RoomId, RtpParameters};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A media worker of a node, by its place.
pub type Worker = u16;

/// Key and salt of `SRTP_AEAD_AES_256_GCM`.
pub const PIPE_KEY_BYTES: usize = 44;

/// What one end of a pipe seals with. Drawn at random, never used for another pipe.
#[derive(Clone, PartialEq, Eq)]
pub struct PipeKey(pub [u8; PIPE_KEY_BYTES]);

impl fmt::Debug for PipeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PipeKey")
    }
}

impl Serialize for PipeKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for PipeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| de::Error::custom("not a pipe's key"))
    }
}

/// A message. `mine` and `yours` are as the sender sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Message {
    /// The sender's end of the pipe between two workers. Who has not sent its own answers with it; a second one means
    /// that the sender's end is another than before.
    Pipe {
        /// The sender's worker.
        mine: Worker,
        /// The receiver's.
        yours: Worker,
        /// Where the sender's worker sends from and is reached.
        address: SocketAddr,
        /// What it seals with.
        key: PipeKey,
    },
    /// People of mine are to get a producer of yours.
    Subscribe {
        /// Its room.
        room: RoomId,
        /// Which.
        producer: ProducerId,
        /// The worker of the sender that has the room.
        mine: Worker,
    },
    /// They are not any more.
    Unsubscribe {
        /// Its room.
        room: RoomId,
        /// Which.
        producer: ProducerId,
        /// As in `Subscribe`.
        mine: Worker,
    },
    /// How a producer that you subscribed comes over the pipe between two workers.
    Stream {
        /// Its room.
        room: RoomId,
        /// Which.
        producer: ProducerId,
        /// The worker that has it.
        mine: Worker,
        /// The worker that gets it.
        yours: Worker,
        /// Audio or video.
        kind: MediaKind,
        /// Its streams.
        parameters: Box<RtpParameters>,
    },
    /// So many layers of a producer of yours are wanted here, the lowest first.
    Layers {
        /// Its room.
        room: RoomId,
        /// Which.
        producer: ProducerId,
        /// As in `Subscribe`.
        mine: Worker,
        /// How many; 0: nobody watches.
        layers: u8,
    },
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}
