//! Simulcast: one picture in three sizes, of which each viewer gets one.

use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::ConsumerId;
use sfu::Event;
use sim::call::{Call, Consumption, ROUTER};
use sim::network::Link;

use crate::{clean, ms, seconds};

/// Three sizes of a picture, the smallest first.
fn sizes() -> [VideoConfig; 3] {
    [1, 3, 6].map(|packets| VideoConfig { packets, keyframe_packets: 3 * packets, ..VideoConfig::default() })
}

/// A publisher of three sizes, and viewers over `down`.
fn call_with_viewers(seed: u64, down: &[Link]) -> (Call, Vec<Consumption>) {
    let mut call = Call::new(seed);
    call.join(clean(), clean());
    for &down in down {
        call.join(clean(), down);
    }
    let producer = call.publish_simulcast(0, &sizes());
    call.connect();
    // What was captured before the connection was there came all at once; nothing is known of its times.
    call.run(seconds(1));
    let consumptions = (1..=down.len()).map(|viewer| call.watch(viewer, producer)).collect();
    (call, consumptions)
}

/// What a consumer was said to get, and when.
fn layers(call: &Call, id: ConsumerId) -> Vec<(Duration, u8)> {
    let layer = |(at, event): &(Duration, Event)| match *event {
        Event::ConsumerLayer { consumer, layer, .. } if consumer == id => Some((*at, layer)),
        _ => None,
    };
    call.events.iter().filter_map(layer).collect()
}

fn prefer(call: &mut Call, viewer: Consumption, layer: u8) {
    let now = call.now();
    call.worker.set_preferred_layer(now, viewer.consumer, layer).expect("it is there");
}

#[test]
fn what_is_told_again_comes_in_portions_and_skips_nobody() {
    let mut call = Call::new(1);
    call.join(clean(), clean());
    call.join(clean(), clean());
    let producer = call.publish_simulcast(0, &sizes());
    let consumptions: Vec<_> = (0..150).map(|_| call.watch(1, producer)).collect();
    call.run(ms(1));
    call.events.clear();
    let told = |call: &Call| consumptions.iter().filter(|one| !layers(call, one.consumer).is_empty()).count();
    let transport = call.peers[call.people[1].receiver].transport;
    call.worker.tell_layers(transport);
    call.run(ms(1));
    assert_eq!(told(&call), 64);
    // It goes on behind those that were told of, whoever of them is gone.
    for closed in &consumptions[..10] {
        call.worker.close_consumer(closed.consumer).expect("it is there");
    }
    call.run(seconds(1));
    assert_eq!(told(&call), 150);
}

#[test]
fn a_viewer_gets_what_it_wants_and_no_switch_freezes_the_picture() {
    let (mut call, viewers) = call_with_viewers(1, &[clean()]);
    let viewer = viewers[0];
    call.run(seconds(2));
    assert_eq!(layers(&call, viewer.consumer).last().map(|layer| layer.1), Some(2));
    for layer in [0, 1, 0, 2, 1] {
        prefer(&mut call, viewer, layer);
        let asked = call.elapsed();
        call.run(seconds(2));
        let (at, got) = *layers(&call, viewer.consumer).last().expect("told");
        assert_eq!(got, layer);
        assert!(at - asked < ms(600), "after {:?}", at - asked);
    }
    let report = call.report(1, viewer);
    assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded));
    assert!(report.longest_freeze < ms(200), "{:?}", report.longest_freeze);
    assert!(report.changes >= 5);
    assert_eq!(report.keyframe_requests, 0, "the server asks for the keyframes");
}

#[test]
fn a_late_viewer_has_a_picture_at_the_first_keyframe() {
    let (mut call, _) = call_with_viewers(1, &[clean(), clean()]);
    call.run(seconds(3));
    let producer = call.people[0].producers[0];
    let joined = call.now();
    let late = call.watch(2, producer);
    call.run(seconds(1));
    let report = call.report(2, late);
    let (first, _) = report.seen.expect("a picture");
    assert!(first - joined < ms(250), "{:?}", first - joined);
    assert_eq!(report.first_fault, None);
}

#[test]
fn a_top_layer_that_vanishes_falls_back_and_comes_again() {
    let (mut call, viewers) = call_with_viewers(1, &[clean()]);
    call.run(seconds(3));
    let publisher = call.people[0].publisher;
    call.peers[publisher].client.set_sending(2, false);
    call.run(seconds(2));
    assert_eq!(layers(&call, viewers[0].consumer).last().map(|layer| layer.1), Some(1));
    let frames = call.report(1, viewers[0]).decoded;
    call.peers[publisher].client.set_sending(2, true);
    call.run(seconds(2));
    assert_eq!(layers(&call, viewers[0].consumer).last().map(|layer| layer.1), Some(2));
    let report = call.report(1, viewers[0]);
    assert!(report.decoded > frames + 30);
    assert_eq!(report.first_fault, None);
    assert!(report.longest_freeze < seconds(1), "{:?}", report.longest_freeze);
}

#[test]
fn a_layer_that_nobody_wants_any_more_is_let_go_after_a_while_and_called_for_at_once() {
    let (mut call, viewers) = call_with_viewers(1, &[clean(), clean()]);
    call.run(seconds(1));
    prefer(&mut call, viewers[0], 0);
    call.run(seconds(6));
    let told = |call: &Call| -> Vec<(Duration, u8)> {
        let layer = |(at, event): &(Duration, Event)| match *event {
            Event::ProducerLayer { layer, .. } => Some((*at, layer)),
            _ => None,
        };
        call.events.iter().filter_map(layer).collect()
    };
    assert_eq!(told(&call), [], "the other viewer wants it");
    let left = call.elapsed();
    prefer(&mut call, viewers[1], 1);
    call.run(seconds(6));
    let (at, layer) = told(&call)[0];
    assert_eq!(layer, 1);
    assert!((seconds(5)..ms(5500)).contains(&(at - left)), "{:?}", at - left);

    let asked = call.elapsed();
    prefer(&mut call, viewers[0], 2);
    call.run(ms(300));
    let (at, layer) = told(&call)[1];
    assert_eq!(layer, 2);
    assert!(at - asked < ms(300));
}

#[test]
fn switches_under_loss_break_no_decoder_unseen() {
    for seed in 0..10 {
        let bad = Link { loss: 0.1, ..clean() };
        let (mut call, viewers) = call_with_viewers(seed, &[bad, clean()]);
        call.run(seconds(1));
        for layer in [0, 2, 1, 2, 0, 1, 2] {
            prefer(&mut call, viewers[0], layer);
            call.run(ms(700));
        }
        call.run(seconds(1));
        for (person, &viewer) in viewers.iter().enumerate() {
            let report = call.report(person + 1, viewer);
            assert_eq!(report.first_fault, None, "seed {seed}, viewer {person}: {report:?}");
        }
        let report = call.report(1, viewers[0]);
        assert!(report.decoded * 100 >= report.frames * 80, "seed {seed}: {report:?}");
    }
}

#[test]
fn a_hidden_tile_that_is_shown_small_asks_for_no_keyframe_of_a_layer_that_is_switched_off() {
    let (mut call, viewers) = call_with_viewers(1, &[clean()]);
    call.run(seconds(2));
    call.worker.pause_consumer(viewers[0].consumer).expect("it is there");
    call.run(seconds(6));
    // Nobody wants them, so the publisher stops them.
    let publisher = call.people[0].publisher;
    for layer in [1, 2] {
        call.peers[publisher].client.set_sending(layer, false);
    }
    call.run(seconds(1));
    prefer(&mut call, viewers[0], 0);
    call.resume(viewers[0]);
    call.run(seconds(1));
    assert_eq!(layers(&call, viewers[0].consumer).last().map(|layer| layer.1), Some(0));
    let (before, decoded) = (call.worker.stats(), call.report(1, viewers[0]).decoded);
    call.run(seconds(5));
    assert_eq!(call.worker.stats().keyframe_requests_out, before.keyframe_requests_out);
    assert!(call.report(1, viewers[0]).decoded >= decoded + 95, "and it is seen");
}

#[test]
fn microphones_that_are_muted_take_no_part_of_a_path() {
    const TALKERS: usize = 40;
    let mut call = Call::new(1);
    call.join(clean(), clean());
    let wide_enough = Link { bits_per_second: Some(2_500_000), queue: ms(200), ..clean() };
    call.join(clean(), wide_enough);
    let camera = call.publish_simulcast(0, &crate::congestion::sizes());
    let talkers: Vec<usize> = (0..TALKERS).map(|_| call.join(clean(), clean())).collect();
    let microphones: Vec<_> =
        talkers.iter().map(|&person| call.publish_audio(person, AudioConfig::default())).collect();
    call.connect();
    for &microphone in &microphones {
        call.watch(1, microphone);
    }
    let viewer = call.watch(1, camera);
    call.run(seconds(5));
    for &microphone in &microphones {
        call.worker.pause_producer(ROUTER, microphone).expect("it is there");
    }
    call.run(seconds(15));
    assert_eq!(layers(&call, viewer.consumer).last().map(|layer| layer.1), Some(2));
}
