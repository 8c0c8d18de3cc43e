//! From one association to the others, and to the network.
//!
//! Nothing is queued between: a message waits in the association that it came by, whose window then closes, until
//! there is time for it, and packets wait in the association that they leave by until there is room for them.

use std::time::Instant;

use protocol::sctp::DataConsumerCloseReason;
use sctp_proto::PayloadProtocolIdentifier;

use super::{DataProducer, Use, transport_data};
use crate::keys::{DataProducerKey, TransportKey};
use crate::sctp::{SctpEvent, SendError};
use crate::transmit::{DATAGRAM_BYTES_MAX, MESSAGE_BYTES_MAX, SEGMENTS_MAX, SendBatch};
use crate::transport::Peer;
use crate::worker::Worker;

/// What is given to data consumers before media is looked at again, in bytes. A message costs [`SEND_COST`] more.
const FORWARD_MAX: usize = 512 * 1024;
/// What sending a message costs beside its bytes, as measured in bytes that cost as much.
const SEND_COST: usize = 512;

impl Worker {
    /// Takes in so many bytes of the scratch buffer that DTLS brought.
    pub(in crate::worker) fn handle_sctp(&mut self, now: Instant, key: TransportKey, bytes: usize) {
        let Some(data) = transport_data(&mut self.transports, key) else { return };
        data.sctp.handle_packet(now, &self.scratch[..bytes]);
        self.poll_data(now, key);
    }

    /// Lets time pass for a transport's association.
    pub(in crate::worker) fn handle_data_timeout(&mut self, now: Instant, key: TransportKey) {
        let Some(data) = transport_data(&mut self.transports, key) else { return };
        data.sctp.handle_timeout(now);
        self.poll_data(now, key);
    }

    /// Writes what data channels have to send, and gives received messages to their consumers; false when the batch
    /// is full.
    pub(in crate::worker) fn write_data(&mut self, now: Instant, batch: &mut SendBatch) -> bool {
        let mut budget = FORWARD_MAX;
        self.data.waiting_since = None;
        loop {
            while let Some(&key) = self.data.to_be_written.front() {
                if !self.write_packets(now, key, batch) {
                    return false;
                }
                self.data.to_be_written.pop_front();
                if let Some(data) = transport_data(&mut self.transports, key) {
                    data.to_be_written = false;
                }
            }
            let Some(key) = self.data.to_be_read.pop_front() else { return true };
            if budget == 0 {
                self.data.to_be_read.push_front(key);
                self.data.waiting_since = Some(now);
                return true;
            }
            self.read_messages(now, key, &mut budget);
        }
    }

    /// Has the transport's packets written in this turn.
    pub(in crate::worker) fn write_data_later(&mut self, key: TransportKey) {
        let Some(data) = transport_data(&mut self.transports, key) else { return };
        if !std::mem::replace(&mut data.to_be_written, true) {
            self.data.to_be_written.push_back(key);
        }
    }

    fn read_data_later(&mut self, key: TransportKey) {
        let Some(data) = transport_data(&mut self.transports, key) else { return };
        if !std::mem::replace(&mut data.to_be_read, true) {
            self.data.to_be_read.push_back(key);
        }
    }

    /// Carries out what an association has to say.
    fn poll_data(&mut self, now: Instant, key: TransportKey) {
        loop {
            let Some(data) = transport_data(&mut self.transports, key) else {
                return;
            };
            match data.sctp.poll_event() {
                Some(SctpEvent::Closed(stream)) => match data.streams.remove(&stream) {
                    Some(Use::Producer(producer)) => self.end_data_producer(producer),
                    Some(Use::Consumer(consumer)) => {
                        self.end_data_consumer(consumer, DataConsumerCloseReason::ChannelClosed);
                    }
                    None => {}
                },
                Some(SctpEvent::Ended) => self.end_data(key, Some(DataConsumerCloseReason::AssociationClosed)),
                None => {
                    let (readable, timeout) = (data.sctp.is_readable(), data.sctp.poll_timeout());
                    if readable {
                        self.read_data_later(key);
                    }
                    self.write_data_later(key);
                    if let Some(at) = timeout {
                        self.schedule(key, at.max(now));
                    }
                    return;
                }
            }
        }
    }

    /// Gives a transport's messages to their consumers, as far as the budget goes.
    fn read_messages(&mut self, now: Instant, key: TransportKey, budget: &mut usize) {
        loop {
            let Some(data) = transport_data(&mut self.transports, key) else {
                return;
            };
            let mut producers = data.streams.values().filter_map(|used| match used {
                Use::Producer(producer) => Some(*producer),
                Use::Consumer(_) => None,
            });
            let unfinished = producers.find(|producer| self.data.producers[producer.0].forwarding.is_some());
            if let Some(producer) = unfinished {
                if !self.forward(producer, budget) {
                    // The next turn goes on here.
                    return self.data.to_be_read.push_front(key);
                }
                continue;
            }
            let Some((stream, message)) = data.sctp.read() else {
                data.to_be_read = false;
                // Reading opens the window and lets the close of a channel through.
                return self.poll_data(now, key);
            };
            let known = matches!(
                message.kind,
                PayloadProtocolIdentifier::String
                    | PayloadProtocolIdentifier::StringEmpty
                    | PayloadProtocolIdentifier::Binary
                    | PayloadProtocolIdentifier::BinaryEmpty
            );
            let Some(&Use::Producer(producer)) = data.streams.get(&stream).filter(|_| known) else {
                self.stats.data_messages_unannounced += 1;
                continue;
            };
            self.stats.data_messages_in += 1;
            self.stats.data_bytes_in += message.bytes.len() as u64;
            self.data.producers[producer.0].forwarding = Some((message, 0));
        }
    }

    /// Gives a data producer's message to its consumers; false when the budget was used up before the last.
    fn forward(&mut self, key: DataProducerKey, budget: &mut usize) -> bool {
        loop {
            let DataProducer { consumers, forwarding, .. } = &mut self.data.producers[key.0];
            let Some((message, done)) = forwarding else { return true };
            let Some(&consumer_key) = consumers.get(*done) else {
                *forwarding = None;
                return true;
            };
            if *budget == 0 {
                return false;
            }
            *done += 1;
            let consumer = &self.data.consumers[consumer_key.0];
            if consumer.paused {
                continue;
            }
            *budget = budget.saturating_sub(message.bytes.len() + SEND_COST);
            let (transport, reliable) = (consumer.transport, consumer.channel.is_reliable());
            let data = transport_data(&mut self.transports, transport);
            match data.map_or(Err(SendError::Closed), |data| data.sctp.send(consumer.stream, message)) {
                Ok(()) => {
                    self.stats.data_messages_out += 1;
                    self.stats.data_bytes_out += message.bytes.len() as u64;
                    self.write_data_later(transport);
                }
                // A reliable channel with a gap would be a lie, and one that waits would keep all others waiting.
                Err(SendError::Full) if reliable => {
                    self.stats.data_consumers_overrun += 1;
                    self.end_data_consumer(consumer_key, DataConsumerCloseReason::SendBufferFull);
                }
                Err(SendError::Full | SendError::Closed) => self.stats.data_messages_dropped += 1,
            }
        }
    }

    /// Seals a transport's packets into the batch; false when it is full.
    fn write_packets(&mut self, now: Instant, key: TransportKey, batch: &mut SendBatch) -> bool {
        let Some(transport) = self.transports.get_mut(key.0) else { return true };
        let (Some(path), Some(data), Peer::Client(client)) =
            (transport.path(), &mut transport.data, &mut transport.peer)
        else {
            return true;
        };
        if transport.egress.as_ref().is_some_and(|egress| egress.blocked) {
            // What the path does not take waits in the association, and is written when it takes something again.
            return true;
        }
        while data.sctp.peek_transmit(now).is_some() {
            let room = batch.room().min(MESSAGE_BYTES_MAX);
            if room < DATAGRAM_BYTES_MAX {
                return false;
            }
            // Packets of one size leave as one message, of which the last may be shorter.
            let (mut used, mut segment, mut plain) = (0, 0, 0);
            for _ in 0..SEGMENTS_MAX {
                let Some(packet) = data.sctp.peek_transmit(now) else { break };
                if used > 0 && packet.len() > plain || room - used < DATAGRAM_BYTES_MAX {
                    break;
                }
                let length = packet.len();
                let sealed = client.dtls.seal(now, packet, &mut batch.spare()[used..used + DATAGRAM_BYTES_MAX]);
                data.sctp.advance();
                // Acknowledgements of many gaps may not fit; they are lost, and shorter the next time.
                let Some(bytes) = sealed else { continue };
                let last = used > 0 && length < plain;
                (plain, segment) = (length, segment.max(bytes));
                used += bytes;
                if last {
                    break;
                }
            }
            if used > 0 {
                batch.commit(path, used, segment);
            }
        }
        if let Some(at) = data.sctp.poll_timeout() {
            self.schedule(key, at);
        }
        true
    }
}
