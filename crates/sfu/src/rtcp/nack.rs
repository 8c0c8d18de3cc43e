//! Generic NACK (RFC 4585 section 6.2.1).

use super::{FORMAT_NACK, RtcpWriter, TRANSPORT_FEEDBACK, take_u32};

const HEADER_BYTES: usize = 12;
const ITEM_BYTES: usize = 4;

/// A request for packets again.
#[derive(Debug, Clone, Copy)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The stream.
    pub media_ssrc: u32,
    items: &'a [[u8; ITEM_BYTES]],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let sender_ssrc = take_u32(&mut body)?;
        let media_ssrc = take_u32(&mut body)?;
        Some(Self { sender_ssrc, media_ssrc, items: body.as_chunks().0 })
    }

    /// The sequence numbers asked for, in the order of the packet.
    pub fn sequences(&self) -> impl Iterator<Item = u16> {
        self.items.iter().flat_map(|[p0, p1, b0, b1]| {
            let first = u16::from_be_bytes([*p0, *p1]);
            let following = u16::from_be_bytes([*b0, *b1]);
            let lost = (0..16).filter(move |bit| following >> bit & 1 == 1);
            std::iter::once(first).chain(lost.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }
}

impl RtcpWriter<'_> {
    /// Appends a NACK for as many of the `lost` numbers as fit, which ascend and may wrap; gives how many that are.
    #[must_use]
    pub fn nack(&mut self, sender_ssrc: u32, media_ssrc: u32, lost: &[u16]) -> usize {
        let items_max = self.remaining().saturating_sub(HEADER_BYTES) / ITEM_BYTES;
        let mut rest = lost;
        if lost.is_empty() || items_max == 0 {
            return 0;
        }
        let written = self.packet(TRANSPORT_FEEDBACK, FORMAT_NACK, |writer| {
            writer.put_u32(sender_ssrc)?;
            writer.put_u32(media_ssrc)?;
            for _ in 0..items_max {
                let [first, after @ ..] = rest else { break };
                rest = after;
                let mut following = 0;
                while let [next, after @ ..] = rest
                    && let offset @ 1..=16 = next.wrapping_sub(*first)
                {
                    following |= 1 << (offset - 1);
                    rest = after;
                }
                writer.put(&first.to_be_bytes())?;
                writer.put(&u16::to_be_bytes(following))?;
            }
            Some(())
        });
        if written { lost.len() - rest.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    fn sequences(packet: &[u8]) -> Vec<u16> {
        let Some(RtcpPacket::Nack(nack)) = packets(packet).next() else { panic!("a NACK") };
        nack.sequences().collect()
    }

    #[test]
    fn neighbours_share_an_item() {
        let mut buffer = [0; 64];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert_eq!(writer.nack(1, 2, &[10, 11, 26, 27]), 4);
        assert_eq!(writer.bytes(), [0x81, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 10, 0x80, 0x01, 0, 27, 0, 0]);
        assert_eq!(sequences(writer.bytes()), [10, 11, 26, 27]);
    }

    #[test]
    fn the_mask_runs_over_the_wrap() {
        let mut buffer = [0; 64];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert_eq!(writer.nack(1, 2, &[65_534, 65_535, 0, 1]), 4);
        assert_eq!(writer.len(), 16);
        assert_eq!(sequences(writer.bytes()), [65_534, 65_535, 0, 1]);
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_next_packet() {
        let lost = [0, 100, 200, 300];
        let mut buffer = [0; 22];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert_eq!(writer.nack(1, 2, &lost), 2);
        assert_eq!(sequences(writer.bytes()), [0, 100]);
        assert_eq!(writer.nack(1, 2, &lost[2..]), 0);
        assert_eq!(RtcpWriter::new(&mut [0; 64]).nack(1, 2, &[]), 0);
    }

    #[test]
    fn any_sorted_numbers_round_trip() {
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut sequence: u16 = rng.random();
            let lost: Vec<u16> = (0..rng.random_range(1..200))
                .map(|_| {
                    sequence = sequence.wrapping_add(rng.random_range(1..40));
                    sequence
                })
                .collect();
            let mut buffer = [0; 1_200];
            let mut writer = RtcpWriter::new(&mut buffer);
            assert_eq!(writer.nack(1, 2, &lost), lost.len(), "seed {seed}");
            assert_eq!(sequences(writer.bytes()), lost, "seed {seed}");
        }
    }
}
