//! Somebody publishes by a new transport while the one before is still there.

use loadtest::client::{AudioConfig, VideoConfig};
use loadtest::network::Link;
use sim::call::{Call, ROUTER};
use sim::two_workers::{Between, HERE, THERE, TwoWorkers};

use crate::{clean, face, ms, seconds, stage};

/// Person 0 publishes again by another transport. Gives the peer of the one before.
fn go_over(call: &mut Call) -> usize {
    let old = call.go_over(0);
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, VideoConfig::default());
    old
}

#[test]
fn who_goes_over_to_another_transport_is_heard_and_seen_all_the_time() {
    let mut call = stage(2);
    call.run(seconds(3));
    let old = go_over(&mut call);
    call.connect();
    call.run(seconds(1));
    call.end(old);
    call.run(seconds(2));
    for viewer in [1, 2] {
        let (audio, video) = face(&call, viewer);
        for (consumption, longest) in [(audio, ms(60)), (video, ms(150))] {
            let report = call.report(viewer, consumption);
            // The two microphones here are not in step, as one that is sent twice would be.
            assert!(report.faults <= 1 && report.longest_freeze <= longest, "{report:?}");
            assert_eq!((report.lost, report.changes), (0, 1), "{report:?}");
            let (_, newest) = report.seen.expect("media came");
            assert!(newest + ms(100) > call.now(), "{report:?}");
        }
    }
}

#[test]
fn who_asks_once_more_for_what_they_send_is_heard_and_seen_all_the_time() {
    let mut call = stage(1);
    for _ in 0..3 {
        call.run(seconds(1));
        call.publish_once_more(0);
    }
    let old = go_over(&mut call);
    call.publish_once_more(0);
    call.connect();
    call.run(seconds(1));
    call.end(old);
    call.publish_once_more(0);
    call.run(seconds(1));
    let (audio, video) = face(&call, 1);
    for (consumption, longest) in [(audio, ms(60)), (video, ms(150))] {
        let report = call.report(1, consumption);
        assert!(report.longest_freeze <= longest, "{report:?}");
        assert_eq!((report.lost, report.changes), (0, 1), "{report:?}");
    }
}

#[test]
fn the_transport_before_goes_on_until_the_next_brings_something() {
    let mut call = stage(1);
    call.run(seconds(1));
    let old = go_over(&mut call);
    let next = call.people[0].publisher;
    call.peers[next].up.loss = 1.0;
    let frames = |call: &Call| {
        let (audio, video) = face(call, 1);
        [audio, video].map(|consumption| call.report(1, consumption).frames)
    };
    let before = frames(&call);
    call.run(seconds(2));
    let [audio, video] = frames(&call);
    assert!(audio > before[0] + 90 && video > before[1] + 30, "{before:?} {audio} {video}");

    // The transport before ends: what comes then is the next one's.
    call.end(old);
    call.peers[next].up.loss = 0.0;
    call.connect();
    call.run(seconds(2));
    let after = frames(&call);
    assert!(after[0] > audio + 50 && after[1] > video + 20, "{after:?} {audio} {video}");
}

#[test]
fn a_transport_that_ends_before_anything_came_leaves_the_one_before_as_it_was() {
    let mut call = stage(1);
    call.run(seconds(1));
    let old = go_over(&mut call);
    let next = std::mem::replace(&mut call.people[0].publisher, old);
    call.end(next);
    call.run(seconds(2));
    let (audio, video) = face(&call, 1);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        assert_eq!((report.first_fault, report.lost, report.changes), (None, 0, 0), "{report:?}");
        assert!(report.longest_freeze <= ms(150), "{report:?}");
    }
}

#[test]
fn who_was_muted_meanwhile_stays_so_on_the_next_transport() {
    let mut call = stage(1);
    call.run(seconds(1));
    let old = go_over(&mut call);
    let (audio, _) = face(&call, 1);
    call.worker.pause_producer(ROUTER, audio.producer).expect("it is published");
    call.run(ms(100));
    let heard = call.report(1, audio).frames;
    call.connect();
    call.run(seconds(1));
    call.end(old);
    call.run(seconds(1));
    assert_eq!(call.report(1, audio).frames, heard, "nothing is heard");
    let now = call.now();
    call.worker.resume_producer(now, ROUTER, audio.producer).expect("it is published");
    call.run(seconds(1));
    assert!(call.report(1, audio).frames > heard + 40);
}

#[test]
fn who_moves_to_another_node_is_heard_and_seen_all_the_time_at_both_and_their_packets_go_in_no_circle() {
    let (mut two, there) = TwoWorkers::stage(Between::Network(Link::clean(ms(5))), 1);
    let producers = there.map(|consumption| consumption.producer);
    let viewer = two.calls[HERE].join(clean(), clean());
    two.run(seconds(1));
    let here = producers.map(|producer| two.calls[HERE].watch(viewer, producer));
    two.run(seconds(2));
    let before = two.crossing(seconds(1));

    // They publish there too, but nothing has come yet; and it is subscribed from there already.
    let moved = two.calls[THERE].join(clean(), clean());
    two.calls[THERE].people[moved].participant = two.calls[HERE].people[0].participant;
    two.calls[THERE].people[moved].lives = 7;
    two.calls[THERE].publish_audio(moved, AudioConfig::default());
    two.calls[THERE].publish_video(moved, VideoConfig::default());
    let next = two.calls[THERE].people[moved].publisher;
    two.calls[THERE].peers[next].up.loss = 1.0;
    producers.iter().for_each(|producer| two.carry_from(THERE, *producer));
    let crossed = two.crossing(seconds(1));
    assert!(crossed <= before + before / 10, "{before} packets crossed in a second, then {crossed}");

    two.calls[THERE].peers[next].up.loss = 0.0;
    two.run(seconds(4));
    let old = two.calls[HERE].people[0].publisher;
    two.calls[HERE].end(old);
    assert_eq!(two.crossing(seconds(2)), 0, "what comes from there does not go back");
    for (at, person, consumptions) in [(HERE, viewer, here), (THERE, 0, there)] {
        for (consumption, longest) in consumptions.into_iter().zip([ms(60), ms(200)]) {
            let report = two.calls[at].report(person, consumption);
            assert!(report.faults <= 1 && report.longest_freeze <= longest, "{report:?}");
            assert_eq!((report.lost, report.changes), (0, 1), "{report:?}");
            let (_, newest) = report.seen.expect("media came");
            assert!(newest + ms(100) > two.calls[at].now(), "{report:?}");
        }
    }
}
