//! Data channels: data producers, data consumers, and the messages between them.
//!
//! A data producer ends with its transport's association, because a message that got lost between two could not be
//! told from one that was never sent. A data consumer is a channel of its own with its data producer's promises.
//! `control` holds the calls, `forward` brings messages from one association to the others and to the network.

mod control;
mod forward;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use protocol::{DataConsumerId, DataProducerId};
use rustc_hash::FxHashMap;
use slab::Slab;

pub use control::{ConsumeDataError, DataConsumption, ProduceDataError};

use super::RouterId;
use crate::keys::{DataConsumerKey, DataProducerKey, TransportKey};
use crate::sctp::{Channel, Message, SctpAssociation};
use crate::transport::Transport;

/// A transport's end of its data channels.
#[derive(Default)]
pub(crate) struct TransportData {
    sctp: SctpAssociation,
    streams: FxHashMap<u16, Use>,
    /// Where the search for the stream of the next data consumer begins.
    next_stream: u16,
    /// Whether the worker's list of those to be read has this one.
    to_be_read: bool,
    /// The same of those to be written.
    to_be_written: bool,
}

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Producer(DataProducerKey),
    Consumer(DataConsumerKey),
}

/// A channel that one participant sends on.
struct DataProducer {
    id: DataProducerId,
    router: RouterId,
    transport: TransportKey,
    stream: u16,
    channel: Channel,
    label: Arc<str>,
    protocol: Arc<str>,
    consumers: Vec<DataConsumerKey>,
    /// The message that is being given to the consumers, and how many have it.
    forwarding: Option<(Message, usize)>,
}

/// One receiver's channel of a data producer.
struct DataConsumer {
    id: DataConsumerId,
    producer: DataProducerKey,
    transport: TransportKey,
    stream: u16,
    channel: Channel,
    paused: bool,
}

/// All data channels of a worker.
#[derive(Default)]
pub(super) struct DataChannels {
    producers: Slab<DataProducer>,
    consumers: Slab<DataConsumer>,
    producer_ids: FxHashMap<(RouterId, DataProducerId), DataProducerKey>,
    consumer_ids: FxHashMap<DataConsumerId, DataConsumerKey>,
    /// Transports with whole messages.
    to_be_read: VecDeque<TransportKey>,
    /// Transports that may have packets to send.
    to_be_written: VecDeque<TransportKey>,
    /// Since when messages wait for the next turn.
    waiting_since: Option<Instant>,
}

impl DataChannels {
    pub(super) fn producers(&self) -> usize {
        self.producers.len()
    }

    pub(super) fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// When messages that wait are to be looked at.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting_since
    }
}

/// A transport's data channels, if it is there and has any.
fn transport_data(transports: &mut Slab<Transport>, key: TransportKey) -> Option<&mut TransportData> {
    transports.get_mut(key.0)?.data.as_deref_mut()
}
