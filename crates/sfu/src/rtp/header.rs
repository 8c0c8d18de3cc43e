//! The RTP header (RFC 3550 section 5.1), read in place.

use std::ops::Range;

use super::elements::{Elements, TWO_BYTE_PROFILE, elements};

const FIXED_BYTES: usize = 12;

/// Where a packet's header extension block is (RFC 3550 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionBlock {
    /// The form of its elements: 0xBEDE or 0x1000 to 0x100F (RFC 8285).
    pub profile: u16,
    /// Offset of its first element in the packet.
    pub start: usize,
    /// Bytes of elements and their padding.
    pub bytes: usize,
}

impl ExtensionBlock {
    /// Whether its elements are in two-byte form (RFC 8285 section 4.3).
    pub fn is_two_byte(self) -> bool {
        self.profile & 0xfff0 == TWO_BYTE_PROFILE
    }

    fn range(self) -> Range<usize> {
        self.start..self.start + self.bytes
    }
}

/// A parsed RTP header; the payload follows at [`RtpHeader::header_bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit: the last packet of a video frame, the first of a talk spurt.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in the codec's clock.
    pub timestamp: u32,
    /// Whose stream it belongs to.
    pub ssrc: u32,
    /// How many contributing sources are listed, 0 to 15.
    pub csrc_count: u8,
    /// The header extensions, if any.
    pub extension: Option<ExtensionBlock>,
    /// Bytes before the payload: fixed header, contributing sources and extensions.
    pub header_bytes: usize,
    /// Whether the payload ends in padding; how much can be told only after decryption.
    pub padding: bool,
}

impl RtpHeader {
    /// Reads the header of `packet`, encrypted or not; `None` unless it is a complete one of version 2.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<FIXED_BYTES>()?;
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if first >> 6 != 2 {
            return None;
        }
        let csrc_count = first & 0x0f;
        let rest = rest.get(usize::from(csrc_count) * 4..)?;
        let mut header_bytes = packet.len() - rest.len();
        let mut extension = None;
        if first & 0x10 != 0 {
            let ([p0, p1, l0, l1], rest) = rest.split_first_chunk::<4>()?;
            let bytes = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            if bytes > rest.len() {
                return None;
            }
            let start = header_bytes + 4;
            extension = Some(ExtensionBlock { profile: u16::from_be_bytes([*p0, *p1]), start, bytes });
            header_bytes = start + bytes;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            csrc_count,
            extension,
            header_bytes,
            padding: first & 0x20 != 0,
        })
    }

    /// The header extensions of `packet`, which this header was read from.
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Elements<'a> {
        match self.extension {
            Some(block) => elements(block.profile, packet.get(block.range()).unwrap_or_default()),
            None => elements(0, &[]),
        }
    }

    /// How many bytes at the end of the decrypted `payload` are padding, their count included; `None` when the
    /// packet lies about it. A packet that is nothing but padding gives the payload's length.
    pub fn padding_bytes(&self, payload: &[u8]) -> Option<usize> {
        if !self.padding {
            return Some(0);
        }
        let bytes = usize::from(*payload.last()?);
        (1..=payload.len()).contains(&bytes).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    /// Marker, payload type 111, two contributing sources, one-byte extensions 9 = "0", padding of 3.
    const FULL: [u8; 33] = [
        0xb2, 0xef, 0x37, 0x4c, 0x4f, 0x1b, 0xa1, 0xad, 0x11, 0x22, 0x33, 0x44, 0xab, 0xcd, 0xef, 0x01, 0xde, 0xad,
        0xbe, 0xef, 0xbe, 0xde, 0x00, 0x01, 0x90, 0x30, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x03,
    ];

    #[test]
    fn reads_every_field() {
        let header = RtpHeader::parse(&FULL).expect("a header");
        assert!(header.marker && header.padding);
        assert_eq!((header.payload_type, header.sequence), (111, 14156));
        assert_eq!((header.timestamp, header.ssrc, header.csrc_count), (1_327_210_925, 0x1122_3344, 2));
        assert_eq!(header.extension, Some(ExtensionBlock { profile: 0xbede, start: 24, bytes: 4 }));
        assert_eq!(header.header_bytes, 28);
        assert!(header.extensions(&FULL).eq([(9, &b"0"[..])]));
        assert_eq!(header.padding_bytes(&FULL[28..]), Some(3));
    }

    #[test]
    fn a_plain_header_is_twelve_bytes() {
        let mut packet = [0; 12];
        packet[0] = 0x80;
        let header = RtpHeader::parse(&packet).expect("a header");
        assert_eq!((header.header_bytes, header.extension, header.padding), (12, None, false));
        assert_eq!(header.extensions(&packet).count(), 0);
        assert_eq!(header.padding_bytes(&[]), Some(0));
    }

    #[test]
    fn truncated_or_foreign_is_refused() {
        for end in 0..28 {
            assert_eq!(RtpHeader::parse(&FULL[..end]), None, "{end} bytes");
        }
        let mut version_1 = FULL;
        version_1[0] = 0x72;
        assert_eq!(RtpHeader::parse(&version_1), None);
    }

    #[test]
    fn padding_that_cannot_be_is_refused() {
        let header = RtpHeader::parse(&FULL).expect("a header");
        assert_eq!(header.padding_bytes(&[]), None);
        assert_eq!(header.padding_bytes(&[0]), None);
        assert_eq!(header.padding_bytes(&[2]), None);
        assert_eq!(header.padding_bytes(&[0, 0, 3]), Some(3));
    }

    #[test]
    fn damaged_packets_never_panic() {
        fuzz::damaged(1, &[&FULL], |packet| {
            if let Some(header) = RtpHeader::parse(packet) {
                let payload = &packet[header.header_bytes..];
                assert!(header.padding_bytes(payload).is_none_or(|padding| padding <= payload.len()));
                assert!(header.extensions(packet).all(|(id, _)| id != 0));
            }
        });
    }
}
