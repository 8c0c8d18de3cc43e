//! The one way in which a room changes.

use protocol::ErrorCode;
use protocol::event::{Logged, Record, RequestKey, RoomEvent, RoomLimits};

use crate::change::{Accepted, Change, Outcome};
use crate::join::Joining;
use crate::requests::{Decision, Seen};
use crate::state::Room;
use crate::{
    chat, hands, hold, host, join, knows, leave, moderation, produce, produce_data, removal, rename, resume, roles,
    settings,
};

/// What a rule wants: the answer's binding, and what changed.
pub(crate) type Verdict = Result<Effect, ErrorCode>;

/// The result of an accepted event, without its number.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) binding: Option<protocol::event::Binding>,
    pub(crate) changes: Vec<Change>,
}

impl From<Change> for Effect {
    fn from(change: Change) -> Self {
        Self { binding: None, changes: vec![change] }
    }
}

/// Applies one record. The same room and record give the same room and outcome, everywhere.
///
/// A key that was judged before gets the same answer again and changes nothing. Not remembered, because the
/// same request may still succeed: what no live host wrote (`draining`), what was written under an older
/// binding (`superseded`), and what there was no room for.
pub fn apply(room: &mut Room, logged: &Logged) -> Outcome {
    room.time_ms = room.time_ms.max(logged.time_ms);
    room.offset = room.offset.max(logged.offset);
    let record = &logged.record;
    if !knows(record.rules) {
        return Outcome::SetAside;
    }
    if let RoomEvent::RoomCreated { rules, limits } = &record.event {
        return create(room, logged, *rules, *limits);
    }
    if room.limits.is_none() {
        return Outcome::NoRoom;
    }
    if let Err(error) = fence(room, record) {
        return Outcome::Rejected(error);
    }
    if let RoomEvent::Refounded { .. } = record.event {
        // It leaves no number behind: what its writer numbered before may come after it.
        return Outcome::Rejected(ErrorCode::AlreadyExists);
    }
    match seen(room, record) {
        Seen::Repeat(decision) => return Outcome::Repeated(decision),
        Seen::Expired => return Outcome::Rejected(ErrorCode::RequestExpired),
        Seen::New => {}
    }
    let verdict = match &record.event {
        RoomEvent::RoomCreated { .. } | RoomEvent::Refounded { .. } | RoomEvent::Unknown => return Outcome::SetAside,
        RoomEvent::HostAdded { incarnation, node, creation } => host::added(room, *incarnation, node, *creation),
        RoomEvent::NodeLost { incarnation } => host::lost(room, *incarnation),
        RoomEvent::Joined { participant, session, name, video_codecs } => {
            let joining = Joining { id: *participant, session: *session, name, video_codecs };
            join::joined(room, record, joining)
        }
        RoomEvent::Resumed { participant, session, generation } => {
            resume::resumed(room, record, *participant, *session, *generation)
        }
        RoomEvent::Held { closing } => hold::held(room, record, *closing),
        RoomEvent::GraceExpired {} => hold::grace_expired(room, record),
        RoomEvent::Left {} => leave::left(room, record),
        RoomEvent::RoomEnded {} => leave::room_ended(room),
        // It says nothing that is not known here.
        RoomEvent::Snapshot { .. } => Err(ErrorCode::AlreadyExists),
        RoomEvent::Renamed { name } => rename::renamed(room, record, name),
        RoomEvent::ChatSent { text } => chat::sent(room, record, text),
        RoomEvent::ProducerAdded { source, kind, paused } => produce::added(room, record, *source, *kind, *paused),
        RoomEvent::ProducerPaused { source } => produce::paused(room, record, *source, true),
        RoomEvent::ProducerResumed { source } => produce::paused(room, record, *source, false),
        RoomEvent::ProducerClosed { source } => produce::closed(room, record, *source),
        RoomEvent::SourcesExpired {} => produce::sources_expired(room, record),
        RoomEvent::DataProducerAdded { number, label, protocol } => {
            produce_data::added(room, record, *number, label, protocol)
        }
        RoomEvent::DataProducerClosed { number } => produce_data::closed(room, record, *number),
        RoomEvent::HandRaised {} => hands::raised(room, record),
        RoomEvent::HandLowered { target } => hands::lowered(room, record, *target),
        RoomEvent::RoleChanged { target, role } => roles::changed(room, record, *target, *role),
        RoomEvent::SettingChanged { setting, on } => settings::changed(room, record, *setting, *on),
        RoomEvent::Muted { target, source } => moderation::muted(room, record, *target, *source),
        RoomEvent::AskedToUnmute { target, source } => moderation::asked_to_unmute(room, record, *target, *source),
        RoomEvent::Removed { target } => removal::removed(room, record, *target),
        RoomEvent::MeetingEnded {} => removal::meeting_ended(room, record),
    };
    conclude(room, record, verdict)
}

fn create(room: &mut Room, logged: &Logged, rules: u16, limits: RoomLimits) -> Outcome {
    if !knows(rules) {
        return Outcome::SetAside;
    }
    if room.limits.is_some() {
        return Outcome::Rejected(ErrorCode::AlreadyExists);
    }
    room.begin(logged, rules, limits);
    Outcome::Accepted { accepted: Accepted { seq: room.seq, binding: None }, changes: Vec::new() }
}

/// Only live hosts are believed, each under its own name, and a node that introduces itself as one.
fn fence(room: &Room, record: &Record) -> Result<(), ErrorCode> {
    let live = match &record.event {
        RoomEvent::HostAdded { incarnation, .. } => {
            *incarnation == record.origin && !room.lost.contains(&record.origin)
        }
        _ => room.is_host(record.origin),
    };
    if !live {
        return Err(ErrorCode::Draining);
    }
    let own_key = match record.key {
        RequestKey::Node { incarnation, .. } => incarnation == record.origin,
        RequestKey::Session { session, .. } => match &record.event {
            RoomEvent::Joined { session: joining, .. } | RoomEvent::Resumed { session: joining, .. } => {
                *joining == session
            }
            event => is_request(event),
        },
    };
    if own_key { Ok(()) } else { Err(ErrorCode::Forbidden) }
}

/// Whether a client may ask for it; the others are a node's.
fn is_request(event: &RoomEvent) -> bool {
    match event {
        RoomEvent::Joined { .. }
        | RoomEvent::Resumed { .. }
        | RoomEvent::Left {}
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
        | RoomEvent::MeetingEnded {} => true,
        RoomEvent::RoomCreated { .. }
        | RoomEvent::HostAdded { .. }
        | RoomEvent::NodeLost { .. }
        | RoomEvent::Held { .. }
        | RoomEvent::GraceExpired {}
        | RoomEvent::SourcesExpired {}
        | RoomEvent::RoomEnded {}
        | RoomEvent::Snapshot { .. }
        | RoomEvent::Refounded { .. }
        | RoomEvent::Unknown => false,
    }
}

fn seen(room: &Room, record: &Record) -> Seen {
    match record.key {
        RequestKey::Node { incarnation, n } => room.hosts.get(&incarnation).map_or(Seen::New, |h| h.window.look(n)),
        RequestKey::Session { session, n } => match room.sessions.get(&session) {
            Some(window) => window.look(n),
            None => room.ended.look(session, n),
        },
    }
}

fn conclude(room: &mut Room, record: &Record, verdict: Verdict) -> Outcome {
    match verdict {
        Ok(Effect { binding, changes }) => {
            room.seq += 1;
            let accepted = Accepted { seq: room.seq, binding };
            if changes.contains(&Change::Ended) {
                room.end();
            } else {
                remember(room, record, Ok(accepted));
            }
            Outcome::Accepted { accepted, changes }
        }
        Err(error) => {
            if error != ErrorCode::Superseded {
                remember(room, record, Err(error));
            }
            Outcome::Rejected(error)
        }
    }
}

fn remember(room: &mut Room, record: &Record, decision: Decision) {
    match record.key {
        RequestKey::Node { incarnation, n } => {
            if let Some(host) = room.hosts.get_mut(&incarnation) {
                host.window.store(n, decision);
            }
        }
        RequestKey::Session { session, n } => match (room.sessions.get_mut(&session), &record.event, decision) {
            (Some(window), _, _) => window.store(n, decision),
            // A refused join is over: a late copy of it must not succeed behind its client's back.
            (None, RoomEvent::Joined { .. }, Err(error)) => {
                room.ended.insert(session, error);
                room.ended.store(session, n, decision);
            }
            (None, _, _) => room.ended.store(session, n, decision),
        },
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ParticipantId, Role, SessionId, Setting, Source};

    use super::*;
    use crate::RULES;
    use crate::testing::{HERE, LIMITS, Story, accepted, binding, changes, produce, rejected};

    #[test]
    fn the_first_creation_counts() {
        let mut story = Story::blank();
        assert_eq!(story.host(HERE), Outcome::NoRoom);
        assert_eq!(accepted(&story.create()).seq, 1);
        assert_eq!(story.create(), rejected(ErrorCode::AlreadyExists));
        assert_eq!(story.room.limits(), Some(&LIMITS));
    }

    #[test]
    fn only_accepted_events_are_counted() {
        let mut story = Story::new();
        assert_eq!(story.room.seq(), 3);
        let a = story.joined(1);
        assert_eq!(story.room.seq(), 4);
        story.ask(a, 1, RoomEvent::ProducerClosed { source: Source::Mic });
        story.ask(a, 1, RoomEvent::ProducerClosed { source: Source::Mic });
        assert_eq!(story.room.seq(), 4);
        assert_eq!(accepted(&story.ask(a, 2, produce(Source::Mic))).seq, 5);
    }

    #[test]
    fn a_repeat_gets_the_first_outcome_and_changes_nothing() {
        let mut story = Story::new();
        let a = story.joined(1);
        let first = accepted(&story.ask(a, 1, produce(Source::Mic)));
        story.ask(a, 2, RoomEvent::ProducerClosed { source: Source::Mic });
        let before = story.room.snapshot();
        assert_eq!(story.ask(a, 1, produce(Source::Mic)), Outcome::Repeated(Ok(first)));
        assert_eq!(story.room.snapshot(), before);
        let refused = story.ask(a, 3, RoomEvent::ProducerClosed { source: Source::Mic });
        assert_eq!(refused, rejected(ErrorCode::NotFound));
        story.ask(a, 4, produce(Source::Mic));
        let again = story.ask(a, 3, RoomEvent::ProducerClosed { source: Source::Mic });
        assert_eq!(again, Outcome::Repeated(Err(ErrorCode::NotFound)));
    }

    #[test]
    fn a_request_below_the_window_is_expired() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.ask(a, 100, produce(Source::Mic));
        assert_eq!(story.ask(a, 36, produce(Source::Camera)), rejected(ErrorCode::RequestExpired));
        accepted(&story.ask(a, 37, produce(Source::Camera)));
    }

    #[test]
    fn a_repeat_under_a_newer_binding_is_still_a_repeat() {
        let mut story = Story::new();
        let a = story.joined(1);
        let first = accepted(&story.ask(a, 1, produce(Source::Mic)));
        let newer = binding(&story.resume(HERE, 1, 1));
        assert_eq!(story.ask(newer, 1, produce(Source::Mic)), Outcome::Repeated(Ok(first)));
    }

    #[test]
    fn an_older_binding_is_ignored_and_the_request_can_be_repeated_under_the_newer() {
        let mut story = Story::new();
        let a = story.joined(1);
        let newer = binding(&story.resume(HERE, 1, 1));
        assert!(newer > a);
        assert_eq!(story.ask(a, 1, produce(Source::Mic)), rejected(ErrorCode::Superseded));
        accepted(&story.ask(newer, 1, produce(Source::Mic)));
    }

    #[test]
    fn a_key_of_somebody_else_is_refused() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.joined(2);
        let mut record = Record {
            rules: RULES,
            origin: HERE,
            key: RequestKey::Session { session: SessionId(2), n: 1 },
            binding: Some(a),
            event: RoomEvent::Left {},
        };
        assert_eq!(story.apply(record.clone()), rejected(ErrorCode::Superseded));
        record.event = RoomEvent::Held { closing: false };
        assert_eq!(story.apply(record.clone()), rejected(ErrorCode::Forbidden));
        record.key = RequestKey::Node { incarnation: crate::testing::THERE, n: 99 };
        assert_eq!(story.apply(record), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn what_other_rules_wrote_is_set_aside() {
        let mut story = Story::new();
        let a = story.joined(1);
        let before = story.room.seq();
        assert_eq!(story.own(HERE, Some(a), RoomEvent::Unknown), Outcome::SetAside);
        let key = RequestKey::Node { incarnation: HERE, n: 99 };
        for rules in [0, RULES + 1] {
            let other = Record { rules, origin: HERE, key, binding: Some(a), event: RoomEvent::Left {} };
            assert_eq!(story.apply(other), Outcome::SetAside);
        }
        assert_eq!(story.room.seq(), before);
    }

    #[test]
    fn a_room_of_older_rules_goes_on_and_knows_no_creation_and_no_roles() {
        let mut story = Story::blank();
        let key = RequestKey::Node { incarnation: HERE, n: 1 };
        let event = RoomEvent::RoomCreated { rules: 1, limits: LIMITS };
        accepted(&story.apply(Record { rules: 1, origin: HERE, key, binding: None, event }));
        assert_eq!((story.room.created(), story.room.creation()), (None, None));
        accepted(&story.host(HERE));
        let a = story.joined(1);
        accepted(&story.ask(a, 1, produce(Source::Mic)));
        let view = story.view(1);
        assert_eq!((view.role, view.hand), (Role::Participant, None), "nobody has a role");
        let others = [
            RoomEvent::HandRaised {},
            RoomEvent::HandLowered { target: Some(a.participant) },
            RoomEvent::RoleChanged { target: a.participant, role: Role::Viewer },
            RoomEvent::SettingChanged { setting: Setting::Chat, on: false },
            RoomEvent::Muted { target: None, source: Source::Mic },
            RoomEvent::AskedToUnmute { target: a.participant, source: Source::Mic },
            RoomEvent::Removed { target: a.participant },
            RoomEvent::MeetingEnded {},
        ];
        for (n, event) in (2..).zip(others) {
            assert_eq!(story.ask(a, n, event), rejected(ErrorCode::WrongState));
        }
        let b = story.joined(2);
        assert_eq!(changes(&story.ask(a, 20, RoomEvent::Left {})).len(), 1, "nobody comes after the host");
        assert_eq!(story.view(b.participant.0).role, Role::Participant);
        let mut json = serde_json::to_value(&story.room).expect("a room is plain data");
        for newer in ["created", "settings"] {
            json.as_object_mut().expect("an object").remove(newer);
        }
        assert_eq!(serde_json::from_value::<Room>(json).expect("as older rules wrote it"), story.room);
    }

    #[test]
    fn time_never_goes_back() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.time_ms = 500;
        story.own(HERE, Some(a), RoomEvent::Held { closing: false });
        let held_until_ms = story.room.participant(ParticipantId(1)).and_then(crate::Participant::held_until_ms);
        assert_eq!(held_until_ms, Some(31_000));
    }

    #[test]
    fn a_room_that_ended_can_begin_again_and_takes_no_old_binding() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.ask(a, 1, RoomEvent::Left {});
        assert_eq!(story.join(1, 2), Outcome::NoRoom);
        story.create();
        story.host(HERE);
        let again = story.joined(1);
        assert!(again.number > a.number);
        assert_eq!(story.own(HERE, Some(a), RoomEvent::Held { closing: false }), rejected(ErrorCode::Superseded));
    }

    #[test]
    fn the_same_log_gives_the_same_room() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.produce(a, Source::Mic);
        story.own(HERE, Some(a), RoomEvent::Held { closing: false });
        story.join(1, 2);
        let mut replayed = Room::new(story.room.id().clone());
        for logged in &story.log {
            apply(&mut replayed, logged);
        }
        assert_eq!(replayed, story.room);
        let kept = serde_json::to_string(&replayed).expect("a room is plain data");
        assert_eq!(serde_json::from_str::<Room>(&kept).expect("the same room"), replayed);
    }
}
