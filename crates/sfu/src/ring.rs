//! The recent packets of one incoming stream, as plaintext, in order of arrival.
//!
//! A packet is written once and read by every consumer through its slot number, which only grows. Old packets
//! are overwritten when either the bytes or the slots run out; a reader that comes too late gets `None`.

use crate::clock::Micros;
use crate::codec::PictureNumbers;

/// The bit of [`PacketInfo::extensions`] that says that the tail is in two-byte form; no extension has id 0.
pub(crate) const TWO_BYTE_TAIL: u16 = 1;

/// What is kept of a packet beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PacketInfo {
    /// Extended sequence number of the stream, gaps of dropped padding closed.
    pub(crate) sequence: u64,
    /// RTP timestamp as sent.
    pub(crate) timestamp: u32,
    /// When it was captured, in microseconds of the worker's clock.
    pub(crate) capture_us: Micros,
    /// The RTP marker.
    pub(crate) marker: bool,
    /// The first packet of a keyframe; for audio every packet is.
    pub(crate) keyframe: bool,
    /// The codec's own running numbers, if the payload has any.
    pub(crate) picture: Option<PictureNumbers>,
    /// Which header extensions the tail holds, a bit per router id, and [`TWO_BYTE_TAIL`].
    pub(crate) extensions: u16,
}

/// A packet in the ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredPacket<'a> {
    /// What is kept beside the bytes.
    pub(crate) info: PacketInfo,
    /// Header extension elements with the router's ids, not padded: in one-byte form, or all in two-byte form.
    pub(crate) tail: &'a [u8],
    /// RTP payload without padding.
    pub(crate) payload: &'a [u8],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    info: PacketInfo,
    offset: u32,
    payload_bytes: u16,
    tail_bytes: u8,
}

impl Slot {
    fn bytes(&self) -> usize {
        usize::from(self.payload_bytes) + usize::from(self.tail_bytes)
    }
}

/// A bounded store of packets, allocated with the first: most layers that a worker could get from another never come.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: Box<[u8]>,
    slots: Box<[Slot]>,
    /// How many bytes and slots there are to be.
    size: (usize, usize),
    /// The next slot number to be written.
    head: u64,
    /// The oldest slot number that can still be read.
    tail: u64,
    /// Where the next packet's bytes go.
    write: usize,
    /// The slot in which the newest keyframe begins.
    keyframe: Option<u64>,
}

impl Ring {
    /// A ring of `bytes` for at most `slots` packets (rounded up to a power of two).
    pub(crate) fn new(bytes: usize, slots: usize) -> Self {
        Self {
            bytes: Box::default(),
            slots: Box::default(),
            size: (bytes, slots.next_power_of_two()),
            head: 0,
            tail: 0,
            write: 0,
            keyframe: None,
        }
    }

    /// The empty ring as it is when so many packets have gone through it.
    #[cfg(test)]
    pub(crate) fn after(self, packets: u64) -> Self {
        Self { head: packets, tail: packets, ..self }
    }

    /// The slot number that the next packet will get.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The oldest slot number that can still be read; equal to [`Ring::head`] when the ring is empty.
    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Stores a packet and gives its slot number; `None` when it could never fit.
    pub(crate) fn push(&mut self, info: PacketInfo, tail: &[u8], payload: &[u8]) -> Option<u64> {
        if self.slots.is_empty() {
            self.allocate();
        }
        let bytes = tail.len() + payload.len();
        let (tail_bytes, payload_bytes) = (u8::try_from(tail.len()).ok()?, u16::try_from(payload.len()).ok()?);
        if bytes > self.bytes.len() {
            return None;
        }
        if self.write + bytes > self.bytes.len() {
            // A packet is never split: what lies between here and the end belongs to the oldest packets.
            self.evict_overlapping(self.write, self.bytes.len());
            self.write = 0;
        }
        self.evict_overlapping(self.write, self.write + bytes);
        if self.head - self.tail == self.slots.len() as u64 {
            self.tail += 1;
        }

        let (tail_at, payload_at) = (self.write, self.write + tail.len());
        self.bytes[tail_at..payload_at].copy_from_slice(tail);
        self.bytes[payload_at..payload_at + payload.len()].copy_from_slice(payload);
        let number = self.head;
        let index = self.index(number);
        self.slots[index] = Slot { info, offset: self.write as u32, payload_bytes, tail_bytes };
        if info.keyframe {
            self.keyframe = Some(number);
        }
        self.write += bytes;
        self.head += 1;
        Some(number)
    }

    #[cold]
    fn allocate(&mut self) {
        let (bytes, slots) = self.size;
        self.bytes = vec![0; bytes].into_boxed_slice();
        self.slots = vec![Slot::default(); slots].into_boxed_slice();
    }

    /// The packet in slot `number`, unless it was overwritten or is not there yet.
    pub(crate) fn packet(&self, number: u64) -> Option<StoredPacket<'_>> {
        let slot = self.slot(number)?;
        let start = slot.offset as usize;
        let (tail, payload) = self.bytes[start..start + slot.bytes()].split_at(usize::from(slot.tail_bytes));
        Some(StoredPacket { info: slot.info, tail, payload })
    }

    /// The slot in which the newest keyframe begins, unless it was overwritten, and when it was captured.
    pub(crate) fn keyframe(&self) -> Option<(u64, Micros)> {
        let number = self.keyframe?;
        Some((number, self.slot(number)?.info.capture_us))
    }

    /// When the newest packet was captured.
    pub(crate) fn newest_capture(&self) -> Option<Micros> {
        Some(self.slot(self.head.checked_sub(1)?)?.info.capture_us)
    }

    /// The first slot at or after `from_slot` that may hold a packet of `sequence` or later, looking back no
    /// further than `slots_max` before `number`: where to start reading so that packets which overtook
    /// `number` on the way are not missed.
    pub(crate) fn start_of(&self, number: u64, slots_max: u64) -> u64 {
        let Some(first) = self.slot(number) else { return number };
        let oldest = number.saturating_sub(slots_max).max(self.tail);
        (oldest..number)
            .find(|&n| self.slot(n).is_some_and(|slot| slot.info.sequence > first.info.sequence))
            .unwrap_or(number)
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        (self.tail..self.head).contains(&number).then(|| &self.slots[self.index(number)])
    }

    fn index(&self, number: u64) -> usize {
        number as usize & (self.slots.len() - 1)
    }

    /// Gives up the oldest packets whose bytes lie within `from..to`.
    fn evict_overlapping(&mut self, from: usize, to: usize) {
        while self.tail < self.head {
            let slot = &self.slots[self.index(self.tail)];
            let (start, end) = (slot.offset as usize, slot.offset as usize + slot.bytes());
            // Packets lie in writing order, so the first that is out of the way ends the search. An empty
            // packet occupies nothing; it goes with its neighbours.
            let in_the_way = start < to && (end > from || start == end && start >= from);
            if !in_the_way {
                break;
            }
            self.tail += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(sequence: u64) -> PacketInfo {
        PacketInfo { sequence, ..PacketInfo::default() }
    }

    #[test]
    fn a_packet_reads_back_until_it_is_overwritten() {
        let mut ring = Ring::new(1000, 64);
        for n in 0..200u64 {
            let payload = [n as u8; 90];
            assert_eq!(ring.push(info(n), &[1, 2], &payload), Some(n));
            let oldest = ring.tail();
            assert!(oldest == 0 || ring.head() - oldest >= 9, "nearly a full lap stays readable");
            for k in oldest..=n {
                let packet = ring.packet(k).expect("between tail and head");
                assert_eq!((packet.info.sequence, packet.tail, packet.payload), (k, &[1u8, 2][..], &[k as u8; 90][..]));
            }
            assert!(oldest == 0 || ring.packet(oldest - 1).is_none());
            assert!(ring.packet(n + 1).is_none());
        }
    }

    #[test]
    fn slots_bound_small_packets_and_bytes_bound_large_ones() {
        let mut ring = Ring::new(10_000, 8);
        for n in 0..20 {
            ring.push(info(n), &[], &[0; 10]);
        }
        assert_eq!(ring.head() - ring.tail(), 8);
        assert_eq!(ring.push(info(20), &[], &[0; 10_001]), None);
        ring.push(info(20), &[], &[7; 10_000]).expect("fits exactly");
        assert_eq!(ring.head() - ring.tail(), 1);
    }

    #[test]
    fn mixed_sizes_never_read_foreign_bytes() {
        let mut ring = Ring::new(3000, 32);
        let mut size = 1usize;
        for n in 0..5000u64 {
            size = (size * 31 + 7) % 1201;
            ring.push(info(n), &[n as u8; 3], &vec![n as u8; size]);
            for k in ring.tail()..ring.head() {
                let packet = ring.packet(k).expect("readable");
                assert!(packet.payload.iter().chain(packet.tail).all(|&b| b == k as u8), "slot {k} at {n}");
            }
        }
    }

    #[test]
    fn a_reader_starts_where_the_first_overtaking_packet_lies() {
        let mut ring = Ring::new(1000, 16);
        for sequence in [8, 9, 11, 12, 10] {
            ring.push(info(sequence), &[], &[0]);
        }
        assert_eq!(ring.start_of(4, 64), 2, "11 and 12 overtook 10");
        assert_eq!(ring.start_of(3, 64), 3);
    }
}
