//! Seeded random and mutated input for the parsers' tests.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Calls `parse` 100,000 times, half with noise and half with a damaged one of `samples`.
pub(crate) fn damaged(seed: u64, samples: &[&[u8]], mut parse: impl FnMut(&[u8])) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut buffer = Vec::with_capacity(256);
    for round in 0..100_000 {
        buffer.clear();
        if round % 2 == 0 || samples.is_empty() {
            buffer.resize(rng.random_range(0..128), 0);
            rng.fill_bytes(&mut buffer);
        } else {
            buffer.extend_from_slice(samples[rng.random_range(0..samples.len())]);
            for _ in 0..rng.random_range(0..4) {
                let at = rng.random_range(0..buffer.len());
                buffer[at] = rng.random();
            }
            if rng.random_ratio(1, 4) {
                buffer.truncate(rng.random_range(0..=buffer.len()));
            }
        }
        parse(&buffer);
    }
}
