//! What each receiver's path carries, shared among what it consumes.
//!
//! Everything that has one layer is sent whatever the estimate; the layers of the rest are chosen within what is left.

use std::time::{Duration, Instant};

use super::Worker;
use crate::bandwidth::{Bandwidth, write_probe};
use crate::burst::{Egress, SendTime};
use crate::bwe::allocate::LAYERS_MAX;
use crate::bwe::{Share, allocate};
use crate::clock::Micros;
use crate::keys::{ConsumerKey, TransportKey};
use crate::transmit::DATAGRAM_BYTES_MAX;

/// Packets of a probe that are written in one turn; the rest has fallen behind and follows in the next.
const PADDING_MAX: usize = 8;
/// The timer is no finer.
const TIMER_MIN: Duration = Duration::from_millis(1);
/// Least time between two sharings for the sake of feedback alone; each looks at all that the transport consumes.
/// Feedback that comes sooner is left to the next, which at low bitrates follows after 100 ms: a timer of its own would
/// cost as much as the sharing.
const SHARE_INTERVAL_US: Micros = 80_000;
/// But an estimate that fell by one part in so many is followed at once.
const FALLEN_PART: u64 = 20;
/// Whoever sent nothing for this long is given no part of a path.
const SILENT_AFTER: Duration = Duration::from_secs(2);

impl Worker {
    /// Begins to estimate what a transport carries, which sends video of whose arrival its client tells.
    pub(super) fn watch_bandwidth(&mut self, now: Instant, key: TransportKey) {
        let now_us = self.clock.micros(now);
        if let Some(egress) = &mut self.transports[key.0].egress {
            egress.bandwidth.get_or_insert_with(|| Box::new(Bandwidth::new(now_us)));
        }
    }

    /// Has the path of a transport shared anew before this turn ends, however many of its consumers change.
    pub(super) fn share_soon(&mut self, now: Instant, key: TransportKey) {
        let now_us = self.clock.micros(now);
        if let Some(bandwidth) = self.bandwidth_mut(key) {
            bandwidth.share_at = Some(now_us);
            self.schedule(key, now);
        }
    }

    /// The estimate may have changed: shares the path anew, unless that was done a moment ago and little changed.
    pub(super) fn share_again(&mut self, now: Instant, key: TransportKey) {
        let now_us = self.clock.micros(now);
        let Some(bandwidth) = self.bandwidth_mut(key) else { return };
        let (shared_us, shared_bps) = bandwidth.shared;
        let fell = bandwidth.estimator.estimate() < shared_bps - shared_bps / FALLEN_PART;
        if fell || now_us - shared_us >= SHARE_INTERVAL_US {
            bandwidth.share_at = Some(now_us);
        } else {
            bandwidth.follow_estimate(now_us);
        }
        self.poll_bandwidth(now, key);
    }

    /// Does what is due for the estimation of a transport: probes, and upgrades that had to wait.
    pub(super) fn poll_bandwidth(&mut self, now: Instant, key: TransportKey) {
        let now_us = self.clock.micros(now);
        let blocked = self.transports.get(key.0).and_then(|t| t.egress.as_ref()).is_some_and(|egress| egress.blocked);
        let Some(bandwidth) = self.bandwidth_mut(key) else { return };
        bandwidth.handle_timeout(now_us, blocked);
        let share = bandwidth.share_at.is_some_and(|at| at <= now_us);
        for _ in 0..PADDING_MAX {
            if !self.send_padding(now, key) {
                break;
            }
        }
        if share {
            self.share_bandwidth(now, key);
        }
        let due = self.bandwidth_mut(key).and_then(|bandwidth| bandwidth.poll_timeout());
        if let Some(at) = due {
            let wait = Duration::from_micros(at.saturating_sub(now_us).max(0) as u64).max(TIMER_MIN);
            self.schedule(key, now + wait);
        }
    }

    pub(super) fn bandwidth_mut(&mut self, key: TransportKey) -> Option<&mut Bandwidth> {
        self.transports.get_mut(key.0)?.egress.as_mut()?.bandwidth.as_deref_mut()
    }

    fn send_padding(&mut self, now: Instant, key: TransportKey) -> bool {
        let now_us = self.clock.micros(now);
        let egress = self.transports[key.0].egress.as_mut();
        let Some(egress) = egress.filter(|egress| !egress.blocked) else { return false };
        let Egress { keys, path, transport_cc, bandwidth, .. } = egress;
        let Some(bandwidth) = bandwidth.as_deref_mut() else { return false };
        let Some(bytes) = bandwidth.padding_due(now_us) else { return false };
        let sequence = bandwidth.next_probator_sequence();
        let time = SendTime::new(now, now_us);
        let out = &mut self.scratch[..DATAGRAM_BYTES_MAX - keys.tag_bytes()];
        let wanted = bytes.saturating_sub(keys.tag_bytes());
        let (header_bytes, end) = write_probe(out, sequence, *transport_cc, time.abs_send_time, wanted);
        let bytes = keys.seal_rtp(&mut self.scratch[..], header_bytes, end, (sequence >> 16) as u32);
        bandwidth.on_sent(now_us, *transport_cc, bytes);
        *transport_cc = transport_cc.wrapping_add(1);
        self.stats.probes_out += 1;
        self.control.push(*path, &self.scratch[..bytes]);
        true
    }

    /// Chooses anew what each consumer of a transport gets of its estimate.
    fn share_bandwidth(&mut self, now: Instant, key: TransportKey) {
        let now_us = self.clock.micros(now);
        if self.bandwidth_mut(key).is_none() {
            return;
        }
        let mut shares = std::mem::take(&mut self.shares);
        shares.clear();
        let mut fixed_bps = 0;
        for &consumer in &self.transports[key.0].consumers {
            match self.share_of(consumer) {
                Some(share) => shares.push(share),
                None => fixed_bps += self.fixed_bps(now, consumer),
            }
        }
        if let Some(bandwidth) = self.bandwidth_mut(key) {
            bandwidth.follow_estimate(now_us);
            let allocation = allocate(bandwidth.estimator.estimate(), fixed_bps, &mut shares);
            bandwidth.estimator.set_desired(now_us, allocation.desired_bps);
            bandwidth.shared = (now_us, bandwidth.estimator.estimate());
            bandwidth.share_at = bandwidth.gate.apply(now_us, &mut shares);
        }
        for share in &shares {
            // Whoever is seen is shown, if only small.
            let layer = share.layer.unwrap_or(0);
            if std::mem::replace(&mut self.consumers[share.id].allowed_layer, layer) != layer {
                self.choose_layer(now, ConsumerKey(share.id));
            }
        }
        self.shares = shares;
    }

    /// The claim of a consumer whose producer has several layers.
    fn share_of(&self, key: ConsumerKey) -> Option<Share> {
        let consumer = &self.consumers[key.0];
        let producer = &self.producers[consumer.producer.0];
        let top = producer.streams.len().checked_sub(1).filter(|top| *top > 0)?;
        let mut layers: [u64; LAYERS_MAX] = [0; LAYERS_MAX];
        for (layer, (bps, stream)) in layers.iter_mut().zip(&producer.streams).enumerate() {
            let stream = &self.streams[stream.0];
            // One that was switched off because nobody wants it comes again when somebody does.
            let can_come = stream.active || layer > usize::from(producer.layer_kept);
            *bps = if can_come { stream.rate.bps() } else { 0 };
        }
        // What was decided stays so while it waits for its keyframe.
        let going_to = consumer.next_source.or(consumer.source);
        Some(Share {
            id: key.0,
            priority: consumer.priority,
            wanted: (!consumer.paused() && !producer.paused).then_some(consumer.preferred_layer.min(top as u8)),
            current: going_to.filter(|_| consumer.has_begun()).map(|source| source.layer),
            layers,
            layer: None,
        })
    }

    /// What a consumer takes that has nothing to choose from.
    fn fixed_bps(&self, now: Instant, key: ConsumerKey) -> u64 {
        let consumer = &self.consumers[key.0];
        let Some(source) = consumer.source.filter(|_| !consumer.paused()) else { return 0 };
        let stream = &self.streams[source.stream.0];
        let lively = |at| now.saturating_duration_since(at) < SILENT_AFTER;
        if stream.last_packet.is_some_and(lively) { stream.rate.bps() } else { 0 }
    }
}
