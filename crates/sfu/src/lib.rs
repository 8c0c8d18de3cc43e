//! The media core of Hyperion, sans-IO: datagrams, calls and time in; datagrams and events out.
//!
//! mediasoup's model: a [`Worker`] (one thread) holds routers (one room's media each), they hold transports,
//! producers and consumers. Three steps of a packet: it is opened and stored once in the ring of its stream
//! (`worker/ingress.rs`, `stream.rs`, `ring.rs`); every consumer is a cursor into that ring (`consumer.rs`);
//! what is due to a receiver is written as one burst (`burst.rs`, `worker/egress.rs`). Data channels are beside that
//! (`sctp/`, `worker/data/`).

// Tests need an instant to count from.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod bandwidth;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod burst;
pub mod bwe;
mod clock;
pub mod codec;
mod consumer;
mod consumer_list;
mod control_queue;
pub mod dtls;
pub mod framing;
pub mod ice;
mod keyframe;
mod keys;
pub mod nack;
pub mod ortc;
mod producer;
mod rate;
pub mod reception;
mod ring;
pub mod rtcp;
pub mod rtp;
mod score;
mod sctp;
mod sequence;
mod speaker;
pub mod srtp;
mod stream;
mod timers;
pub mod transmit;
mod transport;
pub mod twcc;
pub mod worker;

pub use sctp::BothLimits;
pub use transmit::SendBatch;
pub use worker::{Event, Worker, WorkerConfig, WorkerStats};
