//! Why a connection is closed, as the other side is told.

use quinn::{Connection, ConnectionError, VarInt};

use super::hello;

/// Why a connection is closed. The numbers are on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum Close {
    /// The node goes down.
    #[error("the node goes down")]
    Shutdown = 0,
    /// Another connection of the same two lives is newer.
    #[error("a newer connection of the same two nodes took over")]
    Replaced = 1,
    /// The other side does not read fast enough.
    #[error("too many frames waited to be sent")]
    Overrun = 2,
    /// A frame was larger than it may be.
    #[error("a frame was larger than it may be")]
    Oversize = 3,
    /// The other side speaks another version.
    #[error("nodes have to speak link protocol {} with this one; update the older of the two", hello::PROTOCOL)]
    Version = 4,
    /// This node reached itself.
    #[error("a node reached itself")]
    OwnLife = 5,
    /// Another life answered than was dialed.
    #[error("another life of a node was dialed than answered")]
    OtherLife = 6,
    /// The first frame was no hello.
    #[error("the first frame was no hello")]
    NoHello = 7,
    /// As many links are up as may be.
    #[error("the node has as many links as it may")]
    Full = 8,
    /// The certificate is not of this cluster. TLS says so by itself; this number is not sent.
    #[error("the other node does not have this cluster's secret")]
    Secret = 9,
}

impl Close {
    const REFUSALS: [Self; 5] = [Self::Version, Self::OwnLife, Self::OtherLife, Self::NoHello, Self::Full];

    pub(super) fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    pub(super) fn close(self, connection: &Connection) {
        connection.close(self.code(), self.to_string().as_bytes());
    }

    /// Whether a connection that did not become a link was refused, and why, by either side.
    pub(super) fn refusal(error: &ConnectionError) -> Option<Self> {
        // RFC 9001, 4.8: TLS alerts. Peers that have the secret have no reason for any.
        let is_alert = |code| (0x100..0x200).contains(&u64::from(code));
        match error {
            ConnectionError::TransportError(error) if is_alert(error.code) => Some(Self::Secret),
            ConnectionError::ConnectionClosed(close) if is_alert(close.error_code) => Some(Self::Secret),
            ConnectionError::ApplicationClosed(close) => {
                Self::REFUSALS.into_iter().find(|refusal| refusal.code() == close.error_code)
            }
            _ => None,
        }
    }

    /// What an operator can do about it; nothing for what passes by itself.
    pub(super) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Secret => Some("the file of --cluster-secret-file has to be the same on all nodes"),
            Self::Version => Some("update the older of the two nodes"),
            Self::OwnLife => Some("another node announces this one's address: give each its own --link-listen"),
            Self::NoHello => Some("something that is no node has this cluster's secret"),
            Self::Full => Some("fewer nodes"),
            Self::Shutdown | Self::Replaced | Self::Overrun | Self::Oversize | Self::OtherLife => None,
        }
    }
}
