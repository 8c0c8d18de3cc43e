//! Attacks on the media plane, each with the vulnerabilities of others that it is known from, and what must happen.
//! Random and damaged datagrams are in `garbage.rs`, what a peer may do to the memory in `tests/sctp_memory.rs`, who
//! is muted in `mute.rs`.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::TransportId;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sfu::Worker;
use sfu::ice::{PacketKind, classify};
use sfu::rtp::{RtpHeader, Unwrapper16};
use sim::call::{Call, Fate, ROUTER, Way};
use sim::keyed_peer::{KeyedPeer, NOMINATE};
use sim::network::Link;

use crate::{clean, face, ms, rtp, seconds, stage};

/// The random of a ClientHello in its datagram: behind the headers of record and message, and the version.
const HELLO_RANDOM: std::ops::Range<usize> = 27..59;

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

/// RTP bleed and injection (CVE-2017-14099, CVE-2025-53399).
#[test]
fn media_from_an_address_that_no_check_validated_is_dropped_and_the_address_is_not_learned() {
    let (mut call, record) = recorded();
    let before = call.worker.stats();
    let stranger = SocketAddr::from(([10, 66, 6, 6], 666));
    let sent = count_sent(&mut call);
    for bytes in &record {
        call.inject(stranger, bytes);
        call.run(ms(1));
    }
    assert!(!call.worker.is_valid_pair(0, stranger) && !sent.borrow().contains_key(&stranger));
    let stats = call.worker.stats();
    assert_eq!(stats.unknown_dropped - before.unknown_dropped, record.len() as u64);
    assert_eq!(stats.srtp_replayed, before.srtp_replayed, "it was not even decrypted");
    check_untouched(call);
}

/// SRTP replay.
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

/// Bad SRTP that ends the call (CVE-2021-41105).
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

/// Forged alerts: as the race of the hello, later.
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

/// How many bytes go where from now on.
fn count_sent(call: &mut Call) -> Rc<RefCell<HashMap<SocketAddr, usize>>> {
    let sent = Rc::new(RefCell::new(HashMap::new()));
    let count = sent.clone();
    call.poll_transmit = Box::new(move |worker, now, batch| {
        worker.poll_transmit(now, batch);
        for message in batch.messages() {
            let remote = message.remote().expect("there is no lane");
            *count.borrow_mut().entry(remote).or_default() += batch.bytes(message).len();
        }
    });
    sent
}

/// The race of the DTLS ClientHello (CVE-2023-49786, CVE-2023-51443, CVE-2023-51275).
#[test]
fn sprayed_hellos_win_no_race_against_those_who_join() {
    let mut call = Call::new(3);
    for _ in 0..2 {
        call.join(clean(), clean());
    }
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, VideoConfig::default());
    let hellos = Rc::new(RefCell::new(HashMap::<usize, Vec<u8>>::new()));
    let recorder = hellos.clone();
    call.meddler = Some(Box::new(move |peer, way, bytes| {
        if way == Way::Up && classify(bytes) == Some(PacketKind::Dtls) {
            recorder.borrow_mut().entry(peer).or_insert_with(|| bytes.to_vec());
        }
        Fate::Pass
    }));
    let sent = count_sent(&mut call);
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut forged = |hello: &[u8]| {
        let mut hello = hello.to_vec();
        rng.fill(&mut hello[HELLO_RANDOM]);
        hello
    };
    let (mut injected, mut begun) = (0, HashMap::new());
    for n in 0..1_000_u16 {
        // From where nobody is, as soon as there is a hello to copy; from where a peer is, once its own has come.
        let known = hellos.borrow().clone();
        call.run(ms(1));
        for (peer, hello) in known {
            call.inject(SocketAddr::from(([10, 66, 6, 6], n)), &forged(&hello));
            injected += 1;
            // It takes 20 ms; who wins that race is held up only (`dtls::server`'s tests).
            if n > *begun.entry(peer).or_insert(n) + 20 {
                call.inject(call.peers[peer].address, &forged(&hello));
            }
        }
    }
    assert!(call.peers.iter().all(|(_, peer)| peer.client.is_connected()));
    assert!(call.worker.stats().unknown_dropped >= injected && injected > 3_000);
    let addresses: Vec<SocketAddr> = call.peers.iter().map(|(_, peer)| peer.address).collect();
    assert!(sent.borrow().keys().all(|address| addresses.contains(address)), "nobody else is answered");
    call.meddler = None;
    call.watch_all();
    call.run(seconds(1));
    check_untouched(call);
}

/// What every key of the server has sealed: an index must never come twice (RFC 7714 section 5.1).
#[derive(Default)]
struct Ledger {
    /// Whose key it is, by every address that the peer ever had.
    peers: HashMap<SocketAddr, usize>,
    streams: HashMap<(usize, u32), Unwrapper16>,
    rtp: HashSet<(usize, u32, u64)>,
    rtcp: HashSet<(usize, u32)>,
}

impl Ledger {
    /// Everything that the server sends from now on goes through a ledger.
    fn keep(call: &mut Call) -> Rc<RefCell<Self>> {
        let ledger = Rc::new(RefCell::new(Self::default()));
        let keeper = ledger.clone();
        call.poll_transmit = Box::new(move |worker: &mut Worker, now, batch| {
            worker.poll_transmit(now, batch);
            let mut ledger = keeper.borrow_mut();
            for message in batch.messages() {
                let remote = message.remote().expect("there is no lane");
                for datagram in batch.bytes(message).chunks(message.segment_bytes) {
                    ledger.note(remote, datagram);
                }
            }
        });
        ledger
    }

    /// Learns who is where.
    fn meet(&mut self, call: &Call) {
        self.peers.extend(call.peers.iter().map(|(index, peer)| (peer.address, index)));
    }

    fn note(&mut self, to: SocketAddr, datagram: &[u8]) {
        let peer = self.peers[&to];
        match classify(datagram) {
            Some(PacketKind::Rtp) => {
                let header = RtpHeader::parse(datagram).expect("a header");
                let index = self.streams.entry((peer, header.ssrc)).or_default().extend(header.sequence);
                assert!(self.rtp.insert((peer, header.ssrc, index)), "{index:#x} of {:#x} again", header.ssrc);
            }
            Some(PacketKind::Rtcp) => {
                // AES-GCM: the word is the last, and its highest bit says that the packet is encrypted.
                let word = u32::from_be_bytes(*datagram.last_chunk().expect("a packet"));
                assert!(word >> 31 == 1 && self.rtcp.insert((peer, word)), "SRTCP index {word:#x} again");
            }
            _ => {}
        }
    }
}

/// Nonce reuse (CVE-2026-26014).
#[test]
fn no_index_is_sealed_twice_whatever_becomes_of_paths_sources_and_consumers() {
    sim::seeds::run(0..6, |seed| {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut call = Call::new(seed);
        let ledger = Ledger::keep(&mut call);
        call.join(clean(), clean());
        call.join(clean(), Link { loss: 0.05, reorder: 0.02, ..clean() });
        let sizes = [1, 2, 4].map(|packets| VideoConfig { packets, ..VideoConfig::default() });
        let publish =
            |call: &mut Call| [call.publish_audio(0, AudioConfig::default()), call.publish_simulcast(0, &sizes)];
        let producers = publish(&mut call);
        ledger.borrow_mut().meet(&call);
        call.connect();
        let mut consumptions = producers.map(|producer| call.watch(1, producer));
        let receiver = call.people[1].receiver;
        for step in 0..50_u8 {
            let now = call.now();
            let which = rng.random_range(0..2);
            let (producer, consumption) = (producers[which], consumptions[which]);
            match rng.random_range(0..12) {
                0..=2 => call.worker.set_preferred_layer(now, consumptions[1].consumer, rng.random_range(0..3)),
                3 => call.worker.pause_consumer(consumption.consumer),
                4 => call.worker.resume_consumer(now, consumption.consumer),
                5 => call.worker.pause_producer(ROUTER, producer),
                6 => call.worker.resume_producer(now, ROUTER, producer),
                7 => {
                    call.move_peer(receiver, SocketAddr::from(([10, 9, 9, step], 6000)));
                    Ok(())
                }
                8 => {
                    let parameters = call.worker.restart_ice(call.peers[receiver].transport).expect("it is there");
                    call.peers[receiver].client.restart_ice(&parameters);
                    Ok(())
                }
                9 => {
                    call.reload(0);
                    ledger.borrow_mut().meet(&call);
                    call.connect();
                    publish(&mut call);
                    Ok(())
                }
                10 => {
                    call.worker.close_consumer(consumption.consumer).expect("it is there");
                    consumptions[which] = call.watch(1, producer);
                    Ok(())
                }
                _ => {
                    call.worker.set_writable(0, call.peers[receiver].address, rng.random());
                    Ok(())
                }
            }
            .expect("it is there");
            ledger.borrow_mut().meet(&call);
            call.run(ms(rng.random_range(1..1500)));
        }
        // And in the end all of it flows.
        call.worker.set_writable(0, call.peers[receiver].address, true);
        for (producer, consumption) in producers.into_iter().zip(consumptions) {
            let now = call.now();
            call.worker.resume_producer(now, ROUTER, producer).expect("it is there");
            call.worker.resume_consumer(now, consumption.consumer).expect("it is there");
        }
        call.run(seconds(12));
        for consumption in consumptions {
            let report = call.report(1, consumption);
            let (_, newest) = report.seen.expect("media came");
            assert!(newest + ms(200) > call.now(), "{report:?}");
        }
        let (ledger, stats) = (ledger.borrow(), call.worker.stats());
        assert!(ledger.rtp.len() > 1_000 && ledger.rtcp.len() > 30 && stats.retransmitted > 10, "{stats:?}");
    });
}

/// The same where the 16 bits on the wire come again and the rollover counter must not.
#[test]
fn no_index_is_sealed_twice_when_sequence_numbers_wrap() {
    let mut call = Call::new(1);
    let ledger = Ledger::keep(&mut call);
    call.join(clean(), clean());
    call.join(clean(), clean());
    let video = VideoConfig { packets: 100, keyframe_packets: 100, bytes: 200, ..VideoConfig::default() };
    let producer = call.publish_video(0, video);
    ledger.borrow_mut().meet(&call);
    call.connect();
    let viewer = call.watch(1, producer);
    call.run(seconds(35));
    let ledger = ledger.borrow();
    let peer = call.people[1].receiver;
    let sealed = ledger.rtp.iter().filter(|&&(to, ssrc, _)| (to, ssrc) == (peer, viewer.ssrc)).count();
    assert!(sealed > 1 << 16, "{sealed} packets");
    let report = call.report(1, viewer);
    assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded), "all of it was authentic");
}

/// STUN amplification.
#[test]
fn an_address_that_is_not_validated_gets_at_most_a_fifth_more_than_it_sent() {
    let (mut call, record) = recorded();
    let transport = TransportId(1_000);
    let ice = call.worker.create_transport(call.now(), ROUTER, transport).expect("a new transport").ice_parameters;
    let mut wrong = ice.clone();
    wrong.password = "0".repeat(ice.password.len());
    let mut nobody = ice.clone();
    nobody.username_fragment = "nobody".to_owned();
    // None; then PRIORITY with ICE-CONTROLLING, without, with ICE-CONTROLLED (which is told of its conflict), SOFTWARE.
    let priority = &NOMINATE[..8];
    let controlled = [priority, &[0x80, 0x29, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
    let software = [priority, &[0x80, 0x22, 2, 0], &[b'x'; 512]].concat();
    let mut datagrams = record[..50].to_vec();
    datagrams.extend((0..1400).step_by(100).map(|bytes| vec![22; bytes]));
    for credentials in [&ice, &wrong, &nobody] {
        for attributes in [&[][..], &NOMINATE, priority, &controlled, &software] {
            let check = KeyedPeer::check(credentials, attributes);
            datagrams.push(check[..check.len() / 2].to_vec());
            datagrams.push(check);
        }
    }

    let sent = count_sent(&mut call);
    let answered = call.worker.stats().stun_answered;
    let mut received = HashMap::new();
    for (port, datagram) in (1_000..).zip(&datagrams) {
        for ip in [[10, 66, 6, 6].into(), std::net::IpAddr::from([0x2001, 0xdb8, 1, 2, 3, 4, 5, 6])] {
            let from = SocketAddr::from((ip, port));
            for _ in 0..3 {
                call.inject(from, datagram);
                *received.entry(from).or_insert(0) += datagram.len();
                call.run(Duration::from_millis(1));
            }
        }
    }
    for (address, received) in received {
        let sent = sent.borrow().get(&address).copied().unwrap_or_default();
        assert!(sent * 5 <= received * 6, "{sent} B for {received} B from {address}");
    }
    let answered = call.worker.stats().stun_answered - answered;
    assert_eq!(answered, 4 * 2 * 3, "those with the password");
}
