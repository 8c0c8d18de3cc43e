//! A node, a log that delivers when it is told to, and a clock that moves when it is told to.

mod cluster;
mod enter;
mod founding;
mod grace;
mod refounding;
mod rooms;
mod slow_log;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use protocol::event::{Binding, Record, RoomEvent, RoomLimits};
use protocol::limits::Limits;
use protocol::{ErrorCode, Incarnation, MediaKind, ParticipantId, RoomId, SessionId, Source};
use room::Change;

use super::{Accepted, Applied, Input, Node, NodeConfig, Output, Proposal, ProposalKey, Ticket};
use crate::log::Entry;

const SECOND: Duration = Duration::from_secs(1);
const ME: Incarnation = Incarnation(1);

struct Bench {
    node: Node,
    start: Instant,
    now: Instant,
    /// Appended and not yet delivered.
    log: VecDeque<(RoomId, Vec<u8>)>,
    next_offset: u64,
    /// Everything that was on the log.
    entries: Vec<Entry>,
    next_ticket: u64,
    applied: Vec<Applied>,
    resolved: BTreeMap<Ticket, Result<Accepted, ErrorCode>>,
    set_aside: usize,
    fenced: bool,
    diverged_is_expected: bool,
    ignorant: usize,
    refounded: usize,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(configure: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = NodeConfig::new("node-1".parse().expect("a node id"), &Limits::default());
        config.room_limits = RoomLimits { participants_max: 3, ..config.room_limits };
        configure(&mut config);
        let start = Instant::now();
        let mut node = Node::new(ME, config);
        node.handle(start, Input::CaughtUp);
        Self {
            node,
            start,
            now: start,
            log: VecDeque::new(),
            next_offset: 0,
            entries: Vec::new(),
            next_ticket: 0,
            applied: Vec::new(),
            resolved: BTreeMap::new(),
            set_aside: 0,
            fenced: false,
            diverged_is_expected: false,
            ignorant: 0,
            refounded: 0,
        }
    }

    fn propose(&mut self, proposal: Proposal) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.handle(Input::Propose { ticket, proposal });
        ticket
    }

    fn handle(&mut self, input: Input) {
        self.node.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Append { room, value, .. } => self.log.push_back((room, value)),
                Output::Changed(applied) => self.applied.push(applied),
                Output::Resolve { ticket, result } => {
                    let before = self.resolved.insert(ticket, result);
                    assert_eq!(before, None, "a ticket is resolved once");
                }
                Output::SetAside { .. } => self.set_aside += 1,
                Output::Diverged { .. } if self.diverged_is_expected => {}
                Output::Diverged { .. } | Output::TooLarge { .. } => panic!("{output:?}"),
                Output::Ignorant { .. } => self.ignorant += 1,
                Output::Refounded { .. } => self.refounded += 1,
                Output::Fenced => self.fenced = true,
            }
        }
    }

    /// The next record comes back.
    fn deliver(&mut self) -> bool {
        let Some((room, value)) = self.log.pop_front() else { return false };
        self.entry(room, value);
        true
    }

    /// All records come back, and what is appended because of them.
    fn deliver_all(&mut self) {
        while self.deliver() {}
    }

    fn entry(&mut self, room: RoomId, value: Vec<u8>) {
        let offset = self.next_offset;
        self.next_offset += 1;
        let time_ms = u64::try_from((self.now - self.start).as_millis()).expect("a short test");
        let entry = Entry { room, offset, time_ms, value: value.into() };
        self.entries.push(entry.clone());
        self.handle(Input::Entry(entry));
    }

    /// A record of somebody else, or out of this node's reach.
    fn record(&mut self, room: &RoomId, record: &Record) {
        self.entry(room.clone(), serde_json::to_vec(record).expect("json"));
    }

    /// Time passes, and timers go off on time.
    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.node.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Joins and returns the answer.
    fn joined(&mut self, participant: u64) -> Accepted {
        let ticket = self.propose(join(participant, participant));
        self.deliver_all();
        self.accepted(ticket)
    }

    /// Proposes an event of the node's own about a participant and returns the answer.
    fn say(&mut self, binding: Binding, event: RoomEvent) -> Result<Accepted, ErrorCode> {
        let ticket = self.propose(about(binding, event));
        self.deliver_all();
        self.result(ticket)
    }

    fn result(&self, ticket: Ticket) -> Result<Accepted, ErrorCode> {
        self.resolved.get(&ticket).cloned().expect("the ticket is resolved")
    }

    fn accepted(&self, ticket: Ticket) -> Accepted {
        self.result(ticket).expect("it is accepted")
    }

    fn is_open(&self, ticket: Ticket) -> bool {
        !self.resolved.contains_key(&ticket)
    }

    fn changes(&mut self) -> Vec<Change> {
        self.applied.drain(..).map(|applied| applied.change).collect()
    }

    /// Events that are on their way to the log, but snapshots, which are written whatever happens.
    fn under_way(&self) -> Vec<RoomEvent> {
        let decode = |(_, value): &(RoomId, Vec<u8>)| serde_json::from_slice::<Record>(value).expect("a record").event;
        self.log.iter().map(decode).filter(|event| !matches!(event, RoomEvent::Snapshot { .. })).collect()
    }

    fn people(&self) -> usize {
        self.node.snapshot(&room()).map_or(0, |snapshot| snapshot.participants.len())
    }
}

fn room() -> RoomId {
    "daily".parse().expect("a room name")
}

fn join(participant: u64, session: u64) -> Proposal {
    let (participant, session) = (ParticipantId(participant), SessionId(session));
    let event =
        RoomEvent::Joined { participant, session, name: "P".to_owned(), video_codecs: Vec::new(), address_tag: None };
    Proposal { room: room(), key: ProposalKey::Session { session, n: 0 }, binding: None, event }
}

fn resume(participant: u64, session: u64) -> Proposal {
    let (participant, session) = (ParticipantId(participant), SessionId(session));
    let event = RoomEvent::Resumed { participant, session, generation: 1 };
    Proposal { room: room(), key: ProposalKey::Node, binding: None, event }
}

/// An event of the node's own about a participant.
fn about(binding: Binding, event: RoomEvent) -> Proposal {
    Proposal { room: room(), key: ProposalKey::Node, binding: Some(binding), event }
}

/// A client's request; the session has the participant's number.
fn ask(binding: Binding, n: u64, event: RoomEvent) -> Proposal {
    let key = ProposalKey::Session { session: SessionId(binding.participant.0), n };
    Proposal { room: room(), key, binding: Some(binding), event }
}

fn produce_mic() -> RoomEvent {
    RoomEvent::ProducerAdded { source: Source::Mic, kind: MediaKind::Audio, paused: false }
}
