//! A node that is cut off from the log has its people go on at one that is not ([`cluster::evacuation`]).
//!
//! It is a draining that does not end the node: as soon as the log answers again it reads who went where, closes what
//! they left behind, and takes people as before.

use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cluster::evacuation::{Input, Message};
use protocol::Incarnation;

use super::drain::Why;
use super::{RoomsCondition, Shared};

/// How often the node looks whether the log answers.
const LOOK: Duration = Duration::from_millis(250);

/// Goes on as long as the node is there.
pub(super) async fn run(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        if shared.look_for_the_log() {
            shared.evacuate().await;
        }
        drop(shared);
        tokio::time::sleep(LOOK).await;
    }
}

impl Shared {
    /// Takes what concerns the log of what comes over the links.
    pub(super) fn evacuation(&self, input: Input) {
        let (Some(links), now) = (&self.links, Instant::now()) else { return };
        let mut evacuation = self.evacuation.lock().unwrap_or_else(PoisonError::into_inner);
        evacuation.handle(now, input);
        while let Some((life, message)) = evacuation.poll_output() {
            let bytes = serde_json::to_vec(&message).expect("a message is plain data, which JSON can always carry");
            // It is asked again.
            let _ = links.send(life, Bytes::from(bytes));
        }
    }

    /// What another node said, if it is about the log.
    pub(super) fn heard_of_the_log(&self, life: Incarnation, line: &[u8]) {
        if let Ok(message) = serde_json::from_slice::<Message>(line) {
            self.evacuation(Input::Message(life, message));
        }
    }

    /// Whether others reach the log and this node does not: they know more, and can do what people ask for.
    pub(super) fn is_cut_off(&self) -> bool {
        self.evacuation.lock().unwrap_or_else(PoisonError::into_inner).is_due(Instant::now())
    }

    /// Tells how the log does; says whether people have to go on elsewhere.
    pub(super) fn look_for_the_log(&self) -> bool {
        let is_read = self.rooms.condition() != RoomsCondition::Starting;
        if is_read {
            let silence = self.rooms.log_status().silence;
            self.evacuation(Input::Log { silence, takes_people: !self.is_draining() });
        }
        is_read && !self.is_draining() && self.is_cut_off()
    }

    async fn evacuate(&self) {
        let people = self.registry().counts().sockets;
        tracing::warn!(people, "only this node does not reach Kafka: its people are asked to go on at others");
        self.move_people(Why::CutOff).await;
        let left = self.registry().counts().sockets;
        tracing::info!(left, "people are not asked to go on at other nodes any more");
    }
}
