//! People on so many chairs: who gets up makes room for somebody else, who sits down wherever the seed says.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loadtest::light::Identity;
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::visit::Visit;
use crate::crowd::{ENTER_MAX, Seat, attend};
use crate::drive::Drive;
use crate::gap::Gaps;

/// How long the census waits: those who vanished are held for 30 s, and so is their media.
const CENSUS_MAX: Duration = Duration::from_secs(60);
const CENSUS_INTERVAL: Duration = Duration::from_millis(200);
/// How long leaving may take.
const LEAVE_MAX: Duration = Duration::from_secs(30);
/// Failures that are told of; the rest is counted.
const FAILURES_MAX: usize = 20;

/// All chairs, until everybody has left.
pub(super) struct Churn {
    chairs: JoinSet<()>,
    phase: watch::Sender<Phase>,
    hall: Arc<Hall>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// People come and go.
    Open,
    /// Nobody comes or goes.
    Calm,
    /// Everybody goes.
    Closing,
}

/// What all chairs share.
struct Hall {
    server: SocketAddr,
    drive: Arc<Drive>,
    identity: Arc<Identity>,
    rooms: u32,
    epoch: Instant,
    /// Of the next who comes.
    number: AtomicU32,
    tally: Mutex<Tally>,
}

/// What became of those who came.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) joined: u64,
    pub(super) left: u64,
    pub(super) vanished: u64,
    /// Before everything was set up.
    pub(super) vanished_on_the_way: u64,
    pub(super) failed: u64,
    /// Why the first of those failed.
    pub(super) failures: Vec<String>,
    /// Who is inside: their room, and how many streams they send.
    present: BTreeMap<u32, (u32, usize)>,
}

/// How a stay ended.
enum End {
    Left,
    Vanished,
    VanishedOnTheWay,
    Failed(String),
}

impl Churn {
    pub(super) fn start(
        server: SocketAddr,
        drive: Arc<Drive>,
        rooms: u32,
        people: u32,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let (identity, epoch) = (Identity::generate()?, Instant::now());
        let (number, tally) = (AtomicU32::default(), Mutex::default());
        let hall = Arc::new(Hall { server, drive, identity, rooms, epoch, number, tally });
        let (phase, phases) = watch::channel(Phase::Open);
        let mut chairs = JoinSet::new();
        for chair in 0..u64::from(people) {
            let rng = Pcg64Mcg::seed_from_u64(seed.wrapping_add(chair.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            chairs.spawn(sit(hall.clone(), phases.clone(), rng));
        }
        Ok(Self { chairs, phase, hall })
    }

    /// Has nobody come or go, and waits until everybody who is there gets what everybody else in the room sends, and
    /// nothing else. Says what they get if they do not.
    pub(super) async fn census(&self, drive: &Drive) -> anyhow::Result<Option<String>> {
        self.phase.send_replace(Phase::Calm);
        let deadline = Instant::now() + CENSUS_MAX;
        loop {
            let (totals, expected) = (drive.totals()?, self.hall.tally().streams());
            let all_flow = totals.streams == expected && totals.heard == expected && totals.silent == 0;
            if all_flow && totals.unconnected() == 0 {
                return Ok(None);
            }
            if Instant::now() > deadline {
                let (streams, heard, silent) = (totals.streams, totals.heard, totals.silent);
                let (clients, unconnected) = (totals.clients, totals.unconnected());
                return Ok(Some(format!(
                    "{CENSUS_MAX:?} after the last came or went, {unconnected} of {clients} transports are not connected, \
                     and of {streams} streams ({expected} expected) {heard} have begun and {silent} are silent"
                )));
            }
            sleep(CENSUS_INTERVAL).await;
        }
    }

    /// Has everybody go, each in their way. Gives what became of all of them, and who did not get away.
    pub(super) async fn leave(mut self) -> (Tally, Option<String>) {
        self.phase.send_replace(Phase::Closing);
        let ended = timeout(LEAVE_MAX, async { while self.chairs.join_next().await.is_some() {} }).await;
        let stayed = ended.is_err().then(|| format!("{} people did not get away in {LEAVE_MAX:?}", self.chairs.len()));
        (self.hall.tally().clone(), stayed)
    }
}

impl Tally {
    /// How many streams those who are inside get of each other.
    fn streams(&self) -> usize {
        let of =
            |(room, sends): &(u32, usize)| sends * self.present.values().filter(|(other, _)| other == room).count();
        let with_own: usize = self.present.values().map(of).sum();
        with_own - self.present.values().map(|(_, sends)| sends).sum::<usize>()
    }

    fn count(&mut self, end: End) {
        match end {
            End::Left => self.left += 1,
            End::Vanished => self.vanished += 1,
            End::VanishedOnTheWay => self.vanished_on_the_way += 1,
            End::Failed(why) => {
                self.failed += 1;
                if self.failures.len() < FAILURES_MAX {
                    self.failures.push(why);
                }
            }
        }
    }
}

impl Hall {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody's stay.
    async fn stay(&self, visit: Visit, phases: &watch::Receiver<Phase>) -> End {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let sends = visit.publishes.as_ref().map_or(0, |media| 1 + usize::from(!media.camera.is_empty()));
        let seat = Seat {
            door: self.server.into(),
            room: format!("soak-{}", visit.room + 1),
            number,
            epoch: self.epoch,
            publishes: visit.publishes,
            impairment: None,
            gaps: Gaps::default(),
            identity: (!visit.verifies).then(|| self.identity.clone()),
        };
        let (entered, mut is_in) = mpsc::channel(1);
        let end = Instant::now() + visit.stay;
        let mut leaving = pin!(over_if(!visit.vanishes, end, phases.clone()));
        let mut vanishing = pin!(over_if(visit.vanishes, end, phases.clone()));
        // Dropped with the socket and the clients when it is not awaited to its end.
        let mut attended = pin!(attend(seat, self.drive.clone(), entered, &mut leaving));
        let failed = |ended: anyhow::Result<()>| match ended {
            Ok(()) => End::Left,
            Err(error) => End::Failed(format!("{error:#}")),
        };
        tokio::select! {
            biased;
            entered = timeout(ENTER_MAX, is_in.recv()) => match entered {
                Ok(Some(())) => {}
                Ok(None) => return failed(attended.await),
                Err(_) => return End::Failed(format!("Synthetic {} is not in after {ENTER_MAX:?}", number + 1)),
            },
            () = &mut vanishing => return End::VanishedOnTheWay,
            ended = &mut attended => return failed(ended),
        }
        {
            let mut tally = self.tally();
            tally.joined += 1;
            tally.present.insert(number, (visit.room, sends));
        }
        let end = tokio::select! {
            ended = &mut attended => failed(ended),
            () = &mut vanishing => End::Vanished,
        };
        self.tally().present.remove(&number);
        end
    }
}

/// One chair, until the hall closes.
async fn sit(hall: Arc<Hall>, mut phases: watch::Receiver<Phase>, mut rng: Pcg64Mcg) {
    loop {
        let visit = Visit::draw(&mut rng, hall.rooms);
        if timeout(visit.pause, closed(&mut phases)).await.is_ok() {
            return;
        }
        let end = hall.stay(visit, &phases).await;
        hall.tally().count(end);
    }
}

/// Waits until nobody comes any more.
async fn closed(phases: &mut watch::Receiver<Phase>) {
    // Without the value, which is locked.
    _ = phases.wait_for(|phase| *phase != Phase::Open).await.is_ok();
}

/// Waits until it is time to go, for one of two ways to go; for ever for the other.
async fn over_if(this_way: bool, end: Instant, mut phases: watch::Receiver<Phase>) {
    if !this_way {
        return pending().await;
    }
    tokio::select! {
        () = sleep_until(end.into()) => {}
        () = closed(&mut phases) => {}
    }
    // In the calm whoever is there stays.
    _ = phases.wait_for(|phase| *phase != Phase::Calm).await.is_ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_the_streams_of_the_others_in_their_room() {
        let mut tally = Tally::default();
        assert_eq!(tally.streams(), 0);
        // Two who send two streams, and one who only receives; somebody alone.
        tally.present.extend([(1, (0, 2)), (2, (0, 2)), (3, (0, 0)), (4, (1, 2))]);
        assert_eq!(tally.streams(), 2 + 2 + 4);
    }
}
