//! The bounded way from the handler to one socket.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::request::Welcome;
use tokio::sync::{Notify, mpsc};

use crate::News;

/// How many notifications may wait for a socket. A client that is further behind than this is closed; it
/// resumes and gets a snapshot, which is cheaper than what it missed.
const CAPACITY: usize = 256;

/// The socket is closed, or is too far behind and will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the socket is closed or too far behind")]
pub struct OutboxClosed;

/// What a socket is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    /// Tell the client.
    Notify(News),
    /// Welcome a client that had to wait.
    Welcome(Welcomed),
    /// Tell the client `sessionEnded` with this reason, then close.
    Close(ErrorCode),
    /// Close at once: the queue ran over.
    Overflow,
}

/// A welcome, which is large.
#[derive(Debug, Clone)]
pub struct Welcomed(pub Box<Welcome>);

impl PartialEq for Welcomed {
    /// Each is made once.
    fn eq(&self, other: &Self) -> bool {
        self.0.session_token == other.0.session_token
    }
}

/// Sends notifications to one socket, in order, without waiting. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: mpsc::Sender<Outgoing>,
    overflow: Arc<Notify>,
}

impl Outbox {
    /// Queues a notification. When the queue is full the socket is closed without it.
    pub fn notify(&self, news: impl Into<News>) -> Result<(), OutboxClosed> {
        self.send(Outgoing::Notify(news.into()))
    }

    /// Queues a notification if at least half of the queue is free: for what the next of its kind makes obsolete.
    pub fn notify_unless_behind(&self, news: impl Into<News>) {
        if self.sender.capacity() >= CAPACITY / 2 {
            // A closed socket needs no news.
            let _ = self.notify(news);
        }
    }

    /// Queues the welcome of a client that had to wait, like a notification.
    pub fn welcome(&self, welcome: Box<Welcome>) -> Result<(), OutboxClosed> {
        self.send(Outgoing::Welcome(Welcomed(welcome)))
    }

    /// Ends the session: what is queued is still sent, then `sessionEnded` with `reason`, then the socket closes.
    pub fn close(&self, reason: ErrorCode) {
        // Closed or overflowing is what was wanted.
        let _ = self.send(Outgoing::Close(reason));
    }

    /// Whether the socket is gone.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    fn send(&self, outgoing: Outgoing) -> Result<(), OutboxClosed> {
        self.sender.try_send(outgoing).map_err(|_| {
            self.overflow.notify_one();
            OutboxClosed
        })
    }
}

/// The socket's end of an [`Outbox`].
#[derive(Debug)]
pub struct OutboxReceiver {
    receiver: mpsc::Receiver<Outgoing>,
    overflow: Arc<Notify>,
}

impl OutboxReceiver {
    /// The next thing to do; `None` when every [`Outbox`] is gone and the queue is empty. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Outgoing> {
        tokio::select! {
            biased;
            () = self.overflow.notified() => Some(Outgoing::Overflow),
            outgoing = self.receiver.recv() => outgoing,
        }
    }
}

/// An outbox and its receiving end; tests of a [`crate::Handler`] use it in place of a socket.
pub fn outbox() -> (Outbox, OutboxReceiver) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let overflow = Arc::new(Notify::new());
    (Outbox { sender, overflow: Arc::clone(&overflow) }, OutboxReceiver { receiver, overflow })
}

#[cfg(test)]
mod tests {
    use protocol::Notification;

    use super::*;

    #[tokio::test]
    async fn a_full_outbox_closes_before_anything_queued_is_sent() {
        let (outbox, mut receiver) = outbox();
        let notification = Notification::AudioLevels { levels: Vec::new() };
        for _ in 0..CAPACITY {
            assert_eq!(outbox.notify(notification.clone()), Ok(()));
        }
        assert_eq!(outbox.notify(notification), Err(OutboxClosed));
        assert_eq!(receiver.recv().await, Some(Outgoing::Overflow));
    }

    #[tokio::test]
    async fn what_may_be_left_out_leaves_room_for_the_rest() {
        let (outbox, mut receiver) = outbox();
        for _ in 0..CAPACITY {
            outbox.notify_unless_behind(Notification::AudioLevels { levels: Vec::new() });
        }
        outbox.close(ErrorCode::Draining);
        let mut levels = 0;
        while let Some(Outgoing::Notify(_)) = receiver.recv().await {
            levels += 1;
        }
        assert_eq!(levels, CAPACITY / 2 + 1);
    }

    #[tokio::test]
    async fn close_comes_after_what_was_queued() {
        let (outbox, mut receiver) = outbox();
        let notification = Notification::AudioLevels { levels: Vec::new() };
        outbox.notify(notification.clone()).expect("room");
        outbox.close(ErrorCode::Draining);
        assert_eq!(receiver.recv().await, Some(Outgoing::Notify(notification.into())));
        assert_eq!(receiver.recv().await, Some(Outgoing::Close(ErrorCode::Draining)));
        drop(outbox);
        assert_eq!(receiver.recv().await, None);
    }
}
