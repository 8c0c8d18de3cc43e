//! Source descriptions (RFC 3550 section 6.5); only the canonical name is of interest.

use super::{RtcpWriter, SOURCE_DESCRIPTION, take_u32};

const ITEM_END: u8 = 0;
const ITEM_CNAME: u8 = 1;

/// An SDES.
#[derive(Debug, Clone, Copy)]
pub struct Sdes<'a> {
    count: u8,
    body: &'a [u8],
}

/// What is said of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesChunk<'a> {
    /// The stream.
    pub ssrc: u32,
    /// Its canonical name: streams that share it are played in time with each other.
    pub cname: Option<&'a [u8]>,
}

impl<'a> Sdes<'a> {
    pub(super) fn new(count: u8, body: &'a [u8]) -> Self {
        Self { count, body }
    }

    /// One for each stream; a malformed one is the end.
    pub fn chunks(&self) -> impl Iterator<Item = SdesChunk<'a>> {
        let mut rest = self.body;
        (0..self.count).map_while(move |_| take_chunk(&mut rest))
    }
}

fn take_chunk<'a>(rest: &mut &'a [u8]) -> Option<SdesChunk<'a>> {
    let ssrc = take_u32(rest)?;
    let items = *rest;
    let mut cname = None;
    let mut left = items;
    loop {
        match left {
            // The end is padded to a full word, counted from the chunk's start, which is on one.
            [ITEM_END, ..] => break,
            [kind, bytes, after @ ..] => {
                let (value, after) = after.split_at_checked(usize::from(*bytes))?;
                if *kind == ITEM_CNAME {
                    cname = cname.or(Some(value));
                }
                left = after;
            }
            _ => return None,
        }
    }
    let used = items.len() - left.len() + 1;
    *rest = items.get(used.next_multiple_of(4)..)?;
    Some(SdesChunk { ssrc, cname })
}

impl RtcpWriter<'_> {
    /// Appends an SDES of one stream with its canonical name; false when it does not fit, or the name is longer than
    /// 255 bytes.
    #[must_use]
    pub fn sdes(&mut self, ssrc: u32, cname: &str) -> bool {
        let Ok(bytes) = u8::try_from(cname.len()) else { return false };
        self.packet(SOURCE_DESCRIPTION, 1, |writer| {
            writer.put_u32(ssrc)?;
            writer.put(&[ITEM_CNAME, bytes])?;
            writer.put(cname.as_bytes())?;
            writer.put(&[ITEM_END])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    fn chunks(packet: &[u8]) -> Vec<SdesChunk<'_>> {
        let Some(RtcpPacket::Sdes(sdes)) = packets(packet).next() else { panic!("an SDES") };
        sdes.chunks().collect()
    }

    #[test]
    fn a_name_of_any_length_round_trips() {
        for bytes in 0..=255 {
            let cname = "n".repeat(bytes);
            let mut buffer = [0xff; 512];
            let mut writer = RtcpWriter::new(&mut buffer);
            assert!(writer.sdes(7, &cname));
            assert_eq!(writer.len() % 4, 0);
            assert_eq!(chunks(writer.bytes()), [SdesChunk { ssrc: 7, cname: Some(cname.as_bytes()) }]);
        }
        assert!(!RtcpWriter::new(&mut [0; 512]).sdes(7, &"n".repeat(256)));
    }

    #[test]
    fn several_chunks_with_other_items_are_read() {
        let packet = [
            0x82, 202, 0, 6, // two chunks
            0, 0, 0, 1, 2, 1, b'x', 1, 2, b'c', b'n', 0, // a NAME, then the CNAME
            0, 0, 0, 2, 6, 1, b't', 0, 0, 0, 0, 0, // a TOOL only, more padding than needed
        ];
        assert_eq!(chunks(&packet), [SdesChunk { ssrc: 1, cname: Some(b"cn") }, SdesChunk { ssrc: 2, cname: None }]);
    }

    #[test]
    fn a_malformed_chunk_is_the_end() {
        assert!(chunks(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, b'x', 0]).is_empty(), "an item that overruns");
        assert!(chunks(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'x', b'y']).is_empty(), "no end");
        assert!(chunks(&[0x81, 202, 0, 0]).is_empty(), "no chunk");
    }
}
