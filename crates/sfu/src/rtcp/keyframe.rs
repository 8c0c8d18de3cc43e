//! Keyframe requests: PLI (RFC 4585 section 6.3.1) and FIR (RFC 5104 section 4.3.1).

use super::{FORMAT_FIR, FORMAT_PLI, PAYLOAD_FEEDBACK, RtcpWriter, take_u32};

const FIR_ENTRY_BYTES: usize = 8;

/// A picture loss indication: a keyframe is needed, because pictures were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pli {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The stream.
    pub media_ssrc: u32,
}

impl Pli {
    pub(super) fn parse(mut body: &[u8]) -> Option<Self> {
        Some(Self { sender_ssrc: take_u32(&mut body)?, media_ssrc: take_u32(&mut body)? })
    }
}

/// A full intra request: keyframes are needed, because somebody new watches.
#[derive(Debug, Clone, Copy)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    entries: &'a [[u8; FIR_ENTRY_BYTES]],
}

/// A stream that a full intra request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirEntry {
    /// The stream.
    pub ssrc: u32,
    /// Counts requests; one with the number of the last is the same one again.
    pub sequence: u8,
}

impl<'a> Fir<'a> {
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let sender_ssrc = take_u32(&mut body)?;
        take_u32(&mut body)?;
        Some(Self { sender_ssrc, entries: body.as_chunks().0 })
    }

    /// The streams asked for.
    pub fn entries(&self) -> impl Iterator<Item = FirEntry> {
        self.entries.iter().map(|[s0, s1, s2, s3, sequence, ..]| FirEntry {
            ssrc: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
            sequence: *sequence,
        })
    }
}

impl RtcpWriter<'_> {
    /// Appends a PLI; false when it does not fit.
    #[must_use]
    pub fn pli(&mut self, sender_ssrc: u32, media_ssrc: u32) -> bool {
        self.packet(PAYLOAD_FEEDBACK, FORMAT_PLI, |writer| {
            writer.put_u32(sender_ssrc)?;
            writer.put_u32(media_ssrc)
        })
    }

    /// Appends a FIR of one stream, whose `sequence` goes up by one with each new request; false when it does not
    /// fit.
    #[must_use]
    pub fn fir(&mut self, sender_ssrc: u32, media_ssrc: u32, sequence: u8) -> bool {
        self.packet(PAYLOAD_FEEDBACK, FORMAT_FIR, |writer| {
            writer.put_u32(sender_ssrc)?;
            // The header's media source is not used (RFC 5104 section 4.3.1.2).
            writer.put_u32(0)?;
            writer.put_u32(media_ssrc)?;
            writer.put(&[sequence, 0, 0, 0])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    #[test]
    fn a_pli_names_its_stream() {
        let mut buffer = [0; 12];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.pli(0x5450_5ce5, 0x2301_41f9));
        assert_eq!(writer.bytes(), [0x81, 206, 0, 2, 0x54, 0x50, 0x5c, 0xe5, 0x23, 0x01, 0x41, 0xf9]);
        let Some(RtcpPacket::Pli(pli)) = packets(writer.bytes()).next() else { panic!("a PLI") };
        assert_eq!(pli, Pli { sender_ssrc: 0x5450_5ce5, media_ssrc: 0x2301_41f9 });
    }

    #[test]
    fn a_fir_names_its_streams_in_entries() {
        let mut buffer = [0xff; 20];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.fir(1, 2, 255));
        assert_eq!(writer.bytes(), [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 255, 0, 0, 0]);
        let Some(RtcpPacket::Fir(fir)) = packets(writer.bytes()).next() else { panic!("a FIR") };
        assert_eq!(fir.sender_ssrc, 1);
        assert!(fir.entries().eq([FirEntry { ssrc: 2, sequence: 255 }]));
    }
}
