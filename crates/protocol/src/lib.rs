//! Wire types and ids of Hyperion: requests, replies, notifications, room events, RTP parameters.
//!
//! No behaviour lives here beyond parsing and validation. `docs/signaling.md` explains what these types
//! mean on the wire; the TypeScript types of the web client are generated from them.

pub mod error;
pub mod event;
pub mod ids;
pub mod limits;
pub mod notification;
pub mod request;
pub mod roles;
pub mod rtp;
pub mod sctp;
pub mod signal;
pub mod snapshot;
pub mod stats;
pub mod transport;

pub use error::{ErrorBody, ErrorCode};
pub use ids::{
    ConsumerId, DataConsumerId, DataProducerId, Incarnation, NodeId, ParticipantId, ProducerId, RoomId, SessionId,
    Source, TransportId,
};
pub use notification::Notification;
pub use request::{Reply, Request};
pub use roles::{Moderation, Role, RoomSettings, Setting};
pub use rtp::{MediaKind, RtpCapabilities, RtpParameters};
pub use signal::Signal;
