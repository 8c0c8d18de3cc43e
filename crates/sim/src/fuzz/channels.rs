//! SCTP of a peer that has keys: whatever it puts into packets, streams and chunks, among calls.

use std::time::Duration;

use crc::{CRC_32_ISCSI, Crc};
use protocol::sctp::SctpStreamParameters;
use protocol::{DataConsumerId, DataProducerId, ParticipantId};

use super::Input;
use super::worker::{ROUTER, STEPS_MAX, Scene, TRANSPORT, address};
use crate::keyed_peer::NOMINATE;

const PORT: [u8; 2] = 5000_u16.to_be_bytes();
const TAG: u32 = 0x0102_0304;
/// The first number of the peer's DATA chunks, soon before they wrap.
const FIRST_TSN: u32 = u32::MAX - 20;
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// A peer whose association is established, and what it does with it.
struct Association {
    scene: Scene,
    /// The tag that the server wants to see.
    tag: u32,
    /// What the server acknowledges next is this far.
    tsn: u32,
    /// The server's own first number.
    server_tsn: u32,
    consumers: u64,
}

/// Everything that a peer with keys may put into SCTP, and ask for.
pub fn channels(data: &[u8]) {
    let mut input = Input(data);
    let Some(mut association) = Association::new() else { panic!("the handshake is not the input's") };
    for _ in 0..STEPS_MAX {
        if association.step(&mut input).is_none() {
            break;
        }
    }
    association.scene.wait(Duration::from_secs(3));
    let stats = association.scene.worker.stats();
    assert_eq!(stats.transports, 2, "a peer's association costs at most its channels");
    assert!(stats.data_producers <= 8 && stats.data_consumers <= 1024);
}

impl Association {
    fn new() -> Option<Self> {
        let mut scene = Scene::new();
        scene.worker.enable_sctp(TRANSPORT).ok()?;
        scene.deliver(address(1), crate::keyed_peer::KeyedPeer::check(&scene.ice, &NOMINATE));
        scene.handshake(u8::MAX);
        let mut association = Self { scene, tag: 0, tsn: FIRST_TSN, server_tsn: 0, consumers: 0 };
        // RFC 9260 5.1: tag, window, streams, first number; then the cookie goes back as it came.
        let streams = u16::MAX.to_be_bytes();
        let init = [&TAG.to_be_bytes()[..], &1_000_000_u32.to_be_bytes(), &streams, &streams, &FIRST_TSN.to_be_bytes()]
            .concat();
        association.send(&[chunk(1, 0, &init)]);
        let ack = association.received().into_iter().find(|packet| packet.get(12) == Some(&2))?;
        let word = |at: usize| Some(u32::from_be_bytes(*ack.get(at..)?.first_chunk()?));
        (association.tag, association.server_tsn) = (word(16)?, word(28)?);
        let cookie = parameter(ack.get(32..)?, 7)?.to_vec();
        association.send(&[chunk(10, 0, &cookie)]);
        association.received().iter().any(|packet| packet.get(12) == Some(&11)).then_some(())?;
        association.produce(0, 0);
        association.consume();
        Some(association)
    }

    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.byte()? % 8 {
            0..=2 => self.send_data(input)?,
            // Chunks as the input has them, in a packet that is one.
            3 => {
                let block = input.block()?.to_vec();
                self.send(&[block]);
            }
            4 => {
                let (back, block) = (u32::from(input.byte()?), input.block()?);
                // SACK, FORWARD TSN and RE-CONFIG, near what is expected (RFC 9260 3.3.4, RFC 3758 3.2, RFC 6525 4.1).
                let near = |first: u32| first.wrapping_add(back).wrapping_sub(8).to_be_bytes();
                let (kind, number) = match block.first().map_or(0, |kind| kind % 3) {
                    0 => (3, near(self.server_tsn)),
                    1 => (192, near(self.tsn)),
                    _ => (130, near(FIRST_TSN)),
                };
                let value = match kind {
                    // An outgoing reset request in a row of which the input chooses numbers and streams.
                    130 => {
                        let streams = block.get(1..).unwrap_or_default();
                        let length = (16 + streams.len() as u16).to_be_bytes();
                        [&[0, 13][..], &length, &number, &near(self.server_tsn), &near(self.tsn), streams].concat()
                    }
                    _ => [&number[..], block.get(1..).unwrap_or_default()].concat(),
                };
                self.send(&[chunk(kind, 0, &value)]);
            }
            5 => self.scene.wait(Duration::from_millis(u64::from(input.byte()?) * 8)),
            6 => self.call(input.byte()?, input.byte()?),
            _ => {
                let block = input.block()?.to_vec();
                self.seal(&block);
            }
        }
        self.received();
        Some(())
    }

    /// A DATA chunk of which the input chooses flags, stream, sequence number, kind and bytes.
    fn send_data(&mut self, input: &mut Input<'_>) -> Option<()> {
        let (flags, step, stream, sequence, kind) =
            (input.byte()?, input.byte()? as i8, input.byte()?, input.byte()?, input.byte()?);
        let repeat = if flags & 0x80 == 0 { 1 } else { 40 };
        let block = input.block()?;
        for n in 0..repeat {
            let tsn = self.tsn.wrapping_add_signed(step.into());
            if step == 0 {
                self.tsn = self.tsn.wrapping_add(1);
            }
            let stream = u16::from(stream).wrapping_add(if flags & 0x40 == 0 { 0 } else { n });
            let kind = [51, 53, 56, 57, 50, 0][usize::from(kind) % 6];
            let sequence = u16::from(sequence).wrapping_add(n).to_be_bytes();
            let head = [&tsn.to_be_bytes()[..], &stream.to_be_bytes(), &sequence, &[0, 0, 0, kind]].concat();
            self.send(&[chunk(0, flags & 0x0f, &[&head, block].concat())]);
        }
        Some(())
    }

    fn call(&mut self, action: u8, value: u8) {
        let id = self.producer(value % 4);
        let worker = &mut self.scene.worker;
        match action % 5 {
            0 => self.produce(value % 4, value),
            1 => _ = worker.close_data_producer(ROUTER, id),
            2 => self.consume(),
            3 => _ = worker.close_data_consumer(DataConsumerId(value.into())),
            _ => _ = worker.resume_data_consumer(DataConsumerId(value.into())),
        }
    }

    fn producer(&self, number: u8) -> DataProducerId {
        DataProducerId { participant: ParticipantId(1), number: number.into() }
    }

    fn produce(&mut self, number: u8, limits: u8) {
        let parameters = SctpStreamParameters {
            stream_id: number.into(),
            ordered: (limits & 4 != 0).then_some(limits & 8 != 0),
            max_packet_life_time: (limits & 16 != 0).then_some(limits.into()),
            max_retransmits: (limits & 32 != 0).then_some((limits >> 6).into()),
        };
        // The stream may be in use, the association over, and the parameters may exclude each other.
        let _ = self.scene.worker.produce_data(TRANSPORT, self.producer(number), &parameters, "", "");
    }

    fn consume(&mut self) {
        let id = DataConsumerId(self.consumers);
        self.consumers += 1;
        if self.scene.worker.consume_data(TRANSPORT, id, self.producer(0)).is_ok() {
            self.scene.worker.resume_data_consumer(id).expect("it is there");
        }
    }

    /// Sends a packet of these chunks, with the right ports, tag and checksum.
    fn send(&mut self, chunks: &[Vec<u8>]) {
        let mut packet = [&PORT[..], &PORT, &self.tag.to_be_bytes(), &[0; 4]].concat();
        packet.extend(chunks.iter().flatten());
        let checksum = CRC32C.checksum(&packet);
        packet[8..12].copy_from_slice(&checksum.to_le_bytes());
        self.seal(&packet);
    }

    fn seal(&mut self, packet: &[u8]) {
        for datagram in self.scene.peer.seal_data(packet) {
            self.scene.deliver(address(1), datagram);
        }
    }

    /// What the server sent, the checksums looked at.
    fn received(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for datagram in std::mem::take(&mut self.scene.inbox) {
            self.scene.peer.handle_dtls(self.scene.now, &datagram);
            packets.extend(self.scene.peer.take_data());
        }
        for packet in &packets {
            let mut zeroed = packet.clone();
            zeroed[8..12].fill(0);
            assert_eq!(packet[8..12], CRC32C.checksum(&zeroed).to_le_bytes());
        }
        packets
    }
}

/// RFC 9260 3.2: padded to whole words, which the length does not count.
fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut chunk = vec![kind, flags];
    chunk.extend((4 + value.len() as u16).to_be_bytes());
    chunk.extend(value);
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

/// The value of a chunk's parameter (RFC 9260 3.2.1).
fn parameter(mut parameters: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let [a, b, high, low, ..] = *parameters else { return None };
        let bytes = usize::from(u16::from_be_bytes([high, low]));
        if u16::from_be_bytes([a, b]) == wanted {
            return parameters.get(4..bytes);
        }
        parameters = parameters.get(bytes.max(4).next_multiple_of(4)..)?;
    }
}
