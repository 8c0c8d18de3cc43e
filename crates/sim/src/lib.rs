//! Tests only: many clients and nodes on a virtual clock and network.

pub mod call;
pub mod fuzz;
pub mod keyed_peer;
pub mod seeds;
pub mod two_workers;

pub use loadtest::network;
