use std::net::SocketAddr;

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
