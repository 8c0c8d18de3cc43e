//! What is due is written: control datagrams, then audio, retransmissions, video, data channels.
//!
//! The fan-out is resumable. It keeps its place among the consumers of a stream when the batch is full, and its
//! start rotates, so that no receiver is always the last. Video and retransmissions for a path that took all that it
//! may for now are held until the next tick.

use std::time::Instant;

use protocol::MediaKind;

use super::Worker;
use super::fan_out::{Place, Retransmission};
use crate::burst::{Burst, SendTime, write_burst, write_retransmission};
use crate::keys::{ConsumerKey, StreamKey};
use crate::transmit::{DATAGRAM_BYTES_MAX, SendBatch};

impl Worker {
    /// Writes what is due into the batch, until it is full or nothing is left. To be called again after a
    /// batch that was not empty was sent.
    pub fn poll_transmit(&mut self, now: Instant, batch: &mut SendBatch) {
        let now_us = self.clock.micros(now);
        let time = SendTime::new(now, now_us);
        self.fan_out.poll_tick(now_us);
        self.end_gathering(now_us);
        let _ = self.control.drain(batch)
            && self.fan_out(MediaKind::Audio, time, batch)
            && self.retransmit(time, batch)
            && self.serve_held(time, batch)
            && self.fan_out(MediaKind::Video, time, batch)
            && self.write_data(now, batch);
    }

    fn retransmit(&mut self, time: SendTime, batch: &mut SendBatch) -> bool {
        while batch.room() >= 2 * DATAGRAM_BYTES_MAX {
            let Some(retransmission) = self.fan_out.next_retransmission() else { return true };
            let Retransmission { consumer, original } = retransmission;
            let Some(consumer) = self.consumers.get_mut(consumer.0) else { continue };
            let streams = &self.producers[consumer.producer.0].streams;
            let stream = streams.get(usize::from(original.layer)).map(|stream| &self.streams[stream.0]);
            let egress = self.transports.get_mut(consumer.transport.0).and_then(|t| t.egress.as_mut());
            // What a path that takes nothing misses is asked for again.
            let mut egress = egress.filter(|egress| !egress.blocked);
            if egress.as_mut().is_some_and(|egress| egress.is_held(time.now_us)) {
                self.fan_out.hold_retransmission(time.now_us, retransmission);
                continue;
            }
            consumer.retransmissions = consumer.retransmissions.saturating_sub(1);
            let (Some(stream), Some(egress)) = (stream, egress) else {
                consumer.on_not_resent(&original);
                continue;
            };
            let spare = batch.spare();
            match write_retransmission(consumer, &stream.ring, egress, time, &original, spare) {
                Some(bytes) => {
                    batch.commit(egress.path, bytes, bytes);
                    self.stats.retransmitted += 1;
                }
                None => self.stats.retransmissions_refused += 1,
            }
        }
        false
    }

    /// Serves those who had to wait for this tick.
    fn serve_held(&mut self, time: SendTime, batch: &mut SendBatch) -> bool {
        while let Some(key) = self.fan_out.next_held() {
            let consumer = &mut self.consumers[key.0];
            consumer.held = false;
            let Some(source) = consumer.source else { continue };
            let burst = self.write(key, source.stream, time, batch);
            if burst == Burst::Full {
                self.consumers[key.0].held = true;
                self.fan_out.serve_again(key);
                return false;
            }
            if let Some(next) = self.consumers[key.0].next_source {
                // It may have been in the middle of a frame when that one's keyframe came.
                self.queue(next.stream);
            }
        }
        true
    }

    fn fan_out(&mut self, kind: MediaKind, time: SendTime, batch: &mut SendBatch) -> bool {
        while let Some(Place { stream: key, mut done, head }) = self.fan_out.next(kind) {
            let Some(stream) = self.streams.get(key.0) else { continue };
            let head = head.unwrap_or(stream.ring.head());
            let producer_key = stream.producer;
            let count = self.producers[producer_key.0].consumers.len();
            while done < count {
                let place = self.fan_out.rotation.wrapping_add(done) % count;
                let consumer_key = self.producers[producer_key.0].consumers[place];
                if self.reads(consumer_key, key, time) && self.write(consumer_key, key, time, batch) == Burst::Full {
                    self.fan_out.stop_at(kind, Place { stream: key, done, head: Some(head) });
                    return false;
                }
                done += 1;
            }
            let stream = &mut self.streams[key.0];
            stream.queued = stream.ring.head() != head;
            if stream.queued {
                // More came in while the work was held up: those who were served first need it too.
                self.fan_out.push(kind, key);
            }
        }
        true
    }

    /// Whether a consumer flows from this stream and is not waiting for a tick; it goes over to the stream if it was
    /// to and now can.
    fn reads(&mut self, key: ConsumerKey, stream: StreamKey, time: SendTime) -> bool {
        let consumer = &mut self.consumers[key.0];
        let ring = &self.streams[stream.0].ring;
        if let Some(next) = consumer.next_source.filter(|next| next.stream == stream)
            && consumer.can_switch(ring, time.now_us)
            && !consumer.in_mid_frame(time.now)
        {
            consumer.switch(next, ring, time.now_us);
            self.tell_layer(key);
        }
        let consumer = &self.consumers[key.0];
        !consumer.held && consumer.flows() && consumer.source.is_some_and(|source| source.stream == stream)
    }

    /// Writes what a consumer may be sent of the stream that it reads.
    fn write(&mut self, key: ConsumerKey, stream_key: StreamKey, time: SendTime, batch: &mut SendBatch) -> Burst {
        let (consumer, stream) = (&mut self.consumers[key.0], &self.streams[stream_key.0]);
        let egress = self.transports[consumer.transport.0].egress.as_mut();
        // What a path that takes nothing misses waits in the ring: the stream is queued when it takes more.
        let Some(egress) = egress.filter(|egress| !egress.blocked) else { return Burst::Done };
        let before = consumer.stats.skipped;
        let burst = write_burst(consumer, &stream.ring, egress, time, batch);
        if burst == Burst::Held {
            consumer.held = true;
            self.fan_out.hold(time.now_us, key);
        }
        let skipped = consumer.stats.skipped - before;
        self.stats.skipped += skipped;
        if skipped > 0 && stream.kind == MediaKind::Video && !self.producers[stream.producer.0].paused {
            // Asked for by the publisher's timer: control datagrams of this turn are out already.
            self.streams[stream_key.0].gate.request(time.now);
            self.look_at(stream_key, time.now);
        }
        burst
    }
}
