//! Which of a producer's streams each of its consumers gets.
//!
//! A consumer that has nothing yet begins with the lowest layer that comes, so that there is a picture at once, and
//! goes over to the one that it wants at that one's next keyframe. A layer that falls silent while others go on
//! is not there until it comes again (a publisher with little bandwidth stops its top layers first); one that nobody
//! wants any more its publisher is told to stop.

use std::num::NonZeroU8;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use protocol::{ConsumerId, MediaKind, ProducerId, TransportId};

use super::{EVENTS_MAX, Event, NotFound, Worker};
use crate::consumer::Source;
use crate::keys::{ConsumerKey, ProducerKey, StreamKey, TransportKey};

/// A layer without packets for this long is gone, if another one goes on.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// A layer that had a packet within this goes on.
const LIVELY: Duration = Duration::from_millis(250);
/// Consumers of a transport that are told of again at a time: a client takes so many pieces of news at once, and not
/// all of a large room.
const TOLD_MAX: usize = 64;

impl Worker {
    /// Limits a consumer to the layers up to `layer`, 0 the lowest.
    pub fn set_preferred_layer(&mut self, now: Instant, id: ConsumerId, layer: u8) -> Result<(), NotFound> {
        let key = *self.consumer_ids.get(&id).ok_or(NotFound)?;
        self.consumers[key.0].preferred_layer = layer;
        self.share_soon(now, self.consumers[key.0].transport);
        self.want_from_pipe(now, self.consumers[key.0].producer);
        self.choose_layer(now, key);
        Ok(())
    }

    /// Gives a consumer more or less of its receiver's path than others have: those with the highest priority are
    /// served first, each by as many layers at a time. It is 1 at first.
    pub fn set_priority(&mut self, now: Instant, id: ConsumerId, priority: NonZeroU8) -> Result<(), NotFound> {
        let key = *self.consumer_ids.get(&id).ok_or(NotFound)?;
        self.consumers[key.0].priority = priority.get();
        self.share_soon(now, self.consumers[key.0].transport);
        Ok(())
    }

    /// Lets a consumer that is not paused begin, or begin anew, where a decoder can.
    pub(super) fn start_consumer(&mut self, now: Instant, key: ConsumerKey) {
        self.want_from_pipe(now, self.consumers[key.0].producer);
        self.begin_consumer(now, key);
    }

    fn begin_consumer(&mut self, now: Instant, key: ConsumerKey) {
        let consumer = &self.consumers[key.0];
        if consumer.paused() {
            return;
        }
        let transport = consumer.transport;
        if consumer.format.transport_cc && consumer.format.codec.kind() == MediaKind::Video {
            self.watch_bandwidth(now, transport);
        }
        if !self.consumers[key.0].has_begun() && self.bandwidth_mut(transport).is_some() {
            // Until the path is shared anew, which is within this turn.
            self.consumers[key.0].allowed_layer = 0;
        }
        self.share_soon(now, transport);
        let consumer = &self.consumers[key.0];
        let Some(best) = self.best_source(key) else { return };
        let now_us = self.clock.micros(now);
        let source = match consumer.source {
            _ if consumer.only_layer.is_some() => best,
            Some(source) if self.comes(source) || !self.comes(best) => source,
            _ if consumer.can_switch(&self.streams[best.stream.0].ring, now_us) => best,
            _ => self.lowest_source(consumer.producer).unwrap_or(best),
        };
        let (consumer, ring) = (&mut self.consumers[key.0], &self.streams[source.stream.0].ring);
        if consumer.source == Some(source) {
            consumer.restart(ring, now_us);
        } else {
            consumer.switch(source, ring, now_us);
            self.tell_layer(key);
        }
        let (consumer, ring) = (&self.consumers[key.0], &self.streams[source.stream.0].ring);
        if consumer.waits_for_keyframe(ring) {
            self.request_keyframe(now, source.stream);
        } else {
            self.queue(source.stream);
        }
        self.choose_layer(now, key);
    }

    /// Lets all consumers of a producer begin anew that are not paused.
    pub(super) fn start_consumers(&mut self, now: Instant, producer: ProducerKey) {
        self.want_from_pipe(now, producer);
        for index in 0..self.producers[producer.0].consumers.len() {
            self.begin_consumer(now, self.producers[producer.0].consumers[index]);
        }
    }

    /// Lets the consumers of a producer go over to what is best for them now.
    pub(super) fn choose_layers(&mut self, now: Instant, producer: ProducerKey) {
        for index in 0..self.producers[producer.0].consumers.len() {
            self.choose_layer(now, self.producers[producer.0].consumers[index]);
        }
    }

    pub(super) fn choose_layer(&mut self, now: Instant, key: ConsumerKey) {
        let best = self.best_source(key);
        let consumer = &mut self.consumers[key.0];
        let (Some(best), Some(source), false) = (best, consumer.source, consumer.paused()) else { return };
        if consumer.only_layer.is_some() && consumer.waits_for_keyframe(&self.streams[source.stream.0].ring) {
            // It has no other layer to begin with.
            return self.request_keyframe(now, source.stream);
        }
        let next = Some(best).filter(|best| *best != source);
        if consumer.next_source == next {
            return;
        }
        consumer.next_source = next;
        let Some(next) = next else { return };
        if consumer.can_switch(&self.streams[next.stream.0].ring, self.clock.micros(now)) {
            self.queue(next.stream);
        } else {
            self.request_keyframe(now, next.stream);
        }
    }

    /// The highest layer that comes, that the client wants and its path carries, else the lowest that comes, else the lowest.
    fn best_source(&self, key: ConsumerKey) -> Option<Source> {
        let consumer = &self.consumers[key.0];
        if let Some(only) = consumer.only_layer {
            let source = self.sources(consumer.producer).nth(usize::from(only));
            // What came over a pipe is not carried on over another.
            return source.filter(|source| !self.streams[source.stream.0].piped);
        }
        let wanted = self
            .sources(consumer.producer)
            .take_while(|source| source.layer <= consumer.preferred_layer.min(consumer.allowed_layer));
        wanted.filter(|&source| self.comes(source)).last().or_else(|| self.lowest_source(consumer.producer))
    }

    fn lowest_source(&self, producer: ProducerKey) -> Option<Source> {
        self.sources(producer).find(|&source| self.comes(source)).or_else(|| self.sources(producer).next())
    }

    fn comes(&self, source: Source) -> bool {
        self.streams[source.stream.0].active
    }

    fn sources(&self, producer: ProducerKey) -> impl Iterator<Item = Source> {
        let streams = self.producers[producer.0].streams.iter().enumerate();
        streams.map(|(layer, &stream)| Source { layer: layer as u8, stream })
    }

    /// Has the stream looked at by the fan-out.
    pub(super) fn queue(&mut self, key: StreamKey) {
        let stream = &mut self.streams[key.0];
        stream.gathers_until = None;
        if !std::mem::replace(&mut stream.queued, true) {
            self.fan_out.push(stream.kind, key);
        }
    }

    /// Finds out which layers fell silent and which nobody wants any more. To be called a few times a second.
    pub(super) fn update_layers(&mut self, now: Instant) {
        for key in 0..self.producers.capacity() {
            let Some(producer) = self.producers.get(key) else { continue };
            let (in_layers, key) = (producer.streams.len() > 1, ProducerKey(key));
            if producer.layers_piped.is_some() {
                self.want_from_pipe(now, key);
            } else if in_layers {
                self.update_wanted(now, key);
            }
            if in_layers {
                self.update_activity(now, key);
                self.ask_again(now, key);
            }
        }
    }

    fn update_activity(&mut self, now: Instant, key: ProducerKey) {
        let streams = &self.producers[key.0].streams;
        let age = |key: &StreamKey| self.streams[key.0].last_packet.map(|at| now.saturating_duration_since(at));
        if !streams.iter().filter_map(age).any(|age| age < LIVELY) {
            // All are silent: nothing is captured, or the network is gone.
            return;
        }
        let mut changed = false;
        for stream in streams {
            let stream = &mut self.streams[stream.0];
            let age = stream.last_packet.map(|at| now.saturating_duration_since(at));
            if stream.active && age.is_none_or(|age| age >= SILENT_AFTER) {
                stream.active = false;
                // Whoever waits for it goes over to another.
                stream.gate.cancel();
                changed = true;
            }
        }
        if changed {
            self.choose_layers(now, key);
        }
    }

    /// A keyframe that came may have been of no use to somebody who waits to go over to its layer.
    fn ask_again(&mut self, now: Instant, key: ProducerKey) {
        for index in 0..self.producers[key.0].consumers.len() {
            let consumer = &self.consumers[self.producers[key.0].consumers[index].0];
            if let Some(next) = consumer.next_source.filter(|_| !consumer.paused()) {
                self.request_keyframe(now, next.stream);
            }
        }
    }

    fn update_wanted(&mut self, now: Instant, key: ProducerKey) {
        let top = (self.producers[key.0].streams.len() - 1) as u8;
        let consumers = &self.producers[self.published_as(key).0].consumers;
        let viewers = consumers.iter().map(|key| &self.consumers[key.0]).filter(|c| !c.paused());
        let wanted = viewers.map(|consumer| consumer.preferred_layer.min(top)).max().unwrap_or(0);
        let producer = &mut self.producers[key.0];
        if producer.asks_anew(now, wanted, producer.layer_kept) && self.events.len() < EVENTS_MAX {
            producer.layer_kept = wanted;
            producer.unwanted_since = None;
            let (producer, transport): (ProducerId, _) = (producer.id, producer.transport);
            if let Some(transport) = transport.map(|key| self.transports[key.0].id) {
                self.emit(Event::ProducerLayer { transport, producer, layer: wanted });
            }
        }
    }

    /// Tells again which layers are wanted of what a transport sends, and which are in use, with what scores, of what it
    /// receives; the latter bit by bit.
    pub fn tell_layers(&mut self, id: TransportId) {
        let Some(&key) = self.transport_ids.get(&id) else { return };
        for producer in self.transports[key.0].producers.clone() {
            let producer = &self.producers[producer.0];
            if producer.streams.len() > 1 && producer.layers_piped.is_none() {
                let event = Event::ProducerLayer { transport: id, producer: producer.id, layer: producer.layer_kept };
                self.emit(event);
            }
        }
        self.transports[key.0].tell_from = Some(0);
        self.tell_some(key);
    }

    /// Goes on with what is to be told again. To be called a few times a second.
    pub(super) fn go_on_telling(&mut self) {
        for key in 0..self.transports.capacity() {
            if self.transports.get(key).is_some_and(|transport| transport.tell_from.is_some()) {
                self.tell_some(TransportKey(key));
            }
        }
    }

    fn tell_some(&mut self, key: TransportKey) {
        let transport = &mut self.transports[key.0];
        let Some(from) = transport.tell_from.filter(|_| self.events.len() + 2 * TOLD_MAX <= EVENTS_MAX) else { return };
        let mut rest = transport.consumers.from(from);
        let some: ArrayVec<_, TOLD_MAX> = rest.by_ref().take(TOLD_MAX).map(|(_, key)| key).collect();
        let next = rest.next().map(|(number, _)| number);
        drop(rest);
        transport.tell_from = next;
        for consumer in some {
            self.tell_layer(consumer);
            self.tell_scores(consumer);
        }
    }

    /// Tells which layer a consumer got, where there are several.
    pub(super) fn tell_layer(&mut self, key: ConsumerKey) {
        let consumer = &self.consumers[key.0];
        let told = consumer.only_layer.is_none() && self.producers[consumer.producer.0].streams.len() > 1;
        let Some(source) = consumer.source.filter(|_| told) else { return };
        let (transport, consumer) = (self.transports[consumer.transport.0].id, consumer.id);
        self.emit(Event::ConsumerLayer { transport, consumer, layer: source.layer });
    }
}
