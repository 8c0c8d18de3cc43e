//! Data producers: added and closed. They end with the transport that they are on, so none is inherited.

use protocol::event::Record;
use protocol::snapshot::DataProducerView;
use protocol::{DataProducerId, ErrorCode};

use crate::apply::Verdict;
use crate::change::Change;
use crate::permissions::may_produce_data;
use crate::state::{DataProducer, Room};

/// Longest label and longest protocol, in bytes.
const TEXT_BYTES_MAX: usize = 128;

pub(crate) fn added(room: &mut Room, record: &Record, number: u32, label: &str, protocol: &str) -> Verdict {
    let data_producers_max = room.limits.map_or(0, |limits| limits.data_producers_max);
    let participant = room.bound(record)?;
    if !may_produce_data(participant.role) {
        return Err(ErrorCode::Forbidden);
    }
    if label.len() > TEXT_BYTES_MAX || protocol.len() > TEXT_BYTES_MAX {
        return Err(ErrorCode::BadRequest);
    }
    if participant.data_producers.contains_key(&number) {
        return Err(ErrorCode::AlreadyExists);
    }
    if participant.data_producers.len() as u64 >= u64::from(data_producers_max) {
        return Err(ErrorCode::LimitReached);
    }
    let producer = DataProducer { label: label.to_owned(), protocol: protocol.to_owned() };
    participant.data_producers.insert(number, producer);
    let participant = participant.id();
    let id = DataProducerId { participant, number };
    let data_producer = DataProducerView { id, label: label.to_owned(), protocol: protocol.to_owned() };
    Ok(Change::DataProducerAdded { participant, data_producer }.into())
}

pub(crate) fn closed(room: &mut Room, record: &Record, number: u32) -> Verdict {
    let participant = room.bound(record)?;
    participant.data_producers.remove(&number).ok_or(ErrorCode::NotFound)?;
    Ok(Change::DataProducerClosed { data_producer: DataProducerId { participant: participant.id(), number } }.into())
}

#[cfg(test)]
mod tests {
    use protocol::event::{Binding, RoomEvent};

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, LIMITS, Story, THERE, accepted, binding, changes, rejected};

    fn open(number: u32) -> RoomEvent {
        RoomEvent::DataProducerAdded { number, label: "chat".to_owned(), protocol: "json".to_owned() }
    }

    fn close(number: u32) -> RoomEvent {
        RoomEvent::DataProducerClosed { number }
    }

    fn closed(by: Binding, number: u32) -> Change {
        Change::DataProducerClosed { data_producer: DataProducerId { participant: by.participant, number } }
    }

    #[test]
    fn a_channel_is_seen_until_it_is_closed() {
        let mut story = Story::new();
        let a = story.joined(1);
        let outcome = story.ask(a, 1, open(7));
        let id = DataProducerId { participant: a.participant, number: 7 };
        let view = DataProducerView { id, label: "chat".to_owned(), protocol: "json".to_owned() };
        let added = Change::DataProducerAdded { participant: a.participant, data_producer: view.clone() };
        assert_eq!(changes(&outcome), [added]);
        assert_eq!(story.view(1).data_producers, [view]);
        assert_eq!(changes(&story.ask(a, 2, close(7))), [closed(a, 7)]);
        assert_eq!(story.ask(a, 3, close(7)), rejected(ErrorCode::NotFound));
        assert_eq!(story.view(1).data_producers, []);
    }

    #[test]
    fn numbers_texts_and_how_many_are_checked() {
        let mut story = Story::new();
        let a = story.joined(1);
        accepted(&story.ask(a, 1, open(0)));
        assert_eq!(story.ask(a, 2, open(0)), rejected(ErrorCode::AlreadyExists));
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        let event = RoomEvent::DataProducerAdded { number: 1, label: long, protocol: String::new() };
        assert_eq!(story.ask(a, 3, event), rejected(ErrorCode::BadRequest));
        for number in 1..LIMITS.data_producers_max {
            accepted(&story.ask(a, 10 + u64::from(number), open(number)));
        }
        assert_eq!(story.ask(a, 4, open(99)), rejected(ErrorCode::LimitReached));
    }

    #[test]
    fn channels_outlive_a_resume_at_the_same_node_only() {
        let mut story = Story::new();
        let a = story.joined(1);
        story.ask(a, 1, open(1));
        story.ask(a, 2, open(2));
        let outcome = story.resume(HERE, 1, 1);
        assert_eq!(changes(&outcome), [Change::Returned { binding: binding(&outcome) }]);
        let outcome = story.resume(THERE, 1, 1);
        let returned = Change::Returned { binding: binding(&outcome) };
        assert_eq!(changes(&outcome), [returned, closed(a, 1), closed(a, 2)]);
        assert_eq!(story.view(1).data_producers, []);
    }

    #[test]
    fn a_reload_closes_channels_and_a_leave_says_nothing_of_them() {
        let mut story = Story::new();
        story.joined(2);
        let a = story.joined(1);
        story.ask(a, 1, open(1));
        let outcome = story.join(1, 9);
        let again = binding(&outcome);
        assert_eq!(changes(&outcome), [Change::Returned { binding: again }, closed(a, 1)]);
        assert!(matches!(story.own(HERE, Some(again), open(3)), Outcome::Accepted { .. }));
        assert_eq!(changes(&story.own(HERE, Some(again), RoomEvent::Left {})).len(), 1);
    }
}
