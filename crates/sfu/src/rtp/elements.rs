//! Header extension elements (RFC 8285 section 4): read one by one, written as a whole block.

use super::extension::ONE_BYTE_ID_MAX;

/// What marks a block of the one-byte form (RFC 8285 section 4.2).
pub const ONE_BYTE_PROFILE: u16 = 0xbede;
/// What marks a block of the two-byte form, but for its lower four bits (RFC 8285 section 4.3).
pub const TWO_BYTE_PROFILE: u16 = 0x1000;
const ONE_BYTE_VALUE_MAX: usize = 16;
const BLOCK_HEADER_BYTES: usize = 4;

/// The `(id, value)` elements of a header extension block; what follows a malformed one is not shown.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    rest: &'a [u8],
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    OneByte,
    TwoByte,
}

/// Reads the elements of a block of this profile; none when the profile is not of RFC 8285.
pub fn elements(profile: u16, block: &[u8]) -> Elements<'_> {
    match profile {
        ONE_BYTE_PROFILE => Elements { rest: block, form: Form::OneByte },
        // The lower four bits are the application's and mean nothing here (section 4.3).
        _ if profile & 0xfff0 == TWO_BYTE_PROFILE => Elements { rest: block, form: Form::TwoByte },
        _ => Elements { rest: &[], form: Form::OneByte },
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let [0, rest @ ..] = self.rest {
            self.rest = rest;
        }
        let (id, bytes, rest) = match (self.form, self.rest) {
            (Form::OneByte, [head, rest @ ..]) => (head >> 4, usize::from(head & 0x0f) + 1, rest),
            (Form::TwoByte, [id, bytes, rest @ ..]) => (*id, usize::from(*bytes), rest),
            _ => return None,
        };
        // Id 15, and id 0 with a length, end a one-byte block (section 4.2).
        let ends = matches!(self.form, Form::OneByte) && !(1..=ONE_BYTE_ID_MAX).contains(&id);
        match rest.split_at_checked(bytes) {
            Some((value, rest)) if !ends => {
                self.rest = rest;
                Some((id, value))
            }
            _ => {
                self.rest = &[];
                None
            }
        }
    }
}

/// Writes a whole block, its four-byte header included, and gives its size: a multiple of 4, 0 without elements.
///
/// The two-byte form is taken only where an id is above 14, or a value empty or longer than 16 bytes. `None` when
/// the buffer is too small, an id is 0, or a value is longer than 255 bytes.
pub fn write_extensions<'a>(
    buffer: &mut [u8],
    elements: impl Iterator<Item = (u8, &'a [u8])> + Clone,
) -> Option<usize> {
    let one_byte =
        elements.clone().all(|(id, value)| id <= ONE_BYTE_ID_MAX && (1..=ONE_BYTE_VALUE_MAX).contains(&value.len()));
    let mut used = BLOCK_HEADER_BYTES;
    for (id, value) in elements {
        if id == 0 {
            return None;
        }
        let length = u8::try_from(value.len()).ok()?;
        if one_byte {
            *buffer.get_mut(used)? = id << 4 | (length - 1);
            used += 1;
        } else {
            buffer.get_mut(used..used + 2)?.copy_from_slice(&[id, length]);
            used += 2;
        }
        buffer.get_mut(used..used + value.len())?.copy_from_slice(value);
        used += value.len();
    }
    if used == BLOCK_HEADER_BYTES {
        return Some(0);
    }
    let end = used.next_multiple_of(4);
    buffer.get_mut(used..end)?.fill(0);
    let words = u16::try_from(end / 4 - 1).ok()?;
    let profile = if one_byte { ONE_BYTE_PROFILE } else { TWO_BYTE_PROFILE };
    let header = buffer.first_chunk_mut::<BLOCK_HEADER_BYTES>()?;
    header[..2].copy_from_slice(&profile.to_be_bytes());
    header[2..].copy_from_slice(&words.to_be_bytes());
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    fn all(profile: u16, block: &[u8]) -> Vec<(u8, &[u8])> {
        elements(profile, block).collect()
    }

    #[test]
    fn one_byte_elements_are_read_over_padding() {
        // RFC 8285 section 4.2's figure: lengths 1, 2 and 4 with padding between.
        let block = [0x10, 0xaa, 0x21, 0xb0, 0xb1, 0x00, 0x00, 0x33, 0xc0, 0xc1, 0xc2, 0xc3];
        assert_eq!(all(0xbede, &block), [(1, &[0xaa][..]), (2, &[0xb0, 0xb1][..]), (3, &[0xc0, 0xc1, 0xc2, 0xc3][..])]);
    }

    #[test]
    fn two_byte_elements_are_read_over_padding() {
        // RFC 8285 section 4.3's figure: lengths 0, 1 and 4.
        let block = [0x01, 0x00, 0x02, 0x01, 0xb0, 0x00, 0x83, 0x04, 0xc0, 0xc1, 0xc2, 0xc3];
        for profile in [0x1000, 0x100f] {
            assert_eq!(all(profile, &block), [(1, &[][..]), (2, &[0xb0][..]), (0x83, &[0xc0, 0xc1, 0xc2, 0xc3][..])]);
        }
        assert!(all(0x1010, &block).is_empty());
    }

    #[test]
    fn reserved_ids_end_a_one_byte_block() {
        assert_eq!(all(0xbede, &[0x10, 0xaa, 0xf0, 0xbb, 0x20, 0xcc]), [(1, &[0xaa][..])]);
        assert_eq!(all(0xbede, &[0x10, 0xaa, 0x01, 0xbb, 0xbb, 0x20, 0xcc]), [(1, &[0xaa][..])]);
    }

    #[test]
    fn an_element_that_overruns_its_block_is_not_shown() {
        assert_eq!(all(0xbede, &[0x10, 0xaa, 0x23, 0xbb]), [(1, &[0xaa][..])]);
        assert_eq!(all(0x1000, &[0x01, 0x01, 0xaa, 0x02, 0x03, 0xbb]), [(1, &[0xaa][..])]);
        assert!(all(0x1000, &[0x01]).is_empty());
    }

    #[test]
    fn a_written_block_reads_the_same() {
        let short: [(u8, &[u8]); 3] = [(1, b"0"), (4, &[1, 2, 3]), (14, &[7; 16])];
        let empty: [(u8, &[u8]); 2] = [(1, b""), (2, b"x")];
        let long: [(u8, &[u8]); 2] = [(7, &[9; 17]), (1, b"0")];
        let high: [(u8, &[u8]); 1] = [(15, b"0")];
        for (elements_in, profile) in [(&short[..], 0xbede), (&empty, 0x1000), (&long, 0x1000), (&high, 0x1000)] {
            let mut buffer = [0xff; 64];
            let bytes = write_extensions(&mut buffer, elements_in.iter().copied()).expect("room");
            assert_eq!(u16::from_be_bytes([buffer[0], buffer[1]]), profile);
            assert_eq!(usize::from(u16::from_be_bytes([buffer[2], buffer[3]])) * 4 + 4, bytes);
            assert_eq!(all(profile, &buffer[4..bytes]), elements_in);
        }
    }

    #[test]
    fn nothing_is_written_for_no_elements_or_without_room() {
        assert_eq!(write_extensions(&mut [0; 8], [].into_iter()), Some(0));
        let one: [(u8, &[u8]); 1] = [(1, b"abcd")];
        for room in 0..12 {
            assert_eq!(write_extensions(&mut vec![0; room], one.into_iter()), None);
        }
        assert_eq!(write_extensions(&mut [0; 12], one.into_iter()), Some(12));
        assert_eq!(write_extensions(&mut [0; 12], [(0, &b"x"[..])].into_iter()), None);
        assert_eq!(write_extensions(&mut [0; 512], [(1, &[0; 256][..])].into_iter()), None);
    }

    #[test]
    fn damaged_blocks_never_panic() {
        let sample = [0x10, 0xaa, 0x21, 0xb0, 0xb1, 0x00, 0x00, 0x33, 0xc0, 0xc1, 0xc2, 0xc3];
        fuzz::damaged(2, &[&sample], |block| {
            for profile in [0xbede, 0x1000, 0x1003] {
                let read = all(profile, block);
                let mut buffer = [0; 1024];
                let bytes = write_extensions(&mut buffer, read.iter().copied()).expect("room");
                let profile = u16::from_be_bytes([buffer[0], buffer[1]]);
                assert_eq!(all(profile, buffer.get(4..bytes).unwrap_or_default()), read);
            }
        });
    }
}
