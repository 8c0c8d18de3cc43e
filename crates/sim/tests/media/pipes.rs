//! Two workers with a pipe between them: people of one room who are on different nodes.

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::ProducerId;
use sfu::Event;
use sim::call::{Consumption, ROUTER, SERVER};
use sim::network::Link;
use sim::two_workers::{Between, HERE, THERE, TwoWorkers};

use crate::{checks, clean, ms, seconds};

/// Two nodes with this way between them.
fn stage(link: Link, viewers: usize) -> (TwoWorkers, [Consumption; 2]) {
    TwoWorkers::stage(Between::Network(link), viewers)
}

#[test]
fn who_is_on_another_node_is_heard_and_seen_in_time_and_whole() {
    let (mut two, [audio, video]) = stage(Link::clean(ms(20)), 1);
    two.run(seconds(10));
    for consumption in [audio, video] {
        let report = two.calls[THERE].report(0, consumption);
        assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded), "{report:?}");
        assert!(report.frames > 195, "{report:?}");
    }
    let offset = |consumption| two.calls[THERE].report(0, consumption).capture_offset_us.expect("sender reports came");
    assert!((offset(audio) - offset(video)).abs() < 10_000, "sound and picture stay together");
    let level = two.calls[THERE].report(0, audio).level;
    assert!(level.is_some(), "and is shown as speaking");
}

#[test]
fn a_stream_crosses_once_however_many_watch_it_and_not_at_all_when_nobody_does() {
    let (mut one, _) = stage(Link::clean(ms(5)), 1);
    let (mut five, _) = stage(Link::clean(ms(5)), 5);
    let (one, crossing) = (one.crossing(seconds(3)), five.crossing(seconds(3)));
    assert!(one > 300 && crossing.abs_diff(one) < one / 50, "{one}, and {crossing} for five");
    for consumption in five.calls[THERE].people.iter().flat_map(|(_, p)| p.consumptions.clone()).collect::<Vec<_>>() {
        five.calls[THERE].worker.pause_consumer(consumption.consumer).expect("it is there");
    }
    // What might be wanted again in a moment goes on for one.
    five.run(seconds(6));
    assert_eq!(five.crossing(seconds(3)), 0);
}

#[test]
fn only_the_layers_that_somebody_there_wants_cross() {
    let sizes = [1, 3, 6].map(|packets| VideoConfig { packets, keyframe_packets: packets, ..VideoConfig::default() });
    let mut two = TwoWorkers::new(1, Between::Network(Link::clean(ms(5))));
    two.calls[HERE].join(clean(), clean());
    two.calls[THERE].join(clean(), clean());
    let producer = two.calls[HERE].publish_simulcast(0, &sizes);
    two.connect();
    two.carry(producer);
    two.run(seconds(1));
    assert_eq!(two.crossed, 0, "nobody watches yet");
    let viewer = two.calls[THERE].watch(0, producer);
    two.run(seconds(2));
    let all = two.crossing(seconds(2));
    let now = two.calls[THERE].now();
    two.calls[THERE].worker.set_preferred_layer(now, viewer.consumer, 0).expect("it is there");
    two.run(seconds(6));
    let lowest = two.crossing(seconds(2));
    assert!(all > 8 * lowest && lowest > 30, "{all} of ten packets a frame, {lowest} of one");
    two.calls[THERE].worker.set_preferred_layer(two.calls[THERE].now(), viewer.consumer, 2).expect("it is there");
    two.run(seconds(2));
    let report = two.calls[THERE].report(0, viewer);
    assert_eq!((report.first_fault, report.frames), (None, report.decoded), "{report:?}");
    let layer = two.calls[THERE].events.iter().rev().find_map(|(_, event)| match event {
        Event::ConsumerLayer { layer, .. } => Some(*layer),
        _ => None,
    });
    assert_eq!(layer, Some(2));
}

#[test]
fn what_the_way_between_nodes_loses_is_repaired_on_it() {
    let (mut two, [audio, video]) = stage(Link { loss: 0.05, ..Link::clean(ms(50)) }, 1);
    two.run(seconds(20));
    let report = two.calls[THERE].report(0, audio);
    // Of some 50 that were lost; where the repair is lost as well, it comes too late for sound.
    assert!(report.first_fault.is_none() && report.lost < 6, "{report:?}");
    assert!(report.reordered > 30, "{report:?}");
    let report = two.calls[THERE].report(0, video);
    assert_eq!((report.first_fault, report.lost), (None, 0), "{report:?}");
    assert!(report.decoded > 390 && report.longest_freeze < ms(500), "{report:?}");
    assert!(report.keyframes < 8, "by packets and not by keyframes: {report:?}");
    let asked = two.calls[THERE].worker.stats().nacks_out;
    let repaired = two.calls[HERE].worker.stats().retransmitted;
    assert!(asked > 50 && repaired > 50, "{asked} asked, {repaired} sent again");
    let requests = two.calls[HERE].worker.stats().keyframe_requests_in;
    assert!(requests < 8, "and none asks for a keyframe of sound: {requests}");
}

#[test]
fn who_comes_later_begins_with_a_keyframe_of_the_publisher() {
    let (mut two, _) = stage(Link::clean(ms(20)), 1);
    two.run(seconds(5));
    let late = two.calls[THERE].join(clean(), clean());
    two.calls[THERE].connect();
    let behind = two.calls[THERE].now() - two.calls[HERE].now();
    two.calls[HERE].run(behind);
    let producer = two.calls[HERE].people[0].producers[1];
    let asked = two.calls[THERE].now();
    let video = two.calls[THERE].watch(late, producer);
    two.run(seconds(2));
    let report = two.calls[THERE].report(late, video);
    let (first, _) = report.seen.expect("it is seen");
    assert!(first - asked < ms(700), "after {:?}", first - asked);
    assert_eq!(report.first_fault, None);
}

#[test]
fn who_comes_over_to_the_node_of_the_viewers_goes_on_for_them_without_a_fault() {
    let (mut two, consumptions) = stage(Link::clean(ms(20)), 1);
    two.run(seconds(3));
    // The same person publishes there now, and then here again.
    let participant = two.calls[HERE].people[0].participant;
    let moved = two.calls[THERE].join(clean(), clean());
    two.calls[THERE].people[moved].participant = participant;
    two.calls[THERE].people[moved].lives = 7;
    two.calls[THERE].connect();
    let behind = two.calls[THERE].now() - two.calls[HERE].now();
    two.calls[HERE].run(behind);
    two.calls[THERE].publish_audio(moved, AudioConfig::default());
    let producer = two.calls[THERE].publish_video(moved, VideoConfig::default());
    let both = [ProducerId { source: protocol::Source::Mic, ..producer }, producer];
    for producer in both {
        two.calls[HERE].worker.pipe_unconsume(two.pipe, ROUTER, producer).expect("it was carried");
    }
    two.run(seconds(3));
    let frames = |two: &TwoWorkers| consumptions.map(|c| two.calls[THERE].report(0, c).frames);
    let there = frames(&two);
    assert_eq!(two.crossing(seconds(1)), 0, "nothing crosses any more");
    both.into_iter().for_each(|producer| two.carry(producer));
    two.run(seconds(3));
    for (consumption, before) in consumptions.into_iter().zip(there) {
        let report = two.calls[THERE].report(0, consumption);
        assert_eq!((report.first_fault, report.lost), (None, 0), "{report:?}");
        assert!(report.frames > before + 50, "{report:?}");
        assert!(report.longest_freeze < ms(400), "{report:?}");
    }
}

#[test]
fn a_pipe_that_is_opened_anew_takes_the_place_of_the_one_there_was() {
    let (mut two, consumptions) = stage(Link::clean(ms(5)), 1);
    two.run(seconds(2));
    two.open(0xb000);
    for producer in two.calls[HERE].people[0].producers.clone() {
        two.carry(producer);
    }
    two.run(seconds(2));
    for consumption in consumptions {
        let report = two.calls[THERE].report(0, consumption);
        // The newest packet of sound comes a second time.
        assert!(report.faults <= 1 && report.longest_freeze < ms(400), "{report:?}");
        assert!(report.frames > 70, "{report:?}");
    }
    let stats = two.calls.each_ref().map(|call| call.worker.stats());
    assert_eq!(stats.map(|stats| stats.srtp_failed), [0, 0]);
    for call in &mut two.calls {
        call.worker.close_router(ROUTER);
        let stats = call.worker.stats();
        assert_eq!((stats.transports, stats.producers, stats.consumers), (1, 0, 0), "the pipe is all that is left");
    }
}

#[test]
fn who_forges_the_address_of_a_worker_gets_nothing_of_its_pipe() {
    let (mut two, [_, video]) = stage(Link::clean(ms(5)), 1);
    let checks = checks(&mut two);
    for check in checks {
        two.calls[THERE].inject(SERVER.into(), &check);
    }
    let before = two.calls[THERE].report(0, video).frames;
    two.run(seconds(2));
    assert!(two.calls[THERE].report(0, video).frames > before + 35);
}

#[test]
fn a_pipe_carries_as_many_streams_one_after_the_other_as_there_will_ever_be() {
    let (mut two, [audio, _]) = stage(Link::clean(ms(1)), 1);
    let producer = two.calls[HERE].people[0].producers[0];
    // Each time under another SSRC.
    for _ in 0..1_100 {
        two.calls[HERE].worker.pipe_unconsume(two.pipe, ROUTER, producer).expect("it was carried");
        two.carry(producer);
        two.run(ms(4));
    }
    let before = two.calls[THERE].report(0, audio).frames;
    two.run(seconds(3));
    let report = two.calls[THERE].report(0, audio);
    assert!(report.frames > before + 140, "{report:?}");
    assert!(report.capture_offset_us.is_some());
}
