//! Extended reports (RFC 3611): the two blocks with which a receiver that sends no media learns its round trip time.

use std::time::Duration;

use super::report::round_trip_time;
use super::{EXTENDED_REPORT, NtpTime, RtcpWriter, take_u32};

const BLOCK_RECEIVER_REFERENCE_TIME: u8 = 4;
const BLOCK_DLRR: u8 = 5;
const DLRR_BYTES: usize = 12;

/// An XR.
#[derive(Debug, Clone, Copy)]
pub struct Xr<'a> {
    /// Who reports.
    pub sender_ssrc: u32,
    blocks: &'a [u8],
}

/// A block of an extended report.
#[derive(Debug, Clone, Copy)]
pub enum XrBlock<'a> {
    /// When a receiver sent it, in its clock (section 4.4).
    ReceiverReferenceTime(NtpTime),
    /// The answer to such blocks (section 4.5).
    Dlrr(DlrrItems<'a>),
}

/// When a receiver's reference time came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dlrr {
    /// The receiver.
    pub ssrc: u32,
    /// The middle 32 bits of its last reference time, 0 when there was none.
    pub last_rr: u32,
    /// Time since that came, in 1/65,536 s.
    pub delay_since_last_rr: u32,
}

/// The items of a DLRR block.
#[derive(Debug, Clone, Copy)]
pub struct DlrrItems<'a> {
    items: &'a [[u8; DLRR_BYTES]],
}

impl<'a> Xr<'a> {
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        Some(Self { sender_ssrc: take_u32(&mut body)?, blocks: body })
    }

    /// Its blocks of the known kinds; a malformed one is the end.
    pub fn blocks(&self) -> impl Iterator<Item = XrBlock<'a>> {
        let mut rest = self.blocks;
        std::iter::from_fn(move || {
            let ([kind, _, w0, w1], after) = rest.split_first_chunk::<4>()?;
            let (block, after) = after.split_at_checked(usize::from(u16::from_be_bytes([*w0, *w1])) * 4)?;
            rest = after;
            match *kind {
                BLOCK_RECEIVER_REFERENCE_TIME => {
                    let time = NtpTime(u64::from_be_bytes(*block.first_chunk()?));
                    Some(Some(XrBlock::ReceiverReferenceTime(time)))
                }
                BLOCK_DLRR => Some(Some(XrBlock::Dlrr(DlrrItems { items: block.as_chunks().0 }))),
                _ => Some(None),
            }
        })
        .flatten()
    }
}

impl Iterator for DlrrItems<'_> {
    type Item = Dlrr;

    fn next(&mut self) -> Option<Dlrr> {
        let (first, rest) = self.items.split_first()?;
        self.items = rest;
        let [s0, s1, s2, s3, r0, r1, r2, r3, d0, d1, d2, d3] = *first;
        Some(Dlrr {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            last_rr: u32::from_be_bytes([r0, r1, r2, r3]),
            delay_since_last_rr: u32::from_be_bytes([d0, d1, d2, d3]),
        })
    }
}

impl Dlrr {
    /// The round trip from the receiver to whoever answered it and back; at least 1 ms, `None` when the answer is to
    /// nothing.
    pub fn round_trip_time(&self, now: NtpTime) -> Option<Duration> {
        round_trip_time(now, self.last_rr, self.delay_since_last_rr)
    }
}

impl RtcpWriter<'_> {
    /// Appends an XR with the receiver's time; false when it does not fit.
    #[must_use]
    pub fn receiver_reference_time(&mut self, sender_ssrc: u32, now: NtpTime) -> bool {
        self.packet(EXTENDED_REPORT, 0, |writer| {
            writer.put_u32(sender_ssrc)?;
            writer.put(&[BLOCK_RECEIVER_REFERENCE_TIME, 0, 0, 2])?;
            writer.put(&now.0.to_be_bytes())
        })
    }

    /// Appends an XR that answers receivers' times; false when it does not fit.
    #[must_use]
    pub fn dlrr(&mut self, sender_ssrc: u32, items: &[Dlrr]) -> bool {
        let Ok(words) = u16::try_from(items.len() * DLRR_BYTES / 4) else { return false };
        self.packet(EXTENDED_REPORT, 0, |writer| {
            writer.put_u32(sender_ssrc)?;
            writer.put(&[BLOCK_DLRR, 0])?;
            writer.put(&words.to_be_bytes())?;
            items.iter().try_for_each(|item| {
                writer.put_u32(item.ssrc)?;
                writer.put_u32(item.last_rr)?;
                writer.put_u32(item.delay_since_last_rr)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    #[test]
    fn a_reference_time_and_its_answer_round_trip() {
        let items = [
            Dlrr { ssrc: 1234, last_rr: 11_111_111, delay_since_last_rr: 22_222_222 },
            Dlrr { ssrc: 5, last_rr: 6, delay_since_last_rr: 7 },
        ];
        let mut buffer = [0; 128];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.receiver_reference_time(2222, NtpTime(11_111_111 << 32 | 22_222_222)));
        assert_eq!(writer.bytes()[..12], [0x80, 207, 0, 4, 0, 0, 0x08, 0xae, 4, 0, 0, 2]);
        assert!(writer.dlrr(2222, &items));
        let mut read = packets(writer.bytes());
        let Some(RtcpPacket::Xr(xr)) = read.next() else { panic!("an XR") };
        assert_eq!(xr.sender_ssrc, 2222);
        assert!(matches!(xr.blocks().next(), Some(XrBlock::ReceiverReferenceTime(time)) if time.0 >> 32 == 11_111_111));
        let Some(RtcpPacket::Xr(xr)) = read.next() else { panic!("an XR") };
        let Some(XrBlock::Dlrr(read_items)) = xr.blocks().next() else { panic!("a DLRR") };
        assert!(read_items.eq(items));
    }

    #[test]
    fn unknown_blocks_are_left_out_and_a_malformed_one_is_the_end() {
        let packet = [
            0x80, 207, 0, 7, 0, 0, 0, 1, // header
            1, 0, 0, 1, 9, 9, 9, 9, // a loss RLE block
            4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, // a reference time
            4, 0, 0, 9, // one that overruns
        ];
        let Some(RtcpPacket::Xr(xr)) = packets(&packet).next() else { panic!("an XR") };
        assert_eq!(xr.blocks().count(), 1);
    }

    #[test]
    fn the_round_trip_leaves_out_the_time_at_the_other_end() {
        let sent = NtpTime::from_unix(Duration::from_secs(1_700_000_000));
        let answered = NtpTime::from_unix(Duration::from_millis(1_700_000_000_350));
        let item = Dlrr { ssrc: 1, last_rr: sent.middle(), delay_since_last_rr: 65_536 / 4 };
        let round_trip = item.round_trip_time(answered).expect("a round trip");
        assert_eq!(round_trip.as_millis(), 99, "100 ms less what 16.16 rounds off");
        assert_eq!(Dlrr { last_rr: 0, ..item }.round_trip_time(answered), None);
    }
}
