//! One transport's SCTP association, which its client begins.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::Bytes;
use protocol::sctp::MESSAGE_BYTES_MAX;
use rustc_hash::{FxHashMap, FxHashSet};
use sctp_proto::{
    Association, AssociationHandle, DatagramEvent, Endpoint, EndpointConfig, Event, Payload, PayloadProtocolIdentifier,
    ServerConfig, StreamEvent, TransportConfig,
};

use super::backlog::Backlog;
use super::channel::{Channel, Message};
use super::guard::{Guard, RECEIVE_BUFFER_BYTES, Verdict};
use super::split::split;
use crate::dtls::RECORD_OVERHEAD;
use crate::transmit::DATAGRAM_BYTES_MAX;

/// What may be on its way to a slow client, before messages to it are refused.
const SEND_BUFFER_BYTES: usize = 2 * 1024 * 1024;
const SEND_BUFFER_MESSAGES: usize = 8192;
/// Streams that a client may use without announcing them. What comes on them is thrown away.
const STRANGERS_MAX: usize = 64;
/// Streams that may wait for the client to confirm that they are closed.
const RESETS_MAX: usize = 1280;
/// Packets of the client that are taken in before we may answer; beyond that they are lost.
const UNANSWERED_MAX: usize = 256;
/// libwebrtc's own timeouts. The standard's, a second and more, are for other networks than a media server's.
const RTO_INITIAL_MS: u64 = 500;
const RTO_MIN_MS: u64 = 400;
const RTO_MAX_MS: u64 = 10_000;
const PACKET_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - RECORD_OVERHEAD;
/// What is left for a message beside the common header and the chunk's (RFC 9260 3), in whole words.
const CHUNK_BYTES_MAX: usize = (PACKET_BYTES_MAX - 12 - 16) / 4 * 4;

/// The library wants an address; behind DTLS there is only one peer.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

static ENDPOINT: LazyLock<Arc<EndpointConfig>> = LazyLock::new(|| {
    let mut config = EndpointConfig::new();
    config.max_payload_size(CHUNK_BYTES_MAX as u32);
    Arc::new(config)
});

static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let transport = TransportConfig::default()
        .with_max_send_message_size(MESSAGE_BYTES_MAX)
        .with_max_receive_message_size(MESSAGE_BYTES_MAX)
        .with_max_receive_buffer_size(RECEIVE_BUFFER_BYTES)
        .with_rto_initial_ms(RTO_INITIAL_MS)
        .with_rto_min_ms(RTO_MIN_MS)
        .with_rto_max_ms(RTO_MAX_MS);
    let mut config = ServerConfig::new();
    config.transport = Arc::new(transport);
    Arc::new(config)
});

/// What an association has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SctpEvent {
    /// The client closed an announced channel; its stream is free again.
    Closed(u16),
    /// It is over, with all channels.
    Ended,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// As much is on its way as may be.
    #[error("the send buffer is full")]
    Full,
    /// There is no such channel, or no association any more.
    #[error("the channel is closed")]
    Closed,
}

/// The server's end of an association. Everything that it keeps is bounded, whatever the client does.
#[derive(Default)]
pub(crate) struct SctpAssociation {
    phase: Phase,
    guard: Guard,
    channels: FxHashMap<u16, Open>,
    /// Streams whose close the client has not confirmed.
    closing: FxHashSet<u16>,
    /// The same, counted by the library's events, which may name a stream several times.
    resets: usize,
    strangers: usize,
    /// Of all channels.
    backlog_bytes: usize,
    backlog_messages: usize,
    /// Sent before there was an association.
    early: Vec<(u16, Message)>,
    readable: VecDeque<u16>,
    events: VecDeque<SctpEvent>,
    outgoing: VecDeque<Bytes>,
    unanswered: usize,
}

#[derive(Default)]
enum Phase {
    /// The client has not begun.
    #[default]
    Waiting,
    /// The handshake goes on, or is through.
    Running(Box<Running>),
    Ended,
}

struct Running {
    endpoint: Endpoint,
    handle: AssociationHandle,
    association: Association,
    established: bool,
    drained: bool,
}

struct Open {
    channel: Channel,
    backlog: Backlog,
}

impl SctpAssociation {
    /// Announces a channel.
    pub(crate) fn open(&mut self, stream: u16, channel: Channel) {
        if self.running().is_some_and(|running| running.association.stream(stream).is_ok()) {
            // Its first messages were faster than its announcement.
            self.strangers = self.strangers.saturating_sub(1);
        }
        self.channels.insert(stream, Open { channel, backlog: Backlog::default() });
        if let Some(running) = self.running().filter(|running| running.established) {
            running.open(stream);
        }
    }

    /// Whether a channel can be opened on this stream.
    pub(crate) fn is_free(&mut self, stream: u16) -> bool {
        let used = self.channels.contains_key(&stream) || self.closing.contains(&stream);
        !used && self.running().is_none_or(|running| running.association.stream(stream).is_err())
    }

    /// Whether it is over.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Closes a channel; the client is told as RFC 8831 6.7 says.
    pub(crate) fn close(&mut self, stream: u16) {
        if !self.forget(stream) {
            return;
        }
        let Some(running) = self.running().filter(|running| running.established) else { return };
        if running.association.stream(stream).and_then(|mut stream| stream.close()).is_ok() {
            self.closing.insert(stream);
        }
        self.drain();
    }

    /// Takes in what DTLS brought.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &[u8]) {
        if self.unanswered >= UNANSWERED_MAX || matches!(self.phase, Phase::Ended) {
            return;
        }
        match self.guard.inspect(packet, !self.readable.is_empty()) {
            Verdict::Pass => {}
            Verdict::Drop => return,
            Verdict::Abort => return self.end(),
        }
        self.unanswered += 1;
        let bytes = Bytes::copy_from_slice(packet);
        match &mut self.phase {
            Phase::Waiting => {
                let mut endpoint = Endpoint::new(ENDPOINT.clone(), Some(SERVER.clone()));
                let event = endpoint.handle(now, PEER, None, None, bytes);
                if let Some((handle, DatagramEvent::NewAssociation(association))) = event {
                    // There is one association in the life of a transport's keys.
                    endpoint.reject_new_associations();
                    let running = Running { endpoint, handle, association, established: false, drained: false };
                    self.phase = Phase::Running(Box::new(running));
                }
            }
            Phase::Running(running) => {
                let event = running.endpoint.handle(now, PEER, None, None, bytes);
                if let Some((_, DatagramEvent::AssociationEvent(event))) = event {
                    running.association.handle_event(event);
                }
            }
            Phase::Ended => {}
        }
        self.drain();
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(running) = self.running().filter(|running| running.is_due(now)) {
            running.association.handle_timeout(now);
            self.drain();
        }
    }

    /// When [`SctpAssociation::handle_timeout`] is due next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Running(running) => running.association.poll_timeout(),
            Phase::Waiting | Phase::Ended => None,
        }
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<SctpEvent> {
        self.events.pop_front()
    }

    /// Whether [`SctpAssociation::read`] may give something.
    pub(crate) fn is_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    /// The next whole message and its stream; streams take turns.
    pub(crate) fn read(&mut self) -> Option<(u16, Message)> {
        let received = self.read_chunks();
        // The last message of a channel that was closed behind it lets the close through.
        self.drain();
        received
    }

    fn read_chunks(&mut self) -> Option<(u16, Message)> {
        while let Some(stream) = self.readable.pop_front() {
            let Some(running) = self.running() else { continue };
            let Ok(Some(chunks)) = running.association.stream(stream).and_then(|mut stream| stream.read()) else {
                continue;
            };
            self.readable.push_back(stream);
            self.guard.on_read(chunks.chunks.len());
            let mut bytes = vec![0; chunks.len()];
            if chunks.read(&mut bytes).is_ok() {
                return Some((stream, Message { kind: chunks.ppi, bytes: bytes.into() }));
            }
        }
        None
    }

    /// Sends a message on a channel.
    pub(crate) fn send(&mut self, stream: u16, message: &Message) -> Result<(), SendError> {
        if matches!(self.phase, Phase::Ended) || !self.channels.contains_key(&stream) {
            return Err(SendError::Closed);
        }
        let bytes = message.bytes.len();
        self.settle(stream);
        if self.is_full(bytes) {
            let streams: Vec<u16> = self.channels.keys().copied().collect();
            streams.into_iter().for_each(|stream| self.settle(stream));
            if self.is_full(bytes) {
                return Err(SendError::Full);
            }
        }
        let Some(Open { channel, backlog }) = self.channels.get_mut(&stream) else { return Err(SendError::Closed) };
        match &mut self.phase {
            Phase::Running(running) if running.established => running.write(stream, *channel, message)?,
            _ => self.early.push((stream, message.clone())),
        }
        backlog.push(bytes);
        self.backlog_bytes += bytes;
        self.backlog_messages += 1;
        Ok(())
    }

    fn is_full(&self, more: usize) -> bool {
        self.backlog_bytes + more > SEND_BUFFER_BYTES || self.backlog_messages >= SEND_BUFFER_MESSAGES
    }

    /// Forgets of a channel's backlog what has arrived.
    fn settle(&mut self, stream: u16) {
        let Phase::Running(running) = &mut self.phase else { return };
        if !running.established {
            return;
        }
        let Some(Open { backlog, .. }) = self.channels.get_mut(&stream) else { return };
        let (bytes, messages) = (backlog.bytes(), backlog.messages());
        let buffered = running.association.stream(stream).and_then(|stream| stream.buffered_amount());
        backlog.settle(buffered.unwrap_or(0));
        self.backlog_bytes -= bytes - backlog.bytes();
        self.backlog_messages -= messages - backlog.messages();
    }

    /// The next packet for DTLS, which stays the next until [`SctpAssociation::advance`].
    pub(crate) fn peek_transmit(&mut self, now: Instant) -> Option<&Bytes> {
        if self.outgoing.is_empty() {
            self.unanswered = 0;
            let Phase::Running(running) = &mut self.phase else { return None };
            while let Some(transmit) = running.association.poll_transmit(now) {
                if let Payload::RawEncode(packets) = transmit.payload {
                    packets.iter().for_each(|packet| self.guard.on_transmit(packet));
                    for packet in packets {
                        split(packet, PACKET_BYTES_MAX, |part| self.outgoing.push_back(part));
                    }
                }
            }
        }
        self.outgoing.front()
    }

    /// Forgets the packet that was sent.
    pub(crate) fn advance(&mut self) {
        self.outgoing.pop_front();
    }

    fn running(&mut self) -> Option<&mut Running> {
        match &mut self.phase {
            Phase::Running(running) => Some(running),
            Phase::Waiting | Phase::Ended => None,
        }
    }

    /// Takes what the library has to say, until it says nothing more.
    fn drain(&mut self) {
        loop {
            let Phase::Running(running) = &mut self.phase else { return };
            running.drain_endpoint();
            match running.association.poll() {
                None => return,
                Some(Event::Connected) => {
                    running.established = true;
                    self.channels.keys().for_each(|stream| running.open(*stream));
                    self.send_early();
                }
                Some(Event::HandshakeFailed { .. } | Event::AssociationLost { .. }) => return self.end(),
                Some(Event::Stream(event)) => self.handle_stream(&event),
                Some(_) => {}
            }
            if self.strangers > STRANGERS_MAX || self.resets > RESETS_MAX {
                return self.end();
            }
        }
    }

    fn handle_stream(&mut self, event: &StreamEvent) {
        match *event {
            StreamEvent::Opened { id } => self.strangers += usize::from(!self.channels.contains_key(&id)),
            StreamEvent::Readable { id } if !self.readable.contains(&id) => self.readable.push_back(id),
            StreamEvent::Finished { id } => {
                self.resets += 1;
                if self.forget(id) {
                    self.closing.insert(id);
                    self.events.push_back(SctpEvent::Closed(id));
                } else if !self.closing.contains(&id) {
                    self.strangers = self.strangers.saturating_sub(1);
                }
            }
            StreamEvent::ResetComplete { id } => {
                self.resets = self.resets.saturating_sub(1);
                self.closing.remove(&id);
            }
            // The stream is not used again.
            StreamEvent::ResetFailed { .. } => self.resets = self.resets.saturating_sub(1),
            _ => {}
        }
    }

    fn send_early(&mut self) {
        for (stream, message) in std::mem::take(&mut self.early) {
            if let (Phase::Running(running), Some(open)) = (&mut self.phase, self.channels.get(&stream)) {
                // It fails only where the stream is closed already, and then nobody waits for it.
                let _ = running.write(stream, open.channel, &message);
            }
        }
    }

    /// Forgets a channel; false if there is none.
    fn forget(&mut self, stream: u16) -> bool {
        let Some(Open { backlog, .. }) = self.channels.remove(&stream) else { return false };
        self.backlog_bytes -= backlog.bytes();
        self.backlog_messages -= backlog.messages();
        self.early.retain(|(other, _)| *other != stream);
        true
    }

    fn end(&mut self) {
        let events = std::mem::take(&mut self.events);
        *self = Self { phase: Phase::Ended, events, ..Self::default() };
        self.events.push_back(SctpEvent::Ended);
    }
}

impl Running {
    fn is_due(&self, now: Instant) -> bool {
        self.association.poll_timeout().is_some_and(|at| at <= now)
    }

    fn drain_endpoint(&mut self) {
        while let Some(event) = self.association.poll_endpoint_event() {
            // The library has no place for the second time that it is told of.
            if event.is_drained() && std::mem::replace(&mut self.drained, true) {
                continue;
            }
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.association.handle_event(event);
            }
        }
        // Streams are announced by signalling, so nobody accepts them.
        while self.association.accept_stream().is_some() {}
    }

    /// The library notices the close of streams that it knows, whether or not anything was sent.
    fn open(&mut self, stream: u16) {
        // It fails where the client was faster, and then there is the stream already.
        let _ = self.association.open_stream(stream, PayloadProtocolIdentifier::Binary);
    }

    fn write(&mut self, stream: u16, channel: Channel, message: &Message) -> Result<(), SendError> {
        let Ok(mut stream) = self.association.stream(stream) else { return Err(SendError::Closed) };
        let (limit, value) = channel.limit();
        let written = stream
            .set_reliability_params(!channel.ordered, limit, value)
            .and_then(|()| stream.set_default_payload_type(message.kind))
            .and_then(|()| stream.write_chunks(&mut [message.bytes.clone()]));
        written.map(|_| ()).map_err(|_| SendError::Closed)
    }
}

#[cfg(test)]
mod tests;
