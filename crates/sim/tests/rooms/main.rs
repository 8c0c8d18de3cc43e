//! The rules of a room under random records: right ones, wrong ones, late ones, copies.

use std::collections::{BTreeMap, BTreeSet};

use protocol::event::{Binding, Creation, Logged, Record, RequestKey, RoomEvent, RoomLimits};
use protocol::snapshot::{ParticipantView, RoomSnapshot};
use protocol::{ErrorCode, Incarnation, MediaKind, ParticipantId, Role, RoomSettings, SessionId, Setting, Source};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use room::{Accepted, Change, Outcome, RULES, RULES_OLDEST, Room, apply};

mod recordings;

const SEEDS: u64 = 2000;
const RECORDS: usize = 250;
const PARTICIPANTS_MAX: u32 = 4;

#[test]
fn random_records_never_break_a_room() {
    sim::seeds::run(0..SEEDS, |seed| {
        let mut world = World::new(seed);
        for _ in 0..RECORDS {
            let logged = world.draw();
            world.apply(logged);
        }
        world.replay();
    });
}

/// Most of what is drawn must be accepted, or the simulation would say nothing.
#[test]
fn the_simulation_reaches_every_outcome_and_change() {
    let mut reached = BTreeSet::new();
    for seed in 0..200 {
        let mut world = World::new(seed);
        for _ in 0..RECORDS {
            let logged = world.draw();
            reached.extend(world.apply(logged));
        }
    }
    let all = [
        "joined",
        "held",
        "returned",
        "left",
        "expired",
        "added",
        "paused",
        "resumed",
        "closed",
        "renamed",
        "chat",
        "codecs",
        "dataAdded",
        "dataClosed",
        "handRaised",
        "handLowered",
        "roleChanged",
        "succeeded",
        "settings",
        "asked",
        "pausedByOther",
        "staysPaused",
        "closedByOther",
        "removed",
        "meetingEnded",
        "waitingAdded",
        "waitingRemoved",
        "waitingListed",
        "denied",
        "ended",
        "rejected",
        "repeated",
        "noRoom",
        "setAside",
    ];
    assert_eq!(reached, BTreeSet::from(all));
}

struct World {
    rng: ChaCha8Rng,
    room: Room,
    log: Vec<Logged>,
    offset: u64,
    n: BTreeMap<Incarnation, u64>,
    session_n: BTreeMap<SessionId, u64>,
    next_session: u64,
    /// The room as a client has it that follows the changes.
    view: RoomSnapshot,
    /// What was decided in this life of the room.
    decided: BTreeMap<RequestKey, Result<Accepted, ErrorCode>>,
    hosts: BTreeSet<Incarnation>,
}

impl World {
    fn new(seed: u64) -> Self {
        let room = Room::new("daily".parse().expect("a room name"));
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            view: room.snapshot(),
            room,
            log: Vec::new(),
            offset: 0,
            n: BTreeMap::new(),
            session_n: BTreeMap::new(),
            next_session: 0,
            decided: BTreeMap::new(),
            hosts: BTreeSet::new(),
        }
    }

    fn draw(&mut self) -> Logged {
        self.offset += self.rng.random_range(1..5);
        let time_ms = 1_000_000 + self.offset * 10 - self.rng.random_range(0..100);
        let copied = self.rng.random_ratio(1, 8).then(|| self.older()).flatten();
        let record = copied.unwrap_or_else(|| self.fresh());
        Logged { offset: self.offset, time_ms, record }
    }

    /// A copy of one of the last records.
    fn older(&mut self) -> Option<Record> {
        let back = self.rng.random_range(1..80).min(self.log.len());
        self.log.iter().rev().nth(back.checked_sub(1)?).map(|logged| logged.record.clone())
    }

    fn fresh(&mut self) -> Record {
        let origin = Incarnation(self.rng.random_range(1..4));
        let participant = self.participant();
        let in_force = self.room.participant(participant).map(room::Participant::binding);
        let binding = match self.rng.random_range(0..20) {
            0 => None,
            1 => Some(Binding { participant, number: self.rng.random_range(0..self.offset + 2), incarnation: origin }),
            _ => in_force,
        };
        let origin = match in_force {
            Some(binding) if self.rng.random_ratio(3, 4) => binding.incarnation,
            _ => origin,
        };
        let event = self.event(origin, participant);
        let key = self.key(origin, participant, &event);
        let rules = match self.rng.random_range(0..100) {
            0 => RULES + 1,
            1..5 => RULES_OLDEST,
            _ => RULES,
        };
        Record { rules, origin, key, binding, event }
    }

    fn participant(&mut self) -> ParticipantId {
        ParticipantId(self.rng.random_range(1..7))
    }

    /// The session that the participant is in with, or a new one, or any.
    fn session(&mut self, participant: ParticipantId) -> SessionId {
        let in_force = self.room.participant(participant).map(room::Participant::session);
        match (in_force, self.rng.random_range(0..10)) {
            (_, 0) => SessionId(self.rng.random_range(0..self.next_session + 1)),
            (Some(session), 1..8) => session,
            _ => {
                self.next_session += 1;
                SessionId(self.next_session)
            }
        }
    }

    fn key(&mut self, origin: Incarnation, participant: ParticipantId, event: &RoomEvent) -> RequestKey {
        let session = match event {
            RoomEvent::Joined { session, .. } | RoomEvent::Resumed { session, .. } => Some(*session),
            RoomEvent::Left {}
            | RoomEvent::Renamed { .. }
            | RoomEvent::ChatSent { .. }
            | RoomEvent::ProducerAdded { .. }
            | RoomEvent::ProducerPaused { .. }
            | RoomEvent::ProducerResumed { .. }
            | RoomEvent::ProducerClosed { .. }
            | RoomEvent::DataProducerAdded { .. }
            | RoomEvent::DataProducerClosed { .. }
            | RoomEvent::HandRaised {}
            | RoomEvent::HandLowered { .. }
            | RoomEvent::RoleChanged { .. }
            | RoomEvent::SettingChanged { .. }
            | RoomEvent::Muted { .. }
            | RoomEvent::AskedToUnmute { .. }
            | RoomEvent::Removed { .. }
            | RoomEvent::Admitted { .. }
            | RoomEvent::Denied { .. }
            | RoomEvent::MeetingEnded {} => Some(self.session(participant)),
            _ => None,
        };
        match session {
            Some(session) if self.rng.random_ratio(7, 8) => {
                let last = self.session_n.entry(session).or_default();
                let n = match self.rng.random_range(0..40) {
                    0 => self.rng.random_range(0..*last + 100),
                    _ => *last + 1,
                };
                *last = n.max(*last);
                RequestKey::Session { session, n }
            }
            _ => {
                let n = self.n.entry(origin).or_default();
                *n += 1;
                RequestKey::Node { incarnation: origin, n: *n }
            }
        }
    }

    fn event(&mut self, origin: Incarnation, participant: ParticipantId) -> RoomEvent {
        let source = Source::ALL[self.rng.random_range(0..4)];
        let kind = if self.rng.random_ratio(1, 20) { MediaKind::Audio } else { source.kind() };
        if self.room.limits().is_none() && self.rng.random_ratio(1, 2) {
            let limits = RoomLimits { participants_max: PARTICIPANTS_MAX, name_bytes_max: 4, ..RoomLimits::default() };
            return RoomEvent::RoomCreated { rules: RULES, limits };
        }
        if !self.room.is_host(origin) && self.rng.random_ratio(3, 4) {
            let node = "node-1".parse().expect("a node id");
            let creation = match self.rng.random_range(0..10) {
                0 => None,
                1 => Some(Creation::Own),
                2 => Some(Creation::At { offset: self.rng.random_range(0..self.offset + 2), as_of: self.offset }),
                _ => self.room.creation(),
            };
            return RoomEvent::HostAdded { incarnation: origin, node, creation };
        }
        if self.rng.random_ratio(1, 5) {
            return self.moderation(source);
        }
        let names = ["A", "B", "long name"];
        let name = names[self.rng.random_range(0..names.len())].to_owned();
        match self.rng.random_range(0..100) {
            0..20 => {
                let video_codecs = ["video/VP8", "video/H264", "video/VP9"].map(str::to_owned);
                let video_codecs = video_codecs.into_iter().filter(|_| self.rng.random_ratio(3, 4)).collect();
                let session = self.session(participant);
                let address_tag = self.rng.random_ratio(1, 2).then(|| self.rng.random_range(0..3));
                RoomEvent::Joined { participant, session, name, video_codecs, address_tag }
            }
            20..30 => RoomEvent::Resumed {
                participant,
                session: self.session(participant),
                generation: self.rng.random_range(0..4),
            },
            30..38 => RoomEvent::Held { closing: self.rng.random() },
            38..42 => RoomEvent::GraceExpired {},
            42..48 => RoomEvent::SourcesExpired {},
            48..52 => RoomEvent::Left {},
            52..54 => RoomEvent::Renamed { name },
            54..56 => RoomEvent::ChatSent { text: name },
            56..74 => RoomEvent::ProducerAdded { source, kind, paused: self.rng.random() },
            74..81 => RoomEvent::ProducerPaused { source },
            81..88 => RoomEvent::ProducerResumed { source },
            88..92 => RoomEvent::ProducerClosed { source },
            92..95 => {
                let number = self.rng.random_range(0..4);
                RoomEvent::DataProducerAdded { number, label: name, protocol: String::new() }
            }
            95 => RoomEvent::DataProducerClosed { number: self.rng.random_range(0..4) },
            96 => RoomEvent::NodeLost { incarnation: Incarnation(self.rng.random_range(1..4)) },
            97 => RoomEvent::RoomEnded {},
            98 => RoomEvent::Unknown,
            _ => RoomEvent::RoomCreated { rules: RULES, limits: RoomLimits::default() },
        }
    }

    /// What the host and co-hosts ask for, whoever does.
    fn moderation(&mut self, source: Source) -> RoomEvent {
        let target = self.participant();
        let some = self.rng.random_ratio(2, 3).then_some(target);
        let settings = [Setting::Lobby, Setting::Locked, Setting::Mic, Setting::Camera, Setting::Screen, Setting::Chat];
        let roles = [Role::Host, Role::CoHost, Role::Participant, Role::Viewer];
        match self.rng.random_range(0..100) {
            0..15 => RoomEvent::HandRaised {},
            15..27 => RoomEvent::HandLowered { target: some },
            27..45 => RoomEvent::RoleChanged { target, role: roles[self.rng.random_range(0..4)] },
            45..60 => {
                let setting = settings[self.rng.random_range(0..6)];
                // Locked rooms and silent ones would say less.
                let usual = setting != Setting::Locked;
                RoomEvent::SettingChanged { setting, on: self.rng.random_ratio(3, 4) == usual }
            }
            60..72 => RoomEvent::Muted { target: some, source },
            72..78 => RoomEvent::AskedToUnmute { target, source },
            78..82 => RoomEvent::Removed { target, ban: self.rng.random_ratio(1, 4) },
            82..89 => RoomEvent::Admitted { target: some },
            89..98 => {
                // Few wait at a time.
                let waiting = self.room.snapshot().waiting;
                RoomEvent::Denied { target: waiting.first().map_or(target, |waiting| waiting.id) }
            }
            _ => RoomEvent::MeetingEnded {},
        }
    }

    /// Applies a record, checks everything, and names what was reached.
    fn apply(&mut self, logged: Logged) -> Vec<&'static str> {
        let before = self.room.snapshot();
        let outcome = apply(&mut self.room, &logged);
        let key = logged.record.key;
        let reached = match &outcome {
            Outcome::Accepted { accepted, changes } => {
                self.accepted(&logged.record, &before, *accepted, changes);
                changes.iter().map(name).collect()
            }
            other => {
                assert_eq!(self.room.snapshot(), before, "only accepted records change a room: {logged:?}");
                match other {
                    Outcome::Repeated(decision) => self.repeated(key, *decision),
                    Outcome::Rejected(error) if *error != ErrorCode::Superseded && *error != ErrorCode::Draining => {
                        self.decided.entry(key).or_insert(Err(*error));
                    }
                    _ => {}
                }
                vec![match other {
                    Outcome::Rejected(_) => "rejected",
                    Outcome::Repeated(_) => "repeated",
                    Outcome::NoRoom => "noRoom",
                    Outcome::Accepted { .. } | Outcome::SetAside => "setAside",
                }]
            }
        };
        self.check();
        self.log.push(logged);
        reached
    }

    fn accepted(&mut self, record: &Record, before: &RoomSnapshot, accepted: Accepted, changes: &[Change]) {
        assert_eq!(accepted.seq, before.seq + 1, "sequence numbers are dense");
        let key = record.key;
        assert!(!matches!(self.decided.get(&key), Some(Ok(_))), "accepted twice: {record:?}");
        match &record.event {
            RoomEvent::RoomCreated { .. } => {}
            RoomEvent::HostAdded { incarnation, .. } => assert!(self.hosts.insert(*incarnation)),
            event => {
                assert!(self.hosts.contains(&record.origin), "only live hosts are believed: {record:?}");
                if let RoomEvent::NodeLost { incarnation } = event {
                    self.hosts.remove(incarnation);
                }
            }
        }
        for change in changes {
            follow(&mut self.view, change);
        }
        if changes.contains(&Change::Ended) {
            self.decided.clear();
            self.hosts.clear();
            assert_eq!(self.room.limits(), None);
        } else if !matches!(record.event, RoomEvent::RoomCreated { .. }) {
            assert_eq!(self.room.seq(), accepted.seq);
            self.decided.insert(key, Ok(accepted));
        }
    }

    fn repeated(&self, key: RequestKey, decision: Result<Accepted, ErrorCode>) {
        if self.decided.get(&key) == Some(&decision) {
            return;
        }
        // Of a session that is over only the last request is remembered.
        let RequestKey::Session { session, .. } = key else { panic!("{key:?}: {decision:?}") };
        assert!(decision.is_err(), "{key:?}: {decision:?}");
        assert!(self.room.participants().all(|participant| participant.session() != session));
    }

    fn check(&self) {
        let room = &self.room;
        let RoomSnapshot { participants, video_codecs, settings, waiting, .. } = room.snapshot();
        assert_eq!(participants, self.view.participants, "who follows the changes has the room");
        assert_eq!(video_codecs, self.view.video_codecs, "and knows what it can receive");
        assert_eq!(settings, self.view.settings, "and how it is set");
        assert_eq!(waiting, self.view.waiting, "and who waits");
        assert!(waiting.is_empty() || !participants.is_empty(), "somebody can let them in");
        let hosts = participants.iter().filter(|participant| participant.role == Role::Host).count();
        assert_eq!(hosts, usize::from(!participants.is_empty()), "one host as long as anybody is in");
        for participant in &participants {
            for producer in &participant.producers {
                let may = room::may_produce(participant.role, &settings, producer.id.source, producer.paused);
                assert!(may, "nobody publishes what they may not: {participant:?}, {settings:?}");
            }
        }
        let participants_max = room.limits().map_or(0, |limits| limits.participants_max);
        assert!(participants.len() <= participants_max as usize, "capacity");
        assert_eq!(room.participants().len(), participants.len() + waiting.len());
        assert_eq!(room.hosts().map(|(incarnation, _)| incarnation).collect::<BTreeSet<_>>(), self.hosts);
        let mut sessions = BTreeSet::new();
        let mut numbers = BTreeSet::new();
        for participant in room.participants() {
            let binding = participant.binding();
            assert!(sessions.insert(participant.session()), "one participant for each session");
            assert!(numbers.insert(binding.number), "binding numbers are unique");
            assert!(
                participant.held_until_ms().is_some() || room.is_host(binding.incarnation),
                "nobody is connected to a lost host"
            );
            let grace_ms = RoomLimits::default().grace_ms;
            assert!(participant.held_until_ms().is_none_or(|until_ms| until_ms <= room.time_ms() + grace_ms));
        }
    }

    fn replay(&self) {
        let mut replayed = Room::new(self.room.id().clone());
        for logged in &self.log {
            apply(&mut replayed, logged);
        }
        assert_eq!(replayed, self.room, "a replay gives the same room");
    }
}

/// What a client does with a change.
fn follow(snapshot: &mut RoomSnapshot, change: &Change) {
    let RoomSnapshot { participants: view, video_codecs, chat, settings, waiting: lobby, .. } = snapshot;
    let find = |view: &mut Vec<ParticipantView>, id: ParticipantId| {
        view.iter().position(|participant| participant.id == id).expect("somebody whom the client knows")
    };
    match change {
        Change::Joined { participant, .. } => {
            assert!(view.iter().all(|known| known.id != participant.id), "nobody joins twice");
            view.push(participant.clone());
        }
        Change::Held { binding } | Change::Returned { binding } => {
            let waits = lobby.iter().any(|waiting| waiting.id == binding.participant);
            assert!(waits || find(view, binding.participant) < view.len());
        }
        Change::WaitingAdded { waiting, .. } => match lobby.iter_mut().find(|known| known.id == waiting.id) {
            Some(known) => assert_ne!(std::mem::replace(known, waiting.clone()).name, waiting.name),
            None => lobby.push(waiting.clone()),
        },
        Change::WaitingRemoved { participant, .. } => {
            let before = lobby.len();
            lobby.retain(|known| known.id != *participant);
            assert_eq!(lobby.len() + 1, before, "only who waits goes");
        }
        Change::WaitingListed { participant, waiting } => {
            assert_eq!(waiting, lobby, "whoever may let people in knows who waits");
            let index = find(view, *participant);
            assert!(view[index].role <= Role::CoHost);
        }
        Change::Left { participant, .. } => {
            let index = find(view, *participant);
            view.remove(index);
        }
        Change::Renamed { participant, name } => {
            let index = find(view, *participant);
            view[index].name.clone_from(name);
        }
        Change::ProducerAdded { participant, producer } => {
            let index = find(view, *participant);
            let producers = &mut view[index].producers;
            producers.retain(|known| known.id != producer.id);
            producers.push(producer.clone());
            producers.sort_by_key(|known| known.id);
        }
        Change::ProducerPaused { producer, .. } | Change::ProducerResumed { producer } => {
            let index = find(view, producer.participant);
            let known = view[index].producers.iter_mut().find(|known| known.id == *producer).expect("a producer");
            known.paused = matches!(change, Change::ProducerPaused { .. });
        }
        Change::ProducerStaysPaused { producer } => {
            let index = find(view, producer.participant);
            let known = view[index].producers.iter().find(|known| known.id == *producer).expect("a producer");
            assert!(known.paused, "it stays what it is");
        }
        Change::ProducerClosed { producer, .. } => {
            let index = find(view, producer.participant);
            let before = view[index].producers.len();
            view[index].producers.retain(|known| known.id != *producer);
            assert_eq!(view[index].producers.len() + 1, before, "only what is there is closed");
        }
        Change::DataProducerAdded { participant, data_producer } => {
            let index = find(view, *participant);
            let data_producers = &mut view[index].data_producers;
            assert!(data_producers.iter().all(|known| known.id != data_producer.id), "a number is one channel");
            data_producers.push(data_producer.clone());
            data_producers.sort_by_key(|known| known.id);
        }
        Change::DataProducerClosed { data_producer } => {
            let index = find(view, data_producer.participant);
            let before = view[index].data_producers.len();
            view[index].data_producers.retain(|known| known.id != *data_producer);
            assert_eq!(view[index].data_producers.len() + 1, before, "only what is there is closed");
        }
        Change::VideoCodecsChanged { video_codecs: agreed } => {
            assert_ne!(video_codecs, agreed, "only what is different is told");
            video_codecs.clone_from(agreed);
        }
        Change::HandRaised { participant, order } => {
            let index = find(view, *participant);
            assert_eq!(view[index].hand.replace(*order), None, "a hand that is up keeps its place");
            assert!(view.iter().all(|known| known.hand <= Some(*order)), "and who comes later is behind");
        }
        Change::HandLowered { participant, .. } => {
            let index = find(view, *participant);
            assert!(view[index].hand.take().is_some(), "only a hand that is up is lowered");
        }
        Change::RoleChanged { participant, role, .. } => {
            let index = find(view, *participant);
            assert_ne!(std::mem::replace(&mut view[index].role, *role), *role, "only what is different is told");
        }
        Change::SettingsChanged { settings: changed, .. } => {
            assert_ne!(std::mem::replace(settings, *changed), *changed, "only what is different is told");
        }
        Change::AskedToUnmute { participant, .. } => {
            find(view, *participant);
        }
        Change::Replaced => panic!("no rule makes this"),
        Change::ChatSent { message } => {
            assert!(chat.last().is_none_or(|last| last.number + 1 == message.number), "without gaps");
            chat.push(message.clone());
            if chat.len() > 200 {
                chat.remove(0);
            }
        }
        Change::Ended => {
            assert!(view.is_empty() && lobby.is_empty(), "a room ends when nobody is in");
            chat.clear();
            video_codecs.clear();
            *settings = RoomSettings::default();
        }
    }
}

fn name(change: &Change) -> &'static str {
    match change {
        Change::Joined { .. } => "joined",
        Change::WaitingAdded { .. } => "waitingAdded",
        Change::WaitingRemoved { reason: Some(room::LeaveReason::Denied), .. } => "denied",
        Change::WaitingRemoved { .. } => "waitingRemoved",
        Change::WaitingListed { .. } => "waitingListed",
        Change::Held { .. } => "held",
        Change::Returned { .. } => "returned",
        Change::Left { reason: room::LeaveReason::Left, .. } => "left",
        Change::Left { reason: room::LeaveReason::GraceExpired, .. } => "expired",
        Change::Left { reason: room::LeaveReason::Removed { .. }, .. } => "removed",
        Change::Left { reason: room::LeaveReason::Denied | room::LeaveReason::MeetingEnded, .. } => "meetingEnded",
        Change::ProducerAdded { .. } => "added",
        Change::ProducerPaused { by: Some(_), .. } => "pausedByOther",
        Change::ProducerPaused { by: None, .. } => "paused",
        Change::ProducerStaysPaused { .. } => "staysPaused",
        Change::ProducerResumed { .. } => "resumed",
        Change::ProducerClosed { by: Some(_), .. } => "closedByOther",
        Change::ProducerClosed { by: None, .. } => "closed",
        Change::DataProducerAdded { .. } => "dataAdded",
        Change::DataProducerClosed { .. } => "dataClosed",
        Change::HandRaised { .. } => "handRaised",
        Change::HandLowered { .. } => "handLowered",
        Change::RoleChanged { by: Some(_), .. } => "roleChanged",
        Change::RoleChanged { by: None, .. } => "succeeded",
        Change::SettingsChanged { .. } => "settings",
        Change::AskedToUnmute { .. } => "asked",
        Change::Renamed { .. } => "renamed",
        Change::ChatSent { .. } => "chat",
        Change::Replaced => panic!("no rule makes this"),
        Change::VideoCodecsChanged { .. } => "codecs",
        Change::Ended => "ended",
    }
}
