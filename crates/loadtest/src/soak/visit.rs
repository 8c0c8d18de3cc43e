//! One stay of somebody: where, with what, for how long, and how it ends.

use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use rand::Rng;

use crate::crowd::Media;
use crate::shapes;

/// Most of the time between two stays, and of a stay. Shorter than the grace time of a session, so that those who
/// vanished and those who took their places are in a room together.
const PAUSE_MAX: Duration = Duration::from_secs(4);
const STAY_MAX: Duration = Duration::from_secs(25);

/// Of a hundred stays: so many end without a word, so many people send their picture in one size, in three, and the
/// microphone alone, and the rest only receive. Of a hundred receivers so many verify everything.
const VANISH: u32 = 25;
const CAMERA: u32 = 30;
const SIMULCAST: u32 = 20;
const MICROPHONE: u32 = 10;
const VERIFY: u32 = 30;

/// As many frames as let a busy machine keep up: what is looked for does not depend on their number.
const FRAME_RATE: u32 = 15;
const PICTURE: VideoConfig = VideoConfig { frame_rate: FRAME_RATE, packets: 2, keyframe_packets: 6, ..shapes::VIDEO };
const SOUND: AudioConfig = shapes::AUDIO;

/// What the seed decides.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// Before it.
    pub(super) pause: Duration,
    pub(super) room: u32,
    pub(super) publishes: Option<Media>,
    pub(super) verifies: bool,
    pub(super) stay: Duration,
    /// The socket and the media just stop; maybe before everything is set up.
    pub(super) vanishes: bool,
}

impl Visit {
    pub(super) fn draw(rng: &mut impl Rng, rooms: u32) -> Self {
        let pause = PAUSE_MAX.mul_f64(rng.random());
        let room = rng.random_range(0..rooms);
        let mut percent = || rng.random_range(0..100);
        let (vanishes, verifies, what) = (percent() < VANISH, percent() < VERIFY, percent());
        // Every fourth or so of those who vanish is not even in by then.
        let share: f64 = rng.random();
        let stay = STAY_MAX.mul_f64(if vanishes { share.powi(3) } else { share });
        let camera = if what < CAMERA {
            Some(vec![PICTURE])
        } else if what < CAMERA + SIMULCAST {
            Some(shapes::LAYERS.map(|layer| VideoConfig { frame_rate: FRAME_RATE, ..layer }).to_vec())
        } else {
            (what < CAMERA + SIMULCAST + MICROPHONE).then(Vec::new)
        };
        let publishes = camera.map(|camera| Media { microphone: Some(SOUND), camera });
        Self { pause, room, publishes, verifies, stay, vanishes }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_stays_of_every_kind() {
        let draw = |seed| {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            (0..200).map(|_| Visit::draw(&mut rng, 3)).collect::<Vec<_>>()
        };
        let visits = draw(7);
        assert_eq!(format!("{visits:?}"), format!("{:?}", draw(7)));
        assert_ne!(format!("{visits:?}"), format!("{:?}", draw(8)));
        let count = |is: fn(&Visit) -> bool| visits.iter().filter(|visit| is(visit)).count();
        let sizes = |visit: &Visit| visit.publishes.as_ref().map(|media| media.camera.len());
        for size in [None, Some(0), Some(1), Some(3)] {
            assert!(visits.iter().any(|visit| sizes(visit) == size), "{size:?}");
        }
        assert!((25..75).contains(&count(|visit| visit.vanishes)));
        assert!((0..3).all(|room| visits.iter().any(|visit| visit.room == room)));
    }
}
