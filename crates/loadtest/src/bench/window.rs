//! A measured while: everybody pauses, goes on, pauses again, so that what was sent can be compared with what came.

use std::time::{Duration, Instant};

use loadtest::client::Latencies;

use super::Bench;
use crate::cores::Cores;
use crate::crowd::Crowd;
use crate::server::Server;
use crate::totals::Totals;

/// Packets that are still on their way when publishers pause.
const DRAIN: Duration = Duration::from_millis(150);
/// More missing than this share of all packets says more about the machine than about the server.
pub(super) const MISSING_MAX: f64 = 0.001;

/// What was found.
pub(super) struct Window {
    pub(super) passed: Duration,
    /// Of the server's process.
    pub(super) cpu: Duration,
    /// Of its cores, with whatever it was.
    pub(super) busy: Duration,
    pub(super) generator_busy: Duration,
    /// Media packets that receivers got, and that they did not get.
    pub(super) packets: u64,
    pub(super) missing: u64,
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    pub(super) faults: Option<String>,
    pub(super) latencies: Latencies,
    /// Of it, how long was sent.
    pub(super) seconds: f64,
}

impl Window {
    /// Lets crowds send for so long, all of them already paused, and measures the server.
    pub(super) async fn open(
        bench: &Bench,
        server: &Server,
        cores: &Cores,
        crowds: &[&Crowd],
        duration: Duration,
    ) -> anyhow::Result<Self> {
        let before = totals(crowds)?;
        let (cpu, busy, generator_busy) = (server.cpu()?, cores.busy()?, bench.generator.busy()?);
        let started = Instant::now();
        crowds.iter().try_for_each(|crowd| crowd.drive.set_paused(false))?;
        tokio::time::sleep(duration).await;
        crowds.iter().try_for_each(|crowd| crowd.drive.set_paused(true))?;
        tokio::time::sleep(DRAIN).await;
        let passed = started.elapsed();
        let (cpu, busy) = (server.cpu()?.saturating_sub(cpu), cores.busy()?.saturating_sub(busy));
        let generator_busy = bench.generator.busy()?.saturating_sub(generator_busy);
        let after = totals(crowds)?;
        let sum = |of: fn(&Totals) -> u64| -> u64 {
            after.iter().zip(&before).map(|(after, before)| of(after).saturating_sub(of(before))).sum()
        };
        let mut latencies = Latencies::default();
        for (after, before) in after.iter().zip(&before) {
            latencies.add(&after.latencies.since(&before.latencies));
        }
        let missing = crowds.iter().zip(after.iter().zip(&before)).map(|(crowd, (after, before))| {
            let lost = after.lost.saturating_sub(before.lost);
            let (sent, received) = (after.sent - before.sent, after.packets - before.packets);
            // Of a picture in several sizes one is received, which only the numbers tell about.
            let whole = crowd.plan.publishers.iter().all(|media| media.camera.len() <= 1);
            let expected = sent * crowd.plan.receivers_of_each() as u64;
            if whole { expected.saturating_sub(received).max(lost) } else { lost }
        });
        let fault = after.iter().find_map(|totals| totals.fault).filter(|_| sum(|totals| totals.faults) > 0);
        Ok(Self {
            passed,
            cpu,
            busy,
            generator_busy,
            packets: sum(|totals| totals.packets),
            missing: missing.sum(),
            datagrams: sum(|totals| totals.datagrams),
            bytes: sum(|totals| totals.bytes),
            faults: fault.map(|fault| format!("a receiver found a fault: {fault}")),
            latencies,
            seconds: duration.as_secs_f64(),
        })
    }

    pub(super) fn ns_per_packet(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.packets.max(1) as f64
    }

    pub(super) fn latency_ms(&self, share: f64) -> Option<f64> {
        milliseconds(&self.latencies, share)
    }

    /// Why it does not count.
    pub(super) fn void(&self) -> Option<String> {
        let share = self.missing as f64 / (self.packets + self.missing).max(1) as f64;
        if self.packets == 0 {
            Some("nothing came".to_owned())
        } else if share > MISSING_MAX {
            Some(format!("{:.2} % of the packets are missing", share * 100.0))
        } else {
            self.faults.clone()
        }
    }
}

pub(super) fn milliseconds(latencies: &Latencies, share: f64) -> Option<f64> {
    latencies.quantile(share).map(|latency| latency.as_secs_f64() * 1000.0)
}

fn totals(crowds: &[&Crowd]) -> anyhow::Result<Vec<Totals>> {
    crowds.iter().map(|crowd| crowd.drive.totals()).collect()
}

/// Lets crowds pause, and what is on its way arrive.
pub(super) async fn pause(crowds: &[&Crowd]) -> anyhow::Result<()> {
    crowds.iter().try_for_each(|crowd| crowd.drive.set_paused(true))?;
    tokio::time::sleep(2 * DRAIN).await;
    Ok(())
}
