//! Error codes: stable, documented in `docs/signaling.md`, the same over Socket.IO and HTTP.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What went wrong, for programs. A code never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The payload has the wrong shape, a field is missing or a value is out of range.
    BadRequest,
    /// There is no request of this name.
    UnknownRequest,
    /// The message is larger than the server takes.
    TooLarge,
    /// Too many requests; wait before the next.
    RateLimited,
    /// The token is missing, forged or past its time.
    Unauthorized,
    /// The token, the role or the room's rules do not allow it.
    Forbidden,
    /// Sent before the session was joined, or after it left.
    NotJoined,
    /// The room holds as many people as it may.
    RoomFull,
    /// The room takes nobody new.
    RoomLocked,
    /// The server holds as many rooms, or carries as much, as it may.
    ServerFull,
    /// A limit of this participant is reached (producers, consumers, transports).
    LimitReached,
    /// No such room, participant, transport, producer or consumer that this session may use.
    NotFound,
    /// It exists already.
    AlreadyExists,
    /// The request does not fit the state of what it is about.
    WrongState,
    /// The RTP, ICE or DTLS parameters cannot be used.
    UnsupportedMedia,
    /// The request's number is so old that its outcome was forgotten.
    RequestExpired,
    /// The participant was taken over by a newer session.
    Superseded,
    /// The participant was away for longer than the grace time; join again.
    SessionExpired,
    /// A host sent the participant out.
    Removed,
    /// The host ended the meeting for everybody.
    MeetingEnded,
    /// The room's log cannot be reached; the request will succeed when it is back.
    LogUnavailable,
    /// The server is going down; join another node.
    Draining,
    /// A fault of the server. It was logged.
    Internal,
}

impl ErrorCode {
    /// Whether repeating the same request, with the same number, may succeed.
    pub fn retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::LogUnavailable | Self::ServerFull | Self::Draining | Self::Internal)
    }
}

/// The error of a refused request, as a client gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do, in English.
    pub message: String,
    /// Whether repeating the same request, with the same number, may succeed.
    pub retryable: bool,
}

impl ErrorBody {
    /// An error whose `retryable` follows from its code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: code.retryable() }
    }
}
