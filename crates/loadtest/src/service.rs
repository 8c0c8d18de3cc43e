//! What runs beside the server in a cluster, by the script that runs it for tests too.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// A service, which the script ends and removes with this value, or when this process ends in whatever way.
pub(crate) struct Service {
    script: Child,
    folder: PathBuf,
    /// What the script printed when the service ran: its address, or its URL.
    pub(crate) printed: String,
}

impl Service {
    /// Starts `script run FOLDER …`, and waits until it runs.
    pub(crate) fn run(script: &Path, folder: &Path, more: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(script);
        command.arg("run").arg(folder).args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", script.display()))?;
        let output = child.stdout.take().context("the script's output")?;
        let mut printed = String::new();
        BufReader::new(output).read_line(&mut printed)?;
        let service = Self { script: child, folder: folder.to_owned(), printed: printed.trim().to_owned() };
        if service.printed.is_empty() {
            bail!("{} ended without saying that it runs", script.display());
        }
        Ok(service)
    }

    /// What its process has used so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let process = std::fs::read_to_string(self.folder.join("pid")).context("the service's process")?;
        crate::cpu::of_process(process.trim().parse()?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The script waits for its end.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
