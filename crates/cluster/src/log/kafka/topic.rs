//! The topic: made as it has to be, or checked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tokio::runtime::Handle;

use super::context::{Context, Counters};
use super::{ANSWER_TIMEOUT, KafkaConfig, unavailable};
use crate::log::TailError;

/// Largest message of the topic, with what Kafka adds to a record.
pub(super) const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
/// How long making the topic may take.
const MAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Copies of a partition, where there are as many brokers.
const REPLICAS: usize = 3;

/// Makes the topic if there is none, waits until its partitions have leaders, and refuses one that is different.
/// Blocks.
pub(super) fn prepare(config: &KafkaConfig, counters: &Arc<Counters>, runtime: &Handle) -> Result<(), TailError> {
    let client = config.client().create_with_context::<_, AdminClient<Context>>(Context(Arc::clone(counters)));
    let admin = client.map_err(|error| unavailable(&error))?;
    // Of all topics: asked for by name, Kafka might make it by itself.
    let metadata = admin.inner().fetch_metadata(None, ANSWER_TIMEOUT).map_err(|error| unavailable(&error))?;
    if metadata.topics().iter().all(|topic| topic.name() != config.topic) {
        create(&admin, config, metadata.brokers().len(), runtime)?;
    }
    let replicas = wait_for_leaders(&admin, config)?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT));
    let described = runtime.block_on(admin.describe_configs(&[ResourceSpecifier::Topic(&config.topic)], &options));
    let resource = described
        .map_err(|error| unavailable(&error))?
        .pop()
        .ok_or_else(|| TailError::Unavailable("no answer about the topic".to_owned()))?
        .map_err(|code| TailError::Unavailable(code.to_string()))?;
    check(&config.topic, replicas, &resource)
}

fn create(
    admin: &AdminClient<Context>,
    config: &KafkaConfig,
    brokers: usize,
    runtime: &Handle,
) -> Result<(), TailError> {
    let replicas = brokers.clamp(1, REPLICAS);
    let copies = i32::try_from(replicas).expect("a few");
    let settings: Vec<(&str, String)> = wanted(replicas).into_iter().map(|wanted| (wanted.key, wanted.value)).collect();
    let topic = NewTopic::new(&config.topic, i32::from(config.partitions), TopicReplication::Fixed(copies));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new().request_timeout(Some(MAKE_TIMEOUT)).operation_timeout(Some(MAKE_TIMEOUT));
    let results = runtime.block_on(admin.create_topics([&topic], &options)).map_err(|error| unavailable(&error))?;
    match results.into_iter().next() {
        // Another node was faster.
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            tracing::info!(topic = config.topic, partitions = config.partitions, replicas, "the topic was made");
            Ok(())
        }
        Some(Err((_, code))) => Err(TailError::Unavailable(format!("the topic cannot be made: {code}"))),
        None => Err(TailError::Unavailable("no answer about the topic".to_owned())),
    }
}

/// Returns how many copies there are of each partition.
fn wait_for_leaders(admin: &AdminClient<Context>, config: &KafkaConfig) -> Result<usize, TailError> {
    let deadline = Instant::now() + MAKE_TIMEOUT;
    loop {
        let metadata = admin.inner().fetch_metadata(Some(&config.topic), ANSWER_TIMEOUT);
        let metadata = metadata.map_err(|error| unavailable(&error))?;
        if let Some(topic) = metadata.topics().first()
            && topic.error().is_none()
            && topic.partitions().iter().all(|partition| partition.leader() >= 0)
        {
            let found = topic.partitions().len();
            if found != usize::from(config.partitions) {
                return Err(unfit(&config.topic, "partitions", &found.to_string(), &config.partitions.to_string()));
            }
            return Ok(topic.partitions().iter().map(|p| p.replicas().len()).min().unwrap_or(0));
        }
        if Instant::now() >= deadline {
            return Err(TailError::Unavailable(format!("topic {} has partitions without a leader", config.topic)));
        }
        std::thread::sleep(ANSWER_TIMEOUT / 40);
    }
}

/// A setting of the topic.
struct Wanted {
    key: &'static str,
    value: String,
    /// Whether more is as good.
    at_least: bool,
}

fn wanted(replicas: usize) -> Vec<Wanted> {
    let exactly = |key, value: &str| Wanted { key, value: value.to_owned(), at_least: false };
    let at_least = |key, value: u64| Wanted { key, value: value.to_string(), at_least: true };
    vec![
        // Every event counts, not only the newest of its key.
        exactly("cleanup.policy", "delete"),
        // The time of a record is Kafka's: one clock for all nodes.
        exactly("message.timestamp.type", "LogAppendTime"),
        // A broker that missed records must not become the truth.
        exactly("unclean.leader.election.enable", "false"),
        at_least("max.message.bytes", MESSAGE_BYTES_MAX),
        // With three copies, what was acknowledged survives the loss of any broker.
        at_least("min.insync.replicas", if replicas >= REPLICAS { 2 } else { 1 }),
    ]
}

fn check(topic: &str, replicas: usize, resource: &ConfigResource) -> Result<(), TailError> {
    for Wanted { key, value, at_least } in wanted(replicas) {
        let found = resource.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or("nothing");
        let number = |text: &str| text.parse::<u64>().ok();
        let fits = if at_least { number(found) >= number(&value) } else { found == value };
        if !fits {
            let value = if at_least { format!("at least {value}") } else { value };
            return Err(unfit(topic, key, found, &value));
        }
    }
    Ok(())
}

fn unfit(topic: &str, key: &str, found: &str, wanted: &str) -> TailError {
    TailError::Unfit(format!("the Kafka topic {topic} has {key} = {found}; it has to be {wanted}"))
}
