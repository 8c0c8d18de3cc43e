//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): which packets came, and when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One tick of a delta.
const TICK: Duration = Duration::from_micros(250);
/// Ticks of one unit of the reference time, 64 ms.
const REFERENCE_TICKS: i64 = 256;
/// Most packets that one feedback packet tells of: one of MTU size, whatever its deltas are.
const PACKETS_MAX: u64 = 400;
/// Statuses in a chunk of two-bit symbols, and most in a run.
const VECTOR: usize = 7;
const RUN_MAX: usize = 0x1fff;
/// RTPFB with this format (RFC 4585 section 6.1).
const HEADER: [u8; 2] = [0x80 | 15, 205];

/// Arrivals that have not been told yet.
#[derive(Debug)]
pub(super) struct Feedback {
    epoch: Instant,
    /// By extended sequence number.
    arrivals: BTreeMap<u64, Instant>,
    highest: Option<u64>,
    /// The first that was not told of.
    next: Option<u64>,
    count: u8,
}

impl Feedback {
    pub(super) fn new(epoch: Instant) -> Self {
        Self { epoch, arrivals: BTreeMap::new(), highest: None, next: None, count: 0 }
    }

    pub(super) fn on_packet(&mut self, now: Instant, sequence: u16) {
        // Room below the first, for what it overtook.
        let highest = self.highest.unwrap_or(u64::from(sequence) | 1 << 16);
        let ahead = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        let extended = highest.saturating_add_signed(ahead);
        self.highest = Some(highest.max(extended));
        if self.next.is_none_or(|next| extended >= next) {
            self.arrivals.entry(extended).or_insert(now);
        }
    }

    /// Writes a feedback packet about `media`; false when there is nothing to tell. More may be left.
    pub(super) fn poll(&mut self, sender: u32, media: u32, packet: &mut Vec<u8>) -> bool {
        let Some(&first) = self.arrivals.keys().next() else { return false };
        // What is missing since the last time is told too.
        let base = self.next.filter(|next| first - next < PACKETS_MAX).unwrap_or(first);
        let mut told = self.arrivals.split_off(&(base + PACKETS_MAX));
        std::mem::swap(&mut told, &mut self.arrivals);
        let Some((&last, _)) = told.last_key_value() else { return false };
        self.next = Some(last + 1);

        let ticks = |at: &Instant| (at.saturating_duration_since(self.epoch).as_micros() / TICK.as_micros()) as i64;
        let reference = told.values().next().map_or(0, ticks) / REFERENCE_TICKS;
        let mut before = reference * REFERENCE_TICKS;
        let (mut symbols, mut deltas) = (Vec::new(), Vec::new());
        for sequence in base..=last {
            let Some(at) = told.get(&sequence).map(ticks) else {
                symbols.push(0);
                continue;
            };
            if let Ok(small) = u8::try_from(at - before) {
                symbols.push(1);
                deltas.push(small);
                before = at;
            } else {
                // Beyond 8 s, which no feedback interval is.
                let large = (at - before).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
                symbols.push(2);
                deltas.extend_from_slice(&large.to_be_bytes());
                before += i64::from(large);
            }
        }

        packet.clear();
        packet.extend_from_slice(&HEADER);
        packet.extend_from_slice(&[0; 2]);
        packet.extend_from_slice(&sender.to_be_bytes());
        packet.extend_from_slice(&media.to_be_bytes());
        packet.extend_from_slice(&(base as u16).to_be_bytes());
        packet.extend_from_slice(&(symbols.len() as u16).to_be_bytes());
        packet.extend_from_slice(&((reference as u32) << 8 | u32::from(self.count)).to_be_bytes());
        write_chunks(&symbols, packet);
        packet.extend_from_slice(&deltas);
        packet.resize(packet.len().next_multiple_of(4), 0);
        let words = (packet.len() / 4 - 1) as u16;
        packet[2..4].copy_from_slice(&words.to_be_bytes());
        self.count = self.count.wrapping_add(1);
        true
    }
}

fn write_chunks(mut symbols: &[u8], packet: &mut Vec<u8>) {
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take(RUN_MAX).take_while(|symbol| **symbol == first).count();
        let (taken, chunk) = if run >= VECTOR {
            (run, u16::from(first) << 13 | run as u16)
        } else {
            let taken = symbols.len().min(VECTOR);
            let bits = |bits: u16, (place, symbol): (usize, &u8)| bits | u16::from(*symbol) << (12 - 2 * place);
            (taken, symbols[..taken].iter().enumerate().fold(0xc000, bits))
        };
        packet.extend_from_slice(&chunk.to_be_bytes());
        symbols = &symbols[taken..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback(arrivals: &[(u16, u64)]) -> (Feedback, Instant) {
        let epoch = Instant::now();
        let mut feedback = Feedback::new(epoch);
        for &(sequence, micros) in arrivals {
            feedback.on_packet(epoch + Duration::from_micros(micros), sequence);
        }
        (feedback, epoch)
    }

    #[test]
    fn a_gap_across_the_wrap_is_told_in_a_vector() {
        // 64 ms and 1 ms, 2 ms, 1 s later out of a small delta's range.
        let (mut feedback, _) = feedback(&[(65535, 65_000), (1, 67_000), (2, 1_067_000)]);
        let mut packet = Vec::new();
        assert!(feedback.poll(7, 9, &mut packet));
        let expected = [
            0x8f, 205, 0, 6, 0, 0, 0, 7, 0, 0, 0, 9, // RTPFB 15, sender, media
            0xff, 0xff, 0, 4, 0, 0, 1, 0, // from 65535, 4 packets, reference 1, count 0
            0xd1, 0x80, // small, missing, small, large
            4, 8, 0x0f, 0xa0, // 1 ms, 2 ms, 1 s
            0, 0,
        ];
        assert_eq!(packet, expected);
        assert!(!feedback.poll(7, 9, &mut packet), "told once");
    }

    #[test]
    fn what_is_missing_between_two_packets_is_told() {
        let (mut feedback, epoch) = feedback(&[(10, 0), (11, 0)]);
        let mut packet = Vec::new();
        assert!(feedback.poll(1, 2, &mut packet));
        feedback.on_packet(epoch, 11);
        feedback.on_packet(epoch, 14);
        assert!(feedback.poll(1, 2, &mut packet));
        assert_eq!(packet[12..16], [0, 12, 0, 3], "from 12, three packets");
        assert_eq!(packet[16..22], [0, 0, 0, 1, 0xc1, 0x00], "count 1; missing, missing, small");
    }

    #[test]
    fn a_long_run_takes_one_chunk_and_more_than_fits_several_packets() {
        let arrivals: Vec<_> = (0..900).map(|n| (n, 0)).collect();
        let (mut feedback, _) = feedback(&arrivals);
        let mut packet = Vec::new();
        let mut told = Vec::new();
        while feedback.poll(1, 2, &mut packet) {
            assert_eq!(u16::from_be_bytes([packet[20], packet[21]]) & 0xe000, 1 << 13, "a run of small deltas");
            told.push(u16::from_be_bytes([packet[14], packet[15]]));
        }
        assert_eq!(told, [400, 400, 100]);
    }
}
