//! People who meet in rooms: they join one after the other, publish, consume what the others publish, and leave.

mod attend;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use loadtest::client::{AudioConfig, VideoConfig};
use loadtest::light::Identity;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::door::Doors;
use crate::drive::Drive;
use crate::gap::Gaps;
use crate::impairment::Impairment;
pub(crate) use attend::{Seat, attend};

/// How long handshakes and the first packets may take after the last join.
pub(crate) const ENTER_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether everybody is in.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// People who are on their way in at the same time.
const ENTERING_MAX: u32 = 24;

/// Who meets where.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The room's name; several rooms are numbered.
    pub(crate) room: String,
    pub(crate) rooms: u32,
    /// What the people of a room send who send something.
    pub(crate) publishers: Vec<Media>,
    /// How many people of a room only receive.
    pub(crate) viewers: u32,
    /// How many streams of others are in each room already.
    pub(crate) found: usize,
    /// Joins in a second.
    pub(crate) ramp: u32,
    /// One receiver in so many decrypts and verifies everything and measures latency.
    pub(crate) verify_every: u32,
    /// Threads that receive.
    pub(crate) threads: usize,
    /// What is between everybody and the server.
    pub(crate) impairment: Option<Impairment>,
}

/// What somebody publishes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Media {
    pub(crate) microphone: Option<AudioConfig>,
    /// The layers of the picture, the smallest first.
    pub(crate) camera: Vec<VideoConfig>,
}

/// Everybody, until they are told to leave.
pub(crate) struct Crowd {
    pub(crate) drive: Arc<Drive>,
    pub(crate) plan: Plan,
    pub(crate) gaps: Gaps,
    people: JoinSet<anyhow::Result<()>>,
    /// Whether they are to leave.
    leave: watch::Sender<bool>,
    /// How long it took all of them to join.
    pub(crate) joining: Duration,
}

impl Plan {
    pub(crate) fn people(&self) -> u32 {
        self.rooms * self.people_of_a_room()
    }

    fn people_of_a_room(&self) -> u32 {
        self.publishers.len() as u32 + self.viewers
    }

    /// How many streams they receive of each other.
    pub(crate) fn streams(&self) -> usize {
        let of = |media: &Media| usize::from(media.microphone.is_some()) + usize::from(!media.camera.is_empty());
        let published: usize = self.publishers.iter().map(of).sum();
        let of_each_other = published * self.receivers_of_each() * self.rooms as usize;
        of_each_other + self.found * self.people() as usize
    }

    /// How many receive what somebody publishes.
    pub(crate) fn receivers_of_each(&self) -> usize {
        self.people_of_a_room().saturating_sub(1) as usize
    }

    fn room(&self, index: u32) -> String {
        if self.rooms == 1 { self.room.clone() } else { format!("{}-{}", self.room, index + 1) }
    }
}

impl Crowd {
    /// Lets them all join, and waits until everything flows.
    pub(crate) async fn enter(doors: impl Into<Doors>, plan: Plan) -> anyhow::Result<Self> {
        let doors = doors.into();
        let identity = Identity::generate()?;
        let (entered, mut entrances) = mpsc::channel(64);
        let (leave, leaving) = watch::channel(false);
        let (epoch, mut inside) = (Instant::now(), 0);
        let drive = Arc::new(Drive::start(plan.threads)?);
        let mut crowd =
            Self { drive, plan, gaps: Gaps::default(), people: JoinSet::new(), leave, joining: Duration::ZERO };
        for number in 0..crowd.plan.people() {
            tokio::time::sleep_until((epoch + Duration::from_secs(1) * number / crowd.plan.ramp).into()).await;
            // Rooms fill up side by side, publishers first.
            let (room, place) = (number % crowd.plan.rooms, number / crowd.plan.rooms);
            let publishes = crowd.plan.publishers.get(place as usize).cloned();
            let door = if publishes.is_some() { &doors.publishers } else { &doors.viewers };
            let seat = Seat {
                door: door.clone(),
                room: crowd.plan.room(room),
                number,
                epoch,
                publishes,
                impairment: crowd.plan.impairment,
                gaps: crowd.gaps.clone(),
                identity: (number % crowd.plan.verify_every != 0).then(|| identity.clone()),
            };
            let mut leaving = leaving.clone();
            // Without the value, which is locked; whose crowd is gone leaves as well.
            let leaving = async move { _ = leaving.wait_for(|leave| *leave).await.is_ok() };
            crowd.people.spawn(attend(seat, crowd.drive.clone(), entered.clone(), leaving));
            while entrances.try_recv().is_ok() {
                inside += 1;
            }
            // A machine that cannot keep up is not asked for more.
            while number - inside >= ENTERING_MAX {
                inside += crowd.entrance(&mut entrances).await?;
            }
        }
        while inside < crowd.plan.people() {
            inside += crowd.entrance(&mut entrances).await?;
        }
        crowd.joining = epoch.elapsed();
        crowd.flow().await?;
        Ok(crowd)
    }

    /// Waits for one to be inside, and says how many are.
    async fn entrance(&mut self, entrances: &mut mpsc::Receiver<()>) -> anyhow::Result<u32> {
        tokio::select! {
            Some(()) = entrances.recv() => Ok(1),
            error = self.failure() => Err(error),
        }
    }

    async fn flow(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + ENTER_MAX;
        loop {
            let (totals, expected) = (self.drive.totals()?, self.plan.streams());
            // People who are not ours may be in the room as well.
            if totals.unconnected() == 0 && totals.streams >= expected && totals.heard == totals.streams {
                return Ok(());
            }
            if Instant::now() > deadline {
                let (clients, connected) = (totals.clients, totals.connected);
                let (streams, heard) = (totals.streams, totals.heard);
                bail!(
                    "after {ENTER_MAX:?}, {connected} of {clients} transports are connected, and {heard} of {streams} streams flow ({expected} expected)"
                );
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Somebody's end before they are told to leave; waits for it.
    pub(crate) async fn failure(&mut self) -> anyhow::Error {
        match self.people.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => error.into(),
            Some(Ok(Ok(()))) => anyhow::anyhow!("somebody left"),
            None => std::future::pending().await,
        }
    }

    /// Lets them leave, all at once.
    pub(crate) async fn leave(mut self) -> anyhow::Result<()> {
        self.leave.send(true).context("everybody is gone")?;
        while let Some(ended) = self.people.join_next().await {
            ended??;
        }
        Ok(())
    }
}
