//! Rooms of eight through lossy, reordering, duplicating links.

use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::MediaKind;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sim::call::{Call, Consumption, ROUTER};
use sim::network::Link;

/// How many seeds are run where `HYPERION_SEEDS` does not say.
const SEEDS: u64 = 40;
const PEOPLE: usize = 8;
const CAMERAS: usize = 4;
/// How long everybody sends.
const MEDIA: Duration = Duration::from_secs(5);
/// What is captured in that time: 50 packets of audio and 20 frames of video a second.
const AUDIO_PACKETS: f64 = 250.0;
const VIDEO_FRAMES: u64 = 100;
const FRAME_INTERVAL: Duration = Duration::from_millis(50);

#[test]
fn everybody_sees_and_hears_everybody() {
    sim::seeds::run(0..sim::seeds::count(SEEDS), simulate);
}

fn simulate(seed: u64) {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut call = Call::new(seed);
    for person in 0..PEOPLE {
        let (up, down) = (draw(&mut rng), draw(&mut rng));
        call.join(up, down);
        call.publish_audio(person, AudioConfig::default());
        if person < CAMERAS {
            call.publish_video(person, VideoConfig::default());
        }
    }
    call.connect();
    call.watch_all();
    call.run(MEDIA);
    let silent_at = call.now();
    call.fall_silent();

    for person in 0..PEOPLE {
        assert_eq!(call.people[person].consumptions.len(), PEOPLE - 1 + CAMERAS - usize::from(person < CAMERAS));
        for &consumption in &call.people[person].consumptions {
            let report = call.report(person, consumption);
            assert_eq!(report.first_fault, None, "{person} sees {:?}", consumption.producer);
            let Some((_, newest)) = report.seen else { panic!("{person} sees nothing: {consumption:?} {report:?}") };
            assert!(newest + Duration::from_millis(600) > silent_at, "{person} sees {report:?}");
            match consumption.kind {
                MediaKind::Audio => check_audio(&call, person, consumption),
                MediaKind::Video => check_video(&call, person, consumption),
            }
        }
    }

    let stats = call.worker.stats();
    assert_eq!((stats.srtp_failed, stats.unknown_dropped, stats.rtp_unannounced), (0, 0, 0));
    assert_eq!((stats.stun_dropped, stats.control_dropped, stats.events_dropped), (0, 0, 0));
    call.worker.close_router(ROUTER);
    let stats = call.worker.stats();
    assert_eq!((stats.routers, stats.transports, stats.producers, stats.consumers, stats.timers), (0, 0, 0, 0, 0));
    assert_eq!(call.worker.poll_timeout(), None);
}

/// Nobody repairs audio, so what two links lose is missing, and nothing else.
fn check_audio(call: &Call, person: usize, consumption: Consumption) {
    let report = call.report(person, consumption);
    let speaker = call.people.iter().find(|(_, other)| other.participant == consumption.producer.participant);
    let up = call.peers[speaker.expect("somebody").1.publisher].up.loss;
    let down = call.peers[call.people[person].receiver].down.loss;
    let expected = AUDIO_PACKETS * (1.0 - up) * (1.0 - down);
    assert!(report.frames as f64 > expected - 25.0, "{person} hears {expected} expected, {report:?}");
    assert_eq!(report.level, Some(AudioConfig::default().level));
}

/// Video is repaired: from the first keyframe on all frames are whole and can be decoded.
fn check_video(call: &Call, person: usize, consumption: Consumption) {
    let report = call.report(person, consumption);
    let (first, newest) = report.captured.expect("a frame was decoded");
    let sent = ((newest - first).as_millis() / FRAME_INTERVAL.as_millis()) as u64 + 1;
    assert!(report.decoded == sent || report.lost > 0, "{person} sees {sent} frames sent, {report:?}");
    // What is missing when the next keyframe comes is not asked for any more.
    assert!(report.lost <= 5, "{person} sees {report:?}");
    // A keyframe whose first packet is lost can only be asked for anew, which the server may defer.
    assert!(report.decoded >= VIDEO_FRAMES * 4 / 10, "{person} sees {report:?}");
}

fn draw(rng: &mut Pcg64Mcg) -> Link {
    Link {
        jitter: Duration::from_millis(rng.random_range(0..20)),
        loss: rng.random_range(0.0..0.05),
        reorder: rng.random_range(0.0..0.05),
        duplicate: rng.random_range(0.0..0.05),
        ..Link::clean(Duration::from_millis(rng.random_range(1..80)))
    }
}
