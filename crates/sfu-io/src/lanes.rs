//! Lanes: how the workers of a pool give each other packets, through memory.
//!
//! Two workers with a pipe between them have a ring for each direction. Each owns one end of both, and an end goes with
//! its worker: whoever finds that the other is gone drops its own, and the pipe with it. A full ring takes nothing more,
//! and what it does not take is lost, as on a network; the pipe asks for it again.

use std::slice::Chunks;
use std::sync::Arc;
use std::time::Instant;

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
    /// resolves both carry it; from then on it is used as a pipe between nodes, by [`WorkerHandle::call`].
    ///
    /// A pipe that is closed because the other worker died, or because another was opened in its place, each worker that
    /// lives tells by `Event::TransportClosed`. Who closes one by `close_transport` does so at both.
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
            for end in opened.ok_or(OpenLocalPipeError::SameWorker)? {
                end.await??;
            }
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
