//! What somebody may publish and write, by their role and the room's settings; and what ends when they may not any more.

use protocol::{DataProducerId, ParticipantId, Role, RoomSettings, Source};

use crate::change::Change;
use crate::moderation;
use crate::state::{Participant, Room};

/// Whether somebody may publish a source. Paused, they may keep one that they may not let others have: it is there for
/// when they may again.
pub fn may_produce(role: Role, settings: &RoomSettings, source: Source, paused: bool) -> bool {
    may_publish(role, settings, source) || (paused && role != Role::Viewer)
}

/// Whether somebody may open channels.
pub fn may_produce_data(role: Role) -> bool {
    role != Role::Viewer
}

/// Whether somebody may let others have a source.
pub(crate) fn may_publish(role: Role, settings: &RoomSettings, source: Source) -> bool {
    match (role, source) {
        (Role::Host | Role::CoHost, _) => true,
        (Role::Viewer, _) => false,
        (Role::Participant, Source::Mic) => settings.mic,
        (Role::Participant, Source::Camera) => settings.camera,
        (Role::Participant, Source::Screen | Source::ScreenAudio) => settings.screen,
    }
}

/// Whether somebody may write to the room.
pub(crate) fn may_write(role: Role, settings: &RoomSettings) -> bool {
    matches!(role, Role::Host | Role::CoHost) || settings.chat
}

/// Pauses or closes what a participant may not publish, because of what `by` decided.
pub(crate) fn restrict(room: &mut Room, id: ParticipantId, by: ParticipantId) -> Vec<Change> {
    let settings = room.settings.unwrap_or_default();
    let Some(participant) = room.participants.get_mut(&id) else { return Vec::new() };
    if participant.role == Role::Viewer {
        return close_all(participant, by);
    }
    let forbidden = [Source::Mic, Source::Camera, Source::Screen].into_iter();
    let forbidden = forbidden.filter(|source| !may_publish(participant.role, &settings, *source));
    forbidden.collect::<Vec<_>>().into_iter().flat_map(|source| moderation::mute(participant, source, by)).collect()
}

fn close_all(participant: &mut Participant, by: ParticipantId) -> Vec<Change> {
    let sources = std::mem::take(&mut participant.producers).into_keys();
    let closed =
        sources.map(|source| Change::ProducerClosed { producer: participant.producer_id(source), by: Some(by) });
    let mut changes: Vec<Change> = closed.collect();
    let id = participant.id();
    let numbers = std::mem::take(&mut participant.data_producers).into_keys();
    let closed = numbers.map(|number| DataProducerId { participant: id, number });
    changes.extend(closed.map(|data_producer| Change::DataProducerClosed { data_producer }));
    changes
}
