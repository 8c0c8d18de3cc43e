//! Where RTCP packets are appended to: a buffer of fixed size.

use super::VERSION_2;

/// Appends RTCP packets to a buffer. A packet that does not fit is not written at all.
#[derive(Debug)]
pub struct RtcpWriter<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a> RtcpWriter<'a> {
    /// Writes into `buffer`, from its start.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.used]
    }

    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// How many bytes more there is room for.
    pub fn remaining(&self) -> usize {
        self.buffer.len() - self.used
    }

    /// Appends one packet, whose `body` is padded with zeros to full words; false when it does not fit.
    pub(super) fn packet(&mut self, packet_type: u8, count: u8, body: impl FnOnce(&mut Self) -> Option<()>) -> bool {
        let start = self.used;
        if self.try_packet(packet_type, count, body).is_none() {
            self.used = start;
        }
        self.used > start
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.used.checked_add(bytes.len())?;
        self.buffer.get_mut(self.used..end)?.copy_from_slice(bytes);
        self.used = end;
        Some(())
    }

    pub(super) fn put_u32(&mut self, value: u32) -> Option<()> {
        self.put(&value.to_be_bytes())
    }

    fn try_packet(&mut self, packet_type: u8, count: u8, body: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let start = self.used;
        self.put(&[VERSION_2 | count, packet_type, 0, 0])?;
        body(self)?;
        let bytes = self.used - start;
        self.put(&[0; 3][..bytes.next_multiple_of(4) - bytes])?;
        let words = u16::try_from((self.used - start) / 4 - 1).ok()?;
        self.buffer.get_mut(start + 2..start + 4)?.copy_from_slice(&words.to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_does_not_fit_leaves_no_trace() {
        let mut buffer = [0; 20];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.pli(1, 2));
        assert_eq!((writer.len(), writer.remaining()), (12, 8));
        assert!(!writer.pli(1, 2));
        assert_eq!((writer.len(), writer.remaining()), (12, 8));
        assert!(writer.receiver_report(1, &[]));
        assert_eq!(writer.remaining(), 0);
        assert!(!writer.receiver_report(1, &[]));
    }

    #[test]
    fn a_body_is_padded_to_words() {
        let mut buffer = [0xff; 16];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.packet(204, 1, |writer| writer.put(b"abcde")));
        assert_eq!(writer.bytes(), [0x81, 204, 0, 2, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
    }
}
