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
    audio: Line,
    video: Line,
    retransmissions: VecDeque<(u32, Retransmission)>,
    held: Held,
    /// At the consumers' keys.
    ages: Vec<Age>,
    /// Which consumer is first.
    pub(super) rotation: usize,
}

/// How often what waits for a key was to be forgotten. What was queued before is passed over when it comes up: looking
/// for it would be a lot of work where many consumers end at once.
#[derive(Debug, Clone, Copy, Default)]
struct Age {
    /// The consumer is gone; the key may be another's.
    consumer: u32,
    /// Its ring is another, or it is gone.
    ring: u32,
}

/// The streams of one kind.
#[derive(Debug)]
struct Line {
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
    consumers: VecDeque<(u32, ConsumerKey)>,
    retransmissions: VecDeque<(u32, Retransmission)>,
    /// How many of the consumers are still to be served at the tick that has come.
    due: usize,
    /// The next tick; `None` while nothing is held.
    tick: Option<Micros>,
}

impl Default for Line {
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
            audio: Line::default(),
            video: Line::default(),
            retransmissions: VecDeque::with_capacity(RETRANSMISSIONS_MAX),
            held,
            ages: Vec::new(),
            rotation: 0,
        }
    }
}

impl FanOut {
    pub(super) fn push(&mut self, kind: MediaKind, stream: StreamKey) {
        self.line(kind).streams.push_back(stream);
    }

    fn line(&mut self, kind: MediaKind) -> &mut Line {
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
        self.retransmissions.push_back((self.age(retransmission.consumer).ring, retransmission));
    }

    /// The oldest retransmission that may be due.
    pub(super) fn next_retransmission(&mut self) -> Option<Retransmission> {
        loop {
            let (age, retransmission) = self.retransmissions.pop_front()?;
            if age == self.age(retransmission.consumer).ring {
                return Some(retransmission);
            }
        }
    }

    fn age(&self, consumer: ConsumerKey) -> Age {
        self.ages.get(consumer.0).copied().unwrap_or_default()
    }

    /// Has a retransmission wait for the next tick.
    pub(super) fn hold_retransmission(&mut self, now: Micros, retransmission: Retransmission) {
        self.held.retransmissions.push_back((self.age(retransmission.consumer).ring, retransmission));
        self.held.tick.get_or_insert(next_tick(now));
    }

    /// Has a consumer wait for the next tick, which is not waiting yet.
    pub(super) fn hold(&mut self, now: Micros, consumer: ConsumerKey) {
        self.held.consumers.push_back((self.age(consumer).consumer, consumer));
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
        loop {
            self.held.due = self.held.due.checked_sub(1)?;
            let (age, consumer) = self.held.consumers.pop_front()?;
            if age == self.age(consumer).consumer {
                return Some(consumer);
            }
        }
    }

    /// Has a consumer that the batch had no room for come next.
    pub(super) fn serve_again(&mut self, consumer: ConsumerKey) {
        self.held.consumers.push_front((self.age(consumer).consumer, consumer));
        self.held.due += 1;
    }

    /// Forgets a stream that is gone.
    pub(super) fn forget_stream(&mut self, stream: StreamKey) {
        for line in [&mut self.audio, &mut self.video] {
            line.streams.retain(|&key| key != stream);
            line.place = line.place.filter(|place| place.stream != stream);
        }
    }

    /// Forgets what a consumer was to be sent again: it is gone, or reads another ring.
    pub(super) fn forget_retransmissions(&mut self, consumer: ConsumerKey) {
        if let Some(age) = self.ages.get_mut(consumer.0) {
            age.ring = age.ring.wrapping_add(1);
        }
    }

    /// Forgets a consumer that is gone.
    pub(super) fn forget_consumer(&mut self, consumer: ConsumerKey) {
        self.forget_retransmissions(consumer);
        if let Some(age) = self.ages.get_mut(consumer.0) {
            age.consumer = age.consumer.wrapping_add(1);
        }
    }

    /// There are so many consumers now, and each may have to wait, beside what is still to be passed over. Keys that
    /// are given back are given out again, so none is higher.
    pub(super) fn reserve(&mut self, consumers: usize) {
        self.held.consumers.reserve(consumers);
        if self.ages.len() < consumers {
            self.ages.resize(consumers, Age::default());
        }
    }

    /// The consumers of a stream are others than before: a place among them means nothing any more.
    pub(super) fn consumers_changed(&mut self) {
        for place in [&mut self.audio, &mut self.video].into_iter().filter_map(|line| line.place.as_mut()) {
            place.done = 0;
        }
    }

    /// The stream of this kind to go on with.
    pub(super) fn next(&mut self, kind: MediaKind) -> Option<Place> {
        let line = self.line(kind);
        if let Some(place) = line.place.take() {
            return Some(place);
        }
        let stream = line.streams.pop_front()?;
        self.rotation = self.rotation.wrapping_add(1);
        Some(Place { stream, done: 0, head: None })
    }

    /// Goes on here when there is room again.
    pub(super) fn stop_at(&mut self, kind: MediaKind, place: Place) {
        self.line(kind).place = Some(place);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::consumer::Shift;

    const OLD: ConsumerKey = ConsumerKey(3);
    const OTHER: ConsumerKey = ConsumerKey(1);

    fn fan_out(consumers: usize) -> FanOut {
        let mut fan_out = FanOut::default();
        fan_out.reserve(consumers);
        fan_out
    }

    fn retransmission(consumer: ConsumerKey, slot: u64) -> Retransmission {
        let original = Found { layer: 0, slot, sequence: slot, shift: Shift::default(), capture_us: 0 };
        Retransmission { consumer, original }
    }

    fn retransmissions(fan_out: &mut FanOut) -> Vec<(ConsumerKey, u64)> {
        let queued = std::iter::from_fn(|| fan_out.next_retransmission());
        queued.map(|queued| (queued.consumer, queued.original.slot)).collect()
    }

    #[test]
    fn what_waited_for_a_consumer_is_not_for_the_next_under_its_key() {
        let mut fan_out = fan_out(4);
        for consumer in [OLD, OTHER] {
            fan_out.retransmit(retransmission(consumer, 1));
            fan_out.hold_retransmission(0, retransmission(consumer, 2));
            fan_out.hold(0, consumer);
        }
        fan_out.forget_consumer(OLD);
        fan_out.retransmit(retransmission(OLD, 3));
        fan_out.hold_retransmission(0, retransmission(OLD, 4));
        fan_out.hold(0, OLD);
        fan_out.poll_tick(fan_out.tick().expect("something is held"));
        assert_eq!(retransmissions(&mut fan_out), [(OTHER, 1), (OLD, 3), (OTHER, 2), (OLD, 4)]);
        let mut held: Vec<_> = std::iter::from_fn(|| fan_out.next_held()).map(|key| key.0).collect();
        held.sort_unstable();
        assert_eq!(held, [OTHER.0, OLD.0], "each once");
    }

    #[test]
    fn who_reads_another_ring_still_has_its_turn_but_nothing_of_the_old_one() {
        let mut fan_out = fan_out(4);
        fan_out.retransmit(retransmission(OLD, 1));
        fan_out.hold_retransmission(0, retransmission(OLD, 2));
        fan_out.hold(0, OLD);
        fan_out.forget_retransmissions(OLD);
        fan_out.poll_tick(fan_out.tick().expect("something is held"));
        assert_eq!(retransmissions(&mut fan_out), []);
        assert_eq!(fan_out.next_held(), Some(OLD));
    }

    /// How long it takes to forget many consumers, the best of some tries.
    fn forgetting(queued: usize) -> Duration {
        let consumers = 20_000;
        let tries = (0..5).map(|_| {
            let mut fan_out = fan_out(consumers);
            for n in 0..queued {
                fan_out.retransmit(retransmission(OTHER, n as u64));
                fan_out.hold(0, ConsumerKey(n));
            }
            let began = Instant::now();
            (0..consumers).for_each(|key| fan_out.forget_consumer(ConsumerKey(key)));
            began.elapsed()
        });
        tries.min().unwrap_or_default()
    }

    #[test]
    fn forgetting_consumers_takes_no_longer_because_much_is_queued() {
        let (empty, full) = (forgetting(1), forgetting(RETRANSMISSIONS_MAX));
        assert!(full < 50 * empty.max(Duration::from_micros(10)), "{full:?} instead of {empty:?}");
    }
}
