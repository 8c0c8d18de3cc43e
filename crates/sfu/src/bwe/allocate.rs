//! What each consumer of a transport gets of the estimate.

use std::cmp::Reverse;

use crate::clock::Micros;

/// Layers of one consumer: three spatial by three temporal ones.
pub const LAYERS_MAX: usize = 9;
/// A layer that is not forwarded yet must fit an estimate that is so much larger than the need.
const MARGIN_PERCENT: u64 = 110;
/// An upgrade must be possible for so long.
const HOLD_US_MIN: Micros = 500_000;
/// Doubled each time that an upgrade did not last.
const HOLD_US_MAX: Micros = 8_000_000;
/// An upgrade lasted, if no downgrade followed for so long.
const LASTED_US: Micros = 10_000_000;
/// After so long without a downgrade all is forgotten.
const FORGOTTEN_US: Micros = 30_000_000;

/// One video consumer's claim, and what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The caller's name for the consumer; orders those of equal priority.
    pub id: usize,
    /// 1 to 255. After everyone has a layer, each takes up to so many more in its turn, the highest priority first.
    pub priority: u8,
    /// The highest layer that the viewer wants; `None` when it sees nothing of it.
    pub wanted: Option<u8>,
    /// The layer that is forwarded now.
    pub current: Option<u8>,
    /// The bitrate, in bit/s, when this layer is the one forwarded; 0 where the source has none.
    pub layers: [u64; LAYERS_MAX],
    /// The layer to forward: the result.
    pub layer: Option<u8>,
}

/// How an estimate was shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// What the layers chosen and audio need, in bit/s.
    pub used_bps: u64,
    /// What the layers wanted and audio need, in bit/s: for [`super::Estimator::set_desired`].
    pub desired_bps: u64,
}

/// Shares `estimate_bps` and writes each consumer's layer; sorts `shares` by priority.
///
/// Audio takes its `audio_bps` whatever the estimate is. Then everyone gets the lowest layer, as far as that goes,
/// then one round of upgrades after the other.
pub fn allocate(estimate_bps: u64, audio_bps: u64, shares: &mut [Share]) -> Allocation {
    shares.sort_unstable_by_key(|share| (Reverse(share.priority), share.id));
    let mut budget = Budget { estimate_bps, used_bps: audio_bps };
    for share in &mut *shares {
        share.layer = None;
        share.step(&mut budget);
    }
    let mut progress = true;
    while progress {
        progress = false;
        for share in shares.iter_mut().filter(|share| share.layer.is_some()) {
            let mut turns = share.priority.max(1);
            while turns > 0 && share.step(&mut budget) {
                turns -= 1;
                progress = true;
            }
        }
    }
    let wanted: u64 = shares.iter().map(|share| share.top().map_or(0, |top| share.bps(top))).sum();
    Allocation { used_bps: budget.used_bps, desired_bps: audio_bps + wanted }
}

struct Budget {
    estimate_bps: u64,
    used_bps: u64,
}

impl Share {
    /// Takes the next layer, if it fits.
    fn step(&mut self, budget: &mut Budget) -> bool {
        let Some(next) = self.next() else { return false };
        let needed = (budget.used_bps + self.bps(next)).saturating_sub(self.layer.map_or(0, |layer| self.bps(layer)));
        let margin = if Some(next) > self.current { MARGIN_PERCENT } else { 100 };
        if needed.saturating_mul(margin) > budget.estimate_bps.saturating_mul(100) {
            return false;
        }
        budget.used_bps = needed;
        self.layer = Some(next);
        true
    }

    /// The next higher layer that is wanted and there.
    fn next(&self) -> Option<u8> {
        let from = self.layer.map_or(0, |layer| layer + 1);
        (from..=self.wanted?).find(|layer| self.bps(*layer) > 0)
    }

    /// The highest layer that is wanted and there.
    fn top(&self) -> Option<u8> {
        (0..=self.wanted?).rev().find(|layer| self.bps(*layer) > 0)
    }

    fn bps(&self, layer: u8) -> u64 {
        self.layers.get(usize::from(layer)).copied().unwrap_or(0)
    }

    /// Gets more than before; to begin at all is no upgrade.
    fn is_upgraded(&self) -> bool {
        self.current.is_some() && self.layer > self.current
    }

    /// Gets less than before though the viewer wants it.
    fn is_downgraded(&self) -> bool {
        self.layer < self.current.min(self.top())
    }
}

/// Lets upgrades through when they last. Downgrades, and the first layer of a consumer, are never held up.
#[derive(Debug)]
pub struct UpgradeGate {
    hold: Micros,
    /// Since when there is something to upgrade.
    offered: Option<Micros>,
    upgraded: Option<Micros>,
    downgraded: Option<Micros>,
}

impl Default for UpgradeGate {
    fn default() -> Self {
        Self { hold: HOLD_US_MIN, offered: None, upgraded: None, downgraded: None }
    }
}

impl UpgradeGate {
    /// Takes back upgrades that are to wait, and gives when to allocate again for their sake.
    pub fn apply(&mut self, now: Micros, shares: &mut [Share]) -> Option<Micros> {
        let within = |at: Option<Micros>, us| at.is_some_and(|at| now - at < us);
        if shares.iter().any(Share::is_downgraded) {
            if within(self.upgraded, LASTED_US) {
                self.hold = (self.hold * 2).min(HOLD_US_MAX);
            }
            (self.offered, self.upgraded, self.downgraded) = (None, None, Some(now));
        } else if !within(self.downgraded, FORGOTTEN_US) {
            self.hold = HOLD_US_MIN;
        }
        if !shares.iter().any(Share::is_upgraded) {
            self.offered = None;
            return None;
        }
        let due = *self.offered.get_or_insert(now) + self.hold;
        if now >= due {
            (self.offered, self.upgraded) = (None, Some(now));
            return None;
        }
        shares.iter_mut().filter(|share| share.is_upgraded()).for_each(|share| share.layer = share.current);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIO: u64 = 40_000;
    const SIMULCAST: [u64; LAYERS_MAX] = [150_000, 500_000, 1_200_000, 0, 0, 0, 0, 0, 0];
    const SECOND: Micros = 1_000_000;

    fn share(id: usize, priority: u8, wanted: Option<u8>) -> Share {
        Share { id, priority, wanted, current: None, layers: SIMULCAST, layer: None }
    }

    fn layers(estimate: u64, shares: &mut [Share]) -> Vec<(usize, Option<u8>)> {
        let allocation = allocate(estimate, AUDIO, shares);
        assert!(allocation.used_bps <= estimate.max(AUDIO));
        shares.iter().map(|share| (share.id, share.layer)).collect()
    }

    #[test]
    fn everyone_gets_the_lowest_layer_first() {
        let mut shares = [share(1, 1, Some(2)), share(2, 1, Some(2)), share(3, 200, Some(2))];
        assert_eq!(layers(30_000, &mut shares), [(3, None), (1, None), (2, None)]);
        assert_eq!(layers(210_000, &mut shares), [(3, Some(0)), (1, None), (2, None)]);
        assert_eq!(layers(540_000, &mut shares), [(3, Some(0)), (1, Some(0)), (2, Some(0))]);
        assert_eq!(layers(930_000, &mut shares), [(3, Some(1)), (1, Some(0)), (2, Some(0))]);
        assert_eq!(layers(1_700_000, &mut shares), [(3, Some(2)), (1, Some(0)), (2, Some(0))]);
        assert_eq!(layers(10_000_000, &mut shares), [(3, Some(2)), (1, Some(2)), (2, Some(2))]);
    }

    #[test]
    fn equal_priorities_go_up_round_by_round() {
        let mut shares = [share(2, 1, Some(2)), share(1, 1, Some(2))];
        assert_eq!(layers(1_150_000, &mut shares), [(1, Some(1)), (2, Some(1))]);
        assert_eq!(layers(1_960_000, &mut shares), [(1, Some(2)), (2, Some(1))]);
    }

    #[test]
    fn nobody_gets_more_than_wanted_or_what_is_not_there() {
        let mut shares = [share(1, 1, Some(1)), share(2, 1, None), share(3, 1, Some(200))];
        shares[2].layers[1] = 0;
        assert_eq!(layers(10_000_000, &mut shares), [(1, Some(1)), (2, None), (3, Some(2))]);
        assert_eq!(allocate(0, AUDIO, &mut shares).desired_bps, AUDIO + 500_000 + 1_200_000);
        shares[2].layers = [0; LAYERS_MAX];
        assert_eq!(layers(10_000_000, &mut shares), [(1, Some(1)), (2, None), (3, None)]);
    }

    #[test]
    fn what_is_forwarded_needs_no_margin() {
        let mut shares = [share(1, 1, Some(2))];
        assert_eq!(layers(1_300_000, &mut shares), [(1, Some(1))]);
        shares[0].current = Some(2);
        assert_eq!(layers(1_300_000, &mut shares), [(1, Some(2))]);
        assert_eq!(layers(1_239_999, &mut shares), [(1, Some(1))]);
    }

    #[test]
    fn an_estimate_that_flutters_changes_nothing() {
        let mut shares = [share(1, 1, Some(2)), share(2, 1, Some(2))];
        let mut changes = 0;
        for round in 0..1_000 {
            allocate(if round % 2 == 0 { 1_740_000 } else { 1_860_000 }, AUDIO, &mut shares);
            for share in &mut shares {
                changes += usize::from(share.layer != share.current);
                share.current = share.layer;
            }
        }
        assert_eq!(changes, 2, "the first layers");
    }

    #[test]
    fn an_upgrade_waits_and_a_downgrade_does_not() {
        let mut gate = UpgradeGate::default();
        let mut shares = [share(1, 1, Some(2))];
        let mut at = |now: Micros, estimate| {
            allocate(estimate, AUDIO, &mut shares);
            let again = gate.apply(now, &mut shares);
            shares[0].current = shares[0].layer;
            (shares[0].layer, again)
        };
        assert_eq!(at(0, 300_000), (Some(0), None), "the first layer comes at once");
        assert_eq!(at(SECOND, 700_000), (Some(0), Some(SECOND * 3 / 2)));
        assert_eq!(at(SECOND * 3 / 2, 700_000), (Some(1), None));
        assert_eq!(at(2 * SECOND, 400_000), (Some(0), None));
        assert_eq!(at(3 * SECOND, 700_000), (Some(0), Some(4 * SECOND)), "it did not last");
        assert_eq!(at(SECOND * 7 / 2, 400_000), (Some(0), None));
        assert_eq!(at(4 * SECOND, 700_000), (Some(0), Some(5 * SECOND)), "it was not offered all the time");
        assert_eq!(at(5 * SECOND, 700_000), (Some(1), None));
        assert_eq!(at(60 * SECOND, 700_000), (Some(1), None));
        assert_eq!(at(61 * SECOND, 2_000_000), (Some(1), Some(SECOND * 123 / 2)), "forgotten");
    }

    #[test]
    fn extreme_bitrates_do_not_overflow() {
        let mut shares = [share(1, 255, Some(255)); 3];
        shares[1].layers = [u64::MAX / 16; LAYERS_MAX];
        allocate(u64::MAX, AUDIO, &mut shares);
        assert!(shares.iter().all(|share| share.layer.is_some()));
    }
}
