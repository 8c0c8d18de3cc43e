//! Rooms full of synthetic participants, over the real signalling.

mod attend;
mod report;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use loadtest::client::{AudioConfig, VideoConfig};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::drive::Drive;
use attend::{Media, Seat, attend};
use report::Report;

/// How long handshakes and the first packets may take after the last join.
const ENTER_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether everybody is in.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Who meets where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A running server on this machine, for example http://127.0.0.1:4400/.
    #[arg(long)]
    url: String,
    /// The room's name.
    #[arg(long, default_value = "loadtest")]
    room: String,
    /// How many people send microphone and camera, and receive the others.
    #[arg(long, default_value_t = 5)]
    publishers: u32,
    /// Frames that a camera sends in a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Packets of a frame; a keyframe has twice as many.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=500))]
    packets: u16,
    /// Payload of a video packet, in bytes.
    #[arg(long, default_value_t = 1130, value_parser = clap::value_parser!(u16).range(150..=1200))]
    bytes: u16,
    /// Joins in a second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    ramp: u32,
    /// How long to stay once everybody is in; without it until standard input closes.
    #[arg(long)]
    seconds: Option<u64>,
    /// Print JSON: a line when everybody is in, and one at the end.
    #[arg(long)]
    json: bool,
}

/// Lets them all join, stay and leave.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let met = runtime.block_on(meet(options));
    // A read of standard input may still wait.
    runtime.shutdown_background();
    met
}

async fn meet(options: &Options) -> anyhow::Result<()> {
    let server = address(&options.url)?;
    let drive = std::sync::Arc::new(Drive::start()?);
    let (entered, mut entrances) = mpsc::channel(64);
    let (leave, leaving) = watch::channel(());
    let mut people = JoinSet::new();

    let epoch = Instant::now();
    for number in 0..options.publishers {
        tokio::time::sleep_until((epoch + Duration::from_secs(1) * number / options.ramp).into()).await;
        let seat = Seat { server, room: options.room.clone(), number, epoch, publishes: Some(options.media()) };
        people.spawn(attend(seat, drive.clone(), entered.clone(), leaving.clone()));
    }
    for _ in 0..options.publishers {
        tokio::select! {
            Some(()) = entrances.recv() => {}
            Some(ended) = people.join_next() => return Err(failure(ended)),
        }
    }
    // Each hears and sees all others; people who are not ours may be in the room as well.
    let streams = (options.publishers * options.publishers.saturating_sub(1)) as usize * 2;
    let deadline = Instant::now() + ENTER_MAX;
    loop {
        let totals = drive.totals()?;
        if totals.unconnected() == 0 && totals.streams >= streams && totals.heard == totals.streams {
            break;
        }
        if Instant::now() > deadline {
            bail!("after {ENTER_MAX:?}, not everybody has everybody's media: {totals:?}");
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Report::new("joined", &drive.totals()?, epoch.elapsed()).print(options.json)?;

    tokio::select! {
        () = stay(options.seconds.map(Duration::from_secs)) => {}
        Some(ended) = people.join_next() => return Err(failure(ended)),
    }
    let report = Report::new("ended", &drive.totals()?, epoch.elapsed());
    leave.send(()).context("everybody is gone")?;
    while let Some(ended) = people.join_next().await {
        ended??;
    }
    report.print(options.json)
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

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let mut addresses = host.to_socket_addrs().with_context(|| format!("{url} is not http://HOST:PORT/"))?;
    addresses.find(SocketAddr::is_ipv4).with_context(|| format!("{url} has no IPv4 address"))
}

impl Options {
    fn media(&self) -> Media {
        let camera = VideoConfig {
            frame_rate: self.fps,
            packets: self.packets,
            keyframe_packets: self.packets * 2,
            bytes: self.bytes.into(),
            encoding: Duration::ZERO,
        };
        Media { microphone: AudioConfig::default(), camera }
    }
}
