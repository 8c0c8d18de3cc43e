//! The server under test, as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::cores::Cores;
use crate::http;

/// What the server prints when it takes requests, around its state.
const SAYS: (&str, &str) = ("Hyperion ", ": http://");
/// How long a node may read what is on the log before it takes people, and how often it is asked.
const READY_MAX: Duration = Duration::from_secs(60);
const READY_INTERVAL: Duration = Duration::from_millis(20);
/// Lines of the log that are kept; what goes wrong again and again is known by then.
const LOG_LINES_MAX: usize = 1000;

/// A server on loopback; it ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts it, on some cores only if they are given.
    pub(crate) fn start(program: &Path, workers: usize, on: Option<&Cores>) -> anyhow::Result<Self> {
        Self::start_with(program, workers, on, &[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(
        program: &Path,
        workers: usize,
        on: Option<&Cores>,
        flags: &[String],
    ) -> anyhow::Result<Self> {
        let settings = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HYPERION_"));
        let mut command = Command::new(program);
        for (name, _) in settings {
            // Settings of this machine are none of the measurement's.
            command.env_remove(name);
        }
        command
            .args(["--listen", "127.0.0.1:0", "--media-port", "0", "--log-level", "warn"])
            .args(["--workers", &workers.to_string()])
            // All participants are of one address, and some meet in large rooms.
            .args(["--limits-joins-per-second-per-address", "100000"])
            .args(["--limits-sockets-per-address-max", "100000"])
            .args(["--limits-participants-per-room-max", "2000"])
            .args(["--limits-message-bytes-max", "1048576"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A process begins with the cores of the thread that starts it.
        let before = Cores::allowed()?;
        on.unwrap_or(&before).take()?;
        let child = command.spawn();
        before.take()?;
        let mut child = child.with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("the server's output")?;
        let log = listen(child.stderr.take().context("the server's log")?);
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some((_, url)) = line.strip_prefix(SAYS.0).and_then(|line| line.split_once(SAYS.1)) {
                let address = url.trim().trim_end_matches('/').replace("localhost", "127.0.0.1");
                server.address = address.parse().with_context(|| format!("the server's address {address}"))?;
                return Ok(server);
            }
        }
        bail!("the server ended without saying where it listens");
    }

    /// Waits until it takes people.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_MAX;
        while let Err(error) = http::request(self.address, "GET", "/readyz", "").await {
            if Instant::now() > deadline {
                return Err(error).with_context(|| format!("not ready after {READY_MAX:?}"));
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
        Ok(())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far: warnings, errors, and the last words of threads.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        crate::cpu::of_process(self.process())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps what the server logs, and shows it.
fn listen(output: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let kept = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            eprintln!("{line}");
            let mut lines = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() < LOG_LINES_MAX {
                lines.push(line);
            }
        }
    });
    log
}
