//! A connection whose two sides know each other, until it ends.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Incarnation, NodeId};
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::{mpsc, watch};

use super::close::Close;
use super::events::{Outbox, Queued};
use super::frame::{self, ReadFrameError};
use super::{FRAME_BYTES_MAX, LINKS_MAX, SEND_QUEUE_MAX, Shared, count};

/// What comes of a handshake.
pub(super) struct Established {
    pub(super) node: NodeId,
    pub(super) life: Incarnation,
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
}

/// The connection that is a life's link now.
pub(super) struct Current {
    pub(super) node: NodeId,
    pub(super) connection: Connection,
    /// Ends when the last event of this connection was handed over.
    pub(super) over: watch::Receiver<()>,
}

impl Shared {
    /// Makes a connection the link of its two lives, in the place of an older one.
    pub(super) fn establish(self: &Arc<Self>, established: Established) -> Result<(), Close> {
        let Established { node, life, connection, .. } = &established;
        let mut state = self.state();
        let Some(events) = state.events.clone() else { return Err(Close::Shutdown) };
        if state.links.len() >= LINKS_MAX && !state.links.contains_key(life) {
            return Err(Close::Full);
        }
        let (over, ends) = watch::channel(());
        let current = Current { node: node.clone(), connection: connection.clone(), over: ends };
        let previous = state.links.insert(*life, current);
        drop(state);
        tokio::spawn(run(Arc::clone(self), established, previous, events, over));
        Ok(())
    }

    /// Waits until there is no link to a life, and says whether there was one.
    pub(super) async fn unlinked(&self, life: Incarnation) -> bool {
        let mut was_linked = false;
        loop {
            let current = self.state().links.get(&life).map(|current| current.over.clone());
            let Some(mut over) = current else { return was_linked };
            was_linked = true;
            // Nothing is ever sent: it is the end that is waited for.
            let _ = over.changed().await;
        }
    }
}

async fn run(
    shared: Arc<Shared>,
    established: Established,
    previous: Option<Current>,
    events: mpsc::Sender<Queued>,
    over: watch::Sender<()>,
) {
    let Established { node, life, connection, mut send, mut receive } = established;
    if let Some(mut previous) = previous {
        Close::Replaced.close(&previous.connection);
        let _ = previous.over.changed().await;
    }
    let (frames, mut queue) = mpsc::channel(SEND_QUEUE_MAX);
    let (broken, breaks) = watch::channel(None);
    let outbox = Outbox { life, frames, broken, counters: Arc::clone(&shared.counters) };
    if events.send(Queued::Up { node: node.clone(), life, outbox }).await.is_ok() {
        tracing::info!(%node, %life, address = %connection.remote_address(), "linked to a node");
        // In turns, so that neither waits for the other.
        let carry = async {
            tokio::select! {
                () = read(&shared, &node, life, &connection, &mut receive, &events) => {}
                () = write(&shared, &mut queue, &mut send) => {}
            }
        };
        tokio::select! {
            // What ends it comes first: nothing more is sent.
            biased;
            why = broken_by_sender(breaks) => why.close(&connection),
            _ = connection.closed() => {}
            // Nobody listens any more.
            () = events.closed() => {}
            () = carry => {}
        }
        // Whichever came first, the connection is over.
        Close::Shutdown.close(&connection);
        let reason = connection.closed().await;
        tracing::info!(%node, %life, %reason, "the link to a node is gone");
    }
    drop(queue);
    {
        let links = &mut shared.state().links;
        if links.get(&life).is_some_and(|current| current.connection.stable_id() == connection.stable_id()) {
            links.remove(&life);
        }
    }
    // The socket has not to wait until the event is read.
    drop((connection, send, receive));
    if events.send(Queued::Down { node, life }).await.is_err() {
        shared.end();
    }
    drop(over);
}

/// Hands over what comes. While nobody takes it, QUIC lets the other side wait.
async fn read(
    shared: &Shared,
    node: &NodeId,
    life: Incarnation,
    connection: &Connection,
    receive: &mut RecvStream,
    events: &mpsc::Sender<Queued>,
) {
    loop {
        match frame::read(receive, FRAME_BYTES_MAX).await {
            Ok(bytes) => {
                count(&shared.counters.frames_received);
                if events.send(Queued::Message { node: node.clone(), life, bytes }).await.is_err() {
                    return;
                }
            }
            Err(error @ ReadFrameError::TooLarge(_)) => {
                count(&shared.counters.oversize);
                tracing::warn!(%node, %life, %error, "a node sends more than it may; the link to it starts over");
                Close::Oversize.close(connection);
                return;
            }
            Err(ReadFrameError::Stream(_)) => return,
        }
    }
}

/// Ends when the sender has to give the connection up.
async fn broken_by_sender(mut breaks: watch::Receiver<Option<Close>>) -> Close {
    match breaks.wait_for(Option::is_some).await.map(|why| *why) {
        Ok(Some(why)) => why,
        // It is gone, and with it whoever reads events, which ends the connection.
        _ => std::future::pending().await,
    }
}

async fn write(shared: &Shared, queue: &mut mpsc::Receiver<Bytes>, send: &mut SendStream) {
    // Ends with the connection at the latest.
    while let Some(bytes) = queue.recv().await {
        if frame::write(send, bytes).await.is_err() {
            return;
        }
        count(&shared.counters.frames_sent);
    }
}
