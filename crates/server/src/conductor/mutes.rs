//! Mutes that somebody else decided, in the media of this node. Nobody is relied on to stop sending.
//!
//! One's own mute and unmute are in the media before they are on the log, so the log's word for them is late, and is not
//! followed. What others decide comes by the log alone. So somebody who was muted passes again when the log has an unmute
//! of theirs that comes after it, and if that is what they want still.

use std::sync::Arc;

use protocol::{ParticipantId, ProducerId, RoomId, Source};
use sfu_io::CallError;

use super::Shared;
use super::media::BUSY_RETRY;
use super::registry::Registry;

impl Shared {
    /// Somebody else muted a producer.
    pub(super) fn overrule(self: &Arc<Self>, registry: &mut Registry, room: &RoomId, id: ProducerId) {
        let Some(person) = registry.person(room, id.participant) else { return };
        if let Some(member) = &mut person.member {
            member.overrule(id.source);
        }
        self.apply(registry, room, id);
    }

    /// Its owner unmuted a producer, or published it anew.
    pub(super) fn reinstate(self: &Arc<Self>, registry: &mut Registry, room: &RoomId, id: ProducerId) {
        let person = registry.person(room, id.participant);
        if person.and_then(|person| person.member.as_mut()).is_some_and(|member| member.reinstate(id.source)) {
            self.apply(registry, room, id);
        }
    }

    /// Mutes what people of this node may not publish any more, also where the room does not know yet that they do.
    pub(super) fn hold_back(self: &Arc<Self>, registry: &mut Registry, room: &RoomId) {
        let people: Vec<ParticipantId> = registry.people(room).map(|(id, _)| *id).collect();
        for participant in people {
            let permissions = registry.permissions(room, participant);
            let Some(person) = registry.person(room, participant) else { continue };
            let passes = |source: &&Source| person.member.as_ref().is_none_or(|member| member.passes(**source));
            let forbidden =
                person.published.keys().filter(passes).filter(|source| !permissions.allows(**source, false));
            for source in forbidden.copied().collect::<Vec<_>>() {
                self.overrule(registry, room, ProducerId { participant, source });
            }
        }
    }

    /// Has the media of a producer pass or not, as things are, and sees to it that the worker takes that.
    fn apply(self: &Arc<Self>, registry: &mut Registry, room: &RoomId, id: ProducerId) {
        let Some(call) = self.queue(registry, room, id) else { return };
        let (shared, room) = (Arc::clone(self), room.clone());
        self.runtime.spawn(async move {
            let mut result = call.await;
            while result == Err(CallError::WorkerBusy) {
                tokio::time::sleep(BUSY_RETRY).await;
                let Some(call) = shared.queue(&mut shared.registry(), &room, id) else { return };
                result = call.await;
            }
        });
    }

    fn queue(
        &self,
        registry: &mut Registry,
        room: &RoomId,
        id: ProducerId,
    ) -> Option<impl Future<Output = Result<(), CallError>> + Send + use<>> {
        let person = registry.person(room, id.participant)?;
        let media = person.seat.clone().filter(|_| person.published.contains_key(&id.source))?;
        // What somebody left behind who moved on is not theirs to unmute from there.
        let passes = person.member.as_ref().is_some_and(|member| member.passes(id.source));
        Some(media.worker.call(move |worker, now| {
            // It may be gone by then.
            let _ = match passes {
                true => worker.resume_producer(now, media.router, id),
                false => worker.pause_producer(media.router, id),
            };
        }))
    }
}
