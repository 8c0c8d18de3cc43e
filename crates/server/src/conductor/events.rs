//! What the media workers say, as notifications.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::notification::AudioLevel;
use protocol::{ErrorCode, Notification};
use sfu::Event;
use sfu_io::{EventReceiver, PoolEvent, WorkerIndex};
use signaling::News;
use tokio::task::consume_budget;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Shared, Vital};

/// The least time between two starts of a worker: one that dies over and over must not take the machine with it.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Passes on events until the pool ends.
pub(super) async fn run(shared: Arc<Shared>, mut events: EventReceiver) {
    let _vital = Vital::new(&shared, "the media workers' events");
    let mut restarts = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            PoolEvent::Worker(_, Event::PipeLayers { router, producer, layers, .. }) => {
                shared.relays.wanted(router, producer, layers);
            }
            PoolEvent::Worker(_, event) => pass_on(&shared, event),
            PoolEvent::WorkerDied(worker) => {
                let (outboxes, data_producers) = shared.registry().take_worker(worker);
                tracing::error!(%worker, sockets = outboxes.len(), "a media worker died; its people have to come back");
                // Before they are told, so that they find it when they are back.
                restart(&shared, worker, &mut restarts);
                outboxes.iter().for_each(|outbox| outbox.close(ErrorCode::Internal));
                data_producers.into_iter().for_each(|(room, id)| shared.data_producer_ended(room, id));
            }
        }
        // The channel is not tokio's: while it holds something, nobody else would have this thread, the sockets that
        // are being told included.
        consume_budget().await;
    }
}

/// Starts a worker in place of a dead one; at once, unless that was done a moment ago.
fn restart(shared: &Arc<Shared>, worker: WorkerIndex, restarts: &mut HashMap<WorkerIndex, Instant>) {
    let now = Instant::now();
    let due = restarts.get(&worker).map_or(now, |last| (*last + RESTART_PAUSE).max(now));
    restarts.insert(worker, due);
    if due <= now && try_restart(shared, worker) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        sleep_until(due).await;
        while !try_restart(&shared, worker) {
            sleep(RESTART_PAUSE).await;
        }
    });
}

fn try_restart(shared: &Shared, worker: WorkerIndex) -> bool {
    match shared.pool.restart(worker) {
        Ok(()) => {
            tracing::info!(%worker, "a new media worker runs in place of the dead one");
            shared.registry().rooms().for_each(|room| shared.relays.changed(room));
            shared.relays.replaced(worker);
            true
        }
        Err(error) => {
            tracing::error!(%worker, %error, "a dead media worker cannot be replaced yet; trying again");
            false
        }
    }
}

pub(super) fn pass_on(shared: &Arc<Shared>, event: Event) {
    if let Event::DataProducerClosed { router, data_producer } = event {
        return shared.pass_on_data_producer_closed(router, data_producer);
    }
    let mut registry = shared.registry();
    match event {
        Event::TransportConnected { transport } => {
            tracing::debug!(%transport, "transport connected");
            registry.connected(transport);
        }
        Event::TransportClosed { transport } => {
            tracing::debug!(%transport, "transport closed by its peer or its silence");
            if shared.left_behind_closed(&mut registry, transport) {
                return;
            }
            if let Some(member) = registry.take_transport(transport) {
                member.tell(Notification::TransportClosed { transport_id: transport });
            }
        }
        Event::ConsumerClosed { transport, consumer, producer } => {
            // The end of a producer that is not published any more everybody is told by the log.
            let goes_on = registry.is_published_beside(transport, producer);
            if let Some(member) = registry.transport_owner(transport) {
                member.consumer_ended(consumer, producer, goes_on);
            }
        }
        Event::ConsumerLayer { transport, consumer, layer } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.tell(Notification::ConsumerLayersChanged { consumer_id: consumer, spatial_layer: layer });
            }
        }
        Event::ConsumerScore { transport, consumer, score, producer_score } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.tell_unless_behind(Notification::ConsumerScore { consumer_id: consumer, score, producer_score });
            }
        }
        Event::ProducerLayer { transport, producer, layer } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.tell(Notification::WantedLayers { producer_id: producer, spatial_layer: layer });
            }
        }
        Event::DataConsumerClosed { transport, data_consumer, reason } => {
            if let Some(member) = registry.transport_owner(transport) {
                member.data_consumer_ended(data_consumer, reason);
            }
        }
        Event::DataProducerClosed { .. } | Event::PipeLayers { .. } => {}
        Event::ActiveSpeaker { router, producer } => {
            registry.set_speaker(router, producer);
            let news = News::from(Notification::ActiveSpeaker { producer_id: producer });
            for outbox in registry.listeners(router) {
                outbox.notify_unless_behind(news.clone());
            }
        }
        Event::AudioLevels { router, levels } => {
            let levels = levels.into_iter().map(|(producer_id, level)| AudioLevel { producer_id, level }).collect();
            let news = News::from(Notification::AudioLevels { levels });
            for outbox in registry.listeners(router) {
                outbox.notify_unless_behind(news.clone());
            }
        }
    }
}
