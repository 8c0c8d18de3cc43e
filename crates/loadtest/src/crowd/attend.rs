//! One participant: joins, publishes, consumes everything that others publish, until it is to leave. Who is dropped
//! meanwhile is gone as a machine without power is: the socket ends, and the media just stops.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use loadtest::client::Client;
use loadtest::light::{Identity, LightClient};
use protocol::{ConsumerId, MediaKind, Notification, ParticipantId, ProducerId, RtpParameters, Source, TransportId};
use tokio::sync::mpsc;

use super::Media;
use crate::door::Door;
use crate::drive::{Drive, Driven};
use crate::gap::{Gap, Gaps};
use crate::impairment::{Impairment, Way};
use crate::participant::{Participant, reachable};
use crate::signaling::Session;
use crate::socket::ClientSocket;

/// Most producers in one `consume` (docs/signaling.md).
const CONSUME_MAX: usize = 100;
/// How long to wait with what was not there yet, because it comes from another node: docs/signaling.md says a
/// second at least, and who measures gaps is more eager.
const CONSUME_RETRY: Duration = Duration::from_millis(500);
/// More than there ever are.
const SEATS_MAX: u32 = 1 << 20;
/// How long the transports of before stay after a move.
const BESIDE_THE_NEXT: Duration = Duration::from_secs(2);
/// Of three.
const MIDDLE_LAYER: u8 = 1;
const LARGEST_LAYER: u8 = 2;

/// Where and how somebody takes part.
pub(crate) struct Seat {
    pub(crate) door: Door,
    pub(crate) room: String,
    pub(crate) number: u32,
    /// Capture times count from here.
    pub(crate) epoch: Instant,
    pub(crate) publishes: Option<Media>,
    /// What is between them and the server.
    pub(crate) impairment: Option<Impairment>,
    /// Where it is noted for how long they did not hear others.
    pub(crate) gaps: Gaps,
    /// Of a light receiver; without it everything is decrypted and verified.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl Seat {
    /// The way of their first or second transport.
    fn way(&self, transport: u32) -> Option<Way> {
        self.impairment.map(|impairment| Way::new(impairment, 2 * self.number + transport))
    }
}

/// Takes part until `leaving` is over; says so by `entered` when everything is published and everything that was there is
/// consumed.
pub(crate) async fn attend(
    seat: Seat,
    drive: Arc<Drive>,
    entered: mpsc::Sender<()>,
    leaving: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let name = format!("Synthetic {}", seat.number + 1);
    take_part(&seat, &name, &drive, entered, leaving).await.context(name)
}

async fn take_part(
    seat: &Seat,
    name: &str,
    drive: &Arc<Drive>,
    entered: mpsc::Sender<()>,
    leaving: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (session, notifications) = Session::join(&seat.door, &seat.room, name).await?;
    let before = Before { started: Some(started), ..Before::default() };
    let mut stay = Stay::begin(seat, session, notifications, before, drive).await?;
    entered.send(()).await?;

    let mut leaving = pin!(leaving);
    loop {
        let notification = tokio::select! {
            notification = stay.notifications.recv() => Some(notification.context("the session's socket closed")?),
            () = tokio::time::sleep(CONSUME_RETRY), if stay.viewer.is_missing_some() => None,
            () = &mut leaving => return stay.session.leave().await,
        };
        let Some(notification) = notification else {
            stay.viewer.consume_missing(&stay.session).await?;
            continue;
        };
        if stay.handle(notification).await? {
            stay = stay.move_on(seat, drive).await?;
        }
    }
}

/// What somebody has at the node where they are.
struct Stay {
    session: Session,
    notifications: mpsc::Receiver<Notification>,
    publisher: Option<Driven>,
    viewer: Viewer,
    /// How often they moved.
    moves: u32,
}

/// What was before somebody came to a node.
#[derive(Default)]
struct Before {
    /// When who waits for media began to.
    started: Option<Instant>,
    moves: u32,
    /// Whom they hear already.
    heard: BTreeMap<ProducerId, Arc<Gap>>,
}

impl Stay {
    /// Publishes, and consumes what others do.
    async fn begin(
        seat: &Seat,
        session: Session,
        notifications: mpsc::Receiver<Notification>,
        before: Before,
        drive: &Arc<Drive>,
    ) -> anyhow::Result<Self> {
        let Before { started, moves, heard } = before;
        let publisher = match &seat.publishes {
            Some(media) => Some(publish(seat, media, &session, moves, drive).await?),
            None => None,
        };
        let own = session.welcome.participant_id;
        let others = session.welcome.room.participants.iter().filter(|participant| participant.id != own);
        let producers = others.flat_map(|participant| &participant.producers).filter(|producer| !producer.paused);
        let producers: Vec<_> = producers.map(|producer| producer.id).collect();
        let waits_since = started.filter(|_| !producers.is_empty());
        let mut viewer = Viewer::connect(seat, waits_since, &session, drive).await?;
        viewer.heard = heard;
        viewer.consume(producers, &session).await?;
        Ok(Self { session, notifications, publisher, viewer, moves })
    }

    /// Does what follows from this and what else is waiting. Whether the session is to go on at another node.
    async fn handle(&mut self, notification: Notification) -> anyhow::Result<bool> {
        let Self { session, notifications, publisher, viewer, .. } = self;
        let own = session.welcome.participant_id;
        let (mut wanted, mut is_to_move) = (Vec::new(), false);
        let waiting = std::iter::from_fn(|| notifications.try_recv().ok());
        for notification in std::iter::once(notification).chain(waiting) {
            match notification {
                Notification::ProducerAdded { participant_id, producer, .. } if participant_id != own => {
                    wanted.extend((!producer.paused).then_some(producer.id));
                }
                Notification::ProducerResumed { producer_id, .. } if producer_id.participant != own => {
                    wanted.push(producer_id);
                }
                Notification::ProducerClosed { producer_id, .. } => viewer.forget(|id| *id == producer_id)?,
                Notification::ParticipantLeft { participant_id, .. } => {
                    viewer.forget(|id| id.participant == participant_id)?;
                }
                Notification::WantedLayers { spatial_layer, .. } => {
                    publisher.iter().try_for_each(|client| client.send_layers(spatial_layer))?;
                }
                Notification::MoveRequested {} => is_to_move = true,
                Notification::TransportClosed { .. } => bail!("the server closed a transport"),
                Notification::SessionEnded { reason } => bail!("the server ended the session: {reason:?}"),
                _ => {}
            }
        }
        viewer.consume(wanted, session).await?;
        Ok(is_to_move)
    }

    /// Goes on at another node, if there is one: what is here goes on until everything comes from there.
    async fn move_on(self, seat: &Seat, drive: &Arc<Drive>) -> anyhow::Result<Self> {
        let Some((session, notifications)) = self.session.move_on(&seat.door, &seat.room).await? else {
            return Ok(self);
        };
        let Self { publisher, viewer: Viewer { client, heard, .. }, moves, .. } = self;
        let before = Before { started: None, moves: moves + 1, heard };
        let next = Self::begin(seat, session, notifications, before, drive).await?;
        tokio::spawn(async move {
            tokio::time::sleep(BESIDE_THE_NEXT).await;
            drop((publisher, client));
        });
        Ok(next)
    }
}

async fn publish(
    seat: &Seat,
    media: &Media,
    session: &Session,
    moves: u32,
    drive: &Arc<Drive>,
) -> anyhow::Result<Driven> {
    let options = reachable(session.address, session.welcome.send_transport.clone())?;
    let socket = ClientSocket::bind(session.address)?;
    let mut client = Client::publisher(Instant::now(), seat.epoch, socket.local, &options)?;
    session.connect(options.id, client.dtls_parameters()).await?;
    // Each layer is stamped with a number of its own, after a move with another.
    let number = (moves * SEATS_MAX + seat.number) * 4;
    if let Some(microphone) = media.microphone {
        let parameters = client.produce_audio(Instant::now(), number, microphone);
        session.produce(options.id, Source::Mic, parameters).await?;
    }
    if !media.camera.is_empty() {
        let parameters = client.produce_simulcast(Instant::now(), number, &media.camera);
        session.produce(options.id, Source::Camera, parameters).await?;
    }
    drive.add_publisher(Participant::new(client, socket).over(seat.way(0)))
}

/// The receiving side.
struct Viewer {
    transport: TransportId,
    client: Driven,
    own: ParticipantId,
    /// None while it is asked for, or not there yet.
    consumed: BTreeMap<ProducerId, Option<Consumed>>,
    /// Whose largest layer is preferred; of the others the one below.
    largest: Option<ProducerId>,
    /// For how long they did not hear whom, over all nodes where they were.
    heard: BTreeMap<ProducerId, Arc<Gap>>,
    gaps: Gaps,
}

#[derive(Debug, Clone, Copy)]
struct Consumed {
    consumer: ConsumerId,
    ssrc: u32,
}

impl Viewer {
    /// `waits_since` is when somebody asked who has something to receive at once.
    async fn connect(
        seat: &Seat,
        waits_since: Option<Instant>,
        session: &Session,
        drive: &Arc<Drive>,
    ) -> anyhow::Result<Self> {
        let options = reachable(session.address, session.welcome.recv_transport.clone())?;
        let socket = ClientSocket::bind(session.address)?;
        let router = &session.place.router_rtp_capabilities;
        let mut participant = if let Some(identity) = &seat.identity {
            let client = LightClient::new(Instant::now(), identity, socket.local, &options, router)?;
            session.connect(options.id, client.dtls_parameters()).await?;
            Participant::new(client, socket)
        } else {
            let mut client = Client::receiver(Instant::now(), seat.epoch, socket.local, &options, router)?;
            session.connect(options.id, client.dtls_parameters()).await?;
            Participant::new(client, socket)
        };
        participant = participant.over(seat.way(1));
        if let Some(since) = waits_since {
            participant = participant.waiting_since(since);
        }
        Ok(Self {
            transport: options.id,
            client: drive.add_receiver(participant)?,
            own: session.welcome.participant_id,
            consumed: BTreeMap::new(),
            largest: None,
            heard: BTreeMap::new(),
            gaps: seat.gaps.clone(),
        })
    }

    async fn consume(&mut self, wanted: Vec<ProducerId>, session: &Session) -> anyhow::Result<()> {
        let new = |id: &ProducerId| !self.consumed.contains_key(id);
        let wanted: Vec<_> = wanted.into_iter().filter(new).collect();
        self.consumed.extend(wanted.iter().map(|&id| (id, None)));
        for wanted in wanted.chunks(CONSUME_MAX) {
            for consumer in session.consume(self.transport, wanted.to_vec()).await? {
                let (id, producer) = (consumer.id, consumer.producer_id);
                let encoding = consumer.rtp_parameters.encodings.first();
                let ssrc = encoding.and_then(|encoding| encoding.ssrc).context("a consumer without an SSRC")?;
                let layers = consumer.kind == MediaKind::Video && layers(&consumer.rtp_parameters) > 1;
                if consumer.kind == MediaKind::Audio {
                    let gap = self.heard.entry(producer).or_insert_with(|| self.gaps.add());
                    self.client.listen(ssrc, Arc::clone(gap))?;
                }
                self.client.consume(consumer).await?;
                session.resume(id).await?;
                self.consumed.insert(producer, Some(Consumed { consumer: id, ssrc }));
                if layers {
                    self.prefer(producer, id, session).await?;
                }
            }
        }
        Ok(())
    }

    /// One picture is as large as it comes, the others are one size smaller. It is that of who follows in the order
    /// of the ids, so that everybody is large for somebody.
    async fn prefer(&mut self, producer: ProducerId, consumer: ConsumerId, session: &Session) -> anyhow::Result<()> {
        let follows = |id: &ProducerId| (id.participant < self.own, *id);
        if self.largest.is_some_and(|largest| follows(&largest) < follows(&producer)) {
            return session.prefer(consumer, MIDDLE_LAYER).await;
        }
        let before = self.largest.replace(producer).and_then(|before| self.consumed.get(&before).copied().flatten());
        if let Some(before) = before {
            session.prefer(before.consumer, MIDDLE_LAYER).await?;
        }
        session.prefer(consumer, LARGEST_LAYER).await
    }

    fn is_missing_some(&self) -> bool {
        self.consumed.values().any(Option::is_none)
    }

    async fn consume_missing(&mut self, session: &Session) -> anyhow::Result<()> {
        let missing: Vec<_> = self.consumed.extract_if(.., |_, consumed| consumed.is_none()).collect();
        self.consume(missing.into_iter().map(|(id, _)| id).collect(), session).await
    }

    fn forget(&mut self, gone: impl Fn(&ProducerId) -> bool) -> anyhow::Result<()> {
        self.largest = self.largest.filter(|id| !gone(id));
        self.heard.retain(|id, _| !gone(id));
        let streams = self.consumed.extract_if(.., |id, _| gone(id)).filter_map(|(_, consumed)| consumed);
        streams.map(|consumed| consumed.ssrc).try_for_each(|ssrc| self.client.forget(ssrc))
    }
}

/// How many layers a consumed picture has, from its scalability mode (`L3T1`).
fn layers(parameters: &RtpParameters) -> u32 {
    let mode = parameters.encodings.first().and_then(|encoding| encoding.scalability_mode.as_deref());
    let digit = mode.and_then(|mode| mode.chars().nth(1)?.to_digit(10));
    digit.unwrap_or(1)
}
