//! How long packets took, in buckets that are 3 % wide.

use std::time::Duration;

/// Buckets of one power of two, and of the microseconds below the first.
const STEPS: u32 = 32;
/// Longer than 67 s is as long.
const MICROS_MAX: u64 = (1 << 26) - 1;

/// Durations, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    counts: Vec<u64>,
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        let bucket = bucket(latency);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
    }

    /// Counts all of another's.
    pub fn add(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    /// What is in here and was not yet in `earlier`, a former state of it.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        Self { counts: self.counts.iter().zip(before).map(|(count, before)| count - before).collect() }
    }

    /// The duration that `share` (0 to 1) of all do not exceed, as the lower end of its bucket; none of nothing.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let all: u64 = self.counts.iter().sum();
        let rank = ((all as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= rank
        };
        self.counts.iter().position(reached).map(lower_end)
    }
}

fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(MICROS_MAX).min(MICROS_MAX);
    let power = micros.max(1).ilog2().saturating_sub(STEPS.ilog2());
    (u64::from(power * STEPS) + (micros >> power)) as usize
}

fn lower_end(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let power = (bucket / u64::from(STEPS)).saturating_sub(1);
    Duration::from_micros((bucket - power * u64::from(STEPS)) << power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        let mut last = 0;
        for micros in 0..200_000 {
            let at = bucket(Duration::from_micros(micros));
            assert!(at == last || at == last + 1, "{micros} us");
            let from = lower_end(at).as_micros() as u64;
            assert!(from <= micros && micros - from <= micros / 32, "{micros} us in the bucket of {from} us");
            last = at;
        }
    }

    #[test]
    fn quantiles_are_of_what_came_since() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        latencies.record(Duration::from_secs(100));
        let before = latencies.clone();
        for millis in 1..=100 {
            latencies.record(Duration::from_millis(millis));
        }
        let since = latencies.since(&before);
        let near = |share, millis: u64| {
            let found = since.quantile(share).expect("some").as_micros() as u64;
            assert!(found <= millis * 1000 && found >= millis * 31_000 / 32, "{found} us is not {millis} ms");
        };
        near(0.5, 50);
        near(0.99, 99);
        near(1.0, 100);
        let mut twice = since.clone();
        twice.add(&since);
        assert_eq!(twice.quantile(0.5), since.quantile(0.5));
    }
}
