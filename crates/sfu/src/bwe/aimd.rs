//! Additive increase, multiplicative decrease: what delay and the acknowledged bitrate make of the estimate
//! (draft-ietf-rmcat-gcc-02 section 5.5, libwebrtc's `AimdRateControl`).

use super::trendline::Usage;
use crate::clock::Micros;

const SECOND: Micros = 1_000_000;
/// Growth in a second while the capacity is unknown.
const GROWTH: f64 = 0.08;
/// The least growth at one feedback.
const GROWTH_BPS_MIN: u64 = 1_000;
/// What is added at the capacity: a packet per two response times.
const PACKET_BITS: u64 = 9_600;
const FRAMES_PER_SECOND: u64 = 30;
const ADDED_BPS_MIN: u64 = 4_000;
/// How much longer than a round trip it takes until a change shows.
const RESPONSE_US: Micros = 100_000;
/// Between two decreases, at least a round trip within these bounds.
const DECREASE_US_MIN: Micros = 10_000;
const DECREASE_US_MAX: Micros = 200_000;

/// The delay-based estimate.
#[derive(Debug)]
pub(super) struct RateControl {
    bps: u64,
    capacity: Capacity,
    changed: Option<Micros>,
    decreased: Option<Micros>,
}

/// What is known when a feedback has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    pub(super) usage: Usage,
    /// The acknowledged bitrate of half a second.
    pub(super) acked: Option<u64>,
    /// The acknowledged bitrate of the last moments.
    pub(super) recent: Option<u64>,
    pub(super) rtt: Micros,
}

impl RateControl {
    pub(super) fn new(start_bps: u64) -> Self {
        Self { bps: start_bps, capacity: Capacity::default(), changed: None, decreased: None }
    }

    pub(super) fn bps(&self) -> u64 {
        self.bps
    }

    /// Takes a rate that is known from elsewhere: a probe, or silence.
    pub(super) fn set(&mut self, now: Micros, bps: u64) {
        self.bps = bps;
        self.changed = Some(now);
        if bps as f64 > self.capacity.upper() {
            self.capacity = Capacity::default();
        }
    }

    /// Gives whether the estimate was decreased.
    pub(super) fn update(&mut self, now: Micros, observed: Observed) -> bool {
        let elapsed = self.changed.map_or(0, |changed| (now - changed).clamp(0, SECOND));
        let mut decreased = false;
        match observed.usage {
            Usage::Normal => self.increase(elapsed, &observed),
            Usage::Under => {}
            Usage::Over => decreased = self.decrease(now, &observed),
        }
        self.changed = Some(now);
        decreased
    }

    fn increase(&mut self, elapsed: Micros, observed: &Observed) {
        let Some(acked) = observed.acked else { return };
        if acked as f64 > self.capacity.upper() {
            self.capacity = Capacity::default();
        }
        let elapsed_us = elapsed as u64;
        let growth = match self.capacity.mean_kbps {
            Some(_) => self.added_per_second(observed.rtt) * elapsed_us / SECOND as u64,
            None => ((self.bps as f64 * GROWTH * elapsed as f64 / SECOND as f64) as u64).max(GROWTH_BPS_MIN),
        };
        // What is not used cannot be known to be there; probes find more.
        let most = acked + acked / 2 + 10_000;
        self.bps = (self.bps + growth).min(most).max(self.bps);
    }

    fn added_per_second(&self, rtt: Micros) -> u64 {
        let frame_bits = self.bps / FRAMES_PER_SECOND;
        let packet_bits = frame_bits / frame_bits.div_ceil(PACKET_BITS).max(1);
        let response_us = 2 * (rtt + RESPONSE_US) as u64;
        (packet_bits * SECOND as u64 / response_us).max(ADDED_BPS_MIN)
    }

    fn decrease(&mut self, now: Micros, observed: &Observed) -> bool {
        let measured = match (observed.acked, observed.recent) {
            (Some(acked), Some(recent)) => acked.min(recent),
            (acked, recent) => recent.or(acked).unwrap_or(self.bps),
        };
        let since = self.decreased.map_or(Micros::MAX, |decreased| now - decreased);
        let interval = observed.rtt.clamp(DECREASE_US_MIN, DECREASE_US_MAX);
        if since < interval && measured >= self.bps / 2 {
            return false;
        }
        self.decreased = Some(now);
        self.capacity.on_overuse(measured);
        let reduced = measured * 17 / 20;
        let lower = reduced < self.bps;
        self.bps = self.bps.min(reduced);
        lower
    }
}

/// What got through when there was too much: the capacity of the bottleneck.
#[derive(Debug, Default)]
struct Capacity {
    mean_kbps: Option<f64>,
    /// Relative to the mean.
    variance: f64,
}

impl Capacity {
    const WEIGHT: f64 = 0.05;

    fn on_overuse(&mut self, bps: u64) {
        let kbps = bps as f64 / 1_000.0;
        if kbps * 1_000.0 < self.lower() {
            *self = Self::default();
        }
        let mean = self.mean_kbps.map_or(kbps, |mean| mean + Self::WEIGHT * (kbps - mean));
        let error = mean - kbps;
        self.variance += Self::WEIGHT * (error * error / mean.max(1.0) - self.variance);
        self.variance = self.variance.clamp(0.4, 2.5);
        self.mean_kbps = Some(mean);
    }

    /// Above, the capacity is another.
    fn upper(&self) -> f64 {
        self.mean_kbps.map_or(f64::INFINITY, |mean| (mean + 3.0 * (self.variance * mean).sqrt()) * 1_000.0)
    }

    /// Below, the capacity is another.
    fn lower(&self) -> f64 {
        self.mean_kbps.map_or(0.0, |mean| (mean - 3.0 * (self.variance * mean).sqrt()) * 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;

    fn observed(usage: Usage, bps: u64) -> Observed {
        Observed { usage, acked: Some(bps), recent: Some(bps), rtt: 50 * MS }
    }

    #[test]
    fn it_grows_by_a_twelfth_each_second_but_not_far_beyond_what_arrives() {
        let mut rate = RateControl::new(1_000_000);
        for round in 0..=10 {
            rate.update(round * 100 * MS, observed(Usage::Normal, 1_000_000));
        }
        assert!((1_070_000..1_100_000).contains(&rate.bps()), "{}", rate.bps());
        for round in 10..1_000 {
            rate.update(round * 100 * MS, observed(Usage::Normal, 1_000_000));
        }
        assert_eq!(rate.bps(), 1_510_000);
        rate.update(101_000 * MS, observed(Usage::Normal, 300_000));
        assert_eq!(rate.bps(), 1_510_000, "sending less is no reason to decrease");
    }

    #[test]
    fn it_falls_below_what_arrives_once_per_round_trip() {
        let mut rate = RateControl::new(2_000_000);
        assert!(rate.update(0, observed(Usage::Over, 1_000_000)));
        assert_eq!(rate.bps(), 850_000);
        assert!(!rate.update(20 * MS, observed(Usage::Over, 900_000)));
        assert!(rate.update(60 * MS, observed(Usage::Over, 900_000)));
        assert_eq!(rate.bps(), 765_000);
        assert!(rate.update(61 * MS, observed(Usage::Over, 300_000)), "far too much does not wait");
        assert_eq!(rate.bps(), 255_000);
    }

    #[test]
    fn near_a_known_capacity_it_grows_by_packets() {
        let mut rate = RateControl::new(1_000_000);
        rate.update(0, observed(Usage::Over, 1_000_000));
        for round in 1..=10 {
            rate.update(round * 100 * MS, observed(Usage::Normal, 850_000));
        }
        assert!((870_000..890_000).contains(&rate.bps()), "{}", rate.bps());
        for round in 10..=20 {
            rate.update(round * 100 * MS, observed(Usage::Normal, 2_000_000));
        }
        assert!(rate.bps() > 930_000, "the capacity has grown: {}", rate.bps());
    }

    #[test]
    fn it_never_rises_on_overuse_nor_while_a_queue_drains() {
        let mut rate = RateControl::new(300_000);
        assert!(!rate.update(0, observed(Usage::Over, 2_000_000)));
        rate.update(100 * MS, observed(Usage::Under, 2_000_000));
        assert_eq!(rate.bps(), 300_000);
    }
}
