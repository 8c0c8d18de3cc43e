//! The receiving direction.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::cipher::Cipher;
use super::replay::ReplayWindow;

/// SSRCs that one transport may use in its life, for RTP and again for RTCP.
///
/// A stream's state is never dropped while the keys live, because whoever recorded its packets could then play them
/// back. A browser's camera with simulcast takes six SSRCs each time it is published anew.
const STREAMS_MAX: usize = 1024;
/// The same of a pipe between workers, at a time: whoever reads from one asks for what it announced only, and forgets
/// what has ended.
const PIPED_STREAMS_MAX: usize = 1 << 18;
/// A window of 1024 packets, as libwebrtc's: late ones are worth having.
const RTP_WINDOW_WORDS: usize = 16;
const RTCP_WINDOW_WORDS: usize = 2;
/// RFC 3711 3.4.
const ENCRYPTED: u32 = 1 << 31;
const RTP_HEADER_BYTES: usize = 12;
const RTCP_HEADER_BYTES: usize = 8;

/// Opens what one transport receives and refuses replays.
pub struct OpenKeys {
    cipher: Cipher,
    streams_max: usize,
    /// The highest index of a window is also what the rollover counter of the next packet is guessed from.
    rtp: FxHashMap<u32, ReplayWindow<RTP_WINDOW_WORDS>>,
    rtcp: FxHashMap<u32, ReplayWindow<RTCP_WINDOW_WORDS>>,
}

/// An RTP packet in the clear: header, then payload with its padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedRtp {
    /// Length of the header with CSRCs and extensions.
    pub header_bytes: usize,
    /// Where the payload ends in the buffer.
    pub payload_end: usize,
    /// The rollover counter above the 16 bit sequence number.
    pub ext_seq: u64,
    /// The stream.
    pub ssrc: u32,
}

/// Why a packet was dropped. None of these says anything about the peer: anybody can send such a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, not RTP version 2, lengths that do not fit, or SRTCP that is not encrypted.
    #[error("malformed packet")]
    Malformed,
    /// The tag is wrong.
    #[error("authentication failed")]
    Unauthentic,
    /// The index was seen before.
    #[error("replayed packet")]
    Replayed,
    /// The index is behind the replay window.
    #[error("packet behind the replay window")]
    TooOld,
    /// A new SSRC, and the transport had its share.
    #[error("too many streams")]
    TooManyStreams,
}

impl OpenKeys {
    pub(super) fn new(cipher: Cipher) -> Self {
        Self { cipher, streams_max: STREAMS_MAX, rtp: FxHashMap::default(), rtcp: FxHashMap::default() }
    }

    pub(super) fn of_pipe(cipher: Cipher) -> Self {
        Self { streams_max: PIPED_STREAMS_MAX, ..Self::new(cipher) }
    }

    /// Forgets a stream. Whoever does so must never open a packet of it again: it could be a replay.
    pub fn forget(&mut self, ssrc: u32) {
        self.rtp.remove(&ssrc);
    }

    /// Authenticates and decrypts an RTP packet in place. On an error no state has changed and the buffer's content
    /// is worthless.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<OpenedRtp, OpenError> {
        let header = RtpHeader::parse(packet).ok_or(OpenError::Malformed)?;
        if header.bytes + self.cipher.tag_bytes() > packet.len() {
            return Err(OpenError::Malformed);
        }
        let full = self.rtp.len() >= self.streams_max;
        let stream = self.rtp.entry(header.ssrc);
        let ext_seq = match &stream {
            Entry::Occupied(window) => {
                let index = guess_index(window.get().highest(), header.sequence).ok_or(OpenError::TooOld)?;
                window.get().check(index)?;
                index
            }
            Entry::Vacant(_) if full => return Err(OpenError::TooManyStreams),
            Entry::Vacant(_) => u64::from(header.sequence),
        };
        let payload_end =
            self.cipher.open_rtp(packet, header.bytes, header.ssrc, ext_seq).map_err(|_| OpenError::Unauthentic)?;
        stream.and_modify(|window| window.accept(ext_seq)).or_insert_with(|| ReplayWindow::new(ext_seq));
        Ok(OpenedRtp { header_bytes: header.bytes, payload_end, ext_seq, ssrc: header.ssrc })
    }

    /// Authenticates and decrypts an RTCP packet in place and gives its new length. On an error no state has changed
    /// and the buffer's content is worthless.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, OpenError> {
        if packet.len() < RTCP_HEADER_BYTES + self.cipher.rtcp_trailer_bytes() || packet[0] >> 6 != 2 {
            return Err(OpenError::Malformed);
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        if self.cipher.is_plain() {
            // Nobody repeats what does not leave the process.
            return Ok(packet.len());
        }
        let index_word = self.cipher.rtcp_index_word(packet).ok_or(OpenError::Malformed)?;
        if index_word & ENCRYPTED == 0 {
            return Err(OpenError::Malformed);
        }
        let index = u64::from(index_word & !ENCRYPTED);
        let full = self.rtcp.len() >= self.streams_max;
        let stream = self.rtcp.entry(ssrc);
        match &stream {
            Entry::Occupied(window) => window.get().check(index)?,
            Entry::Vacant(_) if full => return Err(OpenError::TooManyStreams),
            Entry::Vacant(_) => {}
        }
        let end = self.cipher.open_rtcp(packet, ssrc, index_word).map_err(|_| OpenError::Unauthentic)?;
        stream.and_modify(|window| window.accept(index)).or_insert_with(|| ReplayWindow::new(index));
        Ok(end)
    }
}

impl std::fmt::Debug for OpenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenKeys").field("streams", &self.rtp.len()).finish_non_exhaustive()
    }
}

/// What of an RTP header must be known before the packet is authentic.
struct RtpHeader {
    bytes: usize,
    sequence: u16,
    ssrc: u32,
}

impl RtpHeader {
    /// RFC 3550 5.1 and 5.3.1.
    fn parse(packet: &[u8]) -> Option<Self> {
        let fixed = packet.first_chunk::<RTP_HEADER_BYTES>()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut bytes = RTP_HEADER_BYTES + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let [_, _, high, low] = *packet.get(bytes..)?.first_chunk::<4>()?;
            bytes += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        }
        Some(Self {
            bytes,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        })
    }
}

/// RFC 3711 3.3.1: the index nearest to the highest one seen; none when that is before the first.
fn guess_index(highest: u64, sequence: u16) -> Option<u64> {
    let (roc, last, sequence) = (highest >> 16, highest & 0xffff, u64::from(sequence));
    let roc = if last < 0x8000 {
        if sequence > last + 0x8000 { roc.checked_sub(1)? } else { roc }
    } else if sequence < last - 0x8000 {
        roc + 1
    } else {
        roc
    };
    // RFC 3711 9.2: the index has 48 bits.
    (roc <= u64::from(u32::MAX)).then_some(roc << 16 | sequence)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::guess_index;

    #[test]
    fn the_index_that_is_guessed_is_the_nearest_around_every_rollover_of_its_48_bits() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..200_000 {
            let rollover = match rng.random_range(0..4) {
                0 => 0,
                1 => 1 << 48,
                _ => rng.random_range(0..=1 << 32) << 16,
            };
            let near = |rng: &mut ChaCha8Rng, index: i64, most: i64| index + rng.random_range(-most..=most);
            let highest = near(&mut rng, rollover, 0x1_0000).clamp(0, (1 << 48) - 1);
            let index = near(&mut rng, highest, 0x7fff);
            let guessed = guess_index(highest.cast_unsigned(), index as u16);
            let expected = (0..1 << 48).contains(&index).then_some(index.cast_unsigned());
            assert_eq!(guessed, expected, "{highest:#x} {index:#x}");
        }
    }
}
