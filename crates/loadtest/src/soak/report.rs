//! What a soak is reported with: a JSON document, or tables.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use super::churn::Tally;
use super::held::Held;
use super::log;
use crate::totals::Totals;

/// What memory may have grown by in the soak, after the warm-up. The log of the process fills up to its 4,096 records
/// meanwhile (docs/decisions/0003-allocator.md: 1.1 to 1.7 MiB in all), and the allocator's pages are not filled to the
/// same degree each time.
const GROWTH_KIB_MAX: i64 = 4096;
/// Lines of the log that are shown.
const LOG_LINES_MAX: usize = 20;

/// Columns of the table, and the gauges that they are.
const COLUMNS: [(&str, &str); 10] = [
    ("descriptors", "descriptors"),
    ("threads", "threads"),
    ("rooms", "hyperion_rooms"),
    ("people", "hyperion_participants"),
    ("held", "hyperion_sessions_held"),
    ("sockets", "hyperion_signaling_sockets_open"),
    ("transports", "hyperion_worker_transports"),
    ("producers", "hyperion_worker_producers"),
    ("consumers", "hyperion_worker_consumers"),
    ("timers", "hyperion_worker_timers"),
];

/// A whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    seed: u64,
    chairs: u32,
    rooms: u32,
    cycles: Vec<Cycle>,
    rows: Vec<Row>,
    /// The most that was seen of each.
    peak: Row,
    memory_growth_kib: i64,
    memory_growth_max_kib: i64,
    log: Vec<String>,
    /// Why the run failed; nothing if it did not.
    failures: Vec<String>,
}

/// People came and went for a while, until everybody had left.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cycle {
    name: &'static str,
    seconds: f64,
    joined: u64,
    left: u64,
    vanished: u64,
    vanished_on_the_way: u64,
    failed: u64,
    #[serde(skip)]
    reasons: Vec<String>,
    sent: u64,
    received: u64,
    verified: u64,
    lost: u64,
    faults: u64,
    fault: Option<String>,
    first_packet_ms_p50: Option<f64>,
    /// What was resident when everybody had left.
    memory_kib: u64,
}

/// What the server held at a time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    at: String,
    memory_kib: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Row {
    fn new(at: String, held: &Held) -> Self {
        let counts = COLUMNS.iter().map(|(column, gauge)| (*column, held.sum(gauge))).collect();
        Self { at, memory_kib: held.memory_kib, counts }
    }

    fn line(&self) -> String {
        let counts = COLUMNS.iter().map(|(column, _)| format!(" | {}", self.counts[column])).collect::<String>();
        format!("| {} | {}{counts} |", self.at, self.memory_kib)
    }
}

impl Cycle {
    pub(super) fn new(name: &'static str, duration: Duration, tally: &Tally, totals: &Totals, memory_kib: u64) -> Self {
        let mut waits = totals.first_packets.clone();
        waits.sort_unstable();
        Self {
            name,
            seconds: duration.as_secs_f64(),
            joined: tally.joined,
            left: tally.left,
            vanished: tally.vanished,
            vanished_on_the_way: tally.vanished_on_the_way,
            failed: tally.failed,
            reasons: tally.failures.clone(),
            sent: totals.sent,
            received: totals.packets,
            verified: totals.verified,
            lost: totals.lost,
            faults: totals.faults,
            fault: totals.fault.map(|fault| fault.to_string()),
            first_packet_ms_p50: waits.get(waits.len() / 2).map(|wait| wait.as_secs_f64() * 1000.0),
            memory_kib,
        }
    }
}

impl Report {
    pub(super) fn new(seed: u64, chairs: u32, rooms: u32, start: &Held) -> Self {
        let mut report = Self {
            seed,
            chairs,
            rooms,
            cycles: Vec::new(),
            rows: Vec::new(),
            peak: Row::new("the most".to_owned(), start),
            memory_growth_kib: 0,
            memory_growth_max_kib: GROWTH_KIB_MAX,
            log: Vec::new(),
            failures: Vec::new(),
        };
        report.row("start".to_owned(), start);
        report
    }

    pub(super) fn row(&mut self, at: String, held: &Held) {
        self.peak(held);
        let row = Row::new(at, held);
        eprintln!("{}", row.line());
        self.rows.push(row);
    }

    pub(super) fn peak(&mut self, held: &Held) {
        let row = Row::new(String::new(), held);
        self.peak.memory_kib = self.peak.memory_kib.max(row.memory_kib);
        for (column, count) in row.counts {
            self.peak.counts.entry(column).and_modify(|most| *most = count.max(*most)).or_insert(count);
        }
    }

    /// What went wrong, if anything did.
    pub(super) fn fail(&mut self, why: impl IntoIterator<Item = String>) {
        self.failures.extend(why);
    }

    pub(super) fn cycle(&mut self, cycle: Cycle) {
        let name = cycle.name;
        if cycle.failed > 0 {
            let reasons = cycle.reasons.join("; ");
            self.failures.push(format!("{name}: {} people failed: {reasons}", cycle.failed));
        }
        if let Some(fault) = &cycle.fault {
            self.failures.push(format!("{name}: receivers found {} faults, the first: {fault}", cycle.faults));
        }
        self.cycles.push(cycle);
        if let [before, after] = &self.cycles[..] {
            if after.verified == 0 {
                self.failures.push("nothing was verified: nobody was in long enough".to_owned());
            }
            self.memory_growth_kib = after.memory_kib as i64 - before.memory_kib as i64;
            if self.memory_growth_kib > GROWTH_KIB_MAX {
                self.failures.push(format!("memory grew by {} KiB", self.memory_growth_kib));
            }
        }
    }

    pub(super) fn read_log(&mut self, lines: &[String]) {
        let count = log::unexplained(lines).count();
        if count > 0 {
            self.failures.push(format!("the server logged {count} lines that nothing explains"));
        }
        self.log = lines.iter().take(LOG_LINES_MAX).cloned().collect();
    }

    /// An error when anything went wrong.
    pub(super) fn passed(&self) -> anyhow::Result<()> {
        if !self.failures.is_empty() {
            bail!("the soak failed (--seed {}):\n  {}", self.seed, self.failures.join("\n  "));
        }
        Ok(())
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            self.print_tables();
        }
        Ok(())
    }

    fn print_tables(&self) {
        println!("Seed {}, {} chairs, {} rooms.\n", self.seed, self.chairs, self.rooms);
        let names = COLUMNS.iter().map(|(column, _)| format!(" | {column}")).collect::<String>();
        println!("| | resident, KiB{names} |\n|{}", " --- |".repeat(COLUMNS.len() + 2));
        self.rows.iter().chain([&self.peak]).for_each(|row| println!("{}", row.line()));
        for cycle in &self.cycles {
            println!(
                "\n{}: {:.0} s, {} joined, {} left, {} vanished and {} on the way in, {} failed; first packet after {:.0} ms \
                 (median); {} packets sent, {} received, {} verified, {} missing, {} faults; {} KiB when everybody was gone",
                cycle.name,
                cycle.seconds,
                cycle.joined,
                cycle.left,
                cycle.vanished,
                cycle.vanished_on_the_way,
                cycle.failed,
                cycle.first_packet_ms_p50.unwrap_or(f64::NAN),
                cycle.sent,
                cycle.received,
                cycle.verified,
                cycle.lost,
                cycle.faults,
                cycle.memory_kib,
            );
        }
        println!("\nMemory grew by {} KiB, at most {GROWTH_KIB_MAX} allowed.", self.memory_growth_kib);
        for line in &self.log {
            println!("log: {line}");
        }
        println!("{}", if self.failures.is_empty() { "Passed." } else { "Failed:" });
        self.failures.iter().for_each(|failure| println!("- {failure}"));
    }
}
