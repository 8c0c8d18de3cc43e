//! hyperion-loadtest: synthetic WebRTC participants and a report.

mod bench;
mod cores;
mod cpu;
mod crowd;
mod descriptors;
mod door;
mod drive;
mod endpoint;
mod floor;
mod gap;
mod http;
mod impairment;
mod meeting;
mod memory;
mod metrics;
mod participant;
mod server;
mod service;
mod shapes;
mod signaling;
mod soak;
mod socket;
mod totals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Synthetic WebRTC participants, on an implementation of WebRTC other than the server's.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What the server takes for its work, beside the least that sending the same takes.
    Forward(bench::Options),
    /// What a cluster of real nodes does with Kafka, Redis and Nginx beside it, against the goals that it has.
    Cluster(bench::ClusterOptions),
    /// People who meet in rooms, over the real signalling: publishers send microphone and camera, everybody receives
    /// the others. Fails, and says why, when more than 0.1 % is missing.
    Meeting(meeting::Options),
    /// People who come and go at random, some without a word. Fails, and says why, when afterwards the server holds more
    /// than before, when somebody could not join or found a fault, or when the server logged a warning.
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    descriptors::allow_all();
    let done = match arguments.command {
        Command::Forward(options) => bench::run(&options),
        Command::Cluster(options) => bench::run_cluster(&options),
        Command::Meeting(options) => meeting::run(&options),
        Command::Soak(options) => soak::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hyperion-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
