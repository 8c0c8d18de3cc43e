use loadtest::client::{AudioConfig, VideoConfig};
use sfu::Event;

use crate::{face, ms, seconds, stage};

#[test]
fn a_publisher_who_reloads_goes_on_in_the_same_streams() {
    let mut call = stage(2);
    call.run(seconds(3));
    call.reload(0);
    // The new page takes a while.
    call.run(seconds(1));
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, VideoConfig::default());
    call.connect();
    call.run(seconds(3));
    for viewer in [1, 2] {
        let (audio, video) = face(&call, viewer);
        for consumption in [audio, video] {
            let report = call.report(viewer, consumption);
            // Sequence numbers and timestamps go on, or the checker would find faults and losses.
            assert_eq!((report.first_fault, report.lost, report.changes), (None, 0, 1), "{report:?}");
            assert_eq!(report.frames, report.decoded);
            let (_, newest) = report.seen.expect("media came");
            assert!(newest + ms(100) > call.now(), "{report:?}");
        }
    }
    let closed = |event: &Event| matches!(event, Event::ConsumerClosed { .. });
    assert!(!call.events.iter().any(|(_, event)| closed(event)), "{:?}", call.events);
}

#[test]
fn a_publisher_who_does_not_come_back_ends_its_consumers_when_closed() {
    let mut call = stage(1);
    call.run(seconds(1));
    call.reload(0);
    let producers = call.people[0].producers.clone();
    for producer in producers {
        call.worker.close_producer(sim::call::ROUTER, producer).expect("it outlived its transport");
    }
    call.run(ms(10));
    let closed = call.events.iter().filter(|(_, event)| matches!(event, Event::ConsumerClosed { .. })).count();
    assert_eq!((closed, call.worker.stats().consumers), (2, 0));
}
