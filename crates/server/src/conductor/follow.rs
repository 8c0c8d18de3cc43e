//! What the room's log says, in its order: to the sockets as notifications, to the workers as closes.
//!
//! This task never waits for the node, only for the next change, because the node waits for it.

use std::sync::Arc;

use cluster::Applied;
use protocol::{ErrorCode, Notification, ProducerId, RoomId, Source};
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
        registry.people(&room).for_each(|(_, person)| person.hear(seq, &news));
    }
    if matters_elsewhere(&change) {
        shared.relays.changed(&room);
    }
    match change {
        Change::Joined { binding, .. } | Change::Returned { binding } => {
            if binding.incarnation != shared.rooms.incarnation() {
                return shared.moved(&mut registry, &room, binding.participant);
            }
            if let Some(person) = registry.person(&room, binding.participant) {
                person.reach(binding, seq);
            }
        }
        Change::Left { participant, reason } => {
            tracing::info!(%room, %participant, ?reason, "left");
            if let Some(departed) = registry.take_member(&room, participant) {
                // Who asked to leave gets the answer first, and is closed by signalling then.
                if let (LeaveReason::GraceExpired, Some(outbox)) = (reason, &departed.outbox) {
                    outbox.close(ErrorCode::SessionExpired);
                }
                if let Some(media) = &departed.media {
                    shared.close(media, departed.transports.into_iter().map(Closing::Transport).collect());
                }
            }
            ended(shared, &mut registry, &room, &Source::ALL.map(|source| ProducerId { participant, source }));
        }
        Change::ProducerClosed { producer } => {
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
            registry.people(&room).filter_map(|(_, person)| person.member.as_ref()?.outbox.as_ref()).for_each(
                |outbox| {
                    outbox.close(ErrorCode::Internal);
                },
            );
        }
        Change::Ended => {
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
        | Change::ProducerResumed { .. }
        | Change::DataProducerAdded { .. }
        | Change::Renamed { .. }
        | Change::ChatSent { .. }
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
        | Change::DataProducerAdded { .. }
        | Change::DataProducerClosed { .. }
        | Change::ChatSent { .. }
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

/// What members are told of a change; nothing of what they shall not notice.
fn notification(seq: u64, change: &Change) -> Option<Notification> {
    Some(match change.clone() {
        Change::Joined { participant, .. } => Notification::ParticipantJoined { seq, participant },
        Change::Left { participant, .. } => Notification::ParticipantLeft { seq, participant_id: participant },
        Change::Renamed { participant, name } => {
            Notification::ParticipantUpdated { seq, participant_id: participant, name }
        }
        Change::ProducerAdded { participant, producer } => {
            Notification::ProducerAdded { seq, participant_id: participant, producer }
        }
        Change::ProducerPaused { producer } => Notification::ProducerPaused { seq, producer_id: producer },
        Change::ProducerResumed { producer } => Notification::ProducerResumed { seq, producer_id: producer },
        Change::ProducerClosed { producer } => Notification::ProducerClosed { seq, producer_id: producer },
        Change::DataProducerAdded { participant, data_producer } => {
            Notification::DataProducerAdded { seq, participant_id: participant, data_producer }
        }
        Change::DataProducerClosed { data_producer } => {
            Notification::DataProducerClosed { seq, data_producer_id: data_producer }
        }
        Change::ChatSent { message } => Notification::ChatMessage { seq, message },
        Change::VideoCodecsChanged { video_codecs } => Notification::VideoCodecsChanged { seq, video_codecs },
        Change::Held { .. } | Change::Returned { .. } | Change::Replaced | Change::Ended => return None,
    })
}
