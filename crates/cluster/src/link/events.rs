//! What a node hears of its links, and how it answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::{Incarnation, NodeId};
use tokio::sync::{mpsc, watch};

use super::close::Close;
use super::{Counters, FRAME_BYTES_MAX, count};

/// What happened on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// Both sides know each other. Frames go both ways from here.
    Up {
        /// Its name.
        node: NodeId,
        /// This life of it.
        life: Incarnation,
    },
    /// The connection broke, or was replaced by a newer one, whose `Up` follows. No proof that the node is gone.
    Down {
        /// Its name.
        node: NodeId,
        /// This life of it.
        life: Incarnation,
    },
    /// A frame came.
    Message {
        /// Its sender's name.
        node: NodeId,
        /// This life of it.
        life: Incarnation,
        /// What it is.
        bytes: Bytes,
    },
}

/// The events of all links. Of each link `Up`, its frames in order, `Down`, and so on.
pub struct LinkEvents {
    queue: mpsc::Receiver<Queued>,
    open: Arc<Open>,
}

impl LinkEvents {
    pub(super) fn new(queue: mpsc::Receiver<Queued>, open: Arc<Open>) -> Self {
        Self { queue, open }
    }

    /// The next event; `None` after the links were closed. Dropping the future loses nothing. While nobody reads, the
    /// frames of other nodes wait where they are, and who has too many ends the link.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        // Here a link opens and closes, so that nothing that was said on one connection goes out on the next.
        Some(match self.queue.recv().await? {
            Queued::Up { node, life, outbox } => {
                self.open.insert(life, outbox);
                LinkEvent::Up { node, life }
            }
            Queued::Message { node, life, bytes } => LinkEvent::Message { node, life, bytes },
            Queued::Down { node, life } => {
                self.open.remove(life);
                LinkEvent::Down { node, life }
            }
        })
    }
}

/// A [`LinkEvent`] on its way.
pub(super) enum Queued {
    Up { node: NodeId, life: Incarnation, outbox: Outbox },
    Message { node: NodeId, life: Incarnation, bytes: Bytes },
    Down { node: NodeId, life: Incarnation },
}

/// The links that can be sent on.
#[derive(Default)]
pub(super) struct Open {
    outboxes: Mutex<BTreeMap<Incarnation, Outbox>>,
}

impl Open {
    pub(super) fn send(&self, to: Incarnation, frame: Bytes) -> bool {
        let outboxes = self.outboxes.lock().unwrap_or_else(PoisonError::into_inner);
        outboxes.get(&to).is_some_and(|outbox| outbox.send(frame))
    }

    fn insert(&self, life: Incarnation, outbox: Outbox) {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(life, outbox);
    }

    fn remove(&self, life: Incarnation) {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&life);
    }
}

/// The way to one other node.
pub(super) struct Outbox {
    pub(super) life: Incarnation,
    pub(super) frames: mpsc::Sender<Bytes>,
    /// Why the connection has to be closed. It is not held itself: it would hold the socket.
    pub(super) broken: watch::Sender<Option<Close>>,
    pub(super) counters: Arc<Counters>,
}

impl Outbox {
    fn send(&self, frame: Bytes) -> bool {
        if self.broken.borrow().is_some() {
            return false;
        }
        if frame.len() > FRAME_BYTES_MAX {
            tracing::error!(life = %self.life, bytes = frame.len(), "a frame is too large for the link between nodes");
            count(&self.counters.oversize);
            self.broken.send_replace(Some(Close::Oversize));
            return false;
        }
        match self.frames.try_send(frame) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(life = %self.life, "a node does not take what it is sent; the link to it starts over");
                count(&self.counters.overruns);
                self.broken.send_replace(Some(Close::Overrun));
                false
            }
            // It is over, and its `Down` is not read yet.
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}
