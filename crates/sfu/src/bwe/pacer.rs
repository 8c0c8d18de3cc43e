//! Token buckets that follow a transport's estimate, and the sending of probe clusters.

use super::history::ProbeClusterId;
use super::probe::ProbeCluster;
use crate::clock::Micros;
use crate::transmit::DATAGRAM_BYTES_MAX;

/// What has to wait leaves at the next multiple of this, for all transports at once.
const TICK_US: Micros = 5_000;
/// Least size of a packet of padding.
const PADDING_BYTES_MIN: usize = 100;
const PADDING_BYTES_MAX: usize = 1_150;

/// Bits times a million: what a bit/s adds in a microsecond is 1.
const BYTE: i64 = 8_000_000;

/// When to look again at what had to wait at `now`.
pub fn next_tick(now: Micros) -> Micros {
    (now.div_euclid(TICK_US) + 1) * TICK_US
}

/// How much a bucket holds: so many full packets, or what comes in this time, whichever is more.
#[derive(Debug, Clone, Copy)]
struct Depth {
    packets: i64,
    us: i64,
}

/// Of everything that leaves: the queue of the path never gets a whole keyframe at once.
const PACING: Depth = Depth { packets: 8, us: 10_000 };
/// Of retransmissions: what was lost together is asked for together.
const RETRANSMISSIONS: Depth = Depth { packets: 16, us: 500_000 };

/// How much may be sent, at a rate and with room for a burst.
///
/// Whatever leaves is spent, also what may not wait: audio takes from the bucket, video waits. But audio takes no more
/// than half of what comes in. An estimate below what audio takes would stop video for good otherwise: only video
/// is acknowledged, so that nothing would ever correct the estimate.
#[derive(Debug)]
pub struct TokenBucket {
    depth_of: Depth,
    rate_bps: i64,
    depth: i64,
    tokens: i64,
    /// How many of the tokens audio may take.
    urgent: i64,
    filled: Micros,
}

impl TokenBucket {
    /// A full bucket for all that a transport sends, filled at this rate.
    pub fn pacing(now: Micros, bps: u64) -> Self {
        Self::new(PACING, now, bps)
    }

    /// A full bucket for its retransmissions.
    pub fn retransmissions(now: Micros, bps: u64) -> Self {
        Self::new(RETRANSMISSIONS, now, bps)
    }

    fn new(depth_of: Depth, now: Micros, bps: u64) -> Self {
        let mut bucket = Self { depth_of, rate_bps: 0, depth: 0, tokens: 0, urgent: 0, filled: now };
        bucket.set_rate(now, bps);
        bucket.tokens = bucket.depth;
        bucket.urgent = bucket.depth;
        bucket
    }

    /// Is filled at this rate from now on, in bit/s.
    pub fn set_rate(&mut self, now: Micros, bps: u64) {
        self.fill(now);
        // No product below overflows then.
        self.rate_bps = bps.min(100_000_000_000) as i64;
        let packets = self.depth_of.packets * DATAGRAM_BYTES_MAX as i64 * BYTE;
        self.depth = packets.max(self.rate_bps * self.depth_of.us);
    }

    /// How many bytes may leave at `now`. One packet that begins within them may end outside.
    pub fn allowance(&mut self, now: Micros) -> usize {
        self.fill(now);
        (self.tokens.max(0) as u64).div_ceil(BYTE as u64) as usize
    }

    /// So many bytes leave that waited for their turn.
    pub fn spend(&mut self, bytes: usize) {
        self.take((bytes as i64).saturating_mul(BYTE));
    }

    /// So many bytes leave that may not wait.
    pub fn spend_urgent(&mut self, bytes: usize) {
        let taken = (bytes as i64).saturating_mul(BYTE).min(self.urgent);
        self.urgent -= taken;
        self.take(taken);
    }

    fn take(&mut self, tokens: i64) {
        self.tokens = self.tokens.saturating_sub(tokens).max(-self.depth);
    }

    fn fill(&mut self, now: Micros) {
        // Ten seconds fill any bucket.
        let elapsed = (now - self.filled).clamp(0, 10_000_000);
        self.tokens = (self.tokens + elapsed * self.rate_bps).min(self.depth);
        self.urgent = (self.urgent + elapsed * self.rate_bps / 2).min(self.depth);
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
    fn packets_in(bucket: &mut TokenBucket, from: Micros, ms: i64) -> usize {
        let mut sent = 0;
        let mut now = from;
        while now < from + ms * MS {
            while bucket.allowance(now) > 0 {
                bucket.spend(1_000);
                sent += 1;
            }
            now = next_tick(now);
        }
        sent
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        let mut bucket = TokenBucket::pacing(0, 2_000_000);
        assert_eq!(packets_in(&mut bucket, 0, 1), 10, "eight full packets");
        // 2 Mbit/s are 250 packets a second.
        let sent = packets_in(&mut bucket, 5 * MS, 1_000);
        assert!((247..=253).contains(&sent), "{sent}");
    }

    #[test]
    fn the_depth_follows_a_high_rate() {
        let mut bucket = TokenBucket::pacing(0, 200_000_000);
        assert_eq!(packets_in(&mut bucket, 0, 1), 250);
        bucket.set_rate(1_000 * MS, 2_000_000);
        assert_eq!(packets_in(&mut bucket, 1_000 * MS, 1), 10);
    }

    #[test]
    fn a_loss_of_many_packets_is_repaired_at_once() {
        let mut bucket = TokenBucket::retransmissions(0, 200_000);
        assert_eq!(packets_in(&mut bucket, 0, 1), 20, "sixteen full packets");
        let sent = packets_in(&mut bucket, 5 * MS, 4_000);
        assert!((98..=102).contains(&sent), "{sent}");
    }

    #[test]
    fn audio_goes_first() {
        let mut bucket = TokenBucket::pacing(0, 200_000);
        assert_eq!(packets_in(&mut bucket, 0, 1), 10);
        for frame in 1..=100 {
            bucket.allowance(frame * 20 * MS);
            bucket.spend_urgent(120);
        }
        // 200 kbit/s without audio's 48.
        let sent = bucket.allowance(2_000 * MS);
        assert!(sent <= DATAGRAM_BYTES_MAX * 8, "{sent}");
        assert_eq!(packets_in(&mut bucket, 2_000 * MS, 1), sent.div_ceil(1_000));
    }

    #[test]
    fn video_gets_half_where_audio_takes_more_than_all() {
        let mut bucket = TokenBucket::pacing(0, 30_000);
        let mut sent = 0;
        for frame in 0..1_000 {
            bucket.spend_urgent(120);
            sent += packets_in(&mut bucket, frame * 20 * MS, 20);
        }
        // 20 s of 15 kbit/s, and a full bucket.
        assert!((36..=50).contains(&sent), "{sent}");
    }

    #[test]
    fn ticks_are_the_same_for_all() {
        assert_eq!(next_tick(0), 5_000);
        assert_eq!(next_tick(4_999), 5_000);
        assert_eq!(next_tick(5_000), 10_000);
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let mut bucket = TokenBucket::pacing(Micros::MIN / 4, u64::MAX);
        assert!(bucket.allowance(Micros::MAX / 4) > 0);
        bucket.spend(usize::MAX / 2);
        assert_eq!(bucket.allowance(Micros::MIN / 4), 0);
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
