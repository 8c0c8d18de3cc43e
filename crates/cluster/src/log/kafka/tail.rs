//! A reader of the topic: all partitions, from absolute offsets.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::RoomId;
use rdkafka::Message;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;

use super::context::{Context, Counters};
use super::seen::{Seen, Sight, hash};
use super::{ANSWER_TIMEOUT, KafkaConfig, unavailable};
use crate::log::{Cut, Entry, Next, Start, TailError};

/// Between two questions where the log begins and ends.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A reader that is behind and gets nothing for so long looks whether there is anything left that it could get.
const QUIET: Duration = Duration::from_secs(3);

/// A reader of a [`KafkaLog`](super::KafkaLog).
///
/// Kafka may lose records that were read: a broker died before they were on its disk. librdkafka notices, by the
/// epoch of the partition's leader also where others have come in their place (KIP-320), and says neither where nor
/// from which offset on. So everything that is remembered is read again then and compared.
pub struct KafkaTail {
    reader: Arc<Reader>,
    counters: Arc<Counters>,
    partitions: Vec<Partition>,
    /// Partitions that are not read up to where they ended when this was opened.
    behind: usize,
    /// When something was read last, or looked for.
    heard: Instant,
    /// What is to be returned next.
    found: VecDeque<Next>,
    /// Kafka has no record at an offset that should come next, or another one before it.
    doubted: bool,
    /// The last look failed.
    could_not_look: bool,
    config: KafkaConfig,
    start: Start,
    /// A reader that begins anew, and where it could, are under way.
    asking: Option<JoinHandle<Result<Anew, KafkaError>>>,
    /// Why it cannot be read any more.
    failed: Option<TailError>,
}

/// A reader that has nothing assigned, and what it finds of all partitions.
type Anew = (Reader, Vec<Found>);

/// A partition as it is now.
struct Found {
    bounds: Range<i64>,
    /// Where it would be read from if it were opened now.
    start: i64,
}

struct Partition {
    seen: Seen,
    /// Where it ended when this was opened.
    end: i64,
    /// Up to where it is read again.
    compared_to: Option<i64>,
}

impl Partition {
    fn is_behind(&self) -> bool {
        self.seen.next() < self.end
    }
}

struct Reader {
    topic: String,
    partitions: i32,
    consumer: StreamConsumer<Context>,
}

impl KafkaTail {
    /// Blocks.
    pub(super) fn open(config: &KafkaConfig, counters: &Arc<Counters>, start: Start) -> Result<Self, TailError> {
        let reader = Reader::new(config, counters).map_err(|error| unavailable(&error))?;
        let ends = soon(|| reader.offsets(Offset::End))?;
        let next = soon(|| reader.starts(start, &ends))?;
        reader.assign(&next).map_err(|error| unavailable(&error))?;
        let partition = |(next, end)| Partition { seen: Seen::new(next), end, compared_to: None };
        let partitions: Vec<Partition> = next.into_iter().zip(ends).map(partition).collect();
        Ok(Self {
            reader: Arc::new(reader),
            config: config.clone(),
            start,
            counters: Arc::clone(counters),
            behind: partitions.iter().filter(|partition| partition.is_behind()).count(),
            partitions,
            heard: Instant::now(),
            found: VecDeque::new(),
            doubted: false,
            could_not_look: false,
            asking: None,
            failed: None,
        })
    }

    pub(in crate::log) async fn next(&mut self) -> Result<Next, TailError> {
        loop {
            if let Some(next) = self.found.pop_front() {
                return Ok(next);
            }
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if self.doubted {
                self.look().await;
                self.heard = Instant::now();
                continue;
            }
            let reader = Arc::clone(&self.reader);
            let quiet = async {
                match self.is_caught_up() {
                    true => std::future::pending().await,
                    false => tokio::time::sleep_until((self.heard + QUIET).into()).await,
                }
            };
            let message = tokio::select! {
                message = reader.consumer.recv() => Some(message),
                () = quiet => None,
            };
            self.heard = Instant::now();
            match message {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.fail(&error),
                None => self.doubted = true,
            }
        }
    }

    pub(in crate::log) fn is_caught_up(&self) -> bool {
        self.behind == 0
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let offset = message.offset();
        let Some(index) = usize::try_from(message.partition()).ok().filter(|index| *index < self.partitions.len())
        else {
            return;
        };
        let partition = &mut self.partitions[index];
        let hash = hash(message);
        let sight = partition.seen.look(offset, hash);
        let compared = partition.compared_to.take_if(|end| sight != Sight::Known || offset + 1 >= *end);
        match (sight, compared) {
            // What comes after it is lost, and nothing is in its place yet.
            (Sight::Known, Some(end)) if end < partition.seen.next() => return self.cut(index, end),
            (Sight::Known, _) => return,
            // It may not be the first that differs.
            (Sight::Changed, _) if partition.seen.has_forgotten() && offset == partition.seen.oldest() => {
                self.failed = Some(TailError::Cut);
                return;
            }
            (Sight::Changed, _) => self.cut(index, offset),
            (Sight::New, _) => {}
        }
        self.partitions[index].seen.take(offset, hash);
        self.count_behind();
        self.counters.count_read();
        let room = message.key().and_then(|key| std::str::from_utf8(key).ok()?.parse::<RoomId>().ok());
        let Some(room) = room else {
            self.counters.count_nameless();
            tracing::warn!(index, offset, "a record of the log has not the name of a room and was left out");
            return;
        };
        let Ok(offset) = u64::try_from(offset) else { return };
        let time_ms = message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
        let value = message.payload().unwrap_or_default().into();
        self.found.push_back(Next::Entry(Entry { room, offset, time_ms, value }));
    }

    /// Lost connections and moved leaders pass; librdkafka goes on from the same offsets.
    fn fail(&mut self, error: &KafkaError) {
        self.counters.count_error();
        tracing::debug!(%error, "reading failed");
        self.doubted |= matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::LogTruncation
            )
        );
    }

    /// Finds out what is there, and reads everything again that is remembered.
    async fn look(&mut self) {
        let (config, counters, start) = (self.config.clone(), Arc::clone(&self.counters), self.start);
        let pause = if self.could_not_look { ASK_AGAIN } else { Duration::ZERO };
        let begin = move || {
            // Here and not by the caller, who may begin again at any time.
            std::thread::sleep(pause);
            let reader = Reader::new(&config, &counters)?;
            let found = reader.find(start)?;
            Ok((reader, found))
        };
        let asking = self.asking.get_or_insert_with(|| tokio::task::spawn_blocking(begin));
        let answer = asking.await;
        self.asking = None;
        let result = match answer {
            Ok(Ok((reader, found))) => self.read_again(reader, &found),
            Ok(Err(error)) => Err(error),
            Err(_) => return,
        };
        self.could_not_look = result.is_err();
        match result {
            Ok(()) => self.doubted = false,
            Err(error) => tracing::debug!(%error, "it cannot be found out yet what Kafka lost"),
        }
    }

    fn read_again(&mut self, reader: Reader, found: &[Found]) -> Result<(), KafkaError> {
        let mut positions = Vec::new();
        for (index, Found { bounds: Range { start: begin, end }, start }) in found.iter().enumerate() {
            let (begin, end, start) = (*begin, *end, *start);
            let Partition { seen, compared_to, end: awaited } = &mut self.partitions[index];
            // Perhaps records are gone that this reader was not at yet.
            *awaited = end.min(*awaited);
            let (oldest, next) = (seen.oldest(), seen.next());
            *compared_to = None;
            if next < begin {
                self.failed = Some(TailError::Behind);
            } else if seen.has_forgotten() && begin < end && end < next && end <= oldest {
                self.failed = Some(TailError::Cut);
            } else if !seen.has_forgotten() && start < oldest {
                // All that was read is gone, and more from before it. What it would be read from now came instead.
                self.cut(index, start);
            } else if end < next && end <= oldest.max(begin) {
                self.cut(index, end);
            } else if oldest < next {
                *compared_to = Some(end.min(next));
            }
            let seen = &self.partitions[index].seen;
            positions.push(seen.oldest().max(begin));
        }
        self.count_behind();
        reader.assign(&positions)?;
        // The one of before does not go on where it found that something is missing. Its end takes a moment.
        let before = std::mem::replace(&mut self.reader, Arc::new(reader));
        drop(tokio::task::spawn_blocking(move || drop(before)));
        Ok(())
    }

    /// Nothing of what was read of a partition from `end` on is there any more.
    fn cut(&mut self, index: usize, end: i64) {
        let partition = &mut self.partitions[index];
        partition.seen.cut(end);
        partition.end = partition.end.min(end);
        self.count_behind();
        let number = |n| u16::try_from(n).expect("partitions are counted by a u16");
        let (partition, partitions) = (number(index), number(self.partitions.len()));
        self.found.push_back(Next::Cut(Cut { partition, partitions, end: u64::try_from(end).unwrap_or(0) }));
    }

    fn count_behind(&mut self) {
        if self.behind > 0 {
            self.behind = self.partitions.iter().filter(|partition| partition.is_behind()).count();
        }
    }
}

impl fmt::Debug for KafkaTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTail").field("behind", &self.behind).finish_non_exhaustive()
    }
}

impl Reader {
    fn new(config: &KafkaConfig, counters: &Arc<Counters>) -> Result<Self, KafkaError> {
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
        let consumer = client.create_with_context(Context(Arc::clone(counters)))?;
        Ok(Self { topic: config.topic.clone(), partitions: i32::from(config.partitions), consumer })
    }

    /// All partitions as they are now. Blocks.
    fn find(&self, start: Start) -> Result<Vec<Found>, KafkaError> {
        let (begins, ends) = (self.offsets(Offset::Beginning)?, self.offsets(Offset::End)?);
        let starts = self.starts(start, &ends)?;
        let bounds = begins.into_iter().zip(ends).map(|(begin, end)| begin..end);
        Ok(bounds.zip(starts).map(|(bounds, start)| Found { bounds, start }).collect())
    }

    /// Where all partitions are read from that end there. Blocks.
    fn starts(&self, start: Start, ends: &[i64]) -> Result<Vec<i64>, KafkaError> {
        match start {
            Start::End => Ok(ends.to_vec()),
            Start::Oldest => self.offsets(Offset::Beginning),
            // For a time the same question takes milliseconds in place of one of the names of offsets. Where nothing
            // is as new it answers with the end, which may have moved on since `ends`.
            Start::Since(time_ms) => {
                let since = self.offsets(Offset::Offset(i64::try_from(time_ms).unwrap_or(i64::MAX)))?;
                Ok(since.iter().zip(ends).map(|(since, end)| if *since < 0 { *end } else { *since }).collect())
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

/// Asks until there is an answer: a broker does not lead a topic that was just made at once. Blocks.
fn soon<T>(ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, TailError> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        match ask() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(ANSWER_TIMEOUT / 40),
            result => return result.map_err(|error| unavailable(&error)),
        }
    }
}
