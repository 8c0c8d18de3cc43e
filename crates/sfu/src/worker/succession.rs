//! A producer's next source, which takes over with its first packet.
//!
//! Somebody moves to another node, or replaces a transport: they publish by a new one while the one before still brings
//! something. Between the call and the first packet lie ICE and DTLS, and on a pipe some round trips, through which the
//! earlier source goes on. The next one is a producer that no router knows meanwhile, with streams and a mapping of its
//! own but no consumers: packets take the path that they take in any case.

use std::time::Instant;

use super::Worker;
use crate::keys::{ProducerKey, TransportKey};
use crate::ortc::ProducerMapping;
use crate::producer::Producer;

impl Worker {
    /// Whether a producer goes on with its present source until another brings something. Who is muted is not waited for.
    pub(super) fn waits_for_successor(&self, key: ProducerKey, transport: TransportKey, paused: bool) -> bool {
        let producer = &self.producers[key.0];
        producer.transport.is_some_and(|present| present != transport) && !producer.paused && !paused
    }

    /// Attaches what will be a producer's source.
    pub(super) fn insert_successor(
        &mut self,
        now: Instant,
        key: ProducerKey,
        transport: TransportKey,
        mapping: ProducerMapping,
    ) -> ProducerKey {
        let Producer { router, id, .. } = self.producers[key.0];
        let successor = self.insert_producer(router, id, mapping.clone());
        self.producers[successor.0].succeeds = Some(key);
        self.producers[key.0].successor = Some(successor);
        self.attach_source(now, successor, transport, mapping, false);
        successor
    }

    /// Something came from a source: if it was waited for, it is the producer's from now on. Gives the producer.
    pub(super) fn succeed(&mut self, now: Instant, successor: ProducerKey) -> ProducerKey {
        let Some(key) = self.producers[successor.0].succeeds else { return successor };
        let gone = self.detach_source(key);
        let next = self.producers.remove(successor.0);
        for stream in &next.streams {
            self.streams[stream.0].producer = key;
        }
        if let Some(transport) = next.transport.and_then(|transport| self.transports.get_mut(transport.0)) {
            let places = transport.producers.iter_mut().filter(|place| **place == successor);
            places.for_each(|place| *place = key);
        }
        let producer = &mut self.producers[key.0];
        producer.successor = None;
        (producer.transport, producer.mapping, producer.streams) = (next.transport, next.mapping, next.streams);
        (producer.layer_kept, producer.layers_piped) = (next.layer_kept, next.layers_piped);
        producer.unwanted_since = None;
        self.forget_streams(gone);
        self.start_consumers(now, key);
        key
    }

    /// Gives up a source that was waited for: it is published anew, or its transport or producer is gone.
    pub(super) fn remove_successor(&mut self, key: ProducerKey) {
        let Some(successor) = self.producers[key.0].successor.take() else { return };
        let gone = self.detach_source(successor);
        self.producers.remove(successor.0);
        self.forget_streams(gone);
    }

    /// The producer that a source is, or will be, of: the one that has its consumers.
    pub(super) fn published_as(&self, key: ProducerKey) -> ProducerKey {
        self.producers[key.0].succeeds.unwrap_or(key)
    }
}
