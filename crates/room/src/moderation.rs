//! `Muted` and `AskedToUnmute`: what the host and co-hosts do to what others publish. Nobody is unmuted by others.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId, Source};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::permissions::may_publish;
use crate::roles::moderator;
use crate::state::{Participant, Room};

pub(crate) fn muted(room: &mut Room, record: &Record, target: Option<ParticipantId>, source: Source) -> Verdict {
    let actor = moderator(room, record)?;
    if source == Source::ScreenAudio {
        return Err(ErrorCode::BadRequest);
    }
    let changes = match target {
        Some(target) => mute(actor.subject(room, target)?, source, actor.id),
        None => {
            let inside = room.participants.values_mut().filter(|participant| participant.waiting.is_none());
            let people = inside.filter(|participant| actor.is_above(participant));
            people.flat_map(|participant| mute(participant, source, actor.id)).collect()
        }
    };
    Ok(Effect { binding: None, changes })
}

/// Tells somebody that they are asked. What they may not do they are not asked for.
pub(crate) fn asked_to_unmute(room: &mut Room, record: &Record, target: ParticipantId, source: Source) -> Verdict {
    let actor = moderator(room, record)?;
    if !matches!(source, Source::Mic | Source::Camera) {
        return Err(ErrorCode::BadRequest);
    }
    let settings = room.settings.unwrap_or_default();
    if !may_publish(actor.subject(room, target)?.role, &settings, source) {
        return Err(ErrorCode::WrongState);
    }
    Ok(Change::AskedToUnmute { participant: target, source, by: actor.id }.into())
}

/// Pauses a microphone or camera; a screen is closed with its sound, because its owner would not notice that nobody sees it.
pub(crate) fn mute(participant: &mut Participant, source: Source, by: ParticipantId) -> Vec<Change> {
    let by = Some(by);
    match source {
        Source::Mic | Source::Camera => {
            let id = participant.producer_id(source);
            let before =
                participant.producers.get_mut(&source).map(|producer| std::mem::replace(&mut producer.paused, true));
            let change = before.map(|paused| match paused {
                false => Change::ProducerPaused { producer: id, by },
                // What its client had the media do is another matter.
                true => Change::ProducerStaysPaused { producer: id },
            });
            change.into_iter().collect()
        }
        Source::Screen | Source::ScreenAudio => {
            let both = [Source::Screen, Source::ScreenAudio].into_iter();
            let shared = both.filter(|source| participant.producers.remove(source).is_some());
            let shared: Vec<Source> = shared.collect();
            let closed = |source| Change::ProducerClosed { producer: participant.producer_id(source), by };
            shared.into_iter().map(closed).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::event::{Binding, RoomEvent};
    use protocol::{ProducerId, Role, Setting};

    use super::*;
    use crate::testing::{HERE, Story, accepted, changes, rejected, set_role, switch};

    /// A host, a co-host and a participant who publish everything.
    fn three() -> (Story, [Binding; 3]) {
        let mut story = Story::new();
        let people = [story.joined(1), story.joined(2), story.joined(3)];
        story.own(HERE, Some(people[0]), set_role(people[1], Role::CoHost));
        for whose in people {
            for source in Source::ALL {
                story.produce(whose, source);
            }
        }
        (story, people)
    }

    fn mute(whom: Option<Binding>, source: Source) -> RoomEvent {
        RoomEvent::Muted { target: whom.map(|whom| whom.participant), source }
    }

    fn paused(whose: Binding, source: Source, by: Binding) -> Change {
        let producer = ProducerId { participant: whose.participant, source };
        Change::ProducerPaused { producer, by: Some(by.participant) }
    }

    #[test]
    fn who_is_muted_may_unmute_themselves() {
        let (mut story, [a, _, c]) = three();
        let outcome = story.ask(a, 1, mute(Some(c), Source::Mic));
        assert_eq!(changes(&outcome), [paused(c, Source::Mic, a)]);
        let producer = ProducerId { participant: c.participant, source: Source::Mic };
        let again = story.ask(a, 2, mute(Some(c), Source::Mic));
        assert_eq!(changes(&again), [Change::ProducerStaysPaused { producer }], "whatever their client did");
        let outcome = story.ask(c, 1, RoomEvent::ProducerResumed { source: Source::Mic });
        assert_eq!(changes(&outcome), [Change::ProducerResumed { producer }]);
    }

    #[test]
    fn a_screen_is_closed_with_its_sound() {
        let (mut story, [a, _, c]) = three();
        let outcome = story.ask(a, 1, mute(Some(c), Source::Screen));
        let closed = |source| Change::ProducerClosed {
            producer: ProducerId { participant: c.participant, source },
            by: Some(a.participant),
        };
        assert_eq!(changes(&outcome), [closed(Source::Screen), closed(Source::ScreenAudio)]);
        assert_eq!(story.ask(a, 2, mute(Some(c), Source::ScreenAudio)), rejected(ErrorCode::BadRequest));
    }

    #[test]
    fn everybody_is_all_but_oneself_and_those_whom_one_may_not_mute() {
        let (mut story, [a, b, c]) = three();
        let outcome = story.ask(b, 1, mute(None, Source::Mic));
        assert_eq!(changes(&outcome), [paused(c, Source::Mic, b)]);
        let outcome = story.ask(a, 1, mute(None, Source::Camera));
        assert_eq!(changes(&outcome), [paused(b, Source::Camera, a), paused(c, Source::Camera, a)]);
    }

    #[test]
    fn who_may_not_mute_mutes_nobody() {
        let (mut story, [a, b, c]) = three();
        for (n, whom) in (1..).zip([Some(a), Some(b), Some(c), None]) {
            assert_eq!(story.ask(c, n, mute(whom, Source::Mic)), rejected(ErrorCode::Forbidden));
        }
        assert_eq!(story.ask(b, 1, mute(Some(a), Source::Mic)), rejected(ErrorCode::Forbidden));
        let stranger = RoomEvent::Muted { target: Some(ParticipantId(99)), source: Source::Mic };
        assert_eq!(story.ask(a, 1, stranger), rejected(ErrorCode::NotFound));
    }

    #[test]
    fn somebody_is_asked_to_unmute_what_they_may() {
        let (mut story, [a, b, c]) = three();
        let ask = |whom: Binding, source| RoomEvent::AskedToUnmute { target: whom.participant, source };
        let outcome = story.ask(b, 1, ask(c, Source::Mic));
        let asked = Change::AskedToUnmute { participant: c.participant, source: Source::Mic, by: b.participant };
        assert_eq!(changes(&outcome), [asked]);
        assert_eq!(story.ask(b, 2, ask(c, Source::Screen)), rejected(ErrorCode::BadRequest));
        assert_eq!(story.ask(b, 3, ask(a, Source::Mic)), rejected(ErrorCode::Forbidden));
        assert_eq!(story.ask(c, 1, ask(a, Source::Mic)), rejected(ErrorCode::Forbidden));
        accepted(&story.ask(a, 1, switch(Setting::Mic, false)));
        assert_eq!(story.ask(a, 2, ask(c, Source::Mic)), rejected(ErrorCode::WrongState));
        accepted(&story.ask(a, 3, ask(b, Source::Mic)));
    }
}
