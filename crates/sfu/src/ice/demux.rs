//! What a datagram is, by its first bytes.

/// The protocols that share a socket (RFC 7983).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// ICE connectivity checks.
    Stun,
    /// Handshake and data channels.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP.
    Rtcp,
}

/// Tells protocols apart by the first byte (RFC 7983 7), and RTCP from RTP by the second (RFC 5761 4).
pub fn classify(datagram: &[u8]) -> Option<PacketKind> {
    match datagram {
        [0..=3, ..] => Some(PacketKind::Stun),
        [20..=63, ..] => Some(PacketKind::Dtls),
        [128..=191, 192..=223, ..] => Some(PacketKind::Rtcp),
        [128..=191, _, ..] => Some(PacketKind::Rtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{PacketKind, classify};

    #[test]
    fn protocols_are_told_apart() {
        for (datagram, kind) in [
            (&[0, 1][..], Some(PacketKind::Stun)),
            (&[1, 1], Some(PacketKind::Stun)),
            (&[4, 0], None),
            (&[16, 0], None),
            (&[22, 254], Some(PacketKind::Dtls)),
            (&[64, 0], None),
            (&[0x80, 96], Some(PacketKind::Rtp)),
            (&[0xbf, 0x80 | 127], Some(PacketKind::Rtp)),
            (&[0x80, 191], Some(PacketKind::Rtp)),
            (&[0x80, 200], Some(PacketKind::Rtcp)),
            (&[0x81, 206], Some(PacketKind::Rtcp)),
            (&[0x80, 224], Some(PacketKind::Rtp)),
            (&[0x80], None),
            (&[0xc0, 0], None),
            (&[], None),
        ] {
            assert_eq!(classify(datagram), kind, "{datagram:?}");
        }
    }
}
