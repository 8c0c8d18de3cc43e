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

    /// While it does not run: takes the newest records away from a partition. Returns the offset at which it ends then.
    pub(crate) fn cut(&self, topic: &str, partition: u16, records: u32) -> u64 {
        let end = self.0.call("cut", &[&format!("{topic}-{partition}"), &records.to_string()]);
        end.parse().expect("an offset")
    }

    /// Has it start at another port, until it is started again at the one of before, so that nobody finds it who
    /// knew it; does something there with its address, and stops it.
    pub(crate) fn elsewhere(&self, happens: impl FnOnce(&str)) {
        let file = self.0.folder.join("server.properties");
        let before = std::fs::read_to_string(&file).expect("its properties");
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        std::fs::write(&file, before.replace(self.0.address(), &free.to_string())).expect("its properties");
        self.start_again();
        happens(&free.to_string());
        self.0.call("stop", &[]);
        std::fs::write(&file, before).expect("its properties");
    }

    pub(crate) fn config(&self, topic: &str) -> KafkaConfig {
        let brokers = vec![self.0.address().to_owned()];
        KafkaConfig { topic: topic.to_owned(), partitions: 4, ..KafkaConfig::new(brokers) }
    }

    pub(crate) fn log(&self, topic: &str) -> KafkaLog {
        KafkaLog::new(self.config(topic)).expect("a log")
    }
}
