//! How everybody else talks to a worker: closures through a bounded queue, run on the worker's thread.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Instant;

use futures_channel::oneshot;
use sfu::worker::Worker;
use thiserror::Error;

use crate::lanes::Lanes;
use crate::metrics::{Counters, WorkerMetrics};
use crate::parking::Parking;

/// Which worker of a pool, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(pub u16);

impl fmt::Display for WorkerIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a call was not run, or its result is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallError {
    /// The worker's command queue is full; the call was not run.
    #[error("the media worker has too many calls waiting")]
    WorkerBusy,
    /// The worker's thread has ended; the call was not run, or ended it.
    #[error("the media worker is gone")]
    WorkerGone,
}

/// What runs on a worker's thread between its batches.
pub(crate) type Command = Box<dyn FnOnce(&mut Worker, &mut Lanes, Instant) + Send>;

/// A worker of a pool, callable from any thread.
#[derive(Clone)]
pub struct WorkerHandle {
    pub(crate) index: WorkerIndex,
    pub(crate) local_addresses: Arc<[SocketAddr]>,
    pub(crate) commands: SyncSender<Command>,
    pub(crate) parking: Arc<Parking>,
    pub(crate) counters: Arc<Counters>,
}

impl WorkerHandle {
    /// Runs a closure on the worker's thread and resolves to its result. It is queued at once, so calls through one
    /// handle run in the order in which they are made, and a call whose future is dropped is still run.
    ///
    /// The closure must be quick: no media moves meanwhile. If it panics, the worker dies with all that is on it.
    pub fn call<R, F>(&self, run: F) -> impl Future<Output = Result<R, CallError>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce(&mut Worker, Instant) -> R + Send + 'static,
    {
        self.run(move |worker, _, now| run(worker, now))
    }

    /// The same for what has to do with the worker's lanes too.
    pub(crate) fn run<R, F>(&self, run: F) -> impl Future<Output = Result<R, CallError>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce(&mut Worker, &mut Lanes, Instant) -> R + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let queued = self.queue(Box::new(move |worker, lanes, now| {
            // Fails when the caller no longer waits, which is its own business.
            let _ = reply.send(run(worker, lanes, now));
        }));
        async move {
            queued?;
            result.await.map_err(|_| CallError::WorkerGone)
        }
    }

    /// Which worker it is.
    pub fn index(&self) -> WorkerIndex {
        self.index
    }

    /// The addresses that its sockets are bound to, in the order of the configuration.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.local_addresses
    }

    /// Its figures now.
    pub fn metrics(&self) -> WorkerMetrics {
        self.counters.snapshot(self.index)
    }

    /// Whether its thread runs.
    pub fn is_alive(&self) -> bool {
        self.counters.is_alive()
    }

    fn queue(&self, command: Command) -> Result<(), CallError> {
        // Counted before it can be taken, so that the depth never goes below zero.
        self.counters.command_depth.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.commands.try_send(command) {
            self.counters.command_depth.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => CallError::WorkerBusy,
                TrySendError::Disconnected(_) => CallError::WorkerGone,
            });
        }
        self.wake();
        Ok(())
    }

    pub(crate) fn wake(&self) {
        self.parking.wake();
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle")
            .field("index", &self.index)
            .field("local_addresses", &self.local_addresses)
            .finish_non_exhaustive()
    }
}
