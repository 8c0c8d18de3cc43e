//! What time brings: consent that ran out, DTLS timers, sender and receiver reports, NACKs, transport-wide
//! feedback.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use protocol::{MediaKind, ProducerId};

use super::speakers::LEVELS_INTERVAL;
use super::{Event, Worker};
use crate::bwe::next_tick;
use crate::keys::{StreamKey, TransportKey};
use crate::ortc::producer::ENCODINGS_MAX;
use crate::rtcp::{NtpTime, ReportBlock, RtcpWriter, SenderInfo};
use crate::transmit::DATAGRAM_BYTES_MAX;

/// Between two sender reports of a consumer, and two receiver reports to a publisher.
const REPORT_INTERVAL: Duration = Duration::from_millis(1000);
/// A consumer that sent nothing for this long reports nothing.
const SILENT_AFTER: Duration = Duration::from_secs(2);
/// Most report blocks in one packet (RFC 3550 6.4.1: a five-bit count).
const BLOCKS_MAX: usize = 31;
/// Sender reports that fit one datagram, each 28 B and as much for its canonical name.
const SENDER_REPORTS_MAX: usize = 20;

impl Worker {
    /// Does what is due. To be called at or after [`Worker::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        // What is due again at once waits for the next call, so that nothing keeps the worker here.
        for _ in 0..self.timers.len() {
            let Some((at, key)) = self.timers.pop_due(now) else { break };
            // A superseded deadline, or one of a transport that is gone.
            if self.transports.get(key.0).is_some_and(|transport| transport.timer == Some(at)) {
                self.transports[key.0].timer = None;
                self.handle_transport_timeout(now, key);
            }
        }
        if self.levels_at <= now {
            self.levels_at = now + LEVELS_INTERVAL;
            self.emit_levels(now);
            self.find_speakers(now);
            self.update_layers(now);
            self.go_on_telling();
        }
    }

    fn handle_transport_timeout(&mut self, now: Instant, key: TransportKey) {
        let transport = &mut self.transports[key.0];
        let id = transport.id;
        if let Some(client) = transport.client_mut() {
            if !client.ice.is_alive(now) {
                self.remove_transport(key);
                return self.emit(Event::TransportClosed { transport: id });
            }
            client.dtls.handle_timeout(now);
            self.poll_dtls(now, key);
            self.handle_data_timeout(now, key);
        }
        let Some(transport) = self.transports.get(key.0) else { return };
        if transport.reports_at <= now {
            // At a tick, so that the reports of many transports wake the worker together.
            let next = next_tick(self.clock.micros(now + REPORT_INTERVAL));
            self.transports[key.0].reports_at = self.clock.instant(next);
            self.send_sender_reports(now, key);
            self.send_receiver_report(now, key);
            self.look_at_consumers(now, key);
        }
        self.ask_for_what_is_lacking(now, key);
        self.send_transport_feedback(now, key);
        self.poll_bandwidth(now, key);
        let Some(transport) = self.transports.get(key.0) else { return };
        let at = transport.reports_at;
        self.schedule(key, at);
    }

    fn send_sender_reports(&mut self, now: Instant, key: TransportKey) {
        let at = self.clock.micros(now);
        let ntp = NtpTime::from_unix(self.clock.unix_time(at));
        let mut reports = ArrayVec::<(SenderInfo, CName), SENDER_REPORTS_MAX>::new();
        // SRTCP counts by the first SSRC of a datagram, and a pipe's consumers come and go without end.
        let first = self.transports[key.0].is_pipe().then(|| self.transports[key.0].rtcp_ssrc);
        for index in 0..self.transports[key.0].consumers.len() {
            let consumer = &self.consumers[self.transports[key.0].consumers[index].0];
            let sending = consumer.last_sent.is_some_and(|sent| now.saturating_duration_since(sent) < SILENT_AFTER);
            let (true, Some(rtp_timestamp)) = (sending, consumer.timestamp_at(at)) else { continue };
            let info = SenderInfo {
                ssrc: consumer.format.ssrc,
                ntp,
                rtp_timestamp,
                packets: consumer.stats.packets as u32,
                octets: consumer.stats.payload_bytes as u32,
            };
            let Some(producer) = self.producers.get(consumer.producer.0) else { continue };
            reports.push((info, CName::new(producer.id)));
            if reports.is_full() {
                self.send_rtcp(key, |writer| write_sender_reports(writer, first, &reports));
                reports.clear();
            }
        }
        if !reports.is_empty() {
            self.send_rtcp(key, |writer| write_sender_reports(writer, first, &reports));
        }
    }

    fn send_receiver_report(&mut self, now: Instant, key: TransportKey) {
        let sender = self.transports[key.0].rtcp_ssrc;
        let mut blocks = ArrayVec::<ReportBlock, BLOCKS_MAX>::new();
        for index in 0..self.transports[key.0].producers.len() {
            if blocks.remaining_capacity() < ENCODINGS_MAX {
                self.send_rtcp(key, |writer| writer.receiver_report(sender, &blocks));
                blocks.clear();
            }
            let producer = &self.producers[self.transports[key.0].producers[index].0];
            // In-band FEC starts only when the publisher hears of loss, wherever on the way to a listener it is.
            let listening = producer.consumers.iter().map(|key| &self.consumers[key.0]).filter(|c| !c.paused());
            let worst = listening.map(|consumer| consumer.reported.fraction_lost()).max();
            for stream in &producer.streams {
                let stream = &mut self.streams[stream.0];
                let Some(ssrc) = stream.ssrc else { continue };
                let worst = worst.filter(|_| stream.kind == MediaKind::Audio);
                if let Some(block) = stream.reception.report_block(now, ssrc, worst)
                    && !blocks.is_full()
                {
                    blocks.push(block);
                }
            }
        }
        if !blocks.is_empty() {
            self.send_rtcp(key, |writer| writer.receiver_report(sender, &blocks));
        }
    }

    /// Asks the peer for the packets and keyframes that its streams lack, as far as it is time.
    fn ask_for_what_is_lacking(&mut self, now: Instant, key: TransportKey) {
        let mut lacking = std::mem::take(&mut self.transports[key.0].lacking);
        lacking.retain(|&stream| {
            let next = [self.send_nack(now, key, stream), self.poll_keyframe_gate(now, stream)];
            let next = next.into_iter().flatten().min();
            if let Some(at) = next {
                self.schedule(key, at);
            }
            self.streams[stream.0].lacking = next.is_some();
            next.is_some()
        });
        self.transports[key.0].lacking = lacking;
    }

    /// Asks for the packets that a stream misses; when to come back.
    fn send_nack(&mut self, now: Instant, key: TransportKey, stream: StreamKey) -> Option<Instant> {
        let (rtt, sender) = (self.transports[key.0].rtt(), self.transports[key.0].rtcp_ssrc);
        let stream = &mut self.streams[stream.0];
        let (nack, ssrc) = (stream.nack.as_mut()?, stream.ssrc?);
        let mut lost = ArrayVec::new();
        nack.poll(now, Some(rtt), &mut lost);
        let again = nack.next_timeout();
        if !lost.is_empty() {
            self.stats.nacks_out += lost.len() as u64;
            stream.nacks_sent += lost.len() as u64;
            self.send_rtcp(key, |writer| writer.nack(sender, ssrc, &lost) > 0);
        }
        again
    }

    fn send_transport_feedback(&mut self, now: Instant, key: TransportKey) {
        let transport = &mut self.transports[key.0];
        let (sender, media) = (transport.rtcp_ssrc, transport.arrivals_ssrc);
        let Some(mut arrivals) = transport.arrivals.take() else { return };
        while self.send_rtcp(key, |writer| arrivals.poll_feedback(now, sender, media, writer)) {}
        if let Some(at) = arrivals.next_timeout() {
            self.schedule(key, at);
        }
        self.transports[key.0].arrivals = Some(arrivals);
    }

    /// Writes, seals and queues one compound packet; false when there was nothing to write, or the transport is
    /// not connected yet.
    pub(super) fn send_rtcp(&mut self, key: TransportKey, write: impl FnOnce(&mut RtcpWriter<'_>) -> bool) -> bool {
        let Some(egress) = &mut self.transports[key.0].egress else { return false };
        let room = DATAGRAM_BYTES_MAX - egress.keys.rtcp_trailer_bytes();
        let mut writer = RtcpWriter::new(&mut self.scratch[..room]);
        if !write(&mut writer) {
            return false;
        }
        let end = writer.len();
        if let Ok(bytes) = egress.keys.seal_rtcp(&mut self.scratch[..], end) {
            self.control.push(egress.path, &self.scratch[..bytes]);
        }
        true
    }
}

fn write_sender_reports(writer: &mut RtcpWriter<'_>, first: Option<u32>, reports: &[(SenderInfo, CName)]) -> bool {
    first.is_none_or(|ssrc| writer.receiver_report(ssrc, &[]))
        && reports.iter().all(|(info, cname)| writer.sender_report(info, &[]) && writer.sdes(info.ssrc, cname.as_str()))
}

/// The canonical name of a consumer's stream: the participant, so that all that one person sends is one.
struct CName(ArrayVec<u8, 16>);

impl CName {
    fn new(producer: ProducerId) -> Self {
        let digits = (0..16).rev().map(|n| b"0123456789abcdef"[(producer.participant.0 >> (4 * n) & 15) as usize]);
        Self(digits.collect())
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
