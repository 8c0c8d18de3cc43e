//! The topic is made, or checked.

use std::time::Duration;

use cluster::log::{Next, Start, TailError};
use cluster::{Applied, EventLog, MemoryStore, NodeConfig, Proposal, ProposalKey, RoomService, ServiceConfig};
use protocol::event::RoomEvent;
use protocol::limits::Limits;
use protocol::{Incarnation, ParticipantId, SessionId};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use room::Change;
use tokio::sync::mpsc;

use super::broker::Broker;
use super::{PATIENCE, room, tail};

fn admin(broker: &Broker) -> AdminClient<DefaultClientContext> {
    let mut client = rdkafka::ClientConfig::new();
    client.set("bootstrap.servers", broker.config("").brokers.join(",")).create().expect("an admin client")
}

pub(crate) async fn is_made_as_it_has_to_be(broker: &Broker) {
    // Eight nodes that start at the same time make one.
    let opened = (0..8).map(|_| {
        let log = EventLog::from(broker.log("made"));
        tokio::spawn(async move { tail(&log, Start::Oldest).await })
    });
    for opened in opened.collect::<Vec<_>>() {
        opened.await.expect("no panic");
    }
    let described = admin(broker).describe_configs(&[ResourceSpecifier::Topic("made")], &AdminOptions::new()).await;
    let topic = described.expect("an answer").pop().expect("the topic").expect("it is there");
    let value = |key: &str| topic.get(key).and_then(|entry| entry.value.clone()).expect("a setting");
    assert_eq!(value("cleanup.policy"), "delete");
    assert_eq!(value("message.timestamp.type"), "LogAppendTime");
    assert_eq!(value("unclean.leader.election.enable"), "false");
    assert_eq!(value("max.message.bytes"), "1048576");
}

pub(crate) async fn that_differs_is_refused(broker: &Broker) {
    let right = [("message.timestamp.type", "LogAppendTime")];
    let topics = [
        ("few", 3, &right[..], "the Kafka topic few has partitions = 3; it has to be 4"),
        (
            "compacted",
            4,
            &[("message.timestamp.type", "LogAppendTime"), ("cleanup.policy", "compact")],
            "the Kafka topic compacted has cleanup.policy = compact; it has to be delete",
        ),
        (
            "made-by-kafka",
            4,
            &[],
            "the Kafka topic made-by-kafka has message.timestamp.type = CreateTime; it has to be LogAppendTime",
        ),
        (
            "unclean",
            4,
            &[("message.timestamp.type", "LogAppendTime"), ("unclean.leader.election.enable", "true")],
            "the Kafka topic unclean has unclean.leader.election.enable = true; it has to be false",
        ),
        (
            "small",
            4,
            &[("message.timestamp.type", "LogAppendTime"), ("max.message.bytes", "1000000")],
            "the Kafka topic small has max.message.bytes = 1000000; it has to be at least 1048576",
        ),
    ];
    let made: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|(name, partitions, settings, _)| {
            let topic = NewTopic::new(name, *partitions, TopicReplication::Fixed(1));
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    admin(broker).create_topics(&made, &options).await.expect("topics");
    for (name, _, _, message) in topics {
        let log = EventLog::from(broker.log(name));
        let error = loop {
            match log.tail(Start::Oldest).await.expect_err("refused") {
                TailError::Unavailable(_) => {}
                error => break error,
            }
        };
        assert_eq!(error, TailError::Unfit(message.to_owned()));
    }
    // A larger one is as good.
    let larger = NewTopic::new("larger", 4, TopicReplication::Fixed(1));
    let larger = larger.set("message.timestamp.type", "LogAppendTime").set("max.message.bytes", "2000000");
    admin(broker).create_topics([&larger], &options).await.expect("a topic");
    tail(&EventLog::from(broker.log("larger")), Start::Oldest).await;
}

/// The topic is removed and made again: what was read is no longer on it.
pub(crate) async fn that_lost_what_was_read_is_found_out(broker: &Broker) {
    let log = EventLog::from(broker.log("lost"));
    let mut tail = tail(&log, Start::Oldest).await;
    for n in 0..5 {
        log.append(&room("a"), vec![n]).expect("room for it");
        tail.next().await.expect("an entry");
    }
    let (service, mut changes) = node(1, &log).await;
    join(&service).await;
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    admin(broker).delete_topics(&["lost"], &options).await.expect("deleted");
    let made_again = EventLog::from(broker.log("lost"));
    super::tail(&made_again, Start::Oldest).await;
    let cut = loop {
        if let Next::Cut(cut) = tail.next().await.expect("a log that can be read") {
            break cut;
        }
    };
    assert_eq!((cut.partition, cut.end), (0, 0));
    // A node goes on with the rooms that it has.
    while service.counts().refounded == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while changes.try_recv().is_ok_and(|applied| matches!(applied.change, Change::Joined { .. })) {}
    assert!(changes.is_empty());
    assert_eq!(service.snapshot(room("daily")).await.map(|room| room.participants.len()), Some(1));
    join(&service).await;
}

async fn node(life: u128, log: &EventLog) -> (RoomService, mpsc::Receiver<Applied>) {
    let config = NodeConfig::new("node-1".parse().expect("a node id"), &Limits::default());
    let store = MemoryStore::new(|| 0);
    RoomService::start(Incarnation(life), ServiceConfig::new(config), log.clone(), store).await.expect("a log")
}

async fn join(service: &RoomService) {
    let (participant, session) = (ParticipantId(1), SessionId(1));
    let event =
        RoomEvent::Joined { participant, session, name: "P".to_owned(), video_codecs: Vec::new(), address_tag: None };
    let key = ProposalKey::Session { session, n: 0 };
    let proposal = Proposal { room: room("daily"), key, binding: None, event };
    while let Err(error) = service.propose(proposal.clone()).await {
        assert!(error.retryable, "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
