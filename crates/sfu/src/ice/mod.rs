//! ICE-lite (RFC 8445 2.5): the client checks, we answer, and remember from where it may talk to us.

mod candidates;
mod credentials;
mod demux;
mod lite;
mod request;

pub use candidates::candidates;
pub use credentials::Credentials;
pub use demux::{PacketKind, classify};
pub use lite::{BindingError, BindingOutcome, CONSENT_TIMEOUT, IceLite, PAIRS_MAX, Pair};
pub use request::{BindingRequest, MalformedRequest};
