//! Transport-wide congestion control feedback, read (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

use std::time::Duration;

use super::take_u32;

/// The unit of arrival times and their deltas.
pub const TICK: Duration = Duration::from_micros(250);
/// The unit of the reference time: 64 ms.
pub(super) const REFERENCE_TICKS: i64 = 256;

pub(super) const CHUNK_BYTES: usize = 2;
pub(super) const RUN_LENGTH_MAX: u16 = 0x1fff;
pub(super) const ONE_BIT_SYMBOLS: u16 = 14;
pub(super) const TWO_BIT_SYMBOLS: u16 = 7;

pub(super) const SYMBOL_MISSING: u16 = 0;
pub(super) const SYMBOL_SMALL_DELTA: u16 = 1;
pub(super) const SYMBOL_LARGE_DELTA: u16 = 2;

/// When, and whether, the packets of a transport arrived.
#[derive(Debug, Clone, Copy)]
pub struct TransportCc<'a> {
    /// Who reports.
    pub sender_ssrc: u32,
    /// A stream of the transport.
    pub media_ssrc: u32,
    /// The first transport-wide sequence number reported.
    pub base_sequence: u16,
    /// How many numbers are reported.
    pub status_count: u16,
    /// The time that the first delta is added to, in 64 ms of the reporter's clock, 24 bits signed.
    pub reference_time: i32,
    /// Counts feedback packets, so that a lost one shows.
    pub feedback_count: u8,
    chunks: &'a [[u8; CHUNK_BYTES]],
    deltas: &'a [u8],
}

/// What became of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketStatus {
    /// Its transport-wide sequence number.
    pub sequence: u16,
    /// When it arrived, in [`TICK`]s of the reporter's clock; `None` when it did not.
    pub arrival_ticks: Option<i64>,
}

impl<'a> TransportCc<'a> {
    /// Refuses what does not have all the chunks and deltas that it announces, or has a reserved status.
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let sender_ssrc = take_u32(&mut body)?;
        let media_ssrc = take_u32(&mut body)?;
        let ([b0, b1, c0, c1, r0, r1, r2, feedback_count], rest) = body.split_first_chunk()?;
        let status_count = u16::from_be_bytes([*c0, *c1]);
        let (mut chunks, mut delta_bytes, mut left) = (0, 0, status_count);
        let all = rest.as_chunks().0;
        while left > 0 {
            let chunk = Chunk::new(*all.get(chunks)?);
            let covered = chunk.symbols.min(left);
            delta_bytes += chunk.delta_bytes(covered)?;
            chunks += 1;
            left -= covered;
        }
        let (_, deltas) = rest.split_at_checked(chunks * CHUNK_BYTES)?;
        Some(Self {
            sender_ssrc,
            media_ssrc,
            base_sequence: u16::from_be_bytes([*b0, *b1]),
            status_count,
            // The lower byte is shifted out again, which extends the sign.
            reference_time: i32::from_be_bytes([*r0, *r1, *r2, 0]) >> 8,
            feedback_count: *feedback_count,
            chunks: all.get(..chunks)?,
            deltas: deltas.get(..delta_bytes)?,
        })
    }

    /// What became of each packet, in order.
    pub fn packets(&self) -> impl Iterator<Item = PacketStatus> {
        let symbols = self.chunks.iter().flat_map(|bytes| Chunk::new(*bytes).iter());
        let mut ticks = i64::from(self.reference_time) * REFERENCE_TICKS;
        let mut deltas = self.deltas;
        (0..self.status_count).zip(symbols).map(move |(offset, symbol)| {
            let sequence = self.base_sequence.wrapping_add(offset);
            let arrival_ticks = take_delta(&mut deltas, symbol).map(|delta| {
                ticks += delta;
                ticks
            });
            PacketStatus { sequence, arrival_ticks }
        })
    }
}

fn take_delta(deltas: &mut &[u8], symbol: u16) -> Option<i64> {
    match (symbol, *deltas) {
        (SYMBOL_SMALL_DELTA, [delta, rest @ ..]) => {
            *deltas = rest;
            Some(i64::from(*delta))
        }
        (SYMBOL_LARGE_DELTA, [d0, d1, rest @ ..]) => {
            *deltas = rest;
            Some(i64::from(i16::from_be_bytes([*d0, *d1])))
        }
        _ => None,
    }
}

/// A status chunk: a run of one symbol, 14 symbols of one bit or 7 of two.
#[derive(Clone, Copy)]
struct Chunk {
    bits: u16,
    symbols: u16,
    symbol_bits: u16,
}

impl Chunk {
    fn new(bytes: [u8; CHUNK_BYTES]) -> Self {
        let bits = u16::from_be_bytes(bytes);
        let (symbols, symbol_bits) = match bits >> 14 {
            0b10 => (ONE_BIT_SYMBOLS, 1),
            0b11 => (TWO_BIT_SYMBOLS, 2),
            _ => (bits & RUN_LENGTH_MAX, 0),
        };
        Self { bits, symbols, symbol_bits }
    }

    fn symbol(self, index: u16) -> u16 {
        match self.symbol_bits {
            0 => self.bits >> 13,
            1 => self.bits >> (13 - index) & 1,
            _ => self.bits >> (12 - 2 * index) & 3,
        }
    }

    fn iter(self) -> impl Iterator<Item = u16> {
        (0..self.symbols).map(move |index| self.symbol(index))
    }

    /// How many bytes of deltas the first `count` symbols call for; `None` if one is reserved.
    fn delta_bytes(self, count: u16) -> Option<usize> {
        let bytes = |symbol| if symbol > SYMBOL_LARGE_DELTA { None } else { Some(usize::from(symbol)) };
        match self.symbol_bits {
            0 => bytes(self.symbol(0)).map(|each| each * usize::from(count)),
            _ => (0..count).map(|index| bytes(self.symbol(index))).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    fn parse(packet: &[u8]) -> Option<TransportCc<'_>> {
        match packets(packet).next() {
            Some(RtcpPacket::TransportCc(feedback)) => Some(feedback),
            _ => None,
        }
    }

    fn deltas_us(feedback: &TransportCc<'_>) -> Vec<Option<i64>> {
        let mut last = i64::from(feedback.reference_time) * REFERENCE_TICKS;
        let mut delta = |ticks| (ticks - std::mem::replace(&mut last, ticks)) * 250;
        feedback.packets().map(|packet| packet.arrival_ticks.map(&mut delta)).collect()
    }

    #[test]
    fn chunks_are_read_as_the_draft_shows_them() {
        let run = Chunk::new([0x00, 0xdd]);
        assert!(run.iter().eq(std::iter::repeat_n(SYMBOL_MISSING, 221)));
        let one_bit = Chunk::new([0x9f, 0x1c]);
        assert!(one_bit.iter().eq([0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0]));
        let two_bits = Chunk::new([0xcd, 0x50]);
        assert!(two_bits.iter().eq([0, 3, 1, 1, 1, 0, 0]));
    }

    #[test]
    fn a_captured_packet_of_one_bit_symbols_is_read() {
        let packet = [
            0x8f, 0xcd, 0x00, 0x07, 0xfa, 0x17, 0xfa, 0x17, 0x09, 0xfa, 0xff, 0x67, 0x00, 0x27, 0x00, 0x0d, 0x5f, 0xc2,
            0xf1, 0x03, 0xbf, 0x8e, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1c, 0x04, 0x00,
        ];
        let feedback = parse(&packet).expect("feedback");
        assert_eq!((feedback.sender_ssrc, feedback.media_ssrc), (0xfa17_fa17, 0x09fa_ff67));
        assert_eq!((feedback.base_sequence, feedback.status_count), (39, 13));
        assert_eq!((feedback.reference_time, feedback.feedback_count), (6_275_825, 3));
        let arrived: Vec<_> =
            feedback.packets().filter(|packet| packet.arrival_ticks.is_some()).map(|packet| packet.sequence).collect();
        assert_eq!(arrived, [39, 40, 41, 42, 43, 44, 45, 49, 50, 51]);
        let first = [4_000, 0, 0, 0, 0, 0, 0].map(Some);
        let last = [7_000, 1_000, 0].map(Some);
        assert_eq!(deltas_us(&feedback), [&first[..], &[None; 3], &last].concat());
    }

    #[test]
    fn a_captured_packet_of_runs_with_large_deltas_is_read() {
        let packet = [
            0x8f, 0xcd, 0x00, 0x07, 0xfa, 0x17, 0xfa, 0x17, 0x19, 0x3d, 0xd8, 0xbb, 0x01, 0x74, 0x00, 0x06, 0x45, 0xb1,
            0x5a, 0x40, 0x40, 0x02, 0x20, 0x04, 0x1f, 0xfe, 0x1f, 0x9a, 0xd0, 0x00, 0xd0, 0x00,
        ];
        let feedback = parse(&packet).expect("feedback");
        assert_eq!((feedback.base_sequence, feedback.reference_time), (372, 4_567_386));
        assert_eq!(deltas_us(&feedback), [2_047_500, 2_022_500, 52_000, 0, 52_000, 0].map(Some));
    }

    #[test]
    fn a_captured_packet_of_two_bit_symbols_ends_within_its_last_chunk() {
        let packet = [
            0xaf, 0xcd, 0x00, 0x07, 0x9b, 0x74, 0xf6, 0x1f, 0x93, 0x71, 0xdc, 0xbc, 0x85, 0x3c, 0x00, 0x09, 0x63, 0xf9,
            0x16, 0xb3, 0xd5, 0x52, 0x00, 0x30, 0x9b, 0xaa, 0x6a, 0xaa, 0x7b, 0x01, 0x09, 0x01,
        ];
        let feedback = parse(&packet).expect("feedback");
        assert_eq!((feedback.base_sequence, feedback.status_count), (34_108, 9));
        assert_eq!(
            deltas_us(&feedback),
            [Some(38_750), Some(42_500), Some(26_500), Some(42_500), Some(30_750), None, Some(66_250), None, None]
        );
    }

    #[test]
    fn the_reference_time_is_signed() {
        let packet = [0x8f, 0xcd, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 39, 0, 0, 0xff, 0xff, 0xfe, 1];
        let feedback = parse(&packet).expect("feedback");
        assert_eq!((feedback.reference_time, feedback.packets().count()), (-2, 0));
    }

    #[test]
    fn what_lacks_chunks_or_deltas_is_refused() {
        let with = |status_count, tail: [u8; 4]| {
            let mut packet = vec![0x8f, 0xcd, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 39, 0, status_count, 0, 0, 1, 1];
            packet.extend_from_slice(&tail);
            parse(&packet).is_some()
        };
        assert!(with(2, [0x20, 2, 1, 1]));
        assert!(!with(3, [0x20, 3, 1, 1]), "three deltas in two bytes");
        assert!(with(1, [0x40, 1, 1, 1]));
        assert!(!with(2, [0x40, 2, 1, 1]), "two large deltas in two bytes");
        assert!(!with(9, [0, 1, 0, 2]), "runs of three for nine packets");
        assert!(!with(1, [0x60, 1, 0, 0]), "a reserved status");
        assert!(with(1, [0xd0 | 0x0f, 0xff, 1, 0]), "reserved ones beyond the count");
    }
}
