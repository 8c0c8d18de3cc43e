//! What came in and what the limits refused: counters that `server` exports.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One number of [`SignalingMetrics`].
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn sub(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

macro_rules! metrics {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// Counters of the signalling server, all zero at the start.
        #[derive(Debug, Default)]
        pub struct SignalingMetrics {
            $(#[doc = $doc] pub(crate) $name: Count,)*
        }

        impl SignalingMetrics {
            /// The numbers now.
            pub fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot {
                    values: vec![$(Metric {
                        name: concat!("signaling_", stringify!($name)),
                        help: $doc.trim_ascii(),
                        value: self.$name.0.load(Relaxed),
                    },)*],
                }
            }
        }
    };
}

metrics! {
    /// Engine.IO sockets that are open.
    sockets_open,
    /// Sockets that were welcomed and are open.
    sessions_open,
    /// Join calls that reached the handler.
    joins_total,
    /// Sockets that were opened.
    sockets_total,
    /// Requests that reached the handler.
    requests_total,
    /// Beats that were answered.
    beats_total,
    /// Pages of an origin that is not allowed.
    refused_origin_total,
    /// Join calls over `joins_per_second_per_address`.
    refused_join_rate_total,
    /// New sockets over `joins_per_second_per_address`.
    refused_connect_rate_total,
    /// Sockets over `sockets_per_address_max`.
    refused_sockets_per_address_total,
    /// CONNECT packets whose payload has the wrong shape.
    refused_connect_shape_total,
    /// CONNECT packets to a namespace other than `/`.
    refused_namespace_total,
    /// Requests over `requests_per_second`.
    refused_request_rate_total,
    /// Requests over the number that may wait per socket.
    refused_queue_full_total,
    /// Beats over two per second.
    refused_beat_rate_total,
    /// Messages and bodies over `message_bytes_max`.
    refused_too_large_total,
    /// Messages with binary attachments.
    refused_binary_total,
    /// Requests of the wrong shape or an unknown name.
    refused_bad_request_total,
    /// Requests before the welcome.
    refused_not_joined_total,
    /// CONNECT packets of sockets that had sent one; ignored.
    duplicate_connects_total,
    /// Sockets closed because of ten times too many messages.
    closed_flood_total,
    /// Sockets closed because of packets that are not Socket.IO.
    closed_malformed_total,
    /// Sockets closed because they sent no CONNECT in time.
    closed_connect_timeout_total,
    /// Sockets closed because they read too slowly.
    closed_too_slow_total,
    /// Sockets closed by an error of the transport, frames above the hard size limit among them.
    closed_transport_error_total,
    /// Sockets closed because a ping was not answered.
    closed_ping_timeout_total,
    /// Addresses whose rate was forgotten to make room for others.
    forgotten_addresses_total,
}

/// The numbers of [`SignalingMetrics`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// One of each name.
    pub values: Vec<Metric>,
}

/// A number, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Stable: a counter if it ends in `_total`, otherwise a gauge.
    pub name: &'static str,
    /// What is counted, as a sentence.
    pub help: &'static str,
    /// How many.
    pub value: u64,
}

impl MetricsSnapshot {
    /// The value of `name`; `None` if there is no such number.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }
}
