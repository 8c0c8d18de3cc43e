//! Parameters of data channels, in the shapes of `mediasoup-client` 3.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The largest message of a data channel that the server takes and sends, in bytes.
pub const MESSAGE_BYTES_MAX: u32 = 256 * 1024;

/// The server's end of a transport's SCTP association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SctpParameters {
    /// The SCTP port (RFC 8841 5).
    pub port: u16,
    /// Streams that the server may send on.
    #[serde(rename = "OS")]
    pub outgoing_streams: u16,
    /// Streams that the server takes.
    #[serde(rename = "MIS")]
    pub incoming_streams: u16,
    /// The largest message in bytes, for clients before 3.19.
    pub max_message_size: u32,
    /// The largest message that the server sends, in bytes.
    pub max_send_message_size: u32,
    /// The largest message that the server takes, in bytes.
    pub max_receive_message_size: u32,
}

impl Default for SctpParameters {
    fn default() -> Self {
        Self {
            port: 5000,
            outgoing_streams: u16::MAX,
            incoming_streams: u16::MAX,
            max_message_size: MESSAGE_BYTES_MAX,
            max_send_message_size: MESSAGE_BYTES_MAX,
            max_receive_message_size: MESSAGE_BYTES_MAX,
        }
    }
}

/// How the messages of one data channel travel. At most one of the two limits is there; without both the channel is
/// reliable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SctpStreamParameters {
    /// The stream in both directions; the channel's id.
    pub stream_id: u16,
    /// Whether messages come in the order in which they were sent; absent means that they do, unless there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ordered: Option<bool>,
    /// For how long a message is sent again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_packet_life_time: Option<u16>,
    /// How often a message is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_retransmits: Option<u16>,
}

/// Why a data consumer ended although its client did not ask for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum DataConsumerCloseReason {
    /// Its data producer ended.
    ProducerClosed,
    /// The client read a reliable channel so slowly that a message could not be kept for it any more. What it got so
    /// far has no gap; it may consume again.
    SendBufferFull,
    /// The client closed the channel.
    ChannelClosed,
    /// The transport's SCTP association ended.
    AssociationClosed,
}
