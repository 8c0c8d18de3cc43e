//! What synthetic packets carry: a stamp that says which packet of which frame of whom it is, behind what an SFU
//! reads of the codec.

use std::time::Duration;

/// Length of a written [`Stamp`].
const STAMP_BYTES: usize = 34;
/// X and I set, then a picture id of 15 bits (RFC 7741 section 4.2).
const DESCRIPTOR_BYTES: usize = 4;
/// The first partition: zeros, which say the simplest in every field (one token partition, no segments, no filter,
/// probabilities as they are), so that decoders take what follows, the stamp, for a grey picture's noise.
const PARTITION_BYTES: usize = 64;
/// The frame header of a keyframe's first packet (RFC 7741 section 4.3, RFC 6386 section 9.1): tag with the first
/// partition's size, start code, width 160 and height 90, the first partition.
const KEYFRAME_HEADER: [u8; 10 + PARTITION_BYTES] =
    with_partition([0x10, (PARTITION_BYTES >> 3) as u8, 0x00, 0x9d, 0x01, 0x2a, 0xa0, 0x00, 0x5a, 0x00]);
/// The frame header of any other frame's first packet.
const DELTA_HEADER: [u8; 3 + PARTITION_BYTES] = with_partition([0x11, (PARTITION_BYTES >> 3) as u8, 0x00]);
/// Opus, 20 ms, fullband, one frame (RFC 6716 section 3.1).
const OPUS_TOC: u8 = 0xF8;

/// Which packet this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Who sends it: another number for every life of a publisher.
    pub(super) publisher: u32,
    /// Running number of the frame.
    pub(super) frame: u32,
    /// Which packet of the frame, from 0.
    pub(super) packet: u16,
    /// How many packets the frame has.
    pub(super) packets: u16,
    /// Whether a decoder can start with the frame.
    pub(super) keyframe: bool,
    /// When the frame was captured, since the epoch that all clients share.
    pub(super) captured: Duration,
    /// When the packet was sent for the first time, since the same epoch.
    pub(super) sent: Duration,
}

/// Why a payload is not what a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Cut short.
    #[error("too short")]
    TooShort,
    /// Some byte differs.
    #[error("the checksum is wrong")]
    Checksum,
    /// The descriptor does not fit the stamp.
    #[error("the VP8 descriptor does not fit the stamp")]
    Descriptor,
}

/// An Opus-like payload of about `bytes`.
pub(super) fn write_audio(stamp: &Stamp, bytes: usize) -> Vec<u8> {
    let mut payload = vec![OPUS_TOC];
    write_stamp(stamp, bytes, &mut payload);
    payload
}

/// A VP8 payload of about `bytes`, with a payload descriptor and, in a frame's first packet, a frame header.
pub(super) fn write_video(stamp: &Stamp, bytes: usize) -> Vec<u8> {
    let picture_id = (stamp.frame & 0x7fff) as u16;
    let [high, low] = picture_id.to_be_bytes();
    let start = if stamp.packet == 0 { 0x10 } else { 0 };
    let mut payload = vec![0x80 | start, 0x80, 0x80 | high, low];
    payload.extend_from_slice(frame_header(stamp));
    write_stamp(stamp, bytes, &mut payload);
    payload
}

/// Reads and checks what [`write_audio`] wrote.
pub(super) fn read_audio(payload: &[u8]) -> Result<Stamp, PayloadError> {
    read_stamp(payload.get(1..).ok_or(PayloadError::TooShort)?)
}

/// Reads and checks what [`write_video`] wrote. The picture id may be another: SFUs rewrite it.
pub(super) fn read_video(payload: &[u8]) -> Result<Stamp, PayloadError> {
    let (descriptor, rest) = payload.split_at_checked(DESCRIPTOR_BYTES).ok_or(PayloadError::TooShort)?;
    let starts = descriptor[0] & 0x10 != 0;
    let header_bytes = match (starts, rest.first()) {
        (false, _) => 0,
        (true, Some(tag)) if tag & 1 == 0 => KEYFRAME_HEADER.len(),
        (true, _) => DELTA_HEADER.len(),
    };
    let (header, rest) = rest.split_at_checked(header_bytes).ok_or(PayloadError::TooShort)?;
    let stamp = read_stamp(rest)?;
    let fits = descriptor[0] & !0x10 == 0x80 && descriptor[1] == 0x80 && descriptor[2] & 0x80 != 0;
    if fits && header == frame_header(&stamp) { Ok(stamp) } else { Err(PayloadError::Descriptor) }
}

const fn with_partition<const TAG: usize, const HEADER: usize>(tag: [u8; TAG]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header.split_at_mut(TAG).0.copy_from_slice(&tag);
    header
}

fn frame_header(stamp: &Stamp) -> &'static [u8] {
    match (stamp.packet, stamp.keyframe) {
        (0, true) => &KEYFRAME_HEADER,
        (0, false) => &DELTA_HEADER,
        _ => &[],
    }
}

fn write_stamp(stamp: &Stamp, bytes: usize, payload: &mut Vec<u8>) {
    let start = payload.len();
    payload.extend_from_slice(&[0; 4]);
    payload.extend_from_slice(&stamp.publisher.to_be_bytes());
    payload.extend_from_slice(&stamp.frame.to_be_bytes());
    payload.extend_from_slice(&stamp.packet.to_be_bytes());
    payload.extend_from_slice(&stamp.packets.to_be_bytes());
    payload.extend_from_slice(&[u8::from(stamp.keyframe), 0]);
    payload.extend_from_slice(&(stamp.captured.as_micros() as u64).to_be_bytes());
    payload.extend_from_slice(&(stamp.sent.as_micros() as u64).to_be_bytes());
    while payload.len() < bytes {
        payload.push((payload.len() as u32).wrapping_mul(31).wrapping_add(stamp.frame) as u8);
    }
    let sum = checksum(&payload[start + 4..]);
    payload[start..start + 4].copy_from_slice(&sum.to_be_bytes());
}

fn read_stamp(bytes: &[u8]) -> Result<Stamp, PayloadError> {
    let stamp: &[u8; STAMP_BYTES] = bytes.first_chunk().ok_or(PayloadError::TooShort)?;
    let u16_at = |at: usize| u16::from_be_bytes([stamp[at], stamp[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
    let micros_at = |at: usize| Duration::from_micros(u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4)));
    if u32_at(0) != checksum(&bytes[4..]) {
        return Err(PayloadError::Checksum);
    }
    Ok(Stamp {
        publisher: u32_at(4),
        frame: u32_at(8),
        packet: u16_at(12),
        packets: u16_at(14),
        keyframe: stamp[16] == 1,
        captured: micros_at(18),
        sent: micros_at(26),
    })
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum: u32, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(packet: u16, keyframe: bool) -> Stamp {
        let captured = Duration::from_micros(5_000_000_123);
        let sent = captured + Duration::from_micros(456);
        Stamp { publisher: 77, frame: 70_000, packet, packets: 3, keyframe, captured, sent }
    }

    #[test]
    fn payloads_read_back() {
        for keyframe in [false, true] {
            for packet in 0..3 {
                let stamp = stamp(packet, keyframe);
                for bytes in [0, 100, 1100] {
                    assert_eq!(read_video(&write_video(&stamp, bytes)), Ok(stamp));
                    assert_eq!(read_audio(&write_audio(&stamp, bytes)), Ok(stamp));
                }
            }
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let payload = write_video(&stamp(0, true), 60);
        for at in (0..payload.len()).filter(|&at| at != 2 && at != 3) {
            let mut changed = payload.clone();
            changed[at] ^= 0x04;
            assert!(read_video(&changed).is_err(), "byte {at}");
        }
        for length in 0..payload.len() {
            assert!(read_video(&payload[..length]).is_err());
        }
    }
}
