//! What is due is written: control datagrams, then audio, retransmissions, video.
//!
//! The fan-out is resumable. It keeps its place among the consumers of a stream when the batch is full, and its
//! start rotates, so that no receiver is always the last.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::Worker;
use crate::burst::{Burst, SendTime, write_burst, write_retransmission};
use crate::consumer::Outgoing;
use crate::keys::{ConsumerKey, StreamKey};
use crate::rtp::abs_send_time;
use crate::transmit::{DATAGRAM_BYTES_MAX, SendBatch};

/// Most retransmissions that wait; what is asked for beyond that is asked for again.
const RETRANSMISSIONS_MAX: usize = 4096;

/// A packet that a receiver asked for again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retransmission {
    pub(super) consumer: ConsumerKey,
    pub(super) slot: u64,
    pub(super) original: Outgoing,
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
        let time =
            SendTime { now, abs_send_time: abs_send_time_24(Duration::from_micros(self.clock.micros(now) as u64)) };
        let _ = self.control.drain(batch)
            && self.fan_out(MediaKind::Audio, time, batch)
            && self.retransmit(time, batch)
            && self.fan_out(MediaKind::Video, time, batch);
    }

    fn retransmit(&mut self, time: SendTime, batch: &mut SendBatch) -> bool {
        while let Some(&Retransmission { consumer, slot, original }) = self.fan_out.retransmissions.front() {
            if batch.room() < 2 * DATAGRAM_BYTES_MAX {
                return false;
            }
            self.fan_out.retransmissions.pop_front();
            let Some(consumer) = self.consumers.get_mut(consumer.0) else { continue };
            consumer.retransmissions = consumer.retransmissions.saturating_sub(1);
            let Some(stream) = consumer.source.and_then(|key| self.streams.get(key.0)) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport.0) else { continue };
            let Some(egress) = transport.egress.as_mut() else { continue };
            let spare = batch.spare();
            if let Some(bytes) = write_retransmission(consumer, &stream.ring, egress, time, slot, original, spare) {
                batch.commit(egress.socket, egress.remote, bytes, bytes);
                self.stats.retransmitted += 1;
            }
        }
        true
    }

    fn fan_out(&mut self, kind: MediaKind, time: SendTime, batch: &mut SendBatch) -> bool {
        while let Some((key, mut done, head)) = self.fan_out.next(kind) {
            let Some(stream) = self.streams.get_mut(key.0) else { continue };
            let head = head.unwrap_or(stream.ring.head());
            let Some(producer) = self.producers.get(stream.producer.0) else { continue };
            let count = producer.consumers.len();
            let (mut full, mut skipped) = (false, false);
            while done < count {
                let consumer_key = producer.consumers[(self.fan_out.rotation.wrapping_add(done)) % count];
                let consumer = &mut self.consumers[consumer_key.0];
                if consumer.source == Some(key)
                    && let Some(egress) = &mut self.transports[consumer.transport.0].egress
                {
                    let before = consumer.stats.skipped;
                    full = write_burst(consumer, &stream.ring, egress, time, batch) == Burst::Full;
                    skipped |= consumer.stats.skipped != before;
                    if full {
                        break;
                    }
                }
                done += 1;
            }
            let publisher = stream.transport;
            let wants_keyframe = skipped && stream.nack.is_some() && !producer.paused;
            if wants_keyframe {
                // Asked for by the publisher's timer: control datagrams of this turn are out already.
                stream.gate.request(time.now);
            }
            if full {
                self.fan_out.lane(kind).place = Some((key, done, head));
                if wants_keyframe {
                    self.schedule(publisher, time.now);
                }
                return false;
            }
            stream.queued = stream.ring.head() != head;
            if stream.queued {
                // More came in while the work was held up: those who were served first need it too.
                self.fan_out.push(kind, key);
            }
            if wants_keyframe {
                self.schedule(publisher, time.now);
            }
        }
        true
    }
}

fn abs_send_time_24(elapsed: Duration) -> u32 {
    let [a, b, c] = abs_send_time(elapsed);
    u32::from_be_bytes([0, a, b, c])
}
