//! Rooms full of synthetic participants, over the real signalling.

mod attend;
mod options;
mod report;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use loadtest::light::Identity;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::drive::Drive;
use attend::{Seat, attend};
use report::{Report, Sample};
use target::Target;

pub(crate) use options::Options;

/// How long handshakes and the first packets may take after the last join.
const ENTER_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether everybody is in.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Lets them all join, stay and leave.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let met = runtime.block_on(meet(options));
    // A read of standard input may still wait.
    runtime.shutdown_background();
    met
}

async fn meet(options: &Options) -> anyhow::Result<()> {
    let target = Target::new(options)?;
    let drive = Arc::new(Drive::start()?);
    let identity = Identity::generate()?;
    let (entered, mut entrances) = mpsc::channel(64);
    let (leave, leaving) = watch::channel(());
    let mut people = JoinSet::new();

    let (epoch, mut inside) = (Instant::now(), 0);
    let sample = || anyhow::Ok(Sample { at: Instant::now(), totals: drive.totals()?, usage: target.usage()? });
    let start = sample()?;
    for number in 0..options.people() {
        tokio::time::sleep_until((epoch + Duration::from_secs(1) * number / options.ramp).into()).await;
        // Rooms fill up side by side.
        let (room, place) = (number % options.rooms, number / options.rooms);
        let seat = Seat {
            server: target.address,
            room: options.room(room),
            number,
            epoch,
            publishes: options.media(place),
            identity: (number % options.verify_every != 0).then(|| identity.clone()),
        };
        people.spawn(attend(seat, drive.clone(), entered.clone(), leaving.clone()));
        while entrances.try_recv().is_ok() {
            inside += 1;
        }
    }
    while inside < options.people() {
        tokio::select! {
            Some(()) = entrances.recv() => inside += 1,
            Some(ended) = people.join_next() => return Err(failure(ended)),
        }
    }
    let joining = epoch.elapsed();
    let deadline = Instant::now() + ENTER_MAX;
    loop {
        let totals = drive.totals()?;
        // People who are not ours may be in the room as well.
        if totals.unconnected() == 0 && totals.streams >= options.streams() && totals.heard == totals.streams {
            break;
        }
        if Instant::now() > deadline {
            let (clients, connected, streams, heard) = (totals.clients, totals.connected, totals.streams, totals.heard);
            bail!(
                "after {ENTER_MAX:?}, {connected} of {clients} transports are connected, and {heard} of {streams} streams flow ({} expected)",
                options.streams()
            );
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let joined = sample()?;
    Report::new("joined", options.people(), joining, &start, &joined).print(options.json)?;

    tokio::select! {
        () = stay(options.seconds.map(Duration::from_secs)) => {}
        Some(ended) = people.join_next() => return Err(failure(ended)),
    }
    let report = Report::new("ended", options.people(), joining, &joined, &sample()?);
    leave.send(()).context("everybody is gone")?;
    while let Some(ended) = people.join_next().await {
        ended??;
    }
    report.print(options.json)?;
    // Who only keeps somebody company measures nothing.
    if options.seconds.is_some() { report.valid() } else { Ok(()) }
}

/// Nobody ends before they are told to.
fn failure(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("somebody left"),
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    }
}

async fn stay(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => while tokio::io::stdin().read(&mut [0; 64]).await.is_ok_and(|bytes| bytes > 0) {},
    }
}
