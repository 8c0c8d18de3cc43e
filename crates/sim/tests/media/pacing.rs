//! What leaves for a path follows its estimate, packet by packet.

use std::cell::RefCell;
use std::rc::Rc;

use loadtest::client::{AudioConfig, VideoConfig};
use sim::call::{Call, Fate, Way};
use sim::network::Link;

use crate::{clean, ms, rtp, seconds};

/// A keyframe of 100 kB.
fn large() -> VideoConfig {
    VideoConfig { packets: 2, keyframe_packets: 100, ..VideoConfig::default() }
}

/// A publisher, and a viewer who began to receive its camera and microphone.
fn call(down: Link) -> Call {
    let mut call = Call::new(1);
    call.join(clean(), clean());
    call.join(clean(), down);
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, large());
    call.connect();
    call
}

/// How many bytes of video went to the viewer in each millisecond.
fn bytes_down(call: &mut Call) -> Rc<RefCell<Vec<usize>>> {
    let receiver = call.people[1].receiver;
    let bytes = Rc::new(RefCell::new(vec![0]));
    let counted = bytes.clone();
    call.meddler = Some(Box::new(move |peer, way, datagram| {
        let video = rtp(datagram).is_some() && datagram.len() > 300;
        if peer == receiver && way == Way::Down && video {
            *counted.borrow_mut().last_mut().expect("one is there") += datagram.len();
        }
        Fate::Pass
    }));
    bytes
}

#[test]
fn a_large_keyframe_is_spread_over_time() {
    let mut call = call(clean());
    let bytes = bytes_down(&mut call);
    call.watch_all();
    for _ in 0..3_000 {
        call.run(ms(1));
        bytes.borrow_mut().push(0);
    }
    let report = call.report(1, call.people[1].consumptions[1]);
    assert_eq!((report.first_fault, report.lost), (None, 0));
    let bytes = bytes.borrow();
    // The estimate begins with 1 Mbit/s: 2.5 times that are 1.6 kB in a tick, after a burst of eight full packets.
    let first = bytes.iter().position(|&bytes| bytes > 0).expect("a keyframe");
    assert!(bytes[first] <= 9 * 1_232, "{}", bytes[first]);
    let in_100_ms: usize = bytes[first..first + 100].iter().sum();
    assert!(in_100_ms > 20_000 && in_100_ms < 60_000, "{in_100_ms} of 100 kB");
}

#[test]
fn sound_does_not_wait_behind_a_keyframe() {
    let mut call = call(clean());
    call.watch_all();
    call.run(seconds(3));
    let [sound, picture] = [0, 1].map(|n| call.report(1, call.people[1].consumptions[n]));
    assert_eq!((sound.lost, picture.lost), (0, 0), "it is a wide path");
    assert_eq!((sound.first_fault, picture.first_fault), (None, None));
    assert!(sound.latencies.quantile(0.99).is_some_and(|late| late < ms(60)), "{:?}", sound.latencies);
}

#[test]
fn who_lags_skips_to_a_keyframe_and_is_not_shown_the_past() {
    // 1.3 Mbit/s in one size, on a path that carries 300 kbit/s.
    let camera = VideoConfig { packets: 8, keyframe_packets: 10, ..VideoConfig::default() };
    let mut call = Call::new(1);
    call.join(clean(), clean());
    call.join(clean(), Link { bits_per_second: Some(300_000), queue: ms(200), ..clean() });
    call.publish_video(0, camera);
    call.connect();
    call.watch_all();
    call.run(seconds(10));
    let before = call.worker.stats();
    call.run(seconds(20));
    let stats = call.worker.stats();
    let skipped = stats.skipped - before.skipped;
    assert!((1..=10).contains(&skipped), "{skipped} in 20 s");
    // Some are asked for again, or for what came too late to be repaired.
    let asked = stats.keyframe_requests_out - before.keyframe_requests_out;
    assert!(asked <= 13, "{asked} keyframes in 20 s would cost all other viewers");
}
