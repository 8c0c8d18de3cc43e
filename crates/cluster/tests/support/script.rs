//! What a script of this project starts for a test, such as `script/kafka`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// On a fresh machine the script installs and fetches first.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Removed when it is dropped, and by the script itself when this process ends in whatever way.
pub(crate) struct Service {
    name: &'static str,
    /// Where it keeps what it has.
    pub(crate) folder: PathBuf,
    address: String,
    script: Child,
}

impl Service {
    /// Runs `script/NAME run` in a folder of its own.
    pub(crate) fn start(name: &'static str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("hyperion-{name}-{}-{n}", std::process::id()));
        let mut command = script(name, "run", &folder);
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a script");
        let output = script.stdout.take().expect("it is piped");
        let (sender, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut address = String::new();
            // Without a line the receiver learns that there is none.
            if BufReader::new(output).read_line(&mut address).is_ok() {
                _ = sender.send(address.trim().to_owned());
            }
        });
        let address = line.recv_timeout(START_TIMEOUT).unwrap_or_default();
        let service = Self { name, folder, address, script };
        assert!(!service.address.is_empty(), "script/{name} started nothing");
        service
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// By SIGKILL.
    pub(crate) fn kill(&self) {
        self.call("kill", &[]);
    }

    pub(crate) fn start_again(&self) {
        self.call("start", &[]);
    }

    /// Returns what the script prints.
    pub(crate) fn call(&self, what: &str, more: &[&str]) -> String {
        let output = script(self.name, what, &self.folder).args(more).output().expect("a script");
        assert!(output.status.success(), "script/{} {what}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        _ = self.script.wait();
    }
}

fn script(name: &str, what: &str, folder: &PathBuf) -> Command {
    let mut command = Command::new(format!("{}/../../script/{name}", env!("CARGO_MANIFEST_DIR")));
    command.arg(what).arg(folder);
    command
}
