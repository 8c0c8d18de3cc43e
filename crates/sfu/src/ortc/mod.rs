//! What endpoints can do and what they agree on: capabilities and parameters, matched by mediasoup's rules (ORTC).
//!
//! The router offers [`router_capabilities`]; a client's `produce` is checked and understood by
//! [`producer_mapping`]; [`can_consume`] and [`consumer_parameters`] say whether and how a client receives it.
//! What cannot be used at all is refused with a message for people; nothing here panics on any input.

pub mod capabilities;
pub mod codecs;
pub mod consumer;
mod h264;
mod pipe;
pub mod producer;
pub mod scalability;

pub use capabilities::router_capabilities;
pub use consumer::{CannotConsume, ConsumerStream, can_consume, consumer_parameters};
pub(crate) use pipe::pipe_parameters;
pub use producer::{EncodingMapping, ProducerMapping, UnsupportedParameters, producer_mapping};
pub use scalability::ScalabilityMode;

#[cfg(test)]
mod tests;
