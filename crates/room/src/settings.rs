//! `SettingChanged`: one setting at a time, so that two who change different ones do not undo each other.

use protocol::event::Record;
use protocol::{ErrorCode, ParticipantId, Setting};

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::permissions;
use crate::roles::moderator;
use crate::state::Room;

pub(crate) fn changed(room: &mut Room, record: &Record, setting: Setting, on: bool) -> Verdict {
    let by = moderator(room, record)?.id;
    let settings = room.settings.as_mut().ok_or(ErrorCode::WrongState)?;
    let value = match setting {
        Setting::Locked => &mut settings.locked,
        Setting::Mic => &mut settings.mic,
        Setting::Camera => &mut settings.camera,
        Setting::Screen => &mut settings.screen,
        Setting::Chat => &mut settings.chat,
    };
    if std::mem::replace(value, on) == on {
        return Ok(Effect::default());
    }
    let mut changes = vec![Change::SettingsChanged { settings: *settings, by }];
    let people: Vec<ParticipantId> = room.participants.keys().copied().collect();
    changes.extend(people.into_iter().flat_map(|id| permissions::restrict(room, id, by)));
    Ok(Effect { binding: None, changes })
}

#[cfg(test)]
mod tests {
    use protocol::event::{Binding, RoomEvent};
    use protocol::{ProducerId, Role, RoomSettings, Source};

    use super::*;
    use crate::testing::{Story, accepted, changes, produce, rejected, set_role, switch};

    fn of(whose: Binding, source: Source) -> ProducerId {
        ProducerId { participant: whose.participant, source }
    }

    #[test]
    fn settings_change_one_at_a_time_and_are_in_the_snapshot() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.ask(a, 1, set_role(b, Role::CoHost));
        let outcome = story.ask(a, 2, switch(Setting::Chat, false));
        let settings = RoomSettings { chat: false, ..RoomSettings::default() };
        assert_eq!(changes(&outcome), [Change::SettingsChanged { settings, by: a.participant }]);
        accepted(&story.ask(b, 1, switch(Setting::Locked, true)));
        assert_eq!(story.room.snapshot().settings, RoomSettings { locked: true, ..settings });
        assert_eq!(changes(&story.ask(b, 2, switch(Setting::Locked, true))), [], "it is so");
    }

    #[test]
    fn only_the_host_and_co_hosts_change_them() {
        let mut story = Story::new();
        let (_, b) = (story.joined(1), story.joined(2));
        assert_eq!(story.ask(b, 1, switch(Setting::Mic, false)), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn microphones_of_participants_are_paused_and_stay_so_until_they_may() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        story.ask(a, 1, set_role(b, Role::CoHost));
        for whose in [a, b, c] {
            story.produce(whose, Source::Mic);
            story.produce(whose, Source::Camera);
        }
        let outcome = story.ask(a, 2, switch(Setting::Mic, false));
        let paused = Change::ProducerPaused { producer: of(c, Source::Mic), by: Some(a.participant) };
        assert_eq!(changes(&outcome)[1..], [paused]);
        let resume = || RoomEvent::ProducerResumed { source: Source::Mic };
        assert_eq!(story.ask(c, 1, resume()), rejected(ErrorCode::Forbidden));
        assert_eq!(story.ask(c, 2, produce(Source::Mic)), rejected(ErrorCode::Forbidden));
        let muted = RoomEvent::ProducerAdded { source: Source::Mic, kind: Source::Mic.kind(), paused: true };
        accepted(&story.ask(c, 3, muted));
        accepted(&story.ask(c, 4, RoomEvent::ProducerPaused { source: Source::Camera }));
        accepted(&story.ask(c, 5, RoomEvent::ProducerResumed { source: Source::Camera }));
        accepted(&story.ask(b, 1, RoomEvent::ProducerPaused { source: Source::Mic }));
        accepted(&story.ask(b, 2, resume()));
        accepted(&story.ask(a, 3, switch(Setting::Mic, true)));
        accepted(&story.ask(c, 6, resume()));
    }

    #[test]
    fn screens_of_participants_are_closed_with_their_sound() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        for source in Source::ALL {
            story.produce(b, source);
        }
        story.produce(a, Source::Screen);
        let outcome = story.ask(a, 1, switch(Setting::Screen, false));
        let closed = |source| Change::ProducerClosed { producer: of(b, source), by: Some(a.participant) };
        assert_eq!(changes(&outcome)[1..], [closed(Source::Screen), closed(Source::ScreenAudio)]);
        assert_eq!(story.ask(b, 1, produce(Source::ScreenAudio)), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn who_is_no_co_host_any_more_is_bound_by_the_settings() {
        let mut story = Story::new();
        let (a, b) = (story.joined(1), story.joined(2));
        story.ask(a, 1, set_role(b, Role::CoHost));
        story.ask(a, 2, switch(Setting::Camera, false));
        story.produce(b, Source::Camera);
        let outcome = story.ask(a, 3, set_role(b, Role::Participant));
        let paused = Change::ProducerPaused { producer: of(b, Source::Camera), by: Some(a.participant) };
        assert_eq!(changes(&outcome)[1..], [paused]);
    }

    #[test]
    fn a_closed_chat_is_open_to_the_host_and_co_hosts_only() {
        let mut story = Story::new();
        let (a, b, c) = (story.joined(1), story.joined(2), story.joined(3));
        story.ask(a, 1, set_role(b, Role::CoHost));
        story.ask(a, 2, set_role(c, Role::Viewer));
        let chat = || RoomEvent::ChatSent { text: "hi".to_owned() };
        accepted(&story.ask(c, 1, chat()));
        story.ask(a, 3, switch(Setting::Chat, false));
        assert_eq!(story.ask(c, 2, chat()), rejected(ErrorCode::Forbidden));
        accepted(&story.ask(b, 2, chat()));
        accepted(&story.ask(a, 4, chat()));
    }

    #[test]
    fn a_locked_room_refuses_newcomers_and_nobody_else() {
        let mut story = Story::new();
        let (a, _) = (story.joined(1), story.joined(2));
        accepted(&story.ask(a, 1, switch(Setting::Locked, true)));
        assert_eq!(story.join(3, 3), rejected(ErrorCode::RoomLocked));
        accepted(&story.join(2, 9));
        accepted(&story.ask(a, 2, switch(Setting::Locked, false)));
        accepted(&story.join(3, 4));
    }
}
