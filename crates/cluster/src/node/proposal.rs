//! From a proposal to its record on the log, and what happens when that does not come back.

use std::time::{Duration, Instant};

use protocol::event::{Binding, Creation, Record, RequestKey, RoomEvent};
use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorCode, RoomId, SessionId};

use super::hosted::{Hosted, Pending};
use super::timers::Timer;
use super::{Node, Ticket};

/// A wish to have an event happen in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Where.
    pub room: RoomId,
    /// What makes a repeat of it known as one.
    pub key: ProposalKey,
    /// The participant it is about and the binding they have; `None` for `Joined` and `Resumed`.
    pub binding: Option<Binding>,
    /// What.
    pub event: RoomEvent,
}

/// Who numbers a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalKey {
    /// The client: safe to repeat, also through another node.
    Session {
        /// Its session.
        session: SessionId,
        /// 0 for the join, then counted from 1 by the client.
        n: u64,
    },
    /// This node: for what the server itself says of a participant (`Held`, a resume, a leave on behalf).
    /// `Held` is said again by the node until it is so or out of date, whatever the answer was.
    Node,
}

/// The answer to a proposal that the rules accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The number of its event, also when it was applied at an earlier proposal with the same key.
    pub seq: u64,
    /// For `Joined` and `Resumed`: what every later proposal about this participant carries.
    pub binding: Option<Binding>,
    /// For `Joined` and `Resumed`: the room exactly as the event left it.
    pub snapshot: Option<RoomSnapshot>,
}

impl Node {
    pub(super) fn propose(&mut self, now: Instant, ticket: Ticket, proposal: Proposal) {
        if let Err(error) = self.admit(now, &proposal) {
            self.resolve(ticket, Err(error));
            return;
        }
        let Proposal { room, key, binding, event } = proposal;
        let patience = self.patience(&event, key);
        let key = match key {
            ProposalKey::Session { session, n } => RequestKey::Session { session, n },
            ProposalKey::Node => self.own_key(),
        };
        let record = Record { rules: room::RULES, origin: self.incarnation, key, binding, event };
        if enters(&record.event) {
            self.announce(&room);
        }
        if let (RoomEvent::Held { closing }, Some(binding)) = (&record.event, binding) {
            self.keep_holding(now, &room, binding, *closing);
        }
        self.append(&room, &record);
        self.wait(room, Pending { ticket, record, attempts: 1, deadline: now + patience });
    }

    /// For how long the log's answer is waited for. While the log is away that is what somebody in a room is told at
    /// once, so that what they ask for next, perhaps without need of the log, is not held up. The record is taken all
    /// the same if it finds the log back soon, and a repeat of the request gets its outcome. Who publishes waits: the
    /// media is there already, and would be taken for given up in between.
    fn patience(&self, event: &RoomEvent, key: ProposalKey) -> Duration {
        let publishes = matches!(event, RoomEvent::ProducerAdded { .. } | RoomEvent::DataProducerAdded { .. });
        match key {
            ProposalKey::Session { n: 1.., .. } if !self.log_answers && !publishes => Duration::ZERO,
            _ => self.config.answer_timeout,
        }
    }

    /// Waits for a record that was appended. Whoever asks the same again while it is under way is a newer
    /// attempt of the same client and takes the place of the older.
    pub(super) fn wait(&mut self, room: RoomId, pending: Pending) {
        let Pending { record: Record { key, .. }, deadline, .. } = pending;
        let hosted = self.rooms.entry(room.clone()).or_insert_with(|| Hosted::new(room.clone()));
        match hosted.pending.insert(key, pending) {
            Some(earlier) => self.resolve(earlier.ticket, Err(ErrorCode::Superseded)),
            None => self.pending += 1,
        }
        self.timers.set(deadline, Timer::Answer(room, key));
    }

    /// Appends what is waited for once more.
    pub(super) fn append_again(&mut self, room: &RoomId, pending: Pending) {
        let mut record = pending.record;
        if let (RequestKey::Node { .. }, false) = (record.key, self.is_host(room)) {
            // It was not judged, and the number of the introduction that comes before it now may have left the old
            // one behind.
            record.key = self.own_key();
        }
        self.append(room, &record);
        self.wait(room.clone(), Pending { record, ..pending });
    }

    /// Stops waiting for a record.
    pub(super) fn take_pending(&mut self, room: &RoomId, key: RequestKey) -> Option<Pending> {
        let pending = self.rooms.get_mut(room)?.pending.remove(&key)?;
        self.pending -= 1;
        self.timers.cancel(&Timer::Answer(room.clone(), key));
        Some(pending)
    }

    /// Makes this node a host of the room, and the room first if there is none, unless that is under way.
    pub(super) fn announce(&mut self, room: &RoomId) {
        let incarnation = self.incarnation;
        let hosted = self.rooms.entry(room.clone()).or_insert_with(|| Hosted::new(room.clone()));
        if hosted.announced || hosted.room.is_host(incarnation) {
            return;
        }
        hosted.announced = true;
        let creation = if hosted.room.limits().is_some() { hosted.room.creation() } else { Some(Creation::Own) };
        if creation == Some(Creation::Own) {
            let limits = self.config.room_limits;
            self.append_own(room, None, RoomEvent::RoomCreated { rules: room::RULES, limits });
        }
        let node = self.config.node.clone();
        self.append_own(room, None, RoomEvent::HostAdded { incarnation, node, creation });
    }

    pub(super) fn append_refused(&mut self, now: Instant, room: &RoomId, key: RequestKey) {
        self.give_up(now, room, key);
    }

    pub(super) fn answer_overdue(&mut self, now: Instant, room: &RoomId, key: RequestKey) {
        self.give_up(now, room, key);
    }

    /// The record may still come: then it is applied, and a repeat of the request gets its outcome.
    fn give_up(&mut self, now: Instant, room: &RoomId, key: RequestKey) {
        if let Some(hosted) = self.rooms.get_mut(room) {
            hosted.announced = false;
        }
        if let Some(pending) = self.take_pending(room, key) {
            self.resolve(pending.ticket, Err(ErrorCode::LogUnavailable));
        }
        self.settle(now, room);
    }

    fn admit(&self, now: Instant, proposal: &Proposal) -> Result<(), ErrorCode> {
        if self.draining {
            return Err(ErrorCode::Draining);
        }
        if !self.caught_up || self.pending >= self.config.pending_max {
            return Err(ErrorCode::LogUnavailable);
        }
        let known = self.rooms.get(&proposal.room);
        // Rooms of other nodes count for those; they are looked through only where there are many.
        let hosts = |hosted: &&Hosted| hosted.announced || hosted.room.is_host(self.incarnation);
        let is_full = known.is_none()
            && self.rooms.len() >= self.config.rooms_max
            && self.rooms.values().filter(hosts).count() >= self.config.rooms_max;
        let is_live = known.is_some_and(|hosted| hosted.room.limits().is_some());
        // Others have the room, and soon this node will.
        let is_ignorant = !is_live && self.is_ignorant_of(now, &proposal.room);
        match proposal.event {
            RoomEvent::Joined { .. } if is_ignorant => Err(ErrorCode::LogUnavailable),
            RoomEvent::Joined { .. } if is_full => Err(ErrorCode::ServerFull),
            RoomEvent::Joined { .. } => Ok(()),
            _ if is_live => Ok(()),
            RoomEvent::Resumed { .. } if is_ignorant => Err(ErrorCode::LogUnavailable),
            RoomEvent::Resumed { .. } => Err(ErrorCode::SessionExpired),
            _ => Err(ErrorCode::NotJoined),
        }
    }
}

/// Whether somebody comes in by it, for which this node has to be a host.
pub(super) fn enters(event: &RoomEvent) -> bool {
    matches!(event, RoomEvent::Joined { .. } | RoomEvent::Resumed { .. })
}
