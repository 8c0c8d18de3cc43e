//! DTLS 1.2 (RFC 6347) for SRTP keys (RFC 5764): one certificate per process, one handshake per transport.

mod fingerprint;
mod guard;
mod identity;
mod server;

pub use identity::{Identity, IdentityError};
pub use server::{CloseReason, DtlsOutput, DtlsServer, RemoteParametersError};
