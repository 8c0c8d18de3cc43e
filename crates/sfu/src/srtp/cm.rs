//! AES128_CM_HMAC_SHA1_80 (RFC 3711 4.1.1, 4.2.1).
//!
//! Nothing here allocates: the counter mode of aws-lc-rs works in place with a key schedule that is expanded once
//! and a context on the stack, and an `hmac::Key` is a pair of hash states that is copied for each packet.

use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::kdf::{Kdf, Label};

pub(super) const TAG_BYTES: usize = 10;
pub(super) const SALT_BYTES: usize = 14;
/// The index word before the tag.
pub(super) const RTCP_TRAILER_BYTES: usize = TAG_BYTES + 4;
/// What of an RTCP packet stays readable.
const RTCP_HEADER_BYTES: usize = 8;
const AUTHENTICATION_KEY_BYTES: usize = 20;

/// One direction's session keys.
pub(super) struct Keys {
    rtp: SessionKey,
    rtcp: SessionKey,
}

struct SessionKey {
    key: EncryptingKey,
    /// 112 bits, above 16 bits for the block counter.
    salt: u128,
    authentication: hmac::Key,
}

impl Keys {
    pub(super) fn derive(kdf: &Kdf) -> Result<Self, Unspecified> {
        Ok(Self {
            rtp: SessionKey::new(
                kdf.derive(Label::RtpEncryption)?,
                kdf.derive(Label::RtpSalt)?,
                kdf.derive(Label::RtpAuthentication)?,
            )?,
            rtcp: SessionKey::new(
                kdf.derive(Label::RtcpEncryption)?,
                kdf.derive(Label::RtcpSalt)?,
                kdf.derive(Label::RtcpAuthentication)?,
            )?,
        })
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
        self.rtp.crypt(&mut packet[header_bytes..payload_end], ssrc, index);
        // The rollover counter is authenticated behind the packet but not sent: it stands where the tag goes.
        packet[payload_end..payload_end + 4].copy_from_slice(&rollover_counter(index));
        let tag = self.rtp.tag(&packet[..payload_end + 4]);
        packet[payload_end..payload_end + TAG_BYTES].copy_from_slice(&tag);
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
        let payload_end = packet.len() - TAG_BYTES;
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&packet[payload_end..]);
        packet[payload_end..payload_end + 4].copy_from_slice(&rollover_counter(index));
        verify_slices_are_equal(&self.rtp.tag(&packet[..payload_end + 4]), &tag)?;
        self.rtp.crypt(&mut packet[header_bytes..payload_end], ssrc, index);
        Ok(payload_end)
    }

    /// Seals `packet[..end]`, at least a header, and gives its new length. There is room for the trailer.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], end: usize, ssrc: u32, index_word: u32) -> usize {
        self.rtcp.crypt(&mut packet[RTCP_HEADER_BYTES..end], ssrc, u64::from(index_word & 0x7fff_ffff));
        let tag_at = end + 4;
        packet[end..tag_at].copy_from_slice(&index_word.to_be_bytes());
        let tag = self.rtcp.tag(&packet[..tag_at]);
        packet[tag_at..tag_at + TAG_BYTES].copy_from_slice(&tag);
        tag_at + TAG_BYTES
    }

    /// The word with the E flag and the index.
    pub(super) fn rtcp_index_word(packet: &[u8]) -> Option<u32> {
        let (rest, _) = packet.split_last_chunk::<TAG_BYTES>()?;
        rest.last_chunk().map(|word| u32::from_be_bytes(*word))
    }

    /// Opens a packet of at least a header and the trailer, and gives its new length.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index_word: u32) -> Result<usize, Unspecified> {
        let (signed, tag) = packet.split_at_mut(packet.len() - TAG_BYTES);
        verify_slices_are_equal(&self.rtcp.tag(signed), tag)?;
        let end = signed.len() - 4;
        self.rtcp.crypt(&mut signed[RTCP_HEADER_BYTES..end], ssrc, u64::from(index_word & 0x7fff_ffff));
        Ok(end)
    }
}

impl SessionKey {
    fn new(
        key: [u8; 16],
        salt: [u8; SALT_BYTES],
        authentication: [u8; AUTHENTICATION_KEY_BYTES],
    ) -> Result<Self, Unspecified> {
        let mut padded = [0; 16];
        padded[..SALT_BYTES].copy_from_slice(&salt);
        Ok(Self {
            key: EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key)?)?,
            salt: u128::from_be_bytes(padded),
            authentication: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &authentication),
        })
    }

    /// RFC 3711 4.1.1.
    fn crypt(&self, data: &mut [u8], ssrc: u32, index: u64) {
        let iv = self.salt ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
        self.key
            .less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv.to_be_bytes())))
            .expect("counter mode takes every length and a 16 byte IV");
    }

    fn tag(&self, signed: &[u8]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&hmac::sign(&self.authentication, signed).as_ref()[..TAG_BYTES]);
        tag
    }
}

fn rollover_counter(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::SessionKey;

    #[test]
    fn gives_the_key_stream_of_rfc3711_b2() {
        let mut key = [0; 16];
        key.copy_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
        let mut salt = [0; 14];
        salt.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let session = SessionKey::new(key, salt, [0; 20]).expect("a valid key");
        let mut stream = vec![0; 0xff02 * 16];
        session.crypt(&mut stream, 0, 0);
        assert_eq!(
            stream[..48],
            hex("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0")
        );
        assert_eq!(
            stream[0xfeff * 16..],
            hex("EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44")
        );
    }
}
