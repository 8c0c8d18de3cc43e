//! What a cluster of real nodes does with Kafka, Redis and Nginx beside it: one row for each work, with the goals that
//! it has. Each work has a cluster, and a log, of its own.

mod catch_up;
mod echo;
mod events;
mod first_packet;
mod nodes;
mod placement;
mod relay;
mod steady;
mod talk;
mod usage;
mod works;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::row::{self, Row};
use super::{Bench, machine};
use crate::cores::Cores;
use works::Work;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server's program; nodes are started for each work.
    #[arg(long)]
    server: PathBuf,
    /// The folder with the scripts that run Kafka, Redis and Nginx.
    #[arg(long)]
    scripts: PathBuf,
    /// An empty folder for what they keep, in memory so that no disk is measured.
    #[arg(long)]
    folder: PathBuf,
    /// Which works; all of them without it.
    #[arg(long = "work", value_delimiter = ',', value_enum)]
    works: Vec<Work>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Of a work in turns.
const RUNS: u32 = 3;
const RUN: Duration = Duration::from_secs(4);

/// What the works start their clusters with.
struct Context {
    bench: Bench,
    scripts: PathBuf,
    folder: PathBuf,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let all = Cores::allowed()?;
    let (server, generator) = all.split();
    let program = options.server.clone();
    let bench = Bench { program, runs: RUNS, server_time: RUN, floor_time: Duration::ZERO, all, server, generator };
    let context = Context { bench, scripts: options.scripts.clone(), folder: options.folder.clone() };
    let works = if options.works.is_empty() { Work::ALL } else { &options.works };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for &work in works {
        eprintln!("{work} …");
        let row = runtime.block_on(work.measure(&context)).with_context(|| work.to_string());
        rows.push(row.unwrap_or_else(|error| Row::void(&work.to_string(), format!("{error:#}"))));
    }
    row::print(&machine::describe(&context.bench.server, &context.bench.generator)?, &rows, options.json)
}
