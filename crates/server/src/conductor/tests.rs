//! The conductor with a real log and real media workers; only sockets and packets are missing.

mod codecs;
mod crowds;
mod data;
mod lobby;
mod moderation;
mod nodes;
mod signals;
mod workers;

use std::num::NonZeroU8;
use std::time::Duration;

use cluster::log::MemoryLogConfig;
use cluster::store::MemoryStore;
use cluster::{LinkConfig, MemoryLog, NodeConfig, ServiceConfig};
use protocol::Incarnation;
use protocol::request::{ConsumeResult, Join, Resume, Welcome};
use protocol::{ConsumerId, MediaKind, Notification, ProducerId, RtpParameters, Source, TransportId};
use serde_json::{Value, json};
use sfu::dtls::Identity;
use sfu::worker::ListenAddr;
use sfu_io::PoolConfig;
use signaling::{News, OutboxReceiver, Outgoing, outbox};

use super::media::Media;
use super::*;
use crate::http::Monitor as _;

/// Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn conductor_with(workers: usize, limits: Limits) -> Conductor {
    node("test", 1, log(), MemoryStore::new(|| 0), workers, limits).await
}

fn log() -> MemoryLog {
    MemoryLog::new(MemoryLogConfig::default(), || u64::try_from(unix_time().as_millis()).expect("milliseconds fit"))
}

/// A node beside others, if they share its log and its store.
async fn node(name: &str, life: u128, log: MemoryLog, store: MemoryStore, workers: usize, limits: Limits) -> Conductor {
    let listen = ListenAddr { local: "127.0.0.1:0".parse().expect("an address"), announced: Vec::new() };
    let mut config = PoolConfig::new(vec![listen], Identity::generate().expect("a certificate"), [7; 32]);
    config.workers = workers.try_into().ok();
    config.pin = false;
    let (pool, events) = WorkerPool::start(&config).expect("workers");
    let (clustered, life) = (name != "test", Incarnation(life));
    let name: NodeId = name.parse().expect("a name");
    let relaying = clustered.then(|| {
        let (node, secrets) = (name.clone(), vec!["the secret of a cluster of tests, long enough".to_owned()]);
        let listen = "127.0.0.1:0".parse().expect("an address");
        let (links, events) = Links::start(LinkConfig { node, life, secrets, listen }).expect("a link");
        Relaying { links, events, socket: 0 }
    });
    let link = relaying.as_ref().map(|relaying| relaying.links.local_address());
    let node = ServiceConfig { link, ..ServiceConfig::new(NodeConfig::new(name, &limits)) };
    let (rooms, changes) = RoomService::start(life, node, log, store).await.expect("a log");
    Conductor::start(Parts {
        rooms,
        changes,
        pool,
        events,
        tokens: Tokens::new([b"a secret for tests only, as long as it has to be".as_slice()]),
        ice_servers: IceServers::none(),
        clustered,
        relaying,
        limits,
        phase: Arc::default(),
        signaling: Arc::default(),
    })
}

async fn conductor() -> Conductor {
    conductor_with(1, Limits::default()).await
}

/// A page: its socket and what it knows.
struct Page {
    handle: SessionHandle,
    welcome: Welcome,
    inbox: OutboxReceiver,
    n: u64,
    conductor: Conductor,
}

impl Page {
    async fn join(conductor: &Conductor, room: &str, name: &str) -> Self {
        Self::try_join(conductor, room, name, None).await.expect("joined")
    }

    async fn try_join(
        conductor: &Conductor,
        room: &str,
        name: &str,
        resume_token: Option<String>,
    ) -> Result<Self, ErrorBody> {
        Self::try_join_with(conductor, room, name, resume_token, true).await
    }

    /// The same with data channels or without.
    async fn try_join_with(
        conductor: &Conductor,
        room: &str,
        name: &str,
        resume_token: Option<String>,
        enable_sctp: bool,
    ) -> Result<Self, ErrorBody> {
        let room = room.parse().expect("a room's name");
        let place = conductor.join_place(room, JoinPlace { resume_token, avoid: Vec::new() }).await?;
        let join =
            Join { name: name.to_owned(), rtp_capabilities: place.router_rtp_capabilities.into_owned(), enable_sctp };
        Self::connect(conductor, ConnectAuth { token: place.token, join: Some(join), resume: None }).await
    }

    async fn resume(conductor: &Conductor, token: &str) -> Result<Self, ErrorBody> {
        let auth = ConnectAuth {
            token: token.to_owned(),
            join: None,
            resume: Some(Resume { seq: 0, rtp_capabilities: None, enable_sctp: false }),
        };
        Self::connect(conductor, auth).await
    }

    async fn connect(conductor: &Conductor, auth: ConnectAuth) -> Result<Self, ErrorBody> {
        let (outbox, inbox) = outbox();
        let address = "192.0.2.1".parse().expect("an address");
        let (handle, opening) = conductor.connect(auth, address, outbox).await?;
        let Opening::Welcome(welcome) = opening else { panic!("has to wait") };
        let welcome = *welcome;
        Ok(Self { handle, welcome, inbox, n: 0, conductor: conductor.clone() })
    }

    async fn request(&mut self, request: Request) -> Result<Reply, ErrorBody> {
        self.n += 1;
        self.repeat(request).await
    }

    async fn repeat(&self, request: Request) -> Result<Reply, ErrorBody> {
        self.conductor.request(self.handle, self.n, request).await
    }

    async fn produce(&mut self, source: Source) -> ProducerId {
        let transport_id = self.send_transport();
        match self.request(produce(transport_id, source)).await {
            Ok(Reply::Produce { id }) => id,
            other => panic!("not produced: {other:?}"),
        }
    }

    async fn consume(&mut self, producer: ProducerId) -> Result<ConsumerId, ErrorBody> {
        let transport_id = self.recv_transport();
        match self.request(Request::Consume { transport_id, producer_ids: vec![producer] }).await?.into_first() {
            ConsumeResult::Consumer(options) => Ok(options.id),
            ConsumeResult::Refused { error, .. } => Err(error),
        }
    }

    fn send_transport(&self) -> TransportId {
        self.welcome.send_transport.as_ref().expect("a send transport").id
    }

    fn recv_transport(&self) -> TransportId {
        self.welcome.recv_transport.as_ref().expect("a receive transport").id
    }

    fn id(&self) -> ParticipantId {
        self.welcome.participant_id
    }

    async fn next(&mut self) -> Outgoing {
        let next = tokio::time::timeout(PATIENCE, self.inbox.recv()).await;
        next.expect("something in time").expect("an open socket")
    }

    async fn hears(&mut self, wanted: impl Fn(&Notification) -> bool) -> Notification {
        match self.next().await {
            Outgoing::Notify(heard) if wanted(&heard) => (*heard).clone(),
            other => panic!("heard something else: {other:?}"),
        }
    }

    /// Breaks the socket.
    fn vanish(self) -> (String, Option<TransportId>) {
        self.conductor.disconnected(self.handle, false);
        (self.welcome.session_token, self.welcome.send_transport.map(|transport| transport.id))
    }
}

trait First {
    fn into_first(self) -> ConsumeResult;
}

impl First for Reply {
    fn into_first(self) -> ConsumeResult {
        match self {
            Reply::Consume { consumers } => consumers.into_iter().next().expect("one result"),
            other => panic!("not about consumers: {other:?}"),
        }
    }
}

fn produce(transport_id: TransportId, source: Source) -> Request {
    let encodings = json!([{ "ssrc": 1000 + source as u32 }]);
    produce_encodings(transport_id, source, "VP8", &encodings)
}

fn produce_encodings(transport_id: TransportId, source: Source, video: &str, encodings: &Value) -> Request {
    let kind = source.kind();
    let codec = match kind {
        MediaKind::Audio => json!({ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2 }),
        MediaKind::Video => json!({ "mimeType": format!("video/{video}"), "payloadType": 96, "clockRate": 90000 }),
    };
    let rtp_parameters: RtpParameters = serde_json::from_value(json!({
        "mid": (source as u8).to_string(),
        "codecs": [codec],
        "encodings": encodings,
        "rtcp": { "cname": "page" },
    }))
    .expect("parameters");
    Request::Produce { transport_id, source, kind, rtp_parameters, paused: false }
}

/// Waits until nobody has a consumer any more.
async fn no_consumers(conductor: &Conductor) {
    let none = async {
        while conductor.0.registry().counts().consumers > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, none).await.expect("they end with their producers");
}

/// Waits until what crosses is so much.
async fn crossing<T: PartialEq + std::fmt::Debug>(
    conductor: &Conductor,
    of: impl Fn(cluster::relay::RelayCounts) -> T,
    expected: T,
) {
    let counts = || of(conductor.0.relays.counts());
    let settled = async {
        while counts() != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let result = tokio::time::timeout(PATIENCE, settled).await;
    assert!(result.is_ok(), "{:?} instead of {expected:?}", counts());
}

/// Where a page's transports are.
fn seat(conductor: &Conductor, page: &Page) -> Media {
    conductor.0.registry().seat(&"daily".parse().expect("a room"), page.id()).expect("a seat")
}

async fn worker_stats(conductor: &Conductor) -> sfu::WorkerStats {
    let worker = conductor.pool().workers().first().expect("a worker").clone();
    worker.call(|worker, _| worker.stats()).await.expect("an answer")
}

#[tokio::test]
async fn the_snapshot_and_what_follows_leave_nothing_out() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", " Anna ").await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let names: Vec<&str> = ben.welcome.room.participants.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["Anna", "Ben"]);
    assert_eq!(anna.welcome.room.participants.len(), 1);

    let seq = anna.welcome.room.seq;
    anna.hears(|n| matches!(n, Notification::ParticipantJoined { seq: s, participant } if *s > seq && participant.name == "Ben"))
        .await;
    let mic = anna.produce(Source::Mic).await;
    // The first thing that Ben hears: not his own joining, which his snapshot has.
    ben.hears(|n| matches!(n, Notification::ProducerAdded { producer, .. } if producer.id == mic)).await;
    anna.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
}

#[tokio::test]
async fn rooms_do_not_hear_each_other() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mut eve = Page::join(&conductor, "other", "Eve").await;
    let mic = anna.produce(Source::Mic).await;
    assert_eq!(eve.consume(mic).await.expect_err("another room").code, ErrorCode::NotFound);
    eve.produce(Source::Camera).await;
    eve.hears(
        |n| matches!(n, Notification::ProducerAdded { participant_id, .. } if *participant_id != mic.participant),
    )
    .await;
}

#[tokio::test]
async fn producers_are_consumed_muted_and_closed() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let camera = anna.produce(Source::Camera).await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let consumer_id = ben.consume(camera).await.expect("consumed");
    assert!(ben.request(Request::ResumeConsumer { consumer_id }).await.is_ok());

    anna.request(Request::PauseProducer { producer_id: camera }).await.expect("paused");
    ben.hears(|n| matches!(n, Notification::ProducerPaused { producer_id, .. } if *producer_id == camera)).await;
    anna.request(Request::ResumeProducer { producer_id: camera }).await.expect("resumed");
    ben.hears(|n| matches!(n, Notification::ProducerResumed { .. })).await;

    anna.request(Request::CloseProducer { producer_id: camera }).await.expect("closed");
    ben.hears(|n| matches!(n, Notification::ProducerClosed { producer_id, .. } if *producer_id == camera)).await;
    no_consumers(&conductor).await;
    // Of the consumer's end he was told by that.
    anna.produce(Source::Mic).await;
    ben.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    let again = ben.request(Request::CloseConsumer { consumer_id }).await;
    assert_eq!(again.expect_err("it is gone").code, ErrorCode::NotFound);
    assert_eq!(worker_stats(&conductor).await.consumers, 0);
}

#[tokio::test]
async fn a_source_published_again_keeps_its_consumers() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let mic = anna.produce(Source::Mic).await;
    ben.consume(mic).await.expect("consumed");
    assert_eq!(anna.produce(Source::Mic).await, mic);
    let stats = worker_stats(&conductor).await;
    assert_eq!((stats.producers, stats.consumers), (1, 1));

    // Closed and published at once again: the late news of the close does not touch the new one.
    for _ in 0..20 {
        anna.request(Request::CloseProducer { producer_id: mic }).await.expect("closed");
        anna.produce(Source::Mic).await;
    }
    anna.request(Request::PauseProducer { producer_id: mic }).await.expect("paused");
    let paused = |news: &News| matches!(**news, Notification::ProducerPaused { .. });
    while !matches!(ben.next().await, Outgoing::Notify(news) if paused(&news)) {}
    assert_eq!(worker_stats(&conductor).await.producers, 1);
}

#[tokio::test]
async fn a_repeated_number_is_answered_and_not_carried_out_again() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let request = || Request::CreateWebRtcTransport { direction: protocol::request::Direction::Send };
    let Ok(Reply::Transport(first)) = anna.request(request()).await else { panic!("a transport") };
    let Ok(Reply::Transport(again)) = anna.repeat(request()).await else { panic!("a transport") };
    assert_eq!(first.id, again.id);
    assert_ne!(first.id, anna.send_transport());
    assert_eq!(worker_stats(&conductor).await.transports, 2);

    let mic = match anna.request(produce(first.id, Source::Mic)).await {
        Ok(Reply::Produce { id }) => id,
        other => panic!("not produced: {other:?}"),
    };
    assert!(matches!(anna.repeat(produce(first.id, Source::Mic)).await, Ok(Reply::Produce { id }) if id == mic));
    anna.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    anna.request(Request::CloseProducer { producer_id: mic }).await.expect("closed");
    anna.hears(|n| matches!(n, Notification::ProducerClosed { .. })).await;
}

#[tokio::test]
async fn a_leave_leaves_under_a_number_that_was_used() {
    let conductor = conductor().await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    ben.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    anna.produce(Source::Mic).await;
    ben.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    let id = anna.id();
    assert!(matches!(anna.repeat(Request::Leave {}).await, Ok(Reply::Done {})));
    ben.hears(|n| matches!(n, Notification::ParticipantLeft { participant_id, .. } if *participant_id == id)).await;
    assert_eq!(anna.repeat(Request::Leave {}).await.expect_err("gone").code, ErrorCode::NotJoined);
    let back = Page::resume(&conductor, &anna.welcome.session_token).await.map(drop);
    assert_eq!(back.expect_err("left").code, ErrorCode::SessionExpired);
}

#[tokio::test]
async fn what_belongs_to_others_cannot_be_touched() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mic = anna.produce(Source::Mic).await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let consumer_id = ben.consume(mic).await.expect("consumed");
    let (transport_id, recv) = (anna.send_transport(), ben.recv_transport());
    for request in [
        Request::RestartIce { transport_id },
        produce(transport_id, Source::Mic),
        produce(recv, Source::Mic),
        Request::PauseProducer { producer_id: mic },
        Request::CloseProducer { producer_id: mic },
        Request::Consume { transport_id, producer_ids: vec![mic] },
    ] {
        let event = format!("{request:?}");
        assert_eq!(ben.request(request).await.expect_err(&event).code, ErrorCode::NotFound, "{event}");
    }
    let touched = anna.request(Request::CloseConsumer { consumer_id }).await;
    assert_eq!(touched.expect_err("not hers").code, ErrorCode::NotFound);
    let wrong_kind = Request::Produce {
        transport_id,
        source: Source::Mic,
        kind: MediaKind::Video,
        rtp_parameters: RtpParameters::default(),
        paused: false,
    };
    assert_eq!(anna.request(wrong_kind).await.expect_err("not a picture").code, ErrorCode::BadRequest);
    let many = Request::Consume { transport_id: recv, producer_ids: vec![mic; 101] };
    assert_eq!(ben.request(many).await.expect_err("too many").code, ErrorCode::BadRequest);
    assert_eq!(worker_stats(&conductor).await.producers, 1);
}

#[tokio::test]
async fn consumers_are_limited_and_the_others_still_come() {
    let limits = Limits { consumers_per_participant_max: 2, ..Limits::default() };
    let conductor = conductor_with(1, limits).await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mic = anna.produce(Source::Mic).await;
    let missing = ProducerId { source: Source::Screen, ..mic };
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let request = Request::Consume { transport_id: ben.recv_transport(), producer_ids: vec![missing, mic, mic] };
    let Ok(Reply::Consume { consumers }) = ben.request(request).await else { panic!("results") };
    let codes: Vec<Option<ErrorCode>> = consumers
        .iter()
        .map(|result| match result {
            ConsumeResult::Consumer(_) => None,
            ConsumeResult::Refused { error, .. } => Some(error.code),
        })
        .collect();
    assert_eq!(codes, [Some(ErrorCode::NotFound), None, Some(ErrorCode::LimitReached)]);
    // What was not made does not count.
    assert!(ben.consume(mic).await.is_ok());
}

#[tokio::test]
async fn a_client_asks_how_its_own_transports_do_and_says_which_consumer_comes_first() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let camera = anna.produce(Source::Camera).await;
    let consumer_id = ben.consume(camera).await.expect("a consumer");

    let transport_id = ben.recv_transport();
    let Ok(Reply::Stats(stats)) = ben.request(Request::GetStats { transport_id }).await else { panic!("figures") };
    assert_eq!((stats.transport_id, stats.connected, stats.producers.len()), (transport_id, false, 0));
    let [consumer] = &stats.consumers[..] else { panic!("one consumer") };
    assert_eq!((consumer.consumer_id, consumer.producer_id), (consumer_id, camera));
    let refused = anna.request(Request::GetStats { transport_id }).await.expect_err("it is Ben's");
    assert_eq!(refused.code, ErrorCode::NotFound);

    let priority = NonZeroU8::MAX;
    ben.request(Request::SetPriority { consumer_id, priority }).await.expect("it is his");
    let refused = anna.request(Request::SetPriority { consumer_id, priority }).await.expect_err("it is Ben's");
    assert_eq!(refused.code, ErrorCode::NotFound);

    let metrics = conductor.0.metrics_text().await;
    let none = "hyperion_worker_consumers_by_score{worker=\"0\",kind=\"video\",score=\"10\"} 0\n";
    assert!(metrics.contains(none), "who is paused does not count: {metrics}");
    assert!(metrics.contains("hyperion_worker_transports_by_round_trip{worker=\"0\",ms=\"100\"} 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_broken_socket_comes_back_to_what_it_had_and_nobody_notices() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let mic = anna.produce(Source::Mic).await;
    let (id, transports) = (anna.id(), worker_stats(&conductor).await.transports);
    let n = anna.n;
    let (token, _) = anna.vanish();
    let camera = ben.produce(Source::Camera).await;

    let mut anna = Page::resume(&conductor, &token).await.expect("resumed");
    anna.n = n;
    assert_eq!(anna.id(), id);
    assert!(anna.welcome.send_transport.is_none() && anna.welcome.recv_transport.is_none());
    let producers = anna.welcome.room.participants.iter().flat_map(|p| &p.producers).map(|p| p.id);
    assert_eq!(producers.collect::<Vec<_>>(), [mic, camera]);
    assert_eq!(worker_stats(&conductor).await.transports, transports);

    anna.request(Request::PauseProducer { producer_id: mic }).await.expect("still hers");
    ben.hears(|n| matches!(n, Notification::ProducerAdded { participant_id, .. } if *participant_id == id)).await;
    ben.hears(|n| matches!(n, Notification::ProducerAdded { producer, .. } if producer.id == camera)).await;
    ben.hears(|n| matches!(n, Notification::ProducerPaused { .. })).await;
    anna.hears(|n| matches!(n, Notification::ProducerPaused { .. })).await;
}

#[tokio::test]
async fn a_session_token_ends_when_the_next_one_arrived() {
    let conductor = conductor().await;
    let (first, _) = Page::join(&conductor, "daily", "Anna").await.vanish();
    // Two welcomes are lost on their way.
    let lost = Page::resume(&conductor, &first).await.expect("resumed");
    let (second, _) = lost.vanish();
    let mut zombie = Page::resume(&conductor, &first).await.expect("resumed");
    let mut anna = Page::resume(&conductor, &second).await.expect("resumed");
    assert_eq!(zombie.next().await, Outgoing::Close(ErrorCode::Superseded));

    let direction = protocol::request::Direction::Recv;
    anna.request(Request::CreateWebRtcTransport { direction }).await.expect("hers");
    let old = Page::resume(&conductor, &first).await.map(drop);
    assert_eq!(old.expect_err("used").code, ErrorCode::Superseded);
    let of_old_socket = zombie.request(Request::CreateWebRtcTransport { direction }).await;
    assert_eq!(of_old_socket.expect_err("taken over").code, ErrorCode::NotJoined);
}

#[tokio::test]
async fn a_reload_is_the_same_participant_and_its_consumers_go_on() {
    let conductor = conductor().await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    ben.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let mic = anna.produce(Source::Mic).await;
    ben.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    ben.consume(mic).await.expect("consumed");

    let token = anna.welcome.session_token.clone();
    let elsewhere = Page::try_join(&conductor, "other", "Anna", Some(token.clone())).await.map(drop);
    assert_eq!(elsewhere.expect_err("another room").code, ErrorCode::Unauthorized);
    let mut again = Page::try_join(&conductor, "daily", "Anna II", Some(token.clone())).await.expect("joined");
    assert_eq!(again.id(), anna.id());
    anna.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    while anna.next().await != Outgoing::Close(ErrorCode::Superseded) {}
    conductor.disconnected(anna.handle, false);

    ben.hears(|n| matches!(n, Notification::ParticipantUpdated { name, .. } if name == "Anna II")).await;
    assert_eq!(again.produce(Source::Mic).await, mic);
    ben.hears(|n| matches!(n, Notification::ProducerAdded { producer, .. } if producer.id == mic)).await;
    let stats = worker_stats(&conductor).await;
    assert_eq!((stats.transports, stats.producers, stats.consumers), (4, 1, 1));
    let used = Page::try_join(&conductor, "daily", "Anna", Some(token)).await.map(drop);
    assert_eq!(used.expect_err("used").code, ErrorCode::SessionExpired);
}

#[tokio::test]
async fn who_stays_away_for_too_long_is_gone() {
    let conductor = conductor_with(1, Limits { grace_ms: 1, ..Limits::default() }).await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    ben.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let mic = anna.produce(Source::Mic).await;
    ben.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    ben.consume(mic).await.expect("consumed");
    let id = anna.id();
    let (token, _) = anna.vanish();
    ben.hears(|n| matches!(n, Notification::ParticipantLeft { participant_id, .. } if *participant_id == id)).await;
    no_consumers(&conductor).await;
    let late = Page::resume(&conductor, &token).await.map(drop);
    assert_eq!(late.expect_err("too late").code, ErrorCode::SessionExpired);
    assert_eq!(worker_stats(&conductor).await.transports, 2);
}

#[tokio::test]
async fn rooms_that_end_leave_nothing_behind() {
    let conductor = conductor().await;
    for cycle in 0..3 {
        let mut pages = Vec::new();
        for room in 0..20 {
            let mut page = Page::join(&conductor, &format!("room-{room}"), "Anna").await;
            page.produce(Source::Mic).await;
            pages.push(page);
        }
        assert_eq!(worker_stats(&conductor).await.routers, 20, "cycle {cycle}");
        for page in &mut pages {
            page.request(Request::Leave {}).await.expect("left");
            let left = |news: &News| matches!(**news, Notification::ParticipantLeft { .. });
            let other = |next: Outgoing| !matches!(next, Outgoing::Notify(news) if left(&news));
            while page.inbox.recv().await.is_some_and(other) {}
            conductor.disconnected(page.handle, false);
        }
        let mut last = Page::join(&conductor, "room-0", "Ben").await;
        last.request(Request::Leave {}).await.expect("left");
        while last.inbox.recv().await.is_some() {}
        wait_for_empty(&conductor).await;
    }
}

async fn wait_for_empty(conductor: &Conductor) {
    let empty = async {
        while conductor.0.registry().counts() != Default::default() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("nothing is left");
    let stats = worker_stats(conductor).await;
    assert_eq!((stats.routers, stats.transports, stats.producers, stats.consumers), (0, 0, 0, 0));
}

#[tokio::test]
async fn everybody_is_in_the_order_of_one_log() {
    let conductor = conductor().await;
    let mut tasks = Vec::new();
    for name in 0..20 {
        let conductor = conductor.clone();
        tasks.push(tokio::spawn(async move {
            let mut page = Page::join(&conductor, "daily", &format!("P{name}")).await;
            page.produce(Source::Mic).await;
            page
        }));
    }
    let mut pages = Vec::new();
    for task in tasks {
        pages.push(task.await.expect("joined"));
    }
    // Everyone's snapshot plus what they heard makes the same room.
    for page in &mut pages {
        let mut people: Vec<ParticipantId> = page.welcome.room.participants.iter().map(|p| p.id).collect();
        let snapshot = page.welcome.room.participants.iter().flat_map(|p| &p.producers);
        let mut producers: Vec<ProducerId> = snapshot.map(|p| p.id).collect();
        let mut last = page.welcome.room.seq;
        while people.len() < 20 || producers.len() < 20 {
            let Outgoing::Notify(news) = page.next().await else { panic!("closed") };
            match &*news {
                Notification::ParticipantJoined { seq, participant } => {
                    assert!(*seq > last && !people.contains(&participant.id));
                    people.push(participant.id);
                    last = *seq;
                }
                Notification::ProducerAdded { seq, producer, .. } => {
                    assert!(*seq > last && !producers.contains(&producer.id));
                    producers.push(producer.id);
                    last = *seq;
                }
                other => panic!("heard something else: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_dead_worker_sends_its_people_to_another() {
    let conductor = conductor_with(2, Limits::default()).await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let media = seat(&conductor, &anna);
    let fault = media.worker.call::<(), _>(|_, _| panic!("a fault, for this test")).await;
    assert!(fault.is_err());
    while anna.next().await != Outgoing::Close(ErrorCode::Internal) {}
    let (token, send) = anna.vanish();
    let anna = Page::resume(&conductor, &token).await.expect("resumed");
    assert_ne!(Some(anna.send_transport()), send);
    let elsewhere = seat(&conductor, &anna);
    assert_ne!(elsewhere.worker.index(), media.worker.index());
}

#[tokio::test]
async fn the_only_worker_is_replaced_and_its_people_come_back() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    anna.produce(Source::Mic).await;
    die(&conductor).await;
    while anna.next().await != Outgoing::Close(ErrorCode::Internal) {}
    assert_eq!(conductor.condition(), Condition::Works, "the first time it is replaced before anybody is told");
    let n = anna.n;
    let (token, _) = anna.vanish();
    let mut anna = Page::resume(&conductor, &token).await.expect("resumed");
    anna.n = n;
    let mic = anna.produce(Source::Mic).await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    ben.consume(mic).await.expect("consumed");
    assert_eq!(worker_stats(&conductor).await.consumers, 1);

    // One that dies again at once is given a pause.
    die(&conductor).await;
    while ben.next().await != Outgoing::Close(ErrorCode::Internal) {}
    let replaced = async {
        while conductor.condition() != Condition::Works {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.expect("replaced");
    Page::join(&conductor, "daily", "Carl").await;
    let metrics = conductor.0.metrics_text().await;
    assert!(metrics.contains("hyperion_worker_deaths_total{worker=\"0\"} 2\n"), "{metrics}");
    assert!(metrics.contains("hyperion_join_duration_seconds_count 3\n"), "{metrics}");
}

#[tokio::test]
async fn who_arrives_while_the_worker_dies_is_sent_back_for_new_transports() {
    let conductor = conductor().await;
    let (token, _) = Page::join(&conductor, "daily", "Anna").await.vanish();
    let worker = conductor.pool().workers().first().expect("a worker").clone();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    drop(worker.call(move |_, _| (entered.send(()), held.recv())));
    inside.await.expect("the worker is occupied");
    let arriving = {
        let (conductor, token) = (conductor.clone(), token.clone());
        tokio::spawn(async move { Page::resume(&conductor, &token).await })
    };
    while worker.metrics().command_depth == 0 {
        tokio::task::yield_now().await;
    }
    conductor.0.registry().take_worker(worker.index());
    drop(release);
    let mut anna = arriving.await.expect("no panic").expect("resumed");
    assert_eq!(anna.next().await, Outgoing::Close(ErrorCode::Internal));
    let anna = Page::resume(&conductor, &anna.vanish().0).await.expect("resumed");
    assert!(anna.welcome.send_transport.is_some() && anna.welcome.recv_transport.is_some());
}

async fn die(conductor: &Conductor) {
    let worker = conductor.pool().workers().first().expect("a worker").clone();
    let died = worker.call::<(), _>(|_, _| panic!("a fault, for this test")).await;
    assert!(died.is_err());
}

#[tokio::test]
async fn what_somebody_writes_everybody_reads_once_and_those_who_come_later_too() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    anna.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let say = |text: &str| Request::SendChatMessage { text: text.to_owned() };
    anna.request(say("  hello\nBen ")).await.expect("written");
    anna.repeat(say("another text under the same number")).await.expect("the outcome of the first");
    ben.request(say("hi")).await.expect("written");
    for page in [&mut anna, &mut ben] {
        for (number, name, text) in [(1, "Anna", "hello\nBen"), (2, "Ben", "hi")] {
            let heard = page.hears(|n| matches!(n, Notification::ChatMessage { .. })).await;
            let Notification::ChatMessage { message, .. } = heard else { panic!("{heard:?}") };
            assert_eq!((message.number, &message.name[..], &message.text[..]), (number, name, text));
        }
    }
    let cara = Page::join(&conductor, "daily", "Cara").await;
    let texts: Vec<&str> = cara.welcome.room.chat.iter().map(|message| &message.text[..]).collect();
    assert_eq!(texts, ["hello\nBen", "hi"]);
    for text in ["", " \n ", &"x".repeat(4097)] {
        let refused = ben.request(say(text)).await.expect_err("no message");
        assert!(refused.message.contains("1 to 4096 bytes"), "{refused}");
    }
}

#[tokio::test]
async fn a_server_that_lost_its_log_does_not_work() {
    let conductor = conductor().await;
    assert_eq!(conductor.condition(), Condition::Works);
    conductor.0.rooms.shutdown().await;
    let noticed = async {
        while conductor.condition() == Condition::Works {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("noticed");
}

#[tokio::test]
async fn on_the_way_down_everybody_is_told_and_nobody_let_in() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    // There is no other node to wait for.
    conductor.drain(Duration::MAX).await;
    conductor.close();
    assert_eq!(anna.next().await, Outgoing::Close(ErrorCode::Draining));
    let late = Page::try_join(&conductor, "daily", "Ben", None).await.map(drop);
    assert_eq!(late.expect_err("draining").code, ErrorCode::Draining);
    conductor.disconnected(anna.handle, false);
    conductor.closed().await;
    conductor.stop().await;
}

#[tokio::test]
async fn tokens_of_others_and_bad_names_are_refused() {
    let conductor = conductor().await;
    let anna = Page::join(&conductor, "daily", "Anna").await;
    let refused = |result: Result<Page, ErrorBody>| result.map(drop).expect_err("refused").code;
    // Kinds do not mix.
    assert_eq!(refused(Page::resume(&conductor, "forged").await), ErrorCode::Unauthorized);
    let join = Join { name: "Eve".into(), rtp_capabilities: sfu::ortc::router_capabilities(), enable_sctp: false };
    let token = anna.welcome.session_token.clone();
    let auth = ConnectAuth { token, join: Some(join), resume: None };
    assert_eq!(refused(Page::connect(&conductor, auth).await), ErrorCode::Unauthorized);
    assert_eq!(refused(Page::try_join(&conductor, "daily", "  ", None).await), ErrorCode::BadRequest);
    assert_eq!(refused(Page::try_join(&conductor, "daily", &"x".repeat(129), None).await), ErrorCode::BadRequest);
    assert_eq!(conductor.0.registry().counts().members, 1);
    assert_eq!(worker_stats(&conductor).await.transports, 2);
}
