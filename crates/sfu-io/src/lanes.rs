//! Lanes: how the workers of a pool give each other packets, through memory.
//!
//! Two workers with a pipe between them have a ring for each direction. Each owns one end of both, and an end goes with
//! its worker: whoever finds that the other is gone drops its own, and the pipe with it. A full ring takes nothing more,
//! and what it does not take is lost, as on a network; the pipe asks for it again.

use std::slice::Chunks;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join;
use protocol::TransportId;
use sfu::transmit::Lane;
use sfu::worker::OpenPipeError;
use thiserror::Error;

use crate::handle::{CallError, WorkerHandle, WorkerIndex};
use crate::metrics::{Counters, DropCause, add};
use crate::packet_ring::{Reader, Writer, packet_ring};
use crate::parking::Parking;

/// Packets of one lane that are taken before it is others' turn: as many as of a socket.
const BATCH_PACKETS: usize = 64;

/// Why no pipe was opened between two workers of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenLocalPipeError {
    /// Both ends would be one worker's.
    #[error("a pipe has two workers")]
    SameWorker,
    /// A worker could not be called; if the other opened its end, it closes it within a second.
    #[error("{0}")]
    Call(#[from] CallError),
    /// A worker did not open its end; if the other did, it closes it within a second.
    #[error("{0}")]
    Open(#[from] OpenPipeError),
}

impl WorkerHandle {
    /// Opens a pipe to another worker of the same pool, under the same id at both, in place of one there was. When this
    /// resolves both have it; from then on it is used as a pipe between nodes is, by [`WorkerHandle::call`].
    ///
    /// That it closed because the other worker died, or because another pipe was opened in its place, each worker that
    /// lives tells by `Event::TransportClosed`. Who closes one by `Worker::close_transport` does so at both.
    pub fn open_pipe(
        &self,
        other: &Self,
        id: TransportId,
    ) -> impl Future<Output = Result<(), OpenLocalPipeError>> + Send + use<> {
        let opened = (self.index != other.index).then(|| {
            let (ours, theirs) = lane_ends(&self.parking, &other.parking);
            [self.open_end(other.index, ours, id), other.open_end(self.index, theirs, id)]
        });
        async move {
            let [ours, theirs] = opened.ok_or(OpenLocalPipeError::SameWorker)?;
            // Both first, so that an end that was not queued is told at once.
            let (ours, theirs) = try_join(ours, theirs).await?;
            ours.and(theirs)?;
            Ok(())
        }
    }

    fn open_end(
        &self,
        other: WorkerIndex,
        end: LaneEnd,
        id: TransportId,
    ) -> impl Future<Output = Result<Result<(), OpenPipeError>, CallError>> + Send + use<> {
        self.run(move |worker, lanes, now| {
            worker.open_local_pipe(now, id, Lane(other.0))?;
            lanes.insert(Lane(other.0), end);
            Ok(())
        })
    }
}

/// One worker's end of a lane.
pub(crate) struct LaneEnd {
    writer: Writer,
    reader: Reader,
    other: Arc<Parking>,
    /// Something was written that the other was not woken for yet.
    written: bool,
}

/// Both ends of a new lane between the workers of these threads.
fn lane_ends(first: &Arc<Parking>, second: &Arc<Parking>) -> (LaneEnd, LaneEnd) {
    let ((to_second, from_first), (to_first, from_second)) = (packet_ring(), packet_ring());
    let end = |writer, reader, other| LaneEnd { writer, reader, other: Arc::clone(other), written: false };
    (end(to_second, from_second, second), end(to_first, from_first, first))
}

/// A worker's ends of its lanes, each at the index of the worker at its other end.
#[derive(Default)]
pub(crate) struct Lanes {
    ends: Vec<Option<LaneEnd>>,
}

impl Lanes {
    /// Takes an end, in place of one there was.
    fn insert(&mut self, lane: Lane, end: LaneEnd) {
        let index = usize::from(lane.0);
        if self.ends.len() <= index {
            self.ends.resize_with(index + 1, || None);
        }
        self.ends[index] = Some(end);
    }

    /// Copies packets into a lane, as many as there is room for.
    pub(crate) fn send(&mut self, lane: Lane, packets: Chunks<'_, u8>, counters: &Counters) {
        let (mut sent, mut dropped) = (0, 0);
        let mut end = self.ends.get_mut(usize::from(lane.0)).and_then(Option::as_mut);
        for packet in packets {
            let taken = end.as_mut().is_some_and(|end| end.writer.write(packet));
            *(if taken { &mut sent } else { &mut dropped }) += 1;
        }
        if let Some(end) = end {
            end.written |= sent > 0;
        }
        add(&counters.lane_packets_out, sent);
        if dropped > 0 {
            counters.drop_datagrams(DropCause::LaneFull, dropped);
        }
    }

    /// Wakes the workers that something was written for, if they sleep.
    pub(crate) fn wake(&mut self) {
        for end in self.ends.iter_mut().flatten().filter(|end| end.written) {
            end.written = false;
            end.other.wake_if_asleep();
        }
    }

    /// Takes a batch from each lane; whether there was anything.
    pub(crate) fn receive(&mut self, counters: &Counters, mut deliver: impl FnMut(Instant, Lane, &mut [u8])) -> bool {
        let mut received = 0;
        for (index, end) in (0..).zip(&mut self.ends) {
            let Some(end) = end.as_mut().filter(|end| !end.reader.is_empty()) else { continue };
            let now = Instant::now();
            let mut batch = 0;
            while batch < BATCH_PACKETS && end.reader.read(|packet| deliver(now, Lane(index), packet)) {
                batch += 1;
            }
            received += batch;
        }
        if received > 0 {
            add(&counters.lane_packets_in, received);
        }
        received > 0
    }

    /// Whether something waits to be taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.ends.iter().flatten().any(|end| !end.reader.is_empty())
    }

    /// Drops the lanes whose other end is gone, and says which.
    pub(crate) fn sweep(&mut self, mut closed: impl FnMut(Lane)) {
        for (index, place) in (0..).zip(&mut self.ends) {
            if place.as_ref().is_some_and(|end| end.writer.is_abandoned() || end.reader.is_abandoned()) {
                *place = None;
                closed(Lane(index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll, Token, Waker};

    use super::*;

    const LANE: Lane = Lane(3);

    /// A thread's means to sleep, as a worker's driver has them.
    struct Sleeper {
        poll: Poll,
        events: Events,
        parking: Arc<Parking>,
        lanes: Lanes,
        counters: Counters,
    }

    impl Sleeper {
        fn new() -> Self {
            let poll = Poll::new().expect("epoll is there");
            let parking = Arc::new(Parking::new(Waker::new(poll.registry(), Token(0)).expect("an eventfd")));
            let (lanes, counters) = (Lanes::default(), Counters::default());
            Self { poll, events: Events::with_capacity(4), parking, lanes, counters }
        }

        fn send(&mut self, packets: &[u8], length: usize) {
            self.lanes.send(LANE, packets.chunks(length), &self.counters);
            self.lanes.wake();
        }

        /// Sleeps whenever there is nothing, until so many packets came.
        fn receive(&mut self, count: usize) -> Vec<Vec<u8>> {
            let mut received = Vec::new();
            while received.len() < count {
                self.parking.prepare();
                if !self.lanes.is_ready() {
                    self.poll.poll(&mut self.events, Some(Duration::from_secs(20))).expect("epoll works");
                    assert!(!self.events.is_empty(), "nobody wakes it, with {} of {count}", received.len());
                }
                self.parking.leave();
                self.lanes.receive(&self.counters, |_, lane, packet| {
                    assert_eq!(lane, LANE);
                    received.push(packet.to_vec());
                });
            }
            received
        }
    }

    fn two() -> (Sleeper, Sleeper) {
        let (mut first, mut second) = (Sleeper::new(), Sleeper::new());
        let (ours, theirs) = lane_ends(&first.parking, &second.parking);
        first.lanes.insert(LANE, ours);
        second.lanes.insert(LANE, theirs);
        (first, second)
    }

    #[test]
    fn what_is_sent_to_who_sleeps_or_is_about_to_wakes_them() {
        const TURNS: usize = 20_000;
        let (mut first, mut second) = two();
        let answering = thread::spawn(move || {
            for _ in 0..TURNS {
                let question = second.receive(2).concat();
                second.send(&question, 7);
            }
            second.counters.lane_packets_in.into_inner()
        });
        for n in 0..TURNS {
            let question = [n as u8; 14];
            first.send(&question, 7);
            assert_eq!(first.receive(2), [[n as u8; 7]; 2]);
        }
        assert_eq!(answering.join().expect("it answers"), 2 * TURNS as u64);
    }

    #[test]
    fn a_full_ring_drops_and_counts_and_a_batch_is_not_all_of_it() {
        let (mut first, mut second) = two();
        let batch = [5; 1000 * 40];
        for _ in 0..20 {
            first.send(&batch, 1000);
        }
        let metrics = first.counters.snapshot(WorkerIndex(0));
        let (sent, dropped) = (metrics.lane_packets_out, metrics.dropped.lane_full);
        assert!(sent + dropped == 800 && dropped > 100, "{sent} sent, {dropped} dropped");
        let mut received = 0;
        second.lanes.receive(&second.counters, |_, _, _| received += 1);
        assert_eq!(received, BATCH_PACKETS);
        assert!(second.lanes.is_ready());
        assert_eq!(second.receive(sent as usize - received).len(), sent as usize - received);
        assert!(!second.lanes.is_ready());
    }

    #[test]
    fn who_is_left_alone_drops_the_end_and_says_which_and_what_is_sent_there_counts_as_dropped() {
        let (mut first, second) = two();
        first.lanes.sweep(|_| panic!("the other is there"));
        drop(second);
        let mut closed = Vec::new();
        first.lanes.sweep(|lane| closed.push(lane));
        first.lanes.sweep(|_| panic!("it is said once"));
        assert_eq!(closed, [LANE]);
        first.send(&[1; 10], 5);
        first.lanes.send(Lane(77), [1; 10].chunks(5), &first.counters);
        assert_eq!(first.counters.snapshot(WorkerIndex(0)).dropped.lane_full, 4);
    }
}
