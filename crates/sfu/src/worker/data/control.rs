//! The calls that make and close data producers and data consumers, and what closes them otherwise.

use protocol::sctp::{DataConsumerCloseReason, SctpParameters, SctpStreamParameters};
use protocol::{DataConsumerId, DataProducerId, TransportId};

use super::{DataConsumer, DataProducer, Use, transport_data};
use crate::keys::{DataConsumerKey, DataProducerKey, TransportKey};
use crate::sctp::{BothLimits, Channel, STREAMS_MAX};
use crate::worker::{Event, NotFound, RouterId, Worker};

/// Why a channel was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProduceDataError {
    /// No such transport on this worker.
    #[error("no such transport")]
    TransportNotFound,
    /// The transport was made without data channels.
    #[error("the transport has no data channels: join with enableSctp")]
    NotEnabled,
    /// The transport's association is over.
    #[error("the transport's SCTP association ended: replace the transport")]
    Ended,
    /// The id is in use.
    #[error("the data producer exists already")]
    Exists,
    /// The stream is in use, or its last channel is not closed yet on both sides.
    #[error("stream {0} is in use on this transport")]
    StreamInUse(u16),
    /// The parameters cannot be used.
    #[error("{0}")]
    Unsupported(#[from] BothLimits),
}

/// Why a channel is not received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeDataError {
    /// No such transport on this worker.
    #[error("no such transport")]
    TransportNotFound,
    /// The transport was made without data channels.
    #[error("the transport has no data channels: join with enableSctp")]
    NotEnabled,
    /// The transport's association is over.
    #[error("the transport's SCTP association ended: replace the transport")]
    Ended,
    /// No such data producer on this router.
    #[error("no such data producer")]
    DataProducerNotFound,
    /// The id is in use.
    #[error("the data consumer exists already")]
    Exists,
    /// A client has 1,024 streams per transport.
    #[error("the transport has no stream left")]
    NoStream,
}

/// What a client is told of a new data consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataConsumption {
    /// The stream and what it promises: what the data producer's does.
    pub sctp_stream_parameters: SctpStreamParameters,
    /// The data producer's.
    pub label: String,
    /// The data producer's.
    pub protocol: String,
}

impl Worker {
    /// Lets a transport have data channels. To be called before its client is told of it.
    pub fn enable_sctp(&mut self, transport: TransportId) -> Result<SctpParameters, NotFound> {
        let key = *self.transport_ids.get(&transport).ok_or(NotFound)?;
        self.transports[key.0].data.get_or_insert_default();
        Ok(SctpParameters::default())
    }

    /// Takes a client's channel for a data producer.
    pub fn produce_data(
        &mut self,
        transport: TransportId,
        id: DataProducerId,
        parameters: &SctpStreamParameters,
        label: &str,
        protocol: &str,
    ) -> Result<(), ProduceDataError> {
        let key = *self.transport_ids.get(&transport).ok_or(ProduceDataError::TransportNotFound)?;
        let Some(transport) = self.transports.get_mut(key.0) else { return Err(ProduceDataError::TransportNotFound) };
        let router = transport.router.ok_or(ProduceDataError::TransportNotFound)?;
        let data = transport.data.as_mut().ok_or(ProduceDataError::NotEnabled)?;
        if data.sctp.is_ended() {
            return Err(ProduceDataError::Ended);
        }
        let channel = Channel::new(parameters)?;
        let stream = parameters.stream_id;
        if self.data.producer_ids.contains_key(&(router, id)) {
            return Err(ProduceDataError::Exists);
        }
        if data.streams.contains_key(&stream) {
            return Err(ProduceDataError::StreamInUse(stream));
        }
        let producer = DataProducerKey(self.data.producers.insert(DataProducer {
            id,
            router,
            transport: key,
            stream,
            channel,
            label: label.into(),
            protocol: protocol.into(),
            consumers: Vec::new(),
            forwarding: None,
        }));
        data.streams.insert(stream, Use::Producer(producer));
        data.sctp.open(stream, channel);
        self.data.producer_ids.insert((router, id), producer);
        Ok(())
    }

    /// Makes a paused data consumer, and says what its client needs for it.
    pub fn consume_data(
        &mut self,
        transport: TransportId,
        id: DataConsumerId,
        producer: DataProducerId,
    ) -> Result<DataConsumption, ConsumeDataError> {
        let key = *self.transport_ids.get(&transport).ok_or(ConsumeDataError::TransportNotFound)?;
        let Some(transport) = self.transports.get_mut(key.0) else { return Err(ConsumeDataError::TransportNotFound) };
        let router = transport.router.ok_or(ConsumeDataError::TransportNotFound)?;
        let data = transport.data.as_mut().ok_or(ConsumeDataError::NotEnabled)?;
        if data.sctp.is_ended() {
            return Err(ConsumeDataError::Ended);
        }
        let producer_key = self.data.producer_ids.get(&(router, producer)).copied();
        let producer_key = producer_key.ok_or(ConsumeDataError::DataProducerNotFound)?;
        if self.data.consumer_ids.contains_key(&id) {
            return Err(ConsumeDataError::Exists);
        }
        // The one that was used longest ago, because a client may not have closed the last one yet.
        let mut streams = (0..STREAMS_MAX).map(|n| (data.next_stream + n) % STREAMS_MAX);
        let free = streams.find(|stream| !data.streams.contains_key(stream) && data.sctp.is_free(*stream));
        let stream = free.ok_or(ConsumeDataError::NoStream)?;
        data.next_stream = (stream + 1) % STREAMS_MAX;

        let producer = &mut self.data.producers[producer_key.0];
        let channel = producer.channel;
        let consumer = DataConsumerKey(self.data.consumers.insert(DataConsumer {
            id,
            producer: producer_key,
            transport: key,
            stream,
            channel,
            paused: true,
        }));
        producer.consumers.push(consumer);
        data.streams.insert(stream, Use::Consumer(consumer));
        data.sctp.open(stream, channel);
        self.data.consumer_ids.insert(id, consumer);
        Ok(DataConsumption {
            sctp_stream_parameters: channel.parameters(stream),
            label: producer.label.to_string(),
            protocol: producer.protocol.to_string(),
        })
    }

    /// Lets messages flow to a data consumer, from the next one on.
    pub fn resume_data_consumer(&mut self, id: DataConsumerId) -> Result<(), NotFound> {
        let key = *self.data.consumer_ids.get(&id).ok_or(NotFound)?;
        self.data.consumers[key.0].paused = false;
        Ok(())
    }

    /// Closes a data producer; its data consumers end, each with an event.
    pub fn close_data_producer(&mut self, router: RouterId, id: DataProducerId) -> Result<(), NotFound> {
        let key = *self.data.producer_ids.get(&(router, id)).ok_or(NotFound)?;
        self.remove_data_producer(key);
        Ok(())
    }

    /// Closes a data consumer, without an event.
    pub fn close_data_consumer(&mut self, id: DataConsumerId) -> Result<(), NotFound> {
        let key = *self.data.consumer_ids.get(&id).ok_or(NotFound)?;
        self.remove_data_consumer(key);
        Ok(())
    }

    /// Ends all that is on a transport's association, which is over: data producers with events, data consumers with
    /// events where there is a reason to give.
    pub(in crate::worker) fn end_data(&mut self, key: TransportKey, reason: Option<DataConsumerCloseReason>) {
        let Some(data) = transport_data(&mut self.transports, key) else { return };
        let mut streams: Vec<u16> = data.streams.keys().copied().collect();
        streams.sort_unstable();
        for stream in streams {
            // One that ended may have taken another along.
            let used = transport_data(&mut self.transports, key).and_then(|data| data.streams.remove(&stream));
            match (used, reason) {
                (Some(Use::Producer(producer)), _) => self.end_data_producer(producer),
                (Some(Use::Consumer(consumer)), Some(reason)) => self.end_data_consumer(consumer, reason),
                (Some(Use::Consumer(consumer)), None) => self.remove_data_consumer(consumer),
                (None, _) => {}
            }
        }
    }

    /// Removes a data producer that did not end by a call, and tells.
    pub(super) fn end_data_producer(&mut self, key: DataProducerKey) {
        let DataProducer { id, router, .. } = self.data.producers[key.0];
        self.remove_data_producer(key);
        self.emit(Event::DataProducerClosed { router, data_producer: id });
    }

    /// Removes a data consumer that did not end by a call, and tells.
    pub(super) fn end_data_consumer(&mut self, key: DataConsumerKey, reason: DataConsumerCloseReason) {
        let DataConsumer { id, transport, .. } = self.data.consumers[key.0];
        let transport = self.transports[transport.0].id;
        self.remove_data_consumer(key);
        self.emit(Event::DataConsumerClosed { transport, data_consumer: id, reason });
    }

    fn remove_data_producer(&mut self, key: DataProducerKey) {
        for consumer in std::mem::take(&mut self.data.producers[key.0].consumers) {
            self.end_data_consumer(consumer, DataConsumerCloseReason::ProducerClosed);
        }
        let producer = self.data.producers.remove(key.0);
        self.data.producer_ids.remove(&(producer.router, producer.id));
        self.close_stream(producer.transport, producer.stream);
    }

    fn remove_data_consumer(&mut self, key: DataConsumerKey) {
        let consumer = self.data.consumers.remove(key.0);
        self.data.consumer_ids.remove(&consumer.id);
        if let Some(producer) = self.data.producers.get_mut(consumer.producer.0)
            && let Some(place) = producer.consumers.iter().position(|&other| other == key)
        {
            producer.consumers.remove(place);
            if let Some((_, done)) = &mut producer.forwarding
                && place < *done
            {
                *done -= 1;
            }
        }
        self.close_stream(consumer.transport, consumer.stream);
    }

    fn close_stream(&mut self, key: TransportKey, stream: u16) {
        let Some(data) = transport_data(&mut self.transports, key) else { return };
        data.streams.remove(&stream);
        data.sctp.close(stream);
        self.write_data_later(key);
    }
}
