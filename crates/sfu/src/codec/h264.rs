//! H264 in RTP (RFC 6184): single NAL unit packets, STAP-A and FU-A, which is what packetization mode 1 sends.

/// `nal_unit_type` (RFC 6184 section 5.2 and H.264 table 7-1).
mod nal {
    pub(super) const SEQUENCE_PARAMETER_SET: u8 = 7;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
}

/// The S bit of the FU header (RFC 6184 section 5.8).
const FU_START: u8 = 0x80;

/// Whether the payload begins a keyframe: it holds the begin of a sequence parameter set.
///
/// An IDR slice alone is none: a decoder that starts there has no parameter sets yet. WebRTC senders repeat them
/// before every IDR picture (RFC 7742 section 6.2), and mediasoup decides the same.
pub fn is_keyframe(payload: &[u8]) -> bool {
    nal_types(payload).any(|nal_type| nal_type == nal::SEQUENCE_PARAMETER_SET)
}

/// The types of the NAL units that begin in an RTP payload; what follows a malformed one is not shown.
pub fn nal_types(payload: &[u8]) -> impl Iterator<Item = u8> {
    let (single, aggregated) = match payload {
        [head, rest @ ..] if nal_type(*head) == nal::STAP_A => (None, rest),
        // Only the first fragment begins its unit. FU-B (29) is for interleaved mode, which nobody negotiates.
        [head, fu_header, ..] if nal_type(*head) == nal::FU_A => {
            ((fu_header & FU_START != 0).then_some(nal_type(*fu_header)), &[][..])
        }
        [head, _, ..] if nal_type(*head) < nal::STAP_A => (Some(nal_type(*head)), &[][..]),
        _ => (None, &[][..]),
    };
    single.into_iter().chain(aggregated_types(aggregated))
}

/// The types of units that each follow their size in 16 bits (RFC 6184 section 5.7.1).
fn aggregated_types(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (size, units) = rest.split_first_chunk::<2>()?;
        let (unit, after) = units.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        rest = after;
        unit.first().map(|head| nal_type(*head))
    })
}

fn nal_type(head: u8) -> u8 {
    head & 0x1f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    /// SPS, PPS and IDR slice in one: `StapAKey` of libwebrtc's video_rtp_depacketizer_h264_unittest.cc.
    const STAP_A_KEY: [u8; 55] = [
        24, 0, 0x18, 7, 0x7a, 0x00, 0x1f, 0xbc, 0xd9, 0x40, 0x50, 0x05, 0xba, 0x10, 0x00, 0x00, 0x03, 0x00, 0xc0, 0x00,
        0x00, 0x03, 0x2a, 0xe0, 0xf1, 0x83, 0x25, 0, 0x0d, 8, 0x69, 0xfc, 0x0, 0x0, 0x3, 0x0, 0x7, 0xff, 0xff, 0xff,
        0xf6, 0x40, 0, 0x0b, 5, 0x85, 0xb8, 0x0, 0x4, 0x0, 0x0, 0x13, 0x93, 0x12, 0x0,
    ];
    /// `StapADelta` of the same.
    const STAP_A_DELTA: [u8; 16] = [24, 0, 0x02, 1, 0xff, 0, 0x03, 1, 0xff, 0x00, 0, 0x04, 1, 0xff, 0x00, 0x11];
    /// `FuA` of the same: an IDR slice in three packets.
    const FU_A: [&[u8]; 3] =
        [&[28, 0x85, 0x85, 0xb8, 0x0, 0x4, 0x0, 0x0, 0x13, 0x93, 0x12, 0x0], &[28, 5, 0x02], &[28, 0x45, 0x03]];

    fn types(payload: &[u8]) -> Vec<u8> {
        nal_types(payload).collect()
    }

    #[test]
    fn the_units_of_each_kind_of_packet_are_found() {
        assert_eq!(types(&STAP_A_KEY), [7, 8, 5]);
        assert_eq!(types(&STAP_A_DELTA), [1, 1, 1]);
        assert_eq!(FU_A.map(types), [vec![5], vec![], vec![]], "only the first fragment begins the unit");
        assert_eq!(types(&[0x05, 0xff]), [5], "`SingleNalu` of the same file");
    }

    #[test]
    fn a_keyframe_begins_with_its_sequence_parameter_set() {
        assert!(is_keyframe(&STAP_A_KEY));
        // `SingleNaluSpsWithResolution`, with the NRI bits that libwebrtc's own encoder sets.
        assert!(is_keyframe(&[0x67, 0x7a, 0x00, 0x1f, 0xbc, 0xd9, 0x40, 0x50]));
        // What mediasoup's TestH264.cpp parses.
        assert!(is_keyframe(&[0x07, 0x80, 0x11, 0x00]));
        assert!(is_keyframe(&[0x7c, 0x87, 0x42]), "the first fragment of a long one");
        assert!(!is_keyframe(&[0x7c, 0x07, 0x42]), "the second fragment");
        assert!(!is_keyframe(&[0x65, 0x88]), "an IDR slice cannot be decoded without one");
        assert!(!is_keyframe(&STAP_A_DELTA) && !is_keyframe(FU_A[0]));
    }

    #[test]
    fn what_is_cut_short_begins_nothing() {
        // `EmptyPayload`, `TruncatedFuaNalu`, `TruncatedSingleStapANalu`, `StapAPacketWithTruncatedNalUnits` and
        // `TruncationJustAfterSingleStapANalu` of the same file.
        for payload in [&[][..], &[0x9c], &[0xd8, 0x27], &[0x58, 0xcb, 0xed, 0xdf], &[0x38, 0x27, 0x27]] {
            assert!(types(payload).is_empty(), "{payload:x?}");
        }
        assert!(types(&[24, 0, 0]).is_empty(), "an empty unit");
        assert_eq!(types(&STAP_A_KEY[..54]), [7, 8], "the last unit is a byte short");
    }

    #[test]
    fn damaged_payloads_never_panic() {
        fuzz::damaged(5, &[&STAP_A_KEY, &STAP_A_DELTA, FU_A[0]], |payload| {
            assert!(nal_types(payload).count() <= payload.len());
            is_keyframe(payload);
        });
    }
}
