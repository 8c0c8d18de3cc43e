//! The sending direction.

use super::cipher::Cipher;

/// RFC 3711 3.4: the E flag, set on every packet that we send.
const ENCRYPTED: u32 = 1 << 31;

/// Seals what one transport sends.
///
/// The caller owns the RTP index: it must never seal two different packets with the same SSRC, rollover counter and
/// sequence number, or with AES-GCM the authentication key is lost (RFC 7714 5.1). The RTCP index is kept here.
pub struct SealKeys {
    cipher: Cipher,
    rtcp_index: u32,
}

/// All 2^31 SRTCP indices of these keys are used (RFC 3711 9.2): the transport must get new keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the SRTCP index is used up")]
pub struct IndexExhausted;

impl SealKeys {
    pub(super) fn new(cipher: Cipher) -> Self {
        Self { cipher, rtcp_index: 0 }
    }

    /// How much longer an RTP packet gets.
    pub fn tag_bytes(&self) -> usize {
        self.cipher.tag_bytes()
    }

    /// How much longer an RTCP packet gets.
    pub fn rtcp_trailer_bytes(&self) -> usize {
        self.cipher.rtcp_trailer_bytes()
    }

    /// Seals the RTP packet `packet[..payload_end]` in place and gives its new length. `header_bytes` counts CSRCs
    /// and extensions; `roc` is the rollover counter of its sequence number.
    ///
    /// # Panics
    /// When the header is shorter than 12 bytes, the payload ends before it, or there is no room for the tag.
    #[inline]
    pub fn seal_rtp(&self, packet: &mut [u8], header_bytes: usize, payload_end: usize, roc: u32) -> usize {
        let header = packet.first_chunk::<12>().expect("the caller wrote an RTP header");
        let ssrc = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let index = u64::from(roc) << 16 | u64::from(u16::from_be_bytes([header[2], header[3]]));
        self.cipher.seal_rtp(packet, header_bytes, payload_end, ssrc, index)
    }

    /// Seals the compound RTCP packet `packet[..end]` in place and gives its new length.
    ///
    /// # Panics
    /// When the packet is shorter than 8 bytes or there is no room for the trailer.
    pub fn seal_rtcp(&mut self, packet: &mut [u8], end: usize) -> Result<usize, IndexExhausted> {
        if self.cipher.is_plain() {
            // Without a cipher there is no number that could be used up.
            return Ok(end);
        }
        let index = self.rtcp_index;
        if index >= ENCRYPTED {
            return Err(IndexExhausted);
        }
        self.rtcp_index += 1;
        let header = packet.first_chunk::<8>().expect("the caller wrote an RTCP header");
        let ssrc = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        Ok(self.cipher.seal_rtcp(packet, end, ssrc, ENCRYPTED | index))
    }

    #[cfg(test)]
    pub(super) fn set_rtcp_index(&mut self, index: u32) {
        self.rtcp_index = index;
    }
}

impl std::fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealKeys").finish_non_exhaustive()
    }
}
