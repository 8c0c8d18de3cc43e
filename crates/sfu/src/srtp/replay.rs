//! The replay window of one SSRC (RFC 3711 3.3.2).

use super::OpenError;

/// Remembers which of the last `64 * (WORDS - 1)` indices, at least, were seen. The words are a circle that is
/// cleared as the window moves (RFC 6479), so nothing is shifted.
#[derive(Debug)]
pub(super) struct ReplayWindow<const WORDS: usize> {
    highest: u64,
    seen: [u64; WORDS],
}

impl<const WORDS: usize> ReplayWindow<WORDS> {
    /// A window that has seen one index.
    pub(super) fn new(first: u64) -> Self {
        let mut window = Self { highest: first, seen: [0; WORDS] };
        window.mark(first);
        window
    }

    /// The highest index seen.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether a packet with this index may still be opened.
    pub(super) fn check(&self, index: u64) -> Result<(), OpenError> {
        let (block, highest) = (index / 64, self.highest / 64);
        if block > highest {
            Ok(())
        } else if block + (WORDS as u64) <= highest {
            Err(OpenError::TooOld)
        } else if self.seen[word(index, WORDS)] & bit(index) != 0 {
            Err(OpenError::Replayed)
        } else {
            Ok(())
        }
    }

    /// Marks the index of an authenticated packet that `check` let pass.
    pub(super) fn accept(&mut self, index: u64) {
        if index > self.highest {
            let first = self.highest / 64 + 1;
            let last = index / 64;
            for block in first..=last.min(first + WORDS as u64 - 1) {
                self.seen[block as usize % WORDS] = 0;
            }
            self.highest = index;
        }
        self.mark(index);
    }

    fn mark(&mut self, index: u64) {
        self.seen[word(index, WORDS)] |= bit(index);
    }
}

fn word(index: u64, words: usize) -> usize {
    (index / 64) as usize % words
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::OpenError;
    use super::ReplayWindow;

    #[test]
    fn an_index_passes_once() {
        let mut window = ReplayWindow::<2>::new(100);
        assert_eq!(window.check(100), Err(OpenError::Replayed));
        assert_eq!(window.check(99), Ok(()));
        window.accept(99);
        assert_eq!(window.check(99), Err(OpenError::Replayed));
        assert_eq!(window.check(101), Ok(()));
    }

    #[test]
    fn the_window_is_at_least_all_words_but_one() {
        let mut window = ReplayWindow::<16>::new(0);
        window.accept(10_000);
        assert_eq!(window.check(10_000 - 960), Ok(()));
        assert_eq!(window.check(10_000 - 1_024), Err(OpenError::TooOld));
    }

    #[test]
    fn agrees_with_a_set_of_all_that_was_seen() {
        for seed in 0..50 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let first = rng.random_range(0..1 << 17);
            let mut window = ReplayWindow::<4>::new(first);
            let mut seen = HashSet::from([first]);
            for _ in 0..3_000 {
                let index = window.highest().saturating_add_signed(rng.random_range(-400..40));
                match window.check(index) {
                    Ok(()) => {
                        assert!(seen.insert(index), "seed {seed}: {index} passed twice");
                        window.accept(index);
                    }
                    Err(OpenError::Replayed) => assert!(seen.contains(&index), "seed {seed}: {index} is new"),
                    Err(_) => assert!(index + 192 < window.highest(), "seed {seed}: {index} is not old"),
                }
            }
        }
    }
}
