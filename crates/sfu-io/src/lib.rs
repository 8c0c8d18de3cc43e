//! The media driver of Hyperion: one pinned thread per worker, its sockets, batches and timers.
//!
//! [`WorkerPool::start`] binds the sockets and starts the threads; [`WorkerHandle::call`] runs a closure on the
//! worker of a thread; what workers have to say comes out of the [`EventReceiver`]. No async runtime is needed:
//! everything that can be awaited is a plain future.

mod affinity;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod driver;
mod egress;
mod handle;
mod ingress;
mod lanes;
mod metrics;
mod outbox;
mod packet_ring;
mod parking;
mod pool;
mod send;
mod socket;
mod tcp;

pub use handle::{CallError, WorkerHandle, WorkerIndex};
pub use lanes::OpenLocalPipeError;
pub use metrics::{BATCH_BUCKETS, Dropped, TcpClosed, TcpRefused, WorkerMetrics};
pub use outbox::{EventReceiver, PoolEvent};
pub use pool::{ADDRESSES_MAX, PoolConfig, StartError, WorkerPool};
