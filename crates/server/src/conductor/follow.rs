//! What the room's log says, in its order: to the sockets as notifications, to the workers as closes.
//!
//! This task never waits for the node, only for the next change, because the node waits for it.

use std::sync::Arc;

use cluster::Applied;
use protocol::{ErrorCode, Notification, ParticipantId, ProducerId, RoomId, Source};
use room::{Change, LeaveReason};
use signaling::News;
use tokio::sync::mpsc;

use super::media::Closing;
use super::registry::Registry;
use super::{Shared, Vital};

/// Follows the log until the node ends.
pub(super) async fn run(shared: Arc<Shared>, mut changes: mpsc::Receiver<Applied>) {
    let _vital = Vital::new(&shared, "the rooms' log");
    while let Some(applied) = changes.recv().await {
        follow(&shared, applied);
    }
    if !shared.is_draining() {
        shared.registry().outboxes().for_each(|outbox| outbox.close(ErrorCode::Internal));
    }
}

pub(super) fn follow(shared: &Arc<Shared>, Applied { room, seq, change }: Applied) {
    let mut registry = shared.registry();
    if let Some(news) = notification(seq, &change).map(News::from) {
        let only = only_for(&change);
        let told = registry.people(&room).filter(|(id, _)| only.is_none_or(|only| **id == only));
        let for_hosts = matches!(change, Change::WaitingAdded { .. } | Change::WaitingRemoved { .. });
        told.for_each(|(_, person)| person.hear(seq, &news, for_hosts));
    }
    if matters_elsewhere(&change) {
        shared.relays.changed(&room);
    }
    let enters = matches!(change, Change::Joined { .. });
    match change {
        Change::Joined { binding, .. } | Change::Returned { binding } | Change::WaitingAdded { binding, .. } => {
            if binding.incarnation != shared.rooms.incarnation() {
                return shared.moved(&mut registry, &room, binding.participant);
            }
            let Some(person) = registry.person(&room, binding.participant) else { return };
            if enters && person.is_let_in(binding) {
                shared.let_in(room, binding);
            } else {
                person.reach(binding, seq);
            }
        }
        Change::Left { participant, reason } | Change::WaitingRemoved { participant, reason: Some(reason) } => {
            tracing::info!(%room, %participant, ?reason, "left");
            let code = match reason {
                LeaveReason::Left | LeaveReason::GraceExpired => ErrorCode::SessionExpired,
                LeaveReason::Removed { .. } => ErrorCode::Removed,
                LeaveReason::Denied => ErrorCode::Denied,
                LeaveReason::MeetingEnded => ErrorCode::MeetingEnded,
            };
            if let Some(person) = registry.person(&room, participant) {
                person.put_out(code);
            }
            if let Some(departed) = registry.take_member(&room, participant) {
                // Who asked to leave gets the answer first, and is closed by signalling then.
                if let Some(outbox) = departed.outbox.as_ref().filter(|_| reason != LeaveReason::Left) {
                    outbox.close(code);
                }
                if let Some(media) = &departed.media {
                    shared.close(media, departed.transports.into_iter().map(Closing::Transport).collect());
                }
            }
            ended(shared, &mut registry, &room, &Source::ALL.map(|source| ProducerId { participant, source }));
        }
        Change::ProducerPaused { producer, by: Some(_) } | Change::ProducerStaysPaused { producer } => {
            shared.overrule(&mut registry, &room, producer);
        }
        Change::ProducerResumed { producer } => shared.reinstate(&mut registry, &room, producer),
        Change::ProducerAdded { producer, .. } if !producer.paused => {
            shared.reinstate(&mut registry, &room, producer.id);
        }
        Change::RoleChanged { participant, role, .. } => {
            registry.learn_role(&room, participant, seq, role);
            shared.hold_back(&mut registry, &room);
        }
        Change::SettingsChanged { settings, .. } => {
            registry.learn_settings(&room, seq, settings);
            shared.hold_back(&mut registry, &room);
        }
        Change::ProducerClosed { producer, .. } => {
            registry.unpublish(&room, producer, seq);
            ended(shared, &mut registry, &room, &[producer]);
        }
        Change::DataProducerClosed { data_producer } => {
            let person = registry.person(&room, data_producer.participant);
            if let Some(member) = person.and_then(|person| person.member.as_mut()) {
                member.data_producers.remove(&data_producer.number);
            }
            for media in registry.routers_of(&room) {
                shared.close(media, vec![Closing::DataProducer(data_producer)]);
            }
        }
        // Who is here has to look again: a resume brings the room as it is, or says that they are not in it.
        Change::Replaced => {
            registry.doubt_permissions(&room);
            registry.people(&room).filter_map(|(_, person)| person.member.as_ref()?.outbox.as_ref()).for_each(
                |outbox| {
                    outbox.close(ErrorCode::Internal);
                },
            );
        }
        Change::Ended => {
            registry.doubt_permissions(&room);
            let routers = registry.take_routers(&room);
            if !routers.is_empty() {
                tracing::info!(%room, "ended");
            }
            for media in &routers {
                shared.close(media, vec![Closing::Router]);
            }
        }
        Change::Held { .. }
        | Change::ProducerAdded { .. }
        | Change::ProducerPaused { .. }
        | Change::DataProducerAdded { .. }
        | Change::Renamed { .. }
        | Change::ChatSent { .. }
        | Change::HandRaised { .. }
        | Change::HandLowered { .. }
        | Change::AskedToUnmute { .. }
        | Change::WaitingRemoved { reason: None, .. }
        | Change::WaitingListed { .. }
        | Change::VideoCodecsChanged { .. } => {}
    }
}

/// Whether it may change what crosses between nodes.
fn matters_elsewhere(change: &Change) -> bool {
    match change {
        Change::Joined { .. }
        | Change::Returned { .. }
        | Change::Left { .. }
        | Change::ProducerAdded { .. }
        | Change::ProducerPaused { .. }
        | Change::ProducerResumed { .. }
        | Change::ProducerClosed { .. }
        | Change::Replaced
        | Change::Ended => true,
        Change::Held { .. }
        | Change::Renamed { .. }
        | Change::ProducerStaysPaused { .. }
        | Change::DataProducerAdded { .. }
        | Change::DataProducerClosed { .. }
        | Change::ChatSent { .. }
        | Change::HandRaised { .. }
        | Change::HandLowered { .. }
        | Change::RoleChanged { .. }
        | Change::SettingsChanged { .. }
        | Change::AskedToUnmute { .. }
        | Change::WaitingAdded { .. }
        | Change::WaitingRemoved { .. }
        | Change::WaitingListed { .. }
        | Change::VideoCodecsChanged { .. } => false,
    }
}

/// What somebody published is over: it ends where it was published and wherever it came to by a pipe.
fn ended(shared: &Arc<Shared>, registry: &mut Registry, room: &RoomId, producers: &[ProducerId]) {
    for &producer in producers {
        shared.relays.ended(room, producer);
        registry.remove_remote(room, producer);
    }
    for media in registry.routers_of(room) {
        // Not what was published again since.
        let over = producers.iter().copied().filter(|producer| !registry.is_published(media.router, *producer));
        shared.close(media, over.map(Closing::Producer).collect());
    }
}

/// The one who is told of a change, if not all are.
fn only_for(change: &Change) -> Option<ParticipantId> {
    match change {
        Change::AskedToUnmute { participant, .. } | Change::WaitingListed { participant, .. } => Some(*participant),
        _ => None,
    }
}

/// What members are told of a change; nothing of what they shall not notice.
fn notification(seq: u64, change: &Change) -> Option<Notification> {
    Some(match change.clone() {
        Change::Joined { participant, .. } => Notification::ParticipantJoined { seq, participant },
        Change::Left { participant, reason: LeaveReason::Left | LeaveReason::GraceExpired | LeaveReason::Denied } => {
            Notification::ParticipantLeft { seq, participant_id: participant, by: None }
        }
        Change::Left { participant, reason: LeaveReason::Removed { by } } => {
            Notification::ParticipantLeft { seq, participant_id: participant, by: Some(by) }
        }
        Change::Renamed { participant, name } => {
            Notification::ParticipantUpdated { seq, participant_id: participant, name }
        }
        Change::ProducerAdded { participant, producer } => {
            Notification::ProducerAdded { seq, participant_id: participant, producer }
        }
        Change::ProducerPaused { producer, by } => Notification::ProducerPaused { seq, producer_id: producer, by },
        Change::ProducerResumed { producer } => Notification::ProducerResumed { seq, producer_id: producer },
        Change::ProducerClosed { producer, by } => Notification::ProducerClosed { seq, producer_id: producer, by },
        Change::DataProducerAdded { participant, data_producer } => {
            Notification::DataProducerAdded { seq, participant_id: participant, data_producer }
        }
        Change::DataProducerClosed { data_producer } => {
            Notification::DataProducerClosed { seq, data_producer_id: data_producer }
        }
        Change::WaitingAdded { waiting, .. } => Notification::WaitingAdded { seq, waiting },
        Change::WaitingRemoved { participant, .. } => Notification::WaitingRemoved { seq, participant_id: participant },
        Change::WaitingListed { waiting, .. } => Notification::WaitingListed { seq, waiting },
        Change::HandRaised { participant, order } => {
            Notification::HandRaised { seq, participant_id: participant, order }
        }
        Change::HandLowered { participant, by } => Notification::HandLowered { seq, participant_id: participant, by },
        Change::RoleChanged { participant, role, by } => {
            Notification::RoleChanged { seq, participant_id: participant, role, by }
        }
        Change::SettingsChanged { settings, by } => Notification::SettingsChanged { seq, settings, by },
        Change::AskedToUnmute { source, by, .. } => Notification::AskedToUnmute { seq, by, source },
        Change::ChatSent { message } => Notification::ChatMessage { seq, message },
        Change::VideoCodecsChanged { video_codecs } => Notification::VideoCodecsChanged { seq, video_codecs },
        // When the meeting ends all are told that their sessions do.
        Change::Left { reason: LeaveReason::MeetingEnded, .. }
        | Change::ProducerStaysPaused { .. }
        | Change::Held { .. }
        | Change::Returned { .. }
        | Change::Replaced
        | Change::Ended => return None,
    })
}
