//! People who come and go at random for a while. Afterwards all that the server holds must be as it was before.

mod churn;
mod held;
mod log;
mod report;
mod visit;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::drive::Drive;
use crate::server::Server;
use churn::Churn;
use held::{Held, returned, settled_kib};
use report::{Cycle, Report};

/// Between two looks at the server while people come and go.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Rows of the report for each cycle.
const ROWS: u32 = 10;
/// The first cycle takes this part of the time: it fills what a server keeps (its log of records, the rings' budget, the
/// allocator's arenas), so that memory is compared with what was left after it.
const WARM_UP: u32 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server's program; it is started for the run.
    #[arg(long)]
    server: PathBuf,
    /// Its workers.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// How long people come and go, in seconds; a fifth of it before that to warm up.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(5..))]
    seconds: u32,
    /// Rooms in which they meet.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    rooms: u32,
    /// How many people there are at the same time, or on their way.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1000))]
    people: u32,
    /// Decides who comes, where, with what, for how long, and how they go; without it another each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Lets them come and go, and says what stayed.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = options.seed.unwrap_or(u64::from(clock.subsec_nanos()));
    eprintln!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(soak(options, seed))?;
    report.print(options.json)?;
    report.passed()
}

async fn soak(options: &Options, seed: u64) -> anyhow::Result<Report> {
    let server = Server::start(&options.server, options.workers, None)?;
    let start = Held::settled(&server).await?;
    let mut report = Report::new(seed, options.people, options.rooms, &start);
    let seconds = Duration::from_secs(options.seconds.into());
    for (name, duration, seed) in [("warm-up", seconds / WARM_UP, !seed), ("soak", seconds, seed)] {
        cycle(options, &server, &start, name, duration, seed, &mut report).await?;
    }
    report.read_log(&server.log());
    Ok(report)
}

async fn cycle(
    options: &Options,
    server: &Server,
    start: &Held,
    name: &'static str,
    duration: Duration,
    seed: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let drive = Arc::new(Drive::start(1)?);
    let churn = Churn::start(server.address, drive.clone(), options.rooms, options.people, seed)?;
    let (began, mut row) = (Instant::now(), 1);
    while began.elapsed() < duration {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let now = Held::read(server).await?;
        report.peak(&now);
        if began.elapsed() >= duration * row / ROWS {
            report.row(format!("{name}, {:.0} s", began.elapsed().as_secs_f64()), &now);
            row += 1;
        }
    }
    report.fail(churn.census(&drive).await?);
    let (tally, stayed) = churn.leave().await;
    report.fail(stayed);
    let (mut left, unreturned) = returned(server, start).await?;
    report.fail(unreturned.iter().map(|difference| format!("after the {name} {difference}")));
    left.memory_kib = settled_kib(server).await?;
    report.row(format!("after the {name}"), &left);
    report.cycle(Cycle::new(name, duration, &tally, &drive.totals()?, left.memory_kib));
    Ok(())
}
