//! Two workers of one node with a pipe between them, over a lane: people of one room who are on different cores.

use std::net::SocketAddr;

use protocol::TransportId;
use sfu::Event;
use sfu::worker::OpenPipeError;
use sim::call::{NEIGHBOUR, ROUTER, SERVER};
use sim::two_workers::{Between, HERE, LANE, THERE, TwoWorkers};

use crate::{checks, ms, seconds};

/// A lane that is never full.
const ROOMY: Between = Between::Lane { packets_max: 400 };

/// How often workers said that the pipe is closed.
fn told_closed(two: &TwoWorkers, at: usize) -> usize {
    let closed = |event: &Event| matches!(event, Event::TransportClosed { transport } if *transport == two.pipe);
    two.calls[at].events.iter().filter(|(_, event)| closed(event)).count()
}

#[test]
fn who_is_on_another_worker_is_heard_and_seen_in_time_and_whole() {
    let (mut two, [audio, video]) = TwoWorkers::stage(ROOMY, 1);
    two.run(seconds(10));
    for consumption in [audio, video] {
        let report = two.calls[THERE].report(0, consumption);
        assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded), "{report:?}");
        assert!(report.frames > 195, "{report:?}");
    }
    let offset = |consumption| two.calls[THERE].report(0, consumption).capture_offset_us.expect("sender reports came");
    assert!((offset(audio) - offset(video)).abs() < 10_000, "sound and picture stay together");
    for call in &two.calls {
        let stats = call.worker.transport_stats(call.now(), two.pipe).expect("it is open");
        assert!(stats.packets_received > 0, "media one way, reports the other");
        assert!(stats.round_trip_time.is_none_or(|ms| ms < 5.0), "{stats:?}");
        assert_eq!(stats.protocol, None, "it has no address");
        assert_eq!(call.worker.stats().unknown_dropped, 0);
    }
}

#[test]
fn what_a_full_lane_does_not_take_is_sent_again() {
    // A frame has three packets, and sound comes in between.
    let (mut two, consumptions) = TwoWorkers::stage(Between::Lane { packets_max: 2 }, 1);
    two.run(seconds(10));
    assert!(two.refused > 100, "{} refused", two.refused);
    for consumption in consumptions {
        let report = two.calls[THERE].report(0, consumption);
        assert_eq!((report.first_fault, report.lost), (None, 0), "{report:?}");
        assert!(report.decoded > 190 && report.longest_freeze < ms(500), "{report:?}");
    }
    let asked = two.calls[THERE].worker.stats().nacks_out;
    let repaired = two.calls[HERE].worker.stats().retransmitted;
    assert!(asked > 100 && repaired > 100, "{asked} asked, {repaired} sent again");
}

#[test]
fn who_comes_later_begins_with_a_keyframe_of_the_publisher() {
    let (mut two, _) = TwoWorkers::stage(ROOMY, 2);
    two.run(seconds(3));
    let producer = two.calls[HERE].people[0].producers[1];
    let requests = two.calls[HERE].worker.stats().keyframe_requests_in;
    let asked = two.calls[THERE].now();
    let video = two.calls[THERE].watch(1, producer);
    two.run(seconds(2));
    let report = two.calls[THERE].report(1, video);
    let (first, _) = report.seen.expect("it is seen");
    assert!(first - asked < ms(700), "after {:?}", first - asked);
    assert_eq!(report.first_fault, None);
    assert!(two.calls[HERE].worker.stats().keyframe_requests_in > requests, "it crossed");
}

#[test]
fn a_lane_whose_other_end_is_gone_ends_its_pipe_and_a_new_one_goes_on_for_the_viewers() {
    let (mut two, consumptions) = TwoWorkers::stage(ROOMY, 1);
    two.run(seconds(2));
    two.calls[THERE].worker.handle_lane_close(LANE);
    two.calls[HERE].worker.handle_lane_close(LANE);
    two.run(ms(500));
    assert_eq!([HERE, THERE].map(|at| told_closed(&two, at)), [1, 1]);
    let stats = two.calls[HERE].worker.stats();
    assert_eq!((stats.transports, stats.consumers), (2, 0), "what it carried ends with it");
    assert_eq!(two.crossing(seconds(1)), 0);
    let frames = consumptions.map(|consumption| two.calls[THERE].report(0, consumption).frames);
    two.open(0xb000);
    two.calls[HERE].people[0].producers.clone().into_iter().for_each(|producer| two.carry(producer));
    two.run(seconds(3));
    for (consumption, before) in consumptions.into_iter().zip(frames) {
        let report = two.calls[THERE].report(0, consumption);
        // Sound goes on in the middle of a frame's time.
        assert!(report.faults <= 1 && report.lost == 0 && report.frames > before + 50, "{report:?}");
    }
}

#[test]
fn a_pipe_that_is_opened_anew_closes_the_one_there_was_and_takes_nothing_that_was_on_its_way_there() {
    let (mut two, [_, video]) = TwoWorkers::stage(ROOMY, 1);
    two.run(seconds(2));
    // Written by the old pipe, taken by the new.
    two.calls[HERE].run(ms(100));
    two.calls[THERE].run(ms(100));
    assert!(two.calls[HERE].next_worker.len() > 10, "the way is held up");
    let earlier = two.pipe;
    let (now, of_a_client) = (two.calls[THERE].now(), TransportId(1));
    assert_eq!(two.calls[THERE].worker.open_local_pipe(now, of_a_client, LANE), Err(OpenPipeError::Exists));
    two.open(0xb000);
    let unannounced = two.calls[THERE].worker.stats().rtp_unannounced;
    two.run(ms(1));
    assert!(two.calls[THERE].worker.stats().rtp_unannounced >= unannounced + 10);
    let new = std::mem::replace(&mut two.pipe, earlier);
    assert_eq!([HERE, THERE].map(|at| told_closed(&two, at)), [1, 1]);
    two.pipe = new;
    two.calls[HERE].people[0].producers.clone().into_iter().for_each(|producer| two.carry(producer));
    two.run(seconds(2));
    assert_eq!(told_closed(&two, THERE), 0);
    let report = two.calls[THERE].report(0, video);
    assert!(report.faults <= 1 && report.frames > 70, "{report:?}");
    for call in &mut two.calls {
        call.worker.close_transport(two.pipe).expect("it is open");
        call.worker.handle_lane_close(LANE);
        let mut late = vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        call.worker.handle_lane(call.now(), LANE, &mut late);
        assert_eq!(call.worker.stats().unknown_dropped, 1, "and what comes for none is dropped");
        call.worker.close_router(ROUTER);
        assert_eq!(call.worker.stats().transports, 0);
    }
}

/// No datagram, from whatever address and socket, reaches a pipe whose packets are plain: lanes are not looked up for
/// datagrams, and no check makes an address a lane's.
#[test]
fn nothing_that_comes_by_a_socket_is_ever_taken_for_a_packet_of_a_lane() {
    let (mut two, [audio, video]) = TwoWorkers::stage(ROOMY, 1);
    let checks = checks(&mut two);

    // What is on the lane now: as good as an attacker could guess it. Lost there, brought by the network.
    two.calls[HERE].run(ms(200));
    two.calls[THERE].run(ms(200));
    let plain = std::mem::take(&mut two.calls[HERE].next_worker);
    assert!(plain.iter().any(|packet| packet[0] & 0xc0 == 0x80), "RTP in the clear");
    let viewer = two.calls[THERE].peers[two.calls[THERE].people[0].receiver].address;
    let addresses: [SocketAddr; 6] =
        [SERVER.into(), NEIGHBOUR.into(), viewer, ([0; 4], 0).into(), ([0; 4], LANE.0).into(), ([9; 4], 9).into()];
    let now = two.calls[THERE].now();
    let worker = &mut two.calls[THERE].worker;
    let of_pipe = |worker: &sfu::Worker| {
        let pipe = worker.transport_stats(now, two.pipe).expect("it is open");
        (pipe.packets_received, worker.stats().rtp_in, worker.stats().rtp_unannounced)
    };
    let before = of_pipe(worker);
    for socket in 0..=u8::MAX {
        for address in addresses {
            for datagram in checks.iter().chain(&plain) {
                worker.handle_datagram(now, socket, address, &mut datagram.clone());
            }
            worker.set_writable(socket, address, false);
            worker.set_writable(socket, address, true);
            worker.handle_close(socket, address);
        }
    }
    assert_eq!(of_pipe(worker), before);
    assert!(worker.stats().srtp_failed > 0, "where it has a transport's address, it lacks its keys");

    let frames = [audio, video].map(|consumption| two.calls[THERE].report(0, consumption).frames);
    two.run(seconds(8));
    for (consumption, before) in [audio, video].into_iter().zip(frames) {
        let report = two.calls[THERE].report(0, consumption);
        assert!(report.frames > before + 60, "the pipe goes on: {report:?}");
    }
}
