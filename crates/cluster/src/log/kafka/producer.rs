//! The way to Kafka, and whether there is one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use protocol::RoomId;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::context::{Context, Counters};
use super::{ANSWER_TIMEOUT, AppendError, KafkaConfig};

/// How long the thread waits for something to count.
const POLL: Duration = Duration::from_millis(100);
/// How often the thread asks whether Kafka is there.
const ASK: Duration = Duration::from_secs(1);

pub(super) struct Producer {
    config: Arc<KafkaConfig>,
    counters: Arc<Counters>,
    current: RwLock<Arc<BaseProducer<Context>>>,
    /// The topic is as it has to be. Before that it is not asked for, because Kafka might make it by itself.
    topic_found: AtomicBool,
}

impl Producer {
    /// Starts a thread that ends with the last handle.
    pub(super) fn start(config: Arc<KafkaConfig>, counters: Arc<Counters>) -> Result<Arc<Self>, KafkaError> {
        let current = RwLock::new(Arc::new(make(&config, &counters)?));
        let producer = Arc::new(Self { config, counters, current, topic_found: AtomicBool::new(false) });
        let watched = Arc::downgrade(&producer);
        std::thread::Builder::new()
            .name("kafka".to_owned())
            .spawn(move || watch(&watched))
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(producer)
    }

    pub(super) fn send(&self, partition: i32, room: &RoomId, value: &[u8]) -> Result<(), AppendError> {
        let record = BaseRecord::to(&self.config.topic).partition(partition).key(room.as_str()).payload(value);
        self.current().send(record).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => AppendError::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => AppendError::TooLarge,
            _ => {
                tracing::debug!(%error, "a record was not taken");
                AppendError::Failed
            }
        })
    }

    pub(super) fn queued(&self) -> usize {
        usize::try_from(self.current().in_flight_count()).unwrap_or(0)
    }

    /// The topic is there and Kafka answers.
    pub(super) fn found(&self) {
        self.topic_found.store(true, Ordering::Relaxed);
        self.tell(true, "");
    }

    fn current(&self) -> Arc<BaseProducer<Context>> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// An idempotent producer that cannot tell any more what Kafka has of it stops for good; a new one begins with
    /// an identity of its own. What waited is lost, as it may always be.
    fn replace_if_broken(&self) {
        let Some((code, reason)) = self.current().client().fatal_error() else { return };
        tracing::warn!(?code, reason, "Kafka lost track of what was appended; beginning anew");
        match make(&self.config, &self.counters) {
            Ok(new) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                let broken = std::mem::replace(&mut *current, Arc::new(new));
                // Its end takes a moment, for which nobody has to wait.
                drop(current);
                drop(broken);
            }
            Err(error) => tracing::error!(%error, "no new producer can be made"),
        }
    }

    /// Asks for the topic, and says when the answer changed.
    fn ask(&self) {
        if !self.topic_found.load(Ordering::Relaxed) {
            return;
        }
        let answer = self.current().client().fetch_metadata(Some(&self.config.topic), ANSWER_TIMEOUT);
        let reachable = answer.as_ref().is_ok_and(|metadata| {
            metadata.topics().first().is_some_and(|topic| {
                topic.error().is_none()
                    && topic.partitions().len() == usize::from(self.config.partitions)
                    && topic.partitions().iter().all(|partition| partition.leader() >= 0)
            })
        });
        let error = answer.err().map_or_else(|| "a part of the topic has no leader".to_owned(), |e| e.to_string());
        self.tell(reachable, &error);
    }

    fn tell(&self, reachable: bool, error: &str) {
        match (self.counters.set_reachable(reachable), reachable) {
            (true, false) => tracing::warn!(error, "Kafka does not answer; media goes on, what changes a room waits"),
            (false, true) => tracing::info!(brokers = self.config.brokers.join(","), "Kafka answers"),
            _ => {}
        }
    }
}

/// Counts what was given up and looks whether Kafka is there, as long as anybody has a handle.
fn watch(producer: &Weak<Producer>) {
    let mut asked = None::<Instant>;
    while let Some(producer) = producer.upgrade() {
        producer.current().poll(POLL);
        producer.replace_if_broken();
        if asked.is_none_or(|asked| asked.elapsed() >= ASK) {
            producer.ask();
            asked = Some(Instant::now());
        }
    }
}

fn make(config: &KafkaConfig, counters: &Arc<Counters>) -> Result<BaseProducer<Context>, KafkaError> {
    config
        .client()
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("request.timeout.ms", "2000")
        .set("message.timeout.ms", config.give_up.as_millis().to_string())
        .set("message.max.bytes", super::topic::MESSAGE_BYTES_MAX.to_string())
        .set("queue.buffering.max.messages", config.queue_max.to_string())
        .set("queue.buffering.max.kbytes", "65536")
        // That a record was delivered says nothing that reading it does not say better.
        .set("delivery.report.only.error", "true")
        .create_with_context(Context(Arc::clone(counters)))
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::log::contract::room;

    /// Nothing here takes a tenth of it.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_producer_of_which_kafka_lost_track_is_replaced() {
        let kafka = MockCluster::new(1).expect("a cluster");
        kafka.create_topic("t", 1, 1).expect("a topic");
        let config = KafkaConfig::new(vec![kafka.bootstrap_servers()]);
        let config = Arc::new(KafkaConfig { topic: "t".to_owned(), partitions: 1, ..config });
        let counters = Arc::new(Counters::default());
        let producer = Producer::start(config, Arc::clone(&counters)).expect("a producer");
        let send = || producer.send(0, &room("a"), b"x");
        send().expect("room for it");
        until("it is delivered", || producer.queued() == 0);

        // As after a crash in which the broker lost the newest records.
        let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        kafka.request_errors(RDKafkaApiKey::Produce, &[lost]);
        send().expect("room for it");
        until("it is given up", || counters.read().given_up == 1);
        until("the new one takes records", || send().is_ok());
        until("and delivers them", || producer.queued() == 0);
        assert_eq!(counters.read().given_up, 1);
    }
}
