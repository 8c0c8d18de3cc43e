//! A producer: what one participant sends from one source, however often its transport changes.

use std::time::{Duration, Instant};

use protocol::{MediaKind, ProducerId};

use crate::consumer_list::ConsumerList;
use crate::keys::{ProducerKey, StreamKey, TransportKey};
use crate::ortc::ProducerMapping;
use crate::speaker::SpeechActivity;
use crate::worker::RouterId;

/// How long a layer is kept coming after its last viewer.
const UNWANTED_AFTER: Duration = Duration::from_secs(5);

/// One source of one participant on a router.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) router: RouterId,
    pub(crate) kind: MediaKind,
    /// The transport that feeds it now; `None` after that one closed, until it is produced again.
    pub(crate) transport: Option<TransportKey>,
    /// How the present source's payload types and header extensions translate.
    pub(crate) mapping: ProducerMapping,
    /// Its incoming streams, one per encoding.
    pub(crate) streams: Vec<StreamKey>,
    /// The source that takes over as soon as something comes from it.
    pub(crate) successor: Option<ProducerKey>,
    /// This is such a source, and of which producer; it has no consumers, and no router knows it.
    pub(crate) succeeds: Option<ProducerKey>,
    pub(crate) consumers: ConsumerList,
    pub(crate) paused: bool,
    /// Loudest audio level since levels were told last, in dBov; -127 is silence.
    pub(crate) level: i8,
    /// What it was then; who was silent is taken to have been as quiet as what is told at all.
    pub(crate) level_told: i8,
    /// How active a microphone is.
    pub(crate) speech: Option<Box<SpeechActivity>>,
    /// The highest layer that the publisher was told to send.
    pub(crate) layer_kept: u8,
    /// Since when nobody wants it.
    pub(crate) unwanted_since: Option<Instant>,
    /// Where another worker feeds it: how many of its layers, from the lowest up, that one was asked for.
    pub(crate) layers_piped: Option<u8>,
}

impl Producer {
    /// Whether its layers up to `wanted` are to be asked for instead of those up to `asked`: more at once, less after a
    /// while.
    pub(crate) fn asks_anew(&mut self, now: Instant, wanted: u8, asked: u8) -> bool {
        if wanted >= asked {
            self.unwanted_since = None;
            return wanted > asked;
        }
        now.saturating_duration_since(*self.unwanted_since.get_or_insert(now)) >= UNWANTED_AFTER
    }
}
