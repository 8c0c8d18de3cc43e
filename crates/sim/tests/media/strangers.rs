use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use sim::call::{Call, Fate, Way};

use crate::{face, rtp, seconds, stage};

/// A call of two, and the RTP and RTCP that the publisher has sent in a second.
fn recorded() -> (Call, Vec<Vec<u8>>) {
    let mut call = stage(1);
    let publisher = call.people[0].publisher;
    let record = Rc::new(RefCell::new(Vec::new()));
    let recorder = record.clone();
    call.meddler = Some(Box::new(move |peer, way, bytes| {
        if peer == publisher && way == Way::Up && bytes[0] >= 128 {
            recorder.borrow_mut().push(bytes.to_vec());
        }
        Fate::Pass
    }));
    call.run(seconds(1));
    call.meddler = None;
    call.run(seconds(1));
    (call, record.take())
}

/// Nobody in the call noticed anything.
fn check_untouched(mut call: Call) {
    call.run(seconds(2));
    let (audio, video) = face(&call, 1);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        let (first, newest) = report.captured.expect("media came");
        let interval = if consumption == audio { 20 } else { 50 };
        assert_eq!(report.frames, ((newest - first).as_millis() / interval) as u64 + 1, "each frame once");
        assert_eq!((report.frames, report.lost, report.first_fault), (report.decoded, 0, None));
        assert_eq!(report.reordered, 0);
    }
    assert_eq!(call.worker.stats().nacks_out, 0);
}

#[test]
fn media_from_an_address_that_no_check_validated_is_dropped() {
    let (mut call, record) = recorded();
    let before = call.worker.stats();
    for bytes in &record {
        call.inject(SocketAddr::from(([10, 66, 6, 6], 666)), bytes);
    }
    let stats = call.worker.stats();
    assert_eq!(stats.unknown_dropped - before.unknown_dropped, record.len() as u64);
    assert_eq!(stats.srtp_replayed, before.srtp_replayed, "it was not even decrypted");
    check_untouched(call);
}

#[test]
fn replayed_packets_are_counted_and_dropped() {
    let (mut call, record) = recorded();
    let before = call.worker.stats();
    let publisher = call.peers[call.people[0].publisher].address;
    for bytes in record.iter().chain(&record) {
        call.inject(publisher, bytes);
    }
    let stats = call.worker.stats();
    assert_eq!(stats.srtp_replayed - before.srtp_replayed, 2 * record.len() as u64);
    assert_eq!(stats.rtp_in, before.rtp_in);
    check_untouched(call);
}

#[test]
fn packets_under_a_wrong_key_are_counted_and_dropped() {
    let (mut call, record) = recorded();
    let before = call.worker.stats();
    let publisher = call.peers[call.people[0].publisher].address;
    for bytes in &record {
        let mut forged = bytes.clone();
        if let Some((_, sequence)) = rtp(bytes) {
            // Ahead of the stream, so that they are new and would move its window.
            forged[2..4].copy_from_slice(&sequence.wrapping_add(3000).to_be_bytes());
        } else {
            let index = forged.len() - 2;
            forged[index] ^= 0x10;
        }
        call.inject(publisher, &forged);
    }
    let stats = call.worker.stats();
    assert_eq!(stats.srtp_failed - before.srtp_failed, record.len() as u64);
    assert_eq!(stats.rtp_in, before.rtp_in);
    check_untouched(call);
}

#[test]
fn alerts_that_are_not_encrypted_end_nothing() {
    let (mut call, _) = recorded();
    for peer in 0..call.peers.len() {
        let address = call.peers[peer].address;
        for [level, description] in [[1, 0], [2, 0], [2, 40], [2, 80]] {
            for epoch in [0, 1] {
                call.inject(address, &[21, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 9, 0, 2, level, description]);
            }
        }
    }
    check_untouched(call);
}
