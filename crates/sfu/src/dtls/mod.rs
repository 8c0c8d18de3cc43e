//! DTLS 1.2 (RFC 6347) for SRTP keys (RFC 5764): one certificate per process, one handshake per transport.

mod fingerprint;
mod guard;
mod identity;
mod key;
mod server;

/// What a record adds to application data (RFC 6347 4.1, RFC 5288 3): header, explicit nonce, tag.
pub(crate) const RECORD_OVERHEAD: usize = 13 + 8 + 16;

pub use guard::MESSAGE_BYTES_MAX;
pub use identity::{Identity, IdentityError};
pub use server::{CloseReason, DtlsOutput, DtlsServer, RemoteParametersError};
