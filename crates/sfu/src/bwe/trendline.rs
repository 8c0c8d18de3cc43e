//! Whether delay grows: the slope of the smoothed delay against an adaptive threshold, as in libwebrtc's trendline
//! estimator (draft-ietf-rmcat-gcc-02 sections 5.3 and 5.4).

use super::arrival::GroupDelta;

/// Groups that a line is fitted through.
const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
/// The slope counts for so many groups at most.
const GROUPS_MAX: u32 = 60;
const THRESHOLD_MS: f64 = 12.5;
const THRESHOLD_MS_MIN: f64 = 6.0;
const THRESHOLD_MS_MAX: f64 = 600.0;
/// A slope this far above the threshold is a sudden event that the threshold does not follow.
const OUTLIER_MS: f64 = 15.0;
const FOLLOW_UP: f64 = 0.0087;
const FOLLOW_DOWN: f64 = 0.039;
const FOLLOW_MS_MAX: f64 = 100.0;
/// How much must have been sent while the slope was above the threshold.
const OVERUSE_MS: f64 = 10.0;

/// What the delay says about the use of the path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Usage {
    /// A queue drains.
    Under,
    /// Delay is steady.
    #[default]
    Normal,
    /// A queue grows.
    Over,
}

/// The slope of the delay and what it means.
#[derive(Debug)]
pub(super) struct Trendline {
    /// Time of arrival and smoothed delay in ms, relative to the first; the oldest is overwritten.
    points: [(f64, f64); WINDOW],
    next: usize,
    groups: u32,
    arrived_ms: f64,
    delay_ms: f64,
    smoothed_ms: f64,
    threshold_ms: f64,
    slope: f64,
    over_ms: Option<f64>,
    over_groups: u32,
    usage: Usage,
}

impl Default for Trendline {
    fn default() -> Self {
        Self {
            points: [(0.0, 0.0); WINDOW],
            next: 0,
            groups: 0,
            arrived_ms: 0.0,
            delay_ms: 0.0,
            smoothed_ms: 0.0,
            threshold_ms: THRESHOLD_MS,
            slope: 0.0,
            over_ms: None,
            over_groups: 0,
            usage: Usage::default(),
        }
    }
}

impl Trendline {
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Adds the difference of two groups.
    pub(super) fn on_group(&mut self, delta: GroupDelta) {
        let arrival_ms = delta.arrival as f64 / 1_000.0;
        let sent_ms = delta.sent as f64 / 1_000.0;
        self.arrived_ms += arrival_ms;
        self.delay_ms += arrival_ms - sent_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.delay_ms;
        self.points[self.next] = (self.arrived_ms, self.smoothed_ms);
        self.next = (self.next + 1) % WINDOW;
        self.groups = (self.groups + 1).min(GROUPS_MAX);
        if self.groups >= WINDOW as u32 {
            let slope = self.fit().unwrap_or(self.slope);
            self.detect(slope, sent_ms, arrival_ms);
        }
    }

    /// The least squares slope; `None` when everything arrived at once.
    fn fit(&self) -> Option<f64> {
        // Relative to one of the points, so that large times do not eat up the precision.
        let (x0, y0) = self.points[0];
        let (mut x_sum, mut y_sum, mut xx_sum, mut xy_sum) = (0.0, 0.0, 0.0, 0.0);
        for (x, y) in self.points {
            let (x, y) = (x - x0, y - y0);
            x_sum += x;
            y_sum += y;
            xx_sum += x * x;
            xy_sum += x * y;
        }
        let n = WINDOW as f64;
        let denominator = n * xx_sum - x_sum * x_sum;
        (denominator > 0.0).then(|| (n * xy_sum - x_sum * y_sum) / denominator)
    }

    fn detect(&mut self, slope: f64, sent_ms: f64, arrival_ms: f64) {
        let modified = f64::from(self.groups) * slope * GAIN;
        if modified > self.threshold_ms {
            // The first time, half of what was sent since the last group is taken to have been over.
            let over_ms = self.over_ms.map_or(sent_ms / 2.0, |over| over + sent_ms);
            self.over_ms = Some(over_ms);
            self.over_groups += 1;
            if over_ms > OVERUSE_MS && self.over_groups > 1 && slope >= self.slope {
                (self.over_ms, self.over_groups) = (Some(0.0), 0);
                self.usage = Usage::Over;
            }
        } else {
            (self.over_ms, self.over_groups) = (None, 0);
            self.usage = if modified < -self.threshold_ms { Usage::Under } else { Usage::Normal };
        }
        self.slope = slope;
        self.adapt(modified.abs(), arrival_ms);
    }

    fn adapt(&mut self, modified: f64, elapsed_ms: f64) {
        if modified > self.threshold_ms + OUTLIER_MS {
            return;
        }
        let follow = if modified < self.threshold_ms { FOLLOW_DOWN } else { FOLLOW_UP };
        self.threshold_ms += follow * (modified - self.threshold_ms) * elapsed_ms.min(FOLLOW_MS_MAX);
        self.threshold_ms = self.threshold_ms.clamp(THRESHOLD_MS_MIN, THRESHOLD_MS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(trendline: &mut Trendline, groups: usize, sent_ms: i64, arrival_ms: i64) -> Option<usize> {
        (0..groups).find(|_| {
            let delta = GroupDelta { sent: sent_ms * 1_000, arrival: arrival_ms * 1_000 };
            trendline.on_group(delta);
            trendline.usage() == Usage::Over
        })
    }

    #[test]
    fn growing_delay_is_overuse() {
        let mut trendline = Trendline::default();
        assert_eq!(feed(&mut trendline, 100, 20, 20), None);
        let groups = feed(&mut trendline, 100, 20, 22).expect("overuse");
        assert!(groups < 30, "{groups}");
    }

    #[test]
    fn steady_delay_is_normal_use() {
        let mut trendline = Trendline::default();
        for _ in 0..10_000 {
            assert_eq!(feed(&mut trendline, 1, 20, 21), None);
            assert_eq!(feed(&mut trendline, 1, 20, 19), None);
        }
        assert_eq!(trendline.usage(), Usage::Normal);
    }

    #[test]
    fn a_draining_queue_is_underuse() {
        let mut trendline = Trendline::default();
        feed(&mut trendline, 20, 20, 20);
        feed(&mut trendline, 40, 20, 15);
        assert_eq!(trendline.usage(), Usage::Under);
    }

    #[test]
    fn precision_lasts_for_days() {
        let mut trendline = Trendline { arrived_ms: 1e10, ..Trendline::default() };
        assert_eq!(feed(&mut trendline, 1_000, 20, 20), None);
        assert!(feed(&mut trendline, 100, 20, 25).is_some());
    }

    #[test]
    fn groups_that_arrive_at_one_instant_have_no_slope() {
        let mut trendline = Trendline::default();
        assert_eq!(feed(&mut trendline, 1_000, 20, 0), None);
    }
}
