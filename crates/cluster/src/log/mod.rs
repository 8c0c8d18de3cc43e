//! The ordered records of all rooms.

mod kafka;
mod memory;

#[cfg(test)]
mod contract;

use std::sync::Arc;
use std::time::Duration;

use protocol::RoomId;

use crate::hash::fnv1a;

pub use kafka::{KafkaConfig, KafkaLog, KafkaTail};
pub use memory::{MemoryLog, MemoryLogConfig, MemoryTail};

/// A log of records, keyed by room. All records of one room are in one order, the same for every reader.
#[derive(Debug, Clone)]
pub enum EventLog {
    /// Of one process, gone with it.
    Memory(MemoryLog),
    /// On Kafka, for any number of processes.
    Kafka(KafkaLog),
}

impl EventLog {
    /// Hands a record over and returns at once, without waiting for anything: success says that it was taken
    /// for appending, not that it will ever be on the log. Only reading it back says that. Records of one
    /// room from one caller keep their order. After a failure of the log some may be missing, and some may come
    /// again later.
    pub fn append(&self, room: &RoomId, value: Vec<u8>) -> Result<(), AppendError> {
        match self {
            Self::Memory(log) => log.append(room, value),
            Self::Kafka(log) => log.append(room, &value),
        }
    }

    /// Opens a reader. Takes some seconds at most; [`TailError::Unavailable`] may be tried again.
    pub async fn tail(&self, start: Start) -> Result<Tail, TailError> {
        match self {
            Self::Memory(log) => Ok(Tail::Memory(log.tail(start))),
            Self::Kafka(log) => log.tail(start).await.map(Box::new).map(Tail::Kafka),
        }
    }

    /// How it is doing, for metrics and readiness. Cheap.
    pub fn status(&self) -> LogStatus {
        match self {
            Self::Memory(log) => log.status(),
            Self::Kafka(log) => log.status(),
        }
    }
}

impl From<MemoryLog> for EventLog {
    fn from(log: MemoryLog) -> Self {
        Self::Memory(log)
    }
}

impl From<KafkaLog> for EventLog {
    fn from(log: KafkaLog) -> Self {
        Self::Kafka(log)
    }
}

/// A reader of the log: all rooms, each in order.
#[derive(Debug)]
pub enum Tail {
    /// Of [`EventLog::Memory`].
    Memory(MemoryTail),
    /// Of [`EventLog::Kafka`].
    Kafka(Box<KafkaTail>),
}

impl Tail {
    /// What comes next, as soon as there is something, however long the log cannot be reached meanwhile. Dropping the
    /// future loses nothing. After an error there is no more.
    pub async fn next(&mut self) -> Result<Next, TailError> {
        match self {
            Self::Memory(tail) => tail.next().await.map(Next::Entry),
            Self::Kafka(tail) => tail.next().await,
        }
    }

    /// Whether every record was returned that was on the log when this reader was opened.
    pub fn is_caught_up(&self) -> bool {
        match self {
            Self::Memory(tail) => tail.is_caught_up(),
            Self::Kafka(tail) => tail.is_caught_up(),
        }
    }
}

/// What a reader comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A record.
    Entry(Entry),
    /// The end of what is left of records that were read before.
    Cut(Cut),
}

impl Next {
    /// The record, if it is one.
    pub fn entry(self) -> Option<Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Cut(_) => None,
        }
    }
}

/// A part of the log lost its newest records after they had been read. Others come in their place, under the same
/// offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Which part,
    pub partition: u16,
    /// of how many.
    pub partitions: u16,
    /// The offset of the first record that was lost, and of the next one to be read.
    pub end: u64,
}

impl Cut {
    /// Whether a room's records are in this part.
    pub fn concerns(&self, room: &RoomId) -> bool {
        partition(room, self.partitions) == self.partition
    }
}

/// Where a room's records are, by a hash that never changes, as the place of a room never does.
fn partition(room: &RoomId, partitions: u16) -> u16 {
    let hash = fnv1a(room.as_str().bytes());
    u16::try_from(hash % u64::from(partitions.max(1))).expect("it is less than a u16")
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that the log still has.
    Oldest,
    /// With the first that the log took at this time or later, in milliseconds since the Unix epoch; with the next
    /// one if there is none.
    Since(u64),
    /// With the first that is appended after it was opened.
    End,
}

/// A record on the log, not decoded, so that rooms of no interest cost nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub room: RoomId,
    /// Rises from record to record of a room, not always by one. Those of two rooms have nothing to do with each
    /// other.
    pub offset: u64,
    /// When the log took it, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// A [`Record`](protocol::event::Record) as JSON, if nobody else writes here.
    pub value: Arc<[u8]>,
}

/// How a log is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStatus {
    /// Whether records can be appended and read now, as far as is known.
    pub reachable: bool,
    /// How long ago it answered last.
    pub silence: Duration,
    /// Records that wait to be taken by the log, and what is to be said of them.
    pub queued: usize,
    /// Records handed over.
    pub appended: u64,
    /// Records that were not taken for appending: queue full, too large.
    pub refused: u64,
    /// Records that were given up after they had waited; some may be on the log all the same.
    pub given_up: u64,
    /// Records read.
    pub read: u64,
    /// Records without the name of a room; left out.
    pub nameless: u64,
    /// Errors that passed by themselves, such as a lost connection.
    pub errors: u64,
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
    /// The log cannot take it now.
    #[error("the log takes no records now")]
    Failed,
}

/// Why there is nothing to read, or nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// The log dropped records that this reader had not read yet.
    #[error("the log no longer has the next record")]
    Behind,
    /// The log lost so many records that were read that where it goes on cannot be told.
    #[error("the log lost more records than are remembered")]
    Cut,
    /// The log does not answer; it may later.
    #[error("the log does not answer: {0}")]
    Unavailable(String),
    /// The log is not as it has to be; somebody has to change it.
    #[error("{0}")]
    Unfit(String),
}
