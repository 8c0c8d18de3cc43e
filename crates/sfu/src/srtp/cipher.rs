//! The cipher of one direction: the closed set of profiles behind one type, and none.

use aws_lc_rs::error::Unspecified;

use super::kdf::Kdf;
use super::{KeyingError, Profile, cm, gcm};

/// One direction's session keys.
// Boxed, as a pair of expanded keys is more than a kilobyte and is moved when a transport connects.
pub(super) enum Cipher {
    Gcm(Box<gcm::Keys>),
    Cm(Box<cm::Keys>),
    /// Packets are left as they are: only for what never leaves the process.
    Plain,
}

impl Cipher {
    /// Key and salt have the lengths that the profile asks for.
    pub(super) fn from_master(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, KeyingError> {
        let kdf = Kdf::new(key, salt)?;
        Ok(match profile {
            Profile::AeadAes256Gcm => Self::Gcm(Box::new(gcm::Keys::aes_256(&kdf)?)),
            Profile::AeadAes128Gcm => Self::Gcm(Box::new(gcm::Keys::aes_128(&kdf)?)),
            Profile::Aes128CmSha1_80 => Self::Cm(Box::new(cm::Keys::derive(&kdf)?)),
        })
    }

    #[inline]
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        payload_end: usize,
        ssrc: u32,
        index: u64,
    ) -> usize {
        match self {
            Self::Gcm(keys) => keys.seal_rtp(packet, header_bytes, payload_end, ssrc, index),
            Self::Cm(keys) => keys.seal_rtp(packet, header_bytes, payload_end, ssrc, index),
            Self::Plain => payload_end,
        }
    }

    #[inline]
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Unspecified> {
        match self {
            Self::Gcm(keys) => keys.open_rtp(packet, header_bytes, ssrc, index),
            Self::Cm(keys) => keys.open_rtp(packet, header_bytes, ssrc, index),
            Self::Plain => Ok(packet.len()),
        }
    }

    pub(super) fn seal_rtcp(&self, packet: &mut [u8], end: usize, ssrc: u32, index_word: u32) -> usize {
        match self {
            Self::Gcm(keys) => keys.seal_rtcp(packet, end, ssrc, index_word),
            Self::Cm(keys) => keys.seal_rtcp(packet, end, ssrc, index_word),
            Self::Plain => end,
        }
    }

    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index_word: u32) -> Result<usize, Unspecified> {
        match self {
            Self::Gcm(keys) => keys.open_rtcp(packet, ssrc, index_word),
            Self::Cm(keys) => keys.open_rtcp(packet, ssrc, index_word),
            Self::Plain => Ok(packet.len()),
        }
    }

    pub(super) fn rtcp_index_word(&self, packet: &[u8]) -> Option<u32> {
        match self {
            Self::Gcm(_) => gcm::Keys::rtcp_index_word(packet),
            Self::Cm(_) => cm::Keys::rtcp_index_word(packet),
            Self::Plain => None,
        }
    }

    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    pub(super) const fn tag_bytes(&self) -> usize {
        match self {
            Self::Gcm(_) => gcm::TAG_BYTES,
            Self::Cm(_) => cm::TAG_BYTES,
            Self::Plain => 0,
        }
    }

    pub(super) const fn rtcp_trailer_bytes(&self) -> usize {
        match self {
            Self::Gcm(_) => gcm::RTCP_TRAILER_BYTES,
            Self::Cm(_) => cm::RTCP_TRAILER_BYTES,
            Self::Plain => 0,
        }
    }
}
