//! AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;

use super::kdf::{Kdf, Label};

pub(super) const TAG_BYTES: usize = 16;
pub(super) const SALT_BYTES: usize = 12;
/// Index word behind the tag.
pub(super) const RTCP_TRAILER_BYTES: usize = TAG_BYTES + 4;
/// What of an RTCP packet stays readable.
const RTCP_HEADER_BYTES: usize = 8;

/// One direction's session keys.
pub(super) struct Keys {
    rtp: SessionKey,
    rtcp: SessionKey,
}

struct SessionKey {
    key: LessSafeKey,
    /// 96 bits.
    salt: u128,
}

impl Keys {
    pub(super) fn aes_128(kdf: &Kdf) -> Result<Self, Unspecified> {
        let rtp: [u8; 16] = kdf.derive(Label::RtpEncryption)?;
        let rtcp: [u8; 16] = kdf.derive(Label::RtcpEncryption)?;
        Self::from_session(&rtp, kdf.derive(Label::RtpSalt)?, &rtcp, kdf.derive(Label::RtcpSalt)?)
    }

    pub(super) fn aes_256(kdf: &Kdf) -> Result<Self, Unspecified> {
        let rtp: [u8; 32] = kdf.derive(Label::RtpEncryption)?;
        let rtcp: [u8; 32] = kdf.derive(Label::RtcpEncryption)?;
        Self::from_session(&rtp, kdf.derive(Label::RtpSalt)?, &rtcp, kdf.derive(Label::RtcpSalt)?)
    }

    pub(super) fn from_session(
        rtp: &[u8],
        rtp_salt: [u8; SALT_BYTES],
        rtcp: &[u8],
        rtcp_salt: [u8; SALT_BYTES],
    ) -> Result<Self, Unspecified> {
        Ok(Self { rtp: SessionKey::new(rtp, rtp_salt)?, rtcp: SessionKey::new(rtcp, rtcp_salt)? })
    }

    /// Seals `packet[..payload_end]` and gives its new length. There is room for the tag.
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        payload_end: usize,
        ssrc: u32,
        index: u64,
    ) -> usize {
        let (header, rest) = packet.split_at_mut(header_bytes);
        let (payload, rest) = rest.split_at_mut(payload_end - header_bytes);
        let tag = self
            .rtp
            .key
            .seal_in_place_separate_tag(self.rtp.nonce(ssrc, index), Aad::from(&*header), payload)
            .expect("a datagram is shorter than the 64 GiB that GCM takes");
        rest[..TAG_BYTES].copy_from_slice(tag.as_ref());
        payload_end + TAG_BYTES
    }

    /// Opens a packet of at least its header and the tag, and gives where its payload ends.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Unspecified> {
        let (header, sealed) = packet.split_at_mut(header_bytes);
        let payload = self.rtp.key.open_in_place(self.rtp.nonce(ssrc, index), Aad::from(&*header), sealed)?;
        Ok(header_bytes + payload.len())
    }

    /// Seals `packet[..end]`, at least a header, and gives its new length. There is room for the trailer.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], end: usize, ssrc: u32, index_word: u32) -> usize {
        let (header, rest) = packet.split_at_mut(RTCP_HEADER_BYTES);
        let (payload, rest) = rest.split_at_mut(end - RTCP_HEADER_BYTES);
        let aad = rtcp_aad(header, index_word);
        let tag = self
            .rtcp
            .key
            .seal_in_place_separate_tag(self.rtcp.nonce(ssrc, rtcp_index(index_word)), Aad::from(aad), payload)
            .expect("a datagram is shorter than the 64 GiB that GCM takes");
        rest[..TAG_BYTES].copy_from_slice(tag.as_ref());
        rest[TAG_BYTES..RTCP_TRAILER_BYTES].copy_from_slice(&index_word.to_be_bytes());
        end + RTCP_TRAILER_BYTES
    }

    /// The word with the E flag and the index.
    pub(super) fn rtcp_index_word(packet: &[u8]) -> Option<u32> {
        packet.last_chunk().map(|word| u32::from_be_bytes(*word))
    }

    /// Opens a packet of at least a header and the trailer, and gives its new length.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index_word: u32) -> Result<usize, Unspecified> {
        let index_at = packet.len() - 4;
        let (header, sealed) = packet[..index_at].split_at_mut(RTCP_HEADER_BYTES);
        let aad = rtcp_aad(header, index_word);
        let nonce = self.rtcp.nonce(ssrc, rtcp_index(index_word));
        let payload = self.rtcp.key.open_in_place(nonce, Aad::from(aad), sealed)?;
        Ok(RTCP_HEADER_BYTES + payload.len())
    }
}

impl SessionKey {
    fn new(key: &[u8], salt: [u8; SALT_BYTES]) -> Result<Self, Unspecified> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let mut padded = [0; 16];
        padded[4..].copy_from_slice(&salt);
        Ok(Self { key: LessSafeKey::new(UnboundKey::new(algorithm, key)?), salt: u128::from_be_bytes(padded) })
    }

    /// RFC 7714 8.1 and 9.1: both are 16 zero bits, the SSRC and an index of 48 bits, under the salt.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let [_, _, _, _, nonce @ ..] = (self.salt ^ (u128::from(ssrc) << 48) ^ u128::from(index)).to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }
}

fn rtcp_index(index_word: u32) -> u64 {
    u64::from(index_word & 0x7fff_ffff)
}

/// RFC 7714 9.2.
fn rtcp_aad(header: &[u8], index_word: u32) -> [u8; RTCP_HEADER_BYTES + 4] {
    let mut aad = [0; RTCP_HEADER_BYTES + 4];
    aad[..RTCP_HEADER_BYTES].copy_from_slice(header);
    aad[RTCP_HEADER_BYTES..].copy_from_slice(&index_word.to_be_bytes());
    aad
}
