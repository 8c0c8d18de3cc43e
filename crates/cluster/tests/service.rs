//! The service over the memory log, on tokio's virtual clock.

use std::time::Duration;

use cluster::log::{MemoryLog, MemoryLogConfig};
use cluster::{Applied, NodeConfig, Proposal, ProposalKey, RoomService, ServiceConfig};
use protocol::event::{Binding, RoomEvent};
use protocol::limits::Limits;
use protocol::{ErrorCode, Incarnation, MediaKind, ParticipantId, RoomId, SessionId, Source};
use room::Change;
use tokio::sync::mpsc;
use tokio::time::Instant;

async fn start(configure: impl FnOnce(&mut ServiceConfig)) -> (RoomService, mpsc::Receiver<Applied>) {
    let node = NodeConfig::new("node-1".parse().expect("a node id"), &Limits::default());
    let mut config = ServiceConfig::new(node);
    configure(&mut config);
    let start = Instant::now();
    let clock = move || u64::try_from(start.elapsed().as_millis()).expect("a short test");
    let log = MemoryLog::new(MemoryLogConfig::default(), clock);
    RoomService::start(Incarnation(1), config, log, cluster::MemoryStore::new(|| 0)).await.expect("a log")
}

fn daily() -> RoomId {
    "daily".parse().expect("a room name")
}

fn join(participant: u64) -> Proposal {
    let session = SessionId(participant);
    let event = RoomEvent::Joined {
        participant: ParticipantId(participant),
        session,
        name: "P".to_owned(),
        video_codecs: Vec::new(),
        address_tag: None,
    };
    Proposal { room: daily(), key: ProposalKey::Session { session, n: 0 }, binding: None, event }
}

fn about(binding: Option<Binding>, event: RoomEvent) -> Proposal {
    Proposal { room: daily(), key: ProposalKey::Node, binding, event }
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_after_every_change_that_it_covers() {
    let (service, mut changes) = start(|_| {}).await;
    for participant in 1..=50 {
        let answer = service.propose(join(participant)).await.expect("joined");
        let mut newest = 0;
        while let Ok(applied) = changes.try_recv() {
            newest = applied.seq;
        }
        assert_eq!(newest, answer.seq);
        assert_eq!(answer.snapshot.map(|snapshot| snapshot.seq), Some(answer.seq));
    }
    assert_eq!(service.counts().participants, 50);
}

#[tokio::test(start_paused = true)]
async fn changes_are_in_the_order_of_the_log() {
    let (service, mut changes) = start(|_| {}).await;
    let a = service.propose(join(1)).await.expect("joined").binding;
    let source = Source::Mic;
    let events = [
        RoomEvent::ProducerAdded { source, kind: MediaKind::Audio, paused: true },
        RoomEvent::ProducerResumed { source },
        RoomEvent::ProducerClosed { source },
        RoomEvent::Left {},
    ];
    for event in events {
        service.propose(about(a, event)).await.expect("accepted");
    }
    let mut seqs = Vec::new();
    loop {
        let applied = changes.recv().await.expect("a change");
        seqs.push(applied.seq);
        if applied.change == Change::Ended {
            break;
        }
    }
    assert_eq!(seqs, [3, 4, 5, 6, 7, 7]);
    assert_eq!((service.snapshot(daily()).await, service.counts().rooms), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn who_is_held_leaves_after_the_grace_time() {
    let (service, mut changes) = start(|_| {}).await;
    service.propose(join(1)).await.expect("joined");
    let b = service.propose(join(2)).await.expect("joined").binding;
    service.propose(about(b, RoomEvent::Held { closing: false })).await.expect("held");
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(service.snapshot(daily()).await.map(|room| room.participants.len()), Some(2));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(service.snapshot(daily()).await.map(|room| room.participants.len()), Some(1));
    let mut left = 0;
    while let Ok(applied) = changes.try_recv() {
        left += usize::from(matches!(applied.change, Change::Left { .. }));
    }
    assert_eq!(left, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_explains_itself() {
    let (service, _changes) = start(|_| {}).await;
    let error = service.propose(about(None, RoomEvent::Left {})).await.expect_err("nobody is in");
    assert_eq!((error.code, error.retryable), (ErrorCode::NotJoined, false));
    assert!(error.message.contains("join"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reads_slowly_slows_the_node_and_loses_nothing() {
    let (service, mut changes) = start(|config| config.applied_max = 1).await;
    let joins: Vec<_> = (1..=20)
        .map(|participant| {
            let service = service.clone();
            tokio::spawn(async move { service.propose(join(participant)).await })
        })
        .collect();
    let mut seqs = Vec::new();
    while seqs.len() < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        seqs.push(changes.recv().await.expect("a change").seq);
    }
    assert_eq!(seqs, (3..23).collect::<Vec<u64>>());
    for join in joins {
        join.await.expect("no panic").expect("joined");
    }
}

#[tokio::test(start_paused = true)]
async fn after_shutdown_nothing_is_taken_and_changes_end() {
    let (service, mut changes) = start(|_| {}).await;
    let under_way = tokio::spawn({
        let service = service.clone();
        async move { service.propose(join(1)).await }
    });
    tokio::task::yield_now().await;
    service.shutdown().await;
    under_way.await.expect("no panic").expect("what was under way has its answer");
    let error = service.propose(join(2)).await.expect_err("the node stopped");
    assert_eq!((error.code, error.retryable), (ErrorCode::Draining, true));
    assert!(matches!(changes.recv().await.map(|applied| applied.change), Some(Change::Joined { .. })));
    assert_eq!(changes.recv().await, None);
    service.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_node_stops_with_its_last_handle() {
    let (service, mut changes) = start(|_| {}).await;
    service.propose(join(1)).await.expect("joined");
    drop(service);
    assert!(changes.recv().await.is_some());
    assert_eq!(changes.recv().await, None);
}
