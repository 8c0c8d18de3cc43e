//! A reader of the topic: all partitions, from absolute offsets.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::RoomId;
use rdkafka::Message;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Context, Counters};
use super::{ANSWER_TIMEOUT, KafkaConfig, unavailable};
use crate::log::{Entry, Start, TailError};

/// Between two questions where the log begins and ends.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A reader of a [`KafkaLog`](super::KafkaLog).
pub struct KafkaTail {
    reader: Arc<Reader>,
    counters: Arc<Counters>,
    /// By partition, the offset that is read next.
    next: Vec<i64>,
    /// By partition, where it ended when this was opened.
    ends: Vec<i64>,
    /// Partitions that are not read up to there.
    behind: usize,
    /// Kafka has no record at an offset that should come next.
    lost: bool,
}

struct Reader {
    topic: String,
    partitions: i32,
    consumer: StreamConsumer<Context>,
}

impl KafkaTail {
    /// Blocks.
    pub(super) fn open(config: &KafkaConfig, counters: &Arc<Counters>, start: Start) -> Result<Self, TailError> {
        let mut client = config.client();
        // The partitions are assigned by us; librdkafka wants the name of a group all the same.
        client
            .set("group.id", "hyperion")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Where records are missing somebody has to know.
            .set("auto.offset.reset", "error")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "16384");
        let consumer =
            client.create_with_context(Context(Arc::clone(counters))).map_err(|error| unavailable(&error))?;
        let reader = Reader { topic: config.topic.clone(), partitions: i32::from(config.partitions), consumer };
        let ends = reader.offsets_soon(Offset::End)?;
        let next = match start {
            Start::End => ends.clone(),
            Start::Oldest => reader.offsets_soon(Offset::Beginning)?,
            // For a time the same question takes milliseconds in place of one of the names of offsets. Where nothing
            // is as new it answers with the end, which may have moved on since `ends`.
            Start::Since(time_ms) => {
                let since = reader.offsets_soon(Offset::Offset(i64::try_from(time_ms).unwrap_or(i64::MAX)))?;
                since.iter().zip(&ends).map(|(since, end)| if *since < 0 { *end } else { *since }).collect()
            }
        };
        reader.assign(&next).map_err(|error| unavailable(&error))?;
        let behind = next.iter().zip(&ends).filter(|(next, end)| next < end).count();
        Ok(Self { reader: Arc::new(reader), counters: Arc::clone(counters), next, ends, behind, lost: false })
    }

    pub(in crate::log) async fn next(&mut self) -> Result<Entry, TailError> {
        let reader = Arc::clone(&self.reader);
        while !self.lost {
            match reader.consumer.recv().await {
                Ok(message) => {
                    if let Some(entry) = self.take(&message) {
                        return Ok(entry);
                    }
                }
                Err(error) => self.fail(&error),
            }
        }
        Err(self.what_is_lost().await)
    }

    pub(in crate::log) fn is_caught_up(&self) -> bool {
        self.behind == 0
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) -> Option<Entry> {
        let (offset, partition) = (message.offset(), message.partition());
        let index = usize::try_from(partition).ok()?;
        let (next, end) = (self.next.get_mut(index)?, self.ends.get(index)?);
        let was_behind = *next < *end;
        *next = offset + 1;
        if was_behind && *next >= *end {
            self.behind -= 1;
        }
        self.counters.count_read();
        let room = message.key().and_then(|key| std::str::from_utf8(key).ok()?.parse::<RoomId>().ok());
        let Some(room) = room else {
            self.counters.count_nameless();
            tracing::warn!(partition, offset, "a record of the log has not the name of a room and was left out");
            return None;
        };
        Some(Entry {
            room,
            offset: u64::try_from(offset).ok()?,
            time_ms: message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            value: message.payload().unwrap_or_default().into(),
        })
    }

    /// Lost connections and moved leaders pass; librdkafka goes on from the same offsets.
    fn fail(&mut self, error: &KafkaError) {
        self.counters.count_error();
        tracing::debug!(%error, "reading failed");
        self.lost = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::LogTruncation
            )
        );
    }

    async fn what_is_lost(&self) -> TailError {
        loop {
            let reader = Arc::clone(&self.reader);
            let oldest = tokio::task::spawn_blocking(move || reader.offsets(Offset::Beginning)).await;
            if let Ok(Ok(oldest)) = oldest {
                let is_behind = self.next.iter().zip(&oldest).any(|(next, oldest)| next < oldest);
                return if is_behind { TailError::Behind } else { TailError::Cut };
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

impl fmt::Debug for KafkaTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTail").field("next", &self.next).field("behind", &self.behind).finish_non_exhaustive()
    }
}

impl Reader {
    /// A broker does not lead a topic that was just made at once.
    fn offsets_soon(&self, which: Offset) -> Result<Vec<i64>, TailError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match self.offsets(which) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(ANSWER_TIMEOUT / 40),
                result => return result.map_err(|error| unavailable(&error)),
            }
        }
    }

    /// Where all partitions begin or end, in one question to each broker. Blocks.
    fn offsets(&self, which: Offset) -> Result<Vec<i64>, KafkaError> {
        let list = self.list(|_| which)?;
        let list = self.consumer.offsets_for_times(list, ANSWER_TIMEOUT)?;
        let mut offsets = vec![0; list.count()];
        for element in list.elements() {
            element.error()?;
            let place = usize::try_from(element.partition()).ok().and_then(|index| offsets.get_mut(index));
            match (place, element.offset()) {
                (Some(place), Offset::Offset(offset)) => *place = offset,
                // Nothing is as new as was asked.
                (Some(place), Offset::End) => *place = -1,
                _ => return Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition)),
            }
        }
        Ok(offsets)
    }

    fn assign(&self, next: &[i64]) -> Result<(), KafkaError> {
        self.consumer.assign(&self.list(|partition| Offset::Offset(next[partition]))?)
    }

    fn list(&self, offset: impl Fn(usize) -> Offset) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (index, partition) in (0..self.partitions).enumerate() {
            list.add_partition_offset(&self.topic, partition, offset(index))?;
        }
        Ok(list)
    }
}
