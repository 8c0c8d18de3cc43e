//! What loss makes of the estimate.
//!
//! Loss with a queue is the delay's business. Loss without one is either a policer, which drops what is above a
//! rate, or a bad path, which drops some of whatever is sent; less helps against the first only. So when loss is
//! high, less is sent for a moment: if as much is lost then, the path is bad, the estimate is what it was, and that
//! much loss counts for nothing from then on.

use crate::clock::Micros;

/// Loss is taken over so long at least.
const WINDOW_US: Micros = 1_000_000;
/// And over so many packets, unless they take too long: at 10 % the figure is within 6 % of it then.
const PACKETS_MIN: u32 = 200;
const WINDOW_US_MAX: Micros = 5_000_000;
/// Up to this loss more than the path's own the limit grows.
const GROWS_BELOW: f64 = 0.02;
/// From this loss on, and this much more than the path's own, less is tried.
const HIGH: f64 = 0.18;
const HIGH_ABOVE_INHERENT: f64 = 0.10;
/// If less lost so much of what was lost before, the rate was not the reason.
const SAME: f64 = 0.4;
/// Growth in a window.
const GROWTH: f64 = 1.08;
/// After a change, what was sent before still comes in for a round trip and this.
const SETTLE_US: Micros = 200_000;
/// From this loss in a receiver report on, the limit falls by half of the loss.
const REPORTED_HIGH: f64 = 0.10;
/// No sooner than a round trip and this after it fell before.
const REPORT_US_MIN: Micros = 300_000;
/// Packets from which on the loss in one feedback means something.
const FEEDBACK_PACKETS_MIN: u32 = 5;

/// What a feedback says about loss.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LossCount {
    pub(super) received: u32,
    pub(super) lost: u32,
    /// Of the received, those that were counted as lost before.
    pub(super) recovered: u32,
}

/// How the estimate is to be seen while less is tried.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// The limit before.
    limit: Option<u64>,
    /// The loss before.
    loss: f64,
}

/// The loss side of congestion control.
#[derive(Debug, Default)]
pub(super) struct LossControl {
    count: LossCount,
    started: Option<Micros>,
    /// The share that this path loses of whatever is sent.
    inherent: f64,
    trial: Option<Trial>,
    limit: Option<u64>,
}

impl LossControl {
    /// The most that loss allows, in bit/s.
    pub(super) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether a feedback shows much more loss than is usual.
    pub(super) fn is_losing(&self, count: LossCount) -> bool {
        let packets = count.received + count.lost;
        packets >= FEEDBACK_PACKETS_MIN && f64::from(count.lost) > f64::from(packets) * self.high()
    }

    /// A feedback that came while no queue stood. `acked` is the acknowledged bitrate, `estimate` what is allowed now.
    pub(super) fn on_feedback(
        &mut self,
        now: Micros,
        count: LossCount,
        rtt: Micros,
        acked: Option<u64>,
        estimate: u64,
    ) {
        let started = *self.started.get_or_insert(now);
        if now < started {
            return;
        }
        self.count.received += count.received;
        self.count.lost = (self.count.lost + count.lost).saturating_sub(count.recovered);
        let packets = self.count.received + self.count.lost;
        let elapsed = now - started;
        if packets == 0 || elapsed < WINDOW_US || packets < PACKETS_MIN && elapsed < WINDOW_US_MAX {
            return;
        }
        let loss = f64::from(self.count.lost) / f64::from(packets);
        self.count = LossCount::default();
        self.started = Some(now);
        if self.on_window(loss, acked, estimate) {
            self.started = Some(now + rtt + SETTLE_US);
        }
    }

    /// A receiver report, where there is no other feedback: libwebrtc's first loss controller. Gives whether the
    /// limit was lowered.
    pub(super) fn on_report(&mut self, now: Micros, rtt: Micros, fraction_lost: u8, estimate: u64) -> bool {
        let loss = f64::from(fraction_lost) / 256.0;
        let elapsed = self.started.map_or(Micros::MAX, |started| now - started);
        let limit = self.limit.unwrap_or(estimate).min(estimate);
        if loss > REPORTED_HIGH && elapsed >= rtt + REPORT_US_MIN {
            self.limit = Some((limit as f64 * (1.0 - 0.5 * loss)) as u64);
            self.started = Some(now);
            return true;
        }
        if loss < GROWS_BELOW && elapsed >= WINDOW_US {
            let grown = (limit as f64 * GROWTH) as u64;
            self.limit = self.limit.and((grown < estimate).then_some(grown));
            self.started = Some(now);
        }
        false
    }

    /// Gives whether less is tried from now on.
    fn on_window(&mut self, loss: f64, acked: Option<u64>, estimate: u64) -> bool {
        if let Some(trial) = self.trial.take()
            && loss >= trial.loss * SAME
        {
            self.inherent = self.inherent.max(loss.min(trial.loss));
            self.limit = trial.limit;
            return false;
        }
        if loss > self.high() {
            let Some(acked) = acked else { return false };
            self.trial = Some(Trial { limit: self.limit, loss });
            self.limit = Some(acked.clamp(estimate / 4, estimate));
            return true;
        }
        if loss < self.inherent {
            self.inherent -= (self.inherent - loss) / 4.0;
        }
        if loss <= self.inherent + GROWS_BELOW
            && let Some(limit) = self.limit
        {
            let grown = (limit as f64 * GROWTH) as u64;
            // Not what holds the estimate back any more.
            self.limit = (limit < estimate.saturating_mul(2)).then_some(grown);
        }
        false
    }

    fn high(&self) -> f64 {
        HIGH.max(self.inherent + HIGH_ABOVE_INHERENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;
    const RTT: Micros = 50 * MS;

    /// Ten feedbacks a second of 20 packets each, for `seconds`; `path` gives the share lost at a rate. Gives the
    /// least limit.
    fn feed(loss: &mut LossControl, from_second: i64, seconds: i64, path: impl Fn(f64) -> f64) -> u64 {
        let delay_estimate = 2_000_000;
        let mut least = delay_estimate;
        for round in from_second * 10..(from_second + seconds) * 10 {
            let rate = loss.limit().map_or(delay_estimate, |limit| limit.min(delay_estimate));
            let share = path(rate as f64);
            let lost = (share * 20.0).round() as u32;
            let count = LossCount { received: 20 - lost, lost, recovered: 0 };
            let acked = (rate as f64 * (1.0 - share)) as u64;
            loss.on_feedback(round * 100 * MS, count, RTT, Some(acked), rate);
            least = least.min(loss.limit().unwrap_or(delay_estimate));
        }
        least
    }

    #[test]
    fn a_bad_path_is_tried_once() {
        let mut loss = LossControl::default();
        assert_eq!(feed(&mut loss, 0, 10, |_| 0.2), 1_600_000);
        assert_eq!(feed(&mut loss, 10, 300, |_| 0.2), 2_000_000);
        assert_eq!(feed(&mut loss, 310, 60, |_| 0.0), 2_000_000);
        assert_eq!(feed(&mut loss, 370, 10, |_| 0.2), 1_600_000, "it was good in between");
    }

    #[test]
    fn a_tenth_is_not_tried_at_all() {
        assert_eq!(feed(&mut LossControl::default(), 0, 300, |_| 0.1), 2_000_000);
    }

    #[test]
    fn a_policer_is_kept_to() {
        let mut loss = LossControl::default();
        let policer = |rate: f64| (1.0 - 700_000.0 / rate).max(0.0);
        feed(&mut loss, 0, 20, policer);
        for second in 20..120 {
            feed(&mut loss, second, 1, policer);
            let limit = loss.limit().expect("a limit");
            assert!((600_000..850_000).contains(&limit), "{limit}");
        }
        feed(&mut loss, 120, 30, |_| 0.0);
        assert_eq!(loss.limit(), None);
    }

    #[test]
    fn reports_of_loss_lower_the_limit_and_good_ones_lift_it() {
        let mut loss = LossControl::default();
        assert!(loss.on_report(0, RTT, 64, 1_000_000));
        assert_eq!(loss.limit(), Some(875_000));
        assert!(!loss.on_report(100 * MS, RTT, 64, 1_000_000), "of the same second");
        assert!(!loss.on_report(1_000 * MS, RTT, 13, 1_000_000));
        assert_eq!(loss.limit(), Some(875_000));
        loss.on_report(2_000 * MS, RTT, 0, 1_000_000);
        assert_eq!(loss.limit(), Some(945_000));
        loss.on_report(3_000 * MS, RTT, 0, 1_000_000);
        assert_eq!(loss.limit(), None);
    }

    #[test]
    fn what_came_late_was_not_lost() {
        let mut loss = LossControl::default();
        for round in 0..100 {
            let count = LossCount { received: 20, lost: 10, recovered: 10 };
            loss.on_feedback(round * 100 * MS, count, RTT, Some(1_000_000), 2_000_000);
        }
        assert_eq!(loss.limit(), None);
    }
}
