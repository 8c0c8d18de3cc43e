//! A room that goes on from a node's memory, because the log lost records of it.

use crate::state::Room;

impl Room {
    /// The log lost its records from `end` on, and other ones may come in their place. What they led to stays, and a
    /// room that is created there is younger than this one.
    pub fn rewind(&mut self, end: u64) {
        let newest = end.saturating_sub(1);
        self.offset = self.offset.min(newest);
        if let Some(created) = &mut self.created {
            created.offset = created.offset.min(newest);
        }
    }

    /// The same room, whose events are numbered on from above `seq` and its own.
    pub fn refounded(&self, seq: u64) -> Self {
        let mut room = self.clone();
        room.seq = self.seq.max(seq).saturating_add(1);
        room
    }

    /// Whether the two differ in nothing that anybody in the room could notice or rely on: in the count of events and
    /// the place on the log at most.
    pub fn is_alike(&self, other: &Self) -> bool {
        let mut room = self.clone();
        (room.seq, room.offset, room.time_ms) = (other.seq, other.offset, other.time_ms);
        room == *other
    }
}

#[cfg(test)]
mod tests {
    use protocol::Source;
    use protocol::event::RoomEvent;

    use crate::Outcome;
    use crate::testing::{HERE, Story, accepted, binding, produce};

    #[test]
    fn a_room_that_is_founded_again_goes_on_with_everything_that_it_remembers() {
        let mut story = Story::new();
        let a = story.joined(1);
        let first = accepted(&story.ask(a, 1, produce(Source::Mic)));
        let before = story.room.clone();
        story.room.rewind(2);
        assert_eq!((story.room.offset(), story.room.seq()), (1, before.seq()));
        assert!(story.room.created() < Some(2), "elder than all that begins there");
        story.room = story.room.refounded(40);
        assert_eq!(story.room.seq(), 41);
        assert!(story.room.is_alike(&before) && story.room != before);
        assert_eq!(story.ask(a, 1, produce(Source::Mic)), Outcome::Repeated(Ok(first)), "outcomes are kept");
        assert_eq!(accepted(&story.ask(a, 2, RoomEvent::ProducerClosed { source: Source::Mic })).seq, 42);
        assert!(binding(&story.resume(HERE, 1, 1)).number > a.number, "and bindings rise");
        assert!(!story.room.is_alike(&before));
    }
}
