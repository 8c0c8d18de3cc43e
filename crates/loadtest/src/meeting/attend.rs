//! One participant: joins, publishes, consumes everything that others publish, until it is told to leave.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use loadtest::client::{AudioConfig, Client, VideoConfig};
use loadtest::light::{Identity, LightClient};
use protocol::{Notification, ProducerId, Source, TransportId};
use tokio::sync::{mpsc, watch};

use crate::drive::{ClientId, Drive, Participant, bind, reachable};
use crate::signaling::Session;

/// Most producers in one `consume` (docs/signaling.md).
const CONSUME_MAX: usize = 100;

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

/// What somebody publishes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Media {
    pub(super) microphone: AudioConfig,
    pub(super) camera: VideoConfig,
}

/// Takes part; says so by `entered` when everything is published and everything that was there is consumed.
pub(super) async fn attend(
    seat: Seat,
    drive: Arc<Drive>,
    entered: mpsc::Sender<()>,
    leaving: watch::Receiver<()>,
) -> anyhow::Result<()> {
    let name = format!("Synthetic {}", seat.number + 1);
    take_part(&seat, &name, &drive, entered, leaving).await.context(name)
}

async fn take_part(
    seat: &Seat,
    name: &str,
    drive: &Drive,
    entered: mpsc::Sender<()>,
    mut leaving: watch::Receiver<()>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (session, mut notifications) = Session::join(seat.server, &seat.room, name).await?;
    if let Some(media) = seat.publishes {
        publish(seat, media, &session, drive).await?;
    }
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
            _ = leaving.changed() => return session.leave().await,
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
                Notification::TransportClosed { .. } => bail!("the server closed a transport"),
                Notification::SessionEnded { reason } => bail!("the server ended the session: {reason:?}"),
                _ => {}
            }
        }
        viewer.consume(wanted, &session, drive).await?;
    }
}

async fn publish(seat: &Seat, media: Media, session: &Session, drive: &Drive) -> anyhow::Result<()> {
    let options = reachable(session.welcome.send_transport.clone())?;
    let (socket, local) = bind()?;
    let mut client = Client::publisher(Instant::now(), seat.epoch, local, &options)?;
    session.connect(options.id, client.dtls_parameters()).await?;
    let microphone = client.produce_audio(Instant::now(), seat.number, media.microphone);
    session.produce(options.id, Source::Mic, microphone).await?;
    let camera = client.produce_video(Instant::now(), seat.number, media.camera);
    session.produce(options.id, Source::Camera, camera).await?;
    drive.add(Participant::new(client, socket))?;
    Ok(())
}

/// The receiving side.
struct Viewer {
    transport: TransportId,
    client: ClientId,
    consumed: BTreeSet<ProducerId>,
}

impl Viewer {
    /// `waits_since` is when somebody asked who has something to receive at once.
    async fn connect(
        seat: &Seat,
        waits_since: Option<Instant>,
        session: &Session,
        drive: &Drive,
    ) -> anyhow::Result<Self> {
        let options = reachable(session.welcome.recv_transport.clone())?;
        let (socket, local) = bind()?;
        let router = &session.place.router_rtp_capabilities;
        let mut participant = if let Some(identity) = &seat.identity {
            let client = LightClient::new(Instant::now(), identity, local, &options, router)?;
            session.connect(options.id, client.dtls_parameters()).await?;
            Participant::new(client, socket)
        } else {
            let mut client = Client::receiver(Instant::now(), seat.epoch, local, &options, router)?;
            session.connect(options.id, client.dtls_parameters()).await?;
            Participant::new(client, socket)
        };
        if let Some(since) = waits_since {
            participant = participant.waiting_since(since);
        }
        Ok(Self { transport: options.id, client: drive.add(participant)?, consumed: BTreeSet::new() })
    }

    async fn consume(&mut self, wanted: Vec<ProducerId>, session: &Session, drive: &Drive) -> anyhow::Result<()> {
        let wanted: Vec<_> = wanted.into_iter().filter(|id| self.consumed.insert(*id)).collect();
        for wanted in wanted.chunks(CONSUME_MAX) {
            for consumer in session.consume(self.transport, wanted.to_vec()).await? {
                let id = consumer.id;
                drive.consume(self.client, consumer).await?;
                session.resume(id).await?;
            }
        }
        Ok(())
    }

    fn forget(&mut self, gone: impl Fn(&ProducerId) -> bool) {
        self.consumed.retain(|id| !gone(id));
    }
}
