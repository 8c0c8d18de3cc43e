use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use sim::call::{Call, Fate, Way};

use crate::{face, ms, seconds, stage};

#[test]
fn a_stun_check_from_a_new_address_takes_the_media_there() {
    let mut call = stage(1);
    call.run(seconds(2));
    let receiver = call.people[1].receiver;
    let moved = SocketAddr::from(([10, 9, 9, 9], 6001));
    call.move_peer(receiver, moved);
    call.run(seconds(12));
    let (audio, video) = face(&call, 1);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        let (_, newest) = report.seen.expect("media came");
        assert!(newest + ms(100) > call.now(), "{report:?}");
        assert_eq!(report.first_fault, None);
    }
}

#[test]
fn a_publisher_whose_address_changes_is_heard_again_after_its_next_check() {
    let mut call = stage(1);
    call.run(seconds(2));
    let publisher = call.people[0].publisher;
    call.move_peer(publisher, SocketAddr::from(([10, 9, 9, 9], 6001)));
    call.run(seconds(12));
    assert!(call.worker.stats().unknown_dropped > 0, "until then nothing is believed");
    let (audio, video) = face(&call, 1);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        let (_, newest) = report.seen.expect("media came");
        assert!(newest + ms(100) > call.now(), "{report:?}");
        assert_eq!(report.first_fault, None);
    }
}

#[test]
fn what_another_path_carries_is_estimated_anew_from_what_arrived_on_the_old_one() {
    let mut call = stage(1);
    let receiver = call.people[1].receiver;
    let checks = Rc::new(RefCell::new(Vec::new()));
    let heard = checks.clone();
    call.meddler = Some(Box::new(move |at, way, bytes| {
        if (at, way) == (receiver, Way::Up) && bytes[0] < 2 {
            heard.replace(bytes.to_vec());
        }
        Fate::Pass
    }));
    call.run(seconds(10));
    let estimate = |call: &Call| {
        let stats = call.worker.transport_stats(call.now(), call.peers[receiver].transport).expect("it is there");
        stats.available_outgoing_bitrate.expect("video is received")
    };
    let before = estimate(&call);
    call.inject(SocketAddr::from(([10, 9, 9, 9], 6001)), &checks.borrow());
    let after = estimate(&call);
    // 20 frames a second of 3 x 1,000 bytes.
    assert!(before > 900_000 && (400_000..600_000).contains(&after), "{before} before, {after} after");
}
