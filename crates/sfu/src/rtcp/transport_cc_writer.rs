//! Transport-wide congestion control feedback, written (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use arrayvec::ArrayVec;

use super::transport_cc::{
    CHUNK_BYTES, ONE_BIT_SYMBOLS, REFERENCE_TICKS, RUN_LENGTH_MAX, SYMBOL_LARGE_DELTA, SYMBOL_MISSING,
    SYMBOL_SMALL_DELTA, TWO_BIT_SYMBOLS,
};
use super::{FORMAT_TRANSPORT_CC, RtcpWriter, TRANSPORT_FEEDBACK};
use crate::transmit::DATAGRAM_BYTES_MAX;

/// The common header, both SSRCs, base, count and reference time.
const HEADER_BYTES: usize = 20;

impl RtcpWriter<'_> {
    /// Appends feedback on the packets from transport-wide number `base` on, and gives how many of the `arrivals` it
    /// took: those that fit, whose deltas fit 16 bits, and within 65,535 numbers; 0 when nothing was written.
    ///
    /// An arrival is an unwrapped number, ascending from `base`, and its time in [`super::TICK`]s. Numbers between
    /// are reported as missing.
    #[must_use]
    pub fn transport_cc(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        feedback_count: u8,
        base: u64,
        arrivals: impl Iterator<Item = (u64, i64)>,
    ) -> usize {
        let mut statuses = Statuses::new(self.remaining());
        let mut reference_time = 0;
        let mut last_ticks = 0;
        let mut taken = 0;
        for (sequence, ticks) in arrivals {
            if taken == 0 {
                reference_time = ticks.div_euclid(REFERENCE_TICKS);
                last_ticks = reference_time * REFERENCE_TICKS;
            }
            let before = statuses.mark();
            if statuses.add(sequence.wrapping_sub(base), ticks.wrapping_sub(last_ticks)).is_none() {
                statuses.restore(before);
                break;
            }
            last_ticks = ticks;
            taken += 1;
        }
        if taken == 0 {
            return 0;
        }
        let [.., r0, r1, r2] = reference_time.to_be_bytes();
        let written = self.packet(TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC, |writer| {
            writer.put_u32(sender_ssrc)?;
            writer.put_u32(media_ssrc)?;
            writer.put(&(base as u16).to_be_bytes())?;
            writer.put(&statuses.count.to_be_bytes())?;
            writer.put(&[r0, r1, r2, feedback_count])?;
            statuses
                .chunks
                .iter()
                .chain(&statuses.open.finish())
                .try_for_each(|chunk| writer.put(&chunk.to_be_bytes()))?;
            writer.put(&statuses.deltas)
        });
        if written { taken } else { 0 }
    }
}

/// The chunks and deltas of a packet that is limited in size.
struct Statuses {
    bytes_max: usize,
    count: u16,
    chunks: ArrayVec<u16, { DATAGRAM_BYTES_MAX / CHUNK_BYTES }>,
    open: OpenChunk,
    deltas: ArrayVec<u8, DATAGRAM_BYTES_MAX>,
}

/// Where to go back to when a packet does not fit.
#[derive(Clone, Copy)]
struct Mark {
    count: u16,
    chunks: usize,
    open: OpenChunk,
    deltas: usize,
}

impl Statuses {
    fn new(remaining: usize) -> Self {
        // The packet ends on a full word.
        let bytes_max = remaining.min(DATAGRAM_BYTES_MAX) & !3;
        Self { bytes_max, count: 0, chunks: ArrayVec::new(), open: OpenChunk::default(), deltas: ArrayVec::new() }
    }

    /// Adds an arrival and the missing ones before it; `None` in the middle of it when there is no room.
    fn add(&mut self, offset: u64, delta_ticks: i64) -> Option<()> {
        let offset = u16::try_from(offset).ok().filter(|offset| *offset >= self.count)?;
        let end = offset.checked_add(1)?;
        for _ in self.count..offset {
            self.push(SYMBOL_MISSING)?;
        }
        if let Ok(small) = u8::try_from(delta_ticks) {
            self.push(SYMBOL_SMALL_DELTA)?;
            self.deltas.try_push(small).ok()?;
        } else {
            let large = i16::try_from(delta_ticks).ok()?;
            self.push(SYMBOL_LARGE_DELTA)?;
            self.deltas.try_extend_from_slice(&large.to_be_bytes()).ok()?;
        }
        self.count = end;
        // The open chunk always closes into one.
        let bytes = HEADER_BYTES + (self.chunks.len() + 1) * CHUNK_BYTES + self.deltas.len();
        (bytes <= self.bytes_max).then_some(())
    }

    fn push(&mut self, symbol: u16) -> Option<()> {
        match self.open.push(symbol) {
            Some(chunk) => self.chunks.try_push(chunk).ok(),
            None => Some(()),
        }
    }

    fn mark(&self) -> Mark {
        Mark { count: self.count, chunks: self.chunks.len(), open: self.open, deltas: self.deltas.len() }
    }

    fn restore(&mut self, mark: Mark) {
        self.count = mark.count;
        self.chunks.truncate(mark.chunks);
        self.open = mark.open;
        self.deltas.truncate(mark.deltas);
    }
}

/// Symbols that can still become one chunk of whichever kind holds most of them.
#[derive(Clone, Copy, Default)]
struct OpenChunk {
    symbols: [u16; ONE_BIT_SYMBOLS as usize],
    /// More than `symbols` holds only where all are the same.
    count: u16,
}

impl OpenChunk {
    /// Adds a symbol; when it does not fit, gives a finished chunk of what was there before it.
    fn push(&mut self, symbol: u16) -> Option<u16> {
        let finished = (!self.has_room_for(symbol)).then(|| self.take_chunk(false));
        if let Some(slot) = self.symbols.get_mut(usize::from(self.count)) {
            *slot = symbol;
        }
        self.count += 1;
        finished
    }

    /// A chunk of all that is left.
    fn finish(mut self) -> Option<u16> {
        (self.count > 0).then(|| self.take_chunk(true))
    }

    fn has_room_for(&self, symbol: u16) -> bool {
        self.count < TWO_BIT_SYMBOLS
            || (self.count < ONE_BIT_SYMBOLS && symbol != SYMBOL_LARGE_DELTA && self.is_one_bit())
            || (self.count < RUN_LENGTH_MAX && self.is_run() && self.held().first() == Some(&symbol))
    }

    /// Makes a chunk of as many symbols as one takes; only the `last` one may be cut short by the packet's count.
    fn take_chunk(&mut self, last: bool) -> u16 {
        let vector = |bits: u16, symbols: &[u16], symbol_bits: u16| {
            symbols.iter().zip(1..).fold(bits, |chunk, (symbol, place)| chunk | symbol << (14 - place * symbol_bits))
        };
        let (chunk, used) = if self.is_run() {
            (self.symbols[0] << 13 | self.count, self.count)
        } else if self.is_one_bit() && (self.count == ONE_BIT_SYMBOLS || last && self.count > TWO_BIT_SYMBOLS) {
            (vector(0b10 << 14, self.held(), 1), self.count)
        } else {
            let used = self.count.min(TWO_BIT_SYMBOLS);
            (vector(0b11 << 14, &self.held()[..usize::from(used)], 2), used)
        };
        self.symbols.copy_within(usize::from(used.min(ONE_BIT_SYMBOLS)).., 0);
        self.count -= used;
        chunk
    }

    fn held(&self) -> &[u16] {
        &self.symbols[..usize::from(self.count.min(ONE_BIT_SYMBOLS))]
    }

    fn is_run(&self) -> bool {
        self.held().iter().all(|symbol| *symbol == self.symbols[0])
    }

    fn is_one_bit(&self) -> bool {
        !self.held().contains(&SYMBOL_LARGE_DELTA)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::rtcp::{RtcpPacket, TransportCc, packets};

    fn write(buffer: &mut [u8], base: u64, arrivals: &[(u64, i64)]) -> (usize, usize) {
        let mut writer = RtcpWriter::new(buffer);
        let taken = writer.transport_cc(1, 2, 3, base, arrivals.iter().copied());
        (taken, writer.len())
    }

    fn parse(packet: &[u8]) -> TransportCc<'_> {
        let Some(RtcpPacket::TransportCc(feedback)) = packets(packet).next() else { panic!("feedback") };
        feedback
    }

    fn chunks(base: u64, arrivals: &[(u64, i64)], count: usize) -> Vec<u16> {
        let mut buffer = [0; 1_232];
        let (taken, _) = write(&mut buffer, base, arrivals);
        assert_eq!(taken, arrivals.len());
        buffer[20..].as_chunks().0[..count].iter().map(|chunk| u16::from_be_bytes(*chunk)).collect()
    }

    /// Arrivals 1 ms apart but for the ones named, 100 ms after the one before.
    fn spaced(sequences: impl Iterator<Item = u64>, large: &[u64]) -> Vec<(u64, i64)> {
        let mut ticks = 1_000 * REFERENCE_TICKS;
        sequences
            .map(|sequence| {
                ticks += if large.contains(&sequence) { 400 } else { 4 };
                (sequence, ticks)
            })
            .collect()
    }

    #[test]
    fn a_packet_is_laid_out_as_the_draft_draws_it() {
        let mut buffer = [0xff; 64];
        let (taken, bytes) = write(&mut buffer, 153, &[(153, 4_057_090 * REFERENCE_TICKS + 148)]);
        assert_eq!(taken, 1);
        assert_eq!(
            buffer[..bytes],
            [0x8f, 0xcd, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0x00, 0x99, 0, 1, 0x3d, 0xe8, 0x02, 3, 0x20, 0x01, 0x94, 0x00]
        );
    }

    /// From mediasoup's TestFeedbackRtpTransport.cpp ("one bit vector chunk"), and from the captured packets of
    /// olivermichel/webrtc-analysis; the second's padding is told by its header, ours is not (draft section 3.1).
    #[test]
    fn captured_packets_are_written_byte_for_byte() {
        let one_bit = [
            0x8f, 0xcd, 0x00, 0x07, 0xfa, 0x17, 0xfa, 0x17, 0x09, 0xfa, 0xff, 0x67, 0x00, 0x27, 0x00, 0x0d, 0x5f, 0xc2,
            0xf1, 0x03, 0xbf, 0x8e, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1c, 0x04, 0x00,
        ];
        let run = [
            0xaf, 0xcd, 0x00, 0x07, 0x00, 0x00, 0x00, 0x01, 0xdd, 0x58, 0x6e, 0xb6, 0x00, 0x01, 0x00, 0x09, 0x5e, 0x91,
            0x10, 0x00, 0x20, 0x09, 0x1c, 0x0c, 0x2c, 0x38, 0x00, 0x04, 0x00, 0x08, 0x18, 0x01,
        ];
        for (captured, padding) in [(one_bit, 0), (run, 1)] {
            let read = parse(&captured);
            let arrivals = read.packets().filter_map(|packet| Some((packet.sequence.into(), packet.arrival_ticks?)));
            let mut buffer = [0xff; 64];
            let mut writer = RtcpWriter::new(&mut buffer);
            let (count, base) = (read.feedback_count, read.base_sequence.into());
            let _ = writer.transport_cc(read.sender_ssrc, read.media_ssrc, count, base, arrivals);
            let mut expected = captured;
            if padding > 0 {
                expected[0] &= !0x20;
                expected[31] = 0;
            }
            assert_eq!(writer.bytes(), expected);
        }
    }

    #[test]
    fn the_chunk_that_holds_most_is_taken() {
        assert_eq!(chunks(0, &spaced(0..300, &[]), 1), [0x2000 | 300], "a run");
        assert_eq!(chunks(0, &spaced([0, 2].into_iter(), &[]), 1), [0b11_01_00_01 << 8], "few: two bits");
        let gap = spaced((0..14).filter(|sequence| *sequence != 3), &[]);
        assert_eq!(chunks(0, &gap, 1), [0b1011_1011_1111_1111], "one bit");
        let large = spaced(0..9, &[2]);
        assert_eq!(chunks(0, &large, 2), [0b11_01_01_10_01_01_01_01, 0x2002], "two bits, then a run");
        let late_large = spaced((0..10).filter(|sequence| *sequence != 3), &[9]);
        assert_eq!(
            chunks(0, &late_large, 2),
            [0b11_01_01_01_00_01_01_01, 0b11_01_01_10 << 8],
            "split at the large one"
        );
        assert_eq!(chunks(0, &[(1_000, 0)], 2), [1_000, 0x2001], "missing ones first");
    }

    #[test]
    fn a_run_ends_at_its_longest() {
        let mut buffer = [0; 64];
        assert_eq!(write(&mut buffer, 0, &[(0, 0), (10_000, 1)]).0, 2);
        assert_eq!(parse(&buffer).status_count, 10_001);
        let arrived: Vec<_> = parse(&buffer).packets().filter(|packet| packet.arrival_ticks.is_some()).collect();
        assert_eq!((arrived[1].sequence, arrived[1].arrival_ticks), (10_000, Some(1)));
    }

    #[test]
    fn a_delta_that_does_not_fit_is_left_for_the_next_packet() {
        let mut buffer = [0; 64];
        assert_eq!(write(&mut buffer, 0, &[(0, 0), (1, 32_767), (2, 65_535)]).0, 2);
        assert_eq!(write(&mut buffer, 0, &[(0, 32_768), (1, 0), (2, -32_769)]).0, 2);
        assert_eq!(write(&mut buffer, 0, &[(65_534, 0)]).0, 1);
        assert_eq!(parse(&buffer).status_count, 65_535);
        assert_eq!(write(&mut buffer, 0, &[(65_535, 0)]), (0, 0));
    }

    #[test]
    fn arrivals_out_of_order_or_before_the_base_are_not_taken() {
        let mut buffer = [0; 64];
        assert_eq!(write(&mut buffer, 5, &[(4, 0), (5, 0)]), (0, 0));
        assert_eq!(write(&mut buffer, 5, &[(7, 0), (6, 0), (8, 0)]).0, 1);
        assert_eq!(parse(&buffer).status_count, 3);
    }

    #[test]
    fn any_arrivals_round_trip_over_as_many_packets_as_it_takes() {
        for seed in 0..300 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let loss = rng.random_range(0.0..0.6);
            let jitter = [1, 20, 400, 4_000][rng.random_range(0..4)];
            let base = rng.random_range(0..200_000u64);
            let mut ticks: i64 = rng.random_range(0..1_000_000_000);
            let mut arrivals = Vec::new();
            for sequence in base..base + rng.random_range(1..2_000) {
                ticks += rng.random_range(-jitter / 4..=jitter);
                if !rng.random_bool(loss) {
                    arrivals.push((sequence, ticks));
                }
            }
            let mut read = Vec::new();
            let mut next = base;
            while read.len() < arrivals.len() {
                let mut buffer = vec![0; rng.random_range(32..1_300)];
                let (taken, bytes) = write(&mut buffer, next, &arrivals[read.len()..]);
                assert!(taken > 0 || buffer.len() < 1_200, "seed {seed}");
                if taken == 0 {
                    continue;
                }
                let feedback = parse(&buffer[..bytes]);
                assert_eq!(feedback.base_sequence, next as u16, "seed {seed}");
                read.extend((next..).zip(feedback.packets()).filter_map(|(sequence, packet)| {
                    assert_eq!(packet.sequence, sequence as u16, "seed {seed}");
                    // The reference time is 24 bits of 64 ms.
                    packet.arrival_ticks.map(|ticks| (sequence, ticks & 0xffff_ffff))
                }));
                next = arrivals[read.len() - 1].0 + 1;
            }
            let wire: Vec<_> = arrivals.iter().map(|(sequence, ticks)| (*sequence, ticks & 0xffff_ffff)).collect();
            assert_eq!(read, wire, "seed {seed}");
        }
    }
}
