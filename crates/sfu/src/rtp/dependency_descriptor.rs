//! The dependency descriptor: which frames a frame needs, and which subsets of the stream need it (AV1 RTP
//! specification, appendix A). It is sent with AV1, and with any codec whose payload a middlebox should not read.
//!
//! A keyframe's first packet attaches a [`Structure`] of templates; the packets that follow name one of them. So the
//! structure is the reader's state: one per stream, given the packets in the order of their sequence numbers.

use arrayvec::ArrayVec;

/// Templates that a structure may have: their ids are 6 bits.
pub const TEMPLATES_MAX: usize = 64;
/// Decode targets that a structure may have: their count is 5 bits.
pub const DECODE_TARGETS_MAX: usize = 32;
/// Frames that a frame may refer to. The format has no limit; AV1 has 7 references, H264 16.
pub const REFERENCES_MAX: usize = 16;
/// Spatial layers that a structure may have (table A.1).
pub const SPATIAL_LAYERS_MAX: usize = 4;
/// Temporal layers that a structure may have (table A.1).
pub const TEMPORAL_LAYERS_MAX: u8 = 8;

/// The descriptor of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyDescriptor {
    /// The packet begins a frame.
    pub frame_start: bool,
    /// The packet ends a frame.
    pub frame_end: bool,
    /// The frame's number, which counts frames in decode order and wraps.
    pub frame_number: u16,
    /// The packet brought a structure, so it is the first of a keyframe.
    pub structure_attached: bool,
    /// Which decode targets the sender produces from now on, a bit each; `None` where nothing is said.
    pub active_decode_targets: Option<u32>,
    /// What the frame depends on: its template's, or its own where it differs.
    pub frame: Frame,
    /// Largest width and height of the frame's spatial layer, in pixels, if given.
    pub size: Option<Size>,
}

/// A frame's place among the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// 0 the lowest.
    pub spatial_layer: u8,
    /// 0 the lowest.
    pub temporal_layer: u8,
    /// What the frame is to each decode target.
    pub indications: ArrayVec<Indication, DECODE_TARGETS_MAX>,
    /// How many frames back each frame is that it refers to, 1 to 4096.
    pub references: ArrayVec<u16, REFERENCES_MAX>,
    /// For each chain, how many frames back its previous frame is; 0 where the chain begins with this one.
    pub chains: ArrayVec<u8, DECODE_TARGETS_MAX>,
}

/// What a frame is to a decode target (table A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// No part of it.
    NotPresent,
    /// No later frame of the target refers to it.
    Discardable,
    /// From here on the target can be decoded, if this frame can.
    Switch,
    /// Part of it, and neither of the others.
    Required,
}

/// Width and height in pixels, 1 to 65,536.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// The templates of a coded video sequence. Begins empty, and then no packet can be read but one that attaches one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Structure {
    /// The id of the first template.
    id_offset: u8,
    /// Decode targets, 1 to 32; 0 only while it is empty.
    pub decode_targets: u8,
    /// What frames have in common, from the lowest layer up.
    pub templates: ArrayVec<Frame, TEMPLATES_MAX>,
    /// How many chains there are.
    pub chains: u8,
    /// The chain that protects each decode target; empty without chains.
    pub protected_by: ArrayVec<u8, DECODE_TARGETS_MAX>,
    /// Largest picture of each spatial layer; empty if not given.
    pub sizes: ArrayVec<Size, SPATIAL_LAYERS_MAX>,
}

impl DependencyDescriptor {
    /// Reads the extension's value. An attached structure takes the place of `structure`.
    ///
    /// `None` when it is cut short, exceeds a limit, or names a template that the structure does not have, as after
    /// the loss of the packet that attached it. `structure` is then as it was.
    pub fn parse(value: &[u8], structure: &mut Structure) -> Option<Self> {
        let (&[first, high, low], extended) = value.split_first_chunk::<3>()?;
        let mut bits = Bits { bytes: extended, at: 0 };
        let mut flags = Flags::default();
        let mut attached = None;
        if !extended.is_empty() {
            flags = Flags::read(&mut bits)?;
            if flags.structure {
                attached = Some(Structure::read(&mut bits)?);
            }
        }
        let current = attached.as_ref().unwrap_or(structure);
        let targets = u32::from(current.decode_targets);
        let active_decode_targets = match (flags.active_decode_targets, &attached) {
            (true, _) => Some(bits.read(targets)?),
            (false, Some(_)) => Some(u32::MAX >> (DECODE_TARGETS_MAX as u32 - targets)),
            (false, None) => None,
        };
        let frame = current.frame(first & 0x3f, flags, &mut bits)?;
        let descriptor = Self {
            frame_start: first & 0x80 != 0,
            frame_end: first & 0x40 != 0,
            frame_number: u16::from_be_bytes([high, low]),
            structure_attached: attached.is_some(),
            active_decode_targets,
            size: current.sizes.get(usize::from(frame.spatial_layer)).copied(),
            frame,
        };
        if let Some(attached) = attached {
            *structure = attached;
        }
        Some(descriptor)
    }
}

/// `extended_descriptor_fields()`.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    structure: bool,
    active_decode_targets: bool,
    custom_indications: bool,
    custom_references: bool,
    custom_chains: bool,
}

impl Flags {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self {
            structure: bits.flag()?,
            active_decode_targets: bits.flag()?,
            custom_indications: bits.flag()?,
            custom_references: bits.flag()?,
            custom_chains: bits.flag()?,
        })
    }
}

impl Structure {
    /// `template_dependency_structure()`.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let mut structure =
            Self { id_offset: bits.byte(6)?, decode_targets: bits.byte(5)? + 1, ..Structure::default() };
        let spatial_layers = structure.read_layers(bits)?;
        for template in &mut structure.templates {
            template.indications = read_indications(bits, structure.decode_targets)?;
        }
        for template in &mut structure.templates {
            while bits.flag()? {
                template.references.try_push(u16::from(bits.byte(4)?) + 1).ok()?;
            }
        }
        structure.read_chains(bits)?;
        if bits.flag()? {
            for _ in 0..spatial_layers {
                let (width, height) = (bits.read(16)? + 1, bits.read(16)? + 1);
                structure.sizes.try_push(Size { width, height }).ok()?;
            }
        }
        Some(structure)
    }

    /// `template_layers()`: adds the templates and gives the number of spatial layers.
    fn read_layers(&mut self, bits: &mut Bits<'_>) -> Option<u8> {
        let (mut spatial_layer, mut temporal_layer) = (0, 0);
        loop {
            self.templates.try_push(Frame { spatial_layer, temporal_layer, ..Frame::default() }).ok()?;
            match bits.read(2)? {
                0 => {}
                1 => temporal_layer += 1,
                2 => (spatial_layer, temporal_layer) = (spatial_layer + 1, 0),
                _ => return Some(spatial_layer + 1),
            }
            if usize::from(spatial_layer) >= SPATIAL_LAYERS_MAX || temporal_layer >= TEMPORAL_LAYERS_MAX {
                return None;
            }
        }
    }

    /// `template_chains()`.
    fn read_chains(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.chains = bits.below(self.decode_targets + 1)?;
        if self.chains == 0 {
            return Some(());
        }
        for _ in 0..self.decode_targets {
            self.protected_by.try_push(bits.below(self.chains)?).ok()?;
        }
        for template in &mut self.templates {
            for _ in 0..self.chains {
                template.chains.try_push(bits.byte(4)?).ok()?;
            }
        }
        Some(())
    }

    /// `frame_dependency_definition()`.
    fn frame(&self, template_id: u8, flags: Flags, bits: &mut Bits<'_>) -> Option<Frame> {
        let index = template_id.wrapping_sub(self.id_offset) & 0x3f;
        let mut frame = self.templates.get(usize::from(index))?.clone();
        if flags.custom_indications {
            frame.indications = read_indications(bits, self.decode_targets)?;
        }
        if flags.custom_references {
            frame.references.clear();
            loop {
                let nibbles = bits.read(2)?;
                if nibbles == 0 {
                    break;
                }
                // At most 12 bits.
                frame.references.try_push(bits.read(4 * nibbles)? as u16 + 1).ok()?;
            }
        }
        if flags.custom_chains {
            for chain in &mut frame.chains {
                *chain = bits.byte(8)?;
            }
        }
        Some(frame)
    }
}

fn read_indications(bits: &mut Bits<'_>, count: u8) -> Option<ArrayVec<Indication, DECODE_TARGETS_MAX>> {
    let mut indications = ArrayVec::new();
    for _ in 0..count {
        let indication = match bits.read(2)? {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        };
        indications.try_push(indication).ok()?;
    }
    Some(indications)
}

/// Numbers of any width, the highest bit first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let flag = byte << (self.at % 8) & 0x80 != 0;
        self.at += 1;
        Some(flag)
    }

    /// `f(n)`, for up to 32 bits.
    fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    /// `f(n)`, for up to 8 bits.
    fn byte(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.read(count)?).ok()
    }

    /// `ns(n)`: a number below `limit`, which is at least 1, in as many bits as that one needs.
    fn below(&mut self, limit: u8) -> Option<u8> {
        let width = u8::BITS - limit.leading_zeros();
        let short = (1_u32 << width) - u32::from(limit);
        let value = self.read(width.checked_sub(1)?)?;
        let value = if value < short { value } else { (value << 1) - short + self.read(1)? };
        u8::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests;
