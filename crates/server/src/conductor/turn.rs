//! A person's turn: their arrivals and requests come one after the other, whichever socket they come by.

use std::sync::Arc;

use protocol::{ParticipantId, RoomId};
use tokio::sync::OwnedMutexGuard;

use super::Shared;

/// Held while something of a person is carried out. Ends the person's arrival, if there is one, when it is dropped.
pub(super) struct Turn {
    visit: Visit,
    _guard: OwnedMutexGuard<()>,
}

impl Turn {
    /// Waits for the turn.
    pub(super) async fn take(shared: &Arc<Shared>, room: &RoomId, participant: ParticipantId) -> Self {
        let turn = shared.registry().enter_turn(room, participant);
        let visit = Visit { shared: Arc::clone(shared), room: room.clone(), participant };
        Self { _guard: turn.lock_owned().await, visit }
    }

    pub(super) fn room(&self) -> &RoomId {
        &self.visit.room
    }

    pub(super) fn participant(&self) -> ParticipantId {
        self.visit.participant
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut registry = self.visit.shared.registry();
        if let Some(person) = registry.person(&self.visit.room, self.visit.participant) {
            person.arrival = None;
        }
    }
}

/// Keeps the person in the registry while somebody holds or waits for the turn.
struct Visit {
    shared: Arc<Shared>,
    room: RoomId,
    participant: ParticipantId,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.shared.registry().leave_turn(&self.room, self.participant);
    }
}
