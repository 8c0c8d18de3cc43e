//! A log by hand, for the tests of the rules.

use protocol::event::{Binding, Creation, Logged, Record, RequestKey, RoomEvent, RoomLimits};
use protocol::snapshot::ParticipantView;
use protocol::{ErrorCode, Incarnation, MediaKind, ParticipantId, Role, SessionId, Setting, Source};

use crate::{Accepted, Change, Outcome, RULES, Room, apply};

pub(crate) const HERE: Incarnation = Incarnation(1);
pub(crate) const THERE: Incarnation = Incarnation(2);

pub(crate) const LIMITS: RoomLimits = RoomLimits {
    participants_max: 3,
    name_bytes_max: 16,
    data_producers_max: 4,
    chat_message_bytes_max: 100,
    chat_messages_max: 10,
    chat_bytes_max: 500,
    grace_ms: 30_000,
    closing_grace_ms: 5_000,
    sources_ms: 10_000,
};

/// A room and the log that made it.
pub(crate) struct Story {
    pub(crate) room: Room,
    pub(crate) log: Vec<Logged>,
    pub(crate) time_ms: u64,
    own_n: u64,
}

impl Story {
    /// Nothing happened yet.
    pub(crate) fn blank() -> Self {
        Self { room: Room::new("daily".parse().expect("a room name")), log: Vec::new(), time_ms: 1000, own_n: 0 }
    }

    /// A room with the hosts [`HERE`] and [`THERE`].
    pub(crate) fn new() -> Self {
        let mut story = Self::blank();
        story.create();
        story.host(HERE);
        story.host(THERE);
        story
    }

    pub(crate) fn create(&mut self) -> Outcome {
        self.own(HERE, None, RoomEvent::RoomCreated { rules: RULES, limits: LIMITS })
    }

    pub(crate) fn host(&mut self, incarnation: Incarnation) -> Outcome {
        self.host_on(incarnation, self.room.creation())
    }

    pub(crate) fn host_on(&mut self, incarnation: Incarnation, creation: Option<Creation>) -> Outcome {
        let node = "node-1".parse().expect("a node id");
        self.own(incarnation, None, RoomEvent::HostAdded { incarnation, node, creation })
    }

    /// Appends and applies a record.
    pub(crate) fn apply(&mut self, record: Record) -> Outcome {
        let offset = self.log.len() as u64;
        let logged = Logged { offset, time_ms: self.time_ms, record };
        let outcome = apply(&mut self.room, &logged);
        self.log.push(logged);
        outcome
    }

    /// A node's own event.
    pub(crate) fn own(&mut self, origin: Incarnation, binding: Option<Binding>, event: RoomEvent) -> Outcome {
        self.own_n += 1;
        let key = RequestKey::Node { incarnation: origin, n: self.own_n };
        self.apply(Record { rules: RULES, origin, key, binding, event })
    }

    /// A client's request number `n` through the node that it is bound to; its session has the participant's number.
    pub(crate) fn ask(&mut self, binding: Binding, n: u64, event: RoomEvent) -> Outcome {
        let key = RequestKey::Session { session: SessionId(binding.participant.0), n };
        self.apply(Record { rules: RULES, origin: binding.incarnation, key, binding: Some(binding), event })
    }

    /// Participant and session as asked, named "P".
    pub(crate) fn join(&mut self, participant: u64, session: u64) -> Outcome {
        self.join_as(participant, session, "P")
    }

    pub(crate) fn join_as(&mut self, participant: u64, session: u64, name: &str) -> Outcome {
        self.join_with(participant, session, name, &[])
    }

    /// The codecs without their `video/`.
    pub(crate) fn join_with(&mut self, participant: u64, session: u64, name: &str, codecs: &[&str]) -> Outcome {
        let (participant, session) = (ParticipantId(participant), SessionId(session));
        let key = RequestKey::Session { session, n: 0 };
        let video_codecs = codecs.iter().map(|codec| format!("video/{codec}")).collect();
        let event = RoomEvent::Joined { participant, session, name: name.to_owned(), video_codecs };
        self.apply(Record { rules: RULES, origin: HERE, key, binding: None, event })
    }

    /// Joins a participant whose session has the same number.
    pub(crate) fn joined(&mut self, participant: u64) -> Binding {
        binding(&self.join(participant, participant))
    }

    pub(crate) fn resume(&mut self, origin: Incarnation, participant: u64, session: u64) -> Outcome {
        let (participant, session) = (ParticipantId(participant), SessionId(session));
        let generation = self.room.participant(participant).map_or(0, |participant| participant.generation) + 1;
        let event = RoomEvent::Resumed { participant, session, generation };
        self.own(origin, None, event)
    }

    pub(crate) fn produce(&mut self, binding: Binding, source: Source) -> Outcome {
        self.own(binding.incarnation, Some(binding), produce(source))
    }

    pub(crate) fn view(&self, participant: u64) -> ParticipantView {
        self.room.participant(ParticipantId(participant)).expect("a participant").view()
    }
}

pub(crate) fn produce(source: Source) -> RoomEvent {
    let kind = match source {
        Source::Mic | Source::ScreenAudio => MediaKind::Audio,
        Source::Camera | Source::Screen => MediaKind::Video,
    };
    RoomEvent::ProducerAdded { source, kind, paused: false }
}

pub(crate) fn set_role(whom: Binding, role: Role) -> RoomEvent {
    RoomEvent::RoleChanged { target: whom.participant, role }
}

pub(crate) fn switch(setting: Setting, on: bool) -> RoomEvent {
    RoomEvent::SettingChanged { setting, on }
}

pub(crate) fn accepted(outcome: &Outcome) -> Accepted {
    match outcome {
        Outcome::Accepted { accepted, .. } => *accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) fn binding(outcome: &Outcome) -> Binding {
    accepted(outcome).binding.expect("a binding")
}

pub(crate) fn changes(outcome: &Outcome) -> &[Change] {
    match outcome {
        Outcome::Accepted { changes, .. } => changes,
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) fn rejected(error: ErrorCode) -> Outcome {
    Outcome::Rejected(error)
}
