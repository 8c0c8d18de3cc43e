//! Paths that are TCP connections: they fill up and close, which datagrams never do.

use std::net::SocketAddr;

use loadtest::client::VideoConfig;
use sfu::transmit::SocketIndex;
use sim::call::{Call, Fate, Way};

use crate::{clean, face, ms, seconds, stage};

/// With one address, the index after its UDP socket's.
const TCP: SocketIndex = 1;

fn address(call: &Call, person: usize) -> SocketAddr {
    call.peers[call.people[person].receiver].address
}

/// The one viewer comes by TCP from now on.
fn connect_viewer(call: &mut Call) {
    let viewer = SocketAddr::from(([10, 9, 9, 9], 7000));
    call.move_peer(call.people[1].receiver, viewer);
    call.handle_datagram = Box::new(move |worker, now, from, bytes| {
        let socket = if from == viewer { TCP } else { 0 };
        worker.handle_datagram(now, socket, from, bytes);
    });
    call.run(seconds(4));
    assert!(call.worker.is_valid_pair(TCP, viewer));
}

#[test]
fn what_a_full_connection_does_not_take_waits_and_follows_without_a_gap() {
    let mut call = stage(1);
    call.run(seconds(1));
    connect_viewer(&mut call);
    let (viewer, (audio, video)) = (address(&call, 1), face(&call, 1));
    call.worker.set_writable(TCP, viewer, false);
    call.run(ms(50));
    let reports = |call: &Call| [audio, video].map(|consumption| call.report(1, consumption).clone());
    let (before, nacks) = (reports(&call), call.worker.stats().nacks_in);
    call.run(ms(200));
    for (report, before) in reports(&call).iter().zip(&before) {
        assert_eq!(report.packets, before.packets, "nothing is sent");
    }
    call.worker.set_writable(TCP, viewer, true);
    call.run(seconds(2));
    for (report, before) in reports(&call).iter().zip(&before) {
        assert!(report.packets > before.packets + 60, "{report:?}");
        assert_eq!((report.lost, report.reordered, report.first_fault), (before.lost, before.reordered, None));
    }
    assert_eq!(call.worker.stats().nacks_in, nacks);
}

#[test]
fn a_full_connection_in_the_midst_of_a_probe_wakes_nobody() {
    let mut call = Call::new(1);
    call.join(clean(), clean());
    call.join(clean(), clean());
    let sizes = [1, 4, 12].map(|packets| VideoConfig { packets, ..VideoConfig::default() });
    call.publish_simulcast(0, &sizes);
    call.connect();
    call.watch_all();
    while call.worker.stats().probes_out == 0 {
        call.run(ms(1));
    }
    call.worker.set_writable(0, address(&call, 1), false);
    let mut woken = 0;
    for _ in 0..1_000 {
        let due = |call: &Call| call.worker.poll_timeout().is_some_and(|at| at <= call.now() + ms(1));
        woken += u32::from(due(&call));
        call.run(ms(1));
    }
    assert!(woken < 200, "{woken} times in a second");
}

#[test]
fn a_full_connection_holds_up_nobody_else() {
    let mut call = stage(2);
    call.run(seconds(2));
    call.worker.set_writable(0, address(&call, 1), false);
    call.run(seconds(5));
    for consumption in <[_; 2]>::from(face(&call, 2)) {
        let report = call.report(2, consumption);
        assert!(report.longest_freeze < ms(200), "{report:?}");
        assert_eq!((report.lost, report.first_fault), (0, None));
    }
}

#[test]
fn after_a_long_stop_the_picture_begins_again_at_a_keyframe() {
    let mut call = stage(1);
    call.run(seconds(2));
    call.worker.set_writable(0, address(&call, 1), false);
    call.run(seconds(5));
    call.worker.set_writable(0, address(&call, 1), true);
    call.run(seconds(2));
    let (_, video) = face(&call, 1);
    let report = call.report(1, video);
    let (_, newest) = report.seen.expect("media came");
    assert!(newest + ms(100) > call.now(), "{report:?}");
    assert_eq!(report.first_fault, None);
}

#[test]
fn a_transport_whose_connection_closed_waits_for_another_and_goes_on_there() {
    let mut call = stage(1);
    call.run(seconds(1));
    connect_viewer(&mut call);
    let (viewer, (audio, video)) = (address(&call, 1), face(&call, 1));
    // Nothing tells the client but silence; its checks come from a new connection.
    let receiver = call.people[1].receiver;
    call.meddler = Some(Box::new(move |peer, way, _| match way {
        Way::Up if peer == receiver => Fate::Lose,
        _ => Fate::Pass,
    }));
    call.worker.handle_close(TCP, viewer);
    call.worker.handle_close(0, SocketAddr::from(([10, 1, 0, receiver as u8], 5000)));
    call.run(ms(100));
    let packets = [audio, video].map(|consumption| call.report(1, consumption).packets);
    call.run(seconds(2));
    assert_eq!([audio, video].map(|consumption| call.report(1, consumption).packets), packets, "nowhere to send to");
    call.meddler = None;
    call.run(seconds(12));
    assert_eq!(call.worker.stats().transports, 4);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        let (_, newest) = report.seen.expect("media came");
        assert!(newest + ms(100) > call.now(), "{report:?}");
        assert_eq!(report.first_fault, None);
    }
}
