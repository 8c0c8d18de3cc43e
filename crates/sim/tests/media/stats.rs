//! What the server says of how everybody is doing.

use std::num::NonZeroU8;

use loadtest::client::AudioConfig;
use protocol::stats::{ConsumerStats, TransportStats};
use sfu::Event;
use sfu::worker::Survey;
use sim::call::{Call, Consumption};
use sim::network::Link;

use crate::congestion::{layer, sizes};
use crate::{clean, face, ms, seconds, stage};

fn stats(call: &Call, peer: usize) -> TransportStats {
    call.worker.transport_stats(call.now(), call.peers[peer].transport).expect("the transport is there")
}

fn of(stats: &TransportStats, consumption: Consumption) -> &ConsumerStats {
    stats.consumers.iter().find(|stats| stats.consumer_id == consumption.consumer).expect("the consumer is there")
}

fn scores(call: &Call, consumption: Consumption) -> Vec<(u8, u8)> {
    let told = call.events.iter().filter_map(|(_, event)| match *event {
        Event::ConsumerScore { consumer, score, producer_score, .. } if consumer == consumption.consumer => {
            Some((score, producer_score))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn a_clean_network_has_the_best_score_and_true_figures() {
    let mut call = stage(1);
    call.run(seconds(10));
    let (audio, video) = face(&call, 1);
    let receiving = stats(&call, call.people[1].receiver);
    let publishing = stats(&call, call.people[0].publisher);
    assert!(receiving.connected && publishing.connected);
    let rtt = receiving.round_trip_time.expect("reports came");
    assert!((39.0..60.0).contains(&rtt), "{rtt} ms");
    assert!(receiving.available_outgoing_bitrate.is_some_and(|bps| bps > 300_000));
    for consumption in [audio, video] {
        let consumer = of(&receiving, consumption);
        let report = call.report(1, consumption);
        assert_eq!((consumer.score, consumer.producer_score, consumer.packets_lost), (10, 10, 0));
        // What is on its way for 20 ms has left and not arrived.
        assert!((0..10).contains(&(consumer.packets_sent as i64 - report.packets as i64)), "{consumer:?} {report:?}");
    }
    // 20 frames of 3 x 1,000 bytes and their headers.
    assert!((450_000..550_000).contains(&of(&receiving, video).bitrate), "{:?}", of(&receiving, video));
    let [microphone, camera] = &publishing.producers[..] else { panic!("two producers") };
    for producer in [microphone, camera] {
        let [stream] = &producer.streams[..] else { panic!("one stream") };
        assert_eq!((producer.score, stream.score, stream.packets_lost), (10, 10, 0));
    }
    assert!((450_000..550_000).contains(&camera.streams[0].bitrate), "{camera:?}");
    assert_eq!(scores(&call, video), [], "nothing changed");
}

#[test]
fn the_round_trip_of_who_only_publishes_is_known_from_the_handshake() {
    let call = stage(1);
    let rtt = stats(&call, call.people[0].publisher).round_trip_time.expect("the handshake is through");
    assert!((39.0..60.0).contains(&rtt), "{rtt} ms");
}

#[test]
fn loss_on_the_way_to_a_receiver_lowers_the_score_of_what_it_receives_alone() {
    let mut call = stage(2);
    let receiver = call.people[1].receiver;
    call.peers[receiver].down = Link { loss: 0.2, ..clean() };
    call.run(seconds(20));
    let (audio, video) = face(&call, 1);
    let bad = stats(&call, receiver);
    let sound = of(&bad, audio);
    assert!(sound.score < 8 && sound.producer_score == 10, "{sound:?}");
    assert!(sound.packets_lost > 100, "{sound:?}");
    let picture = of(&bad, video);
    assert!(picture.nack_count > 0 && picture.packets_retransmitted > 0, "{picture:?}");
    assert!(picture.score > sound.score, "what is sent again is not lost: {picture:?}");
    assert_eq!(scores(&call, audio).last(), Some(&(sound.score, 10)), "and its client is told");
    let good = stats(&call, call.people[2].receiver);
    assert!(good.consumers.iter().all(|consumer| consumer.score == 10));

    call.peers[receiver].down = clean();
    call.run(seconds(45));
    assert_eq!(of(&stats(&call, receiver), audio).score, 10, "it is forgotten");
}

#[test]
fn loss_on_the_way_from_a_publisher_lowers_the_score_of_its_producer_for_all() {
    let mut call = stage(2);
    let publisher = call.people[0].publisher;
    call.peers[publisher].up = Link { loss: 0.2, ..clean() };
    call.run(seconds(20));
    let sent = stats(&call, publisher);
    assert!(sent.producers[0].score < 8, "{sent:?}");
    assert!(sent.producers[1].streams[0].nack_count > 0, "{sent:?}");
    assert!(sent.producers[1].streams[0].packets_repaired > 0, "{sent:?}");
    for person in [1, 2] {
        let (audio, _) = face(&call, person);
        let (score, producer_score) = *scores(&call, audio).last().expect("it was told");
        assert_eq!(score, 10, "the way to the receiver is not to blame");
        assert!(producer_score < 8);
    }
}

#[test]
fn a_camera_that_falls_silent_has_the_score_0_and_a_muted_one_is_not_to_blame() {
    let mut call = stage(1);
    call.run(seconds(3));
    let (_, video) = face(&call, 1);
    let publisher = call.people[0].publisher;
    call.peers[publisher].up = Link { loss: 1.0, ..clean() };
    call.run(seconds(5));
    assert_eq!(scores(&call, video).last(), Some(&(10, 0)));
    call.worker.pause_producer(sim::call::ROUTER, video.producer).expect("it is there");
    call.run(seconds(2));
    assert_eq!(scores(&call, video).last(), Some(&(10, 10)));
}

#[test]
fn a_survey_counts_everybody_once() {
    let mut call = stage(5);
    call.run(seconds(5));
    let mut survey = Survey::default();
    let mut place = Some(0);
    while let Some(from) = place {
        place = call.worker.survey(call.now(), from, &mut survey);
    }
    assert_eq!(survey.consumers.map(|kind| kind[10]), [5, 5]);
    assert_eq!(survey.streams.map(|kind| kind[10]), [1, 1]);
    assert_eq!(survey.round_trips.iter().sum::<usize>(), 12, "who only publishes is known by the handshake");
    assert_eq!(survey.estimates.iter().sum::<usize>(), 5);
    assert_eq!(survey.round_trips[2], 12, "40 ms are between 25 and 50: {survey:?}");
}

#[test]
fn who_has_priority_gets_the_larger_picture_of_what_the_path_carries() {
    let mut call = Call::new(4);
    call.join(clean(), clean());
    call.join(clean(), clean());
    // The top layer and a low one, but not two of the middle ones and something.
    call.join(clean(), Link { bits_per_second: Some(1_800_000), queue: ms(200), ..clean() });
    let cameras = [0, 1].map(|person| call.publish_simulcast(person, &sizes()));
    call.publish_audio(0, AudioConfig::default());
    call.connect();
    call.run(seconds(1));
    let [first, second] = cameras.map(|camera| call.watch(2, camera));
    for (preferred, other) in [(second, first), (first, second)] {
        let now = call.now();
        let priority = |n| NonZeroU8::new(n).expect("not 0");
        call.worker.set_priority(now, preferred.consumer, priority(3)).expect("it is there");
        call.worker.set_priority(now, other.consumer, priority(1)).expect("it is there");
        call.run(seconds(20));
        let layers = (layer(&call, preferred), layer(&call, other));
        assert!(layers.0 == Some(2) && layers.1 < Some(2), "{layers:?}");
    }
}
