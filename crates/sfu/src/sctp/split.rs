//! Packets that the library made too large: it forgets that chunks are padded to four bytes when it puts many small
//! messages into one.

use bytes::Bytes;
use crc::{CRC_32_ISCSI, Crc};

use super::guard::COMMON_HEADER_BYTES;

static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Gives the packet, as several where it is longer than `bytes_max`. A chunk that is longer by itself stays whole.
pub(super) fn split(packet: Bytes, bytes_max: usize, mut give: impl FnMut(Bytes)) {
    let Some((header, mut chunks)) = packet.split_at_checked(COMMON_HEADER_BYTES) else { return };
    if packet.len() <= bytes_max {
        return give(packet);
    }
    let mut part = header.to_vec();
    while let Some(length) = chunks.get(2..4) {
        let bytes = usize::from(u16::from_be_bytes([length[0], length[1]])).max(4).next_multiple_of(4);
        let (chunk, rest) = chunks.split_at(bytes.min(chunks.len()));
        if part.len() > COMMON_HEADER_BYTES && part.len() + chunk.len() > bytes_max {
            give(sign(std::mem::replace(&mut part, header.to_vec())));
        }
        part.extend_from_slice(chunk);
        chunks = rest;
    }
    give(sign(part));
}

/// Writes the checksum (RFC 9260 6.8, appendix A).
fn sign(mut packet: Vec<u8>) -> Bytes {
    packet[8..COMMON_HEADER_BYTES].fill(0);
    let checksum = CRC32C.checksum(&packet);
    packet[8..COMMON_HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    packet.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(packet: &[u8], bytes_max: usize) -> Vec<Bytes> {
        let mut parts = Vec::new();
        split(Bytes::copy_from_slice(packet), bytes_max, |part| parts.push(part));
        parts
    }

    #[test]
    fn every_chunk_is_in_one_part_and_none_is_too_long() {
        let header = [0x13, 0x88, 0x13, 0x88, 1, 2, 3, 4, 9, 9, 9, 9];
        let chunk = |n: u8| [0, 3, 0, 17, 0, 0, 0, n, 0, 1, 0, 0, 0, 0, 0, 53, n, 0, 0, 0];
        let chunks: Vec<u8> = (0..7).flat_map(chunk).collect();
        let packet = [&header[..], &chunks].concat();
        assert_eq!(parts(&packet, packet.len()), [Bytes::copy_from_slice(&packet)]);
        let parts = parts(&packet, 12 + 3 * 20);
        assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [72, 72, 32]);
        assert_eq!(parts.iter().flat_map(|part| part[12..].to_vec()).collect::<Vec<_>>(), chunks);
        assert!(parts.iter().all(|part| part[..8] == header[..8]));
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // An INIT ACK from RFC-conforming usrsctp, as in sctp-proto's own tests.
        let packet = [
            0x13, 0x88, 0x13, 0x88, 0xce, 0x15, 0x79, 0xa2, 0x96, 0x19, 0xe8, 0xb2, 0x02, 0x00, 0x00, 0x1c, 0xeb, 0x81,
            0x4e, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x08, 0x00, 0x50, 0xdf, 0x90, 0xd9, 0x00, 0x07, 0x00, 0x08,
            0x94, 0x06, 0x2f, 0x93,
        ];
        assert_eq!(sign(packet.to_vec()), packet.as_slice());
    }
}
