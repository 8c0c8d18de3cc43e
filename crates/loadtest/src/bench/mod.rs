//! What the server takes for its work, beside the least that the same takes: one row for each work of issue-sized
//! load, each figure a median of runs with its spread.

mod call;
mod cluster;
mod joins;
mod keyframe;
mod machine;
mod memory;
mod row;
mod window;
mod workers;
mod works;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::cores::Cores;
use row::Row;
use works::Work;

pub(crate) use cluster::{Options as ClusterOptions, run as run_cluster};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server's program; it is started for each work.
    #[arg(long)]
    server: PathBuf,
    /// Which works; all of them without it.
    #[arg(long = "work", value_delimiter = ',', value_enum)]
    works: Vec<Work>,
    /// Runs of a work, server and floor in turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long the server is measured in a run, in seconds; the floor half as long.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Where and how long to measure.
struct Bench {
    program: PathBuf,
    runs: u32,
    server_time: Duration,
    floor_time: Duration,
    all: Cores,
    server: Cores,
    generator: Cores,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let all = Cores::allowed()?;
    let (server, generator) = all.split();
    // This thread, and all that it starts but the server and the floor.
    generator.take()?;
    let server_time = Duration::from_secs(options.seconds);
    let (program, runs, floor_time) = (options.server.clone(), options.runs, server_time / 2);
    let bench = Bench { program, runs, server_time, floor_time, all, server, generator };
    let works = if options.works.is_empty() { Work::ALL } else { &options.works };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for &work in works {
        eprintln!("{work} …");
        let row = runtime.block_on(work.measure(&bench)).with_context(|| work.to_string());
        rows.push(row.unwrap_or_else(|error| Row::void(&work.to_string(), format!("{error:#}"))));
    }
    row::print(&machine::describe(&bench.server, &bench.generator)?, &rows, options.json)
}
