use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sim::call::Fate;

use crate::{face, seconds, stage};

const DATAGRAMS: usize = 100_000;
/// The first bytes of STUN, DTLS, SRTP and what is none of them (RFC 7983).
const FIRST_BYTES: [u8; 9] = [0, 1, 20, 21, 22, 23, 128, 144, 255];

#[test]
fn a_hundred_thousand_random_and_mutated_datagrams_change_nothing() {
    let mut call = stage(2);
    let record = Rc::new(RefCell::new(Vec::<Vec<u8>>::new()));
    let recorder = record.clone();
    call.meddler = Some(Box::new(move |_, _, bytes| {
        recorder.borrow_mut().push(bytes.to_vec());
        Fate::Pass
    }));
    // Somebody else joins, so that whole handshakes are among what is recorded.
    call.join(crate::clean(), crate::clean());
    call.connect();
    call.run(seconds(1));
    call.meddler = None;
    let record = record.take();
    assert!(record.iter().any(|bytes| bytes[0] == 22) && record.iter().any(|bytes| bytes[0] < 4));

    let mut rng = Pcg64Mcg::seed_from_u64(7);
    let addresses: Vec<SocketAddr> = call.peers.iter().map(|(_, peer)| peer.address).collect();
    let before = call.worker.stats();
    let events = call.events.len();
    for n in 0..DATAGRAMS {
        let bytes = if rng.random_bool(0.3) { random(&mut rng) } else { mutated(&mut rng, &record) };
        let stranger = SocketAddr::from(([10, 66, rng.random(), rng.random()], rng.random_range(1..u16::MAX)));
        let source = if rng.random_bool(0.5) { addresses[rng.random_range(0..addresses.len())] } else { stranger };
        call.inject(source, &bytes);
        if n % 1000 == 0 {
            call.run(crate::ms(20));
        }
    }
    let stats = call.worker.stats();
    assert!(stats.datagrams_in - before.datagrams_in >= DATAGRAMS as u64);
    let held = |stats: sfu::WorkerStats| (stats.routers, stats.transports, stats.producers, stats.consumers);
    assert_eq!(held(stats), held(before));
    let closed = call.events[events..].iter().find(|(_, event)| !matches!(event, sfu::Event::AudioLevels { .. }));
    assert_eq!(closed, None);

    call.run(seconds(2));
    for viewer in [1, 2] {
        let (audio, video) = face(&call, viewer);
        for consumption in [audio, video] {
            let report = call.report(viewer, consumption);
            assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded), "{report:?}");
            let (_, newest) = report.seen.expect("media came");
            assert!(newest + crate::ms(100) > call.now(), "{report:?}");
        }
    }
}

fn random(rng: &mut Pcg64Mcg) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..rng.random_range(0..1400)).map(|_| rng.random()).collect();
    if let Some(first) = bytes.first_mut()
        && rng.random_bool(0.8)
    {
        *first = FIRST_BYTES[rng.random_range(0..FIRST_BYTES.len())];
    }
    bytes
}

/// Something that was really sent, with some of it changed, cut off or added. Always changed: a STUN check that
/// somebody on the path repeats unchanged is as valid as it was.
fn mutated(rng: &mut Pcg64Mcg, record: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = record[rng.random_range(0..record.len())].clone();
    for place in distinct_places(rng, bytes.len().min(64)) {
        bytes[place] ^= rng.random_range(1..=255u8);
    }
    match rng.random_range(0..6) {
        0 => bytes.truncate(rng.random_range(0..bytes.len() + 1)),
        1 => bytes.extend((0..rng.random_range(0..40)).map(|_| rng.random::<u8>())),
        _ => {}
    }
    bytes
}

fn distinct_places(rng: &mut Pcg64Mcg, length: usize) -> BTreeSet<usize> {
    (0..rng.random_range(1..5)).map(|_| rng.random_range(0..length)).collect()
}
