//! People who go on at another node, whether they were asked to or came there by themselves.
//!
//! Their socket here is of no use any more; their transports are, until they are connected there and everybody gets from
//! there what they publish. So these stay until the client closes them, or a time is over.

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, ParticipantId, RoomId, TransportId};

use super::Shared;
use super::media::Closing;
use super::registry::Registry;

/// How long what a session left behind stays at most: a client closes its transports a few seconds after it is there.
const LEFT_BEHIND_MAX: Duration = Duration::from_secs(10);

impl Shared {
    /// Somebody is on another node from now on.
    pub(super) fn moved(self: &Arc<Self>, registry: &mut Registry, room: &RoomId, participant: ParticipantId) {
        let Some((number, outbox)) = registry.leave_behind(room, participant) else { return };
        tracing::info!(%room, %participant, "is on another node now");
        if let Some(outbox) = &outbox {
            outbox.close(ErrorCode::Superseded);
        }
        if registry.left_behind(room, participant, number).is_some_and(|moved| moved.connected.is_empty()) {
            return self.end_moved(registry, room, participant);
        }
        let (shared, room) = (Arc::clone(self), room.clone());
        self.runtime.spawn(async move {
            tokio::time::sleep(LEFT_BEHIND_MAX).await;
            let mut registry = shared.registry();
            if registry.left_behind(&room, participant, number).is_some() {
                shared.end_moved(&mut registry, &room, participant);
            }
        });
    }

    /// A transport closed by itself. Says whether a moved session had left it behind.
    pub(super) fn left_behind_closed(self: &Arc<Self>, registry: &mut Registry, transport: TransportId) -> bool {
        let Some((room, participant)) = registry.left_behind_closed(transport) else { return false };
        self.end_moved(registry, &room, participant);
        true
    }

    /// What a session left behind is not needed any more, or its participant is back.
    pub(super) fn end_moved(self: &Arc<Self>, registry: &mut Registry, room: &RoomId, participant: ParticipantId) {
        let Some((media, transports)) = registry.take_moved(room, participant) else { return };
        if let Some(media) = &media {
            self.close(media, transports.into_iter().map(Closing::Transport).collect());
        }
        self.relays.changed(room);
    }
}
