//! The state of a room.

use std::collections::{BTreeMap, VecDeque};

use protocol::event::{Binding, Creation, Logged, Record, RequestKey, RoomLimits};
use protocol::snapshot::{ChatMessage, DataProducerView, ParticipantView, ProducerView, RoomSnapshot};
use protocol::{
    DataProducerId, ErrorCode, Incarnation, NodeId, ParticipantId, ProducerId, Role, RoomId, RoomSettings, SessionId,
    Source,
};
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::requests::{EndedSessions, Window};
use crate::{RULES_CREATION, RULES_ROLES};

/// A room, made by [`apply`](fn) and by nothing else. It begins and ends without limits, hosts and people. It can be
/// kept and read again (serde): two that are equal are written alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    id: RoomId,
    pub(crate) limits: Option<RoomLimits>,
    /// `None` in rooms that older rules created.
    #[serde(default)]
    pub(crate) created: Option<Created>,
    /// `None` in rooms that older rules created, where nobody has a role and everything is allowed.
    #[serde(default)]
    pub(crate) settings: Option<RoomSettings>,
    pub(crate) seq: u64,
    pub(crate) offset: u64,
    pub(crate) time_ms: u64,
    last_binding: u64,
    pub(crate) hosts: BTreeMap<Incarnation, Host>,
    /// Incarnations that may not become hosts again, oldest first.
    pub(crate) lost: VecDeque<Incarnation>,
    pub(crate) participants: BTreeMap<ParticipantId, Participant>,
    /// What the sessions in force asked so far: one per participant.
    pub(crate) sessions: BTreeMap<SessionId, Window>,
    pub(crate) ended: EndedSessions,
    /// What everybody in the room can receive.
    pub(crate) video_codecs: Vec<String>,
    /// The newest messages, oldest first, and how many there were.
    #[serde(default)]
    pub(crate) chat: VecDeque<ChatMessage>,
    #[serde(default)]
    pub(crate) chat_count: u64,
}

/// The record with which a room began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) offset: u64,
    by: Incarnation,
}

/// A node that carries the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) node: NodeId,
    pub(crate) window: Window,
}

/// Somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub(crate) name: String,
    pub(crate) session: SessionId,
    /// The number of the session's newest token.
    #[serde(default)]
    pub(crate) generation: u32,
    pub(crate) binding: Binding,
    /// The number of their first binding, which gives the order of joining.
    pub(crate) joined: u64,
    #[serde(default)]
    pub(crate) role: Role,
    /// The number of the event that raised it.
    #[serde(default)]
    pub(crate) hand: Option<u64>,
    pub(crate) held_until_ms: Option<u64>,
    pub(crate) producers: BTreeMap<Source, Producer>,
    /// By their numbers.
    pub(crate) data_producers: BTreeMap<u32, DataProducer>,
    /// What they can receive.
    pub(crate) video_codecs: Vec<String>,
}

/// A channel that somebody sends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataProducer {
    pub(crate) label: String,
    pub(crate) protocol: String,
}

/// A source that somebody publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    pub(crate) paused: bool,
    pub(crate) inherited: bool,
}

impl Room {
    /// A room of which nothing happened yet.
    pub fn new(id: RoomId) -> Self {
        Self {
            id,
            limits: None,
            created: None,
            settings: None,
            seq: 0,
            offset: 0,
            time_ms: 0,
            last_binding: 0,
            hosts: BTreeMap::new(),
            lost: VecDeque::new(),
            participants: BTreeMap::new(),
            sessions: BTreeMap::new(),
            ended: EndedSessions::default(),
            video_codecs: Vec::new(),
            chat: VecDeque::new(),
            chat_count: 0,
        }
    }

    /// The room's name.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// What was fixed when it was created; `None` before that and after its end.
    pub fn limits(&self) -> Option<&RoomLimits> {
        self.limits.as_ref()
    }

    /// The offset of the record that created it, by which two rooms of one name are told apart; `None` if rules before
    /// 2 created it.
    pub fn created(&self) -> Option<u64> {
        self.created.map(|created| created.offset)
    }

    /// What a node that knows this room says of it.
    pub fn creation(&self) -> Option<Creation> {
        self.created.map(|created| Creation::At { offset: created.offset, as_of: self.offset })
    }

    /// How many events were accepted since it was created.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The offset of the last record that was applied.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The room's time in milliseconds since the Unix epoch: that of the log, but never backwards.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Whether this life of a node was declared lost here, for good.
    pub fn has_lost(&self, incarnation: Incarnation) -> bool {
        self.lost.contains(&incarnation)
    }

    /// Whether this life of a node is a live host.
    pub fn is_host(&self, incarnation: Incarnation) -> bool {
        self.hosts.contains_key(&incarnation)
    }

    /// The live hosts.
    pub fn hosts(&self) -> impl Iterator<Item = (Incarnation, &NodeId)> {
        self.hosts.iter().map(|(incarnation, host)| (*incarnation, &host.node))
    }

    /// One of those in the room.
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.participants.get(&id)
    }

    /// Everybody in the room, the held ones included, by id.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = &Participant> {
        self.participants.values()
    }

    /// The room as its members see it.
    pub fn snapshot(&self) -> RoomSnapshot {
        let mut participants: Vec<&Participant> = self.participants.values().collect();
        participants.sort_by_key(|participant| participant.joined);
        let participants = participants.into_iter().map(Participant::view).collect();
        RoomSnapshot {
            room_id: self.id.clone(),
            seq: self.seq,
            participants,
            video_codecs: self.video_codecs.clone(),
            chat: self.chat.iter().cloned().collect(),
            settings: self.settings.unwrap_or_default(),
        }
    }

    /// A binding above all earlier ones. Numbers follow the log's offsets, so that not even a room that ended
    /// and began again takes an old binding for one of its own.
    pub(crate) fn bind(&mut self, participant: ParticipantId, incarnation: Incarnation) -> Binding {
        self.last_binding = self.last_binding.saturating_add(1).max(self.offset);
        Binding { participant, number: self.last_binding, incarnation }
    }

    /// When the grace time of somebody ends who is held from now on.
    pub(crate) fn grace_end_ms(&self, closing: bool) -> u64 {
        let grace_ms = |limits: &RoomLimits| if closing { limits.closing_grace_ms } else { limits.grace_ms };
        self.time_ms.saturating_add(self.limits.as_ref().map_or(0, grace_ms))
    }

    /// The participant that a record is about, if it was made under the binding in force and, where it is a
    /// client's request, by the session in force.
    pub(crate) fn bound(&mut self, record: &Record) -> Result<&mut Participant, ErrorCode> {
        let binding = record.binding.ok_or(ErrorCode::BadRequest)?;
        let participant = self.participants.get_mut(&binding.participant).ok_or(ErrorCode::NotJoined)?;
        let of_session = match record.key {
            RequestKey::Session { session, .. } => session == participant.session,
            RequestKey::Node { .. } => true,
        };
        if participant.binding != binding || !of_session {
            return Err(ErrorCode::Superseded);
        }
        Ok(participant)
    }

    /// What a session is told that is over; `None` if it is not, or was so long ago that it was forgotten.
    pub fn ended_with(&self, session: SessionId) -> Option<ErrorCode> {
        self.ended.error(session)
    }

    /// Takes a participant and their session out; the session's later requests get `error`.
    pub(crate) fn remove(&mut self, id: ParticipantId, error: ErrorCode) {
        if let Some(participant) = self.participants.remove(&id) {
            self.end_session(participant.session, error);
        }
    }

    /// Ends a session; its later requests get `error`.
    pub(crate) fn end_session(&mut self, session: SessionId, error: ErrorCode) {
        self.sessions.remove(&session);
        self.ended.insert(session, error);
    }

    /// Whether `origin` means this room. Records of older rules name no creation.
    pub(crate) fn is_meant(&self, origin: Incarnation, creation: Option<Creation>) -> bool {
        match creation {
            None => true,
            Some(Creation::Own) => self.created.is_some_and(|created| created.by == origin),
            Some(Creation::At { offset, .. }) => self.created() == Some(offset),
        }
    }

    /// A new life. Whoever begins to read the log here has the same room as those who knew an earlier one of this name.
    pub(crate) fn begin(&mut self, logged: &Logged, rules: u16, limits: RoomLimits) {
        let created = Created { offset: logged.offset, by: logged.record.origin };
        *self = Self {
            limits: Some(limits),
            created: (rules >= RULES_CREATION).then_some(created),
            settings: (rules >= RULES_ROLES).then(RoomSettings::default),
            seq: 1,
            offset: logged.offset,
            time_ms: logged.time_ms,
            ..Self::new(self.id.clone())
        };
    }

    /// Back to the state before its creation. What orders records goes on.
    pub(crate) fn end(&mut self) {
        let Self { offset, time_ms, last_binding, .. } = *self;
        *self = Self { offset, time_ms, last_binding, ..Self::new(self.id.clone()) };
    }
}

impl Participant {
    /// Who.
    pub fn id(&self) -> ParticipantId {
        self.binding.participant
    }

    /// What others read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The session in force.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The number of the session's newest token.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The binding in force.
    pub fn binding(&self) -> Binding {
        self.binding
    }

    /// The room's time at which their grace time ends, in milliseconds; `None` while they are connected.
    pub fn held_until_ms(&self) -> Option<u64> {
        self.held_until_ms
    }

    /// What they publish.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = (Source, Producer)> {
        self.producers.iter().map(|(source, producer)| (*source, *producer))
    }

    /// Whether a source waits to be published again by who came back.
    pub fn has_inherited(&self) -> bool {
        self.producers.values().any(|producer| producer.inherited)
    }

    /// As the others see them.
    pub fn view(&self) -> ParticipantView {
        let producers = self.producers.iter().map(|(source, producer)| self.producer_view(*source, producer.paused));
        let data_producers = self.data_producers.iter().map(|(&number, data_producer)| DataProducerView {
            id: DataProducerId { participant: self.id(), number },
            label: data_producer.label.clone(),
            protocol: data_producer.protocol.clone(),
        });
        ParticipantView {
            id: self.id(),
            name: self.name.clone(),
            role: self.role,
            hand: self.hand,
            producers: producers.collect(),
            data_producers: data_producers.collect(),
        }
    }

    pub(crate) fn producer_id(&self, source: Source) -> ProducerId {
        ProducerId { participant: self.id(), source }
    }

    pub(crate) fn producer_view(&self, source: Source, paused: bool) -> ProducerView {
        ProducerView { id: self.producer_id(source), kind: source.kind(), paused }
    }

    /// Puts `binding` in force. The transports of another session or node are gone, so what they carried has
    /// to be published again, and channels are closed: those changes follow the return.
    pub(crate) fn rebind(&mut self, binding: Binding, session: SessionId) -> Vec<Change> {
        let mut changes = vec![Change::Returned { binding }];
        let transports_survive = session == self.session && binding.incarnation == self.binding.incarnation;
        if !transports_survive {
            self.producers.values_mut().for_each(|producer| producer.inherited = true);
            let closed = std::mem::take(&mut self.data_producers).into_keys();
            let id = |number| DataProducerId { participant: binding.participant, number };
            changes.extend(closed.map(|number| Change::DataProducerClosed { data_producer: id(number) }));
        }
        self.binding = binding;
        if session != self.session {
            (self.session, self.generation) = (session, 0);
        }
        self.held_until_ms = None;
        changes
    }
}

impl Producer {
    /// Muted, or switched off for now.
    pub fn paused(self) -> bool {
        self.paused
    }

    /// Published by an earlier session or through another node, and not yet again.
    pub fn inherited(self) -> bool {
        self.inherited
    }
}
