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
mod founding;
mod hosted;
mod lost;
mod membership;
mod placed;
mod placement;
mod proposal;
mod records;
mod refounding;
mod snapshots;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use protocol::event::{Record, RequestKey, RoomEvent};
use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorCode, Incarnation, ParticipantId, ProducerId, RoomId, SessionId};
use room::Change;

use crate::log::{Cut, Entry};
use crate::store::Listing;
use hosted::Hosted;
use membership::Membership;
use placed::Placed;
use snapshots::Kept;
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
    /// The log lost what comes after, and goes on from there with other records.
    Cut(Cut),
    /// Everything was read that was on the log when it was opened. Before that no proposal is taken.
    CaughtUp,
    /// The registry's answer, each heartbeat; `None` if it does not answer.
    Registry(Option<Listing>),
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
    /// A room here is not as another host wrote it down. An operator should know: one of the two did not read all of
    /// it. The one that knows of fewer events takes what the other has ([`Change::Replaced`]).
    Diverged {
        /// Which room.
        room: RoomId,
        /// Where the snapshot stands.
        offset: u64,
    },
    /// A room that this node founded, or knows from its founder, is not the one that others have been holding under
    /// this name since before: it is given up. An operator should know: this node did not read what it should have.
    Ignorant {
        /// Which room.
        room: RoomId,
        /// Where it was told so.
        offset: u64,
    },
    /// A room goes on from the memory of a node, because the log lost records of it. An operator should know.
    Refounded {
        /// Which room.
        room: RoomId,
        /// Where it was founded again.
        offset: u64,
    },
    /// A room is too large to be written down; a node that starts later will not know it.
    TooLarge {
        /// Which room.
        room: RoomId,
    },
    /// Others hold this node for dead, and the rooms believe them: its people have to be sent away, and it has to
    /// start anew. Nothing that it says counts any more.
    Fenced,
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

/// Who may speak for a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The session in force.
    pub session: SessionId,
    /// The number of its newest token.
    pub generation: u32,
    /// Whether they have no socket, as far as is known, so that the newest token may never have reached them.
    pub welcome_may_be_lost: bool,
}

/// What somebody publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// What.
    pub producer: ProducerId,
    /// Whether it is muted.
    pub paused: bool,
    /// The life of the node that they are bound to.
    pub life: Incarnation,
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
    caught_up: bool,
    fenced: bool,
    /// Whether the log answers, as far as is known.
    log_answers: bool,
    /// Until then nobody's grace time ends: the log was away, and people could not come back.
    no_grace_ends_until: Option<Instant>,
    hosts_lost: u64,
    membership: Membership,
    placed: Placed,
    /// Rooms whose beginning was not read.
    unknown: BTreeMap<RoomId, Kept>,
    /// The newest rooms that are over, as they ended, oldest first.
    ended: Vec<room::Room>,
}

impl Node {
    /// A node that knows no room, and reads the log's past until [`Input::CaughtUp`]. `incarnation` is drawn at random, never the same again.
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
            caught_up: false,
            fenced: false,
            log_answers: true,
            no_grace_ends_until: None,
            hosts_lost: 0,
            membership: Membership::default(),
            placed: Placed::default(),
            unknown: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Propose { ticket, proposal } => self.propose(now, ticket, proposal),
            Input::Entry(entry) => self.entry(now, &entry),
            Input::Cut(cut) => self.cut(now, cut),
            Input::CaughtUp => self.caught_up(),
            Input::Registry(answer) => self.registry(now, answer),
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
                Timer::Snapshot(room) => self.snapshot_due(now, &room),
                Timer::Refound(room) => self.refound_due(now, &room),
            }
        }
    }

    /// Notes whether the log can be reached now. While it is away nobody can come back, nor for a moment after it, and
    /// nobody new is to come here if there are nodes that reach it.
    pub fn log_answers(&mut self, now: Instant, answers: bool) {
        self.log_answers = answers;
        if !answers {
            self.no_grace_ends_until = Some(now + 2 * self.config.answer_timeout);
        }
    }

    /// Whether this node can say who is in a room. If not, others may: it reads nothing where they do, or has just
    /// found out that there is more to the room than it read.
    pub fn knows_about(&self, now: Instant, room: &RoomId) -> bool {
        !self.is_ignorant_of(now, room) && (self.log_answers || !self.others_reach_the_log())
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

    /// Whether the log lost records of a room that this node had applied, and the room was not founded again yet.
    pub fn is_lost(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|hosted| hosted.lost.is_some())
    }

    /// Who may speak for a participant.
    ///
    /// Errors: what `session` is to be told if they are not in the room.
    pub fn seat(&self, room: &RoomId, participant: ParticipantId, session: SessionId) -> Result<Seat, ErrorCode> {
        let room = self.room(room).ok_or(ErrorCode::SessionExpired)?;
        let participant = room.participant(participant).ok_or_else(|| room.gone(session))?;
        let bound_to = participant.binding().incarnation;
        let is_there = self.ready().any(|(life, _)| life == bound_to);
        Ok(Seat {
            session: participant.session(),
            generation: participant.generation(),
            welcome_may_be_lost: participant.held_until_ms().is_some() || !is_there,
        })
    }

    /// The other lives of nodes that carry a room.
    pub fn other_hosts(&self, room: &RoomId) -> Vec<Incarnation> {
        let hosts = self.room(room).into_iter().flat_map(room::Room::hosts);
        hosts.map(|(life, _)| life).filter(|life| *life != self.incarnation).collect()
    }

    /// What a room's people publish, on whichever node.
    pub fn publications(&self, room: &RoomId) -> Vec<Publication> {
        let people = self.room(room).into_iter().flat_map(room::Room::participants);
        let published = people.flat_map(|participant| {
            let (id, life) = (participant.id(), participant.binding().incarnation);
            participant.producers().map(move |(source, producer)| {
                let id = ProducerId { participant: id, source };
                Publication { producer: id, paused: producer.paused(), life }
            })
        });
        published.collect()
    }

    /// People who are bound to this node, the held ones included.
    pub fn own_participants(&self) -> usize {
        let people = self.rooms.values().flat_map(|hosted| hosted.room.participants());
        people.filter(|participant| participant.binding().incarnation == self.incarnation).count()
    }

    /// Hosts of rooms that were declared lost, as far as was read; a node counts once for each of its rooms.
    pub fn hosts_lost(&self) -> u64 {
        self.hosts_lost
    }

    /// Nodes that people may be sent to, this one included.
    pub fn nodes_ready(&self) -> usize {
        self.ready().count()
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

    /// What has no snapshot by now has no host that could have written one: it is over.
    fn caught_up(&mut self) {
        self.caught_up = true;
        self.unknown.clear();
        self.rooms.retain(|_, hosted| !hosted.is_idle());
    }

    /// Puts a room in place of what was known of it.
    fn insert(&mut self, room: room::Room) {
        let hosted = self.rooms.entry(room.id().clone()).or_insert_with(|| Hosted::new(room.id().clone()));
        self.participants = (self.participants + room.participants().len()) - hosted.room.participants().len();
        hosted.next_offset = hosted.next_offset.max(room.offset().saturating_add(1));
        hosted.room = room;
    }

    fn append(&mut self, room: &RoomId, record: &Record) {
        if self.is_lost(room) && !matches!(record.event, RoomEvent::Refounded { .. }) {
            return;
        }
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
