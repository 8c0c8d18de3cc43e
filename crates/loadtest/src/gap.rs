//! For how long somebody did not hear somebody else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of one stream at one receiver, whichever of that one's transports it comes by.
#[derive(Debug, Default)]
pub(crate) struct Gap(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    newest: Option<Instant>,
    longest: Duration,
}

impl Gap {
    /// A packet came.
    pub(crate) fn note(&self, at: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = state.newest.map_or(at, |newest| newest.max(at));
        let gap = newest.saturating_duration_since(state.newest.unwrap_or(at));
        state.longest = state.longest.max(gap);
        state.newest = Some(newest);
    }

    /// The longest time between two packets since this was asked last, or since the newest; none before the first.
    fn take(&self, now: Instant) -> Option<Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = now.saturating_duration_since(state.newest?);
        Some(std::mem::take(&mut state.longest).max(open))
    }
}

/// Those of everybody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps(Arc<Mutex<Vec<Arc<Gap>>>>);

impl Gaps {
    pub(crate) fn add(&self) -> Arc<Gap> {
        let gap = Arc::<Gap>::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&gap));
        gap
    }

    /// The longest of each since this was asked last, the shortest first. Those who were left are not asked again.
    pub(crate) fn take(&self) -> Vec<Duration> {
        let now = Instant::now();
        let mut gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.retain(|gap| Arc::strong_count(gap) > 1);
        let mut longest: Vec<_> = gaps.iter().filter_map(|gap| gap.take(now)).collect();
        longest.sort_unstable();
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_longest_time_without_a_packet_counts_the_open_one_too() {
        let (gap, start) = (Gap::default(), Instant::now());
        assert_eq!(gap.take(start), None, "nothing came yet");
        for at in [0, 20, 150, 130, 170] {
            gap.note(start + ms(at));
        }
        assert_eq!(gap.take(start + ms(190)), Some(ms(130)));
        assert_eq!(gap.take(start + ms(190)), Some(ms(20)), "what was told is not told again");
        gap.note(start + ms(250));
        assert_eq!(gap.take(start + ms(400)), Some(ms(150)));
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let gaps = Gaps::default();
        let (one, other) = (gaps.add(), gaps.add());
        one.note(Instant::now());
        other.note(Instant::now());
        drop(other);
        assert_eq!(gaps.take().len(), 1);
    }
}
