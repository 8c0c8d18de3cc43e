//! A token bucket per transport, and the sending of probe clusters.

use super::history::ProbeClusterId;
use super::probe::ProbeCluster;
use crate::clock::Micros;

/// Rate of the bucket to the estimate, in halves: 2.5.
const RATE_HALVES: i64 = 5;
/// The bucket holds so many full packets, or [`DEPTH_US`] at its rate, whichever is more.
const DEPTH_PACKETS: i64 = 8;
const PACKET_BYTES_MAX: i64 = 1_232;
const DEPTH_US: i64 = 10_000;
/// What has to wait leaves at the next multiple of this, for all transports at once.
pub const TICK_US: Micros = 5_000;
/// Least size of a packet of padding.
const PADDING_BYTES_MIN: usize = 100;
const PADDING_BYTES_MAX: usize = 1_150;

/// Bits times a million: what a bit/s adds in a microsecond is 1.
const BYTE: i64 = 8_000_000;

/// How much a transport may send, 2.5 times the estimate with room for a burst.
///
/// Whatever leaves is spent, also what may not wait: audio, control and probes take from the bucket, video waits.
#[derive(Debug)]
pub struct Pacer {
    rate_bps: i64,
    depth: i64,
    tokens: i64,
    filled: Micros,
}

impl Pacer {
    /// A full bucket for an estimate of `estimate_bps`.
    pub fn new(now: Micros, estimate_bps: u64) -> Self {
        let mut pacer = Self { rate_bps: 0, depth: 0, tokens: 0, filled: now };
        pacer.set_estimate(now, estimate_bps);
        pacer.tokens = pacer.depth;
        pacer
    }

    /// Follows the estimate, in bit/s.
    pub fn set_estimate(&mut self, now: Micros, estimate_bps: u64) {
        self.fill(now);
        // No product below overflows then.
        self.rate_bps = (estimate_bps.min(100_000_000_000) as i64) * RATE_HALVES / 2;
        self.depth = (DEPTH_PACKETS * PACKET_BYTES_MAX * BYTE).max(self.rate_bps * DEPTH_US);
    }

    /// Whether a packet that can wait may leave at `now`. One that begins within the tokens may end outside.
    pub fn admits(&mut self, now: Micros) -> bool {
        self.fill(now);
        self.tokens > 0
    }

    /// A packet of `bytes` leaves. The debt is no larger than a full bucket, so that audio does not starve video.
    pub fn spend(&mut self, bytes: usize) {
        self.tokens = self.tokens.saturating_sub((bytes as i64).saturating_mul(BYTE)).max(-self.depth);
    }

    /// When to look again, after [`Pacer::admits`] said no: the next tick.
    pub fn next_tick(now: Micros) -> Micros {
        (now.div_euclid(TICK_US) + 1) * TICK_US
    }

    fn fill(&mut self, now: Micros) {
        // Ten seconds fill any bucket.
        let elapsed = (now - self.filled).clamp(0, 10_000_000);
        self.tokens = (self.tokens + elapsed * self.rate_bps).min(self.depth);
        self.filled = self.filled.max(now);
    }
}

/// The sending of one probe cluster: all that the transport sends meanwhile counts, and padding fills it up.
#[derive(Debug)]
pub struct ProbeSender {
    cluster: ProbeCluster,
    started: Micros,
    bytes: u32,
    packets: u32,
}

impl ProbeSender {
    /// Starts the cluster now.
    pub fn new(now: Micros, cluster: ProbeCluster) -> Self {
        Self { cluster, started: now, bytes: 0, packets: 0 }
    }

    /// What every packet is to be marked with until the cluster is complete.
    pub fn id(&self) -> ProbeClusterId {
        self.cluster.id
    }

    /// Counts a packet of `bytes`; true when it was the last.
    pub fn on_sent(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u32);
        self.packets += 1;
        self.is_complete()
    }

    /// Whether nothing more is to be sent.
    pub fn is_complete(&self) -> bool {
        self.packets >= self.cluster.packets_min && self.bytes >= self.cluster.bytes_min
    }

    /// When the next packet of padding is due, if nothing else is sent; the last ends the time of those before it.
    pub fn next_timeout(&self) -> Micros {
        self.started + i64::from(self.bytes) * BYTE / self.cluster.bps.max(1) as i64
    }

    /// How long the next packet of padding is, in bytes as they count for the estimate.
    pub fn padding_bytes(&self) -> usize {
        let each = self.cluster.bytes_min.div_ceil(self.cluster.packets_min.max(1));
        (each as usize).clamp(PADDING_BYTES_MIN, PADDING_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;

    const MS: Micros = 1_000;

    /// How many packets of 1,000 B leave in `ms` when there is always one, looking every tick.
    fn packets_in(pacer: &mut Pacer, from: Micros, ms: i64) -> usize {
        let mut sent = 0;
        let mut now = from;
        while now < from + ms * MS {
            while pacer.admits(now) {
                pacer.spend(1_000);
                sent += 1;
            }
            now = Pacer::next_tick(now);
        }
        sent
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_two_and_a_half_times_the_estimate() {
        let mut pacer = Pacer::new(0, 800_000);
        assert_eq!(packets_in(&mut pacer, 0, 1), 10, "eight full packets");
        // 2 Mbit/s are 250 packets a second.
        let sent = packets_in(&mut pacer, 5 * MS, 1_000);
        assert!((247..=253).contains(&sent), "{sent}");
    }

    #[test]
    fn the_depth_follows_a_high_estimate() {
        let mut pacer = Pacer::new(0, 80_000_000);
        assert_eq!(packets_in(&mut pacer, 0, 1), 250);
        pacer.set_estimate(1_000 * MS, 800_000);
        assert_eq!(packets_in(&mut pacer, 1_000 * MS, 1), 10);
    }

    #[test]
    fn audio_goes_first_and_video_is_not_starved_by_it() {
        let mut pacer = Pacer::new(0, 30_000);
        for _ in 0..1_000 {
            pacer.spend(120);
        }
        assert!(!pacer.admits(0));
        assert!(pacer.admits(1_200 * MS), "the debt is limited");
    }

    #[test]
    fn ticks_are_the_same_for_all() {
        assert_eq!(Pacer::next_tick(0), 5_000);
        assert_eq!(Pacer::next_tick(4_999), 5_000);
        assert_eq!(Pacer::next_tick(5_000), 10_000);
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let mut pacer = Pacer::new(Micros::MIN / 4, u64::MAX);
        assert!(pacer.admits(Micros::MAX / 4));
        pacer.spend(usize::MAX / 2);
        assert!(!pacer.admits(Micros::MIN / 4));
    }

    #[test]
    fn a_cluster_is_filled_up_at_its_rate() {
        let id = ProbeClusterId(NonZeroU8::MIN);
        let cluster = ProbeCluster { id, bps: 1_600_000, packets_min: 5, bytes_min: 3_000 };
        let mut sender = ProbeSender::new(10 * MS, cluster);
        let mut times = Vec::new();
        while !sender.is_complete() {
            times.push(sender.next_timeout() - 10 * MS);
            sender.on_sent(sender.padding_bytes());
        }
        assert_eq!(times, [0, 3_000, 6_000, 9_000, 12_000]);
        let mut sender = ProbeSender::new(0, cluster);
        sender.on_sent(1_200);
        assert_eq!(sender.next_timeout(), 6_000, "media is part of it");
    }
}
