//! A busy worker lets the packets of a frame leave together.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use loadtest::client::VideoConfig;
use sim::call::Call;

use crate::{clean, ms, seconds};

/// Messages that went to the viewer in ten seconds of a paced camera, and the longest way of a packet.
fn watch(load_permille: u32) -> (u32, Duration) {
    let camera = VideoConfig { packets: 6, keyframe_packets: 6, spacing: ms(1), ..VideoConfig::default() };
    let mut call = Call::new(1);
    call.join(clean(), clean());
    call.join(clean(), clean());
    call.publish_video(0, camera);
    call.connect();
    call.watch_all();
    call.run(seconds(5));
    call.worker.set_load(load_permille);
    let messages = Rc::new(Cell::new(0));
    let counted = messages.clone();
    call.poll_transmit = Box::new(move |worker, now, batch| {
        worker.poll_transmit(now, batch);
        let video = batch.messages().iter().filter(|message| message.segment_bytes > 500).count();
        counted.set(counted.get() + video as u32);
    });
    call.run(seconds(10));
    let report = call.report(1, call.people[1].consumptions[0]);
    assert_eq!((report.first_fault, report.lost), (None, 0));
    (messages.get(), report.latencies.quantile(1.0).expect("packets came"))
}

#[test]
fn packets_of_a_frame_share_a_message_under_load_and_wait_a_millisecond_at_most() {
    let (alone, calm) = watch(400);
    let (together, busy) = watch(600);
    assert!(alone > 1_150, "{alone}: each of 1,200 packets leaves as it comes");
    assert!(together * 2 <= alone + 50, "{together} of {alone}");
    assert!(busy <= calm + ms(1), "{busy:?} and {calm:?}");
}
