//! What librdkafka says, counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::log::LogStatus;

#[derive(Debug, Default)]
pub(super) struct Counters {
    reachable: AtomicBool,
    answered: Mutex<Option<Instant>>,
    appended: AtomicU64,
    refused: AtomicU64,
    given_up: AtomicU64,
    read: AtomicU64,
    nameless: AtomicU64,
    errors: AtomicU64,
}

impl Counters {
    pub(super) fn count_append(&self, taken: bool) {
        let counter = if taken { &self.appended } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_nameless(&self) {
        self.nameless.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns what it was before.
    pub(super) fn set_reachable(&self, reachable: bool) -> bool {
        if reachable {
            *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        self.reachable.swap(reachable, Ordering::Relaxed)
    }

    fn silence(&self) -> Duration {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.map_or(Duration::MAX, |answered| answered.elapsed())
    }

    pub(super) fn read(&self) -> LogStatus {
        LogStatus {
            reachable: self.reachable.load(Ordering::Relaxed),
            silence: self.silence(),
            queued: 0,
            appended: self.appended.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            given_up: self.given_up.load(Ordering::Relaxed),
            read: self.read.load(Ordering::Relaxed),
            nameless: self.nameless.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }
}

/// The ear of a client of Kafka.
pub(super) struct Context(pub(super) Arc<Counters>);

impl ClientContext for Context {
    /// An outage is several lines a second here; what an operator has to know, `producer` says once.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.count_error();
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.given_up.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "a record was given up");
        }
    }
}
