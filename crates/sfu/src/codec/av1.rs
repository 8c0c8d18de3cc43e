//! The AV1 aggregation header (AV1 RTP specification section 4.4). What follows it is not read: a middlebox decides by
//! this and by the dependency descriptor ([`crate::rtp::dependency_descriptor`]).

/// The first byte of each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregationHeader {
    /// The first element goes on with a unit of the packet before (Z).
    pub continues: bool,
    /// The last element is continued in the next packet (Y).
    pub continued: bool,
    /// How many elements there are, the last without its length (W), 1 to 3; `None` where each has its length.
    pub elements: Option<u8>,
    /// The packet is the first of a coded video sequence, which begins with a keyframe (N).
    pub new_sequence: bool,
}

/// Whether the payload begins a keyframe: the first packet of a coded video sequence.
pub fn is_keyframe(payload: &[u8]) -> bool {
    AggregationHeader::parse(payload).is_some_and(|header| header.new_sequence)
}

impl AggregationHeader {
    /// Reads the header of an RTP payload; `None` when nothing follows it, or when a sequence would begin with the
    /// rest of a unit, which section 4.4 forbids.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[first, _, ..] = payload else { return None };
        let has = |flag| first & flag != 0;
        let elements = first >> 4 & 0x03;
        let header = Self {
            continues: has(0x80),
            continued: has(0x40),
            elements: (elements > 0).then_some(elements),
            new_sequence: has(0x08),
        };
        (!(header.new_sequence && header.continues)).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    // Headers of open bitstream units.
    const SEQUENCE_HEADER: u8 = 0b0000_1000;
    const FRAME: u8 = 0b0011_0000;

    // The vectors of these tests are from libwebrtc's video_rtp_depacketizer_av1_unittest.cc.
    #[test]
    fn headers_are_read_as_libwebrtc_reads_them() {
        let one = AggregationHeader { continues: false, continued: false, elements: Some(1), new_sequence: false };
        let parse = |first, second| AggregationHeader::parse(&[first, second]);
        assert_eq!(parse(0b0001_0000, FRAME), Some(one));
        assert_eq!(parse(0b1001_0000, FRAME), Some(AggregationHeader { continues: true, ..one }));
        assert_eq!(parse(0b0101_0000, FRAME), Some(AggregationHeader { continued: true, ..one }));
        assert_eq!(parse(0b0001_1000, SEQUENCE_HEADER), Some(AggregationHeader { new_sequence: true, ..one }));
        let many = AggregationHeader::parse(&[0b0100_0000, 2, SEQUENCE_HEADER, 10, 5, FRAME, 40]);
        assert_eq!(many, Some(AggregationHeader { continued: true, elements: None, ..one }));
        assert_eq!(parse(0b1001_1000, SEQUENCE_HEADER), None, "a new sequence with the rest of a unit");
        assert_eq!(AggregationHeader::parse(&[]), None);
        assert_eq!(AggregationHeader::parse(&[0b0001_1000]), None, "no element");
    }

    #[test]
    fn a_keyframe_is_told_by_its_first_packet() {
        assert!(is_keyframe(&[0b0001_1000, SEQUENCE_HEADER]));
        assert!(!is_keyframe(&[0b0001_0000, SEQUENCE_HEADER]), "an interframe may repeat the sequence header");
        assert!(!is_keyframe(&[0b1001_0000, 40]));
    }

    #[test]
    fn damaged_payloads_never_panic() {
        fuzz::damaged(7, &[&[0b0110_1000, 2, SEQUENCE_HEADER, 10, FRAME, 20, 30]], |payload| {
            is_keyframe(payload);
            AggregationHeader::parse(payload);
        });
    }
}
