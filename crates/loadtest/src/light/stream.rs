//! A stream whose packets are counted by their headers alone.

use std::time::Instant;

use protocol::MediaKind;

/// A 24-bit signed number's limits (RFC 3550 section 6.4.1).
const LOST_MAX: i64 = 0x7f_ffff;

/// What a header tells that stays readable under SRTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RtpHeader {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// The transport-wide sequence number.
    pub(super) transport_sequence: Option<u16>,
}

impl RtpHeader {
    /// Reads an RTP packet's header; `transport_id` is the header extension with the transport-wide number.
    pub(super) fn read(packet: &[u8], transport_id: Option<u8>) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<12>()?;
        let csrcs = usize::from(fixed[0] & 0x0f) * 4;
        let has_extensions = fixed[0] & 0x10 != 0;
        let extensions = has_extensions.then(|| rest.get(csrcs..)).flatten();
        Some(Self {
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            transport_sequence: extensions.zip(transport_id).and_then(|(bytes, id)| find_extension(bytes, id)),
        })
    }
}

/// Looks for a two-byte value among header extensions of one-byte form (RFC 8285 section 4.2).
fn find_extension(bytes: &[u8], wanted: u8) -> Option<u16> {
    let ([0xbe, 0xde, high, low], rest) = bytes.split_first_chunk()? else { return None };
    let mut elements = rest.get(..usize::from(u16::from_be_bytes([*high, *low])) * 4)?;
    while let Some((&head, rest)) = elements.split_first() {
        if head == 0 {
            elements = rest;
            continue;
        }
        let (value, rest) = rest.split_at_checked(usize::from(head & 0x0f) + 1)?;
        if head >> 4 == wanted {
            return value.try_into().ok().map(u16::from_be_bytes);
        }
        elements = rest;
    }
    None
}

/// What came of a stream so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LightReport {
    /// Packets received, each once.
    pub packets: u64,
    /// Numbers between the first and the newest that have not come.
    pub lost: u64,
    /// When the newest packet came.
    pub newest_at: Option<Instant>,
}

/// Counts by sequence numbers. Nothing is asked for again, so what does not come in order is missing until it comes.
#[derive(Debug)]
pub(super) struct LightStream {
    clock_rate: f64,
    /// Extended sequence numbers.
    first: u64,
    highest: u64,
    /// Which of the 64 newest came, the newest in the lowest bit.
    window: u64,
    packets: u64,
    newest: Option<(Instant, u32)>,
    /// In clock ticks (RFC 3550 section 6.4.1).
    jitter: f64,
    /// Expected and received at the last report.
    told: (u64, u64),
}

impl LightStream {
    pub(super) fn new(kind: MediaKind) -> Self {
        let clock_rate = match kind {
            MediaKind::Audio => 48_000.0,
            MediaKind::Video => 90_000.0,
        };
        Self { clock_rate, first: 0, highest: 0, window: 0, packets: 0, newest: None, jitter: 0.0, told: (0, 0) }
    }

    pub(super) fn on_packet(&mut self, now: Instant, header: &RtpHeader) {
        if self.packets == 0 {
            self.highest = u64::from(header.sequence) | 1 << 16;
            self.first = self.highest;
        }
        let ahead = header.sequence.wrapping_sub(self.highest as u16) as i16;
        if self.packets == 0 || ahead > 0 {
            self.window = self.window.checked_shl(u32::from(ahead as u16)).unwrap_or(0) | 1;
            self.highest += u64::from(ahead as u16);
            self.measure_jitter(now, header.timestamp);
        } else {
            let behind = u32::from(ahead.unsigned_abs());
            let bit = 1_u64.checked_shl(behind).unwrap_or(0);
            // Before the first, twice, or too old to tell.
            if bit == 0 || self.window & bit != 0 || self.highest - u64::from(behind) < self.first {
                return;
            }
            self.window |= bit;
        }
        self.packets += 1;
    }

    fn measure_jitter(&mut self, now: Instant, timestamp: u32) {
        if let Some((at, before)) = self.newest.replace((now, timestamp)) {
            let ticks = f64::from(timestamp.wrapping_sub(before) as i32);
            let passed = now.saturating_duration_since(at).as_secs_f64() * self.clock_rate;
            self.jitter += ((passed - ticks).abs() - self.jitter) / 16.0;
        }
    }

    pub(super) fn report(&self) -> LightReport {
        let newest_at = self.newest.map(|(at, _)| at);
        LightReport { packets: self.packets, lost: self.expected() - self.packets, newest_at }
    }

    fn expected(&self) -> u64 {
        if self.packets == 0 { 0 } else { self.highest - self.first + 1 }
    }

    /// Writes a report block (RFC 3550 section 6.4.1) once anything came. The times of sender reports stay 0: those
    /// are encrypted.
    pub(super) fn write_block(&mut self, ssrc: u32, blocks: &mut Vec<u8>) {
        if self.packets == 0 {
            return;
        }
        let (expected, packets) = (self.expected() - self.told.0, self.packets - self.told.1);
        self.told = (self.expected(), self.packets);
        let fraction = (expected.saturating_sub(packets) * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        let lost = (self.expected() as i64 - self.packets as i64).clamp(0, LOST_MAX) as u32;
        blocks.extend_from_slice(&ssrc.to_be_bytes());
        blocks.extend_from_slice(&(u32::from(fraction) << 24 | lost).to_be_bytes());
        // Counted from the first cycle, not from the one that leaves room below it.
        blocks.extend_from_slice(&((self.highest - (1 << 16)) as u32).to_be_bytes());
        blocks.extend_from_slice(&(self.jitter as u32).to_be_bytes());
        blocks.extend_from_slice(&[0; 8]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stream(sequences: &[u16]) -> LightStream {
        let (start, mut stream) = (Instant::now(), LightStream::new(MediaKind::Video));
        for (index, &sequence) in sequences.iter().enumerate() {
            let timestamp = 900 * index as u32;
            let header = RtpHeader { ssrc: 1, sequence, timestamp, transport_sequence: None };
            stream.on_packet(start + Duration::from_millis(10) * index as u32, &header);
        }
        stream
    }

    #[test]
    fn what_is_missing_is_counted_across_the_wrap_until_it_comes() {
        let report = stream(&[65_534, 65_535, 2, 3]).report();
        assert_eq!((report.packets, report.lost), (4, 2));
        let report = stream(&[65_534, 65_535, 2, 1, 3, 0]).report();
        assert_eq!((report.packets, report.lost), (6, 0), "they were late");
        let report = stream(&[10, 11, 11, 9, 10]).report();
        assert_eq!((report.packets, report.lost), (2, 0), "twice, and before the first");
        let report = stream(&[10, 200, 100]).report();
        assert_eq!((report.packets, report.lost), (2, 189), "too late to tell from a repetition");
    }

    #[test]
    fn blocks_tell_of_the_time_since_the_last() {
        let mut stream = stream(&[65_535, 1, 2, 3]);
        let mut block = Vec::new();
        stream.write_block(7, &mut block);
        assert_eq!(block[..12], [0, 0, 0, 7, 256_u16.div_euclid(5) as u8, 0, 0, 1, 0, 1, 0, 3]);
        assert_eq!(block[12..], [0; 12], "packets come as they were sent");
        block.clear();
        stream.write_block(7, &mut block);
        assert_eq!(block[4..8], [0, 0, 0, 1], "lost in all, none since");
    }

    #[test]
    fn headers_are_read_with_their_transport_wide_number() {
        let mut packet = vec![0x90, 101, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 5];
        packet.extend([0xbe, 0xde, 0, 2, 0x10, b'0', 0, 0x51, 0xab, 0xcd, 0, 0]);
        let header = RtpHeader { ssrc: 5, sequence: 0x1234, timestamp: 9, transport_sequence: Some(0xabcd) };
        assert_eq!(RtpHeader::read(&packet, Some(5)), Some(header));
        let without = RtpHeader { transport_sequence: None, ..header };
        assert_eq!(RtpHeader::read(&packet, Some(6)), Some(without));
        for length in 0..packet.len() {
            assert!(RtpHeader::read(&packet[..length], Some(5)).is_none_or(|header| header == without));
        }
    }
}
