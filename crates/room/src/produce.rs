//! Producers: added, paused, resumed, closed, and expired when nobody publishes them again.

use protocol::event::Record;
use protocol::{ErrorCode, MediaKind, Source};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::permissions::may_produce;
use crate::state::{Producer, Room};

pub(crate) fn added(room: &mut Room, record: &Record, source: Source, kind: MediaKind, paused: bool) -> Verdict {
    let settings = room.settings.unwrap_or_default();
    let participant = room.bound(record)?;
    if kind != source.kind() {
        return Err(ErrorCode::BadRequest);
    }
    if !may_produce(participant.role, &settings, source, paused) {
        return Err(ErrorCode::Forbidden);
    }
    participant.producers.insert(source, Producer { paused, inherited: false });
    let producer = participant.producer_view(source, paused);
    Ok(Change::ProducerAdded { participant: participant.id(), producer }.into())
}

pub(crate) fn paused(room: &mut Room, record: &Record, source: Source, paused: bool) -> Verdict {
    let settings = room.settings.unwrap_or_default();
    let participant = room.bound(record)?;
    let may = may_produce(participant.role, &settings, source, paused);
    let producer = participant.producers.get_mut(&source).ok_or(ErrorCode::NotFound)?;
    if !may {
        return Err(ErrorCode::Forbidden);
    }
    if std::mem::replace(&mut producer.paused, paused) == paused {
        return Ok(Effect::default());
    }
    let producer = participant.producer_id(source);
    Ok(if paused { Change::ProducerPaused { producer, by: None } } else { Change::ProducerResumed { producer } }.into())
}

pub(crate) fn closed(room: &mut Room, record: &Record, source: Source) -> Verdict {
    let participant = room.bound(record)?;
    participant.producers.remove(&source).ok_or(ErrorCode::NotFound)?;
    Ok(Change::ProducerClosed { producer: participant.producer_id(source), by: None }.into())
}

/// Closes what the binding took over and did not publish again. Any host may say so; the first counts.
pub(crate) fn sources_expired(room: &mut Room, record: &Record) -> Verdict {
    let participant = room.bound(record)?;
    let inherited = participant.producers.iter().filter(|(_, producer)| producer.inherited);
    let closed = |source| Change::ProducerClosed { producer: participant.producer_id(source), by: None };
    let changes: Vec<Change> = inherited.map(|(source, _)| closed(*source)).collect();
    if changes.is_empty() {
        return Err(ErrorCode::WrongState);
    }
    participant.producers.retain(|_, producer| !producer.inherited);
    Ok(Effect { binding: None, changes })
}

#[cfg(test)]
mod tests {
    use protocol::ProducerId;
    use protocol::event::RoomEvent;
    use protocol::snapshot::ProducerView;

    use super::*;
    use crate::testing::{HERE, Story, accepted, binding, changes, produce, rejected};

    #[test]
    fn a_source_is_one_producer_however_often_it_is_published() {
        let mut story = Story::new();
        let a = story.joined(1);
        let id = ProducerId { participant: a.participant, source: Source::Mic };
        let view = ProducerView { id, kind: MediaKind::Audio, paused: false };
        let added = Change::ProducerAdded { participant: a.participant, producer: view.clone() };
        for n in 1..=2 {
            assert_eq!(changes(&story.ask(a, n, produce(Source::Mic))), std::slice::from_ref(&added));
        }
        assert_eq!(story.view(1).producers, [view]);
    }

    #[test]
    fn the_kind_must_fit_the_source() {
        let mut story = Story::new();
        let a = story.joined(1);
        let event = RoomEvent::ProducerAdded { source: Source::Mic, kind: MediaKind::Video, paused: false };
        assert_eq!(story.ask(a, 1, event), rejected(ErrorCode::BadRequest));
    }

    #[test]
    fn pausing_is_seen_once() {
        let mut story = Story::new();
        let a = story.joined(1);
        let producer = ProducerId { participant: a.participant, source: Source::Mic };
        let source = Source::Mic;
        assert_eq!(story.ask(a, 1, RoomEvent::ProducerPaused { source }), rejected(ErrorCode::NotFound));
        story.produce(a, source);
        let pause = || RoomEvent::ProducerPaused { source };
        assert_eq!(changes(&story.ask(a, 2, pause())), [Change::ProducerPaused { producer, by: None }]);
        assert_eq!(changes(&story.ask(a, 3, pause())), []);
        assert!(story.view(1).producers[0].paused);
        let outcome = story.ask(a, 4, RoomEvent::ProducerResumed { source });
        assert_eq!(changes(&outcome), [Change::ProducerResumed { producer }]);
    }

    #[test]
    fn a_closed_producer_is_gone() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.produce(a, Source::Camera);
        let close = || RoomEvent::ProducerClosed { source: Source::Camera };
        let producer = ProducerId { participant: a.participant, source: Source::Camera };
        assert_eq!(changes(&story.ask(a, 1, close())), [Change::ProducerClosed { producer, by: None }]);
        assert_eq!(story.ask(a, 2, close()), rejected(ErrorCode::NotFound));
    }

    #[test]
    fn after_a_reload_only_what_was_published_again_outlives_the_deadline() {
        let mut story = Story::new();
        let before = story.joined(1);
        for source in [Source::Mic, Source::Camera, Source::Screen] {
            story.produce(before, source);
        }
        let after = binding(&story.join(1, 2));
        accepted(&story.produce(after, Source::Mic));
        accepted(&story.own(HERE, Some(after), RoomEvent::ProducerClosed { source: Source::Screen }));
        assert_eq!(story.own(HERE, Some(before), RoomEvent::SourcesExpired {}), rejected(ErrorCode::Superseded));
        let outcome = story.own(HERE, Some(after), RoomEvent::SourcesExpired {});
        let producer = ProducerId { participant: after.participant, source: Source::Camera };
        assert_eq!(changes(&outcome), [Change::ProducerClosed { producer, by: None }]);
        assert_eq!(story.own(HERE, Some(after), RoomEvent::SourcesExpired {}), rejected(ErrorCode::WrongState));
        assert_eq!(story.view(1).producers.len(), 1);
    }
}
