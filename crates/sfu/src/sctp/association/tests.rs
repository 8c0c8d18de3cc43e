use std::time::Duration;

use protocol::sctp::SctpStreamParameters;
use sctp_proto::{ClientConfig, ReliabilityType};

use super::*;

/// A client, and the association under test behind a wire without delay.
struct Pair {
    now: Instant,
    endpoint: Endpoint,
    client: Association,
    server: SctpAssociation,
    /// What the client's library said.
    heard: Vec<Event>,
    /// Packets that the client must not get.
    cut: bool,
}

impl Pair {
    fn new() -> Self {
        let transport = TransportConfig::default()
            .with_max_send_message_size(MESSAGE_BYTES_MAX)
            .with_max_receive_message_size(MESSAGE_BYTES_MAX);
        let mut config = ClientConfig::new();
        config.transport = Arc::new(transport);
        let mut endpoint = Endpoint::new(ENDPOINT.clone(), None);
        let (_, client) = endpoint.connect(config, PEER).expect("a new association");
        let server = SctpAssociation::default();
        Self { now: Instant::now(), endpoint, client, server, heard: Vec::new(), cut: false }
    }

    fn established() -> Self {
        let mut pair = Self::new();
        pair.run();
        assert!(pair.heard.iter().any(|event| matches!(event, Event::Connected)));
        pair
    }

    /// Exchanges packets until nobody has anything to say.
    fn run(&mut self) {
        loop {
            let mut any = false;
            while let Some(transmit) = self.client.poll_transmit(self.now) {
                let Payload::RawEncode(packets) = transmit.payload else { continue };
                for packet in packets {
                    any = true;
                    self.server.handle_packet(self.now, &packet);
                }
            }
            while let Some(packet) = self.server.peek_transmit(self.now).cloned() {
                self.server.advance();
                assert!(packet.len() + RECORD_OVERHEAD <= DATAGRAM_BYTES_MAX, "{} bytes", packet.len());
                if self.cut {
                    continue;
                }
                any = true;
                if let Some((_, DatagramEvent::AssociationEvent(event))) =
                    self.endpoint.handle(self.now, PEER, None, None, packet)
                {
                    self.client.handle_event(event);
                }
            }
            while let Some(event) = self.client.poll() {
                self.heard.push(event);
            }
            if !any {
                return;
            }
        }
    }

    /// Lets time pass, in which delayed acknowledgements are due.
    fn wait(&mut self, duration: Duration) {
        for _ in 0..10 {
            self.now += duration / 10;
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.run();
        }
    }

    fn client_sends(&mut self, stream: u16, bytes: &[u8]) {
        let kind = PayloadProtocolIdentifier::Binary;
        let _ = self.client.open_stream(stream, kind);
        self.client.stream(stream).expect("it is open").write_with_ppi(bytes, kind).expect("it is taken");
        self.run();
    }

    /// The whole messages that the client got on a stream.
    fn client_reads(&mut self, stream: u16) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Ok(Some(chunks)) = self.client.stream(stream).and_then(|mut stream| stream.read()) {
            let mut bytes = vec![0; chunks.len()];
            chunks.read(&mut bytes).expect("there is room");
            messages.push(bytes);
        }
        messages
    }

    fn server_reads(&mut self) -> Vec<(u16, usize)> {
        let mut messages = Vec::new();
        while let Some((stream, message)) = self.server.read() {
            messages.push((stream, message.bytes.len()));
        }
        messages
    }

    fn events(&mut self) -> Vec<SctpEvent> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }
}

fn reliable() -> Channel {
    let parameters =
        SctpStreamParameters { stream_id: 0, ordered: None, max_packet_life_time: None, max_retransmits: None };
    Channel::new(&parameters).expect("usable")
}

fn message(bytes: usize) -> Message {
    Message { kind: PayloadProtocolIdentifier::Binary, bytes: vec![7; bytes].into() }
}

#[test]
fn messages_of_every_size_go_both_ways() {
    let mut pair = Pair::established();
    pair.server.open(3, reliable());
    for bytes in [1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, MESSAGE_BYTES_MAX as usize] {
        pair.client_sends(3, &vec![1; bytes]);
        pair.wait(Duration::from_secs(1));
        assert_eq!(pair.server_reads(), [(3, bytes)]);
        pair.server.send(3, &message(bytes)).expect("there is room");
        pair.wait(Duration::from_secs(1));
        assert_eq!(pair.client_reads(3).iter().map(Vec::len).collect::<Vec<_>>(), [bytes]);
    }
}

#[test]
fn what_is_sent_before_the_client_begins_arrives_when_it_did() {
    let mut pair = Pair::new();
    pair.server.open(5, reliable());
    for bytes in 1..4 {
        pair.server.send(5, &message(bytes)).expect("there is room");
    }
    pair.run();
    assert_eq!(pair.client_reads(5).iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_client_that_does_not_acknowledge_fills_the_send_buffer_and_no_more() {
    for bytes in [1, 100_000] {
        let mut pair = Pair::established();
        pair.server.open(1, reliable());
        pair.server.open(2, reliable());
        pair.cut = true;
        let mut sent = 0;
        while pair.server.send(1 + sent as u16 % 2, &message(bytes)).is_ok() {
            sent += 1;
            pair.run();
        }
        let expected = (SEND_BUFFER_BYTES / bytes).min(SEND_BUFFER_MESSAGES);
        assert_eq!(sent, expected);
        assert_eq!(pair.server.send(2, &message(bytes)), Err(SendError::Full));
        pair.cut = false;
        pair.wait(Duration::from_secs(20));
        let received = pair.client_reads(1).len() + pair.client_reads(2).len();
        assert!(received > 5, "{received}");
        pair.wait(Duration::from_secs(20));
        assert_eq!(pair.server.send(2, &message(bytes)), Ok(()), "what arrived makes room");
    }
}

#[test]
fn a_message_that_is_not_sent_again_makes_room() {
    let mut pair = Pair::established();
    let channel = Channel::new(&SctpStreamParameters {
        stream_id: 1,
        ordered: None,
        max_packet_life_time: None,
        max_retransmits: Some(0),
    });
    pair.server.open(1, channel.expect("usable"));
    pair.cut = true;
    while pair.server.send(1, &message(100_000)).is_ok() {}
    pair.wait(Duration::from_secs(1));
    pair.cut = false;
    pair.wait(Duration::from_secs(20));
    assert_eq!(pair.server.send(1, &message(100_000)), Ok(()));
}

#[test]
fn a_channel_that_the_client_closes_is_told_of_and_can_be_used_again() {
    let mut pair = Pair::established();
    pair.server.open(4, reliable());
    pair.client_sends(4, b"last words");
    pair.wait(Duration::from_secs(1));
    pair.client.stream(4).expect("it is open").close().expect("it is open");
    pair.wait(Duration::from_secs(1));
    assert_eq!(pair.events(), [], "what was sent before is read first");
    assert_eq!(pair.server_reads(), [(4, 10)]);
    assert_eq!(pair.events(), [SctpEvent::Closed(4)]);
    pair.wait(Duration::from_secs(1));
    assert!(pair.server.is_free(4));
    pair.server.open(4, reliable());
    pair.client_sends(4, b"again");
    assert_eq!(pair.server_reads(), [(4, 5)]);
}

#[test]
fn a_channel_on_which_nothing_was_sent_is_closed_like_any_other() {
    let mut pair = Pair::new();
    pair.server.open(8, reliable());
    pair.run();
    pair.server.open(9, reliable());
    for stream in [8, 9] {
        let kind = PayloadProtocolIdentifier::Binary;
        pair.client.open_stream(stream, kind).and_then(|mut stream| stream.close()).expect("it can be closed");
        pair.wait(Duration::from_secs(1));
        assert_eq!(pair.events(), [SctpEvent::Closed(stream)]);
    }
}

#[test]
fn a_channel_that_the_server_closes_ends_at_the_client_even_if_nothing_was_sent() {
    let mut pair = Pair::established();
    for stream in [6, 7] {
        pair.server.open(stream, reliable());
        pair.client.open_stream(stream, PayloadProtocolIdentifier::Binary).expect("as announced");
    }
    pair.server.send(7, &message(10)).expect("there is room");
    pair.run();
    assert_eq!(pair.client_reads(7).len(), 1);
    for stream in [6, 7] {
        pair.server.close(stream);
        assert_eq!(pair.server.send(stream, &message(1)), Err(SendError::Closed));
        assert!(!pair.server.is_free(stream), "the client has not heard of it");
    }
    pair.wait(Duration::from_secs(2));
    for stream in [6, 7] {
        let finished = |event: &Event| matches!(event, Event::Stream(StreamEvent::Finished { id }) if *id == stream);
        assert!(pair.heard.iter().any(finished), "{stream}");
        assert!(pair.server.is_free(stream));
    }
    assert_eq!(pair.events(), [], "it was our own doing");
}

#[test]
fn a_client_that_opens_streams_without_end_is_cut_off() {
    let mut pair = Pair::established();
    for stream in 0..STRANGERS_MAX as u16 {
        pair.client_sends(stream, b"hello");
        pair.server_reads();
    }
    assert_eq!(pair.events(), []);
    pair.client_sends(STRANGERS_MAX as u16, b"hello");
    assert_eq!(pair.events(), [SctpEvent::Ended]);
    pair.client_sends(0, b"hello");
    assert_eq!((pair.server_reads(), pair.events()), (vec![], vec![]));
}

#[test]
fn messages_that_nobody_reads_close_the_window_and_nothing_else() {
    let mut pair = Pair::established();
    pair.server.open(1, reliable());
    let kind = PayloadProtocolIdentifier::Binary;
    let _ = pair.client.open_stream(1, kind);
    for _ in 0..40 {
        pair.client.stream(1).expect("open").write_with_ppi(&[1; 100_000], kind).expect("it is taken");
    }
    pair.wait(Duration::from_secs(20));
    let waiting: usize = pair.server_reads().iter().map(|(_, bytes)| bytes).sum();
    assert!((300_000..700_000).contains(&waiting), "{waiting}");
    let mut rest = 0;
    for _ in 0..200 {
        pair.wait(Duration::from_secs(1));
        rest += pair.server_reads().len();
    }
    assert_eq!((rest + waiting / 100_000, pair.events()), (40, vec![]));
}

#[test]
fn a_message_that_is_too_large_ends_the_association() {
    let mut pair = Pair::established();
    pair.server.open(1, reliable());
    pair.client.set_max_send_message_size(1024 * 1024);
    pair.client_sends(1, &vec![1; MESSAGE_BYTES_MAX as usize + 1]);
    pair.wait(Duration::from_secs(5));
    assert_eq!(pair.events(), [SctpEvent::Ended]);
    assert_eq!(pair.server.send(1, &message(1)), Err(SendError::Closed));
}

#[test]
fn a_second_association_over_the_same_keys_is_refused_and_the_first_goes_on() {
    let mut pair = Pair::established();
    pair.server.open(1, reliable());
    let mut other = Pair::new();
    while let Some(transmit) = other.client.poll_transmit(pair.now) {
        let Payload::RawEncode(packets) = transmit.payload else { continue };
        packets.iter().for_each(|packet| pair.server.handle_packet(pair.now, packet));
    }
    assert_eq!(pair.server.peek_transmit(pair.now), None, "it is not answered");
    pair.client_sends(1, b"still here");
    assert_eq!((pair.server_reads(), pair.events()), (vec![(1, 10)], vec![]));
}

#[test]
fn an_unreliable_message_that_was_lost_is_skipped() {
    let mut pair = Pair::established();
    pair.server.open(1, reliable());
    let kind = PayloadProtocolIdentifier::Binary;
    pair.client
        .open_stream(1, kind)
        .and_then(|mut stream| stream.set_reliability_params(true, ReliabilityType::Rexmit, 0))
        .expect("as announced");
    pair.client.stream(1).expect("open").write_with_ppi(&[1; 50], kind).expect("it is taken");
    // It never gets there.
    while pair.client.poll_transmit(pair.now).is_some() {}
    pair.client_sends(1, &[2; 60]);
    pair.wait(Duration::from_secs(5));
    assert_eq!(pair.server_reads(), [(1, 60)]);
}
