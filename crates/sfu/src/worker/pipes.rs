//! Other workers: a pipe carries streams from worker to worker, as SRTP between their ports, or within the process
//! unsealed over a lane.
//!
//! A pipe is a transport whose path and keys were agreed elsewhere. What goes over it goes as to and from clients: each
//! layer of a producer is a consumer here and a stream of a producer there, with NACK, retransmissions, keyframe
//! requests and reports of its own. A layer crosses once however many watch it there, and only while somebody does.
//! There is no estimate of a pipe's bandwidth: it is not a client's access but a way between servers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::rtp::{MediaKind, RtpParameters};
use protocol::{ConsumerId, ProducerId, TransportId};
use rand::Rng;

use super::control::consumer_format;
use super::paths::egress;
use super::{ConsumeError, EVENTS_MAX, Event, NotFound, ProduceError, RouterId, Worker};
use crate::ice::Pair;
use crate::keys::{ConsumerKey, ProducerKey, TransportKey};
use crate::ortc;
use crate::srtp::{KeyingError, MasterKey, OpenKeys, SealKeys, agreed_keys, plain_keys};
use crate::transmit::{Lane, Path, SocketIndex};
use crate::transport::{Peer, Transport};

/// What is taken for the round trip of a lane until a report told: a turn of each worker.
const LOCAL_ROUND_TRIP: Duration = Duration::from_millis(1);

/// Why a pipe was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenPipeError {
    /// The id is in use.
    #[error("the transport exists already")]
    Exists,
    /// The crypto library refused a key.
    #[error("{0}")]
    Keys(#[from] KeyingError),
}

impl Worker {
    /// Opens a pipe to the worker at `remote`, in place of one there was. `ours` is what this end seals with, `theirs` what
    /// the other does; neither may have been used before. `round_trip` is what is known of the way.
    pub fn open_pipe(
        &mut self,
        now: Instant,
        id: TransportId,
        socket: SocketIndex,
        remote: SocketAddr,
        [ours, theirs]: [&MasterKey; 2],
        round_trip: Option<Duration>,
    ) -> Result<(), OpenPipeError> {
        if self.transport_ids.contains_key(&id) {
            return Err(OpenPipeError::Exists);
        }
        let keys = agreed_keys(ours, theirs)?;
        let pair = Pair { socket, remote };
        let earlier = self.pairs.get(&pair).copied();
        if let Some(earlier) = earlier.filter(|key| self.transports[key.0].is_pipe()) {
            self.remove_transport(earlier);
        }
        let key = self.insert_pipe(now, id, Path::Pair(pair), keys, round_trip);
        self.pairs.insert(pair, key);
        Ok(())
    }

    /// Opens a pipe to another worker of the process, in place of one there was on this lane (be it of the same name), which
    /// is closed with an event. Its packets are plain, so nothing but that worker may ever write into the lane.
    pub fn open_local_pipe(&mut self, now: Instant, id: TransportId, lane: Lane) -> Result<(), OpenPipeError> {
        let earlier = self.lanes.get(&lane);
        if self.transport_ids.get(&id).is_some_and(|named| Some(named) != earlier) {
            return Err(OpenPipeError::Exists);
        }
        self.handle_lane_close(lane);
        let key = self.insert_pipe(now, id, Path::Lane(lane), plain_keys(), Some(LOCAL_ROUND_TRIP));
        self.lanes.insert(lane, key);
        Ok(())
    }

    /// The worker at the other end of a lane is gone, or its end is another's: the pipe there is closed, with an event.
    pub fn handle_lane_close(&mut self, lane: Lane) {
        let Some(&key) = self.lanes.get(&lane) else { return };
        let transport = self.transports[key.0].id;
        self.remove_transport(key);
        self.emit(Event::TransportClosed { transport });
    }

    fn insert_pipe(
        &mut self,
        now: Instant,
        id: TransportId,
        path: Path,
        (seal, open): (SealKeys, OpenKeys),
        round_trip: Option<Duration>,
    ) -> TransportKey {
        let mut transport = Transport::new(now, id, None, Peer::Pipe(path), &mut self.rng);
        transport.open = Some(open);
        transport.egress = Some(egress(seal, Some(path)));
        transport.round_trip = round_trip;
        let key = TransportKey(self.transports.insert(transport));
        self.transport_ids.insert(id, key);
        self.schedule(key, now);
        key
    }

    /// Has a pipe carry a producer, and says what the worker at the other end is to be told. Nothing flows until it asks
    /// for layers. What was carried of that producer before ends, if it is not the same any more. What comes over a pipe
    /// itself is not carried on: two workers that give each other the same would go on with it for ever.
    pub fn pipe_consume(
        &mut self,
        pipe: TransportId,
        router: RouterId,
        producer: ProducerId,
    ) -> Result<(MediaKind, RtpParameters), ConsumeError> {
        let pipe_key = self.pipe(pipe).ok_or(ConsumeError::TransportNotFound)?;
        let producer_key = self.producer_key(router, producer).ok_or(ConsumeError::ProducerNotFound)?;
        // Who is on the way to this worker is carried as they will come.
        let source = self.producers[producer_key.0].successor.unwrap_or(producer_key);
        let mapping = self.producers[source.0].mapping.clone();
        let mut carried = self.carried(pipe_key, producer_key);
        if carried.len() != mapping.encodings.len() {
            carried.drain(..).for_each(|key| self.remove_consumer(key));
        }
        let transport = &mut self.transports[pipe_key.0];
        let ssrcs: Vec<(u32, u32)> = match carried.len() {
            0 => mapping.encodings.iter().map(|_| (transport.fresh_ssrc(), transport.fresh_ssrc())).collect(),
            _ => carried.iter().map(|key| self.consumers[key.0].format.ssrcs()).collect(),
        };
        let parameters = ortc::pipe_parameters(&mapping, &ssrcs);
        if carried.is_empty() {
            for (layer, encoding) in parameters.encodings.iter().enumerate() {
                let one = RtpParameters { encodings: vec![encoding.clone()], ..parameters.clone() };
                let id = ConsumerId(self.rng.random());
                let key = self.insert_consumer(pipe_key, producer_key, id, consumer_format(&mapping, &one));
                let consumer = &mut self.consumers[key.0];
                (consumer.only_layer, consumer.preferred_layer) = (Some(layer as u8), layer as u8);
            }
        }
        Ok((mapping.kind, parameters))
    }

    /// Lets the lowest so many layers of a producer flow over a pipe that carries it, each from its next keyframe on.
    pub fn set_pipe_layers(
        &mut self,
        now: Instant,
        pipe: TransportId,
        router: RouterId,
        producer: ProducerId,
        layers: u8,
    ) -> Result<(), NotFound> {
        for key in self.carried_by(pipe, router, producer)? {
            let consumer = &mut self.consumers[key.0];
            let wanted = consumer.only_layer.is_some_and(|layer| layer < layers);
            if wanted && consumer.paused() {
                consumer.resume();
                self.start_consumer(now, key);
            } else if !wanted {
                consumer.pause();
            }
        }
        Ok(())
    }

    /// Has a pipe carry a producer no more.
    pub fn pipe_unconsume(
        &mut self,
        pipe: TransportId,
        router: RouterId,
        producer: ProducerId,
    ) -> Result<(), NotFound> {
        self.carried_by(pipe, router, producer)?.into_iter().for_each(|key| self.remove_consumer(key));
        Ok(())
    }

    /// Makes a producer of what comes over a pipe, as the worker at its other end described it, or gives one that exists
    /// that source: its consumers go on with it.
    pub fn pipe_produce(
        &mut self,
        now: Instant,
        pipe: TransportId,
        router: RouterId,
        id: ProducerId,
        (kind, parameters): (MediaKind, &RtpParameters),
        paused: bool,
    ) -> Result<(), ProduceError> {
        let pipe = self.pipe(pipe).filter(|_| self.routers.contains_key(&router));
        let pipe = pipe.ok_or(ProduceError::TransportNotFound)?;
        let mapping = ortc::producer_mapping(kind, parameters)?;
        let key = self.produce_on(now, pipe, router, id, mapping, paused)?;
        self.want_from_pipe(now, key);
        Ok(())
    }

    /// Asks the worker that feeds a producer for what is wanted of it: for more at once, for less after a while.
    pub(super) fn want_from_pipe(&mut self, now: Instant, key: ProducerKey) {
        if let Some(successor) = self.producers[key.0].successor {
            self.want_from_pipe(now, successor);
        }
        let published = &self.producers[self.published_as(key).0];
        let producer = &self.producers[key.0];
        let (Some(asked), Some(pipe)) = (producer.layers_piped, producer.transport) else { return };
        let top = producer.streams.len().saturating_sub(1) as u8;
        let viewers = published.consumers.iter().map(|key| &self.consumers[key.0]);
        // What comes over a pipe goes to nobody over another.
        let viewers = viewers.filter(|consumer| !consumer.paused() && consumer.only_layer.is_none());
        let wanted = viewers.map(|consumer| consumer.preferred_layer.min(top) + 1).max().unwrap_or(0);
        let producer = &mut self.producers[key.0];
        if producer.asks_anew(now, wanted, asked) && self.events.len() < EVENTS_MAX {
            producer.layers_piped = Some(wanted);
            producer.unwanted_since = None;
            let (router, producer, pipe) = (producer.router, producer.id, self.transports[pipe.0].id);
            self.emit(Event::PipeLayers { pipe, router, producer, layers: wanted });
        }
    }

    fn pipe(&self, id: TransportId) -> Option<TransportKey> {
        let key = *self.transport_ids.get(&id)?;
        self.transports[key.0].is_pipe().then_some(key)
    }

    /// The consumers by which a pipe carries a producer, from the lowest layer up.
    fn carried(&self, pipe: TransportKey, producer: ProducerKey) -> Vec<ConsumerKey> {
        let consumers = self.producers[producer.0].consumers.iter().copied();
        consumers.filter(|key| self.consumers[key.0].transport == pipe).collect()
    }

    fn carried_by(
        &self,
        pipe: TransportId,
        router: RouterId,
        producer: ProducerId,
    ) -> Result<Vec<ConsumerKey>, NotFound> {
        let producer = self.producer_key(router, producer).ok_or(NotFound)?;
        Ok(self.carried(self.pipe(pipe).ok_or(NotFound)?, producer))
    }
}
