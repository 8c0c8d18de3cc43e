use std::cell::Cell;
use std::rc::Rc;

use protocol::DataProducerId;
use protocol::sctp::{DataConsumerCloseReason, SctpStreamParameters};
use sfu::Event;
use sfu::ice::{PacketKind, classify};
use sfu::worker::ProduceDataError;
use sim::call::{Call, Fate, ROUTER, Way};
use sim::network::Link;

use crate::{clean, ms, seconds};

const RELIABLE: SctpStreamParameters =
    SctpStreamParameters { stream_id: 0, ordered: None, max_packet_life_time: None, max_retransmits: None };
const ONCE: SctpStreamParameters = SctpStreamParameters { stream_id: 1, max_retransmits: Some(0), ..RELIABLE };
const SHORT: SctpStreamParameters = SctpStreamParameters { stream_id: 2, max_packet_life_time: Some(50), ..RELIABLE };

fn bad() -> Link {
    Link { loss: 0.05, jitter: ms(10), reorder: 0.02, duplicate: 0.01, ..clean() }
}

/// The first sends, so many others receive, over links of these kinds; and the stream of each receiver.
fn stage(channel: SctpStreamParameters, up: Link, downs: &[Link]) -> (Call, DataProducerId, Vec<u16>) {
    let mut call = Call::new(5);
    call.join(up, clean());
    for &down in downs {
        call.join(clean(), down);
    }
    let producer = call.produce_data(0, channel);
    let streams = (1..=downs.len()).map(|person| call.consume_data(person, producer).1).collect();
    call.connect();
    call.run(seconds(3));
    (call, producer, streams)
}

/// The `n`th message: its number, and bytes that follow from it, so many that some need hundreds of packets.
fn message(n: u32) -> Vec<u8> {
    let bytes = [4, 300, 1164, 1165, 20_000, 60_000][n as usize % 6];
    let mut message: Vec<u8> = (0..bytes).map(|at| (at as u32 ^ n) as u8).collect();
    message[..4].copy_from_slice(&n.to_be_bytes());
    message
}

fn send(call: &mut Call, producer: DataProducerId, n: u32) {
    let message = message(n);
    while !call.send_message(0, producer, &message) {
        call.run(ms(20));
    }
    call.run(ms(10));
}

/// The numbers of what somebody received, each message looked at.
fn received(call: &Call, person: usize, stream: u16) -> Vec<u32> {
    let number = |bytes: &Vec<u8>| u32::from_be_bytes(bytes[..4].try_into().expect("a number"));
    let messages = call.messages(person, stream);
    messages.iter().for_each(|bytes| assert_eq!(*bytes, message(number(bytes)), "not a byte is different"));
    messages.iter().map(number).collect()
}

#[test]
fn ordered_messages_reach_every_consumer_whole_and_in_order_whatever_is_lost() {
    let downs = [bad(); 20];
    let (mut call, producer, streams) = stage(RELIABLE, bad(), &downs);
    for n in 0..60 {
        send(&mut call, producer, n);
    }
    call.run(seconds(60));
    for (person, &stream) in (1..).zip(&streams) {
        assert_eq!(received(&call, person, stream), (0..60).collect::<Vec<_>>(), "person {person}");
    }
    let stats = call.worker.stats();
    assert_eq!((stats.data_messages_in, stats.data_messages_out, stats.data_messages_dropped), (60, 1200, 0));
    assert_eq!((stats.data_producers, stats.data_consumers, stats.data_messages_unannounced), (1, 20, 0));
}

#[test]
fn messages_that_are_not_sent_again_are_lost_alone_and_never_doubled() {
    for (channel, least) in [(ONCE, 60), (SHORT, 60)] {
        let (mut call, producer, streams) = stage(channel, clean(), &[bad(), clean()]);
        for n in (0..600).step_by(6) {
            send(&mut call, producer, n);
        }
        call.run(seconds(10));
        let mut numbers = received(&call, 1, streams[0]);
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), call.messages(1, streams[0]).len(), "none came twice");
        assert!((least..100).contains(&numbers.len()), "{} of 100 over a bad link", numbers.len());
        assert_eq!(received(&call, 2, streams[1]).len(), 100, "all over a good one");
    }
}

#[test]
fn a_slow_receiver_of_a_reliable_channel_is_closed_and_told_and_the_others_go_on() {
    let slow = Link { bits_per_second: Some(100_000), queue: ms(200), ..clean() };
    let (mut call, producer, streams) = stage(RELIABLE, clean(), &[slow, clean()]);
    for n in 0..60 {
        send(&mut call, producer, n * 6 + 5);
        call.run(ms(50));
    }
    call.run(seconds(5));
    assert_eq!(received(&call, 2, streams[1]).len(), 60);
    let stats = call.worker.stats();
    assert_eq!((stats.data_consumers, stats.data_consumers_overrun, stats.data_messages_dropped), (1, 1, 0));
    let closed = call.events.iter().find_map(|(_, event)| match event {
        Event::DataConsumerClosed { transport, reason, .. } => Some((*transport, *reason)),
        _ => None,
    });
    let transport = call.peers[call.people[1].receiver].transport;
    assert_eq!(closed, Some((transport, DataConsumerCloseReason::SendBufferFull)));
    let numbers = received(&call, 1, streams[0]);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 6), "what it got has no gap: {numbers:?}");
}

#[test]
fn a_slow_receiver_of_an_unreliable_channel_misses_messages_and_stays() {
    let slow = Link { bits_per_second: Some(100_000), queue: ms(200), ..clean() };
    let (mut call, producer, streams) = stage(ONCE, clean(), &[slow, clean()]);
    for n in 0..80 {
        send(&mut call, producer, n * 6 + 5);
        call.run(ms(50));
    }
    call.run(seconds(5));
    assert_eq!(received(&call, 2, streams[1]).len(), 80);
    let stats = call.worker.stats();
    assert_eq!((stats.data_consumers, stats.data_consumers_overrun), (2, 0));
    assert!(stats.data_messages_dropped > 10, "{}", stats.data_messages_dropped);
    assert_eq!(stats.data_messages_out + stats.data_messages_dropped, 160);
}

#[test]
fn nobody_gets_messages_of_a_paused_or_closed_consumer() {
    let (mut call, producer, streams) = stage(RELIABLE, clean(), &[clean()]);
    let transport = call.peers[call.people[1].receiver].transport;
    let paused = protocol::DataConsumerId(900);
    call.worker.consume_data(transport, paused, producer).expect("can be consumed");
    send(&mut call, producer, 1);
    call.run(ms(200));
    assert_eq!(call.worker.stats().data_messages_out, 1);
    assert_eq!(received(&call, 1, streams[0]), [1]);
    call.worker.resume_data_consumer(paused).expect("it is there");
    send(&mut call, producer, 2);
    call.run(ms(200));
    assert_eq!(call.worker.stats().data_messages_out, 3);
    call.worker.close_data_consumer(paused).expect("it is there");
    send(&mut call, producer, 3);
    call.run(ms(200));
    assert_eq!(call.worker.stats().data_messages_out, 4);
    assert!(call.events.iter().all(|(_, event)| !matches!(event, Event::DataConsumerClosed { .. })));
}

#[test]
fn over_a_full_connection_messages_wait_and_checks_are_answered() {
    let (mut call, producer, streams) = stage(RELIABLE, clean(), &[clean()]);
    send(&mut call, producer, 0);
    call.run(seconds(1));
    let receiver = call.people[1].receiver;
    let address = call.peers[receiver].address;
    let counts = Rc::new(Cell::new((0, 0)));
    let counted = counts.clone();
    call.meddler = Some(Box::new(move |peer, way, datagram| {
        if peer == receiver && way == Way::Down {
            let (messages, checks) = counted.get();
            match classify(datagram) {
                Some(PacketKind::Dtls) => counted.set((messages + 1, checks)),
                Some(PacketKind::Stun) => counted.set((messages, checks + 1)),
                _ => {}
            }
        }
        Fate::Pass
    }));
    call.worker.set_writable(0, address, false);
    for n in 1..20 {
        send(&mut call, producer, n);
    }
    call.run(seconds(5));
    let (messages, checks) = counts.get();
    assert!(messages == 0 && checks > 0, "{messages} packets, {checks} answers");
    assert_eq!(received(&call, 1, streams[0]), [0]);
    call.worker.set_writable(0, address, true);
    call.run(seconds(5));
    assert_eq!(received(&call, 1, streams[0]), (0..20).collect::<Vec<_>>());
}

#[test]
fn with_its_transport_a_data_producer_ends_and_its_consumers_with_it() {
    let (mut call, producer, streams) = stage(RELIABLE, clean(), &[clean(), clean()]);
    let transport = call.peers[call.people[0].publisher].transport;
    call.worker.close_transport(transport).expect("it is there");
    call.run(seconds(3));
    let closed = |wanted: &Event| call.events.iter().filter(|(_, event)| event == wanted).count();
    assert_eq!(closed(&Event::DataProducerClosed { router: ROUTER, data_producer: producer }), 1);
    let reason = DataConsumerCloseReason::ProducerClosed;
    for person in [1, 2] {
        let peer = &call.peers[call.people[person].receiver];
        let data_consumer = protocol::DataConsumerId(person as u64);
        assert_eq!(closed(&Event::DataConsumerClosed { transport: peer.transport, data_consumer, reason }), 1);
        assert!(!peer.client.is_channel_open(streams[person - 1]), "the client sees its channel close");
    }
    let stats = call.worker.stats();
    assert_eq!((stats.data_producers, stats.data_consumers), (0, 0));
}

#[test]
fn a_channel_that_a_client_closes_ends_and_its_stream_can_be_used_again() {
    let (mut call, producer, streams) = stage(RELIABLE, clean(), &[clean(), clean()]);
    send(&mut call, producer, 1);
    let receiver = call.people[1].receiver;
    call.peers[receiver].client.close_channel(streams[0]);
    call.run(seconds(2));
    assert_eq!(call.worker.stats().data_consumers, 1);
    let publisher = call.people[0].publisher;
    call.peers[publisher].client.close_channel(0);
    call.run(seconds(2));
    assert_eq!((call.worker.stats().data_producers, call.worker.stats().data_consumers), (0, 0));

    let producer = call.produce_data(0, RELIABLE);
    let (_, stream) = call.consume_data(1, producer);
    call.run(seconds(1));
    send(&mut call, producer, 7);
    call.run(ms(500));
    assert_eq!(received(&call, 1, stream), [7]);
}

#[test]
fn a_client_that_uses_streams_that_it_did_not_announce_loses_its_channels_only() {
    let (mut call, producer, _) = stage(RELIABLE, clean(), &[clean()]);
    let publisher = call.people[0].publisher;
    for stream_id in 100..180 {
        call.peers[publisher].client.open_channel(&SctpStreamParameters { stream_id, ..RELIABLE });
    }
    call.run(ms(200));
    for stream_id in 100..180 {
        call.peers[publisher].client.send_message(stream_id, b"hello");
        call.run(ms(10));
    }
    call.run(seconds(1));
    let stats = call.worker.stats();
    assert!((60..=70).contains(&stats.data_messages_unannounced), "{}", stats.data_messages_unannounced);
    assert_eq!((stats.data_producers, stats.data_consumers, stats.transports), (0, 0, 4));
    let ended = Event::DataProducerClosed { router: ROUTER, data_producer: producer };
    assert!(call.events.iter().any(|(_, event)| *event == ended));
    let again = call.worker.produce_data(call.peers[publisher].transport, producer, &RELIABLE, "", "");
    assert_eq!(again, Err(ProduceDataError::Ended));
}

#[test]
fn a_transport_that_was_not_made_for_data_takes_none() {
    let mut call = Call::new(5);
    call.join(clean(), clean());
    call.connect();
    let publisher = call.people[0].publisher;
    let before = call.worker.stats();
    call.peers[publisher].client.open_channel(&RELIABLE);
    call.run(seconds(5));
    assert!(!call.peers[publisher].client.is_channel_open(0));
    assert!(call.worker.stats().datagrams_in > before.datagrams_in, "the client tries");
}
