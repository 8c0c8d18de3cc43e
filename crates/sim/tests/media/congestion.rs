//! A viewer whose way carries less than what is sent.

use loadtest::client::VideoConfig;
use sfu::Event;
use sim::call::{Call, Consumption};
use sim::network::Link;

use crate::{clean, ms, seconds};

/// About 150, 500 and 1,200 kbit/s.
pub(crate) fn sizes() -> [VideoConfig; 3] {
    [(1, 900), (3, 1000), (7, 1050)].map(|(packets, bytes)| VideoConfig {
        packets,
        bytes,
        keyframe_packets: 2 * packets,
        ..VideoConfig::default()
    })
}

pub(crate) fn layer(call: &Call, viewer: Consumption) -> Option<u8> {
    let mut layers = call.events.iter().filter_map(|(_, event)| match *event {
        Event::ConsumerLayer { consumer, layer, .. } if consumer == viewer.consumer => Some(layer),
        _ => None,
    });
    layers.next_back()
}

/// A publisher, and two viewers of whom the second has this way down.
fn call(seed: u64, down: Link) -> (Call, [Consumption; 2]) {
    let mut call = Call::new(seed);
    call.join(clean(), clean());
    call.join(clean(), clean());
    call.join(clean(), down);
    let producer = call.publish_simulcast(0, &sizes());
    call.connect();
    call.run(seconds(1));
    let viewers = [1, 2].map(|person| call.watch(person, producer));
    (call, viewers)
}

#[test]
fn a_narrow_way_gets_a_lower_layer_and_the_top_one_again_when_it_is_wide() {
    let wide = Link { bits_per_second: Some(2_000_000), queue: ms(200), ..clean() };
    let narrow = Link { bits_per_second: Some(300_000), ..wide };
    let (mut call, [good, bad]) = call(1, wide);
    call.run(seconds(5));
    assert_eq!((layer(&call, good), layer(&call, bad)), (Some(2), Some(2)), "2 Mbit/s carry it");

    let receiver = call.people[2].receiver;
    call.peers[receiver].down = narrow;
    call.run(seconds(5));
    assert_eq!(layer(&call, bad), Some(0));
    let before = call.report(2, bad).lost;
    call.run(seconds(10));
    let report = call.report(2, bad);
    assert_eq!(report.lost, before, "nothing is lost any more");
    assert_eq!(layer(&call, good), Some(2), "the other viewer keeps what it has");

    call.peers[receiver].down = wide;
    call.run(seconds(15));
    assert_eq!(layer(&call, bad), Some(2));
    for (person, viewer) in [(1, good), (2, bad)] {
        assert_eq!(call.report(person, viewer).first_fault, None);
    }
    assert!(call.worker.stats().probes_out > 0);
}

#[test]
fn delay_that_only_varies_costs_no_layer() {
    let (mut call, [_, bad]) = call(2, Link { jitter: ms(60), ..Link::clean(ms(100)) });
    call.run(seconds(10));
    assert_eq!(layer(&call, bad), Some(2));
    let told = call.events.len();
    call.run(seconds(30));
    let changes = call.events[told..].iter().filter(|(_, event)| matches!(event, Event::ConsumerLayer { .. })).count();
    assert_eq!(changes, 0);
}
