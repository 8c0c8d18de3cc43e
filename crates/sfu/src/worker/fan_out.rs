//! What waits to be written: streams with new packets, retransmissions, and receivers whose paths are full.

use std::collections::VecDeque;

use protocol::MediaKind;

use crate::bwe::next_tick;
use crate::clock::Micros;
use crate::consumer::Found;
use crate::keys::{ConsumerKey, StreamKey};

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
    held: Held,
    /// Which consumer is first.
    pub(super) rotation: usize,
}

/// The streams of one kind.
#[derive(Debug)]
struct Lane {
    streams: VecDeque<StreamKey>,
    /// The stream at work, how many of its consumers are done, and its ring's head when the work began.
    place: Option<Place>,
}

/// How far the work on a stream is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) stream: StreamKey,
    /// How many of its consumers are done.
    pub(super) done: usize,
    /// Its ring's head when the work began; `None` before.
    pub(super) head: Option<u64>,
}

/// What may not leave before the next tick of the pacing.
#[derive(Debug)]
struct Held {
    /// Consumers that have more to be sent, each once.
    consumers: VecDeque<ConsumerKey>,
    retransmissions: VecDeque<Retransmission>,
    /// How many of the consumers are still to be served at the tick that has come.
    due: usize,
    /// The next tick; `None` while nothing is held.
    tick: Option<Micros>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { streams: VecDeque::with_capacity(1024), place: None }
    }
}

impl Default for FanOut {
    fn default() -> Self {
        let held = Held {
            consumers: VecDeque::with_capacity(1024),
            retransmissions: VecDeque::with_capacity(RETRANSMISSIONS_MAX),
            due: 0,
            tick: None,
        };
        Self {
            audio: Lane::default(),
            video: Lane::default(),
            retransmissions: VecDeque::with_capacity(RETRANSMISSIONS_MAX),
            held,
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
        self.retransmissions.len() + self.held.retransmissions.len() < RETRANSMISSIONS_MAX
    }

    pub(super) fn retransmit(&mut self, retransmission: Retransmission) {
        self.retransmissions.push_back(retransmission);
    }

    /// The oldest retransmission that may be due.
    pub(super) fn next_retransmission(&mut self) -> Option<Retransmission> {
        self.retransmissions.pop_front()
    }

    /// Has a retransmission wait for the next tick.
    pub(super) fn hold_retransmission(&mut self, now: Micros, retransmission: Retransmission) {
        self.held.retransmissions.push_back(retransmission);
        self.held.tick.get_or_insert(next_tick(now));
    }

    /// Has a consumer wait for the next tick, which is not waiting yet.
    pub(super) fn hold(&mut self, now: Micros, consumer: ConsumerKey) {
        self.held.consumers.push_back(consumer);
        self.held.tick.get_or_insert(next_tick(now));
    }

    /// When to look at what is held.
    pub(super) fn tick(&self) -> Option<Micros> {
        self.held.tick
    }

    /// Begins the tick if it has come.
    pub(super) fn poll_tick(&mut self, now: Micros) {
        if self.held.tick.is_some_and(|tick| tick <= now) {
            self.held.tick = None;
            self.held.due = self.held.consumers.len();
            // Consumers of one transport share its tokens: each is the first in turn.
            self.held.consumers.rotate_left(self.held.due.min(1));
            self.retransmissions.append(&mut self.held.retransmissions);
        }
    }

    /// A consumer to be served at the present tick.
    pub(super) fn next_held(&mut self) -> Option<ConsumerKey> {
        self.held.due = self.held.due.checked_sub(1)?;
        self.held.consumers.pop_front()
    }

    /// Has a consumer that the batch had no room for come next.
    pub(super) fn serve_again(&mut self, consumer: ConsumerKey) {
        self.held.consumers.push_front(consumer);
        self.held.due += 1;
    }

    /// Forgets a stream that is gone.
    pub(super) fn forget_stream(&mut self, stream: StreamKey) {
        for lane in [&mut self.audio, &mut self.video] {
            lane.streams.retain(|&key| key != stream);
            lane.place = lane.place.filter(|place| place.stream != stream);
        }
    }

    /// Forgets what a consumer was to be sent again: it is gone, or reads another ring.
    pub(super) fn forget_retransmissions(&mut self, consumer: ConsumerKey) {
        self.retransmissions.retain(|retransmission| retransmission.consumer != consumer);
        self.held.retransmissions.retain(|retransmission| retransmission.consumer != consumer);
    }

    /// Forgets a consumer that is gone.
    pub(super) fn forget_consumer(&mut self, consumer: ConsumerKey) {
        self.forget_retransmissions(consumer);
        self.held.consumers.retain(|&key| key != consumer);
        self.held.due = self.held.due.min(self.held.consumers.len());
    }

    /// There are so many consumers now, and each may have to wait.
    pub(super) fn reserve(&mut self, consumers: usize) {
        self.held.consumers.reserve(consumers.saturating_sub(self.held.consumers.len()));
    }

    /// The consumers of a stream are others than before: a place among them means nothing any more.
    pub(super) fn consumers_changed(&mut self) {
        for place in [&mut self.audio, &mut self.video].into_iter().filter_map(|lane| lane.place.as_mut()) {
            place.done = 0;
        }
    }

    /// The stream of this kind to go on with.
    pub(super) fn next(&mut self, kind: MediaKind) -> Option<Place> {
        let lane = self.lane(kind);
        if let Some(place) = lane.place.take() {
            return Some(place);
        }
        let stream = lane.streams.pop_front()?;
        self.rotation = self.rotation.wrapping_add(1);
        Some(Place { stream, done: 0, head: None })
    }

    /// Goes on here when there is room again.
    pub(super) fn stop_at(&mut self, kind: MediaKind, place: Place) {
        self.lane(kind).place = Some(place);
    }
}
