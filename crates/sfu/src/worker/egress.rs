//! What is due is written: control datagrams, then audio, retransmissions, video.
//!
//! The fan-out is resumable. It keeps its place among the consumers of a stream when the batch is full, and its
//! start rotates, so that no receiver is always the last.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::Worker;
use crate::burst::{Burst, SendTime, write_burst, write_retransmission};
use crate::consumer::Found;
use crate::keys::{ConsumerKey, StreamKey};
use crate::rtp::abs_send_time;
use crate::transmit::{DATAGRAM_BYTES_MAX, SendBatch};

/// Most retransmissions that wait; what is asked for beyond that is asked for again.
const RETRANSMISSIONS_MAX: usize = 4096;

/// A packet that a receiver asked for again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retransmission {
    pub(super) consumer: ConsumerKey,
    pub(super) original: Found,
}

/// Streams that have packets to be forwarded, and where among their consumers the work stopped.
#[derive(Debug)]
pub(super) struct FanOut {
    audio: Lane,
    video: Lane,
    retransmissions: VecDeque<Retransmission>,
    /// Which consumer is first.
    rotation: usize,
}

/// The streams of one kind.
#[derive(Debug)]
struct Lane {
    streams: VecDeque<StreamKey>,
    /// The stream at work, how many of its consumers are done, and its ring's head when the work began.
    place: Option<(StreamKey, usize, u64)>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { streams: VecDeque::with_capacity(1024), place: None }
    }
}

impl Default for FanOut {
    fn default() -> Self {
        Self {
            audio: Lane::default(),
            video: Lane::default(),
            retransmissions: VecDeque::with_capacity(RETRANSMISSIONS_MAX),
            rotation: 0,
        }
    }
}

impl FanOut {
    pub(super) fn push(&mut self, kind: MediaKind, stream: StreamKey) {
        self.lane(kind).streams.push_back(stream);
    }

    fn lane(&mut self, kind: MediaKind) -> &mut Lane {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    /// Whether another retransmission may wait.
    pub(super) fn takes_retransmissions(&self) -> bool {
        self.retransmissions.len() < RETRANSMISSIONS_MAX
    }

    pub(super) fn retransmit(&mut self, retransmission: Retransmission) {
        self.retransmissions.push_back(retransmission);
    }

    /// Forgets a stream that is gone.
    pub(super) fn forget_stream(&mut self, stream: StreamKey) {
        for lane in [&mut self.audio, &mut self.video] {
            lane.streams.retain(|&key| key != stream);
            lane.place = lane.place.filter(|place| place.0 != stream);
        }
    }

    /// Forgets what a consumer was to be sent again: it is gone, or reads another ring.
    pub(super) fn forget_consumer(&mut self, consumer: ConsumerKey) {
        self.retransmissions.retain(|retransmission| retransmission.consumer != consumer);
    }

    /// The consumers of a stream are others than before: a place among them means nothing any more.
    pub(super) fn consumers_changed(&mut self) {
        for (_, done, _) in [&mut self.audio, &mut self.video].into_iter().filter_map(|lane| lane.place.as_mut()) {
            *done = 0;
        }
    }

    /// The stream of this kind to go on with.
    fn next(&mut self, kind: MediaKind) -> Option<(StreamKey, usize, Option<u64>)> {
        let lane = self.lane(kind);
        if let Some((stream, done, head)) = lane.place.take() {
            return Some((stream, done, Some(head)));
        }
        let stream = lane.streams.pop_front()?;
        self.rotation = self.rotation.wrapping_add(1);
        Some((stream, 0, None))
    }
}

impl Worker {
    /// Writes what is due into the batch, until it is full or nothing is left. To be called again after a
    /// batch that was not empty was sent.
    pub fn poll_transmit(&mut self, now: Instant, batch: &mut SendBatch) {
        let now_us = self.clock.micros(now);
        let time = SendTime { now, now_us, abs_send_time: abs_send_time_24(Duration::from_micros(now_us as u64)) };
        let _ = self.control.drain(batch)
            && self.fan_out(MediaKind::Audio, time, batch)
            && self.retransmit(time, batch)
            && self.fan_out(MediaKind::Video, time, batch);
    }

    fn retransmit(&mut self, time: SendTime, batch: &mut SendBatch) -> bool {
        while let Some(&Retransmission { consumer, original }) = self.fan_out.retransmissions.front() {
            if batch.room() < 2 * DATAGRAM_BYTES_MAX {
                return false;
            }
            self.fan_out.retransmissions.pop_front();
            let Some(consumer) = self.consumers.get_mut(consumer.0) else { continue };
            consumer.retransmissions = consumer.retransmissions.saturating_sub(1);
            let streams = &self.producers[consumer.producer.0].streams;
            let Some(&stream) = streams.get(usize::from(original.layer)) else { continue };
            let stream = &self.streams[stream.0];
            let Some(transport) = self.transports.get_mut(consumer.transport.0) else { continue };
            // What cannot leave now is asked for again.
            let Some(egress) = transport.egress.as_mut().filter(|egress| !egress.blocked) else { continue };
            let spare = batch.spare();
            if let Some(bytes) = write_retransmission(consumer, &stream.ring, egress, time, &original, spare) {
                batch.commit(egress.socket, egress.remote, bytes, bytes);
                self.stats.retransmitted += 1;
            }
        }
        true
    }

    fn fan_out(&mut self, kind: MediaKind, time: SendTime, batch: &mut SendBatch) -> bool {
        while let Some((key, mut done, head)) = self.fan_out.next(kind) {
            let Some(stream) = self.streams.get(key.0) else { continue };
            let head = head.unwrap_or(stream.ring.head());
            let (producer_key, publisher) = (stream.producer, stream.transport);
            let count = self.producers[producer_key.0].consumers.len();
            let (mut full, mut skipped) = (false, false);
            while done < count && !full {
                let place = self.fan_out.rotation.wrapping_add(done) % count;
                let consumer_key = self.producers[producer_key.0].consumers[place];
                let (consumer, ring) = (&mut self.consumers[consumer_key.0], &self.streams[key.0].ring);
                let reads = consumer.source.is_some_and(|source| source.stream == key);
                if let Some(next) = consumer.next_source.filter(|next| next.stream == key)
                    && consumer.can_switch(ring, time.now_us)
                    && !consumer.in_mid_frame(time.now)
                {
                    consumer.switch(next, ring, time.now_us);
                    self.tell_layer(consumer_key);
                } else if !reads {
                    done += 1;
                    continue;
                }
                let (consumer, ring) = (&mut self.consumers[consumer_key.0], &self.streams[key.0].ring);
                if let Some(egress) = &mut self.transports[consumer.transport.0].egress
                    && !egress.blocked
                {
                    let before = consumer.stats.skipped;
                    full = write_burst(consumer, ring, egress, time, batch) == Burst::Full;
                    skipped |= consumer.stats.skipped != before;
                }
                done += usize::from(!full);
            }
            let stream = &mut self.streams[key.0];
            if skipped && stream.nack.is_some() && !self.producers[producer_key.0].paused {
                // Asked for by the publisher's timer: control datagrams of this turn are out already.
                stream.gate.request(time.now);
                self.schedule(publisher, time.now);
            }
            let stream = &mut self.streams[key.0];
            if full {
                self.fan_out.lane(kind).place = Some((key, done, head));
                return false;
            }
            stream.queued = stream.ring.head() != head;
            if stream.queued {
                // More came in while the work was held up: those who were served first need it too.
                self.fan_out.push(kind, key);
            }
        }
        true
    }
}

fn abs_send_time_24(elapsed: Duration) -> u32 {
    let [a, b, c] = abs_send_time(elapsed);
    u32::from_be_bytes([0, a, b, c])
}
