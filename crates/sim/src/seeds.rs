//! Runs a simulation for many seeds and says which one failed.

use std::env;
use std::ops::Range;

/// The variable that picks one seed, to repeat a failure.
pub const SEED: &str = "HYPERION_SEED";

/// How many seeds to run: what `HYPERION_SEEDS` says, or so many.
pub fn count(unless_told: u64) -> u64 {
    env::var("HYPERION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(unless_told)
}

/// Calls `simulate` with each seed, or with the one that the environment names. A panic is preceded by the
/// command that repeats it.
pub fn run(seeds: Range<u64>, mut simulate: impl FnMut(u64)) {
    let picked = env::var(SEED).ok().and_then(|text| text.parse::<u64>().ok());
    for seed in picked.map_or(seeds, |seed| seed..seed.saturating_add(1)) {
        let _named = Named(seed);
        simulate(seed);
    }
}

struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {0}; repeat it with {SEED}={0}", self.0);
        }
    }
}
