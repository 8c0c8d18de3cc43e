//! What a meeting is reported with: one line of JSON, or a table.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;

use super::target::Usage;
use crate::totals::Totals;

/// More missing than this share of all packets says more about the machine than about the server.
const MISSING_MAX: f64 = 0.001;

/// All that was measured until an instant.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) totals: Totals,
    /// The longest time without a packet of each microphone at each who hears it since the sample before, the shortest
    /// first.
    pub(super) gaps: Vec<Duration>,
    pub(super) usage: Option<Usage>,
}

/// From one sample to another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    event: &'static str,
    participants: u32,
    joins_per_second: f64,
    first_packet_ms_p50: Option<f64>,
    first_packet_ms_max: Option<f64>,
    seconds: f64,
    /// For how long somebody did not hear somebody else.
    gap_ms_p50: Option<f64>,
    gap_ms_p95: Option<f64>,
    gap_ms_max: Option<f64>,
    streams: usize,
    silent: usize,
    sent: u64,
    received: u64,
    verified: u64,
    /// Datagrams that the impairment threw away.
    impaired: u64,
    /// If it did, only what retransmission did not bring to those who ask for it.
    lost: u64,
    missing_percent: f64,
    faults: u64,
    fault: Option<String>,
    latency_ms_p50: Option<f64>,
    latency_ms_p99: Option<f64>,
    server_cpu_percent: Option<f64>,
    server_ns_per_packet: Option<u64>,
    server_memory_kib: Option<u64>,
    void: Option<String>,
}

impl Report {
    /// `joining` is how long it took all of them to join.
    pub(super) fn new(
        event: &'static str,
        participants: u32,
        joining: Duration,
        before: &Sample,
        after: &Sample,
    ) -> Self {
        let (old, new) = (&before.totals, &after.totals);
        let passed = after.at.saturating_duration_since(before.at);
        let received = new.packets - old.packets;
        let impaired = new.impaired - old.impaired;
        // What the impairment took is missing where nobody asks for it again: of sound, and of light receivers.
        let (of, lost) = if new.impaired == 0 {
            (received, new.lost.saturating_sub(old.lost))
        } else {
            (new.repaired - old.repaired, new.unrepaired.saturating_sub(old.unrepaired))
        };
        let missing = lost as f64 / ((of + lost) as f64).max(1.0);
        let cpu = before.usage.zip(after.usage).map(|(before, after)| after.cpu.saturating_sub(before.cpu));
        let latencies = new.latencies.since(&old.latencies);
        let mut waits = new.first_packets.clone();
        waits.sort_unstable();
        let mut report = Self {
            event,
            participants,
            joins_per_second: f64::from(participants) / joining.as_secs_f64(),
            first_packet_ms_p50: waits.get(waits.len() / 2).map(ms),
            first_packet_ms_max: waits.last().map(ms),
            seconds: passed.as_secs_f64(),
            gap_ms_p50: after.gaps.get(after.gaps.len() / 2).map(ms),
            gap_ms_p95: after.gaps.get(after.gaps.len() * 95 / 100).map(ms),
            gap_ms_max: after.gaps.last().map(ms),
            streams: new.streams,
            silent: new.silent,
            sent: new.sent - old.sent,
            received,
            verified: new.verified - old.verified,
            impaired,
            lost,
            missing_percent: missing * 100.0,
            faults: new.faults - old.faults,
            fault: new.fault.map(|fault| fault.to_string()),
            latency_ms_p50: latencies.quantile(0.5).as_ref().map(ms),
            latency_ms_p99: latencies.quantile(0.99).as_ref().map(ms),
            server_cpu_percent: cpu.map(|cpu| 100.0 * cpu.as_secs_f64() / passed.as_secs_f64()),
            server_ns_per_packet: cpu.map(|cpu| cpu.as_nanos() as u64 / received.max(1)),
            server_memory_kib: after.usage.map(|usage| usage.memory_kib),
            void: None,
        };
        report.void = report.why_void(missing);
        report
    }

    fn why_void(&self, missing: f64) -> Option<String> {
        if missing > MISSING_MAX {
            Some(format!("{:.2} % of the packets are missing", self.missing_percent))
        } else if self.silent > 0 {
            Some(format!("{} of {} streams have stopped", self.silent, self.streams))
        } else {
            self.fault.as_ref().map(|fault| format!("{} faults, the first: {fault}", self.faults))
        }
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            self.print_table();
        }
        Ok(())
    }

    /// An error for what cannot be counted.
    pub(super) fn valid(&self) -> anyhow::Result<()> {
        if let Some(void) = &self.void {
            bail!("the run is void: {void}");
        }
        Ok(())
    }

    fn print_table(&self) {
        let per_second = |n: u64| n as f64 / self.seconds.max(0.001);
        let optional = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
        println!("{} after {:.1} s", self.event, self.seconds);
        let rows = [
            ("participants", format!("{}, {:.1} joins/s", self.participants, self.joins_per_second)),
            (
                "first packet, ms",
                format!("p50 {}, max {}", optional(self.first_packet_ms_p50), optional(self.first_packet_ms_max)),
            ),
            (
                "not heard, ms",
                format!(
                    "p50 {}, p95 {}, max {}",
                    optional(self.gap_ms_p50),
                    optional(self.gap_ms_p95),
                    optional(self.gap_ms_max)
                ),
            ),
            ("streams", format!("{}, {} silent", self.streams, self.silent)),
            ("sent", format!("{}, {:.0}/s", self.sent, per_second(self.sent))),
            ("received", format!("{}, {:.0}/s, {} verified", self.received, per_second(self.received), self.verified)),
            ("missing", format!("{}, {:.3} %", self.lost, self.missing_percent)),
            ("impairment", format!("{} datagrams thrown away", self.impaired)),
            ("faults", self.faults.to_string()),
            ("latency, ms", format!("p50 {}, p99 {}", optional(self.latency_ms_p50), optional(self.latency_ms_p99))),
            (
                "server",
                format!(
                    "CPU {} %, {} ns/packet, {} KiB",
                    optional(self.server_cpu_percent),
                    self.server_ns_per_packet.map_or_else(|| "-".to_owned(), |n| n.to_string()),
                    self.server_memory_kib.map_or_else(|| "-".to_owned(), |n| n.to_string()),
                ),
            ),
        ];
        for (name, value) in rows {
            println!("  {name:<18}{value}");
        }
    }
}

fn ms(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(received: u64, lost: u64, silent: usize) -> Report {
        let at = Instant::now();
        let before = Totals { packets: 500, lost: 3, ..Totals::default() };
        let after = Totals { packets: 500 + received, lost: 3 + lost, streams: 8, silent, ..Totals::default() };
        let [before, after] = [before, after].map(|totals| Sample { at, totals, gaps: Vec::new(), usage: None });
        Report::new("ended", 2, Duration::from_secs(1), &before, &after)
    }

    #[test]
    fn more_than_one_in_a_thousand_missing_voids_a_run() {
        report(999, 1, 0).valid().expect("one of a thousand");
        let void = report(997, 2, 0).valid().expect_err("more than that").to_string();
        assert_eq!(void, "the run is void: 0.20 % of the packets are missing");
    }

    #[test]
    fn what_the_impairment_took_voids_a_run_only_where_retransmission_did_not_bring_it() {
        let run = |unrepaired| {
            let at = Instant::now();
            let after =
                Totals { packets: 900, lost: 100, repaired: 500, unrepaired, impaired: 150, ..Totals::default() };
            let [before, after] =
                [Totals::default(), after].map(|totals| Sample { at, totals, gaps: Vec::new(), usage: None });
            Report::new("ended", 2, Duration::from_secs(1), &before, &after).valid()
        };
        run(0).expect("sound and light receivers miss a hundred");
        let void = run(1).expect_err("one of 501").to_string();
        assert_eq!(void, "the run is void: 0.20 % of the packets are missing");
    }

    #[test]
    fn a_stream_that_stopped_voids_a_run_that_misses_nothing() {
        let void = report(1000, 0, 1).valid().expect_err("silence").to_string();
        assert_eq!(void, "the run is void: 1 of 8 streams have stopped");
    }
}
