//! One participant: joins, publishes, consumes everything that others publish, until it is told to leave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use loadtest::client::Client;
use loadtest::light::{Identity, LightClient};
use protocol::{ConsumerId, MediaKind, Notification, ParticipantId, ProducerId, RtpParameters, Source, TransportId};
use tokio::sync::{mpsc, watch};

use super::Media;
use crate::drive::{ClientId, Drive};
use crate::participant::{Participant, reachable};
use crate::signaling::Session;
use crate::socket::ClientSocket;

/// Most producers in one `consume` (docs/signaling.md).
const CONSUME_MAX: usize = 100;
/// Of three.
const MIDDLE_LAYER: u8 = 1;
const LARGEST_LAYER: u8 = 2;

/// Where and how somebody takes part.
pub(super) struct Seat {
    pub(super) server: SocketAddr,
    pub(super) room: String,
    pub(super) number: u32,
    /// Capture times count from here.
    pub(super) epoch: Instant,
    pub(super) publishes: Option<Media>,
    /// Of a light receiver; without it everything is decrypted and verified.
    pub(super) identity: Option<Arc<Identity>>,
}

/// Takes part; says so by `entered` when everything is published and everything that was there is consumed.
pub(super) async fn attend(
    seat: Seat,
    drive: Arc<Drive>,
    entered: mpsc::Sender<()>,
    leaving: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let name = format!("Synthetic {}", seat.number + 1);
    take_part(&seat, &name, &drive, entered, leaving).await.context(name)
}

async fn take_part(
    seat: &Seat,
    name: &str,
    drive: &Drive,
    entered: mpsc::Sender<()>,
    mut leaving: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (session, mut notifications) = Session::join(seat.server, &seat.room, name).await?;
    let publisher = match &seat.publishes {
        Some(media) => Some(publish(seat, media, &session, drive).await?),
        None => None,
    };
    let own = session.welcome.participant_id;
    let others = session.welcome.room.participants.iter().filter(|participant| participant.id != own);
    let producers = others.flat_map(|participant| &participant.producers).filter(|producer| !producer.paused);
    let producers: Vec<_> = producers.map(|producer| producer.id).collect();
    let waits_since = (!producers.is_empty()).then_some(started);
    let mut viewer = Viewer::connect(seat, waits_since, &session, drive).await?;
    viewer.consume(producers, &session, drive).await?;
    entered.send(()).await?;

    loop {
        let notification = tokio::select! {
            notification = notifications.recv() => notification.context("the session's socket closed")?,
            // Without the value, which is locked.
            _ = async { leaving.wait_for(|leave| *leave).await.is_ok() } => {
                session.leave().await?;
                return publisher.into_iter().chain([viewer.client]).try_for_each(|client| drive.remove(client));
            }
        };
        let mut wanted = Vec::new();
        let waiting = std::iter::from_fn(|| notifications.try_recv().ok());
        for notification in std::iter::once(notification).chain(waiting) {
            match notification {
                Notification::ProducerAdded { participant_id, producer, .. } if participant_id != own => {
                    wanted.extend((!producer.paused).then_some(producer.id));
                }
                Notification::ProducerResumed { producer_id, .. } if producer_id.participant != own => {
                    wanted.push(producer_id);
                }
                Notification::ProducerClosed { producer_id, .. } => viewer.forget(|id| *id == producer_id),
                Notification::ParticipantLeft { participant_id, .. } => {
                    viewer.forget(|id| id.participant == participant_id);
                }
                Notification::WantedLayers { spatial_layer, .. } => {
                    publisher.map(|client| drive.send_layers(client, spatial_layer)).transpose()?;
                }
                Notification::TransportClosed { .. } => bail!("the server closed a transport"),
                Notification::SessionEnded { reason } => bail!("the server ended the session: {reason:?}"),
                _ => {}
            }
        }
        viewer.consume(wanted, &session, drive).await?;
    }
}

async fn publish(seat: &Seat, media: &Media, session: &Session, drive: &Drive) -> anyhow::Result<ClientId> {
    let options = reachable(seat.server, session.welcome.send_transport.clone())?;
    let socket = ClientSocket::bind(seat.server)?;
    let mut client = Client::publisher(Instant::now(), seat.epoch, socket.local, &options)?;
    session.connect(options.id, client.dtls_parameters()).await?;
    // Each layer is stamped with a number of its own.
    let number = seat.number * 4;
    if let Some(microphone) = media.microphone {
        let parameters = client.produce_audio(Instant::now(), number, microphone);
        session.produce(options.id, Source::Mic, parameters).await?;
    }
    if !media.camera.is_empty() {
        let parameters = client.produce_simulcast(Instant::now(), number, &media.camera);
        session.produce(options.id, Source::Camera, parameters).await?;
    }
    drive.add_publisher(Participant::new(client, socket))
}

/// The receiving side.
struct Viewer {
    transport: TransportId,
    client: ClientId,
    own: ParticipantId,
    /// None while it is asked for.
    consumed: BTreeMap<ProducerId, Option<ConsumerId>>,
    /// Whose largest layer is preferred; of the others the one below.
    largest: Option<ProducerId>,
}

impl Viewer {
    /// `waits_since` is when somebody asked who has something to receive at once.
    async fn connect(
        seat: &Seat,
        waits_since: Option<Instant>,
        session: &Session,
        drive: &Drive,
    ) -> anyhow::Result<Self> {
        let options = reachable(seat.server, session.welcome.recv_transport.clone())?;
        let socket = ClientSocket::bind(seat.server)?;
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
        if let Some(since) = waits_since {
            participant = participant.waiting_since(since);
        }
        Ok(Self {
            transport: options.id,
            client: drive.add_receiver(participant)?,
            own: session.welcome.participant_id,
            consumed: BTreeMap::new(),
            largest: None,
        })
    }

    async fn consume(&mut self, wanted: Vec<ProducerId>, session: &Session, drive: &Drive) -> anyhow::Result<()> {
        let new = |id: &ProducerId| !self.consumed.contains_key(id);
        let wanted: Vec<_> = wanted.into_iter().filter(new).collect();
        self.consumed.extend(wanted.iter().map(|&id| (id, None)));
        for wanted in wanted.chunks(CONSUME_MAX) {
            for consumer in session.consume(self.transport, wanted.to_vec()).await? {
                let (id, producer) = (consumer.id, consumer.producer_id);
                let layers = consumer.kind == MediaKind::Video && layers(&consumer.rtp_parameters) > 1;
                drive.consume(self.client, consumer).await?;
                session.resume(id).await?;
                if layers {
                    self.consumed.insert(producer, Some(id));
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
            session.prefer(before, MIDDLE_LAYER).await?;
        }
        session.prefer(consumer, LARGEST_LAYER).await
    }

    fn forget(&mut self, gone: impl Fn(&ProducerId) -> bool) {
        self.consumed.retain(|id, _| !gone(id));
        self.largest = self.largest.filter(|id| !gone(id));
    }
}

/// How many layers a consumed picture has, from its scalability mode (`L3T1`).
fn layers(parameters: &RtpParameters) -> u32 {
    let mode = parameters.encodings.first().and_then(|encoding| encoding.scalability_mode.as_deref());
    let digit = mode.and_then(|mode| mode.chars().nth(1)?.to_digit(10));
    digit.unwrap_or(1)
}
