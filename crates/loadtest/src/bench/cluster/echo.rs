//! Records that go through Kafka and back with nothing around: what an event takes at least.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use loadtest::client::Latencies;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::talk::TEXT_BYTES;

const TOPIC: &str = "hyperion.echo";
/// As many as the rooms' topic has: a node reads all of them.
const PARTITIONS: i32 = 64;
/// Of the partition that all of it goes through, as all of a room does.
const PARTITION: i32 = 12;
/// What stands around the text in a record of a room.
const ENVELOPE_BYTES: usize = 250;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

// Those of crates/cluster/src/log/kafka, as far as they are not about outages.
const CLIENT: [(&str, &str); 2] = [("client.id", "hyperion-echo"), ("socket.nagle.disable", "true")];
const PRODUCER: [(&str, &str); 4] =
    [("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "0"), ("delivery.report.only.error", "true")];
const CONSUMER: [(&str, &str); 5] = [
    ("group.id", "hyperion-echo"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("queued.min.messages", "10000"),
    ("queued.max.messages.kbytes", "16384"),
];

pub(super) struct Echo {
    producer: BaseProducer,
    consumer: StreamConsumer,
}

impl Echo {
    /// Makes a topic, and begins to read it.
    pub(super) async fn start(broker: &str) -> anyhow::Result<Self> {
        let client = |settings: &[(&str, &str)]| {
            let mut client = ClientConfig::new();
            client.set("bootstrap.servers", broker);
            CLIENT.iter().chain(settings).for_each(|(key, value)| _ = client.set(*key, *value));
            client
        };
        let admin: AdminClient<DefaultClientContext> = client(&[]).create()?;
        let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
        let topic = topic.set("message.timestamp.type", "LogAppendTime");
        let options = AdminOptions::new().operation_timeout(Some(Timeout::After(ANSWER_TIMEOUT)));
        for made in admin.create_topics([&topic], &options).await? {
            made.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
        }
        let consumer: StreamConsumer = client(&CONSUMER).create()?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
        }
        consumer.assign(&partitions)?;
        Ok(Self { producer: client(&PRODUCER).create()?, consumer })
    }

    /// Sends so many in a second, and says how long each took to come back.
    pub(super) async fn run(&self, per_second: u32, duration: Duration) -> anyhow::Result<Latencies> {
        let epoch = Instant::now();
        let count = (duration.as_secs_f64() * f64::from(per_second)) as u64;
        let send = async {
            let mut tick = interval(Duration::from_secs(1) / per_second);
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for _ in 0..count {
                tick.tick().await;
                let mut payload = vec![b'x'; TEXT_BYTES + ENVELOPE_BYTES];
                payload[..8].copy_from_slice(&(epoch.elapsed().as_micros() as u64).to_be_bytes());
                let record = BaseRecord::to(TOPIC).partition(PARTITION).key("echo").payload(&payload);
                self.producer.send(record).map_err(|(error, _)| error)?;
                self.producer.poll(Duration::ZERO);
            }
            anyhow::Ok(())
        };
        let receive = async {
            let mut latencies = Latencies::default();
            for _ in 0..count {
                let message = timeout(ANSWER_TIMEOUT, self.consumer.recv()).await.context("no record came back")??;
                let now = epoch.elapsed();
                let stamp = message.payload().and_then(|payload| payload.first_chunk()).context("a foreign record")?;
                latencies.record(now.saturating_sub(Duration::from_micros(u64::from_be_bytes(*stamp))));
            }
            anyhow::Ok(latencies)
        };
        let ((), latencies) = tokio::try_join!(send, receive)?;
        Ok(latencies)
    }
}
