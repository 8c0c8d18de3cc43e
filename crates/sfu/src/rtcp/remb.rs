//! Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03).

use super::{FORMAT_APPLICATION, PAYLOAD_FEEDBACK, RtcpWriter, take_u32, u32s};

const NAME: [u8; 4] = *b"REMB";
const NAME_OFFSET: usize = 8;
const MANTISSA_BITS: u32 = 18;

/// What a receiver believes it can take.
#[derive(Debug, Clone, Copy)]
pub struct Remb<'a> {
    /// Who says it.
    pub sender_ssrc: u32,
    /// For all of the streams together, in bit/s.
    pub bitrate: u64,
    ssrcs: &'a [u8],
}

impl<'a> Remb<'a> {
    /// Whether this application layer feedback is a REMB.
    pub(super) fn is_remb(body: &[u8]) -> bool {
        body.get(NAME_OFFSET..).is_some_and(|rest| rest.starts_with(&NAME))
    }

    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let sender_ssrc = take_u32(&mut body)?;
        let ([count, b0, b1, b2], ssrcs) = body.get(NAME_OFFSET..)?.split_first_chunk()?;
        let mantissa = u64::from(b0 & 0x03) << 16 | u64::from(*b1) << 8 | u64::from(*b2);
        // No bitrate is as large as what overflows, so it stands for no limit.
        let bitrate = u64::try_from(u128::from(mantissa) << (b0 >> 2)).unwrap_or(u64::MAX);
        Some(Self { sender_ssrc, bitrate, ssrcs: ssrcs.get(..usize::from(*count) * 4)? })
    }

    /// The streams that it is about.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> {
        u32s(self.ssrcs)
    }
}

impl RtcpWriter<'_> {
    /// Appends a REMB for at most 255 streams, its bitrate in bit/s rounded down to 18 significant bits; false when
    /// it does not fit.
    #[must_use]
    pub fn remb(&mut self, sender_ssrc: u32, bitrate: u64, ssrcs: &[u32]) -> bool {
        let Ok(count) = u8::try_from(ssrcs.len()) else { return false };
        let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(MANTISSA_BITS);
        let [.., b0, b1, b2] = (bitrate >> exponent).to_be_bytes();
        self.packet(PAYLOAD_FEEDBACK, FORMAT_APPLICATION, |writer| {
            writer.put_u32(sender_ssrc)?;
            writer.put_u32(0)?;
            writer.put(&NAME)?;
            writer.put(&[count, (exponent as u8) << 2 | b0, b1, b2])?;
            ssrcs.iter().try_for_each(|ssrc| writer.put_u32(*ssrc))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    #[test]
    fn a_remb_is_laid_out_as_the_draft_draws_it() {
        let packet = [
            0x8f, 0xce, 0x00, 0x06, 0xfa, 0x17, 0xfa, 0x17, 0x00, 0x00, 0x00, 0x00, 0x52, 0x45, 0x4d, 0x42, 0x02, 0x01,
            0xdf, 0x82, 0x02, 0xd0, 0x37, 0x02, 0x04, 0xa7, 0x67, 0x47,
        ];
        let Some(RtcpPacket::Remb(remb)) = packets(&packet).next() else { panic!("a REMB") };
        assert_eq!((remb.sender_ssrc, remb.bitrate), (0xfa17_fa17, 122_754));
        assert!(remb.ssrcs().eq([0x02d0_3702, 0x04a7_6747]));
        let mut buffer = [0; 28];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.remb(0xfa17_fa17, 122_754, &[0x02d0_3702, 0x04a7_6747]));
        assert_eq!(writer.bytes(), packet);
    }

    #[test]
    fn bitrates_keep_18_significant_bits() {
        for bitrate in [0, 1, 0x3_ffff, 0x4_0000, 2_500_000, 0xffff_ffff_ffff, u64::MAX] {
            let mut buffer = [0; 20];
            let mut writer = RtcpWriter::new(&mut buffer);
            assert!(writer.remb(1, bitrate, &[]));
            let Some(RtcpPacket::Remb(remb)) = packets(writer.bytes()).next() else { panic!("a REMB") };
            assert!(remb.bitrate <= bitrate && bitrate - remb.bitrate <= bitrate >> 17, "{bitrate} {}", remb.bitrate);
        }
    }

    #[test]
    fn a_bitrate_that_overflows_is_no_limit() {
        let packet = [0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 0xff, 0xff, 0xff];
        let Some(RtcpPacket::Remb(remb)) = packets(&packet).next() else { panic!("a REMB") };
        assert_eq!(remb.bitrate, u64::MAX);
    }
}
