//! What a node does with proposals, records and time, sans-IO.
//!
//! Feed it with [`Node::handle`], then take what it wants with [`Node::poll_output`] until that is `None`, and
//! call [`Node::handle_timeout`] at [`Node::poll_timeout`]. A proposal becomes a record on the log; its ticket
//! is resolved when that record is read back and judged, or when it is not back in time.
//!
//! The node applies every room on the log, not only those that it hosts. It tells the server about the
//! rooms that it hosts.

mod config;
mod duties;
mod hosted;
mod proposal;
mod records;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use protocol::event::{Record, RequestKey, RoomEvent};
use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorCode, Incarnation, RoomId};
use room::Change;

use crate::log::Entry;
use hosted::Hosted;
use timers::{Timer, Timers};

pub use config::NodeConfig;
pub use proposal::{Accepted, Proposal, ProposalKey};

/// Names a proposal until it is resolved. Chosen by the caller, never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody asks.
    Propose {
        /// Names it in the answer.
        ticket: Ticket,
        /// What is asked.
        proposal: Proposal,
    },
    /// The next record of the log.
    Entry(Entry),
    /// The log did not take an [`Output::Append`].
    AppendRefused {
        /// Its room.
        room: RoomId,
        /// Its key.
        key: RequestKey,
    },
}

/// What a node wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Hand a record to the log.
    Append {
        /// The log's key.
        room: RoomId,
        /// To say which was refused.
        key: RequestKey,
        /// The record.
        value: Vec<u8>,
    },
    /// Tell the members and the media of a room that this node hosts.
    Changed(Applied),
    /// Answer who asked.
    Resolve {
        /// Which.
        ticket: Ticket,
        /// The answer.
        result: Result<Accepted, ErrorCode>,
    },
    /// A record that could not be read or belongs to other rules was left out. An operator should know.
    SetAside {
        /// The log's key.
        room: RoomId,
        /// Where it stands.
        offset: u64,
    },
}

/// A change of a room, from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Which room.
    pub room: RoomId,
    /// The number of the event that changed it; all changes of one event share it.
    pub seq: u64,
    /// What is different.
    pub change: Change,
}

/// A node of the cluster.
#[derive(Debug)]
pub struct Node {
    incarnation: Incarnation,
    config: NodeConfig,
    rooms: BTreeMap<RoomId, Hosted>,
    timers: Timers,
    outputs: VecDeque<Output>,
    /// The number of this node's last own record. One count for all rooms, so that no number is used twice
    /// in a room that ended and began again.
    last_n: u64,
    pending: usize,
    participants: usize,
    draining: bool,
}

impl Node {
    /// A node that knows no room. `incarnation` is drawn at random, never the same again.
    pub fn new(incarnation: Incarnation, config: NodeConfig) -> Self {
        Self {
            incarnation,
            config,
            rooms: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            last_n: 0,
            pending: 0,
            participants: 0,
            draining: false,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Propose { ticket, proposal } => self.propose(now, ticket, proposal),
            Input::Entry(entry) => self.entry(now, &entry),
            Input::AppendRefused { room, key } => self.append_refused(now, &room, key),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Answer(room, key) => self.answer_overdue(now, &room, key),
                Timer::Hold(room, participant) => self.hold_due(now, &room, participant),
                Timer::Grace(room, participant) => self.grace_due(now, room, participant),
                Timer::Sources(room, participant) => self.sources_due(now, room, participant),
                Timer::Empty(room) => self.settle(now, &room),
            }
        }
    }

    /// When [`Node::handle_timeout`] is to be called; at once if it is in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Refuses proposals from here on, with `draining`. Those under way are still resolved.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// This life of the node.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// A room as its members see it, if there is one of this name.
    pub fn snapshot(&self, room: &RoomId) -> Option<RoomSnapshot> {
        self.room(room).filter(|room| room.limits().is_some()).map(room::Room::snapshot)
    }

    /// The state of a room, if it is known.
    pub fn room(&self, room: &RoomId) -> Option<&room::Room> {
        self.rooms.get(room).map(|hosted| &hosted.room)
    }

    /// Rooms that are known.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// People in all rooms that are known, the held ones included.
    pub fn participants(&self) -> usize {
        self.participants
    }

    /// Proposals that wait for their record.
    pub fn pending(&self) -> usize {
        self.pending
    }

    fn append(&mut self, room: &RoomId, record: &Record) {
        let value = serde_json::to_vec(record).expect("a record is plain data, which JSON can always carry");
        self.outputs.push_back(Output::Append { room: room.clone(), key: record.key, value });
    }

    /// Appends an event of the node's own.
    fn append_own(&mut self, room: &RoomId, binding: Option<protocol::event::Binding>, event: RoomEvent) {
        let record = Record { rules: room::RULES, origin: self.incarnation, key: self.own_key(), binding, event };
        self.append(room, &record);
    }

    fn own_key(&mut self) -> RequestKey {
        self.last_n += 1;
        RequestKey::Node { incarnation: self.incarnation, n: self.last_n }
    }

    fn resolve(&mut self, ticket: Ticket, result: Result<Accepted, ErrorCode>) {
        self.outputs.push_back(Output::Resolve { ticket, result });
    }
}
