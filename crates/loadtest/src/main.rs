//! hyperion-loadtest: synthetic WebRTC participants and a report.

mod bench;
mod cores;
mod cpu;
mod crowd;
mod descriptors;
mod drive;
mod endpoint;
mod floor;
mod http;
mod impairment;
mod meeting;
mod memory;
mod participant;
mod server;
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
