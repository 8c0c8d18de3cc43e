//! Datagrams in: told apart by their first byte (RFC 7983), given to the transport that owns the address pair. What
//! comes over a lane is given to the pipe there, whose packets are plain: no datagram is ever looked up among lanes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::paths::egress;
use super::{Event, Worker};
use crate::dtls::DtlsOutput;
use crate::ice::{BindingRequest, PacketKind, Pair, classify};
use crate::keys::{StreamKey, TransportKey};
use crate::nack::Received;
use crate::rtcp::RtcpWriter;
use crate::rtp::{Extension, RtpHeader, parse_transport_sequence};
use crate::srtp::{OpenError, OpenedRtp};
use crate::stream::{Arrived, Stored};
use crate::transmit::{Lane, Path, SocketIndex};
use crate::transport::{Incoming, Peer};
use crate::twcc::Arrivals;

/// A handshake that took longer than this lost a datagram; it says no more of the round trip.
const HANDSHAKE_RTT_MAX: Duration = Duration::from_millis(300);
/// A stream that goes on after a silence this long is asked at once for the keyframe that somebody waits for.
const WOKE_AFTER: Duration = Duration::from_millis(500);

impl Worker {
    /// Takes in one datagram, which is decrypted in place. Nothing that it holds can do more than close the
    /// transport of a peer that proved its keys.
    pub fn handle_datagram(&mut self, now: Instant, socket: SocketIndex, remote: SocketAddr, datagram: &mut [u8]) {
        self.stats.datagrams_in += 1;
        self.stats.bytes_in += datagram.len() as u64;
        let kind = classify(datagram);
        if kind == Some(PacketKind::Stun) {
            return self.handle_stun(now, socket, remote, datagram);
        }
        // DTLS, SRTP and SRTCP count only from where a STUN check with our password came from
        // (CVE-2023-49786, CVE-2025-53399).
        let Some(&key) = self.pairs.get(&Pair { socket, remote }) else {
            self.stats.unknown_dropped += 1;
            return;
        };
        match kind {
            Some(PacketKind::Dtls) => {
                let transport = &mut self.transports[key.0];
                transport.handshake_began.get_or_insert(now);
                if let Some(client) = transport.client_mut() {
                    client.dtls.handle_packet(now, datagram);
                    self.poll_dtls(now, key);
                }
            }
            Some(PacketKind::Rtp) => self.handle_rtp(now, key, datagram),
            Some(PacketKind::Rtcp) => self.handle_srtcp(now, key, datagram),
            Some(PacketKind::Stun) | None => self.stats.unknown_dropped += 1,
        }
    }

    /// Takes in one packet of the worker at the other end of a lane.
    pub fn handle_lane(&mut self, now: Instant, lane: Lane, packet: &mut [u8]) {
        let Some(&key) = self.lanes.get(&lane) else {
            self.stats.unknown_dropped += 1;
            return;
        };
        match classify(packet) {
            Some(PacketKind::Rtp) => self.handle_rtp(now, key, packet),
            Some(PacketKind::Rtcp) => self.handle_srtcp(now, key, packet),
            Some(PacketKind::Stun | PacketKind::Dtls) | None => self.stats.unknown_dropped += 1,
        }
    }

    fn handle_stun(&mut self, now: Instant, socket: SocketIndex, remote: SocketAddr, datagram: &[u8]) {
        let answered = self.answer_stun(now, socket, remote, datagram);
        let count = if answered.is_some() { &mut self.stats.stun_answered } else { &mut self.stats.stun_dropped };
        *count += 1;
    }

    fn answer_stun(&mut self, now: Instant, socket: SocketIndex, remote: SocketAddr, datagram: &[u8]) -> Option<()> {
        let pair = Pair { socket, remote };
        if self.pairs.get(&pair).is_some_and(|key| self.transports[key.0].is_pipe()) {
            // Whoever forges a worker's address must not get its pipe, which no check would bring back.
            return None;
        }
        let request = BindingRequest::parse(datagram).ok()?;
        let key = *self.ufrags.get(request.local_ufrag())?;
        let client = self.transports.get_mut(key.0)?.client_mut()?;
        let outcome = client.ice.handle_binding(now, socket, remote, &request, &mut self.scratch[..]).ok()?;
        self.control.push(Path::Pair(pair), &self.scratch[..outcome.reply_bytes]);
        if let Some(pair) = outcome.evicted
            && self.pairs.get(&pair) == Some(&key)
        {
            self.pairs.remove(&pair);
        }
        if client.ice.is_valid(pair) {
            // A NAT may have given this address to another client meanwhile; the newest proof counts, at every check:
            // who claimed another's address by a forged source loses it again with that one's next check.
            self.pairs.insert(pair, key);
        }
        if let Some(ufrag) = outcome.retired_ufrag {
            self.ufrags.remove(&ufrag);
        }
        if outcome.selected.is_some() {
            self.use_selected_pair(key);
            let now_us = self.clock.micros(now);
            if let Some(bandwidth) = self.bandwidth_mut(key) {
                bandwidth.estimator.on_new_path(now_us);
            }
        }
        Some(())
    }

    /// Carries out what DTLS has to say.
    pub(super) fn poll_dtls(&mut self, now: Instant, key: TransportKey) {
        loop {
            let transport = &mut self.transports[key.0];
            let Some(client) = transport.client_mut() else { return };
            match client.dtls.poll(now, &mut self.scratch[..]) {
                DtlsOutput::Packet(bytes) => {
                    if let Some(pair) = client.ice.selected() {
                        self.control.push(Path::Pair(pair), &self.scratch[..bytes]);
                    }
                }
                DtlsOutput::Connected { seal, open } => {
                    transport.open = Some(open);
                    // From the client's hello to its answer to ours. Who only publishes reports no other.
                    let handshake = transport.handshake_began.map(|at| now.saturating_duration_since(at));
                    transport.round_trip = transport.round_trip.or(handshake.map(|took| took.min(HANDSHAKE_RTT_MAX)));
                    transport.egress = Some(egress(seal, transport.path()));
                    let id = transport.id;
                    // What was resumed before the path was there starts now.
                    let producers = transport.producers.iter();
                    let published: Vec<_> = producers.flat_map(|key| self.producers[key.0].streams.clone()).collect();
                    for key in transport.consumers.clone() {
                        self.start_consumer(now, key);
                    }
                    // And what was asked for before there was a way to ask.
                    for stream in published {
                        self.poll_keyframe_gate(now, stream);
                    }
                    self.emit(Event::TransportConnected { transport: id });
                }
                DtlsOutput::Data(bytes) => self.handle_sctp(now, key, bytes),
                DtlsOutput::Closed => {
                    let id = transport.id;
                    self.remove_transport(key);
                    return self.emit(Event::TransportClosed { transport: id });
                }
                DtlsOutput::Timeout(at) => return self.schedule(key, at),
                DtlsOutput::Idle => return,
            }
        }
    }

    fn handle_rtp(&mut self, now: Instant, key: TransportKey, datagram: &mut [u8]) {
        let transport = &mut self.transports[key.0];
        transport.on_received(datagram.len());
        let Some(open) = transport.open.as_mut() else {
            self.stats.unknown_dropped += 1;
            return;
        };
        if matches!(transport.peer, Peer::Pipe(_)) {
            // Streams come and go as long as it is there; of one that ended no packet may be opened again.
            let ssrc = datagram.get(8..).and_then(|rest| rest.first_chunk::<4>()).map(|ssrc| u32::from_be_bytes(*ssrc));
            if ssrc.is_none_or(|ssrc| !transport.incoming.contains_key(&ssrc)) {
                self.stats.rtp_unannounced += 1;
                return;
            }
        }
        let opened = match open.open_rtp(datagram) {
            Ok(opened) => opened,
            Err(OpenError::Replayed | OpenError::TooOld) => {
                self.stats.srtp_replayed += 1;
                return;
            }
            Err(_) => {
                self.stats.srtp_failed += 1;
                return;
            }
        };
        let packet = &datagram[..opened.payload_end];
        let Some(header) = RtpHeader::parse(packet) else { return };
        let known = transport.incoming.get(&header.ssrc).copied();
        let Some(incoming) = known.or_else(|| self.bind_by_rid(now, key, &header, packet)) else {
            self.stats.rtp_unannounced += 1;
            // Media comes before its `produce` call is through. It must not be reported as lost to the estimator of
            // what is published already; ids are the same in all of a bundle.
            let producers = &self.transports[key.0].producers;
            let mut mappings = producers.iter().map(|producer| &self.producers[producer.0].mapping);
            let id = mappings.find_map(|mapping| mapping.extensions.id(Extension::TransportCc));
            return self.note_arrival(now, key, id, &header, packet);
        };
        self.handle_media(now, key, incoming, &header, &opened, packet);
    }

    /// Notes the transport-wide number of a packet, if it has the extension `id`.
    fn note_arrival(&mut self, now: Instant, key: TransportKey, id: Option<u8>, header: &RtpHeader, packet: &[u8]) {
        let Some(id) = id else { return };
        let element = header.extensions(packet).find(|element| element.0 == id);
        let Some(sequence) = element.and_then(|element| parse_transport_sequence(element.1)) else { return };
        let transport = &mut self.transports[key.0];
        let arrivals = transport.arrivals.get_or_insert_with(|| Box::new(Arrivals::new(now)));
        arrivals.on_packet(now, sequence);
        transport.arrivals_ssrc = header.ssrc;
        if let Some(at) = arrivals.next_timeout() {
            transport.timer = Some(self.timers.set(key, transport.timer, at));
        }
    }

    fn handle_media(
        &mut self,
        now: Instant,
        key: TransportKey,
        incoming: Incoming,
        header: &RtpHeader,
        opened: &OpenedRtp,
        packet: &[u8],
    ) {
        let producer_key = self.streams[incoming.stream.0].producer;
        let transport_cc = self.producers[producer_key.0].mapping.extensions.id(Extension::TransportCc);
        self.note_arrival(now, key, transport_cc, header, packet);

        let transport = &mut self.transports[key.0];
        let stream = &mut self.streams[incoming.stream.0];
        let producer = &mut self.producers[producer_key.0];
        let mapping = &producer.mapping;
        let extensions = &mapping.extensions;
        let mut payload = &packet[opened.header_bytes..];
        let expected = if incoming.is_rtx { mapping.rtx_payload_type } else { Some(mapping.payload_type) };
        if expected != Some(header.payload_type) {
            self.stats.rtp_unannounced += 1;
            return;
        }
        let now_us = self.clock.micros(now);
        let sequence = if incoming.is_rtx {
            // RFC 4588: the original's sequence number comes first. Padding in front of media has none.
            let Some((original, rest)) = payload.split_first_chunk::<2>() else { return };
            if header.padding_bytes(rest).is_none_or(|padding| padding >= rest.len()) {
                return;
            }
            payload = rest;
            let Some(sequence) = stream.sequence.extend(u16::from_be_bytes(*original)) else { return };
            sequence
        } else {
            stream.reception.on_packet(now, opened.ext_seq, header.timestamp);
            opened.ext_seq
        };
        if producer.paused {
            if !incoming.is_rtx {
                // What is sent again after the pause is numbered from the newest, however long the pause was.
                stream.sequence.insert(sequence);
            }
            return;
        }
        let arrived = Arrived { now, now_us, sequence, header, packet, payload };
        let stored = stream.store(&arrived, extensions, &transport.sender_clock);
        let (keyframe, level) = match stored {
            Stored::Packet { keyframe, level } => (keyframe, level),
            Stored::Duplicate => {
                self.stats.rtp_duplicate += 1;
                return;
            }
            Stored::Padding => (false, None),
            Stored::Unusable => return,
        };
        self.stats.rtp_in += 1;
        self.stats.rtp_recovered += u64::from(incoming.is_rtx);
        if let Some(level) = level {
            producer.level = producer.level.max(level);
            if let Some(speech) = &mut producer.speech {
                speech.on_level(now_us, level);
            }
        }
        let mut lost_for_good = false;
        if let Some(nack) = &mut stream.nack {
            match nack.on_packet(now, sequence, incoming.is_rtx) {
                Received::Normal => {}
                Received::Repaired => stream.reception.on_repaired(),
                Received::KeyframeNeeded => lost_for_good = true,
            }
            if keyframe {
                nack.on_keyframe(sequence);
            }
            if let Some(at) = nack.next_timeout() {
                transport.timer = Some(self.timers.set(key, transport.timer, at));
                transport.look_at(incoming.stream, &mut stream.lacking);
            }
        }
        let last = stream.last_packet.replace(now);
        let woke = last.is_some_and(|at| now.saturating_duration_since(at) >= WOKE_AFTER);
        // The publisher was away: what went missing meanwhile comes too late, if at all.
        lost_for_good |= woke && stream.nack.as_ref().is_some_and(|nack| nack.next_timeout().is_some());
        // Padding is of no use to anybody.
        let appeared = stored != Stored::Padding && !std::mem::replace(&mut stream.active, true);
        let complete = header.marker || incoming.is_rtx || self.streams[incoming.stream.0].kind == MediaKind::Audio;
        self.queue_frame(now_us, incoming.stream, complete);
        if appeared {
            let producer_key = self.succeed(now, producer_key);
            self.choose_layers(now, producer_key);
        }
        if woke {
            // What it was asked for in vain is asked for again.
            self.poll_keyframe_gate(now, incoming.stream);
        }
        if lost_for_good {
            self.request_keyframe(now, incoming.stream);
        }
    }

    /// Finds the stream of an SSRC that was not announced by its mid and rid (RFC 8852), and remembers it.
    fn bind_by_rid(&mut self, now: Instant, key: TransportKey, header: &RtpHeader, packet: &[u8]) -> Option<Incoming> {
        let transport = &mut self.transports[key.0];
        for producer in &transport.producers {
            let producer = &self.producers[producer.0];
            let value = |extension: Extension| {
                let id = producer.mapping.extensions.id(extension)?;
                let element = header.extensions(packet).find(|element| element.0 == id)?;
                std::str::from_utf8(element.1).ok()
            };
            if value(Extension::Mid).is_none_or(|mid| Some(mid) != producer.mapping.mid.as_deref()) {
                continue;
            }
            let is_rtx = value(Extension::RepairedRid).is_some();
            let Some(rid) = value(Extension::RepairedRid).or_else(|| value(Extension::Rid)) else { continue };
            let named = |key: &&StreamKey| self.streams[key.0].rid.as_deref() == Some(rid);
            let Some(&stream) = producer.streams.iter().find(named) else { continue };
            if !is_rtx {
                let ssrc = &mut self.streams[stream.0].ssrc;
                if ssrc.is_some() {
                    // As in mediasoup: another stream under the same name would mix its numbers with the first's.
                    return None;
                }
                *ssrc = Some(header.ssrc);
            }
            let incoming = Incoming { stream, is_rtx };
            transport.incoming.insert(header.ssrc, incoming);
            if !is_rtx {
                self.poll_keyframe_gate(now, stream);
            }
            return Some(incoming);
        }
        None
    }

    fn handle_srtcp(&mut self, now: Instant, key: TransportKey, datagram: &mut [u8]) {
        let transport = &mut self.transports[key.0];
        transport.on_received(datagram.len());
        let Some(open) = transport.open.as_mut() else {
            self.stats.unknown_dropped += 1;
            return;
        };
        match open.open_rtcp(datagram) {
            Ok(bytes) => self.handle_rtcp(now, key, &datagram[..bytes]),
            Err(OpenError::Replayed | OpenError::TooOld) => self.stats.srtp_replayed += 1,
            Err(_) => self.stats.srtp_failed += 1,
        }
    }

    /// Asks the publisher of a stream for a keyframe, as soon as its gate allows.
    pub(super) fn request_keyframe(&mut self, now: Instant, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key.0).filter(|stream| stream.kind == MediaKind::Video) else { return };
        let active = stream.active;
        let Some(producer) = self.producers.get(stream.producer.0).filter(|producer| !producer.paused) else {
            // Whoever waits is served when it goes on.
            return;
        };
        if !active && producer.streams.iter().any(|other| self.streams[other.0].active) {
            // A layer that is switched off has no keyframe, and asking for one makes some encoders send one of each.
            return;
        }
        let stream = &mut self.streams[key.0];
        stream.gate.request(now);
        self.poll_keyframe_gate(now, key);
    }

    /// Sends the stream's keyframe request if it is due, and comes back when it will be: tells when.
    pub(super) fn poll_keyframe_gate(&mut self, now: Instant, key: StreamKey) -> Option<Instant> {
        let stream = self.streams.get_mut(key.0)?;
        let transport_key = stream.transport;
        let transport = self.transports.get(transport_key.0)?;
        let (rtt, sender) = (transport.rtt(), transport.rtcp_ssrc);
        let (Some(_), Some(ssrc)) = (&transport.egress, stream.ssrc) else {
            // Asked again as soon as both are there.
            return None;
        };
        if stream.gate.poll(now, rtt) {
            self.stats.keyframe_requests_out += 1;
            stream.keyframe_requests_sent += 1;
            self.send_rtcp(transport_key, |writer: &mut RtcpWriter<'_>| writer.pli(sender, ssrc));
        }
        let again = self.streams[key.0].gate.poll_timeout(rtt)?;
        self.look_at(key, again);
        Some(again)
    }

    /// Has the timer of a stream's transport look at it, no later than `at`.
    pub(super) fn look_at(&mut self, key: StreamKey, at: Instant) {
        let Some(stream) = self.streams.get_mut(key.0) else { return };
        let transport_key = stream.transport;
        if let Some(transport) = self.transports.get_mut(transport_key.0) {
            transport.look_at(key, &mut stream.lacking);
            self.schedule(transport_key, at);
        }
    }
}
