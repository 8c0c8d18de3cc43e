//! The `hyperion` command.

mod allocator;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use hyperion::config::{self, Config, LoadError, Loaded, Log, LogFormat};
use hyperion::server::Server;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Between two lives of a node.
const START_ANEW_PAUSE: Duration = Duration::from_secs(1);
/// The exit code of a configuration that cannot be used; nothing was started.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let (config, unknown) = match config::load(std::env::args_os(), std::env::vars_os()) {
        Ok(Loaded::Run(config, unknown)) => (config, unknown),
        Ok(Loaded::Check(_)) => {
            println!("The configuration is valid.");
            return ExitCode::SUCCESS;
        }
        Ok(Loaded::Drain(config)) => {
            return ended(drain(&config).map(|()| {
                println!(
                    "The node goes down: its people are asked to go on at other nodes, and it ends when they are there."
                );
            }));
        }
        Ok(Loaded::SampleConfig) => {
            print!("{}", config::sample());
            return ExitCode::SUCCESS;
        }
        Err(LoadError::Flags(error)) => error.exit(),
        Err(error) => {
            eprintln!("hyperion: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    start_logging(&config.log);
    raise_descriptor_limit();
    for name in unknown {
        tracing::warn!(name, "this variable looks like a setting but is none");
    }
    ended(run(&config))
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hyperion: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn drain(config: &Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(hyperion::drain::drain(config))
}

fn start_logging(log: &Log) {
    // The configuration was checked: the directives parse.
    let filter = EnvFilter::try_new(&log.level).unwrap_or_default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

/// Each socket is a descriptor, and the usual soft limit of 1,024 is for programs that call `select`; this one may
/// have as many as the hard limit allows.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(descriptors) => tracing::debug!(descriptors, "the limit of open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files (ulimit -n) stays as it is"),
    }
}

fn run(config: &Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    runtime.block_on(async {
        let mut signals = Signals::watch()?;
        loop {
            let server = Server::start(config.clone()).await?;
            print!("{}", server.details());
            let state = if server.is_waiting() { "waits for Kafka" } else { "is ready" };
            println!("Hyperion {state}: {}", server.url());
            let again = tokio::select! {
                () = signals.any() => false,
                () = server.asked_to_end() => false,
                // The rooms no longer believe this life of the node; the next one they will.
                () = server.fenced() => true,
            };
            tracing::info!(again, "going down");
            if !again {
                tokio::select! {
                    () = server.drain() => {}
                    // Nobody is on it any more.
                    () = server.fenced() => {}
                    () = signals.any() => tracing::info!("the wait for people to go on elsewhere is given up"),
                }
            }
            server.stop().await?;
            if !again {
                return Ok(());
            }
            // Should it come to this over and over, not in a hurry.
            tokio::time::sleep(START_ANEW_PAUSE).await;
        }
    })
}

/// What asks the process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot watch for Ctrl-C")?;
        Ok(Self { terminate, interrupt })
    }

    /// Waits for the next.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
