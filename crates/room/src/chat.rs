//! `ChatSent`: what people write to each other, numbered and kept for those who come later.

use protocol::ErrorCode;
use protocol::event::Record;
use protocol::snapshot::ChatMessage;

use crate::apply::Verdict;
use crate::change::Change;
use crate::permissions::may_write;
use crate::state::Room;

pub(crate) fn sent(room: &mut Room, record: &Record, text: &str) -> Verdict {
    let limits = room.limits.ok_or(ErrorCode::NotFound)?;
    if text.is_empty() || text.len() as u64 > u64::from(limits.chat_message_bytes_max) {
        return Err(ErrorCode::BadRequest);
    }
    let settings = room.settings.unwrap_or_default();
    let participant = room.bound(record)?;
    if !may_write(participant.role, &settings) {
        return Err(ErrorCode::Forbidden);
    }
    let (participant_id, name) = (participant.id(), participant.name.clone());
    room.chat_count += 1;
    let message =
        ChatMessage { number: room.chat_count, participant_id, name, text: text.to_owned(), time_ms: room.time_ms };
    room.chat.push_back(message.clone());
    // The newest always stays.
    while room.chat.len() > 1
        && (room.chat.len() as u64 > u64::from(limits.chat_messages_max)
            || bytes(room) > u64::from(limits.chat_bytes_max))
    {
        room.chat.pop_front();
    }
    Ok(Change::ChatSent { message }.into())
}

fn bytes(room: &Room) -> u64 {
    room.chat.iter().map(|message| (message.text.len() + message.name.len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    use protocol::event::RoomEvent;

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, LIMITS, Story, THERE, accepted, binding, changes, rejected};

    fn chat(text: &str) -> RoomEvent {
        RoomEvent::ChatSent { text: text.to_owned() }
    }

    fn texts(story: &Story) -> Vec<(u64, String)> {
        story.room.snapshot().chat.into_iter().map(|message| (message.number, message.text)).collect()
    }

    #[test]
    fn messages_are_numbered_and_kept_for_those_who_come_later() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.time_ms = 5_000;
        let outcome = story.ask(a, 1, chat("hello"));
        let [Change::ChatSent { message }] = changes(&outcome) else { panic!("{outcome:?}") };
        assert_eq!((message.number, message.participant_id, &message.name[..]), (1, a.participant, "P"));
        assert_eq!((&message.text[..], message.time_ms), ("hello", 5_000));
        accepted(&story.ask(b, 1, chat("hi")));
        story.ask(a, 2, RoomEvent::Left {});
        assert_eq!(texts(&story), [(1, "hello".to_owned()), (2, "hi".to_owned())], "whoever wrote it may be gone");
    }

    #[test]
    fn a_message_that_is_sent_again_is_there_once() {
        let mut story = Story::new();
        let a = story.joined(1);
        let first = accepted(&story.ask(a, 1, chat("once")));
        let moved = binding(&story.resume(THERE, 1, 1));
        assert_eq!(story.ask(moved, 1, chat("once")), Outcome::Repeated(Ok(first)));
        assert_eq!(texts(&story).len(), 1);
        story.own(THERE, None, RoomEvent::NodeLost { incarnation: HERE });
        assert_eq!(texts(&story).len(), 1, "it outlives the node that it came through");
    }

    #[test]
    fn a_message_has_a_length() {
        let mut story = Story::new();
        let a = story.joined(1);
        let longest = usize::try_from(LIMITS.chat_message_bytes_max).expect("small");
        assert_eq!(story.ask(a, 1, chat("")), rejected(ErrorCode::BadRequest));
        assert_eq!(story.ask(a, 2, chat(&"x".repeat(longest + 1))), rejected(ErrorCode::BadRequest));
        accepted(&story.ask(a, 3, chat(&"x".repeat(longest))));
    }

    #[test]
    fn the_newest_are_kept_by_number_and_by_size() {
        let mut story = Story::new();
        let a = story.joined(1);
        for n in 1..=u64::from(LIMITS.chat_messages_max) + 5 {
            story.ask(a, n, chat("x"));
        }
        let kept = texts(&story);
        assert_eq!(kept.len() as u64, u64::from(LIMITS.chat_messages_max));
        assert_eq!(kept.last().map(|(number, _)| *number), Some(u64::from(LIMITS.chat_messages_max) + 5));
        let longest = usize::try_from(LIMITS.chat_message_bytes_max).expect("small");
        for n in 100..120 {
            story.ask(a, n, chat(&"y".repeat(longest)));
        }
        let bytes: usize = texts(&story).iter().map(|(_, text)| text.len() + 1).sum();
        assert!(bytes as u64 <= u64::from(LIMITS.chat_bytes_max), "{bytes}");
    }
}
