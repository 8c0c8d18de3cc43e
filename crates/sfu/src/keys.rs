//! Keys of what a worker holds: places in its slabs, valid until the thing is closed.

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $name(pub(crate) usize);
    };
}

key!(
    /// A transport.
    TransportKey
);
key!(
    /// A producer.
    ProducerKey
);
key!(
    /// A consumer.
    ConsumerKey
);
key!(
    /// A data producer.
    DataProducerKey
);
key!(
    /// A data consumer.
    DataConsumerKey
);
key!(
    /// An incoming stream: one SSRC of one producer.
    StreamKey
);
