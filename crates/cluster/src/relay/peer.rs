//! What is agreed with one other node.

use std::collections::BTreeMap;
use std::time::Instant;

use protocol::{Incarnation, ProducerId, RoomId, RtpParameters, TransportId};

use super::{Feeding, Output, PipeKey, Worker};

/// Another node to which there is a link, or was a moment ago; or this one.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// The link is down; when to give up.
    pub(super) down_until: Option<Instant>,
    /// It was asked to begin anew, and has not answered yet: what it says meanwhile is of before.
    pub(super) awaited: Option<u64>,
    /// The ends of pipes that it was told of, by this node's worker and its.
    pub(super) ends: BTreeMap<(Worker, Worker), End>,
    /// How much it subscribed.
    pub(super) subscriptions: usize,
    /// What it subscribed in each room, and for which of its workers.
    pub(super) fed: BTreeMap<RoomId, BTreeMap<(ProducerId, Worker), Fed>>,
}

/// This node's end of a pipe.
#[derive(Debug)]
pub(super) struct End {
    /// What it seals with; nothing within a node.
    pub(super) key: Option<PipeKey>,
    /// Once the other end is known.
    pub(super) pipe: Option<TransportId>,
}

/// A producer that it subscribed.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// The worker that carries it, once it does.
    pub(super) worker: Option<Worker>,
    /// The number of the newest feeding of it.
    pub(super) newest: u64,
    /// How it was told that it comes.
    pub(super) told: Option<(TransportId, Box<RtpParameters>)>,
}

impl Peer {
    pub(super) fn is_up(&self) -> bool {
        self.down_until.is_none()
    }

    /// Whether something can be agreed with it now.
    pub(super) fn listens(&self) -> bool {
        self.is_up() && self.awaited.is_none()
    }

    /// How many ends of pipes are open.
    pub(super) fn open_ends(&self) -> usize {
        self.ends.values().filter(|end| end.pipe.is_some()).count()
    }

    /// The open pipe between a worker of this node and one of its.
    pub(super) fn pipe(&self, worker: Worker, theirs: Worker) -> Option<TransportId> {
        self.ends.get(&(worker, theirs))?.pipe
    }

    /// Has the worker that carries a subscription, if one does, carry it no more.
    pub(super) fn stop_feeding(
        &self,
        life: Incarnation,
        room: &RoomId,
        (producer, theirs): (ProducerId, Worker),
        worker: Option<Worker>,
    ) -> Option<Output> {
        let worker = worker?;
        let pipe = self.pipe(worker, theirs)?;
        let room = room.clone();
        Some(Output::StopFeeding(Feeding { life, room, producer, worker, theirs, pipe, number: 0 }))
    }

    /// A subscription of its.
    pub(super) fn fed(&mut self, room: &RoomId, producer: ProducerId, theirs: Worker) -> Option<&mut Fed> {
        self.fed.get_mut(room)?.get_mut(&(producer, theirs))
    }

    /// Closes all its pipes.
    pub(super) fn closings(self) -> impl Iterator<Item = Output> {
        let open = self.ends.into_iter().filter_map(|((worker, _), end)| Some((worker, end.pipe?)));
        open.map(|(worker, pipe)| Output::ClosePipe { worker, pipe })
    }
}
