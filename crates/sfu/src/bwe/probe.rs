//! Probing: a short burst at a higher rate shows whether the path carries it, when what is forwarded does not.
//!
//! An SFU cannot encode a little more. Its next step is a layer, so it probes while viewers want more than the
//! estimate gives them, and never for more than that. Clusters and their results as in libwebrtc's `ProbeController`
//! and `ProbeBitrateEstimator`.

use std::num::NonZeroU8;

use arrayvec::ArrayVec;

use super::history::{Acked, ProbeClusterId};
use crate::clock::Micros;

/// A cluster lasts this long, and twice as long each time that the one before said nothing.
const CLUSTER_US: u64 = 15_000;
const CLUSTER_US_MAX: u64 = 120_000;
const CLUSTER_PACKETS_MIN: u32 = 5;
/// Of a cluster's packets and bytes, so much must have arrived.
const ARRIVED_PERCENT: u32 = 80;
/// A cluster that took longer to send or to arrive says nothing.
const INTERVAL_US_MAX: Micros = 1_000_000;
/// Packets that arrived so much faster than they were sent were held up on the way.
const COMPRESSED_MAX: u64 = 2;
/// The path is full when packets arrive at less than so much of the rate they were sent at; then this much is used.
const FULL_PERCENT: u64 = 90;
const USED_PERCENT: u64 = 95;

/// The first two, in multiples of the start bitrate.
const FIRST_SCALES: [u64; 2] = [3, 6];
/// Each later one, in multiples of the estimate.
const NEXT_SCALE: u64 = 2;
/// A result of so much of what was sent calls for a higher one at once.
const FURTHER_PERCENT: u64 = 70;
/// Probes go this far above what is wanted, so that the layer fits with its margin.
const CAP_PERCENT: u64 = 130;
/// Up to so much of what is wanted there is something to find.
const ENOUGH_PERCENT: u64 = 115;
/// Between probes while more is wanted.
const INTERVAL_US: Micros = 5_000_000;
/// After one that said nothing: jitter is longer than it was.
const AGAIN_US: Micros = 1_000_000;
/// A result of less than so much of the estimate says nothing.
const CREDIBLE_PERCENT: u64 = 80;
/// After the estimate was decreased.
const CALM_US: Micros = 3_000_000;
/// A cluster without a result so long after is given up.
const RESULT_US_MAX: Micros = 2_000_000;
const CLUSTERS_MAX: usize = 4;

/// A burst that is to be sent: packets that carry `id`, media or padding, at `bps` until both minima are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeCluster {
    /// Goes with each packet into [`super::Estimator::on_sent`].
    pub id: ProbeClusterId,
    /// The rate, in bit/s.
    pub bps: u64,
    /// At least so many packets.
    pub packets_min: u32,
    /// At least so many bytes.
    pub bytes_min: u32,
}

impl ProbeCluster {
    fn new(id: ProbeClusterId, bps: u64, duration_us: u64) -> Self {
        Self { id, bps, packets_min: CLUSTER_PACKETS_MIN, bytes_min: (bps * duration_us / 8_000_000) as u32 }
    }
}

/// What arrived of a cluster.
#[derive(Debug)]
struct Measured {
    cluster: ProbeCluster,
    created: Micros,
    first_sent: Micros,
    last_sent: Micros,
    first_arrived: Micros,
    last_arrived: Micros,
    bytes: u32,
    packets: u32,
    last_sent_bytes: u32,
    first_arrived_bytes: u32,
}

/// When to probe, and what probes found.
#[derive(Debug)]
pub(super) struct Prober {
    desired_bps: u64,
    start_bps: u64,
    /// The first clusters were asked for.
    begun: bool,
    next_at: Micros,
    duration_us: u64,
    wanted: ArrayVec<u64, 2>,
    measured: ArrayVec<Measured, CLUSTERS_MAX>,
    last_id: NonZeroU8,
}

impl Prober {
    pub(super) fn new(start_bps: u64) -> Self {
        Self {
            desired_bps: 0,
            start_bps,
            begun: false,
            next_at: Micros::MIN,
            duration_us: CLUSTER_US,
            wanted: ArrayVec::new(),
            measured: ArrayVec::new(),
            last_id: NonZeroU8::MAX,
        }
    }

    /// What viewers want in all, in bit/s. More than before is looked for at once.
    pub(super) fn set_desired(&mut self, now: Micros, bps: u64) {
        if bps > self.desired_bps + self.desired_bps / 10 {
            // The clusters under way have their say first.
            let last = self.measured.last().map_or(Micros::MIN, |last| last.created + INTERVAL_US / 5);
            self.next_at = self.next_at.min(last.max(now));
        }
        self.desired_bps = bps;
    }

    /// The estimate was decreased: what is under way would find nothing.
    pub(super) fn on_decrease(&mut self, now: Micros) {
        self.wanted.clear();
        self.measured.clear();
        self.next_at = self.next_at.max(now + CALM_US);
    }

    /// Probes soon, because what is known is old.
    pub(super) fn hasten(&mut self, now: Micros) {
        self.next_at = now;
    }

    /// When there is something to probe for.
    pub(super) fn next_timeout(&self, estimate: u64) -> Option<Micros> {
        self.lacks(estimate).then_some(self.next_at)
    }

    /// Plans what is due. `may` is false while a queue stands.
    pub(super) fn handle_timeout(&mut self, now: Micros, estimate: u64, may: bool) {
        if now < self.next_at || !self.lacks(estimate) {
            return;
        }
        self.wanted.clear();
        self.next_at = now + if may { INTERVAL_US } else { INTERVAL_US / 10 };
        if !may {
            return;
        }
        if self.begun {
            self.want(estimate * NEXT_SCALE);
        } else {
            self.begun = true;
            FIRST_SCALES.iter().for_each(|scale| self.want(self.start_bps * scale));
        }
    }

    /// The next cluster to be sent.
    pub(super) fn poll(&mut self, now: Micros) -> Option<ProbeCluster> {
        let bps = self.wanted.pop_at(0)?;
        self.measured.retain(|measured| now - measured.created < RESULT_US_MAX);
        if self.measured.is_full() {
            self.measured.remove(0);
        }
        self.last_id = self.last_id.checked_add(1).unwrap_or(NonZeroU8::MIN);
        let cluster = ProbeCluster::new(ProbeClusterId(self.last_id), bps, self.duration_us);
        self.measured.push(Measured::new(cluster, now));
        Some(cluster)
    }

    /// A packet of a cluster arrived.
    pub(super) fn on_packet(&mut self, id: ProbeClusterId, acked: &Acked, arrived: Micros) {
        if let Some(measured) = self.measured.iter_mut().find(|measured| measured.cluster.id == id) {
            measured.on_packet(acked, arrived);
        }
    }

    /// The highest rate above the estimate that complete clusters found.
    pub(super) fn poll_result(&mut self, now: Micros, estimate: u64) -> Option<u64> {
        let mut best = None;
        while let Some(complete) = self.measured.iter().position(Measured::is_complete) {
            let measured = self.measured.remove(complete);
            let Some(bps) = measured.bps().filter(|bps| bps * 100 >= estimate * CREDIBLE_PERCENT) else {
                self.duration_us = (self.duration_us * 2).min(CLUSTER_US_MAX);
                self.next_at = self.next_at.min(now + AGAIN_US);
                continue;
            };
            self.duration_us = (self.duration_us / 2).max(CLUSTER_US);
            best = best.max(Some(bps).filter(|bps| *bps > estimate));
            let is_full = bps * 100 < measured.cluster.bps * FURTHER_PERCENT;
            if !is_full && self.measured.is_empty() && self.lacks(bps) {
                self.next_at = now;
            }
        }
        best
    }

    fn lacks(&self, estimate: u64) -> bool {
        estimate < self.desired_bps.saturating_mul(ENOUGH_PERCENT) / 100
    }

    fn want(&mut self, bps: u64) {
        let bps = bps.min(self.desired_bps.saturating_mul(CAP_PERCENT) / 100);
        if self.wanted.last().is_none_or(|last| bps > *last) {
            self.wanted.push(bps);
        }
    }
}

impl Measured {
    fn new(cluster: ProbeCluster, created: Micros) -> Self {
        Self {
            cluster,
            created,
            first_sent: Micros::MAX,
            last_sent: Micros::MIN,
            first_arrived: Micros::MAX,
            last_arrived: Micros::MIN,
            bytes: 0,
            packets: 0,
            last_sent_bytes: 0,
            first_arrived_bytes: 0,
        }
    }

    fn on_packet(&mut self, acked: &Acked, arrived: Micros) {
        let bytes = u32::from(acked.bytes);
        self.first_sent = self.first_sent.min(acked.sent);
        if acked.sent >= self.last_sent {
            (self.last_sent, self.last_sent_bytes) = (acked.sent, bytes);
        }
        if arrived < self.first_arrived {
            (self.first_arrived, self.first_arrived_bytes) = (arrived, bytes);
        }
        self.last_arrived = self.last_arrived.max(arrived);
        self.bytes += bytes;
        self.packets += 1;
    }

    fn is_complete(&self) -> bool {
        self.packets * 100 >= self.cluster.packets_min * ARRIVED_PERCENT
            && self.bytes * 100 >= self.cluster.bytes_min * ARRIVED_PERCENT
    }

    fn bps(&self) -> Option<u64> {
        // The last packet sent, and the first that arrived, lie outside the times between.
        let sent = rate(self.bytes - self.last_sent_bytes, self.last_sent - self.first_sent)?;
        let arrived = rate(self.bytes - self.first_arrived_bytes, self.last_arrived - self.first_arrived)?;
        if arrived > sent * COMPRESSED_MAX {
            return None;
        }
        Some(if arrived * 100 < sent * FULL_PERCENT { arrived * USED_PERCENT / 100 } else { arrived.min(sent) })
    }
}

fn rate(bytes: u32, interval: Micros) -> Option<u64> {
    (1..=INTERVAL_US_MAX).contains(&interval).then(|| u64::from(bytes) * 8_000_000 / interval as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;

    /// Sends a cluster's packets over a link of `capacity` bit/s, 50 ms long.
    fn send(prober: &mut Prober, cluster: ProbeCluster, now: Micros, capacity: u64) {
        let bytes = cluster.bytes_min.div_ceil(cluster.packets_min) as u16;
        let bits_us = i64::from(bytes) * 8_000_000;
        let mut free = now;
        for packet in 0..i64::from(cluster.packets_min) {
            let sent = now + packet * bits_us / cluster.bps as i64;
            free = free.max(sent) + bits_us / capacity as i64;
            let acked = Acked { sent, bytes, cluster: Some(cluster.id), was_lost: false };
            prober.on_packet(cluster.id, &acked, free + 50 * MS);
        }
    }

    fn round(prober: &mut Prober, now: Micros, estimate: u64, capacity: u64) -> Option<(u64, u64)> {
        prober.handle_timeout(now, estimate, true);
        let cluster = prober.poll(now)?;
        send(prober, cluster, now, capacity);
        Some((cluster.bps, prober.poll_result(now + 100 * MS, estimate)?))
    }

    #[test]
    fn the_first_two_are_a_multiple_of_the_start() {
        let mut prober = Prober::new(300_000);
        prober.handle_timeout(0, 300_000, true);
        assert_eq!(prober.poll(0), None, "nothing is wanted");
        prober.set_desired(0, 5_000_000);
        prober.handle_timeout(0, 300_000, true);
        let rates: Vec<_> = std::iter::from_fn(|| prober.poll(0)).map(|cluster| cluster.bps).collect();
        assert_eq!(rates, [900_000, 1_800_000]);
        assert_eq!(prober.next_timeout(300_000), Some(INTERVAL_US));
    }

    #[test]
    fn who_cannot_probe_is_not_woken_more_often() {
        let mut prober = Prober::new(300_000);
        prober.set_desired(0, 5_000_000);
        prober.handle_timeout(0, 300_000, true);
        assert_eq!(prober.next_timeout(300_000), Some(INTERVAL_US));
        prober.handle_timeout(INTERVAL_US, 300_000, true);
        assert_eq!(prober.next_timeout(300_000), Some(2 * INTERVAL_US));
        assert_eq!(prober.poll(2 * INTERVAL_US).map(|cluster| cluster.bps), Some(600_000));
    }

    #[test]
    fn what_a_wide_path_carries_is_doubled_up_to_what_is_wanted() {
        let mut prober = Prober::new(300_000);
        prober.set_desired(0, 1_000_000);
        let (bps, first) = round(&mut prober, 0, 300_000, 100_000_000).expect("a probe");
        assert_eq!(bps, 900_000);
        assert!(first.abs_diff(bps) < 20_000, "{first}");
        let (bps, second) = round(&mut prober, 100 * MS, first, 100_000_000).expect("a probe");
        assert_eq!(bps, 1_300_000);
        assert_eq!(round(&mut prober, 10_000 * MS, second, 100_000_000), None);
        assert_eq!(prober.next_timeout(second), None);
    }

    #[test]
    fn a_narrow_path_is_measured_and_asked_again_later() {
        let mut prober = Prober::new(300_000);
        prober.set_desired(0, 2_000_000);
        prober.begun = true;
        let (bps, result) = round(&mut prober, 0, 500_000, 550_000).expect("a probe");
        assert_eq!(bps, 1_000_000);
        assert!((500_000..550_000).contains(&result), "{result}");
        assert_eq!(prober.next_timeout(result), Some(INTERVAL_US));
    }

    #[test]
    fn a_decrease_calms() {
        let mut prober = Prober::new(300_000);
        prober.set_desired(0, 2_000_000);
        prober.handle_timeout(0, 300_000, true);
        let cluster = prober.poll(0).expect("a probe");
        prober.on_decrease(10 * MS);
        send(&mut prober, cluster, 0, 100_000_000);
        assert_eq!((prober.poll(20 * MS), prober.poll_result(100 * MS, 300_000)), (None, None));
        assert!(prober.next_timeout(300_000) >= Some(CALM_US));
    }

    #[test]
    fn claims_beyond_what_was_sent_find_nothing() {
        let mut prober = Prober::new(300_000);
        prober.set_desired(0, 20_000_000);
        prober.handle_timeout(0, 300_000, true);
        let cluster = prober.poll(0).expect("a probe");
        for packet in 0..10i64 {
            let acked = Acked { sent: packet * 3 * MS, bytes: 340, cluster: Some(cluster.id), was_lost: false };
            prober.on_packet(cluster.id, &acked, -packet * 100);
        }
        assert_eq!(prober.poll_result(50 * MS, 300_000), None);
    }
}
