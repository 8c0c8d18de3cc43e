//! What the media workers say, as notifications.

use std::sync::Arc;

use protocol::notification::AudioLevel;
use protocol::{ErrorCode, Notification};
use sfu::Event;
use sfu_io::{EventReceiver, PoolEvent};

use super::Shared;

/// Passes on events until the pool ends.
pub(super) async fn run(shared: Arc<Shared>, mut events: EventReceiver) {
    while let Some(event) = events.next().await {
        match event {
            PoolEvent::Worker(_, event) => pass_on(&shared, event),
            PoolEvent::WorkerDied(worker) => {
                let outboxes = shared.registry().take_worker(worker);
                tracing::error!(%worker, sessions = outboxes.len(), "a media worker died; its people have to come back");
                outboxes.iter().for_each(|outbox| outbox.close(ErrorCode::Internal));
            }
        }
    }
}

fn pass_on(shared: &Shared, event: Event) {
    let mut registry = shared.registry();
    match event {
        Event::TransportConnected { transport } => tracing::debug!(%transport, "transport connected"),
        Event::TransportClosed { transport } => {
            tracing::debug!(%transport, "transport closed by its peer or its silence");
            if let Some(member) = registry.take_transport(transport) {
                member.tell(Notification::TransportClosed { transport_id: transport });
            }
        }
        Event::ConsumerClosed { transport, consumer } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.consumer_ended(consumer);
            }
        }
        Event::ConsumerLayer { transport, consumer, layer } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.tell(Notification::ConsumerLayersChanged { consumer_id: consumer, spatial_layer: layer });
            }
        }
        Event::ProducerLayer { transport, producer, layer } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.tell(Notification::WantedLayers { producer_id: producer, spatial_layer: layer });
            }
        }
        Event::AudioLevels { router, levels } => {
            let levels = levels.into_iter().map(|(producer_id, level)| AudioLevel { producer_id, level }).collect();
            let notification = Notification::AudioLevels { levels };
            for outbox in registry.listeners(router) {
                outbox.notify_unless_behind(notification.clone());
            }
        }
    }
}
