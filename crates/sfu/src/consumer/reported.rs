//! What a receiver reports of the packets that a consumer sends it (RFC 3550 6.4.1).

use std::time::Duration;

use crate::rtcp::ReportBlock;
use crate::score::{Interval, Score};

use super::ConsumerStats;

/// The newest report, and what came of all of them.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    score: Score,
    fraction_lost: u8,
    lost: i32,
    jitter: u32,
    packets_before: u64,
    retransmitted_before: u64,
    next_before: Option<u64>,
}

impl Reported {
    /// Takes in a report; `sent` is what was sent until now, and `next` the sequence number that follows.
    pub(crate) fn on_report(&mut self, block: &ReportBlock, sent: &ConsumerStats, next: u64) {
        let expected = sent.packets - self.packets_before;
        // What was lost on the way to the server leaves a gap in the numbers and looks lost to the receiver too.
        let numbers = self.next_before.replace(next).map_or(0, |before| next - before);
        let lost = u64::try_from(block.cumulative_lost.saturating_sub(self.lost)).unwrap_or(0);
        self.score.on_interval(Interval {
            expected,
            lost: lost.saturating_sub(numbers.saturating_sub(expected)),
            repaired: sent.retransmitted - self.retransmitted_before,
        });
        (self.packets_before, self.retransmitted_before) = (sent.packets, sent.retransmitted);
        self.fraction_lost = block.fraction_lost;
        self.lost = block.cumulative_lost;
        self.jitter = block.jitter;
    }

    /// From 0 to 10, nothing is lost.
    pub(crate) fn score(&self) -> u8 {
        self.score.value()
    }

    /// Lost of the last interval, in 1/256.
    pub(crate) fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }

    /// Packets lost so far.
    pub(crate) fn lost(&self) -> u64 {
        u64::try_from(self.lost).unwrap_or(0)
    }

    /// Interarrival jitter, where the RTP clock has this rate in Hz.
    pub(crate) fn jitter(&self, clock_rate: u32) -> Duration {
        Duration::from_secs(1) * self.jitter / clock_rate.max(1)
    }
}
