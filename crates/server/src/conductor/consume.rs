//! Requests about consumers. They concern one participant and this node, so the log knows nothing of them.

use std::collections::HashSet;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::request::{ConsumeResult, ConsumerOptions};
use protocol::{
    ConsumerId, ErrorBody, ErrorCode, MediaKind, ProducerId, Reply, RtpCapabilities, RtpParameters, TransportId,
};
use sfu::Worker;
use sfu::worker::{ConsumeError, NotFound};
use tokio::time::timeout_at;

use super::Shared;
use super::media::{Closing, Media, call_failed, consume_failed, not_found};
use super::person::Caller;

/// Most producers in one request.
const PRODUCERS_MAX: usize = 100;

/// How long a request waits for streams that are on their way from another node or worker: some round trips to it. The
/// client asks again for what was not there by then, which is what comes of nodes that died.
const ARRIVAL_TIMEOUT: Duration = Duration::from_millis(300);
/// Between two tries of a request: to who comes first to a worker everything of the room comes, one after the other.
const ARRIVAL_PAUSE: Duration = Duration::from_millis(10);

type Made = Result<(MediaKind, RtpParameters), ConsumeError>;

/// Makes consumers, one after the other.
async fn make(
    media: &Media,
    transport: TransportId,
    wanted: Vec<(ConsumerId, ProducerId)>,
    capabilities: Arc<RtpCapabilities>,
) -> Result<Vec<Made>, ErrorBody> {
    let call = media.worker.call(move |worker, _| {
        let consume = |(id, producer)| worker.consume(transport, id, producer, &capabilities);
        wanted.into_iter().map(consume).collect::<Vec<_>>()
    });
    call.await.map_err(call_failed)
}

fn is_not_there(made: &Made) -> bool {
    matches!(made, Err(ConsumeError::ProducerNotFound))
}

impl Shared {
    /// Makes paused consumers, one per producer, and says for each what its client will receive, or why not.
    pub(super) async fn consume(
        self: &Arc<Self>,
        caller: &Caller,
        transport: TransportId,
        producers: Vec<ProducerId>,
    ) -> Result<Reply, ErrorBody> {
        if producers.len() > PRODUCERS_MAX {
            let message = format!("producerIds: at most {PRODUCERS_MAX} at once");
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        let (media, capabilities, wanted, arrivals) = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if member.recv != Some(transport) {
                return Err(not_found("transport"));
            }
            let room_left = self.limits.consumers_per_participant_max.saturating_sub(member.consumers.len());
            let wanted: Vec<(ConsumerId, ProducerId)> =
                producers.iter().take(room_left).map(|producer| (ConsumerId(rand::random()), *producer)).collect();
            member.consumers.extend(wanted.iter().map(|(id, _)| *id));
            let (media, capabilities) = (media.clone(), Arc::clone(&member.capabilities));
            (media, capabilities, wanted, registry.arrivals(&caller.room))
        };
        let mut results = make(&media, transport, wanted.clone(), Arc::clone(&capabilities)).await;
        if let (Ok(made), Some(mut arrivals)) = (&mut results, arrivals) {
            let deadline = Instant::now() + ARRIVAL_TIMEOUT;
            let mut is_first = true;
            while self.is_any_on_its_way(caller, &wanted, made).await
                && timeout_at(deadline.into(), arrivals.changed()).await.is_ok_and(|changed| changed.is_ok())
            {
                if !std::mem::take(&mut is_first) {
                    tokio::time::sleep(ARRIVAL_PAUSE).await;
                    arrivals.mark_unchanged();
                }
                let missing: Vec<usize> = (0..made.len()).filter(|at| is_not_there(&made[*at])).collect();
                let again = missing.iter().map(|at| wanted[*at]).collect();
                // What was made before counts, whatever becomes of the rest.
                let Ok(again) = make(&media, transport, again, Arc::clone(&capabilities)).await else { break };
                missing.into_iter().zip(again).for_each(|(at, result)| made[at] = result);
            }
        }
        let made = results.as_ref().map(Vec::as_slice).unwrap_or_default();
        let is_made = |at: usize| made.get(at).is_some_and(Result::is_ok);
        let mut ended = HashSet::new();
        if let Ok((member, ..)) = self.registry().member(caller) {
            let failed = wanted.iter().enumerate().filter(|(at, _)| !is_made(*at));
            failed.for_each(|(_, (id, _))| _ = member.consumers.remove(id));
            // Whose producer closed meanwhile: of an end before its beginning the client would never hear.
            ended.extend(wanted.iter().map(|(id, _)| *id).filter(|id| !member.consumers.contains(id)));
        }
        let mut consumers: Vec<ConsumeResult> = wanted
            .iter()
            .zip(results?)
            .map(|(&(id, producer_id), result)| match result {
                Ok(_) if ended.contains(&id) => {
                    let error = consume_failed(&ConsumeError::ProducerNotFound);
                    ConsumeResult::Refused { producer_id, error }
                }
                Ok((kind, rtp_parameters)) => {
                    let stream_id = format!("{}-{}", producer_id.participant, producer_id.source.stream_label());
                    let options = ConsumerOptions { id, producer_id, kind, rtp_parameters, stream_id };
                    ConsumeResult::Consumer(Box::new(options))
                }
                Err(error) => ConsumeResult::Refused { producer_id, error: consume_failed(&error) },
            })
            .collect();
        consumers.extend(producers.iter().skip(wanted.len()).map(|&producer_id| {
            let error = ErrorBody::new(ErrorCode::LimitReached, "you have as many consumers as you may");
            ConsumeResult::Refused { producer_id, error }
        }));
        Ok(Reply::Consume { consumers })
    }

    /// Whether some of what is not there comes from elsewhere, and may be there in a moment.
    async fn is_any_on_its_way(&self, caller: &Caller, wanted: &[(ConsumerId, ProducerId)], made: &[Made]) -> bool {
        let missing =
            || wanted.iter().zip(made).filter(|(_, made)| is_not_there(made)).map(|((_, producer), _)| producer);
        if !self.relays.is_on() || missing().next().is_none() {
            return false;
        }
        let published = self.rooms.publications(caller.room.clone()).await.unwrap_or_default();
        missing().any(|producer| published.iter().any(|one| one.producer == *producer))
    }

    /// Stops a consumer's media for now, or lets it flow.
    pub(super) async fn pause_consumer(
        &self,
        caller: &Caller,
        id: ConsumerId,
        paused: bool,
    ) -> Result<Reply, ErrorBody> {
        self.change_consumer(caller, id, move |worker, now| match paused {
            true => worker.pause_consumer(id),
            false => worker.resume_consumer(now, id),
        })
        .await
    }

    /// Chooses among the layers of what a consumer receives.
    pub(super) async fn set_preferred_layers(
        &self,
        caller: &Caller,
        id: ConsumerId,
        spatial_layer: u8,
    ) -> Result<Reply, ErrorBody> {
        self.change_consumer(caller, id, move |worker, now| worker.set_preferred_layer(now, id, spatial_layer)).await
    }

    /// Gives a consumer more or less of the path than others.
    pub(super) async fn set_priority(
        &self,
        caller: &Caller,
        id: ConsumerId,
        priority: NonZeroU8,
    ) -> Result<Reply, ErrorBody> {
        self.change_consumer(caller, id, move |worker, now| worker.set_priority(now, id, priority)).await
    }

    async fn change_consumer(
        &self,
        caller: &Caller,
        id: ConsumerId,
        change: impl FnOnce(&mut Worker, Instant) -> Result<(), NotFound> + Send + 'static,
    ) -> Result<Reply, ErrorBody> {
        let call = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if !member.consumers.contains(&id) {
                return Err(not_found("consumer"));
            }
            media.worker.call(change)
        };
        call.await.map_err(call_failed)?.map_err(|_| not_found("consumer"))?;
        Ok(Reply::Done {})
    }

    /// Stops a consumer's media for good.
    pub(super) fn close_consumer(self: &Arc<Self>, caller: &Caller, id: ConsumerId) -> Result<Reply, ErrorBody> {
        let mut registry = self.registry();
        let (member, _, media) = registry.member(caller)?;
        if !member.consumers.remove(&id) {
            return Err(not_found("consumer"));
        }
        self.close(media, vec![Closing::Consumer(id)]);
        Ok(Reply::Done {})
    }
}
