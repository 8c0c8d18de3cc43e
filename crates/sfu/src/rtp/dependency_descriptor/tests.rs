//! Descriptors from real senders, and structures at every limit.

use super::Indication::{Discardable, NotPresent, Required, Switch};
use super::*;
use crate::rtp::fuzz;

/// L1T3, the first packet of a keyframe, with its meaning spelt out in <https://issues.webrtc.org/issues/42225660>
/// and in mediasoup's TestDependencyDescriptor.cpp.
const L1T3: [u8; 16] = [0x80, 0x01, 0x2f, 0x80, 0x02, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20, 0x84, 0x26];

/// The same from Chromium 156, which adds the size of the picture.
const L1T3_SIZED: [u8; 20] = [
    0x80, 0x00, 0x01, 0x80, 0x02, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20, 0x84, 0x27, 0x04, 0xff, 0x02,
    0xcf,
];
/// L2T3_KEY from Chromium 156.
const L2T3_KEY: [u8; 49] = [
    128, 0, 1, 128, 5, 20, 133, 58, 170, 168, 1, 128, 4, 0, 64, 2, 160, 42, 0, 96, 1, 0, 21, 211, 69, 20, 23, 77, 20,
    76, 112, 8, 116, 50, 22, 81, 17, 133, 67, 39, 104, 19, 248, 11, 56, 39, 248, 22, 120,
];

/// L3T3 from "traffic capture", as are [`FOLLOWING`], in LiveKit's dependencydescriptorextension_test.go.
const L3T3: &str = "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b8\
                    20ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d";
/// What followed it.
const FOLLOWING: [&str; 12] = [
    "86017340fc",
    "46017340fc",
    "c3017540fc",
    "88017640fc",
    "48017640fc",
    "c2017840fc",
    "860173",
    "460173",
    "8b0174",
    "0b0174",
    "0b0174",
    "c30175",
];

fn hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn list<T: Clone, const N: usize>(items: &[T]) -> ArrayVec<T, N> {
    items.iter().cloned().collect()
}

fn template(layers: (u8, u8), indications: &[Indication], references: &[u16], chains: &[u8]) -> Frame {
    Frame {
        spatial_layer: layers.0,
        temporal_layer: layers.1,
        indications: list(indications),
        references: list(references),
        chains: list(chains),
    }
}

#[test]
fn a_structure_is_read_as_its_sender_meant_it() {
    let mut structure = Structure::default();
    let descriptor = DependencyDescriptor::parse(&L1T3, &mut structure).expect("a descriptor");
    let templates = [
        template((0, 0), &[Switch, Switch, Switch], &[], &[0]),
        template((0, 0), &[Switch, Switch, Switch], &[4], &[4]),
        template((0, 1), &[NotPresent, Discardable, Switch], &[2], &[2]),
        template((0, 2), &[NotPresent, NotPresent, Discardable], &[1], &[1]),
        template((0, 2), &[NotPresent, NotPresent, Discardable], &[1], &[3]),
    ];
    assert_eq!(
        structure,
        Structure {
            id_offset: 0,
            decode_targets: 3,
            templates: list(&templates),
            chains: 1,
            protected_by: list(&[0, 0, 0]),
            sizes: ArrayVec::new(),
        }
    );
    assert_eq!(
        descriptor,
        DependencyDescriptor {
            frame_start: true,
            frame_end: false,
            frame_number: 303,
            structure_attached: true,
            active_decode_targets: Some(0b111),
            frame: templates[0].clone(),
            size: None,
        }
    );
}

#[test]
fn the_sizes_of_the_layers_are_read() {
    let sizes = |value: &[u8]| {
        let mut structure = Structure::default();
        DependencyDescriptor::parse(value, &mut structure).expect("a descriptor");
        structure.sizes.iter().map(|size| (size.width, size.height)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&L1T3_SIZED), [(1280, 720)]);
    assert_eq!(sizes(&L2T3_KEY), [(640, 360), (1280, 720)]);
}

#[test]
fn packets_name_templates_of_the_structure_before_them() {
    let mut structure = Structure::default();
    let first = DependencyDescriptor::parse(&hex(L3T3), &mut structure).expect("a descriptor");
    assert!(first.frame_start && first.frame_end && first.structure_attached);
    assert_eq!((first.frame_number, first.active_decode_targets), (0x172, Some(0x1ff)));
    assert_eq!((structure.decode_targets, structure.chains, structure.templates.len()), (9, 3, 15));
    assert_eq!(&structure.protected_by[..], [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    let sizes = structure.sizes.iter().map(|size| (size.width, size.height)).collect::<Vec<_>>();
    assert_eq!(sizes, [(120, 67), (240, 135), (480, 270)]);

    let read = FOLLOWING.map(|text| {
        let descriptor = DependencyDescriptor::parse(&hex(text), &mut structure).expect("a descriptor");
        let Frame { spatial_layer, temporal_layer, references, .. } = &descriptor.frame;
        assert_eq!(descriptor.size, structure.sizes.get(usize::from(*spatial_layer)).copied());
        let whole = (descriptor.frame_start, descriptor.frame_end);
        (descriptor.frame_number, whole, (*spatial_layer, *temporal_layer), references.to_vec())
    });
    assert_eq!(read[0], (0x173, (true, false), (1, 0), vec![1]));
    assert_eq!(read[1], (0x173, (false, true), (1, 0), vec![1]));
    assert_eq!(read[6], read[0], "with and without the active decode targets");
    assert!(read.iter().all(|(_, _, (spatial, temporal), _)| *spatial < 3 && *temporal < 3));
    let some = DependencyDescriptor::parse(&hex(FOLLOWING[0]), &mut structure).expect("a descriptor");
    assert_eq!(some.active_decode_targets, Some(0b0_0011_1111), "the top spatial layer is stopped");
}

#[test]
fn a_packet_whose_structure_is_missing_is_refused() {
    let mut structure = Structure::default();
    assert_eq!(DependencyDescriptor::parse(&[0x80, 0, 0], &mut structure), None);
    DependencyDescriptor::parse(&L1T3, &mut structure).expect("a descriptor");
    assert!(DependencyDescriptor::parse(&[0x84, 0, 0], &mut structure).is_some());
    assert_eq!(DependencyDescriptor::parse(&[0x85, 0, 0], &mut structure), None, "there are five");
    assert_eq!(DependencyDescriptor::parse(&[0xbf, 0, 0], &mut structure), None, "before the first");
}

#[test]
fn what_is_cut_short_is_refused_and_changes_nothing() {
    for whole in [L1T3.to_vec(), hex(L3T3)] {
        for end in 0..whole.len() {
            let mut structure = Structure::default();
            assert_eq!(DependencyDescriptor::parse(&whole[..end], &mut structure), None, "{end} bytes");
            assert_eq!(structure, Structure::default());
        }
    }
}

/// Writes numbers as `f(n)` reads them.
#[derive(Default)]
struct Writer(Vec<bool>);

impl Writer {
    fn write(mut self, count: u32, value: u32) -> Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, false);
        self
    }

    /// A value with the mandatory fields of template 0 and frame 7 in front.
    fn value(self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at));
        [0x80, 0, 7].into_iter().chain(self.0.chunks(8).map(byte)).collect()
    }
}

/// One template, one decode target and one chain, for the frames of the tests that follow.
fn smallest() -> Structure {
    let value = Writer::default()
        .write(5, 0b10000)
        .write(6, 0)
        .write(5, 0)
        .write(2, 3)
        .write(2, 2)
        .write(1, 0)
        .write(1, 1)
        .write(4, 1)
        .write(1, 0)
        .value();
    let mut structure = Structure::default();
    DependencyDescriptor::parse(&value, &mut structure).expect("a descriptor");
    assert_eq!(structure.templates[0], template((0, 0), &[Switch], &[], &[1]));
    structure
}

#[test]
fn a_frame_may_differ_from_its_template() {
    let structure = smallest();
    // The boundaries of `RoundTripsFrameDiffsUpToLimit` and `RoundTripsChainDiffUpToLimit` in libwebrtc's
    // rtp_dependency_descriptor_extension_unittest.cc.
    for (nibbles, reference) in [(1, 1), (1, 16), (2, 17), (2, 256), (3, 257), (3, 4096)] {
        let value = Writer::default()
            .write(5, 0b01111)
            .write(1, 1)
            .write(2, 3)
            .write(2, nibbles)
            .write(4 * nibbles, reference - 1)
            .write(2, 0)
            .write(8, 255)
            .value();
        let mut now = structure.clone();
        let descriptor = DependencyDescriptor::parse(&value, &mut now).expect("a descriptor");
        assert_eq!(now, structure, "the template is as it was");
        assert_eq!(descriptor.active_decode_targets, Some(1));
        assert_eq!(descriptor.frame, template((0, 0), &[Required], &[reference as u16], &[255]));
    }
}

#[test]
fn layers_and_references_beyond_the_limits_are_refused() {
    let parse = |writer: Writer| DependencyDescriptor::parse(&writer.value(), &mut Structure::default());
    let head = || Writer::default().write(5, 0b10000).write(11, 0);
    // `next_layer_idc` 0: 65 templates; 1: nine temporal layers; 2: five spatial ones.
    for (next_layer_idc, allowed) in [(0, 63), (1, 7), (2, 3)] {
        for (count, accepted) in [(allowed, true), (allowed + 1, false)] {
            let layers = (0..count).fold(head(), |writer, _| writer.write(2, next_layer_idc)).write(2, 3);
            let read = parse(layers.zeros(256));
            assert_eq!(read.is_some(), accepted, "{count} x {next_layer_idc}");
        }
    }
    for (count, accepted) in [(REFERENCES_MAX, true), (REFERENCES_MAX + 1, false)] {
        let references = (0..count).fold(head().write(2, 3).write(2, 2), |writer, _| writer.write(5, 0b1_0000));
        assert_eq!(parse(references.zeros(32)).is_some(), accepted, "{count} references");
    }
}

#[test]
fn numbers_below_a_limit_are_read_in_the_bits_that_they_need() {
    // 5 values in 2 or 3 bits: 0, 1 and 2 are short (AV1 RTP specification A.4.1, `ns(n)`).
    for (bits, value) in [(0b0000_0000, 0), (0b0100_0000, 1), (0b1000_0000, 2), (0b1100_0000, 3), (0b1110_0000, 4)] {
        assert_eq!(Bits { bytes: &[bits], at: 0 }.below(5), Some(value));
    }
    assert_eq!(Bits { bytes: &[], at: 0 }.below(1), Some(0), "one value needs no bits");
}

#[test]
fn damaged_values_never_panic() {
    let mut structure = Structure::default();
    fuzz::damaged(8, &[&L1T3, &hex(L3T3), &hex(FOLLOWING[0]), &hex(FOLLOWING[6])], |value| {
        if let Some(descriptor) = DependencyDescriptor::parse(value, &mut structure) {
            let frame = &descriptor.frame;
            assert_eq!(frame.indications.len(), usize::from(structure.decode_targets));
            assert_eq!(frame.chains.len(), usize::from(structure.chains));
            assert!(structure.chains <= structure.decode_targets);
            assert!(structure.protected_by.iter().all(|chain| *chain < structure.chains));
            assert!(frame.references.iter().all(|reference| (1..=4096).contains(reference)));
        }
    });
}
