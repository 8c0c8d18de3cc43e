//! A bounded ring of packets from one thread to another, without a lock.

use rtrb::{Consumer, Producer, RingBuffer};

/// Bytes that a ring holds. Some 400 full packets: 40 ms of 100 Mbit/s, many times as long as a worker's turn, and little
/// enough to stay in a core's cache.
pub(crate) const RING_BYTES_MAX: usize = 512 * 1024;
/// The longest packet, longer than any that a worker makes.
const PACKET_BYTES_MAX: usize = 2048;
/// The length of each packet lies before it.
const LENGTH_BYTES: usize = 2;

/// An empty ring.
pub(crate) fn packet_ring() -> (Writer, Reader) {
    let (writer, ring) = RingBuffer::new(RING_BYTES_MAX);
    (Writer(writer), Reader { ring, joined: Box::new([0; LENGTH_BYTES + PACKET_BYTES_MAX]) })
}

/// The end that packets are put in.
pub(crate) struct Writer(Producer<u8>);

impl Writer {
    /// Copies a packet into the ring; false when there is no room for it.
    pub(crate) fn write(&mut self, packet: &[u8]) -> bool {
        let bytes = LENGTH_BYTES + packet.len();
        let Ok(length) = u16::try_from(packet.len()) else { return false };
        if packet.len() > PACKET_BYTES_MAX || self.0.cached_slots() < bytes && self.0.slots() < bytes {
            return false;
        }
        // There is room for both.
        self.0.push_entire_slice(&length.to_ne_bytes()).is_ok() && self.0.push_entire_slice(packet).is_ok()
    }

    /// Whether the other end is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }
}

/// The end that packets are taken from.
pub(crate) struct Reader {
    ring: Consumer<u8>,
    /// Room for one that lies partly at the ring's end and partly at its beginning.
    joined: Box<[u8; LENGTH_BYTES + PACKET_BYTES_MAX]>,
}

impl Reader {
    /// Takes the oldest packet, which is used where it lies; false when there is none.
    pub(crate) fn read(&mut self, take: impl FnOnce(&mut [u8])) -> bool {
        let Some(length) = self.next_length() else { return false };
        // The packet itself may not be there yet.
        let Ok(mut chunk) = self.ring.read_chunk(LENGTH_BYTES + length) else { return false };
        match chunk.as_mut_slices() {
            (whole, []) => take(&mut whole[LENGTH_BYTES..]),
            (first, second) => {
                let joined = &mut self.joined[..first.len() + second.len()];
                joined[..first.len()].copy_from_slice(first);
                joined[first.len()..].copy_from_slice(second);
                take(&mut joined[LENGTH_BYTES..]);
            }
        }
        chunk.commit_all();
        true
    }

    fn next_length(&mut self) -> Option<usize> {
        let chunk = self.ring.read_chunk(LENGTH_BYTES).ok()?;
        let (first, second) = chunk.as_slices();
        let mut length = [0; LENGTH_BYTES];
        length.iter_mut().zip(first.iter().chain(second)).for_each(|(to, from)| *to = *from);
        Some(usize::from(u16::from_ne_bytes(length)))
    }

    /// Whether nothing is in the ring.
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether the other end is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Of many lengths, so that some lie across the end of the ring.
    fn packet(n: usize) -> Vec<u8> {
        vec![n as u8; n * 37 % PACKET_BYTES_MAX]
    }

    fn read(reader: &mut Reader) -> Option<Vec<u8>> {
        let mut read = None;
        reader.read(|packet| read = Some(packet.to_vec()));
        read
    }

    #[test]
    fn packets_come_out_whole_and_in_order_however_often_the_ring_goes_round() {
        let (mut writer, mut reader) = packet_ring();
        let reading = thread::spawn(move || {
            for n in 0..5_000 {
                let came = loop {
                    match read(&mut reader) {
                        Some(packet) => break packet,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(came, packet(n), "{n}");
            }
            assert!(reader.is_empty());
        });
        for n in 0..5_000 {
            while !writer.write(&packet(n)) {
                thread::yield_now();
            }
        }
        reading.join().expect("all of them came");
    }

    #[test]
    fn a_full_ring_takes_nothing_until_something_is_taken_out() {
        let (mut writer, mut reader) = packet_ring();
        let taken = (0..).take_while(|_| writer.write(&[7; 1_000])).count();
        assert_eq!(taken, RING_BYTES_MAX / (1_000 + LENGTH_BYTES));
        assert_eq!(read(&mut reader), Some(vec![7; 1_000]));
        assert!(writer.write(&[8; 1_000]));
        assert!(!writer.write(&[9; 1_000]));
        let left: Vec<_> = std::iter::from_fn(|| read(&mut reader)).collect();
        assert_eq!((left.len(), left.last()), (taken, Some(&vec![8; 1_000])));
    }

    #[test]
    fn what_is_too_long_is_not_taken() {
        let (mut writer, mut reader) = packet_ring();
        assert!(!writer.write(&[1; PACKET_BYTES_MAX + 1]));
        assert!(!writer.write(&[1; 70_000]));
        assert!(reader.is_empty());
        assert!(writer.write(&[2; PACKET_BYTES_MAX]));
        assert_eq!(read(&mut reader).map(|packet| packet.len()), Some(PACKET_BYTES_MAX));
    }
}
