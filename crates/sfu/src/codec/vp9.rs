//! The VP9 payload descriptor (RFC 9628 section 4.2).

use arrayvec::ArrayVec;

use super::vp8::{PictureId, take, take_picture_id};

/// Spatial layers that a scalability structure may have: N_S is 3 bits.
pub const SPATIAL_LAYERS_MAX: usize = 8;
/// Frames that a frame may name as its references in flexible mode.
pub const REFERENCES_MAX: usize = 3;

/// What precedes the VP9 data in each packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The frame's number, if given; always in flexible mode where there are references.
    pub picture_id: Option<PictureId>,
    /// The frame depends on earlier pictures of its layer (P).
    pub inter_picture: bool,
    /// References are given with each frame and not by the structure (F).
    pub flexible: bool,
    /// The packet begins a frame, which is one spatial layer of a picture (B).
    pub frame_start: bool,
    /// The packet ends a frame (E).
    pub frame_end: bool,
    /// No higher spatial layer depends on this frame (Z).
    pub not_inter_layer_reference: bool,
    /// The frame's layers, if given; without them there is one layer.
    pub layer: Option<Layer>,
    /// The running number of pictures of the lowest temporal layer (TL0PICIDX), given with layers outside of flexible
    /// mode.
    pub tl0_picture_index: Option<u8>,
    /// How many pictures back each reference is (P_DIFF), 1 to 127.
    pub references: ArrayVec<u8, REFERENCES_MAX>,
    /// The layers of the stream (V), given with keyframes and now and then.
    pub structure: Option<Structure>,
    /// The descriptor's length; the VP9 data follows.
    pub bytes: usize,
}

/// The layers of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// 0 the lowest, to 7 (TID).
    pub temporal: u8,
    /// No later frame of a higher temporal layer needs an earlier one of it, so a receiver can step up here (U).
    pub switching_up: bool,
    /// 0 the lowest, to 7 (SID).
    pub spatial: u8,
    /// The frame depends on the spatial layer below it (D).
    pub inter_layer: bool,
}

/// The scalability structure (RFC 9628 section 4.2.1), without the picture group: only a decoder needs that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Spatial layers, 1 to 8 (N_S + 1).
    pub spatial_layers: u8,
    /// Width and height of each in pixels, from the lowest up; empty if not given.
    pub sizes: ArrayVec<(u16, u16), SPATIAL_LAYERS_MAX>,
    /// Pictures in the group (N_G), 0 if there is none.
    pub group_pictures: u8,
}

/// Whether the payload begins a keyframe: the first packet of the lowest spatial layer of a picture that depends on no
/// other. The layers above it in the same picture need it.
pub fn is_keyframe(payload: &[u8]) -> bool {
    Descriptor::parse(payload).is_some_and(|descriptor| {
        let lowest = descriptor.layer.is_none_or(|layer| layer.spatial == 0);
        descriptor.frame_start && !descriptor.inter_picture && lowest && payload.len() > descriptor.bytes
    })
}

impl Descriptor {
    /// Reads the descriptor of an RTP payload; `None` when it is cut short, has more references than
    /// [`REFERENCES_MAX`], or references without a picture id to count from.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&first, mut rest) = payload.split_first()?;
        let has = |flag| first & flag != 0;
        let (inter_picture, flexible) = (has(0x40), has(0x10));
        let picture_id = if has(0x80) { Some(take_picture_id(&mut rest)?) } else { None };
        let layer = if has(0x20) { Some(Layer::from_byte(take(&mut rest)?)) } else { None };
        let tl0_picture_index = if layer.is_some() && !flexible { Some(take(&mut rest)?) } else { None };
        let mut references = ArrayVec::new();
        if inter_picture && flexible {
            picture_id?;
            loop {
                let reference = take(&mut rest)?;
                references.try_push(reference >> 1).ok()?;
                if reference & 1 == 0 {
                    break;
                }
            }
        }
        let structure = if has(0x02) { Some(Structure::take(&mut rest)?) } else { None };
        Some(Self {
            picture_id,
            inter_picture,
            flexible,
            frame_start: has(0x08),
            frame_end: has(0x04),
            not_inter_layer_reference: has(0x01),
            layer,
            tl0_picture_index,
            references,
            structure,
            bytes: payload.len() - rest.len(),
        })
    }
}

impl Layer {
    fn from_byte(byte: u8) -> Self {
        Self {
            temporal: byte >> 5,
            switching_up: byte & 0x10 != 0,
            spatial: byte >> 1 & 0x07,
            inter_layer: byte & 0x01 != 0,
        }
    }
}

impl Structure {
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let first = take(rest)?;
        let spatial_layers = (first >> 5) + 1;
        let mut sizes = ArrayVec::new();
        if first & 0x10 != 0 {
            for _ in 0..spatial_layers {
                let (width, height) = (take_u16(rest)?, take_u16(rest)?);
                sizes.try_push((width, height)).ok()?;
            }
        }
        let group_pictures = if first & 0x08 != 0 { take(rest)? } else { 0 };
        for _ in 0..group_pictures {
            let references = take(rest)? >> 2 & 0x03;
            *rest = rest.get(usize::from(references)..)?;
        }
        Some(Self { spatial_layers, sizes, group_pictures })
    }
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([take(rest)?, take(rest)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    /// The first packet of a keyframe of three spatial layers: picture 0x1234, the structure with sizes and a group.
    const KEYFRAME: [u8; 24] = [
        0xaa, 0x92, 0x34, 0x00, 0x56, 0x58, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x05, 0x00, 0x02, 0xd0,
        0x02, 0x10, 0x44, 0x02, 0x82, 0x49,
    ];

    fn parse(payload: &[u8]) -> Descriptor {
        Descriptor::parse(payload).expect("a descriptor")
    }

    fn plain(bytes: usize) -> Descriptor {
        Descriptor {
            picture_id: None,
            inter_picture: false,
            flexible: false,
            frame_start: false,
            frame_end: false,
            not_inter_layer_reference: false,
            layer: None,
            tl0_picture_index: None,
            references: ArrayVec::new(),
            structure: None,
            bytes,
        }
    }

    // The vectors of this test are from Pion's codecs/vp9_packet_test.go.
    #[test]
    fn descriptors_are_read_as_pion_reads_them() {
        assert_eq!(parse(&[0x00, 0xaa]), plain(1));
        let picture_id = Some(PictureId::Short(2));
        assert_eq!(parse(&[0x80, 0x02, 0xaa]), Descriptor { picture_id, ..plain(2) });
        assert_eq!(
            parse(&[0x80, 0x81, 0xff, 0xaa]),
            Descriptor { picture_id: Some(PictureId::Long(0x1ff)), ..plain(3) }
        );
        let layer = Some(Layer { temporal: 1, switching_up: false, spatial: 1, inter_layer: true });
        let layered = Descriptor { picture_id, layer, ..plain(3) };
        assert_eq!(
            parse(&[0xa0, 0x02, 0x23, 0x01, 0xaa]),
            Descriptor { tl0_picture_index: Some(1), bytes: 4, ..layered.clone() }
        );
        assert_eq!(parse(&[0xb0, 0x02, 0x23, 0x01, 0xaa]), Descriptor { flexible: true, ..layered });
        assert_eq!(
            parse(&[0xd0, 0x02, 0x03, 0x04]),
            Descriptor {
                picture_id,
                inter_picture: true,
                flexible: true,
                references: ArrayVec::from_iter([1, 2]),
                ..plain(4)
            }
        );
        let sizes = ArrayVec::from_iter([(640, 360), (1280, 720)]);
        assert_eq!(
            parse(&[0x0a, 0x30, 0x02, 0x80, 0x01, 0x68, 0x05, 0x00, 0x02, 0xd0]),
            Descriptor {
                frame_start: true,
                structure: Some(Structure { spatial_layers: 2, sizes, group_pictures: 0 }),
                ..plain(10)
            }
        );
        assert_eq!(
            parse(&[0x0a, 0x28, 0x02, 0x10, 0x44, 33]).structure,
            Some(Structure { spatial_layers: 2, sizes: ArrayVec::new(), group_pictures: 2 })
        );
        for cut in [&[][..], &[0x80], &[0x80, 0x81], &[0xa0, 0x02], &[0xa0, 0x02, 0x23], &[0xd0, 0x02, 0x03]] {
            assert_eq!(Descriptor::parse(cut), None, "{cut:x?}");
        }
        assert_eq!(Descriptor::parse(&[0xd0, 0x02, 0x03, 0x05, 0x07, 0x09, 0x10, 0xaa]), None, "five references");
    }

    // The vectors of this test are from libwebrtc's video_rtp_depacketizer_vp9_unittest.cc.
    #[test]
    fn descriptors_are_read_as_libwebrtc_reads_them() {
        let basic = parse(&[0x0c, 0, 0, 0]);
        assert_eq!(basic, Descriptor { frame_start: true, frame_end: true, ..plain(1) });
        assert_eq!(parse(&[0x80, 0xff, 0xff, 0]).picture_id, Some(PictureId::Long(0x7fff)));
        let layers = parse(&[0x20, 2 << 5 | 1 << 4 | 1 << 1 | 1, 17, 0]);
        assert_eq!(layers.layer, Some(Layer { temporal: 2, switching_up: true, spatial: 1, inter_layer: true }));
        assert_eq!((layers.tl0_picture_index, layers.bytes), (Some(17), 3));
        let flexible = parse(&[0x38, 2 << 5 | 1 << 4, 0, 0]);
        assert_eq!((flexible.tl0_picture_index, flexible.bytes), (None, 2));
        let references = parse(&[0xd8, 0x80, 17, 17 << 1 | 1, 18 << 1 | 1, 127 << 1, 0]);
        assert_eq!(&references.references[..], [17, 18, 127]);
        assert_eq!(references.bytes, 6);
        assert!(parse(&[0x05, 0]).not_inter_layer_reference);
        assert_eq!(Descriptor::parse(&[0x58, 3 << 1, 0]), None, "references without a picture id");
        assert_eq!(Descriptor::parse(&[0xd8, 127, 7, 7, 7, 6, 0]), None, "four references");
    }

    #[test]
    fn a_keyframe_begins_with_the_lowest_layer_of_an_independent_picture() {
        assert!(is_keyframe(&KEYFRAME));
        assert_eq!(parse(&KEYFRAME).structure.map(|structure| structure.sizes[2]), Some((1280, 720)));
        // "non-flexible OnePacket key frame" and "TwoPackets key frame" of Pion's tests.
        let size = [0x18, 0x07, 0x80, 0x03, 0x24, 0x01, 0x14, 0x01];
        assert!(is_keyframe(&[&[0x8f, 0xa1, 0xf4][..], &size, &[0x82, 0x49]].concat()));
        assert!(is_keyframe(&[&[0x8b, 0xa1, 0xf4][..], &size, &[0x82]].concat()));
        assert!(!is_keyframe(&[0x85, 0xa1, 0xf4, 0x49, 0x83]), "its second packet");
        assert!(!is_keyframe(&[0xcd, 0xa1, 0xf4, 0x86, 0x00]), "\"non-flexible OnePacket non key frame\"");
        // What mediasoup's TestVP9.cpp makes: I, L, B and E, spatial layer 0.
        assert!(is_keyframe(&[0xad, 0x80, 0x00, 0x10, 0x00, 0x00]));
        assert!(!is_keyframe(&[0xad, 0x80, 0x00, 0x13, 0x00, 0x00]), "the layer above, which depends on it");
        assert!(!is_keyframe(&[0x08]), "no VP9 data");
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for end in 0..22 {
            assert_eq!(Descriptor::parse(&KEYFRAME[..end]), None, "{end} bytes");
        }
        assert_eq!(parse(&KEYFRAME[..22]).bytes, 22);
    }

    #[test]
    fn damaged_payloads_never_panic() {
        fuzz::damaged(6, &[&KEYFRAME, &[0xd8, 0x80, 17, 35, 37, 254, 0]], |payload| {
            is_keyframe(payload);
            if let Some(descriptor) = Descriptor::parse(payload) {
                assert!(descriptor.bytes <= payload.len());
                assert_eq!(Descriptor::parse(&payload[..descriptor.bytes]).as_ref(), Some(&descriptor));
            }
        });
    }
}
