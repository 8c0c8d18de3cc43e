//! The RTP header that a consumer's packets get: a block of extensions that every packet carries, patched in
//! place, then those of the packet that the receiver takes.

use arrayvec::ArrayVec;

use super::ConsumerFormat;
use crate::ring::{StoredPacket, TWO_BYTE_TAIL};
use crate::rtp::{self, Extension};

/// Longest block of header extensions that every packet carries: mid (17), transport-cc (3), abs-send-time (4).
const FIXED_EXTENSIONS_MAX: usize = 24;
/// More than a block of header extensions in two-byte form takes: the fixed ones, and a tail of at most 255 bytes.
const LONG_BLOCK_MAX: usize = 320;

/// Writes the headers of one consumer.
#[derive(Debug)]
pub(crate) struct HeaderWriter {
    fixed: ArrayVec<u8, FIXED_EXTENSIONS_MAX>,
    transport_cc_at: Option<usize>,
    abs_send_time_at: Option<usize>,
    /// Which header extensions of the packet are passed on, a bit per router id.
    passed: u16,
}

impl HeaderWriter {
    pub(super) fn new(format: &ConsumerFormat) -> Self {
        let mut fixed = ArrayVec::new();
        let mut element = |extension: Extension, value: &[u8]| {
            let header = extension.router_id() << 4 | (value.len() - 1) as u8;
            if fixed.try_push(header).is_err() || fixed.try_extend_from_slice(value).is_err() {
                return None;
            }
            Some(fixed.len() - value.len())
        };
        if let Some(mid) = format.mid.as_deref().filter(|mid| (1..=16).contains(&mid.len())) {
            element(Extension::Mid, mid.as_bytes());
        }
        let transport_cc_at = format.transport_cc.then(|| element(Extension::TransportCc, &[0; 2])).flatten();
        let abs_send_time_at = format.abs_send_time.then(|| element(Extension::AbsSendTime, &[0; 3])).flatten();
        Self { fixed, transport_cc_at, abs_send_time_at, passed: format.extensions }
    }

    /// How many bytes the RTP header of a packet takes.
    pub(crate) fn bytes(&self, packet: &StoredPacket<'_>) -> usize {
        if is_long(packet) {
            return 12 + self.write_long_block(&mut [0; LONG_BLOCK_MAX], packet, [0; 2], [0; 3]);
        }
        let elements = self.fixed.len() + self.tail_bytes(packet);
        if elements == 0 { 12 } else { 16 + elements.next_multiple_of(4) }
    }

    /// Writes the RTP header of a packet, as long as [`HeaderWriter::bytes`] says, and gives its length.
    /// `transport_cc` and `abs_send_time` go where the receiver wants them.
    pub(crate) fn write(&self, out: &mut [u8], packet: &StoredPacket<'_>, fields: &HeaderFields) -> usize {
        let long = is_long(packet);
        let elements = if long { 0 } else { self.fixed.len() + self.tail_bytes(packet) };
        let extended = elements > 0;
        out[0] = 0x80 | u8::from(fields.padded) << 5 | u8::from(extended) << 4;
        out[1] = u8::from(packet.info.marker) << 7 | fields.payload_type;
        out[2..4].copy_from_slice(&(fields.sequence as u16).to_be_bytes());
        out[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
        if long {
            let [_, abs_send_time @ ..] = fields.abs_send_time.to_be_bytes();
            let block = self.write_long_block(&mut out[12..], packet, fields.transport_cc.to_be_bytes(), abs_send_time);
            out[0] |= u8::from(block > 0) << 4;
            return 12 + block;
        }
        if !extended {
            return 12;
        }
        let block = elements.next_multiple_of(4);
        out[12..14].copy_from_slice(&[0xBE, 0xDE]);
        out[14..16].copy_from_slice(&((block / 4) as u16).to_be_bytes());
        out[16..16 + self.fixed.len()].copy_from_slice(&self.fixed);
        if let Some(at) = self.transport_cc_at {
            out[16 + at..18 + at].copy_from_slice(&fields.transport_cc.to_be_bytes());
        }
        if let Some(at) = self.abs_send_time_at {
            out[16 + at..19 + at].copy_from_slice(&fields.abs_send_time.to_be_bytes()[1..]);
        }
        let tail_at = 16 + self.fixed.len();
        let end = self.write_tail(out, tail_at, packet);
        out[end..16 + block].fill(0);
        16 + block
    }

    /// Writes the extension block of a packet that came with elements in two-byte form, and gives its length. The
    /// only such packets are the first of keyframes with temporal or spatial layers, so this may take longer.
    fn write_long_block(
        &self,
        out: &mut [u8],
        packet: &StoredPacket<'_>,
        transport_cc: [u8; 2],
        abs_send_time: [u8; 3],
    ) -> usize {
        let fixed = rtp::elements(rtp::ONE_BYTE_PROFILE, &self.fixed).map(|(id, value)| match id {
            id if id == Extension::TransportCc.router_id() => (id, &transport_cc[..]),
            id if id == Extension::AbsSendTime.router_id() => (id, &abs_send_time[..]),
            _ => (id, value),
        });
        let tail = rtp::elements(rtp::TWO_BYTE_PROFILE, packet.tail).filter(|&(id, _)| self.takes(id));
        rtp::write_extensions(out, fixed.chain(tail)).unwrap_or(0)
    }

    fn passes_all(&self, packet: &StoredPacket<'_>) -> bool {
        packet.info.extensions & !self.passed == 0
    }

    fn tail_bytes(&self, packet: &StoredPacket<'_>) -> usize {
        if self.passes_all(packet) {
            return packet.tail.len();
        }
        elements(packet.tail).filter(|&(id, _)| self.takes(id)).map(|(_, element)| element.len()).sum()
    }

    fn write_tail(&self, out: &mut [u8], mut at: usize, packet: &StoredPacket<'_>) -> usize {
        if self.passes_all(packet) {
            out[at..at + packet.tail.len()].copy_from_slice(packet.tail);
            return at + packet.tail.len();
        }
        for (_, element) in elements(packet.tail).filter(|&(id, _)| self.takes(id)) {
            out[at..at + element.len()].copy_from_slice(element);
            at += element.len();
        }
        at
    }

    fn takes(&self, id: u8) -> bool {
        self.passed >> id & 1 == 1
    }
}

fn is_long(packet: &StoredPacket<'_>) -> bool {
    packet.info.extensions & TWO_BYTE_TAIL != 0
}

/// The parts of an RTP header that differ between a packet and its retransmission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderFields {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) padded: bool,
    pub(crate) transport_cc: u16,
    /// 24 bits of 6.18 fixed-point seconds.
    pub(crate) abs_send_time: u32,
}

/// The one-byte-form elements of a stored tail, each with its header byte. The ring holds only what
/// `crate::stream` wrote there, so the form is right.
fn elements(tail: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = tail;
    std::iter::from_fn(move || {
        let header = *rest.first()?;
        let (element, after) = rest.split_at_checked(2 + usize::from(header & 0x0f))?;
        rest = after;
        Some((header >> 4, element))
    })
}
