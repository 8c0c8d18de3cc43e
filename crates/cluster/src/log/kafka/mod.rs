//! The log on Kafka: one topic with a fixed number of partitions, keyed by room (docs/decisions/0004).
//!
//! Both directions go through librdkafka, which reconnects and repeats by itself. What it reports of a delivery is
//! only counted: a record is on the log when it was read.

mod context;
mod producer;
mod seen;
mod tail;
mod topic;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use protocol::RoomId;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::{AppendError, LogStatus, Start, TailError, partition};
use context::Counters;
use producer::Producer;

pub use tail::KafkaTail;

/// How long Kafka has for an answer while a reader is opened.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest record. A snapshot goes in parts of 512 KiB; the rest is room for what is around them.
const ENTRY_BYTES_MAX: usize = 640 * 1024;

/// What a [`KafkaLog`] is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Addresses (`host:port`) of some brokers; the others are found through them.
    pub brokers: Vec<String>,
    /// The topic; made if it is not there.
    pub topic: String,
    /// Its partitions. All nodes have to agree, and it never changes: it says where a room is.
    pub partitions: u16,
    /// Records that wait for Kafka; one more is refused.
    pub queue_max: u32,
    /// How long a record waits before it is given up. The node has told its client by then to ask again.
    pub give_up: Duration,
}

impl KafkaConfig {
    /// The defaults: `hyperion.rooms` with 64 partitions, 20,000 records, 5 s.
    pub fn new(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            topic: "hyperion.rooms".to_owned(),
            partitions: 64,
            queue_max: 20_000,
            give_up: Duration::from_secs(5),
        }
    }

    /// What every client of Kafka has in common.
    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", "hyperion")
            // With the default of 10 s an outage of 3 s lasted 11 s.
            .set("reconnect.backoff.max.ms", "500")
            .set("socket.connection.setup.timeout.ms", "2000")
            .set("socket.timeout.ms", "5000")
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("log.connection.close", "false");
        client
    }

    /// Where a room's records are.
    fn partition(&self, room: &RoomId) -> i32 {
        i32::from(partition(room, self.partitions))
    }
}

/// An [`EventLog`](super::EventLog) on Kafka. Clones share its connections.
#[derive(Clone)]
pub struct KafkaLog {
    config: Arc<KafkaConfig>,
    counters: Arc<Counters>,
    producer: Arc<Producer>,
}

impl KafkaLog {
    /// Starts looking for Kafka, and does not wait for it. Fails only for what can never work.
    pub fn new(config: KafkaConfig) -> Result<Self, KafkaError> {
        let (config, counters) = (Arc::new(config), Arc::new(Counters::default()));
        let producer = Producer::start(Arc::clone(&config), Arc::clone(&counters))?;
        Ok(Self { config, counters, producer })
    }

    pub(super) fn append(&self, room: &RoomId, value: &[u8]) -> Result<(), AppendError> {
        let result = if value.len() > ENTRY_BYTES_MAX {
            Err(AppendError::TooLarge)
        } else {
            self.producer.send(self.config.partition(room), room, value)
        };
        self.counters.count_append(result.is_ok());
        result
    }

    pub(super) async fn tail(&self, start: Start) -> Result<KafkaTail, TailError> {
        let Self { config, counters, .. } = self.clone();
        let runtime = tokio::runtime::Handle::current();
        let opening = tokio::task::spawn_blocking(move || {
            topic::prepare(&config, &counters, &runtime)?;
            KafkaTail::open(&config, &counters, start)
        });
        let tail = opening.await.unwrap_or_else(|error| Err(TailError::Unavailable(error.to_string())))?;
        self.producer.found();
        Ok(tail)
    }

    pub(super) fn status(&self) -> LogStatus {
        LogStatus { queued: self.producer.queued(), ..self.counters.read() }
    }
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLog").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Whatever goes wrong with Kafka while a reader is opened may go well later.
fn unavailable(error: &KafkaError) -> TailError {
    TailError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::contract::room;

    #[test]
    fn a_rooms_partition_never_changes() {
        let found = ["a", "daily", "b-1"].map(|name| partition(&room(name), 64));
        assert_eq!(found, [12, 30, 43]);
    }

    #[test]
    fn without_kafka_so_many_records_wait_and_no_more() {
        let brokers = vec!["127.0.0.1:1".to_owned()];
        let log = KafkaLog::new(KafkaConfig { queue_max: 2, ..KafkaConfig::new(brokers) }).expect("it only looks");
        for n in 0..2 {
            log.append(&room("a"), &[n]).expect("room for it");
        }
        assert_eq!(log.append(&room("a"), &[2]), Err(AppendError::Full));
        assert_eq!(log.append(&room("a"), &[0; ENTRY_BYTES_MAX + 1]), Err(AppendError::TooLarge));
        let LogStatus { reachable, queued, appended, refused, .. } = log.status();
        assert_eq!((reachable, appended, refused), (false, 2, 2));
        assert!(queued >= 2, "{queued}");
    }

    #[test]
    fn rooms_are_spread_over_all_partitions() {
        let mut rooms = [0_u32; 64];
        for n in 0..6400 {
            rooms[usize::from(partition(&room(&format!("room-{n}")), 64))] += 1;
        }
        assert!(rooms.iter().all(|count| (50..200).contains(count)), "{rooms:?}");
    }
}
