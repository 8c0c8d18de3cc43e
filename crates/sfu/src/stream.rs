//! An incoming stream: one SSRC of one producer, its ring and everything that is known of its arrival.

use std::time::Instant;

use protocol::MediaKind;

use crate::clock::{MediaClock, Micros, SenderClock};
use crate::codec::Codec;
use crate::keyframe::KeyframeGate;
use crate::keys::{ProducerKey, TransportKey};
use crate::nack::NackGenerator;
use crate::rate::RateMeter;
use crate::reception::Reception;
use crate::ring::{PacketInfo, Ring, TWO_BYTE_TAIL};
use crate::rtp::{AbsCaptureTime, AudioLevel, Extension, ExtensionBlock, ExtensionMap, RtpHeader};
use crate::sequence::SequenceMap;

/// Longest payload that is taken, so that it fits a datagram again with our header and the tag.
const PAYLOAD_BYTES_MAX: usize = 1_400;
/// Room for the header extension elements that are passed on: the dependency descriptor of a keyframe with three
/// spatial and three temporal layers takes 97 bytes.
const TAIL_BYTES_MAX: usize = 160;

/// One incoming stream.
pub(crate) struct Stream {
    pub(crate) producer: ProducerKey,
    /// The transport it comes from.
    pub(crate) transport: TransportKey,
    pub(crate) kind: MediaKind,
    codec: Codec,
    /// Another worker sends it, whose clock the capture times of its publisher are not.
    pub(crate) piped: bool,
    /// Known from the start, or from the first packet with the encoding's rid.
    pub(crate) ssrc: Option<u32>,
    pub(crate) rid: Option<String>,
    pub(crate) ring: Ring,
    pub(crate) sequence: SequenceMap,
    pub(crate) media_clock: MediaClock,
    pub(crate) reception: Reception,
    pub(crate) rate: RateMeter,
    /// Of pictures, and of sound from another worker.
    pub(crate) nack: Option<NackGenerator>,
    pub(crate) gate: KeyframeGate,
    /// It is among those of its transport that lack something.
    pub(crate) lacking: bool,
    /// It comes: see `worker::layers`.
    pub(crate) active: bool,
    pub(crate) last_packet: Option<Instant>,
    /// Since when something is to come: it was published, or unmuted.
    pub(crate) expected_since: Instant,
    /// Packet numbers that the publisher was asked for again.
    pub(crate) nacks_sent: u64,
    /// Keyframes that the publisher was asked for.
    pub(crate) keyframe_requests_sent: u64,
    /// Waiting in the fan-out.
    pub(crate) queued: bool,
    /// Waiting for more of its frame, at most until then.
    pub(crate) gathers_until: Option<Micros>,
    /// The RTP timestamp of the newest keyframe.
    keyframe_timestamp: Option<u32>,
}

/// A decrypted packet.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) now: Instant,
    /// The same on the worker's clock.
    pub(crate) now_us: Micros,
    /// Extended; of a retransmission, the original's.
    pub(crate) sequence: u64,
    pub(crate) header: &'a RtpHeader,
    /// All of it, for the header extensions.
    pub(crate) packet: &'a [u8],
    /// Without a retransmission's first two bytes, but with padding.
    pub(crate) payload: &'a [u8],
}

/// What came of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is in the ring. `keyframe`: one of a picture begins with it. `level` is its audio level in dBov, where it
    /// carries one.
    Packet { keyframe: bool, level: Option<i8> },
    /// It had come already, or is too old.
    Duplicate,
    /// It only filled the publisher's bitrate and is left out.
    Padding,
    /// It cannot be forwarded.
    Unusable,
}

impl Stream {
    /// A stream that nothing has come from yet.
    pub(crate) fn new(
        now: Instant,
        producer: ProducerKey,
        transport: TransportKey,
        kind: MediaKind,
        codec: Codec,
    ) -> Self {
        let nack = (kind == MediaKind::Video).then(NackGenerator::default);
        Self {
            producer,
            transport,
            kind,
            codec,
            piped: false,
            ssrc: None,
            rid: None,
            ring: ring(kind),
            sequence: SequenceMap::default(),
            media_clock: MediaClock::new(codec.clock_rate()),
            reception: Reception::new(codec.clock_rate()),
            rate: RateMeter::default(),
            nack,
            gate: KeyframeGate::new(now),
            lacking: false,
            active: false,
            last_packet: None,
            expected_since: now,
            nacks_sent: 0,
            keyframe_requests_sent: 0,
            queued: false,
            gathers_until: None,
            keyframe_timestamp: None,
        }
    }

    /// Another worker sends it, and sends again what is `repaired` on the way.
    pub(crate) fn come_by_pipe(&mut self, repaired: bool) {
        self.piped = true;
        if repaired {
            // Sound too: between workers it is worth a round trip, which is much shorter than to a client as a rule.
            self.nack.get_or_insert_default();
        }
    }

    /// Takes in a decrypted packet.
    pub(crate) fn store(&mut self, arrived: &Arrived<'_>, extensions: &ExtensionMap, sender: &SenderClock) -> Stored {
        let &Arrived { now, now_us, sequence, header, packet, payload } = arrived;
        let Some(payload) = header.padding_bytes(payload).and_then(|padding| payload.get(..payload.len() - padding))
        else {
            return Stored::Unusable;
        };
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Stored::Unusable;
        }
        if !self.sequence.insert(sequence) {
            return Stored::Duplicate;
        }
        if payload.is_empty() && self.sequence.drop_newest(sequence) {
            return Stored::Padding;
        }

        let mut tail = Tail::new(header.extension.is_some_and(ExtensionBlock::is_two_byte));
        let mut level = None;
        let mut captured = None;
        for (id, value) in header.extensions(packet) {
            let Some(extension) = extensions.extension(id) else { continue };
            match extension {
                Extension::AudioLevel => level = AudioLevel::parse(value).map(|level| -(level.level as i8)),
                Extension::AbsCaptureTime => captured = AbsCaptureTime::parse(value),
                _ => {}
            }
            tail.push(extension, value);
        }

        self.rate.on_packet(now_us, payload.len());
        let starts_keyframe = self.codec.is_keyframe(payload);
        if starts_keyframe && self.kind == MediaKind::Video {
            self.keyframe_timestamp = Some(header.timestamp);
            self.gate.on_keyframe();
        }
        let in_keyframe = self.keyframe_timestamp == Some(header.timestamp);
        self.gate.on_packet(now, payload.len(), in_keyframe);

        let estimate = self.media_clock.capture(now_us, header.timestamp, sender);
        let capture_us = match (captured, sender.offset()) {
            (Some(captured), Some(offset)) if !self.piped => captured.capture.to_unix().as_micros() as i64 + offset,
            _ => estimate,
        };
        let info = PacketInfo {
            sequence: self.sequence.map(sequence),
            timestamp: header.timestamp,
            capture_us,
            marker: header.marker,
            keyframe: starts_keyframe,
            picture: self.codec.picture_numbers(payload),
            extensions: tail.extensions,
        };
        match self.ring.push(info, tail.bytes(), payload) {
            // Each packet of sound is one, and makes up for none before it.
            Some(_) => Stored::Packet { keyframe: starts_keyframe && self.kind == MediaKind::Video, level },
            None => Stored::Unusable,
        }
    }
}

/// The ring of a stream of this kind.
pub(crate) fn ring(kind: MediaKind) -> Ring {
    match kind {
        MediaKind::Audio => Ring::new(64 * 1024, 256),
        MediaKind::Video => Ring::new(512 * 1024, 1024),
    }
}

/// The header extension elements that are passed on, in the form in which they came, with the router's ids.
struct Tail {
    buffer: [u8; TAIL_BYTES_MAX],
    used: usize,
    extensions: u16,
}

impl Tail {
    fn new(two_byte: bool) -> Self {
        Self { buffer: [0; TAIL_BYTES_MAX], used: 0, extensions: if two_byte { TWO_BYTE_TAIL } else { 0 } }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.used]
    }

    fn push(&mut self, extension: Extension, value: &[u8]) {
        let id = extension.router_id();
        if extension.is_of_one_way() || self.extensions >> id & 1 == 1 {
            return;
        }
        let head = match (self.extensions & TWO_BYTE_TAIL != 0, u8::try_from(value.len())) {
            (true, Ok(bytes)) => &[id, bytes][..],
            (false, Ok(bytes @ 1..=16)) => &[id << 4 | (bytes - 1)],
            _ => return,
        };
        let end = self.used + head.len() + value.len();
        let Some(element) = self.buffer.get_mut(self.used..end) else { return };
        element[..head.len()].copy_from_slice(head);
        element[head.len()..].copy_from_slice(value);
        self.used = end;
        self.extensions |= 1 << id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_form_in_which_its_elements_came() {
        let mut tail = Tail::new(false);
        tail.push(Extension::DependencyDescriptor, &[1; 16]);
        tail.push(Extension::VideoOrientation, &[2; 17]);
        assert_eq!(tail.bytes(), [&[0x7f][..], &[1; 16]].concat(), "one that does not fit the form is left out");
        assert_eq!(tail.extensions, 1 << 7);

        let mut tail = Tail::new(true);
        tail.push(Extension::Mid, b"0");
        tail.push(Extension::DependencyDescriptor, &[1; 97]);
        tail.push(Extension::VideoOrientation, &[2]);
        tail.push(Extension::PlayoutDelay, &[3; 97]);
        assert_eq!(tail.bytes(), [&[7, 97][..], &[1; 97], &[8, 1, 2]].concat(), "and what there is no room for");
        assert_eq!(tail.extensions, 1 << 7 | 1 << 8 | TWO_BYTE_TAIL);
    }
}
