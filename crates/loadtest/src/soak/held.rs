//! What the server's process holds, as the kernel and the server itself tell.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use crate::metrics::{self, Metrics};
use crate::server::Server;

/// Gauges that tell of the moment, and of nothing that is held.
const MOMENTARY: [&str; 2] = ["busy_permille", "command_depth"];
/// Sessions without a socket, and transports without consent, are held for 30 s.
const RETURN_MAX: Duration = Duration::from_secs(90);
const RETURN_INTERVAL: Duration = Duration::from_millis(250);
/// Unused pages go back to the system after a second (docs/decisions/0003-allocator.md).
const SETTLE_INTERVAL: Duration = Duration::from_millis(1500);
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// At one instant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub(super) memory_kib: u64,
    /// Descriptors, threads, and every gauge of `/metrics` by its name and labels.
    counts: BTreeMap<String, f64>,
}

impl Held {
    pub(super) async fn read(server: &Server) -> anyhow::Result<Self> {
        let mut counts = held(&Metrics::read(server.address).await?);
        for (name, folder) in [("descriptors", "fd"), ("threads", "task")] {
            let entries =
                fs::read_dir(format!("/proc/{}/{folder}", server.process())).context("the process is gone")?;
            counts.insert(name.to_owned(), entries.count() as f64);
        }
        Ok(Self { memory_kib: crate::memory::of_process_kib(server.process())?, counts })
    }

    /// Once it stays the same for a moment.
    pub(super) async fn settled(server: &Server) -> anyhow::Result<Self> {
        let deadline = Instant::now() + SETTLE_MAX;
        let mut before = Self::read(server).await?;
        loop {
            sleep(SETTLE_INTERVAL).await;
            let now = Self::read(server).await?;
            if now.counts == before.counts {
                return Ok(now);
            }
            if Instant::now() > deadline {
                bail!("the server does not come to rest: {}", now.differences(&before).join(", "));
            }
            before = now;
        }
    }

    /// A count, or the sum of a gauge over its labels.
    pub(super) fn sum(&self, name: &str) -> u64 {
        metrics::sum(&self.counts, name) as u64
    }

    /// In what it is other than at the start, memory aside.
    pub(super) fn differences(&self, start: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<_> = self.counts.keys().chain(start.counts.keys()).collect();
        let different = names.into_iter().filter(|name| self.counts.get(*name) != start.counts.get(*name));
        let count =
            |held: &Self, name: &str| held.counts.get(name).map_or_else(|| "missing".to_owned(), f64::to_string);
        different.map(|name| format!("{name} is {}, was {}", count(self, name), count(start, name))).collect()
    }
}

/// Waits until all is as it was at the start. Gives what there is then, and in what it differs if it does not become so.
pub(super) async fn returned(server: &Server, start: &Held) -> anyhow::Result<(Held, Vec<String>)> {
    let deadline = Instant::now() + RETURN_MAX;
    loop {
        let now = Held::read(server).await?;
        let differences = now.differences(start);
        if differences.is_empty() || Instant::now() > deadline {
            return Ok((now, differences));
        }
        sleep(RETURN_INTERVAL).await;
    }
}

/// The resident memory once two readings in a row are the same.
pub(super) async fn settled_kib(server: &Server) -> anyhow::Result<u64> {
    let deadline = Instant::now() + SETTLE_MAX;
    let mut before = crate::memory::of_process_kib(server.process())?;
    loop {
        sleep(SETTLE_INTERVAL).await;
        let now = crate::memory::of_process_kib(server.process())?;
        if now == before || Instant::now() > deadline {
            return Ok(now);
        }
        before = now;
    }
}

/// The gauges that tell what is held.
fn held(metrics: &Metrics) -> BTreeMap<String, f64> {
    metrics.gauges(|name| !MOMENTARY.iter().any(|momentary| name.contains(momentary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Held {
        Held { memory_kib: 0, counts: held(&Metrics::parse(text)) }
    }

    const TEXT: &str = "# HELP a_rooms Rooms.\n# TYPE a_rooms gauge\na_rooms 2\n\
        # TYPE a_timers gauge\na_timers{worker=\"0\"} 3\na_timers{worker=\"1\"} 4\n\
        # TYPE a_timers_total counter\na_timers_total 9\n# TYPE a_busy_permille gauge\na_busy_permille 12\n";

    #[test]
    fn gauges_that_tell_what_is_held_are_kept_and_nothing_else() {
        let held = of(TEXT);
        assert_eq!((held.sum("a_rooms"), held.sum("a_timers"), held.counts.len()), (2, 7, 3));
    }

    #[test]
    fn differences_name_what_came_changed_and_went() {
        let before = of(TEXT);
        let text = TEXT.replace("a_timers{worker=\"1\"} 4", "a_timers{worker=\"2\"} 4").replace("rooms 2", "rooms 1");
        let differences = of(&text).differences(&before);
        assert_eq!(
            differences,
            [
                "a_rooms is 1, was 2",
                "a_timers{worker=\"1\"} is missing, was 4",
                "a_timers{worker=\"2\"} is 4, was missing"
            ]
        );
        assert!(before.differences(&before).is_empty());
    }
}
