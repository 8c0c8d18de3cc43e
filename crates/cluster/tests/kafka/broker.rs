//! A real Kafka of a test's own, by `script/kafka`.

use cluster::{KafkaConfig, KafkaLog};

use crate::script::Service;

pub(crate) struct Broker(Service);

impl Broker {
    pub(crate) fn start() -> Self {
        Self(Service::start("kafka"))
    }

    /// By SIGKILL; what was written stays.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }

    pub(crate) fn start_again(&self) {
        self.0.start_again();
    }

    pub(crate) fn config(&self, topic: &str) -> KafkaConfig {
        let brokers = vec![self.0.address().to_owned()];
        KafkaConfig { topic: topic.to_owned(), partitions: 4, ..KafkaConfig::new(brokers) }
    }

    pub(crate) fn log(&self, topic: &str) -> KafkaLog {
        KafkaLog::new(self.config(topic)).expect("a log")
    }
}
