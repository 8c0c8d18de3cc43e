//! What is due to one receiver, written as GSO messages.
//!
//! The kernel cuts a message into datagrams of one size, of which only the last may be shorter. libwebrtc makes
//! the last packets of a frame a byte longer than the first, so sizes are levelled with up to
//! [`LEVEL_MAX`] bytes of RTP padding: a frame leaves as one message.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use protocol::MediaKind;

use crate::bandwidth::Bandwidth;
use crate::clock::Micros;
use crate::codec::PictureNumbers;
use crate::consumer::{Consumer, ConsumerFormat, Found, HeaderFields, Outgoing, Shift};
use crate::ring::{Ring, StoredPacket};
use crate::rtp::abs_send_time;
use crate::srtp::SealKeys;
use crate::transmit::{MESSAGE_BYTES_MAX, Path, SEGMENTS_MAX, SendBatch};

/// The most padding that a packet gets to be as long as its neighbours.
const LEVEL_MAX: usize = 16;

/// The sending half of a connected transport.
#[derive(Debug)]
pub(crate) struct Egress {
    pub(crate) keys: SealKeys,
    pub(crate) path: Path,
    /// The next transport-wide sequence number.
    pub(crate) transport_cc: u16,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Nothing leaves now: the path takes no more, or there is none.
    pub(crate) blocked: bool,
    /// From the first video on whose arrival the client tells of.
    pub(crate) bandwidth: Option<Box<Bandwidth>>,
}

impl Egress {
    /// How many bytes of what can wait may leave now. The last packet may end outside.
    fn allowance(&mut self, now: Micros) -> usize {
        self.bandwidth.as_mut().map_or(usize::MAX, |bandwidth| bandwidth.pacing.allowance(now))
    }

    /// Whether what can wait has to.
    pub(crate) fn is_held(&mut self, now: Micros) -> bool {
        self.allowance(now) == 0
    }

    /// Whether another retransmission of so many bytes is within the share that they have, which takes it.
    fn admits_retransmission(&mut self, now: Micros, bytes: usize) -> bool {
        self.bandwidth.as_mut().is_none_or(|bandwidth| bandwidth.admits_retransmission(now, bytes))
    }

    /// A sealed packet leaves. A number that no packet carried would look lost in the feedback.
    fn on_sent(&mut self, now: Micros, format: &ConsumerFormat, bytes: usize) {
        if let Some(bandwidth) = &mut self.bandwidth {
            match format.codec.kind() {
                MediaKind::Audio => bandwidth.pacing.spend_urgent(bytes),
                MediaKind::Video => bandwidth.pacing.spend(bytes),
            }
        }
        if format.transport_cc {
            if let Some(bandwidth) = &mut self.bandwidth {
                bandwidth.on_sent(now, self.transport_cc, bytes);
            }
            self.transport_cc = self.transport_cc.wrapping_add(1);
        }
    }
}

/// What became of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Burst {
    /// Everything that is due is in the batch.
    Done,
    /// The batch is full; what is left stays due.
    Full,
    /// The path took all that it may for now.
    Held,
}

struct Planned {
    slot: u64,
    out: Outgoing,
    header_bytes: usize,
    /// Of the sealed packet without padding.
    bytes: usize,
}

/// Datagrams that fit one GSO message.
#[derive(Default)]
struct Plan {
    packets: ArrayVec<Planned, SEGMENTS_MAX>,
    segment: usize,
    shortest: usize,
}

impl Plan {
    /// Chooses the packets of the next message and moves the cursor over what is not to be sent; whether that is all
    /// that there is.
    fn fill(&mut self, consumer: &mut Consumer, ring: &Ring, tag_bytes: usize, room: usize, allowance: usize) -> bool {
        self.clear();
        let mut planned = 0;
        let mut slot = consumer.cursor(ring);
        while let Some(packet) = ring.packet(slot) {
            if !self.packets.is_empty() && consumer.begins_anew_at(&packet.info) {
                return false;
            }
            let Some(out) = consumer.admit(ring, slot, &packet.info) else {
                // Skipped packets between planned ones are passed when those are written.
                if self.packets.is_empty() {
                    consumer.advance_to(slot + 1);
                }
                slot += 1;
                continue;
            };
            let start = consumer.cursor(ring);
            if self.packets.is_empty() && start < slot {
                slot = start;
                continue;
            }
            let header_bytes = consumer.header.bytes(&packet);
            let bytes = header_bytes + packet.payload.len() + tag_bytes;
            if planned >= allowance || !self.add(Planned { slot, out, header_bytes, bytes }, room) {
                return false;
            }
            planned += bytes;
            slot += 1;
        }
        true
    }

    fn clear(&mut self) {
        self.packets.clear();
        (self.segment, self.shortest) = (0, 0);
    }

    /// Adds a packet, unless it would need more padding than [`LEVEL_MAX`] or more room than there is.
    fn add(&mut self, planned: Planned, room: usize) -> bool {
        let segment = self.segment.max(planned.bytes);
        let levelled = self.packets.is_empty() || segment - self.shortest <= LEVEL_MAX;
        if !levelled || self.packets.is_full() || segment * (self.packets.len() + 1) > room {
            return false;
        }
        self.shortest = if self.packets.is_empty() { planned.bytes } else { self.shortest.min(planned.bytes) };
        self.segment = segment;
        self.packets.push(planned);
        true
    }
}

/// The time of a turn in the forms that packets carry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendTime {
    pub(crate) now: Instant,
    /// The same on the worker's clock.
    pub(crate) now_us: Micros,
    /// 24 bits of 6.18 fixed-point seconds.
    pub(crate) abs_send_time: u32,
}

impl SendTime {
    /// `now`, which is `now_us` on the worker's clock.
    pub(crate) fn new(now: Instant, now_us: Micros) -> Self {
        Self { now, now_us, abs_send_time: abs_send_time(Duration::from_micros(now_us.max(0) as u64)) }
    }
}

/// Writes all that is due from `ring` to `consumer` into the batch. Audio never waits for tokens.
pub(crate) fn write_burst(
    consumer: &mut Consumer,
    ring: &Ring,
    egress: &mut Egress,
    time: SendTime,
    batch: &mut SendBatch,
) -> Burst {
    let audio = consumer.format.codec.kind() == MediaKind::Audio;
    consumer.skip_stale(ring);
    // Filled in place: it is large.
    let mut plan = Plan::default();
    loop {
        let room = batch.room().min(MESSAGE_BYTES_MAX);
        let allowance = if audio { usize::MAX } else { egress.allowance(time.now_us) };
        let all = plan.fill(consumer, ring, egress.keys.tag_bytes(), room, allowance);
        if !plan.packets.is_empty() {
            let bytes = write(consumer, ring, egress, time, &plan, batch.spare());
            batch.commit(egress.path, bytes, plan.segment.min(bytes));
        }
        if all {
            consumer.advance_to(ring.head());
            return Burst::Done;
        }
        if plan.packets.is_empty() {
            return if allowance == 0 { Burst::Held } else { Burst::Full };
        }
    }
}

/// Writes and seals the planned packets one after the other and gives their length.
fn write(
    consumer: &mut Consumer,
    ring: &Ring,
    egress: &mut Egress,
    time: SendTime,
    plan: &Plan,
    spare: &mut [u8],
) -> usize {
    let mut at = 0;
    for (index, planned) in plan.packets.iter().enumerate() {
        // Planned from this ring in this call, so it is still there.
        let Some(packet) = ring.packet(planned.slot) else { continue };
        let last = index + 1 == plan.packets.len();
        let padding = if last { 0 } else { plan.segment - planned.bytes };
        let fields = HeaderFields {
            ssrc: consumer.format.ssrc,
            payload_type: consumer.format.payload_type,
            sequence: planned.out.sequence,
            timestamp: packet.info.timestamp.wrapping_add(planned.out.shift.timestamp),
            padded: padding > 0,
            transport_cc: egress.transport_cc,
            abs_send_time: time.abs_send_time,
        };
        let out = &mut spare[at..];
        consumer.header.write(out, &packet, &fields);
        let mut end = planned.header_bytes + packet.payload.len();
        write_payload(consumer, &mut out[planned.header_bytes..end], &packet, planned.out.shift);
        if padding > 0 {
            // RFC 3550 5.1: the last byte counts the padding, itself included.
            out[end..end + padding].fill(0);
            end += padding;
            out[end - 1] = padding as u8;
        }
        let bytes = egress.keys.seal_rtp(out, planned.header_bytes, end, (planned.out.sequence >> 16) as u32);
        at += bytes;
        egress.on_sent(time.now_us, &consumer.format, bytes);
        consumer.on_sent(time.now, planned.slot, planned.out, &packet);
        consumer.advance_to(planned.slot + 1);
    }
    egress.packets += plan.packets.len() as u64;
    egress.bytes += at as u64;
    at
}

/// Writes one retransmission (RFC 4588) and gives its length: only ever under the RTX SSRC, because sealing the
/// same SSRC and sequence number twice with different extensions would use a GCM nonce twice.
pub(crate) fn write_retransmission(
    consumer: &mut Consumer,
    ring: &Ring,
    egress: &mut Egress,
    time: SendTime,
    original: &Found,
    out: &mut [u8],
) -> Option<usize> {
    let (ssrc, payload_type) = consumer.format.rtx?;
    let packet = ring.packet(original.slot)?;
    let header_bytes = consumer.header.bytes(&packet);
    let end = header_bytes + 2 + packet.payload.len();
    if end + egress.keys.tag_bytes() > out.len() || !egress.admits_retransmission(time.now_us, end) {
        consumer.on_not_resent(original);
        return None;
    }
    let sequence = consumer.next_rtx_sequence();
    let fields = HeaderFields {
        ssrc,
        payload_type,
        sequence,
        timestamp: packet.info.timestamp.wrapping_add(original.shift.timestamp),
        padded: false,
        transport_cc: egress.transport_cc,
        abs_send_time: time.abs_send_time,
    };
    consumer.header.write(out, &packet, &fields);
    out[header_bytes..header_bytes + 2].copy_from_slice(&(original.sequence as u16).to_be_bytes());
    write_payload(consumer, &mut out[header_bytes + 2..end], &packet, original.shift);
    let bytes = egress.keys.seal_rtp(out, header_bytes, end, (sequence >> 16) as u32);
    egress.on_sent(time.now_us, &consumer.format, bytes);
    consumer.stats.retransmitted += 1;
    egress.packets += 1;
    egress.bytes += bytes as u64;
    Some(bytes)
}

fn write_payload(consumer: &Consumer, out: &mut [u8], packet: &StoredPacket<'_>, shift: Shift) {
    out.copy_from_slice(packet.payload);
    if shift.picture != PictureNumbers::default() {
        consumer.format.codec.shift_picture(out, shift.picture);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use protocol::ConsumerId;

    use super::*;
    use crate::codec::Codec;
    use crate::consumer::{Lost, Source};
    use crate::ice::Pair;
    use crate::keys::{ProducerKey, StreamKey, TransportKey};
    use crate::ring::PacketInfo;
    use crate::srtp::{Profile, Role, derive_keys};

    fn format(codec: Codec, rtx: Option<(u32, u8)>) -> ConsumerFormat {
        ConsumerFormat {
            codec,
            ssrc: 7,
            payload_type: 100,
            rtx,
            clock_rate: codec.clock_rate(),
            mid: None,
            transport_cc: false,
            abs_send_time: false,
            extensions: 0,
        }
    }

    /// A consumer that reads this ring from here on.
    fn consumer(format: ConsumerFormat, ring: &Ring) -> Consumer {
        let mut consumer = Consumer::new(ConsumerId(1), 1, TransportKey(0), ProducerKey(0), format, 1000, 0);
        consumer.resume();
        consumer.switch(Source { layer: 0, stream: StreamKey(0) }, ring, 0);
        consumer
    }

    fn egress() -> Egress {
        let material = [7; 2 * (32 + 12)];
        let (keys, _) = derive_keys(Profile::AeadAes256Gcm, &material, Role::Server).expect("keys");
        let path = Path::Pair(Pair { socket: 0, remote: ([127, 0, 0, 1], 1).into() });
        Egress { keys, path, transport_cc: 0, packets: 0, bytes: 0, blocked: false, bandwidth: None }
    }

    /// What leaves of packets of sound with these sequence numbers that came together: the numbers that it left with.
    fn sent(sequences: &[u64]) -> Vec<u16> {
        let mut ring = Ring::new(10_000, 256);
        let mut consumer = consumer(format(Codec::Opus, None), &ring);
        for &sequence in sequences {
            let info = PacketInfo { sequence, keyframe: true, ..PacketInfo::default() };
            ring.push(info, &[], &sequence.to_be_bytes()).expect("fits");
        }
        let mut egress = egress();
        let mut batch = SendBatch::default();
        let time = SendTime::new(Instant::now(), 0);
        assert_eq!(write_burst(&mut consumer, &ring, &mut egress, time, &mut batch), Burst::Done);
        let messages = batch.messages().iter();
        let datagrams = messages.flat_map(|message| batch.bytes(message).chunks(message.segment_bytes));
        datagrams.map(|bytes| u16::from_be_bytes([bytes[2], bytes[3]])).collect()
    }

    #[test]
    fn no_number_is_sealed_twice_however_far_packets_that_come_together_leap() {
        assert_eq!(sent(&[10, 11, 12]), [1000, 1001, 1002]);
        let leaps = sent(&[10, 11, 20_011, 20_012, 40_012, 60_012]);
        assert_eq!(leaps, [1000, 1001, 1002, 1003, 1004, 1005]);
        let back = sent(&[10, 20_010, 11, 20_011, 12]);
        assert_eq!(back.iter().collect::<HashSet<_>>().len(), back.len(), "{back:?}");
    }

    #[test]
    fn what_the_share_of_retransmissions_refuses_is_not_counted_and_may_be_asked_for_again_at_once() {
        let mut ring = Ring::new(100_000, 256);
        let mut consumer = consumer(format(Codec::Vp8, Some((8, 101))), &ring);
        for sequence in 0..40 {
            let info = PacketInfo { sequence, keyframe: sequence == 0, ..PacketInfo::default() };
            ring.push(info, &[], &[0; 1_200]).expect("fits");
        }
        let (mut egress, mut batch) = (egress(), SendBatch::default());
        let time = SendTime::new(Instant::now(), 0);
        write_burst(&mut consumer, &ring, &mut egress, time, &mut batch);
        egress.bandwidth = Some(Box::new(Bandwidth::new(0)));
        let mut again = |consumer: &mut Consumer, sequence, now_us| {
            let Lost::Again(found) = consumer.lost(sequence, now_us, 100, |_| Some(&ring)) else { return false };
            let time = SendTime { now_us, ..time };
            write_retransmission(consumer, &ring, &mut egress, time, &found, &mut [0; 1_300]).is_some()
        };
        let sent = (1000..1040).filter(|&sequence| again(&mut consumer, sequence, 0)).count();
        assert!((10..30).contains(&sent), "{sent}");
        assert_eq!(consumer.stats.retransmitted, sent as u64);
        assert!(!again(&mut consumer, 1000, 50_000), "it is on its way");
        assert!(again(&mut consumer, 1039, 50_000), "it never left");
    }
}
