//! What the worker knows of its transports, producers and consumers.
//!
//! Everything is asked for in parts, of one transport or of a few at a time, so that no question holds up the media.

use std::time::{Duration, Instant};

use protocol::stats::{ConsumerStats, ProducerStats, StreamStats, TransportStats};
use protocol::transport::IceProtocol;
use protocol::{MediaKind, TransportId};

use super::{EVENTS_MAX, Event, NotFound, Worker};
use crate::keys::{ConsumerKey, ProducerKey, StreamKey, TransportKey};
use crate::score::BEST;
use crate::transmit::Path;

/// Transports that one call of [`Worker::survey`] looks at.
const SURVEYED: usize = 256;
/// Video of which nothing came for this long has the score 0.
const SILENT_AFTER: Duration = Duration::from_secs(2);

/// The least of each bucket of [`Survey::round_trips`], in ms.
pub const ROUND_TRIP_MS: [u64; 8] = [0, 10, 25, 50, 100, 200, 400, 800];
/// The least of each bucket of [`Survey::estimates`], in kbit/s.
pub const ESTIMATE_KBPS: [u64; 8] = [0, 100, 300, 600, 1_200, 2_500, 5_000, 10_000];

/// How all that a worker carries is doing, in counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Incoming streams of sources that are not muted by score, audio first, then video.
    pub streams: [[usize; BEST as usize + 1]; 2],
    /// Consumers that are not paused by score, audio first, then video.
    pub consumers: [[usize; BEST as usize + 1]; 2],
    /// Transports by their round trip, where it is known.
    pub round_trips: [usize; ROUND_TRIP_MS.len()],
    /// Transports by what their path is thought to carry, where it is known.
    pub estimates: [usize; ESTIMATE_KBPS.len()],
}

impl Worker {
    /// One transport and everything on it.
    pub fn transport_stats(&self, now: Instant, id: TransportId) -> Result<TransportStats, NotFound> {
        let key = *self.transport_ids.get(&id).ok_or(NotFound)?;
        let transport = &self.transports[key.0];
        let egress = transport.egress.as_ref();
        Ok(TransportStats {
            transport_id: id,
            connected: egress.is_some(),
            protocol: transport.path().and_then(|path| self.protocol_of(path)),
            packets_received: transport.packets_received,
            bytes_received: transport.bytes_received,
            packets_sent: egress.map_or(0, |egress| egress.packets),
            bytes_sent: egress.map_or(0, |egress| egress.bytes),
            round_trip_time: transport.round_trip.map(as_ms),
            available_outgoing_bitrate: self.estimate(key),
            producers: transport.producers.iter().map(|&key| self.producer_stats(now, key)).collect(),
            consumers: transport.consumers.iter().map(|&key| self.consumer_stats(now, key)).collect(),
        })
    }

    /// Adds some of the transports to a survey, beginning at the place that the last call gave, or at 0. Gives where
    /// to go on, or `None` after the last; what comes and goes between the calls may be missed.
    pub fn survey(&self, now: Instant, from: usize, survey: &mut Survey) -> Option<usize> {
        let end = from.saturating_add(SURVEYED);
        for place in from..end.min(self.transports.capacity()) {
            if let Some(transport) = self.transports.get(place) {
                if let Some(rtt) = transport.round_trip {
                    survey.round_trips[bucket(&ROUND_TRIP_MS, rtt.as_millis() as u64)] += 1;
                }
                if let Some(bps) = self.estimate(TransportKey(place)) {
                    survey.estimates[bucket(&ESTIMATE_KBPS, bps / 1_000)] += 1;
                }
                let muted = |key: &&ProducerKey| self.producers[key.0].paused;
                for producer in transport.producers.iter().filter(|key| !muted(key)) {
                    let producer = &self.producers[producer.0];
                    // Another worker sends what is wanted here.
                    let wanted = producer.layers_piped.map_or(usize::MAX, usize::from);
                    let coming = producer.streams.iter().take(wanted).filter(|key| self.streams[key.0].ssrc.is_some());
                    for &stream in coming {
                        survey.streams[place_of(producer.kind)][usize::from(self.stream_score(now, stream))] += 1;
                    }
                }
                let flowing = transport.consumers.iter().map(|key| &self.consumers[key.0]).filter(|c| !c.paused());
                for consumer in flowing {
                    let kind = consumer.format.codec.kind();
                    survey.consumers[place_of(kind)][usize::from(consumer.reported.score())] += 1;
                }
            }
        }
        (end < self.transports.capacity()).then_some(end)
    }

    /// Looks at the consumers of a transport, and tells of each whose score, or whose source's, is another than before.
    pub(super) fn look_at_consumers(&mut self, now: Instant, key: TransportKey) {
        for index in 0..self.transports[key.0].consumers.len() {
            let consumer_key = self.transports[key.0].consumers[index];
            let scores = (self.consumers[consumer_key.0].reported.score(), self.producer_score(now, consumer_key));
            let consumer = &mut self.consumers[consumer_key.0];
            consumer.rate.look(now, consumer.stats.packets, consumer.stats.payload_bytes);
            if !consumer.paused()
                && consumer.only_layer.is_none()
                && consumer.scores_told != scores
                && self.events.len() < EVENTS_MAX
            {
                consumer.scores_told = scores;
                self.tell_scores(consumer_key);
            }
        }
    }

    pub(super) fn tell_scores(&mut self, key: ConsumerKey) {
        let consumer = &self.consumers[key.0];
        let (score, producer_score) = consumer.scores_told;
        let (transport, consumer) = (self.transports[consumer.transport.0].id, consumer.id);
        self.emit(Event::ConsumerScore { transport, consumer, score, producer_score });
    }

    fn producer_stats(&self, now: Instant, key: ProducerKey) -> ProducerStats {
        let producer = &self.producers[key.0];
        let streams: Vec<_> = producer.streams.iter().map(|&stream| self.stream_stats(now, stream)).collect();
        ProducerStats {
            producer_id: producer.id,
            kind: producer.kind,
            paused: producer.paused,
            score: streams.iter().map(|stream| stream.score).max().unwrap_or(0),
            streams,
        }
    }

    fn stream_stats(&self, now: Instant, key: StreamKey) -> StreamStats {
        let stream = &self.streams[key.0];
        let reception = &stream.reception;
        StreamStats {
            ssrc: stream.ssrc,
            rid: stream.rid.clone(),
            score: self.stream_score(now, key),
            bitrate: if comes(now, stream.last_packet) { stream.rate.bps() } else { 0 },
            packets_received: reception.packets(),
            packets_lost: reception.lost().max(0).cast_unsigned(),
            packets_repaired: reception.repaired(),
            jitter: as_ms(reception.jitter()),
            nack_count: stream.nacks_sent,
            pli_count: stream.keyframe_requests_sent,
        }
    }

    fn consumer_stats(&self, now: Instant, key: ConsumerKey) -> ConsumerStats {
        let consumer = &self.consumers[key.0];
        ConsumerStats {
            consumer_id: consumer.id,
            producer_id: self.producers[consumer.producer.0].id,
            kind: consumer.format.codec.kind(),
            paused: consumer.paused(),
            score: consumer.reported.score(),
            producer_score: self.producer_score(now, key),
            spatial_layer: consumer.source.filter(|_| consumer.has_begun()).map(|source| source.layer),
            bitrate: if comes(now, consumer.last_sent) { consumer.rate.bps() } else { 0 },
            packets_sent: consumer.stats.packets,
            packets_retransmitted: consumer.stats.retransmitted,
            packets_lost: consumer.reported.lost(),
            jitter: as_ms(consumer.reported.jitter(consumer.format.clock_rate)),
            nack_count: consumer.stats.nacks,
            pli_count: consumer.stats.keyframe_requests,
            skip_count: consumer.stats.skipped,
        }
    }

    /// How well the stream arrives that a consumer reads; the best there is while the source is muted.
    fn producer_score(&self, now: Instant, key: ConsumerKey) -> u8 {
        let consumer = &self.consumers[key.0];
        let producer = &self.producers[consumer.producer.0];
        if producer.paused {
            return BEST;
        }
        // What has no source at the moment cannot come.
        if producer.transport.is_none() && producer.kind == MediaKind::Video {
            return 0;
        }
        consumer.source.map_or(BEST, |source| self.stream_score(now, source.stream))
    }

    fn stream_score(&self, now: Instant, key: StreamKey) -> u8 {
        let stream = &self.streams[key.0];
        // What was just published, or unmuted, gets as long to begin.
        let newest = stream.last_packet.map_or(stream.expected_since, |at| at.max(stream.expected_since));
        let silent = stream.kind == MediaKind::Video && !comes(now, Some(newest));
        if silent { 0 } else { stream.reception.score() }
    }

    fn protocol_of(&self, path: Path) -> Option<IceProtocol> {
        match path {
            Path::Pair(pair) if usize::from(pair.socket) < self.config.listen.len() => Some(IceProtocol::Udp),
            Path::Pair(_) => Some(IceProtocol::Tcp),
            Path::Lane(_) => None,
        }
    }

    fn estimate(&self, key: TransportKey) -> Option<u64> {
        Some(self.transports[key.0].egress.as_ref()?.bandwidth.as_ref()?.estimator.estimate())
    }
}

fn comes(now: Instant, newest: Option<Instant>) -> bool {
    newest.is_some_and(|newest| now.saturating_duration_since(newest) < SILENT_AFTER)
}

fn as_ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn place_of(kind: MediaKind) -> usize {
    usize::from(kind == MediaKind::Video)
}

fn bucket(bounds: &[u64], value: u64) -> usize {
    bounds.partition_point(|bound| *bound <= value).saturating_sub(1)
}
