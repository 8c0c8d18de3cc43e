//! Sender and receiver reports (RFC 3550 section 6.4).

use std::time::Duration;

use super::{NtpTime, RECEIVER_REPORT, RtcpWriter, SENDER_REPORT, duration_from_compact_ntp, take_u32};

const BLOCK_BYTES: usize = 24;
const BLOCKS_MAX: usize = 31;
/// The range of the 24-bit signed cumulative loss.
const CUMULATIVE_LOST_MIN: i32 = -(1 << 23);
const CUMULATIVE_LOST_MAX: i32 = (1 << 23) - 1;

/// What a sender says of one of its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: u32,
    /// The wall-clock time of this report.
    pub ntp: NtpTime,
    /// The same instant in the stream's RTP clock.
    pub rtp_timestamp: u32,
    /// RTP packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// An SR.
#[derive(Debug, Clone, Copy)]
pub struct SenderReport<'a> {
    /// What the sender says of itself.
    pub info: SenderInfo,
    /// What it says of what it receives.
    pub blocks: ReportBlocks<'a>,
}

/// An RR.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub sender_ssrc: u32,
    /// What it says of what it receives.
    pub blocks: ReportBlocks<'a>,
}

/// How one stream is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Packets lost since the last report, in 1/256 of those expected.
    pub fraction_lost: u8,
    /// Packets lost so far, 24 bits; negative where duplicates came.
    pub cumulative_lost: i32,
    /// The highest sequence number and, in the upper half, how often it wrapped.
    pub highest_sequence: u32,
    /// Interarrival jitter, in the stream's RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time, 0 when there was none.
    pub last_sr: u32,
    /// Time since that report came, in 1/65,536 s.
    pub delay_since_last_sr: u32,
}

/// The report blocks of an SR or RR.
#[derive(Debug, Clone, Copy)]
pub struct ReportBlocks<'a> {
    blocks: &'a [[u8; BLOCK_BYTES]],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, mut body: &'a [u8]) -> Option<Self> {
        let info = SenderInfo {
            ssrc: take_u32(&mut body)?,
            ntp: NtpTime(u64::from(take_u32(&mut body)?) << 32 | u64::from(take_u32(&mut body)?)),
            rtp_timestamp: take_u32(&mut body)?,
            packets: take_u32(&mut body)?,
            octets: take_u32(&mut body)?,
        };
        Some(Self { info, blocks: ReportBlocks::parse(count, body)? })
    }
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, mut body: &'a [u8]) -> Option<Self> {
        Some(Self { sender_ssrc: take_u32(&mut body)?, blocks: ReportBlocks::parse(count, body)? })
    }
}

impl<'a> ReportBlocks<'a> {
    /// Profile-specific extensions may follow the blocks and are ignored.
    fn parse(count: u8, bytes: &'a [u8]) -> Option<Self> {
        Some(Self { blocks: bytes.as_chunks().0.get(..usize::from(count))? })
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (first, rest) = self.blocks.split_first()?;
        self.blocks = rest;
        Some(ReportBlock::from_bytes(first))
    }
}

impl ReportBlock {
    /// The round trip from the report's stream's sender to the reporter and back, from the time at which the report
    /// came (RFC 3550 section 6.4.1); at least 1 ms, `None` before the reporter saw a sender report.
    pub fn round_trip_time(&self, now: NtpTime) -> Option<Duration> {
        round_trip_time(now, self.last_sr, self.delay_since_last_sr)
    }

    fn from_bytes(bytes: &[u8; BLOCK_BYTES]) -> Self {
        let [s0, s1, s2, s3, fraction_lost, l0, l1, l2, rest @ ..] = *bytes;
        let [h0, h1, h2, h3, j0, j1, j2, j3, r0, r1, r2, r3, d0, d1, d2, d3] = rest;
        Self {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            fraction_lost,
            // The lower byte is shifted out again, which extends the sign.
            cumulative_lost: i32::from_be_bytes([l0, l1, l2, 0]) >> 8,
            highest_sequence: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: u32::from_be_bytes([j0, j1, j2, j3]),
            last_sr: u32::from_be_bytes([r0, r1, r2, r3]),
            delay_since_last_sr: u32::from_be_bytes([d0, d1, d2, d3]),
        }
    }
}

/// As [`ReportBlock::round_trip_time`]; a DLRR item of an extended report has the same two fields.
pub(super) fn round_trip_time(now: NtpTime, last: u32, delay: u32) -> Option<Duration> {
    if last == 0 {
        return None;
    }
    // Clocks that drift, or rounding, make a short round trip negative.
    let units = now.middle().wrapping_sub(last).wrapping_sub(delay).cast_signed().max(0);
    Some(duration_from_compact_ntp(units.cast_unsigned()).max(Duration::from_millis(1)))
}

impl RtcpWriter<'_> {
    /// Appends an SR with at most 31 blocks; false when it does not fit.
    #[must_use]
    pub fn sender_report(&mut self, info: &SenderInfo, blocks: &[ReportBlock]) -> bool {
        let Some(count) = block_count(blocks) else { return false };
        self.packet(SENDER_REPORT, count, |writer| {
            writer.put_u32(info.ssrc)?;
            writer.put(&info.ntp.0.to_be_bytes())?;
            writer.put_u32(info.rtp_timestamp)?;
            writer.put_u32(info.packets)?;
            writer.put_u32(info.octets)?;
            blocks.iter().try_for_each(|block| writer.report_block(block))
        })
    }

    /// Appends an RR with at most 31 blocks; false when it does not fit.
    #[must_use]
    pub fn receiver_report(&mut self, sender_ssrc: u32, blocks: &[ReportBlock]) -> bool {
        let Some(count) = block_count(blocks) else { return false };
        self.packet(RECEIVER_REPORT, count, |writer| {
            writer.put_u32(sender_ssrc)?;
            blocks.iter().try_for_each(|block| writer.report_block(block))
        })
    }

    fn report_block(&mut self, block: &ReportBlock) -> Option<()> {
        let [_, lost @ ..] = block.cumulative_lost.clamp(CUMULATIVE_LOST_MIN, CUMULATIVE_LOST_MAX).to_be_bytes();
        self.put_u32(block.ssrc)?;
        self.put(&[block.fraction_lost])?;
        self.put(&lost)?;
        self.put_u32(block.highest_sequence)?;
        self.put_u32(block.jitter)?;
        self.put_u32(block.last_sr)?;
        self.put_u32(block.delay_since_last_sr)
    }
}

fn block_count(blocks: &[ReportBlock]) -> Option<u8> {
    u8::try_from(blocks.len()).ok().filter(|count| usize::from(*count) <= BLOCKS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0x4795_32ef,
        fraction_lost: 25,
        cumulative_lost: -2,
        highest_sequence: 0x0001_0276,
        jitter: 1906,
        last_sr: 0xb705_2000,
        delay_since_last_sr: 0x0005_4000,
    };

    #[test]
    fn a_receiver_report_is_laid_out_as_the_rfc_draws_it() {
        let mut buffer = [0; 64];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.receiver_report(0x30b6_5ac7, &[BLOCK]));
        assert_eq!(
            writer.bytes(),
            [
                0x81, 0xc9, 0x00, 0x07, 0x30, 0xb6, 0x5a, 0xc7, 0x47, 0x95, 0x32, 0xef, 0x19, 0xff, 0xff, 0xfe, 0x00,
                0x01, 0x02, 0x76, 0x00, 0x00, 0x07, 0x72, 0xb7, 0x05, 0x20, 0x00, 0x00, 0x05, 0x40, 0x00,
            ]
        );
        let Some(RtcpPacket::ReceiverReport(report)) = packets(writer.bytes()).next() else { panic!("an RR") };
        assert_eq!(report.sender_ssrc, 0x30b6_5ac7);
        assert!(report.blocks.eq([BLOCK]));
    }

    #[test]
    fn a_sender_report_round_trips_with_all_its_blocks() {
        let info = SenderInfo { ssrc: 1, ntp: NtpTime(0x0123_4567_89ab_cdef), rtp_timestamp: 2, packets: 3, octets: 4 };
        for count in [0, 1, 31] {
            let mut buffer = [0; 1024];
            let mut writer = RtcpWriter::new(&mut buffer);
            assert!(writer.sender_report(&info, &[BLOCK; 31][..count]));
            let Some(RtcpPacket::SenderReport(report)) = packets(writer.bytes()).next() else { panic!("an SR") };
            assert_eq!(report.info, info);
            assert!(report.blocks.eq(std::iter::repeat_n(BLOCK, count)));
        }
        assert!(!RtcpWriter::new(&mut [0; 1024]).sender_report(&info, &[BLOCK; 32]));
    }

    #[test]
    fn profile_extensions_after_the_blocks_are_ignored() {
        let packet = [0x80, 201, 0, 2, 0, 0, 0, 1, 9, 9, 9, 9];
        let Some(RtcpPacket::ReceiverReport(report)) = packets(&packet).next() else { panic!("an RR") };
        assert_eq!(report.blocks.count(), 0);
    }

    #[test]
    fn cumulative_loss_is_clamped_to_24_bits_signed() {
        for (lost, wire) in [(i32::MIN, -0x80_0000), (i32::MAX, 0x7f_ffff), (-1, -1), (0x7f_ffff, 0x7f_ffff)] {
            let mut buffer = [0; 64];
            let mut writer = RtcpWriter::new(&mut buffer);
            assert!(writer.receiver_report(1, &[ReportBlock { cumulative_lost: lost, ..BLOCK }]));
            let Some(RtcpPacket::ReceiverReport(mut report)) = packets(writer.bytes()).next() else { panic!("an RR") };
            assert_eq!(report.blocks.next().expect("a block").cumulative_lost, wire);
        }
    }

    #[test]
    fn round_trip_time_is_that_of_the_rfcs_figure() {
        // RFC 3550 figure 2: A 0xb710_8000 less LSR less DLSR is 6.125 s.
        let now = NtpTime(0xb44d_b710_8000_0000);
        assert_eq!(BLOCK.round_trip_time(now), Some(Duration::from_millis(6_125)));
        assert_eq!(BLOCK.round_trip_time(NtpTime(0xb44d_b70a_6000_0000)), Some(Duration::from_millis(1)));
        assert_eq!(BLOCK.round_trip_time(NtpTime(0xb44d_b70a_0000_0000)), Some(Duration::from_millis(1)));
        assert_eq!(ReportBlock { last_sr: 0, ..BLOCK }.round_trip_time(now), None);
    }
}
