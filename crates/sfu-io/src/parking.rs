//! Whether a worker's thread sleeps, so that other workers wake it when it does, and only then: waking is a system call.

use std::sync::atomic::{AtomicBool, Ordering, fence};

use mio::Waker;

/// How a thread is woken.
pub(crate) struct Parking {
    waker: Waker,
    asleep: AtomicBool,
}

impl Parking {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { waker, asleep: AtomicBool::new(false) }
    }

    /// The thread is about to sleep, and looks after this once more at what others write for it: who wrote before may
    /// not have seen that it sleeps, and who writes later does.
    pub(crate) fn prepare(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The thread is awake.
    pub(crate) fn leave(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Wakes the thread.
    pub(crate) fn wake(&self) {
        // An eventfd write fails only when its counter is full, and then the thread is being woken already.
        let _ = self.waker.wake();
    }

    /// Wakes the thread if it sleeps, after something was written for it.
    pub(crate) fn wake_if_asleep(&self) {
        // The other half of `prepare`: either this sees that it sleeps, or it sees what was written.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn only_who_sleeps_is_woken_and_only_once() {
        let mut poll = Poll::new().expect("epoll is there");
        let parking = Parking::new(Waker::new(poll.registry(), Token(0)).expect("an eventfd"));
        let mut events = Events::with_capacity(4);
        let mut woken = || {
            poll.poll(&mut events, Some(Duration::ZERO)).expect("epoll works");
            !events.is_empty()
        };
        parking.wake_if_asleep();
        assert!(!woken(), "it is awake");
        parking.prepare();
        parking.wake_if_asleep();
        assert!(woken());
        parking.wake_if_asleep();
        assert!(!woken(), "it has been woken already");
        parking.prepare();
        parking.leave();
        parking.wake_if_asleep();
        assert!(!woken());
    }
}
