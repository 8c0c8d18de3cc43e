//! RTCP from clients: what publishers say of their streams, and receivers of theirs.

use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::Worker;
use super::fan_out::Retransmission;
use crate::consumer::Lost;
use crate::keys::{ConsumerKey, TransportKey};
use crate::rtcp::{NtpTime, ReportBlock, RtcpPacket, packets};
use crate::transport::Incoming;

/// Retransmissions that may wait for one consumer: one receiver with a bad network must not hold up the rest.
const RETRANSMISSIONS_MAX: u16 = 128;
/// Packet numbers of one NACK that are looked at; a client that asks for more gets the rest when it asks again.
const NACKS_MAX: usize = 512;
/// Packets of which transport-wide feedback in one datagram may tell: four times what is remembered. A few bytes can
/// name 65,535.
const STATUSES_MAX: u16 = 4096;
/// Least time between two retransmissions of a packet, in ms: a receiver names its round trip itself.
const RESEND_MS_MIN: u128 = 20;
/// The longest round trip that is believed.
const RTT_MAX: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn handle_rtcp(&mut self, now: Instant, key: TransportKey, compound: &[u8]) {
        let mut statuses_left = STATUSES_MAX;
        for packet in packets(compound) {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    let now_us = self.clock.micros(now);
                    let transport = &mut self.transports[key.0];
                    let sent = report.info.ntp.to_unix().as_micros() as i64;
                    if let Some(&Incoming { stream, is_rtx: false }) = transport.incoming.get(&report.info.ssrc) {
                        let stream = &mut self.streams[stream.0];
                        transport.sender_clock.on_report(now_us, sent);
                        stream.media_clock.on_report(report.info.rtp_timestamp, sent);
                        stream.reception.on_sender_report(now, report.info.ntp);
                    }
                    report.blocks.for_each(|block| self.handle_report(now, key, &block));
                }
                RtcpPacket::ReceiverReport(report) => {
                    report.blocks.for_each(|block| self.handle_report(now, key, &block));
                }
                RtcpPacket::Nack(nack) => {
                    if let Some(&consumer) = self.transports[key.0].consumer_ssrcs.get(&nack.media_ssrc) {
                        self.handle_nack(now, key, consumer, nack.sequences());
                    }
                }
                RtcpPacket::Pli(pli) => self.handle_keyframe_request(now, key, pli.media_ssrc),
                RtcpPacket::Fir(fir) => {
                    for entry in fir.entries() {
                        self.handle_keyframe_request(now, key, entry.ssrc);
                    }
                }
                RtcpPacket::TransportCc(feedback) => {
                    let Some(left) = statuses_left.checked_sub(feedback.status_count) else { continue };
                    statuses_left = left;
                    let now_us = self.clock.micros(now);
                    if let Some(bandwidth) = self.bandwidth_mut(key) {
                        bandwidth.estimator.on_feedback(now_us, &feedback);
                        self.share_again(now, key);
                    }
                }
                RtcpPacket::Remb(remb) => {
                    let now_us = self.clock.micros(now);
                    let is_video = |key: &ConsumerKey| self.consumers[key.0].format.codec.kind() == MediaKind::Video;
                    if self.transports[key.0].consumers.iter().any(is_video) {
                        // It may be all that this client tells of its path.
                        self.watch_bandwidth(now, key);
                    }
                    if let Some(bandwidth) = self.bandwidth_mut(key) {
                        bandwidth.estimator.on_remb(now_us, remb.bitrate);
                        self.share_again(now, key);
                    }
                }
                RtcpPacket::Sdes(_) | RtcpPacket::Bye(_) | RtcpPacket::Xr(_) => {}
            }
        }
    }

    fn handle_report(&mut self, now: Instant, key: TransportKey, block: &ReportBlock) {
        let ntp = NtpTime::from_unix(self.clock.unix_time(self.clock.micros(now)));
        let transport = &mut self.transports[key.0];
        let Some(consumer) = transport.consumer_ssrcs.get(&block.ssrc) else { return };
        self.consumers[consumer.0].on_report(block);
        if let Some(rtt) = block.round_trip_time(ntp) {
            transport.round_trip = Some(rtt.min(RTT_MAX));
        }
        let now_us = self.clock.micros(now);
        if let Some(bandwidth) = self.bandwidth_mut(key) {
            bandwidth.estimator.on_receiver_report_loss(now_us, block.fraction_lost);
        }
    }

    fn handle_nack(
        &mut self,
        now: Instant,
        key: TransportKey,
        consumer_key: ConsumerKey,
        sequences: impl Iterator<Item = u16>,
    ) {
        let rtt_ms = self.transports[key.0].rtt().as_millis().max(RESEND_MS_MIN) as u16;
        let now_us = self.clock.micros(now);
        let mut too_late = false;
        let consumer = &mut self.consumers[consumer_key.0];
        let layers = &self.producers[consumer.producer.0].streams;
        let ring_of = |layer: u8| Some(&self.streams[layers.get(usize::from(layer))?.0].ring);
        for sequence in sequences.take(NACKS_MAX) {
            self.stats.nacks_in += 1;
            consumer.stats.nacks += 1;
            if consumer.retransmissions >= RETRANSMISSIONS_MAX || !self.fan_out.takes_retransmissions() {
                break;
            }
            match consumer.lost(sequence, now_us, rtt_ms, ring_of) {
                Lost::Again(original) => {
                    consumer.retransmissions += 1;
                    self.fan_out.retransmit(Retransmission { consumer: consumer_key, original });
                }
                Lost::Settled => {}
                Lost::TooLate => too_late = true,
            }
        }
        if too_late {
            // The receiver will ask for a keyframe too, but only once it gives up on what it lacks.
            self.request_keyframes(now, consumer_key);
        }
    }

    /// Asks for a keyframe of what a consumer reads, and of what it is to go over to.
    fn request_keyframes(&mut self, now: Instant, key: ConsumerKey) {
        let consumer = &self.consumers[key.0];
        if consumer.paused() {
            return;
        }
        for source in [consumer.source, consumer.next_source].into_iter().flatten() {
            self.request_keyframe(now, source.stream);
        }
    }

    fn handle_keyframe_request(&mut self, now: Instant, key: TransportKey, ssrc: u32) {
        let Some(&key) = self.transports[key.0].consumer_ssrcs.get(&ssrc) else { return };
        self.stats.keyframe_requests_in += 1;
        self.consumers[key.0].stats.keyframe_requests += 1;
        self.request_keyframes(now, key);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use protocol::rtp::RtpParameters;
    use protocol::{ConsumerId, ParticipantId, ProducerId, Source, TransportId};
    use serde_json::json;

    use super::*;
    use crate::dtls::Identity;
    use crate::ortc::router_capabilities;
    use crate::rtcp::RtcpWriter;
    use crate::rtp::Extension;
    use crate::srtp::{Profile, Role, derive_keys};
    use crate::worker::paths::egress;
    use crate::worker::{ListenAddr, RouterId, WorkerConfig};

    const ROUTER: RouterId = RouterId(1);

    /// A connected transport that receives somebody's microphone or camera; its client tells by REMB or by
    /// transport-wide feedback what arrives.
    fn receiver(now: Instant, source: Source, by_remb: bool) -> (Worker, TransportKey) {
        let local = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut worker = Worker::new(
            WorkerConfig {
                listen: vec![ListenAddr { local, announced: Vec::new() }],
                identity: Identity::generate().expect("a certificate"),
                seed: [1; 32],
                unix_time: Duration::ZERO,
            },
            now,
        );
        worker.create_router(ROUTER).expect("a new router");
        for id in [0, 1] {
            worker.create_transport(now, ROUTER, TransportId(id)).expect("a new transport");
        }
        let codec = match source.kind() {
            MediaKind::Audio => {
                json!({ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2 })
            }
            MediaKind::Video => json!({ "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000 }),
        };
        let parameters = json!({ "codecs": [codec], "encodings": [{ "ssrc": 1000 }] });
        let parameters: RtpParameters = serde_json::from_value(parameters).expect("parameters");
        let producer = ProducerId { participant: ParticipantId(1), source };
        worker.produce(now, TransportId(0), producer, source.kind(), &parameters, false).expect("a producer");
        let mut capabilities = router_capabilities();
        let told_by = |uri: &str| !by_remb || uri != Extension::TransportCc.uri();
        capabilities.header_extensions.retain(|extension| told_by(&extension.uri));
        worker.consume(TransportId(1), ConsumerId(1), producer, &capabilities).expect("a consumer");

        let key = worker.transport_ids[&TransportId(1)];
        let (keys, _) = derive_keys(Profile::AeadAes256Gcm, &[7; 88], Role::Server).expect("keys");
        worker.transports[key.0].egress = Some(egress(keys, None));
        worker.resume_consumer(now, ConsumerId(1)).expect("it is there");
        (worker, key)
    }

    /// Feedback that says of so many packets that none arrived.
    fn nothing_arrived(packets: u16) -> Vec<u8> {
        let [high, low] = packets.to_be_bytes();
        vec![0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, high, low, 0, 0, 0, 0, high, low, 0, 0]
    }

    /// The estimate after a REMB of 512 kbit/s.
    fn after_remb(source: Source) -> Option<u64> {
        let now = Instant::now();
        let (mut worker, key) = receiver(now, source, true);
        assert!(worker.bandwidth_mut(key).is_none());
        let mut buffer = [0; 64];
        let mut writer = RtcpWriter::new(&mut buffer);
        assert!(writer.remb(1, 512_000, &[7]));
        worker.handle_rtcp(now, key, writer.bytes());
        worker.bandwidth_mut(key).map(|bandwidth| bandwidth.estimator.estimate())
    }

    #[test]
    fn feedback_on_more_packets_than_could_be_remembered_is_left_unread() {
        let now = Instant::now();
        let (mut worker, key) = receiver(now, Source::Camera, false);
        let mut looked_at = |compound: &[u8]| {
            let unknown = |worker: &mut Worker| worker.bandwidth_mut(key).expect("video").estimator.stats().unknown;
            let before = unknown(&mut worker);
            worker.handle_rtcp(now, key, compound);
            unknown(&mut worker) - before
        };
        assert_eq!(looked_at(&nothing_arrived(4_096)), 4_096);
        assert_eq!(looked_at(&nothing_arrived(4_097)), 0);
        assert_eq!(looked_at(&nothing_arrived(3_000).repeat(40)), 3_000, "of one datagram");
        assert_eq!(looked_at(&nothing_arrived(3_000)), 3_000);
    }

    #[test]
    fn a_client_that_has_nothing_but_remb_is_estimated_by_it() {
        assert_eq!(after_remb(Source::Camera), Some(512_000));
        assert_eq!(after_remb(Source::Mic), None, "sound has no choice of layers");
    }
}
