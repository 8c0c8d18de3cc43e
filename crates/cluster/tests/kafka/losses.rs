//! The broker dies and comes back without its newest records, as after a power cut.

use std::time::Duration;

use cluster::log::{Cut, Entry, Next};
use cluster::{Accepted, Applied, EventLog, KafkaConfig, KafkaLog, MemoryStore, NodeConfig, Proposal, ProposalKey};
use cluster::{RoomService, ServiceConfig};
use protocol::event::{Binding, RoomEvent};
use protocol::limits::Limits;
use protocol::{Incarnation, ParticipantId, SessionId};
use room::Change;
use tokio::sync::mpsc;

use super::broker::Broker;
use super::{PATIENCE, Start, entry, room, tail, unix_ms, within};

/// Of the rooms `a` and `daily`, where there are four.
const PARTITION_OF_A: u16 = 0;
const PARTITION_OF_DAILY: u16 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_told_where_the_log_goes_on_after_it_lost_records() {
    let broker = Broker::start();
    let log = EventLog::from(broker.log("numbers"));
    within(PATIENCE, async {
        let (mut reader, mut late) = (tail(&log, Start::Oldest).await, tail(&log, Start::Oldest).await);
        for n in 0..20 {
            log.append(&room("a"), vec![n]).expect("room for it");
            assert_eq!(entry(&mut reader).await.value[..], [n]);
        }
        for _ in 0..5 {
            entry(&mut late).await;
        }
        let cut = |end| Next::Cut(Cut { partition: PARTITION_OF_A, partitions: 4, end });

        broker.kill();
        assert_eq!(broker.cut("numbers", PARTITION_OF_A, 8), 12);
        broker.start_again();
        assert_eq!(reader.next().await, Ok(cut(12)));
        let mut fresh = tail(&log, Start::Since(unix_ms())).await;
        // What waited when the broker died, or is the first after it, may never come.
        let found = loop {
            append(&log, 112).await;
            if let Ok(found) = tokio::time::timeout(Duration::from_secs(1), reader.next()).await {
                break found.expect("a log that can be read").entry().expect("a record");
            }
        };
        assert_eq!((found.offset, &found.value[..]), (12, &[112][..]));
        assert_eq!(entry(&mut fresh).await.offset, 12);

        // Others come in their place before it can look.
        broker.kill();
        let end = broker.cut("numbers", PARTITION_OF_A, 3);
        assert!(end <= 10, "{end}");
        broker.elsewhere(|address| {
            let brokers = vec![address.to_owned()];
            let log = KafkaLog::new(KafkaConfig { brokers, ..broker.config("numbers") }).expect("a log");
            let log = EventLog::from(log);
            let refill = async {
                let mut reader = tail(&log, Start::End).await;
                for n in 210..220 {
                    append(&log, n).await;
                    entry(&mut reader).await;
                }
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(refill));
        });
        broker.start_again();
        // One of them has read nothing from before what was lost, and there is more now than it had read.
        for mut reader in [reader, fresh] {
            let mut next = reader.next().await;
            while let Ok(Next::Entry(Entry { value, .. })) = &next {
                assert_eq!(value[..], [112], "it was appended more than once");
                next = reader.next().await;
            }
            assert_eq!(next, Ok(cut(end)));
            for n in 210..220 {
                assert_eq!(entry(&mut reader).await.value[..], [n]);
            }
            assert!(reader.is_caught_up());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_past_waits_for_no_record_that_was_lost_before_it_came_there() {
    // More than librdkafka fetches unasked, which are 16 MiB.
    const RECORDS: usize = 60;
    let record = |n: u8| vec![n; 512 * 1024];
    let broker = Broker::start();
    let log = EventLog::from(broker.log("numbers"));
    within(PATIENCE, async {
        let mut reader = tail(&log, Start::Oldest).await;
        for n in 0..RECORDS {
            while log.append(&room("a"), record(n as u8)).is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            entry(&mut reader).await;
        }
        let mut late = tail(&log, Start::Oldest).await;
        assert_eq!(entry(&mut late).await.offset, 0);
        broker.kill();
        assert_eq!(broker.cut("numbers", PARTITION_OF_A, 10), 50);
        broker.start_again();
        let mut last = 0;
        while !late.is_caught_up() {
            if let Ok(next) = tokio::time::timeout(Duration::from_millis(100), late.next()).await {
                last = next.expect("a log that can be read").entry().expect("it had read nothing of that").offset;
            }
        }
        assert_eq!(last, 49);
    })
    .await;
}

async fn append(log: &EventLog, n: u8) {
    while log.append(&room("a"), vec![n]).is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_go_on_from_memory_and_nothing_that_was_acknowledged_is_gone() {
    let broker = Broker::start();
    within(2 * PATIENCE, async {
        let registry = MemoryStore::new(|| 0);
        let mut nodes = [node(&broker, &registry, 1).await, node(&broker, &registry, 2).await];
        let mut people = Vec::new();
        for (site, (service, _)) in nodes.iter().enumerate() {
            people.push(repeat(service, &joined(site as u64)).await.binding.expect("a binding"));
        }
        for n in 1..=15 {
            for (site, (service, _)) in nodes.iter().enumerate() {
                repeat(service, &writes(people[site], n)).await;
            }
        }
        let chat = async |service: &RoomService| {
            // One that starts now may not have read of the room yet.
            let Some(room) = service.snapshot(room("daily")).await else { return (0, Vec::new()) };
            (room.participants.len(), room.chat.into_iter().map(|message| message.text).collect::<Vec<_>>())
        };
        while chat(&nodes[0].0).await.1.len() < 30 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = chat(&nodes[0].0).await;
        while chat(&nodes[1].0).await != before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        broker.kill();
        // Both joins are among them.
        broker.cut("rooms", PARTITION_OF_DAILY, 33);
        broker.start_again();
        let (late, _changes) = node(&broker, &registry, 3).await;
        while nodes.iter().any(|(service, _)| service.counts().refounded == 0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while chat(&late).await != before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for (site, (service, changes)) in nodes.iter_mut().enumerate() {
            let seq = repeat(service, &writes(people[site], 16)).await.seq;
            assert!(seq > 32, "{seq}");
            assert_eq!(service.counts().cuts, 1);
            while let Ok(Applied { change, .. }) = changes.try_recv() {
                assert!(matches!(change, Change::Joined { .. } | Change::ChatSent { .. }), "{change:?}");
            }
        }
        while chat(&late).await.1.len() < 32 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(chat(&late).await, chat(&nodes[1].0).await);
    })
    .await;
}

async fn node(broker: &Broker, registry: &MemoryStore, life: u128) -> (RoomService, mpsc::Receiver<Applied>) {
    let config = NodeConfig::new(format!("node-{life}").parse().expect("a node id"), &Limits::default());
    let log = EventLog::from(broker.log("rooms"));
    RoomService::start(Incarnation(life), ServiceConfig::new(config), log, registry.clone()).await.expect("a log")
}

fn joined(n: u64) -> Proposal {
    let (participant, session) = (ParticipantId(n), SessionId(n));
    let event =
        RoomEvent::Joined { participant, session, name: "P".to_owned(), video_codecs: Vec::new(), address_tag: None };
    Proposal { room: room("daily"), key: ProposalKey::Session { session, n: 0 }, binding: None, event }
}

fn writes(binding: Binding, n: u64) -> Proposal {
    let session = SessionId(binding.participant.0);
    let event = RoomEvent::ChatSent { text: format!("{}-{n}", session.0) };
    Proposal { room: room("daily"), key: ProposalKey::Session { session, n }, binding: Some(binding), event }
}

/// As a client does: the same request with the same number until it has an outcome.
async fn repeat(service: &RoomService, proposal: &Proposal) -> Accepted {
    loop {
        match service.propose(proposal.clone()).await {
            Ok(accepted) => return accepted,
            Err(error) => assert!(error.retryable, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
