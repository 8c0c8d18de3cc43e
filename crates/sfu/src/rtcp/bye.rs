//! Goodbye (RFC 3550 section 6.6).

use super::u32s;

/// A BYE; its reason is not of interest.
#[derive(Debug, Clone, Copy)]
pub struct Bye<'a> {
    ssrcs: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        Some(Self { ssrcs: body.get(..usize::from(count) * 4)? })
    }

    /// The streams that ended.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> {
        u32s(self.ssrcs)
    }
}

#[cfg(test)]
mod tests {
    use crate::rtcp::{RtcpPacket, packets};

    #[test]
    fn names_every_stream_that_ended() {
        let packet = [0x82, 203, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 3, b'b', b'y', b'e', 0, 0, 0, 0];
        let Some(RtcpPacket::Bye(bye)) = packets(&packet).next() else { panic!("a BYE") };
        assert!(bye.ssrcs().eq([1, 2]));
        assert!(packets(&[0x82, 203, 0, 1, 0, 0, 0, 1]).next().is_none());
    }
}
