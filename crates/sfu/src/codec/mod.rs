//! What must be known of a codec to forward it: where a receiver can begin, and little more.

pub mod av1;
pub mod h264;
pub mod opus;
pub mod vp8;
pub mod vp9;

use protocol::MediaKind;

/// A codec whose payload is read. Any other is forwarded as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 6184.
    H264,
    /// RFC 9628.
    Vp9,
    /// The AV1 RTP specification of the Alliance for Open Media.
    Av1,
}

impl Codec {
    /// What it encodes.
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::H264 | Self::Vp9 | Self::Av1 => MediaKind::Video,
        }
    }

    /// The RTP clock, in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::H264 | Self::Vp9 | Self::Av1 => 90_000,
        }
    }

    /// Whether a receiver can begin with this packet: the first of a keyframe, or any packet of audio.
    pub fn is_keyframe(self, payload: &[u8]) -> bool {
        match self {
            Self::Opus => true,
            Self::Vp8 => vp8::is_keyframe(payload),
            Self::H264 => h264::is_keyframe(payload),
            Self::Vp9 => vp9::is_keyframe(payload),
            Self::Av1 => av1::is_keyframe(payload),
        }
    }

    /// The running numbers of a packet, where the codec has them and the payload can be read.
    pub fn picture_numbers(self, payload: &[u8]) -> Option<PictureNumbers> {
        match self {
            Self::Vp8 => vp8::picture_numbers(payload),
            Self::Opus | Self::H264 | Self::Vp9 | Self::Av1 => None,
        }
    }

    /// Adds to the running numbers of a packet, in place and in the widths that it has.
    pub fn shift_picture(self, payload: &mut [u8], shift: PictureNumbers) {
        match self {
            Self::Vp8 => vp8::shift_picture(payload, shift),
            Self::Opus | Self::H264 | Self::Vp9 | Self::Av1 => {}
        }
    }
}

/// The running numbers that a video payload carries beside RTP's own. A receiver takes a step back for an old frame,
/// so they go on where they were when the source changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PictureNumbers {
    /// Of the frame; 15 bits, wraps.
    pub picture_id: u16,
    /// Of the newest frame of the lowest temporal layer; wraps.
    pub tl0_picture_index: u8,
}

impl PictureNumbers {
    /// The numbers of a frame of the lowest temporal layer that follows.
    pub fn next(self) -> Self {
        self.shifted(Self { picture_id: 1, tl0_picture_index: 1 })
    }

    /// What must be added to `other` to get these.
    pub fn since(self, other: Self) -> Self {
        Self {
            picture_id: self.picture_id.wrapping_sub(other.picture_id),
            tl0_picture_index: self.tl0_picture_index.wrapping_sub(other.tl0_picture_index),
        }
    }

    /// These with `shift` added.
    pub fn shifted(self, shift: Self) -> Self {
        Self {
            picture_id: self.picture_id.wrapping_add(shift.picture_id),
            tl0_picture_index: self.tl0_picture_index.wrapping_add(shift.tl0_picture_index),
        }
    }
}
