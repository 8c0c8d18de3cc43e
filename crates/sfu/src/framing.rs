//! Datagrams on a stream, each behind its length in two bytes (RFC 4571 2): what ICE-TCP carries.

use arrayvec::ArrayVec;

/// The longest datagram that is taken: no path of a client carries longer ones by UDP either.
pub const FRAME_BYTES_MAX: usize = 2048;
/// What stands before each datagram.
pub const LENGTH_BYTES: usize = 2;

/// A frame announces more than [`FRAME_BYTES_MAX`]: where the next one begins nobody wants to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes")]
pub struct FrameTooLong(pub usize);

/// Cuts a stream into datagrams, however it was cut into reads. Holds one frame at most.
#[derive(Debug, Default)]
pub struct Deframer {
    partial: ArrayVec<u8, { LENGTH_BYTES + FRAME_BYTES_MAX }>,
}

impl Deframer {
    /// Takes what the stream brought next and delivers the datagrams that it completes, in order. After an error the
    /// stream cannot be read any further.
    pub fn read(&mut self, mut bytes: &mut [u8], mut deliver: impl FnMut(&mut [u8])) -> Result<(), FrameTooLong> {
        while !bytes.is_empty() {
            if self.partial.is_empty()
                && let whole = needed(bytes)?
                && whole <= bytes.len()
            {
                let (frame, rest) = bytes.split_at_mut(whole);
                deliver(&mut frame[LENGTH_BYTES..]);
                bytes = rest;
                continue;
            }
            let lacking = needed(&self.partial)? - self.partial.len();
            let (head, rest) = bytes.split_at_mut(lacking.min(bytes.len()));
            self.partial.extend(head.iter().copied());
            bytes = rest;
            if self.partial.len() == needed(&self.partial)? {
                deliver(&mut self.partial[LENGTH_BYTES..]);
                self.partial.clear();
            }
        }
        Ok(())
    }
}

/// What stands before a datagram of so many bytes, which is far below 65,536.
pub fn length_prefix(datagram_bytes: usize) -> [u8; LENGTH_BYTES] {
    (datagram_bytes as u16).to_be_bytes()
}

/// How long the frame that begins here is, as far as can be told: its length comes first.
fn needed(bytes: &[u8]) -> Result<usize, FrameTooLong> {
    let Some(&length) = bytes.first_chunk() else { return Ok(LENGTH_BYTES) };
    match usize::from(u16::from_be_bytes(length)) {
        bytes @ 0..=FRAME_BYTES_MAX => Ok(LENGTH_BYTES + bytes),
        bytes => Err(FrameTooLong(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(datagrams: &[&[u8]]) -> Vec<u8> {
        datagrams.iter().flat_map(|datagram| [&length_prefix(datagram.len())[..], datagram].concat()).collect()
    }

    #[test]
    fn datagrams_come_out_whole_however_the_stream_is_cut() {
        let long = [7; FRAME_BYTES_MAX];
        let sent: [&[u8]; 5] = [b"one", b"", &long, b"2", b"three"];
        let stream = framed(&sent);
        for step in [1, 2, 3, 5, 100, 2047, 2050, stream.len()] {
            let mut deframer = Deframer::default();
            let mut received = Vec::new();
            for chunk in stream.chunks(step) {
                let read = deframer.read(&mut chunk.to_vec(), |datagram| received.push(datagram.to_vec()));
                assert_eq!(read, Ok(()));
            }
            assert_eq!(received, sent, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_frame_that_announces_too_much_ends_the_stream_after_those_before_it() {
        for step in [1, 4, 100] {
            let mut deframer = Deframer::default();
            let mut stream = framed(&[b"fine"]);
            stream.extend(length_prefix(FRAME_BYTES_MAX + 1));
            let mut received = 0;
            let mut read = || stream.chunks_mut(step).try_for_each(|chunk| deframer.read(chunk, |_| received += 1));
            assert_eq!(read(), Err(FrameTooLong(FRAME_BYTES_MAX + 1)));
            assert_eq!(received, 1);
        }
    }
}
