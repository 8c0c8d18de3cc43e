//! Who may do what in a room: roles, the room's settings, and what hosts ask for.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ParticipantId, Source};

/// What somebody is in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// May do everything. There is one as long as anybody is in.
    Host,
    /// May do what the host may, except to the host and other co-hosts, and except to make such or to end the meeting.
    CoHost,
    /// Publishes and writes, as far as the room's settings allow it.
    #[default]
    Participant,
    /// Publishes nothing.
    Viewer,
}

/// What hosts can switch in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Setting {
    /// Newcomers are refused.
    Locked,
    /// Participants may unmute their microphones.
    Mic,
    /// Participants may switch their cameras on.
    Camera,
    /// Participants may share their screens.
    Screen,
    /// Participants and viewers may write to the room.
    Chat,
}

/// How a room is set. The host and co-hosts may do what they forbid to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RoomSettings {
    /// Newcomers are refused.
    pub locked: bool,
    /// Participants may unmute their microphones.
    pub mic: bool,
    /// Participants may switch their cameras on.
    pub camera: bool,
    /// Participants may share their screens.
    pub screen: bool,
    /// Participants and viewers may write to the room.
    pub chat: bool,
}

impl Default for RoomSettings {
    /// Everybody may come in and do everything.
    fn default() -> Self {
        Self { locked: false, mic: true, camera: true, screen: true, chat: true }
    }
}

/// What hosts and co-hosts do to others and to the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Moderation {
    /// Pause somebody's microphone or camera, or close their screen with its sound. They may begin again, unless a
    /// setting forbids it.
    Mute {
        /// Whose; without it, of all others whom the caller may mute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        participant_id: Option<ParticipantId>,
        /// `mic`, `camera` or `screen`.
        source: Source,
    },
    /// Have somebody asked to unmute: nobody else can do it.
    AskToUnmute {
        /// Whom.
        participant_id: ParticipantId,
        /// `mic` or `camera`.
        source: Source,
    },
    /// Send somebody out.
    Remove {
        /// Whom.
        participant_id: ParticipantId,
    },
    /// Give somebody another role. Who makes somebody else the host becomes a co-host.
    SetRole {
        /// Whom.
        participant_id: ParticipantId,
        /// Which.
        role: Role,
    },
    /// Switch one of the room's settings.
    SetSetting {
        /// Which.
        setting: Setting,
        /// Its new value.
        on: bool,
    },
    /// Lower a hand.
    LowerHands {
        /// Whose; without it, everybody's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        participant_id: Option<ParticipantId>,
    },
    /// End the meeting for everybody.
    End {},
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_is_told_apart_by_its_name_and_knows_its_fields() {
        let read = |value| serde_json::from_value::<Moderation>(value);
        let mute = read(json!({ "action": "mute", "source": "mic" })).expect("everybody's");
        assert_eq!(mute, Moderation::Mute { participant_id: None, source: Source::Mic });
        let role = json!({ "action": "setRole", "participantId": "00000000000000ff", "role": "coHost" });
        let made = Moderation::SetRole { participant_id: ParticipantId(255), role: Role::CoHost };
        assert_eq!(read(role.clone()).expect("a role"), made);
        assert_eq!(serde_json::to_value(made).expect("json"), role);
        for wrong in [
            json!({}),
            json!({ "action": "dance" }),
            json!({ "action": "remove" }),
            json!({ "action": "setRole", "participantId": "00000000000000ff", "role": "king" }),
            json!({ "action": "setSetting", "setting": "mic", "on": 1 }),
        ] {
            read(wrong.clone()).expect_err(&wrong.to_string());
        }
    }
}
