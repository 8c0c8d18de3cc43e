//! hyperion-loadtest: synthetic WebRTC participants and a report.

mod cpu;
mod drive;
mod endpoint;
mod floor;
mod forward;
mod meeting;
mod memory;
mod server;
mod signaling;
mod totals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Synthetic WebRTC participants, on an implementation of WebRTC other than the server's.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// CPU time of the server per forwarded packet, beside the least that sending it encrypted takes.
    Forward {
        /// The server's program; it is started for the measurement.
        #[arg(long)]
        server: PathBuf,
        /// Receivers of one camera; one measurement each.
        #[arg(long, value_delimiter = ',', default_values_t = [50, 300])]
        receivers: Vec<usize>,
        /// How long to measure, in seconds.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// People who meet in rooms, over the real signalling: publishers send microphone and camera, everybody receives
    /// the others. Fails, and says why, when more than 0.1 % is missing.
    Meeting(meeting::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Forward { server, receivers, seconds, json } => {
            forward::run(&server, &receivers, Duration::from_secs(seconds.max(1)), json)
        }
        Command::Meeting(options) => meeting::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hyperion-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
