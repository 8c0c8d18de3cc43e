//! A real Kafka of a test's own, by `script/kafka`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use cluster::{KafkaConfig, KafkaLog};

/// On a fresh machine the script installs Java and fetches Kafka first.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Removed when it is dropped, and by the script itself when this process ends in whatever way.
pub(crate) struct Broker {
    folder: PathBuf,
    address: String,
    script: Child,
}

impl Broker {
    pub(crate) fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("hyperion-kafka-{}-{n}", std::process::id()));
        let mut command = script("run", &folder);
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script/kafka");
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
        let broker = Self { folder, address, script };
        assert!(!broker.address.is_empty(), "script/kafka started no broker");
        broker
    }

    /// By SIGKILL; what was written stays.
    pub(crate) fn kill(&self) {
        self.call("kill");
    }

    pub(crate) fn start_again(&self) {
        self.call("start");
    }

    pub(crate) fn config(&self, topic: &str) -> KafkaConfig {
        KafkaConfig { topic: topic.to_owned(), partitions: 4, ..KafkaConfig::new(vec![self.address.clone()]) }
    }

    pub(crate) fn log(&self, topic: &str) -> KafkaLog {
        KafkaLog::new(self.config(topic)).expect("a log")
    }

    fn call(&self, what: &str) {
        let output = script(what, &self.folder).output().expect("script/kafka");
        assert!(output.status.success(), "script/kafka {what}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        _ = self.script.wait();
    }
}

fn script(what: &str, folder: &PathBuf) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../script/kafka"));
    command.arg(what).arg(folder);
    command
}
