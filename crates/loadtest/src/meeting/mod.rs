//! Rooms full of synthetic participants, over the real signalling.

mod options;
mod report;
mod target;

use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use report::{Report, Sample};
use target::Target;
use tokio::io::AsyncReadExt as _;

pub(crate) use options::Options;

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
    let start = Sample { at: Instant::now(), totals: Default::default(), gaps: Vec::new(), usage: target.usage()? };
    let mut crowd = Crowd::enter(target.address, options.plan()).await?;
    let (people, joining, drive) = (crowd.plan.people(), crowd.joining, crowd.drive.clone());
    let gaps = crowd.gaps.clone();
    let sample = || {
        let (totals, gaps) = (drive.totals()?, gaps.take());
        anyhow::Ok(Sample { at: Instant::now(), totals, gaps, usage: target.usage()? })
    };
    let joined = sample()?;
    Report::new("joined", people, joining, &start, &joined).print(options.json)?;

    tokio::select! {
        () = stay(options.seconds.map(Duration::from_secs)) => {}
        error = crowd.failure() => return Err(error),
    }
    let report = Report::new("ended", people, joining, &joined, &sample()?);
    crowd.leave().await?;
    report.print(options.json)?;
    // Who only keeps somebody company measures nothing.
    if options.seconds.is_some() { report.valid() } else { Ok(()) }
}

async fn stay(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => while tokio::io::stdin().read(&mut [0; 64]).await.is_ok_and(|bytes| bytes > 0) {},
    }
}
