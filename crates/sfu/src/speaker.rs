//! Who is speaking most: I. Volfin and I. Cohen, "Dominant speaker identification for multipoint videoconferencing"
//! (Computer Speech & Language 27, 2013), with the constants that Jitsi and mediasoup use.
//!
//! Three windows are looked at: the newest 20 ms, 100 ms and a second. A candidate must be more active than the
//! dominant speaker in the first two by far and in the last at all. A cough or a door is loud but short; who pauses
//! for a word stays dominant.

use crate::clock::Micros;

/// Levels are taken per so much time: a packet of Opus.
const SLOT_US: Micros = 20_000;
/// A medium window is so many levels, a long one so many medium ones.
const MEDIUM_LEVELS: usize = 5;
const LONG_MEDIUMS: usize = 10;
const SLOTS: usize = MEDIUM_LEVELS * LONG_MEDIUMS;
/// Loudness in steps of this many dB, 13 of them.
const STEP_DB: u8 = 10;
const STEPS: u32 = 13;
/// A level counts in its medium window from this step on.
const ACTIVE_STEPS: u8 = 7;
/// A medium window counts in the long one from so many active levels on.
const ACTIVE_LEVELS: u8 = 4;
/// How much more active than the dominant speaker a candidate must be: logarithms of the ratios.
const AHEAD: [f64; 3] = [3.0, 2.0, 0.0];
/// Weights of the exponential model of speech in the three windows.
const LAMBDA: [f64; 3] = [0.78, 24.0, 47.0];
const SCORE_MIN: f64 = 1e-10;
/// The least loudness of so many levels is taken to be noise from then on.
const NOISE_LEVELS: u32 = 15 * 50;

/// How active one microphone is.
#[derive(Debug, Clone)]
pub(crate) struct SpeechActivity {
    /// Loudness above -127 dBov in the newest second; at its slot's number modulo the length.
    levels: [u8; SLOTS],
    newest: Micros,
    /// The newest slot with a level that may count in its medium window.
    active: Micros,
    noise: u8,
    /// The least loudness since `noise` was set, and of how many levels.
    least: u8,
    since: u32,
}

impl Default for SpeechActivity {
    fn default() -> Self {
        Self { levels: [0; SLOTS], newest: 0, active: -(MEDIUM_LEVELS as Micros), noise: 0, least: u8::MAX, since: 0 }
    }
}

/// How active a microphone is in the newest 20 ms, 100 ms and second.
pub(crate) type Scores = [f64; 3];

impl SpeechActivity {
    /// A packet of `level` dBov (RFC 6464: -127 to 0) came at `now`.
    pub(crate) fn on_level(&mut self, now: Micros, level: i8) {
        let loudness = (i16::from(level) + 127).clamp(0, 127) as u8;
        let slot = self.advance(now);
        self.levels[slot] = self.levels[slot].max(loudness);
        if loudness / STEP_DB > ACTIVE_STEPS {
            self.active = self.newest;
        }
        if loudness > 0 {
            self.least = self.least.min(loudness);
            self.since += 1;
            if self.since >= NOISE_LEVELS {
                (self.noise, self.least, self.since) = (self.least, u8::MAX, 0);
            }
        }
    }

    /// Whether it may lead anybody at `now`: only who is active in the medium window does.
    pub(crate) fn may_lead(&self, now: Micros) -> bool {
        now.div_euclid(SLOT_US).max(self.newest) - self.active < MEDIUM_LEVELS as Micros
    }

    /// How active it is at `now`.
    pub(crate) fn scores(&mut self, now: Micros) -> Scores {
        let newest = self.advance(now);
        let floor = self.noise.saturating_add(STEP_DB);
        let steps = |age: usize| {
            let level = self.levels[(newest + SLOTS - age) % SLOTS];
            if level < floor { 0 } else { level / STEP_DB }
        };
        let medium = |index: usize| {
            let ages = index * MEDIUM_LEVELS..(index + 1) * MEDIUM_LEVELS;
            ages.filter(|&age| steps(age) > ACTIVE_STEPS).count() as u8
        };
        let long = (0..LONG_MEDIUMS).filter(|&index| medium(index) > ACTIVE_LEVELS).count();
        [
            // The slot of now may still wait for its packet.
            score(u32::from(steps(0).max(steps(1))), STEPS, LAMBDA[0]),
            score(u32::from(medium(0)), MEDIUM_LEVELS as u32, LAMBDA[1]),
            score(long as u32, LONG_MEDIUMS as u32, LAMBDA[2]),
        ]
    }

    /// The index of the slot of `now`; those between were silent.
    fn advance(&mut self, now: Micros) -> usize {
        let slot = now.div_euclid(SLOT_US).max(self.newest);
        for passed in 1..=(slot - self.newest).min(SLOTS as i64) {
            self.levels[(self.newest + passed).rem_euclid(SLOTS as i64) as usize] = 0;
        }
        self.newest = slot;
        slot.rem_euclid(SLOTS as i64) as usize
    }
}

/// The likelihood that `active` of `of` is speech, against noise.
fn score(active: u32, of: u32, lambda: f64) -> f64 {
    let active = active.min(of);
    let ways: f64 = (1..=active).map(|n| f64::from(of + 1 - n) / f64::from(n)).product();
    let score = ways.ln() - f64::from(of) * 2f64.ln() - lambda.ln() + lambda * f64::from(active);
    score.max(SCORE_MIN)
}

/// By how much a candidate has to be preferred to the dominant speaker; `None` if it does not take over.
pub(crate) fn lead(candidate: &Scores, dominant: &Scores) -> Option<f64> {
    let ahead = std::array::from_fn::<_, 3, _>(|n| (candidate[n] / dominant[n]).ln());
    (0..3).all(|n| ahead[n] > AHEAD[n]).then_some(ahead[1])
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha12Rng;

    use super::*;

    const MS: Micros = 1_000;
    const SILENT: i8 = -90;
    const LOUD: i8 = -20;

    /// People whose levels come every 20 ms, and who is dominant.
    struct Room {
        now: Micros,
        people: Vec<SpeechActivity>,
        dominant: usize,
    }

    impl Room {
        fn new(people: usize) -> Self {
            Self { now: 0, people: vec![SpeechActivity::default(); people], dominant: 0 }
        }

        /// Lets time pass in which everybody is so loud, and gives who became dominant after what time.
        fn run(&mut self, ms: i64, levels: &[i8]) -> Option<(usize, i64)> {
            let start = self.now;
            let mut change = None;
            while self.now < start + ms * MS {
                for (activity, &level) in self.people.iter_mut().zip(levels) {
                    activity.on_level(self.now, level);
                }
                self.now += 20 * MS;
                if self.now % (200 * MS) == 0 {
                    let scores: Vec<_> = self.people.iter_mut().map(|activity| activity.scores(self.now)).collect();
                    let leads = scores.iter().enumerate().filter(|(n, _)| *n != self.dominant);
                    let leads = leads.filter_map(|(n, own)| Some((lead(own, &scores[self.dominant])?, n)));
                    if let Some((_, next)) = leads.max_by(|a, b| a.0.total_cmp(&b.0)) {
                        self.dominant = next;
                        change = Some((next, (self.now - start) / MS));
                    }
                }
            }
            change
        }
    }

    #[test]
    fn who_begins_to_speak_becomes_dominant_within_a_second() {
        let mut room = Room::new(3);
        room.run(2_000, &[SILENT; 3]);
        let (who, after) = room.run(2_000, &[SILENT, SILENT, LOUD]).expect("a change");
        assert!(who == 2 && after <= 1_000, "{who} after {after} ms");
        let (who, after) = room.run(3_000, &[SILENT, LOUD, SILENT]).expect("a change");
        assert!(who == 1 && after <= 1_600, "{who} after {after} ms");
    }

    #[test]
    fn a_cough_and_a_word_in_between_change_nothing() {
        let mut room = Room::new(2);
        room.run(2_000, &[LOUD, SILENT]);
        assert_eq!(room.run(60, &[LOUD, 0]), None, "a door");
        assert_eq!(room.run(1_000, &[LOUD, SILENT]), None);
        assert_eq!(room.run(400, &[LOUD, LOUD]), None, "both at once");
        assert_eq!(room.run(2_000, &[LOUD, SILENT]), None);
        assert_eq!(room.run(300, &[SILENT, SILENT]), None, "a breath");
        assert_eq!(room.dominant, 0);
    }

    #[test]
    fn a_noisy_room_is_not_speech() {
        let mut room = Room::new(2);
        assert_eq!(room.run(20_000, &[SILENT, -50]), None);
        let (who, _) = room.run(2_000, &[LOUD, -50]).unwrap_or((0, 0));
        assert_eq!((who, room.dominant), (0, 0));
    }

    #[test]
    fn who_may_not_lead_does_not() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut activity = SpeechActivity::default();
        let silent = SpeechActivity::default().scores(0);
        let (mut now, mut leads, mut may_not) = (0, 0, 0);
        for _ in 0..20_000 {
            // Words, breaths, packets that are late or missing.
            let spoken = (now / (200 * MS)) % 3 == 0;
            now += rng.random_range(0..30 * MS);
            if rng.random_bool(0.8) {
                let level = if spoken { rng.random_range(-60..0) } else { rng.random_range(-127..-40) };
                activity.on_level(now - rng.random_range(0..40 * MS), level);
            }
            let (may, lead) = (activity.may_lead(now), lead(&activity.scores(now), &silent));
            assert!(may || lead.is_none());
            leads += u32::from(lead.is_some());
            may_not += u32::from(!may);
        }
        assert!(leads > 100 && may_not > 100, "{leads} {may_not}");
    }

    #[test]
    fn who_sends_nothing_any_more_is_silent() {
        let mut activity = SpeechActivity::default();
        for slot in 0..100 {
            activity.on_level(slot * SLOT_US, LOUD);
        }
        let speaking = activity.scores(100 * SLOT_US);
        let silent = activity.scores(200 * SLOT_US);
        assert!(speaking[2] > silent[2]);
        assert!(lead(&speaking, &silent).is_some());
        assert_eq!(activity.scores(Micros::MAX / 2), silent);
    }
}
