//! Synthetic WebRTC participants on `str0m`, an implementation other than ours, so that both ends of a test are
//! never our own code.
//!
//! [`client::Client`] is one transport of a participant, sans-IO: simulation drives it in virtual time, a load
//! test with sockets. [`light::LightClient`] is a receiver that checks less and costs less.
//! [`network::Network`] is what is between them and the server: virtual there, added to the real one here.

pub mod client;
pub mod light;
pub mod network;
