use std::collections::HashSet;

use sim::call::{Call, Fate, Way};

use crate::{face, rtp, seconds, stage};

/// Loses every 20th packet of video media that goes one way, once.
fn lose_video(call: &mut Call, lossy: Way, peer: usize, payload_type: u8) {
    let mut seen = HashSet::new();
    call.meddler = Some(Box::new(move |at, way, bytes| match rtp(bytes) {
        Some((kind, sequence)) if (at, way, kind) == (peer, lossy, payload_type) && seen.insert(sequence) => {
            if seen.len() % 20 == 19 { Fate::Lose } else { Fate::Pass }
        }
        _ => Fate::Pass,
    }));
}

#[test]
fn a_packet_lost_on_the_way_in_comes_back_from_the_publisher() {
    let mut call = stage(1);
    let publisher = call.people[0].publisher;
    lose_video(&mut call, Way::Up, publisher, 96);
    call.run(seconds(4));
    call.fall_silent();
    let report = call.report(1, face(&call, 1).1);
    let stats = call.worker.stats();
    assert!(stats.rtp_recovered >= 10, "{stats:?}");
    assert_eq!((report.lost, report.frames, report.first_fault), (0, report.decoded, None));
    assert_eq!(stats.keyframe_requests_in, 0, "nobody had to ask for a keyframe");
}

#[test]
fn a_packet_lost_on_the_way_out_comes_back_from_the_server() {
    let mut call = stage(1);
    let receiver = call.people[1].receiver;
    lose_video(&mut call, Way::Down, receiver, 101);
    call.run(seconds(4));
    call.fall_silent();
    let report = call.report(1, face(&call, 1).1);
    let stats = call.worker.stats();
    assert!(stats.retransmitted >= 10 && stats.nacks_out == 0, "{stats:?}");
    assert_eq!((report.lost, report.frames, report.first_fault), (0, report.decoded, None));
    assert_eq!(stats.keyframe_requests_in, 0, "nobody had to ask for a keyframe");
}
