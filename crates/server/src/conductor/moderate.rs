//! Hands, and what the host and co-hosts do: events of the room, which judges them.

use protocol::event::RoomEvent;
use protocol::{ErrorBody, Moderation, Reply};

use super::Shared;
use super::person::Caller;

impl Shared {
    pub(super) async fn raise_hand(&self, caller: &Caller, n: u64, raised: bool) -> Result<Reply, ErrorBody> {
        let lowered = RoomEvent::HandLowered { target: Some(caller.participant()) };
        let event = if raised { RoomEvent::HandRaised {} } else { lowered };
        self.append(caller, n, event).await.map(|_| Reply::Done {})
    }

    pub(super) async fn moderate(&self, caller: &Caller, n: u64, action: Moderation) -> Result<Reply, ErrorBody> {
        self.append(caller, n, event(&action)).await.map(|_| Reply::Done {})
    }
}

fn event(action: &Moderation) -> RoomEvent {
    match *action {
        Moderation::Mute { participant_id: target, source } => RoomEvent::Muted { target, source },
        Moderation::AskToUnmute { participant_id: target, source } => RoomEvent::AskedToUnmute { target, source },
        Moderation::Remove { participant_id: target } => RoomEvent::Removed { target },
        Moderation::SetRole { participant_id: target, role } => RoomEvent::RoleChanged { target, role },
        Moderation::SetSetting { setting, on } => RoomEvent::SettingChanged { setting, on },
        Moderation::LowerHands { participant_id: target } => RoomEvent::HandLowered { target },
        Moderation::End {} => RoomEvent::MeetingEnded {},
    }
}
