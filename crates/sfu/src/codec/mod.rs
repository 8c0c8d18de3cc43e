//! What must be known of a codec to forward it: where a receiver can begin, and little more.

pub mod av1;
pub mod h264;
pub mod opus;
pub mod vp8;
pub mod vp9;

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
}
