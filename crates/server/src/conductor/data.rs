//! Requests about data channels, and what the worker says of them. A data producer is the room's, like a producer; a
//! data consumer concerns one participant and this node.

use std::sync::Arc;

use cluster::{Proposal, ProposalKey};
use protocol::event::RoomEvent;
use protocol::request::{ConsumeDataResult, DataConsumerOptions};
use protocol::sctp::SctpStreamParameters;
use protocol::{DataConsumerId, DataProducerId, ErrorBody, ErrorCode, Reply, RoomId, TransportId};
use sfu::worker::{ConsumeDataError, ProduceDataError, RouterId};

use super::media::{Closing, call_failed, not_found};
use super::person::Caller;
use super::{INSIST, Shared};

/// Most data producers in one request.
const DATA_PRODUCERS_MAX: usize = 100;

/// A channel that somebody wants to send on.
pub(super) struct Wanted {
    pub(super) transport_id: TransportId,
    pub(super) parameters: SctpStreamParameters,
    pub(super) label: String,
    pub(super) protocol: String,
}

impl Shared {
    /// Opens a channel to the others.
    pub(super) async fn produce_data(
        self: &Arc<Self>,
        caller: &Caller,
        n: u64,
        wanted: Wanted,
    ) -> Result<Reply, ErrorBody> {
        let Wanted { transport_id, parameters, label, protocol } = wanted;
        // The same for the same request, so that repeating it is safe; others than those of an earlier session.
        let number = (caller.session.0 as u32).wrapping_add(n as u32);
        let id = DataProducerId { participant: caller.participant(), number };
        let call = {
            let mut registry = self.registry();
            registry.permissions(&caller.room, caller.participant()).check_data()?;
            let (member, _, media) = registry.member(caller)?;
            if member.send != Some(transport_id) {
                return Err(not_found("transport"));
            }
            member.data_producers.insert(number);
            let (label, protocol) = (label.clone(), protocol.clone());
            media.worker.call(move |worker, _| worker.produce_data(transport_id, id, &parameters, &label, &protocol))
        };
        let produced = match call.await.map_err(call_failed) {
            // The log could not be reached the last time.
            Ok(Ok(()) | Err(ProduceDataError::Exists)) => Ok(()),
            Ok(Err(error)) => Err(produce_data_failed(&error)),
            Err(error) => Err(error),
        };
        if let Err(error) = produced {
            self.forget_data_producer(caller, number);
            return Err(error);
        }
        match self.append(caller, n, RoomEvent::DataProducerAdded { number, label, protocol }).await {
            Ok(_) => {
                let still_there =
                    self.registry().member(caller).is_ok_and(|(m, ..)| m.data_producers.contains(&number));
                if !still_there {
                    // It ended before the room knew of it.
                    self.data_producer_ended(caller.room.clone(), id);
                }
                Ok(Reply::ProduceData { id })
            }
            Err(error) if error.code == ErrorCode::LogUnavailable => Err(error),
            Err(error) => {
                self.forget_data_producer(caller, number);
                let mut registry = self.registry();
                if let Ok((_, _, media)) = registry.member(caller) {
                    self.close(media, vec![Closing::DataProducer(id)]);
                }
                Err(error)
            }
        }
    }

    /// Closes a channel to the others.
    pub(super) async fn close_data_producer(
        self: &Arc<Self>,
        caller: &Caller,
        n: u64,
        id: DataProducerId,
    ) -> Result<Reply, ErrorBody> {
        {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if id.participant != caller.participant() {
                return Err(not_found("data producer"));
            }
            member.data_producers.remove(&id.number);
            self.close(media, vec![Closing::DataProducer(id)]);
        }
        self.append(caller, n, RoomEvent::DataProducerClosed { number: id.number }).await.map(|_| Reply::Done {})
    }

    /// Makes paused data consumers, one per data producer, and says for each what its client needs, or why not.
    pub(super) async fn consume_data(
        self: &Arc<Self>,
        caller: &Caller,
        transport: TransportId,
        producers: Vec<DataProducerId>,
    ) -> Result<Reply, ErrorBody> {
        if producers.len() > DATA_PRODUCERS_MAX {
            let message = format!("dataProducerIds: at most {DATA_PRODUCERS_MAX} at once");
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        let (call, wanted) = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if member.recv != Some(transport) {
                return Err(not_found("transport"));
            }
            let most = self.limits.data_consumers_per_participant_max;
            let room_left = most.saturating_sub(member.data_consumers.len());
            let wanted: Vec<(DataConsumerId, DataProducerId)> =
                producers.iter().take(room_left).map(|producer| (DataConsumerId(rand::random()), *producer)).collect();
            member.data_consumers.extend(wanted.iter().map(|(id, _)| *id));
            let asked = wanted.clone();
            let call = media.worker.call(move |worker, _| {
                let consume = |(id, producer)| worker.consume_data(transport, id, producer);
                asked.into_iter().map(consume).collect::<Vec<_>>()
            });
            (call, wanted)
        };
        let results = call.await.map_err(call_failed);
        let made = results.as_ref().map(Vec::as_slice).unwrap_or_default();
        let is_made = |at: usize| made.get(at).is_some_and(Result::is_ok);
        if let Ok((member, ..)) = self.registry().member(caller) {
            let failed = wanted.iter().enumerate().filter(|(at, _)| !is_made(*at));
            failed.for_each(|(_, (id, _))| _ = member.data_consumers.remove(id));
        }
        let results = wanted.iter().zip(results?).map(|(&(id, data_producer_id), result)| match result {
            Ok(made) => ConsumeDataResult::DataConsumer(Box::new(DataConsumerOptions {
                id,
                data_producer_id,
                sctp_stream_parameters: made.sctp_stream_parameters,
                label: made.label,
                protocol: made.protocol,
            })),
            Err(error) => ConsumeDataResult::Refused { data_producer_id, error: consume_data_failed(&error) },
        });
        let refused = producers.iter().skip(wanted.len()).map(|&data_producer_id| {
            let error = ErrorBody::new(ErrorCode::LimitReached, "you have as many data consumers as you may");
            ConsumeDataResult::Refused { data_producer_id, error }
        });
        Ok(Reply::ConsumeData { data_consumers: results.chain(refused).collect() })
    }

    /// Lets messages flow.
    pub(super) async fn resume_data_consumer(&self, caller: &Caller, id: DataConsumerId) -> Result<Reply, ErrorBody> {
        let call = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if !member.data_consumers.contains(&id) {
                return Err(not_found("data consumer"));
            }
            media.worker.call(move |worker, _| worker.resume_data_consumer(id))
        };
        call.await.map_err(call_failed)?.map_err(|_| not_found("data consumer"))?;
        Ok(Reply::Done {})
    }

    /// Stops messages for good.
    pub(super) fn close_data_consumer(
        self: &Arc<Self>,
        caller: &Caller,
        id: DataConsumerId,
    ) -> Result<Reply, ErrorBody> {
        let mut registry = self.registry();
        let (member, _, media) = registry.member(caller)?;
        if !member.data_consumers.remove(&id) {
            return Err(not_found("data consumer"));
        }
        self.close(media, vec![Closing::DataConsumer(id)]);
        Ok(Reply::Done {})
    }

    /// The worker closed a data producer: the room is told, unless it was the room or its participant who wanted that.
    pub(super) fn pass_on_data_producer_closed(self: &Arc<Self>, router: RouterId, id: DataProducerId) {
        let room = {
            let mut registry = self.registry();
            let Some((room, _)) = registry.router(router) else { return };
            let member = registry.person(&room, id.participant).and_then(|person| person.member.as_mut());
            if !member.is_some_and(|member| member.data_producers.remove(&id.number)) {
                return;
            }
            room
        };
        self.data_producer_ended(room, id);
    }

    /// Has the room know that a data producer is over, under whatever binding its participant has by then.
    pub(super) fn data_producer_ended(self: &Arc<Self>, room: RoomId, id: DataProducerId) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            let binding = || {
                let mut registry = shared.registry();
                registry.person(&room, id.participant)?.member.as_ref().map(|member| member.binding)
            };
            // Who is gone has taken it along.
            while let Some(binding) = binding() {
                let event = RoomEvent::DataProducerClosed { number: id.number };
                let key = ProposalKey::Node;
                let proposal = Proposal { room: room.clone(), key, binding: Some(binding), event };
                match shared.rooms.propose(proposal).await {
                    Err(error) if matches!(error.code, ErrorCode::LogUnavailable | ErrorCode::Superseded) => {
                        tokio::time::sleep(INSIST).await;
                    }
                    _ => return,
                }
            }
        });
    }

    fn forget_data_producer(&self, caller: &Caller, number: u32) {
        if let Ok((member, ..)) = self.registry().member(caller) {
            member.data_producers.remove(&number);
        }
    }
}

fn produce_data_failed(error: &ProduceDataError) -> ErrorBody {
    let code = match error {
        ProduceDataError::TransportNotFound => ErrorCode::NotFound,
        ProduceDataError::NotEnabled | ProduceDataError::Ended => ErrorCode::WrongState,
        ProduceDataError::Exists | ProduceDataError::StreamInUse(_) => ErrorCode::AlreadyExists,
        ProduceDataError::Unsupported(_) => ErrorCode::UnsupportedMedia,
    };
    ErrorBody::new(code, error.to_string())
}

fn consume_data_failed(error: &ConsumeDataError) -> ErrorBody {
    let code = match error {
        ConsumeDataError::TransportNotFound | ConsumeDataError::DataProducerNotFound => ErrorCode::NotFound,
        ConsumeDataError::NotEnabled | ConsumeDataError::Ended => ErrorCode::WrongState,
        ConsumeDataError::Exists => ErrorCode::Internal,
        ConsumeDataError::NoStream => ErrorCode::LimitReached,
    };
    ErrorBody::new(code, error.to_string())
}
