//! What the workers have to say, on its way to the async side.

use futures_channel::mpsc;
use sfu::worker::Event;

use crate::handle::WorkerIndex;
use crate::metrics::{Counters, add};

/// What comes out of a pool.
#[derive(Debug, Clone, PartialEq)]
pub enum PoolEvent {
    /// A worker said something.
    Worker(WorkerIndex, Event),
    /// A worker's thread ended by a fault: all that was on it is gone.
    WorkerDied(WorkerIndex),
}

/// Receives the events of all workers, each worker's in order.
#[derive(Debug)]
pub struct EventReceiver(mpsc::Receiver<PoolEvent>);

impl EventReceiver {
    /// Waits for the next event; `None` after the pool has ended.
    pub async fn next(&mut self) -> Option<PoolEvent> {
        self.0.recv().await.ok()
    }
}

/// A bounded channel for a whole pool. Each worker has one place of its own besides the shared ones.
pub(crate) fn channel(places: usize) -> (mpsc::Sender<PoolEvent>, EventReceiver) {
    let (sender, receiver) = mpsc::channel(places);
    (sender, EventReceiver(receiver))
}

/// A worker's end of the channel.
pub(crate) struct Outbox {
    worker: WorkerIndex,
    sender: mpsc::Sender<PoolEvent>,
    /// The event that found the channel full. While it waits, the others stay in the worker's queue.
    held: Option<PoolEvent>,
}

impl Outbox {
    pub(crate) fn new(worker: WorkerIndex, sender: mpsc::Sender<PoolEvent>) -> Self {
        Self { worker, sender, held: None }
    }

    /// Moves events into the channel until there are no more or it is full.
    pub(crate) fn fill(&mut self, mut next: impl FnMut() -> Option<Event>, counters: &Counters) {
        while let Some(event) = self.held.take().or_else(|| Some(PoolEvent::Worker(self.worker, next()?))) {
            if let Err(error) = self.sender.try_send(event)
                && error.is_full()
            {
                // Without a receiver nobody is left to be told, and the event may go.
                self.held = Some(error.into_inner());
                add(&counters.events_delayed, 1);
                return;
            }
        }
    }

    /// Whether an event waits for room in the channel.
    pub(crate) fn is_full(&self) -> bool {
        self.held.is_some()
    }
}

/// Tells that the worker's thread ended. Always finds room: a new sender brings a place of its own.
pub(crate) fn send_died(sender: &mpsc::Sender<PoolEvent>, worker: WorkerIndex) {
    // Fails without a receiver only, and then nobody is left to be told.
    let _ = sender.clone().try_send(PoolEvent::WorkerDied(worker));
}

#[cfg(test)]
mod tests {
    use protocol::TransportId;

    use super::*;

    const EVENTS: [Event; 4] = [
        Event::TransportConnected { transport: TransportId(1) },
        Event::TransportConnected { transport: TransportId(2) },
        Event::TransportClosed { transport: TransportId(1) },
        Event::TransportClosed { transport: TransportId(2) },
    ];

    #[test]
    fn events_beyond_a_full_channel_stay_with_the_worker_and_keep_their_order() {
        let (sender, mut receiver) = channel(0);
        let mut outbox = Outbox::new(WorkerIndex(3), sender);
        let counters = Counters::default();
        let mut events = EVENTS.iter();
        let mut received = Vec::new();
        while received.len() < EVENTS.len() {
            outbox.fill(|| events.next().cloned(), &counters);
            while let Ok(event) = receiver.0.try_recv() {
                received.push(event);
            }
        }
        assert_eq!(received, EVENTS.map(|event| PoolEvent::Worker(WorkerIndex(3), event)));
        assert!(counters.snapshot(WorkerIndex(3)).events_delayed > 0);
        assert!(!outbox.is_full());
    }

    #[test]
    fn without_a_receiver_events_are_let_go() {
        let (sender, receiver) = channel(0);
        drop(receiver);
        let mut outbox = Outbox::new(WorkerIndex(0), sender);
        let mut events = EVENTS.iter();
        outbox.fill(|| events.next().cloned(), &Counters::default());
        assert!(events.next().is_none());
        assert!(!outbox.is_full());
    }

    #[test]
    fn a_death_is_told_even_when_the_channel_is_full() {
        let (sender, mut receiver) = channel(0);
        let mut outbox = Outbox::new(WorkerIndex(0), sender.clone());
        let mut events = EVENTS.iter();
        outbox.fill(|| events.next().cloned(), &Counters::default());
        assert!(outbox.is_full());
        send_died(&sender, WorkerIndex(0));
        let mut last = None;
        while let Ok(event) = receiver.0.try_recv() {
            last = Some(event);
        }
        assert_eq!(last, Some(PoolEvent::WorkerDied(WorkerIndex(0))));
    }
}
