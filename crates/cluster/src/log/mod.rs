//! The ordered records of all rooms.

mod memory;

#[cfg(test)]
mod contract;

use std::future::Future;
use std::sync::Arc;

use protocol::RoomId;

pub use memory::{MemoryLog, MemoryLogConfig, MemoryTail};

/// A log of records, keyed by room. All records of one room are in one order, the same for every reader.
pub trait EventLog: Send + Sync + 'static {
    /// A reader.
    type Tail: Tail;

    /// Hands a record over and returns at once, without waiting for anything: success says that it was taken
    /// for appending, not that it will ever be on the log. Only reading it back says that. Records of one
    /// room from one caller keep their order.
    fn append(&self, room: &RoomId, value: Vec<u8>) -> Result<(), AppendError>;

    /// Opens a reader that begins with the oldest record that the log still has.
    fn tail(&self) -> impl Future<Output = Result<Self::Tail, TailError>> + Send;
}

/// A reader of the log, in order.
pub trait Tail: Send + 'static {
    /// The next record, as soon as there is one. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Entry, TailError>> + Send;
}

/// A record on the log, not decoded, so that rooms of no interest cost nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub room: RoomId,
    /// Rises from record to record of a room, not always by one.
    pub offset: u64,
    /// When the log took it, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// A [`Record`](protocol::event::Record) as JSON, if nobody else writes here.
    pub value: Arc<[u8]>,
}

/// Why a record was not taken. It will not appear on the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// As many records wait as may wait.
    #[error("the log's queue is full")]
    Full,
    /// The record is larger than the log takes.
    #[error("the record is too large")]
    TooLarge,
}

/// Why there is nothing more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// The log dropped records that this reader had not read yet.
    #[error("the log no longer has the next record")]
    Behind,
}
