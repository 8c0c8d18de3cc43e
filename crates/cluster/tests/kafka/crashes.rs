//! The broker dies and comes back under a node that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use cluster::service::Condition;
use cluster::{Accepted, Applied, EventLog, NodeConfig, Proposal, ProposalKey, RoomService, ServiceConfig};
use protocol::event::{Binding, Logged, Record, RequestKey, RoomEvent};
use protocol::limits::Limits;
use protocol::{ErrorCode, Incarnation, ParticipantId, RoomId, SessionId};
use room::Outcome;
use tokio::sync::{Barrier, mpsc};

use super::broker::Broker;
use super::{PATIENCE, Start, entry, room, tail, within};

/// What is promised to clients: so long until they are told that the log does not answer.
const TOLD_AFTER: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_under_appends_costs_nothing_that_was_acknowledged() {
    let broker = Arc::new(Broker::start());
    let log = EventLog::from(broker.log("rooms"));
    // Shorter than the outage, so that requests are repeated while their first record still waits.
    let (service, changes) = start(&log, Duration::from_millis(700)).await;
    let drained = tokio::spawn(drain(changes));
    let halfway = Arc::new(Barrier::new(ROOMS * PEOPLE + 1));
    let people: Vec<_> = (0..ROOMS * PEOPLE)
        .map(|n| {
            let person = Person::new(service.clone(), n);
            tokio::spawn(person.live(Arc::clone(&halfway)))
        })
        .collect();
    within(PATIENCE, async {
        halfway.wait().await;
        let crashing = Arc::clone(&broker);
        let crash = tokio::task::spawn_blocking(move || {
            crashing.kill();
            crashing.start_again();
        });
        crash.await.expect("Kafka comes back");
        let mut acknowledged = BTreeMap::new();
        for person in people {
            acknowledged.append(&mut person.await.expect("no panic"));
        }
        let history = history(&log).await;
        for (request, seq) in &acknowledged {
            assert_eq!(history.get(request), Some(&vec![*seq]), "{request:?} is there once, as acknowledged");
        }
        for window in history.keys().collect::<Vec<_>>().windows(2) {
            if let [(a, session, _), (b, same, _)] = window
                && (a, session) == (b, same)
            {
                assert!(history[window[0]] < history[window[1]], "the order of {window:?}");
            }
        }
        assert_eq!(acknowledged.len(), ROOMS * PEOPLE * 2 * HALF);
        service.shutdown().await;
    })
    .await;
    drained.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_a_request_fails_in_time_and_succeeds_when_it_is_back() {
    let broker = Arc::new(Broker::start());
    let log = EventLog::from(broker.log("rooms"));
    let (service, changes) = start(&log, TOLD_AFTER).await;
    let drained = tokio::spawn(drain(changes));
    let (appender, stop) = Appender::start(&broker).await;
    assert_eq!(service.condition(), Condition::Works);
    let a = within(PATIENCE, join(&service, 0)).await;
    broker.kill();

    let late = EventLog::from(broker.log("rooms"));
    let (late, late_changes) = within(2 * TOLD_AFTER, start(&late, TOLD_AFTER)).await;
    assert_eq!(late.condition(), Condition::Starting);
    let asked = Proposal { room: room("r0"), key: session_key(0, 1), binding: Some(a), event: renamed(1) };
    let both = async { tokio::join!(service.propose(asked.clone()), late.propose(joined(9))) };
    // A second for a busy machine.
    let (error, late_error) = within(TOLD_AFTER + Duration::from_secs(1), both).await;
    for error in [error.expect_err("Kafka is down"), late_error.expect_err("Kafka is down")] {
        assert_eq!((error.code, error.retryable), (ErrorCode::LogUnavailable, true));
    }
    within(PATIENCE, until(|| service.condition() == Condition::Degraded)).await;

    broker.start_again();
    within(PATIENCE, until(|| service.condition() == Condition::Works && late.condition() == Condition::Works)).await;
    let seq = within(PATIENCE, repeat(&service, &asked)).await.seq;
    assert_eq!(within(PATIENCE, repeat(&service, &asked)).await.seq, seq);
    within(PATIENCE, repeat(&late, &joined(9))).await;
    stop.send(()).expect("it still appends");
    within(PATIENCE, appender).await.expect("no panic");
    drop((drained, late_changes));
}

/// Appends numbers without asking for their fate, and reads them: what came back stays, in the order of appending.
struct Appender;

impl Appender {
    async fn start(broker: &Broker) -> (tokio::task::JoinHandle<()>, tokio::sync::oneshot::Sender<()>) {
        let log = EventLog::from(broker.log("numbers"));
        let mut tail = within(PATIENCE, tail(&log, Start::Oldest)).await;
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let appending = tokio::spawn(async move {
            let (mut read, mut n) = (Vec::new(), 0_u32);
            let mut turn = tokio::time::interval(Duration::from_millis(5));
            loop {
                tokio::select! {
                    entry = entry(&mut tail) => read.push(number(&entry)),
                    _ = turn.tick() => {
                        n += 1;
                        log.append(&room("n"), n.to_be_bytes().to_vec()).expect("room for it");
                    }
                    _ = &mut stopped => break,
                }
            }
            // The last one comes too, as the broker is back.
            n += 1;
            log.append(&room("n"), n.to_be_bytes().to_vec()).expect("room for it");
            while read.last() != Some(&n) {
                read.push(number(&entry(&mut tail).await));
            }
            // What waited for too long while it was on its way may come again, never for the first time.
            let (mut newest, mut seen) = (0, BTreeSet::new());
            for n in &read {
                assert!(!seen.insert(n) || *n > newest, "{n} comes for the first time after {newest}");
                newest = newest.max(*n);
            }
            let mut again = super::tail(&log, Start::Oldest).await;
            for n in read {
                assert_eq!(number(&entry(&mut again).await), n);
            }
        });
        (appending, stop)
    }
}

fn number(entry: &cluster::log::Entry) -> u32 {
    u32::from_be_bytes(entry.value[..].try_into().expect("four bytes"))
}

const ROOMS: usize = 3;
const PEOPLE: usize = 4;
/// Requests of a person before the crash, and again as many after it began.
const HALF: usize = 25;

/// Somebody who renames themselves again and again, each time with the next number.
struct Person {
    service: RoomService,
    n: usize,
}

type Request = (RoomId, u64, u64);

impl Person {
    fn new(service: RoomService, n: usize) -> Self {
        Self { service, n }
    }

    async fn live(self, halfway: Arc<Barrier>) -> BTreeMap<Request, u64> {
        let binding = join(&self.service, self.n).await;
        let mut acknowledged = BTreeMap::new();
        self.ask(binding, 0..HALF, &mut acknowledged).await;
        halfway.wait().await;
        self.ask(binding, HALF..2 * HALF, &mut acknowledged).await;
        acknowledged
    }

    async fn ask(&self, binding: Binding, numbers: Range<usize>, acknowledged: &mut BTreeMap<Request, u64>) {
        for n in numbers {
            let (room, n) = (room_of(self.n), n as u64 + 1);
            let key = session_key(self.n, n);
            let proposal = Proposal { room: room.clone(), key, binding: Some(binding), event: renamed(n) };
            let Accepted { seq, .. } = repeat(&self.service, &proposal).await;
            acknowledged.insert((room, self.n as u64, n), seq);
        }
    }
}

/// What a reader who comes later makes of the log: of each request of a session, where it was accepted.
async fn history(log: &EventLog) -> BTreeMap<Request, Vec<u64>> {
    let mut tail = tail(log, Start::Oldest).await;
    let (mut rooms, mut history) = (BTreeMap::new(), BTreeMap::<_, Vec<u64>>::new());
    while !tail.is_caught_up() {
        let entry = entry(&mut tail).await;
        let record: Record = serde_json::from_slice(&entry.value).expect("a record");
        let room = rooms.entry(entry.room.clone()).or_insert_with(|| room::Room::new(entry.room.clone()));
        let logged = Logged { offset: entry.offset, time_ms: entry.time_ms, record };
        if let (Outcome::Accepted { accepted, .. }, RequestKey::Session { session, n: n @ 1.. }) =
            (room::apply(room, &logged), logged.record.key)
        {
            history.entry((entry.room, session.0, n)).or_default().push(accepted.seq);
        }
    }
    history
}

async fn start(log: &EventLog, answer_timeout: Duration) -> (RoomService, mpsc::Receiver<Applied>) {
    let mut node = NodeConfig::new("node-1".parse().expect("a node id"), &Limits::default());
    node.answer_timeout = answer_timeout;
    RoomService::start(Incarnation(1), ServiceConfig::new(node), log.clone(), cluster::MemoryStore::new(|| 0))
        .await
        .expect("a log that fits")
}

async fn drain(mut changes: mpsc::Receiver<Applied>) {
    while changes.recv().await.is_some() {}
}

/// As a client does: the same request with the same number until it has an outcome.
async fn repeat(service: &RoomService, proposal: &Proposal) -> Accepted {
    loop {
        match service.propose(proposal.clone()).await {
            Ok(accepted) => return accepted,
            Err(error) => assert_eq!(error.code, ErrorCode::LogUnavailable, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn join(service: &RoomService, n: usize) -> Binding {
    repeat(service, &joined(n)).await.binding.expect("a binding")
}

fn joined(n: usize) -> Proposal {
    let (participant, session) = (ParticipantId(n as u64), SessionId(n as u64));
    let event =
        RoomEvent::Joined { participant, session, name: "P".to_owned(), video_codecs: Vec::new(), address_tag: None };
    Proposal { room: room_of(n), key: ProposalKey::Session { session, n: 0 }, binding: None, event }
}

fn renamed(n: u64) -> RoomEvent {
    RoomEvent::Renamed { name: n.to_string() }
}

fn session_key(session: usize, n: u64) -> ProposalKey {
    ProposalKey::Session { session: SessionId(session as u64), n }
}

fn room_of(n: usize) -> RoomId {
    room(&format!("r{}", n % ROOMS))
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
