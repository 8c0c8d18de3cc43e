//! The VP8 payload descriptor (RFC 7741 section 4.2).

use super::PictureNumbers;

const PICTURE_ID_OFFSET: usize = 2;

/// What precedes the VP8 data in each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// The frame can be dropped without harm to any other (N).
    pub non_reference: bool,
    /// The packet begins a partition (S).
    pub partition_start: bool,
    /// Which partition it is of, 0 to 7 (PID).
    pub partition: u8,
    /// The frame's number, if given.
    pub picture_id: Option<PictureId>,
    /// The running number of frames of the lowest temporal layer (TL0PICIDX), if given.
    pub tl0_picture_index: Option<u8>,
    /// The frame's temporal layer, if given.
    pub temporal: Option<Temporal>,
    /// Which keyframe the frame depends on, 0 to 31 (KEYIDX), if given.
    pub key_index: Option<u8>,
    /// The descriptor's length; the VP8 data follows.
    pub bytes: usize,
}

/// A frame's number, in the width that its sender chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureId {
    /// 7 bits.
    Short(u8),
    /// 15 bits.
    Long(u16),
}

/// A frame's temporal layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Temporal {
    /// 0 the lowest, to 3 (TID).
    pub layer: u8,
    /// The frame depends on the lowest layer only, so that a receiver can step up to its layer here (Y).
    pub sync: bool,
}

/// Whether the payload begins a keyframe.
pub fn is_keyframe(payload: &[u8]) -> bool {
    // The first bit of the frame header, inverted (RFC 7741 section 4.3).
    Descriptor::parse(payload).is_some_and(|descriptor| {
        descriptor.partition_start
            && descriptor.partition == 0
            && payload.get(descriptor.bytes).is_some_and(|header| header & 1 == 0)
    })
}

/// The running numbers of a payload whose frames are numbered.
pub fn picture_numbers(payload: &[u8]) -> Option<PictureNumbers> {
    let descriptor = Descriptor::parse(payload)?;
    let picture_id = match descriptor.picture_id? {
        PictureId::Short(id) => u16::from(id),
        PictureId::Long(id) => id,
    };
    Some(PictureNumbers { picture_id, tl0_picture_index: descriptor.tl0_picture_index.unwrap_or_default() })
}

/// Adds to the running numbers of a payload, in place.
pub fn shift_picture(payload: &mut [u8], shift: PictureNumbers) {
    let (Some(descriptor), Some(numbers)) = (Descriptor::parse(payload), picture_numbers(payload)) else { return };
    let numbers = numbers.shifted(shift);
    descriptor.rewrite(payload, numbers.picture_id, numbers.tl0_picture_index);
}

impl Descriptor {
    /// Reads the descriptor of an RTP payload; `None` when it is cut short.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&first, mut rest) = payload.split_first()?;
        let has = |flags: u8, flag| flags & flag != 0;
        let extension = if has(first, 0x80) { take(&mut rest)? } else { 0 };
        let picture_id = if has(extension, 0x80) { Some(take_picture_id(&mut rest)?) } else { None };
        let tl0_picture_index = if has(extension, 0x40) { Some(take(&mut rest)?) } else { None };
        let layer = if has(extension, 0x30) { take(&mut rest)? } else { 0 };
        Some(Self {
            non_reference: has(first, 0x20),
            partition_start: has(first, 0x10),
            partition: first & 0x07,
            picture_id,
            tl0_picture_index,
            temporal: has(extension, 0x20).then_some(Temporal { layer: layer >> 6, sync: has(layer, 0x20) }),
            key_index: has(extension, 0x10).then_some(layer & 0x1f),
            bytes: payload.len() - rest.len(),
        })
    }

    /// Puts other running numbers into the payload that this descriptor was read from, in the widths that it has;
    /// those that it does not have are left out.
    fn rewrite(&self, payload: &mut [u8], picture_id: u16, tl0_picture_index: u8) {
        let [long, short] = picture_id.to_be_bytes();
        let Some(fields) = payload.get_mut(PICTURE_ID_OFFSET..self.bytes) else { return };
        let (picture, rest) = fields.split_at_mut(match self.picture_id {
            Some(PictureId::Long(_)) => 2,
            Some(PictureId::Short(_)) => 1,
            None => 0,
        });
        match picture {
            [first, second] => (*first, *second) = (0x80 | long, short),
            [first] => *first = short & 0x7f,
            _ => {}
        }
        if let (Some(_), [first, ..]) = (self.tl0_picture_index, rest) {
            *first = tl0_picture_index;
        }
    }
}

pub(super) fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

pub(super) fn take_picture_id(rest: &mut &[u8]) -> Option<PictureId> {
    let first = take(rest)?;
    if first & 0x80 == 0 {
        return Some(PictureId::Short(first));
    }
    Some(PictureId::Long(u16::from_be_bytes([first & 0x7f, take(rest)?])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    /// All fields: picture 0x1234, TL0PICIDX 0x56, temporal layer 2 with sync, KEYIDX 9; then a keyframe's header.
    const FULL: [u8; 7] = [0x90, 0xf0, 0x92, 0x34, 0x56, 0xa9, 0x10];

    // The vectors of this test are from libwebrtc's video_rtp_depacketizer_vp8_unittest.cc.
    #[test]
    fn descriptors_are_read_as_libwebrtc_reads_them() {
        let plain = Descriptor {
            non_reference: false,
            partition_start: false,
            partition: 0,
            picture_id: None,
            tl0_picture_index: None,
            temporal: None,
            key_index: None,
            bytes: 3,
        };
        let start = Descriptor { partition_start: true, ..plain };
        let parse = |payload: &[u8]| Descriptor::parse(payload);
        assert_eq!(parse(&[0x14, 0x01, 0, 0]), Some(Descriptor { partition: 4, bytes: 1, ..start }));
        let picture =
            |picture_id, bytes| Some(Descriptor { non_reference: true, picture_id: Some(picture_id), bytes, ..plain });
        assert_eq!(parse(&[0xa0, 0x80, 17, 0]), picture(PictureId::Short(17), 3));
        assert_eq!(parse(&[0xa0, 0x80, 0x80 | 17, 17, 0]), picture(PictureId::Long((17 << 8) + 17), 4));
        assert_eq!(parse(&[0x90, 0x40, 17, 0]), Some(Descriptor { tl0_picture_index: Some(17), ..start }));
        assert!(is_keyframe(&[0x90, 0x40, 17, 0]));
        // 0x88 has the first of the reserved bits of the partition's number set, which is not looked at.
        let temporal = Some(Temporal { layer: 2, sync: false });
        assert_eq!(parse(&[0x88, 0x20, 0x80, 0]), Some(Descriptor { temporal, ..plain }));
        assert_eq!(parse(&[0x88, 0x10, 17, 0]), Some(Descriptor { key_index: Some(17), ..plain }));
        assert_eq!(
            parse(&[0x88, 0xf0, 0x80 | 17, 17, 42, 0x40 | 0x20 | 0x11, 0]),
            Some(Descriptor {
                picture_id: Some(PictureId::Long((17 << 8) + 17)),
                tl0_picture_index: Some(42),
                temporal: Some(Temporal { layer: 1, sync: true }),
                key_index: Some(17),
                bytes: 6,
                ..plain
            })
        );
        assert_eq!(parse(&[0x88, 0xf0, 0x80 | 17, 17]), None, "too short a header");
    }

    #[test]
    fn a_bare_descriptor_is_one_byte() {
        let descriptor = Descriptor::parse(&[0x10, 0x00]).expect("a descriptor");
        assert_eq!((descriptor.bytes, descriptor.partition_start, descriptor.partition), (1, true, 0));
        assert_eq!((descriptor.picture_id, descriptor.temporal), (None, None));
        assert_eq!((descriptor.tl0_picture_index, descriptor.key_index), (None, None));
    }

    #[test]
    fn every_field_is_read() {
        assert_eq!(
            Descriptor::parse(&FULL),
            Some(Descriptor {
                non_reference: false,
                partition_start: true,
                partition: 0,
                picture_id: Some(PictureId::Long(0x1234)),
                tl0_picture_index: Some(0x56),
                temporal: Some(Temporal { layer: 2, sync: true }),
                key_index: Some(9),
                bytes: 6,
            })
        );
        let short = Descriptor::parse(&[0xa3, 0x80, 0x7f, 0x01]).expect("a descriptor");
        assert_eq!((short.picture_id, short.bytes), (Some(PictureId::Short(0x7f)), 3));
        assert!(short.non_reference && !short.partition_start);
        assert_eq!(short.partition, 3);
    }

    #[test]
    fn a_keyframe_is_told_by_its_first_packet() {
        assert!(is_keyframe(&FULL));
        assert!(is_keyframe(&[0x10, 0x50, 0x00]));
        assert!(!is_keyframe(&[0x10, 0x51]), "an interframe");
        assert!(!is_keyframe(&[0x00, 0x50]), "not the start of a partition");
        assert!(!is_keyframe(&[0x11, 0x50]), "the start of another partition");
        assert!(!is_keyframe(&[0x10]) && !is_keyframe(&[]), "no frame header");
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for end in 0..6 {
            assert_eq!(Descriptor::parse(&FULL[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn running_numbers_are_rewritten_in_their_width() {
        for (payload, rewritten) in [
            (&FULL[..], &[0x90, 0xf0, 0xff, 0xfe, 0x07, 0xa9, 0x10][..]),
            (&[0x90, 0xc0, 0x01, 0x02, 0x10], &[0x90, 0xc0, 0x7e, 0x07, 0x10]),
            (&[0x90, 0x40, 0x02, 0x10], &[0x90, 0x40, 0x07, 0x10]),
            (&[0x90, 0x20, 0x80, 0x10], &[0x90, 0x20, 0x80, 0x10]),
            (&[0x10, 0x10], &[0x10, 0x10]),
        ] {
            let descriptor = Descriptor::parse(payload).expect("a descriptor");
            let mut payload = payload.to_vec();
            descriptor.rewrite(&mut payload, 0x7ffe, 7);
            assert_eq!(payload, rewritten);
        }
    }

    #[test]
    fn damaged_payloads_never_panic() {
        fuzz::damaged(4, &[&FULL, &[0x10, 0x00]], |payload| {
            is_keyframe(payload);
            if let Some(descriptor) = Descriptor::parse(payload) {
                assert!(descriptor.bytes <= payload.len());
                let mut rewritten = payload.to_vec();
                descriptor.rewrite(&mut rewritten, 0xffff, 0xff);
                let again = Descriptor::parse(&rewritten).expect("a descriptor");
                assert_eq!((again.bytes, again.temporal), (descriptor.bytes, descriptor.temporal));
            }
        });
    }
}
