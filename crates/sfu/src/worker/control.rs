//! The calls that make, change and close routers, transports, producers and consumers.

use std::time::Instant;

use protocol::rtp::{MediaKind, RtpCapabilities, RtpParameters};
use protocol::transport::{DtlsParameters, IceParameters, TransportOptions};
use protocol::{ConsumerId, ProducerId, TransportId};
use rand::Rng;

use super::speakers::{LEVEL_MIN, SILENCE};
use super::{Event, Router, RouterId, Worker};
use crate::consumer::{Consumer, ConsumerFormat};
use crate::consumer_list::ConsumerList;
use crate::dtls::DtlsServer;
use crate::ice::{Credentials, IceLite, candidates};
use crate::keys::{ConsumerKey, ProducerKey, StreamKey, TransportKey};
use crate::ortc::producer::ENCODINGS_MAX;
use crate::ortc::{self, ProducerMapping};
use crate::producer::Producer;
use crate::rtp::Extension;
use crate::stream::Stream;
use crate::transmit::Path;
use crate::transport::{Client, Incoming, Peer, Transport};

/// Why a router was not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouterError {
    /// The id is in use.
    #[error("the router exists already")]
    Exists,
}

/// Why a transport was not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreateTransportError {
    /// No such router on this worker.
    #[error("no such router")]
    RouterNotFound,
    /// The id is in use.
    #[error("the transport exists already")]
    Exists,
}

/// Why a transport was not connected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No such transport on this worker.
    #[error("no such transport")]
    TransportNotFound,
    /// The client's DTLS parameters were given before.
    #[error("the transport was connected before")]
    AlreadyConnected,
    /// None of the fingerprints can be checked, or the role does not fit.
    #[error("{0}")]
    Parameters(#[from] crate::dtls::RemoteParametersError),
}

/// Why something was not produced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// No such transport on this worker.
    #[error("no such transport")]
    TransportNotFound,
    /// An SSRC of it is in use on this transport.
    #[error("SSRC {0} is in use on this transport")]
    SsrcInUse(u32),
    /// The parameters cannot be used.
    #[error("{0}")]
    Unsupported(#[from] ortc::UnsupportedParameters),
}

/// Why something was not consumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// No such transport on this worker.
    #[error("no such transport")]
    TransportNotFound,
    /// No such producer on this router.
    #[error("no such producer")]
    ProducerNotFound,
    /// The id is in use.
    #[error("the consumer exists already")]
    Exists,
    /// The receiver cannot decode it.
    #[error("{0}")]
    Unsupported(#[from] ortc::CannotConsume),
}

/// The call names something that is not on this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not found")]
pub struct NotFound;

impl Worker {
    /// Makes a router.
    pub fn create_router(&mut self, id: RouterId) -> Result<(), RouterError> {
        if self.routers.contains_key(&id) {
            return Err(RouterError::Exists);
        }
        self.routers.insert(id, Router::default());
        Ok(())
    }

    /// Closes a router with all that is on it, without events: the caller knows what it held.
    pub fn close_router(&mut self, id: RouterId) {
        let Some(router) = self.routers.remove(&id) else { return };
        for &key in &router.transports {
            self.end_data(key, None);
        }
        for key in router.transports {
            self.remove_transport(key);
        }
        for key in router.producers.into_values() {
            // What pipes feed, and what they carry on.
            self.remove_successor(key);
            let gone = self.detach_source(key);
            self.forget_streams(gone);
            for consumer in std::mem::take(&mut self.producers[key.0].consumers).into_iter().rev() {
                self.remove_consumer(consumer);
            }
            self.producers.remove(key.0);
        }
        let closed = |event: &Event| match event {
            Event::AudioLevels { router, .. }
            | Event::ActiveSpeaker { router, .. }
            | Event::DataProducerClosed { router, .. } => *router != id,
            _ => true,
        };
        self.events.retain(closed);
    }

    /// Makes a transport and says how a client reaches it.
    pub fn create_transport(
        &mut self,
        now: Instant,
        router: RouterId,
        id: TransportId,
    ) -> Result<TransportOptions, CreateTransportError> {
        if self.transport_ids.contains_key(&id) {
            return Err(CreateTransportError::Exists);
        }
        let members = self.routers.get_mut(&router).ok_or(CreateTransportError::RouterNotFound)?;
        let ice = IceLite::new(Credentials::random(&mut self.rng));
        let ice_parameters = ice_parameters(&ice);
        let ufrag = ice_parameters.username_fragment.clone();
        let dtls = DtlsServer::new(self.config.identity.clone());
        let peer = Peer::Client(Box::new(Client { ice, dtls }));
        let key = TransportKey(self.transports.insert(Transport::new(now, id, Some(router), peer, &mut self.rng)));
        members.transports.insert(key);
        self.transport_ids.insert(id, key);
        self.ufrags.insert(ufrag, key);
        self.schedule(key, now);
        Ok(TransportOptions {
            id,
            ice_parameters,
            ice_candidates: candidates(&self.config.listen),
            dtls_parameters: self.config.identity.parameters(),
            sctp_parameters: None,
        })
    }

    /// Takes the client's DTLS parameters; media flows once ICE and DTLS are through.
    pub fn connect_transport(
        &mut self,
        now: Instant,
        id: TransportId,
        parameters: &DtlsParameters,
    ) -> Result<(), ConnectError> {
        let key = *self.transport_ids.get(&id).ok_or(ConnectError::TransportNotFound)?;
        let client = self.transports[key.0].client_mut().ok_or(ConnectError::TransportNotFound)?;
        if client.dtls.has_remote_parameters() {
            return Err(ConnectError::AlreadyConnected);
        }
        client.dtls.set_remote_parameters(now, parameters)?;
        self.poll_dtls(now, key);
        Ok(())
    }

    /// Gives a transport new ICE credentials; media goes on over the present path until the client has checked
    /// the new one.
    pub fn restart_ice(&mut self, id: TransportId) -> Result<IceParameters, NotFound> {
        let key = *self.transport_ids.get(&id).ok_or(NotFound)?;
        let client = self.transports[key.0].client_mut().ok_or(NotFound)?;
        let retired = client.ice.restart(Credentials::random(&mut self.rng));
        let parameters = ice_parameters(&client.ice);
        self.ufrags.remove(&retired.unwrap_or_default());
        self.ufrags.insert(parameters.username_fragment.clone(), key);
        Ok(parameters)
    }

    /// Closes a transport with its consumers. Its producers lose their source but stay, with their consumers,
    /// until they are produced again or closed.
    pub fn close_transport(&mut self, id: TransportId) -> Result<(), NotFound> {
        let key = *self.transport_ids.get(&id).ok_or(NotFound)?;
        self.remove_transport(key);
        Ok(())
    }

    /// Makes a producer, or gives one that exists a new source: its consumers go on with it, as soon as something comes
    /// from it.
    pub fn produce(
        &mut self,
        now: Instant,
        transport: TransportId,
        id: ProducerId,
        kind: MediaKind,
        parameters: &RtpParameters,
        paused: bool,
    ) -> Result<(), ProduceError> {
        let transport_key = *self.transport_ids.get(&transport).ok_or(ProduceError::TransportNotFound)?;
        let router = self.transports[transport_key.0].router.ok_or(ProduceError::TransportNotFound)?;
        let mapping = ortc::producer_mapping(kind, parameters)?;
        if self.comes_by(transport_key, router, id, &mapping) {
            // Asked once more, because the answer was lost or the room's log was away. The media just goes on.
            let _ = if paused { self.pause_producer(router, id) } else { self.resume_producer(now, router, id) };
            return Ok(());
        }
        self.produce_on(now, transport_key, router, id, mapping, paused).map(|_| ())
    }

    /// Whether a producer's source, or the one that is to be, is this one already.
    fn comes_by(&self, transport: TransportKey, router: RouterId, id: ProducerId, mapping: &ProducerMapping) -> bool {
        self.producer_key(router, id).is_some_and(|key| {
            let newest = self.producers[key.0].successor.unwrap_or(key);
            let Producer { transport: from, mapping: known, .. } = &self.producers[newest.0];
            *from == Some(transport) && known == mapping
        })
    }

    /// The same of what is understood already, on whatever transport.
    pub(super) fn produce_on(
        &mut self,
        now: Instant,
        transport_key: TransportKey,
        router: RouterId,
        id: ProducerId,
        mapping: ProducerMapping,
        paused: bool,
    ) -> Result<ProducerKey, ProduceError> {
        let existing = self.producer_key(router, id);
        let own = |incoming: &Incoming| existing == Some(self.published_as(self.streams[incoming.stream.0].producer));
        for ssrc in mapping.encodings.iter().flat_map(|e| [e.ssrc, e.rtx_ssrc]).flatten() {
            if self.transports[transport_key.0].incoming.get(&ssrc).is_some_and(|incoming| !own(incoming)) {
                return Err(ProduceError::SsrcInUse(ssrc));
            }
        }
        let key = match existing {
            Some(key) if self.producers[key.0].mapping.codec == mapping.codec => key,
            other => {
                if other.is_some() {
                    // Its consumers were told another codec and cannot go on.
                    self.remove_producer(router, id);
                }
                let key = self.insert_producer(router, id, mapping.clone());
                if let Some(router) = self.routers.get_mut(&router) {
                    router.producers.insert(id, key);
                }
                key
            }
        };
        self.remove_successor(key);
        if self.waits_for_successor(key, transport_key, paused) {
            return Ok(self.insert_successor(now, key, transport_key, mapping));
        }
        let gone = self.detach_source(key);
        self.attach_source(now, key, transport_key, mapping, paused);
        self.forget_streams(gone);
        Ok(key)
    }

    /// Whether a producer is paused; `None` if there is no such.
    pub fn is_producer_paused(&self, router: RouterId, id: ProducerId) -> Option<bool> {
        Some(self.producers[self.producer_key(router, id)?.0].paused)
    }

    /// Stops what a producer sends at the server, whatever the client does.
    pub fn pause_producer(&mut self, router: RouterId, id: ProducerId) -> Result<(), NotFound> {
        let producer = self.producer_mut(router, id)?;
        producer.paused = true;
        let streams = producer.streams.clone();
        if let Some(successor) = producer.successor {
            self.producers[successor.0].paused = true;
        }
        for key in streams {
            // What goes missing meanwhile nobody misses, and no keyframe would be taken in.
            let stream = &mut self.streams[key.0];
            stream.gate.cancel();
            if let Some(nack) = &mut stream.nack {
                nack.reset();
            }
        }
        Ok(())
    }

    /// Lets a producer's media pass again.
    pub fn resume_producer(&mut self, now: Instant, router: RouterId, id: ProducerId) -> Result<(), NotFound> {
        let producer = self.producer_mut(router, id)?;
        if std::mem::replace(&mut producer.paused, false) {
            if let Some(successor) = producer.successor {
                self.producers[successor.0].paused = false;
            }
            let key = self.routers[&router].producers[&id];
            for stream in &self.producers[key.0].streams {
                self.streams[stream.0].expected_since = now;
            }
            self.start_consumers(now, key);
        }
        Ok(())
    }

    /// Closes a producer; its consumers end, each with an event.
    pub fn close_producer(&mut self, router: RouterId, id: ProducerId) -> Result<(), NotFound> {
        self.producer_mut(router, id)?;
        self.remove_producer(router, id);
        Ok(())
    }

    /// Makes a paused consumer and says what its client will receive.
    pub fn consume(
        &mut self,
        transport: TransportId,
        id: ConsumerId,
        producer: ProducerId,
        capabilities: &RtpCapabilities,
    ) -> Result<(MediaKind, RtpParameters), ConsumeError> {
        let transport_key = *self.transport_ids.get(&transport).ok_or(ConsumeError::TransportNotFound)?;
        let transport = &mut self.transports[transport_key.0];
        let router = transport.router.and_then(|router| self.routers.get(&router));
        let router = router.ok_or(ConsumeError::TransportNotFound)?;
        let producer_key = *router.producers.get(&producer).ok_or(ConsumeError::ProducerNotFound)?;
        if self.consumer_ids.contains_key(&id) {
            return Err(ConsumeError::Exists);
        }
        let producer = &self.producers[producer_key.0];

        let (ssrc, rtx_ssrc) = (transport.fresh_ssrc(), transport.fresh_ssrc());
        let (mid, cname) = (transport.next_mid.to_string(), producer.id.participant.to_string());
        let stream = ortc::ConsumerStream { mid: &mid, cname: &cname, ssrc, rtx_ssrc };
        let parameters = ortc::consumer_parameters(&producer.mapping, capabilities, stream)?;
        transport.next_mid += 1;

        let kind = producer.kind;
        let format = consumer_format(&producer.mapping, &parameters);
        self.insert_consumer(transport_key, producer_key, id, format);
        Ok((kind, parameters))
    }

    pub(super) fn insert_consumer(
        &mut self,
        transport: TransportKey,
        producer: ProducerKey,
        id: ConsumerId,
        format: ConsumerFormat,
    ) -> ConsumerKey {
        let ssrc = format.ssrc;
        let (first, first_rtx) = (self.rng.random(), self.rng.random());
        self.consumers_made += 1;
        let number = self.consumers_made;
        let consumer = Consumer::new(id, number, transport, producer, format, first, first_rtx);
        let key = ConsumerKey(self.consumers.insert(consumer));
        self.fan_out.reserve(self.consumers.len());
        self.producers[producer.0].consumers.push(number, key);
        let transport = &mut self.transports[transport.0];
        transport.consumers.push(number, key);
        transport.consumer_ssrcs.insert(ssrc, key);
        self.consumer_ids.insert(id, key);
        self.fan_out.consumers_changed();
        key
    }

    /// Lets a consumer's media flow, from the next keyframe on.
    pub fn resume_consumer(&mut self, now: Instant, id: ConsumerId) -> Result<(), NotFound> {
        let key = *self.consumer_ids.get(&id).ok_or(NotFound)?;
        let consumer = &mut self.consumers[key.0];
        if consumer.paused() {
            consumer.resume();
            self.start_consumer(now, key);
        }
        Ok(())
    }

    /// Stops a consumer's media for now.
    pub fn pause_consumer(&mut self, id: ConsumerId) -> Result<(), NotFound> {
        let key = *self.consumer_ids.get(&id).ok_or(NotFound)?;
        self.consumers[key.0].pause();
        Ok(())
    }

    /// Closes a consumer, without an event.
    pub fn close_consumer(&mut self, id: ConsumerId) -> Result<(), NotFound> {
        let key = *self.consumer_ids.get(&id).ok_or(NotFound)?;
        self.remove_consumer(key);
        Ok(())
    }

    pub(super) fn producer_key(&self, router: RouterId, id: ProducerId) -> Option<ProducerKey> {
        self.routers.get(&router)?.producers.get(&id).copied()
    }

    fn producer_mut(&mut self, router: RouterId, id: ProducerId) -> Result<&mut Producer, NotFound> {
        let key = self.producer_key(router, id).ok_or(NotFound)?;
        self.producers.get_mut(key.0).ok_or(NotFound)
    }

    pub(super) fn insert_producer(
        &mut self,
        router: RouterId,
        id: ProducerId,
        mapping: ProducerMapping,
    ) -> ProducerKey {
        let kind = mapping.kind;
        ProducerKey(self.producers.insert(Producer {
            id,
            router,
            kind,
            transport: None,
            mapping,
            streams: Vec::new(),
            successor: None,
            succeeds: None,
            consumers: ConsumerList::default(),
            paused: false,
            level: SILENCE,
            level_told: LEVEL_MIN,
            speech: (kind == MediaKind::Audio).then(Box::default),
            layer_kept: 0,
            unwanted_since: None,
            layers_piped: None,
        }))
    }

    /// Feeds a producer from a transport, and its consumers with it.
    pub(super) fn attach_source(
        &mut self,
        now: Instant,
        key: ProducerKey,
        transport_key: TransportKey,
        mapping: ProducerMapping,
        paused: bool,
    ) {
        let transport = &mut self.transports[transport_key.0];
        let producer = &mut self.producers[key.0];
        let piped = transport.is_pipe();
        transport.producers.push(key);
        // So that no packet that tells of a loss has to make room.
        transport.lacking.reserve(transport.producers.len() * ENCODINGS_MAX);
        producer.transport = Some(transport_key);
        producer.paused = paused;
        for encoding in &mapping.encodings {
            let mut stream = Stream::new(now, key, transport_key, producer.kind, mapping.codec.row.codec);
            stream.ssrc = encoding.ssrc;
            stream.rid.clone_from(&encoding.rid);
            if piped {
                stream.come_by_pipe(mapping.rtx_payload_type.is_some());
            }
            let stream_key = StreamKey(self.streams.insert(stream));
            producer.streams.push(stream_key);
            for (ssrc, is_rtx) in [(encoding.ssrc, false), (encoding.rtx_ssrc, true)] {
                if let Some(ssrc) = ssrc {
                    transport.incoming.insert(ssrc, Incoming { stream: stream_key, is_rtx });
                }
            }
        }
        // A publisher begins with all its layers.
        producer.layer_kept = (mapping.encodings.len() - 1) as u8;
        producer.unwanted_since = None;
        producer.layers_piped = piped.then_some(0);
        producer.mapping = mapping;
        self.start_consumers(now, key);
    }

    /// Takes the source from a producer; its consumers wait for the next. Gives the SSRCs that came over a pipe.
    pub(super) fn detach_source(&mut self, key: ProducerKey) -> Option<(TransportKey, Vec<u32>)> {
        let producer = &mut self.producers[key.0];
        let streams = std::mem::take(&mut producer.streams);
        for &consumer in &producer.consumers {
            self.consumers[consumer.0].detach();
            // Slots of this ring name other packets in the next.
            self.fan_out.forget_retransmissions(consumer);
        }
        let mut piped = None;
        if let Some(from) = producer.transport.take()
            && let Some(transport) = self.transports.get_mut(from.0)
        {
            transport.producers.retain(|&producer| producer != key);
            transport.lacking.retain(|stream| !streams.contains(stream));
            if transport.is_pipe() {
                let encodings = producer.mapping.encodings.iter();
                let ssrcs: Vec<u32> =
                    encodings.flat_map(|encoding| [encoding.ssrc, encoding.rtx_ssrc]).flatten().collect();
                ssrcs.iter().for_each(|ssrc| _ = transport.incoming.remove(ssrc));
                piped = Some((from, ssrcs));
            } else {
                transport.incoming.retain(|_, incoming| !streams.contains(&incoming.stream));
            }
        }
        for stream in streams {
            self.streams.try_remove(stream.0);
            self.fan_out.forget_stream(stream);
        }
        piped
    }

    /// Forgets what is kept of streams that came over a pipe, unless they come over it still.
    pub(super) fn forget_streams(&mut self, gone: Option<(TransportKey, Vec<u32>)>) {
        let Some((transport, ssrcs)) = gone else { return };
        let Some(transport) = self.transports.get_mut(transport.0) else { return };
        let Some(open) = &mut transport.open else { return };
        ssrcs.into_iter().filter(|ssrc| !transport.incoming.contains_key(ssrc)).for_each(|ssrc| open.forget(ssrc));
    }

    fn remove_producer(&mut self, router: RouterId, id: ProducerId) {
        let Some(key) = self.routers.get_mut(&router).and_then(|router| router.producers.remove(&id)) else { return };
        self.remove_successor(key);
        let gone = self.detach_source(key);
        self.forget_streams(gone);
        for consumer_key in std::mem::take(&mut self.producers[key.0].consumers).into_iter().rev() {
            let consumer = &self.consumers[consumer_key.0];
            let (consumer, transport) = (consumer.id, self.transports[consumer.transport.0].id);
            self.remove_consumer(consumer_key);
            self.emit(Event::ConsumerClosed { transport, consumer, producer: id });
        }
        self.producers.remove(key.0);
    }

    pub(super) fn remove_consumer(&mut self, key: ConsumerKey) {
        let Consumer { id, number, transport, producer, format, .. } = self.consumers.remove(key.0);
        self.consumer_ids.remove(&id);
        if let Some(producer) = self.producers.get_mut(producer.0) {
            producer.consumers.remove(number);
        }
        if let Some(transport) = self.transports.get_mut(transport.0) {
            transport.consumers.remove(number);
            transport.consumer_ssrcs.remove(&format.ssrc);
        }
        self.fan_out.forget_consumer(key);
        self.fan_out.consumers_changed();
    }

    pub(super) fn remove_transport(&mut self, key: TransportKey) {
        self.end_data(key, None);
        for producer in std::mem::take(&mut self.transports[key.0].producers) {
            self.detach_source(producer);
            if let Some(published) = self.producers[producer.0].succeeds {
                self.remove_successor(published);
            }
        }
        // The newest first, as they are at the ends of other lists too.
        for consumer in std::mem::take(&mut self.transports[key.0].consumers).into_iter().rev() {
            self.remove_consumer(consumer);
        }
        let transport = self.transports.remove(key.0);
        if let Some(egress) = &transport.egress {
            self.stats.packets_out += egress.packets;
            self.stats.bytes_out += egress.bytes;
        }
        self.transport_ids.remove(&transport.id);
        for ufrag in transport.client().into_iter().flat_map(|client| client.ice.ufrags()) {
            self.ufrags.remove(ufrag);
        }
        for pair in transport.pairs() {
            if self.pairs.get(&pair) == Some(&key) {
                self.pairs.remove(&pair);
            }
        }
        if let Some(Path::Lane(lane)) = transport.path() {
            self.lanes.remove(&lane);
        }
        if let Some(router) = transport.router.and_then(|router| self.routers.get_mut(&router)) {
            router.transports.remove(&key);
        }
        if self.transports.is_empty() {
            // Nobody wakes the worker any more, so nothing else would take out what is superseded.
            self.timers.clear();
        }
    }
}

fn ice_parameters(ice: &IceLite) -> IceParameters {
    let Credentials { ufrag, password } = ice.credentials().clone();
    IceParameters { username_fragment: ufrag, password, ice_lite: true }
}

/// What a consumer writes, from what its client was told.
pub(super) fn consumer_format(mapping: &ProducerMapping, parameters: &RtpParameters) -> ConsumerFormat {
    let encoding = parameters.encodings.first();
    let payload_type = |rtx: bool| {
        let mut codecs = parameters.codecs.iter();
        codecs.find(|codec| codec.mime_type.ends_with("/rtx") == rtx).map(|codec| codec.payload_type)
    };
    let taken =
        |extension: Extension| parameters.header_extensions.iter().any(|taken| taken.id == extension.router_id());
    let extensions = parameters.header_extensions.iter().filter(|taken| taken.id < 16);
    ConsumerFormat {
        codec: mapping.codec.row.codec,
        ssrc: encoding.and_then(|e| e.ssrc).unwrap_or_default(),
        payload_type: payload_type(false).unwrap_or_default(),
        rtx: encoding.and_then(|e| e.rtx).zip(payload_type(true)).map(|(rtx, payload_type)| (rtx.ssrc, payload_type)),
        clock_rate: mapping.codec.row.clock_rate,
        mid: parameters.mid.clone().filter(|_| taken(Extension::Mid)),
        transport_cc: taken(Extension::TransportCc),
        abs_send_time: taken(Extension::AbsSendTime),
        extensions: extensions.fold(0, |bits, taken| bits | 1 << taken.id),
    }
}
