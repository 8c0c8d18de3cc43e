//! How much a transport may send, and how its consumers share it.
//!
//! Google's congestion control for real-time communication (draft-ietf-rmcat-gcc-02, libwebrtc's `goog_cc`) on
//! transport-wide feedback, for a sender that forwards layers: [`Estimator`] says how much, [`TokenBucket`] when,
//! [`allocate()`] what of it each consumer gets. Where a client has no transport-wide feedback its REMB is obeyed.
//!
//! Times are microseconds of the worker's clock, rates bit/s of whole RTP packets, sealed.

mod acked;
mod aimd;
pub mod allocate;
mod arrival;
mod delay;
mod history;
mod loss;
mod pacer;
mod probe;
mod queue;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod trendline;

pub use allocate::{Share, UpgradeGate, allocate};
pub use history::ProbeClusterId;
pub use pacer::{ProbeSender, TokenBucket, next_tick};
pub use probe::ProbeCluster;

use acked::AckedBitrate;
use aimd::{Observed, RateControl};
use delay::{Arrival, DelayDetector, Verdict};
use history::{Reported, SendHistory};
use loss::{LossControl, LossCount};
use probe::Prober;

use crate::clock::Micros;
use crate::rtcp::{PacketStatus, TICK, TransportCc};

/// An estimate is no lower: audio and a trickle of video.
pub const ESTIMATE_BPS_MIN: u64 = 30_000;
/// An estimate is no higher.
pub const ESTIMATE_BPS_MAX: u64 = 100_000_000;
/// The round trip until one is measured, and the longest that is believed.
const RTT_US_START: Micros = 100_000;
const RTT_US_MAX: Micros = 3_000_000;
/// Without feedback for two round trips and this long, the path is taken to be worse than it was.
const SILENCE_US: Micros = 500_000;
/// Who sent nothing for so long is not probed.
const IDLE_US: Micros = 1_000_000;
/// What leaves is paced at so much of the estimate: a frame is not held up for long.
const PACING_PERCENT: u64 = 250;
/// But at no more than the estimate for this long after it was decreased: what waits would fill the path's queue again.
const CAUTION_US: Micros = 3_000_000;
/// Beside transport-wide feedback, what a REMB says counts so long.
const REMB_US: Micros = 10_000_000;

/// What feedback said that cannot be so; for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedbackStats {
    /// Statuses of packets that were never sent, or too long ago.
    pub unknown: u64,
    /// Arrivals that cannot follow those before.
    pub leaps: u64,
    /// How often the receiver's clock had to be learnt anew.
    pub resets: u64,
}

/// Estimates what the path to one receiver carries.
#[derive(Debug)]
pub struct Estimator {
    history: SendHistory,
    delay: DelayDetector,
    acked: AckedBitrate,
    rate: RateControl,
    loss: LossControl,
    prober: Prober,
    remb: Option<(Micros, u64)>,
    rtt: Micros,
    last_sent: Option<Micros>,
    /// Since when packets are under way without any feedback.
    waiting_since: Option<Micros>,
    /// When to look whether feedback is missing; `None` before the first: whoever never sends any may not know it.
    silence_at: Option<Micros>,
    is_silent: bool,
    decreased: Option<Micros>,
    stats: FeedbackStats,
}

impl Estimator {
    /// Starts with `start_bps`, which is what a receiver gets before anything is known.
    pub fn new(start_bps: u64) -> Self {
        let start_bps = start_bps.clamp(ESTIMATE_BPS_MIN, ESTIMATE_BPS_MAX);
        Self {
            history: SendHistory::new(),
            delay: DelayDetector::default(),
            acked: AckedBitrate::default(),
            rate: RateControl::new(start_bps),
            loss: LossControl::default(),
            prober: Prober::new(start_bps),
            remb: None,
            rtt: RTT_US_START,
            last_sent: None,
            waiting_since: None,
            silence_at: None,
            is_silent: false,
            decreased: None,
            stats: FeedbackStats::default(),
        }
    }

    /// A packet with this transport-wide number leaves; numbers ascend. `bytes` as on the wire without UDP and IP.
    pub fn on_sent(&mut self, now: Micros, transport_sequence: u16, bytes: usize, cluster: Option<ProbeClusterId>) {
        self.history.record(now, transport_sequence, bytes, cluster);
        self.last_sent = Some(now);
        self.waiting_since = self.waiting_since.or(Some(now));
    }

    /// Reads a feedback and gives the estimate.
    pub fn on_feedback(&mut self, now: Micros, feedback: &TransportCc<'_>) -> u64 {
        let mut count = LossCount::default();
        let mut round_trip = RTT_US_MAX;
        for status in feedback.packets() {
            if let Some(elapsed) = self.on_status(now, status, &mut count) {
                round_trip = round_trip.min(elapsed);
            }
        }
        if count.received == 0 {
            return self.estimate();
        }
        self.rtt += (round_trip - self.rtt) / 8;
        self.waiting_since = None;
        self.silence_at = self.silence_at.or(Some(now + self.patience()));
        if std::mem::take(&mut self.is_silent) {
            self.prober.hasten(now);
        }
        self.update(now, count);
        self.estimate()
    }

    fn on_status(&mut self, now: Micros, status: PacketStatus, count: &mut LossCount) -> Option<Micros> {
        let acked = match self.history.report(now, status.sequence, status.arrival_ticks.is_some()) {
            Reported::Received(acked) => acked,
            Reported::Lost => {
                count.lost += 1;
                return None;
            }
            Reported::Repeated => return None,
            Reported::Unknown => {
                self.stats.unknown += 1;
                return None;
            }
        };
        count.received += 1;
        count.recovered += u32::from(acked.was_lost);
        let arrived = status.arrival_ticks? * TICK.as_micros() as Micros;
        match self.delay.on_packet(acked.sent, arrived) {
            Arrival::At(arrived) => {
                self.acked.on_packet(acked.sent, arrived, acked.bytes);
                if let Some(cluster) = acked.cluster {
                    self.prober.on_packet(cluster, &acked, arrived);
                }
            }
            Arrival::Leap => self.stats.leaps += 1,
            Arrival::Reset => {
                self.stats.resets += 1;
                self.acked = AckedBitrate::default();
            }
        }
        Some(now - acked.sent)
    }

    fn update(&mut self, now: Micros, count: LossCount) {
        let acked = self.acked.mean();
        let is_losing = self.loss.is_losing(count);
        match self.delay.judge(now, is_losing, self.rate.bps()) {
            Verdict::Usage(usage) => {
                let observed = Observed { usage, acked, recent: self.acked.recent(), rtt: self.rtt };
                if self.rate.update(now, observed) {
                    self.on_decrease(now);
                }
            }
            Verdict::NotOurs { estimate } => self.rate.set(now, estimate.max(self.rate.bps())),
        }
        if !self.delay.is_queueing() {
            self.loss.on_feedback(now, count, self.rtt, acked, self.rate.bps());
        }
        // A cluster that met jitter or other traffic finds too little; what is too much shows in the delay.
        if let Some(found) = self.prober.poll_result(now, self.rate.bps()) {
            self.rate.set(now, found.min(ESTIMATE_BPS_MAX));
        }
    }

    /// What is sent goes another way now, of which nothing is known but what arrived so far.
    pub fn on_new_path(&mut self, now: Micros) {
        if !self.has_feedback() {
            return;
        }
        let carried = self.acked.mean().unwrap_or(u64::MAX).max(ESTIMATE_BPS_MIN);
        self.rate.set(now, self.rate.bps().min(carried));
        self.delay = DelayDetector::default();
        self.acked = AckedBitrate::default();
        self.prober.hasten(now);
    }

    /// A REMB that says `bps`. Without transport-wide feedback it is the estimate, else its upper limit.
    pub fn on_remb(&mut self, now: Micros, bps: u64) {
        self.remb = Some((now, bps));
        if !self.has_feedback() {
            self.rate.set(now, bps.clamp(ESTIMATE_BPS_MIN, ESTIMATE_BPS_MAX));
        }
    }

    /// The loss that a receiver report gives, in 1/256. It counts only where there is no transport-wide feedback.
    pub fn on_receiver_report_loss(&mut self, now: Micros, fraction_lost: u8) {
        if !self.has_feedback() && self.loss.on_report(now, self.rtt, fraction_lost, self.rate.bps()) {
            self.on_decrease(now);
        }
    }

    /// What the viewers at this transport want in all, audio included.
    pub fn set_desired(&mut self, now: Micros, bps: u64) {
        self.prober.set_desired(now, bps);
    }

    /// What may be sent.
    pub fn estimate(&self) -> u64 {
        let bps = self.rate.bps().min(self.loss.limit().unwrap_or(u64::MAX));
        bps.min(self.remb.map_or(u64::MAX, |(_, remb)| remb)).clamp(ESTIMATE_BPS_MIN, ESTIMATE_BPS_MAX)
    }

    /// The rate at which to let out what is to be sent, however much that is. A path without a queue is given what
    /// it is seen to carry, where the estimate has not found that out yet.
    pub fn pacing_bps(&self, now: Micros) -> u64 {
        let estimate = self.estimate();
        if self.delay.is_queueing() || self.decreased.is_some_and(|at| now - at < CAUTION_US) {
            return estimate;
        }
        estimate.max(self.acked.mean().unwrap_or(0)) * PACING_PERCENT / 100
    }

    /// The round trip that feedback shows, the time until it is sent included, in microseconds.
    pub fn round_trip(&self) -> Micros {
        self.rtt
    }

    /// What could not be believed.
    pub fn stats(&self) -> FeedbackStats {
        self.stats
    }

    /// When [`Estimator::handle_timeout`] is due; the past means now. Ask again after each call but
    /// [`Estimator::on_sent`].
    pub fn poll_timeout(&self) -> Option<Micros> {
        let probe = self.prober.next_timeout(self.estimate());
        [self.silence_at, probe].into_iter().flatten().min()
    }

    /// Acts on silence, and plans probes.
    pub fn handle_timeout(&mut self, now: Micros) {
        if self.silence_at.is_some_and(|at| at <= now) {
            self.handle_silence(now);
        }
        let is_sending = self.last_sent.is_some_and(|at| now - at < IDLE_US);
        let may = is_sending && !self.is_silent && !self.delay.is_queueing();
        self.prober.handle_timeout(now, self.estimate(), may);
    }

    /// The next probe to be sent, with a [`ProbeSender`]. Ask after [`Estimator::handle_timeout`], and again when a
    /// probe is complete.
    pub fn poll_probe(&mut self, now: Micros) -> Option<ProbeCluster> {
        self.prober.poll(now)
    }

    fn on_decrease(&mut self, now: Micros) {
        self.decreased = Some(now);
        self.prober.on_decrease(now);
    }

    fn handle_silence(&mut self, now: Micros) {
        self.remb = self.remb.filter(|(at, _)| now - at < REMB_US);
        let patience = self.patience();
        self.silence_at = match self.waiting_since {
            Some(since) if now - since < patience => Some(since + patience),
            None => Some(now + patience),
            // Nothing left since the last decrease: there is nothing to be told of.
            Some(_) if self.is_silent && self.last_sent < self.decreased => {
                self.waiting_since = None;
                Some(now + patience)
            }
            Some(_) => {
                self.is_silent = true;
                self.rate.set(now, (self.rate.bps() * 4 / 5).max(ESTIMATE_BPS_MIN));
                self.on_decrease(now);
                Some(now + SILENCE_US)
            }
        };
    }

    fn patience(&self) -> Micros {
        2 * self.rtt + SILENCE_US
    }

    fn has_feedback(&self) -> bool {
        self.silence_at.is_some()
    }
}
