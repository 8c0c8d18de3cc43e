//! Data channels: SCTP (RFC 9260) behind a transport's DTLS (RFC 8261), without the in-band announcement of channels
//! (RFC 8832), because both sides learn of them by signalling.
//!
//! `sctp-proto` does the protocol. What is ours is what a server needs around it: limits to what a peer can make it
//! keep (`guard.rs`), and to what a slow peer makes us keep (`backlog.rs`).

mod association;
mod backlog;
mod channel;
mod guard;
mod split;

pub(crate) use association::{SctpAssociation, SctpEvent, SendError};
pub use channel::BothLimits;
pub(crate) use channel::{Channel, Message};

/// Streams that a browser has per association (libwebrtc's `kMaxSctpStreams`), and so what is given out here.
pub(crate) const STREAMS_MAX: u16 = 1024;
