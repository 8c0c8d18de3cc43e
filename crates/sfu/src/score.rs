//! How well a stream arrives, as mediasoup tells it: a number from 0 to 10.
//!
//! The formula is that of mediasoup's `RtpStreamSend::UpdateScore`: the fourth power of the share that arrived, where
//! a repaired packet counts less the more had to be repaired. What is told is the mean of the newest intervals, the
//! newest with the most weight.

use arrayvec::ArrayVec;

/// The best score.
pub(crate) const BEST: u8 = 10;
/// Intervals that count: a third of mediasoup's 24, since browsers report audio every 5 s only, and whoever has a good
/// network again shall soon see it.
const INTERVALS: usize = 8;

/// The score of one stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Score {
    newest: ArrayVec<u8, INTERVALS>,
}

/// What happened to a stream between two reports, in packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) expected: u64,
    pub(crate) lost: u64,
    /// Of the lost ones, sent again.
    pub(crate) repaired: u64,
}

impl Score {
    pub(crate) fn on_interval(&mut self, interval: Interval) {
        if self.newest.is_full() {
            self.newest.remove(0);
        }
        self.newest.push(interval.score());
    }

    /// 10 before the first interval.
    pub(crate) fn value(&self) -> u8 {
        let weighted = self.newest.iter().zip(1u32..).map(|(&score, weight)| u32::from(score) * weight);
        let count = self.newest.len() as u32;
        let weights = count * (count + 1) / 2;
        (weighted.sum::<u32>() + weights / 2).checked_div(weights).map_or(BEST, |score| score as u8)
    }
}

impl Interval {
    fn score(self) -> u8 {
        if self.expected == 0 {
            return BEST;
        }
        let expected = self.expected as f32;
        let lost = self.lost.min(self.expected);
        let repaired = self.repaired.min(lost) as f32;
        let weight = (1.0 / (repaired / expected + 1.0)).powi(4);
        let delivered = (expected - (lost as f32 - repaired * weight)) / expected;
        (delivered.powi(4) * f32::from(BEST)).round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(intervals: &[(u64, u64, u64)]) -> u8 {
        let mut score = Score::default();
        intervals
            .iter()
            .for_each(|&(expected, lost, repaired)| score.on_interval(Interval { expected, lost, repaired }));
        score.value()
    }

    #[test]
    fn loss_lowers_the_score_and_repair_most_of_it_back() {
        assert_eq!(after(&[]), 10);
        assert_eq!(after(&[(100, 0, 0)]), 10);
        assert_eq!(after(&[(100, 10, 0)]), 7);
        assert_eq!(after(&[(100, 10, 10)]), 9);
        assert_eq!(after(&[(100, 50, 0)]), 1);
        assert_eq!(after(&[(100, 100, 0)]), 0);
    }

    #[test]
    fn silence_is_no_loss_and_odd_reports_stay_within_bounds() {
        assert_eq!(after(&[(0, 0, 0), (0, 3, 9)]), 10);
        assert_eq!(after(&[(5, 99, 0)]), 0);
        assert_eq!(after(&[(5, 2, 99)]), after(&[(5, 2, 2)]));
    }

    #[test]
    fn the_newest_intervals_weigh_most_and_old_ones_are_forgotten() {
        let (good, bad) = ((100, 0, 0), (100, 100, 0));
        assert_eq!(after(&[bad, good, good]), 8);
        assert_eq!(after(&[good, good, bad]), 5);
        let mut long = vec![bad; 100];
        long.extend([good; INTERVALS]);
        assert_eq!(after(&long), 10);
    }
}
