use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use sim::call::{Call, Fate, Way};

use crate::{clean, face, ms, rtp, seconds};

/// How far apart a viewer takes sound and picture of one instant to be, by sender reports, in microseconds.
fn difference(call: &Call, viewer: usize) -> i64 {
    let (audio, video) = face(call, viewer);
    let offset = |consumption| call.report(viewer, consumption).capture_offset_us.expect("sender reports came");
    offset(audio) - offset(video)
}

fn watch_face(video: VideoConfig, prepare: impl FnOnce(&mut Call)) -> Call {
    let mut call = Call::new(1);
    for _ in 0..3 {
        call.join(clean(), clean());
    }
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, video);
    prepare(&mut call);
    call.connect();
    call.watch_all();
    call
}

fn check(mut call: Call) {
    for _ in 0..8 {
        call.run(seconds(2));
        for viewer in [1, 2] {
            assert!(difference(&call, viewer).abs() < 10_000, "{} us", difference(&call, viewer));
        }
    }
    for viewer in [1, 2] {
        let (audio, video) = face(&call, viewer);
        for consumption in [audio, video] {
            assert_eq!(call.report(viewer, consumption).first_fault, None);
        }
    }
}

#[test]
fn sound_and_picture_stay_together_although_the_video_takes_300_ms_more_on_its_way() {
    let call = watch_face(VideoConfig::default(), |call| {
        let publisher = call.people[0].publisher;
        call.meddler = Some(Box::new(move |peer, way, bytes| match rtp(bytes) {
            Some((96 | 97, _)) if peer == publisher && way == Way::Up => Fate::Delay(ms(300)),
            _ => Fate::Pass,
        }));
    });
    check(call);
}

#[test]
fn sound_and_picture_stay_together_although_the_encoder_takes_300_ms() {
    check(watch_face(VideoConfig { encoding: Duration::from_millis(300), ..VideoConfig::default() }, |_| ()));
}
