//! Requests: whose they are, whether they were carried out before, and to which file they go.

use std::sync::Arc;

use cluster::{Accepted, Proposal, ProposalKey};
use protocol::event::RoomEvent;
use protocol::{ErrorBody, ErrorCode, Reply, Request};
use signaling::SessionHandle;

use super::Shared;
use super::outcomes::Known;
use super::person::Caller;
use super::turn::Turn;

impl Shared {
    /// Carries out request `n` of the session behind a socket, once, unless it [is repeatable](is_repeatable).
    pub(super) async fn request(
        self: &Arc<Self>,
        handle: SessionHandle,
        n: u64,
        request: Request,
    ) -> Result<Reply, ErrorBody> {
        let (room, participant) = self.registry().socket(handle).ok_or_else(not_joined)?;
        let is_repeatable = is_repeatable(&request);
        let _turn = Turn::take(self, &room, participant).await;
        let waiting = self.registry().waiting_caller(handle)?;
        if let Some(caller) = waiting {
            return self.request_of_waiting(&caller, &request).await;
        }
        let caller = {
            let mut registry = self.registry();
            let caller = registry.caller(handle)?;
            let (member, ..) = registry.member(&caller)?;
            member.token_arrived = true;
            let known = if is_repeatable { Known::New } else { member.outcomes.look(n) };
            match known {
                Known::New => caller,
                Known::Outcome(outcome) => return outcome,
                Known::Forgotten => {
                    let message = "the request's number is too old; its outcome was forgotten";
                    return Err(ErrorBody::new(ErrorCode::RequestExpired, message));
                }
            }
        };
        let outcome = self.carry_out(&caller, n, request).await;
        if !is_repeatable && let Ok((member, ..)) = self.registry().member(&caller) {
            member.outcomes.keep(n, &outcome);
        }
        outcome
    }

    async fn carry_out(self: &Arc<Self>, caller: &Caller, n: u64, request: Request) -> Result<Reply, ErrorBody> {
        match request {
            Request::Leave {} => self.leave(caller).await,
            Request::CreateWebRtcTransport { direction } => self.create_transport(caller, direction).await,
            Request::ConnectWebRtcTransport { transport_id, dtls_parameters } => {
                self.connect_transport(caller, transport_id, dtls_parameters).await
            }
            Request::RestartIce { transport_id } => self.restart_ice(caller, transport_id).await,
            Request::Produce { transport_id, source, kind, rtp_parameters, paused } => {
                let media = super::produce::Wanted { transport_id, source, kind, rtp_parameters, paused };
                self.produce(caller, n, media).await
            }
            Request::PauseProducer { producer_id } => self.pause_producer(caller, n, producer_id, true).await,
            Request::ResumeProducer { producer_id } => self.pause_producer(caller, n, producer_id, false).await,
            Request::CloseProducer { producer_id } => self.close_producer(caller, n, producer_id).await,
            Request::Consume { transport_id, producer_ids } => self.consume(caller, transport_id, producer_ids).await,
            Request::ResumeConsumer { consumer_id } => self.pause_consumer(caller, consumer_id, false).await,
            Request::PauseConsumer { consumer_id } => self.pause_consumer(caller, consumer_id, true).await,
            Request::SetPreferredLayers { consumer_id, spatial_layer } => {
                self.set_preferred_layers(caller, consumer_id, spatial_layer).await
            }
            Request::SetPriority { consumer_id, priority } => self.set_priority(caller, consumer_id, priority).await,
            Request::GetStats { transport_id } => self.transport_stats(caller, transport_id).await,
            Request::CloseConsumer { consumer_id } => self.close_consumer(caller, consumer_id),
            Request::SendChatMessage { text } => self.send_chat_message(caller, n, &text).await,
            Request::RaiseHand { raised } => self.raise_hand(caller, n, raised).await,
            Request::Signal(signal) => self.signal(caller, signal).await,
            Request::Moderate(action) => self.moderate(caller, n, action).await,
            Request::ProduceData { transport_id, sctp_stream_parameters, label, protocol } => {
                let channel = super::data::Wanted { transport_id, parameters: sctp_stream_parameters, label, protocol };
                self.produce_data(caller, n, channel).await
            }
            Request::CloseDataProducer { data_producer_id } => {
                self.close_data_producer(caller, n, data_producer_id).await
            }
            Request::ConsumeData { transport_id, data_producer_ids } => {
                self.consume_data(caller, transport_id, data_producer_ids).await
            }
            Request::ResumeDataConsumer { data_consumer_id } => {
                self.resume_data_consumer(caller, data_consumer_id).await
            }
            Request::CloseDataConsumer { data_consumer_id } => self.close_data_consumer(caller, data_consumer_id),
        }
    }

    /// Numbered by this node: under the client's number the room would answer with what came of that number before.
    pub(super) async fn leave(&self, caller: &Caller) -> Result<Reply, ErrorBody> {
        let (room, binding) = (caller.room.clone(), Some(caller.binding));
        let proposal = Proposal { room, key: ProposalKey::Node, binding, event: RoomEvent::Left {} };
        self.rooms.propose(proposal).await.map(|_| Reply::Done {})
    }

    /// Trimmed here and not by the rules: what counts as white space differs between versions of Unicode.
    async fn send_chat_message(&self, caller: &Caller, n: u64, text: &str) -> Result<Reply, ErrorBody> {
        let (text, bytes_max) = (text.trim(), self.limits.chat_message_bytes_max);
        if text.is_empty() || text.len() > bytes_max {
            let message = format!("text: 1 to {bytes_max} bytes, but it has {}; shorten or split it", text.len());
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        self.append(caller, n, RoomEvent::ChatSent { text: text.to_owned() }).await.map(|_| Reply::Done {})
    }

    /// Has the room's rules judge what a client asks.
    pub(super) async fn append(&self, caller: &Caller, n: u64, event: RoomEvent) -> Result<Accepted, ErrorBody> {
        let key = ProposalKey::Session { session: caller.session, n };
        let proposal = Proposal { room: caller.room.clone(), key, binding: Some(caller.binding), event };
        self.rooms.propose(proposal).await
    }
}

/// Whether it is carried out as often as it is asked for, under whatever number: it does the same each time and waits for
/// no log. While something else waits for that, no number of these ends what is known of it. And whoever wants to leave
/// shall not be held back by a client that counts wrongly.
fn is_repeatable(request: &Request) -> bool {
    matches!(
        request,
        Request::Leave {}
            | Request::SetPreferredLayers { .. }
            | Request::SetPriority { .. }
            | Request::PauseConsumer { .. }
            | Request::ResumeConsumer { .. }
            | Request::RestartIce { .. }
            | Request::GetStats { .. }
            | Request::Signal(_)
    )
}

fn not_joined() -> ErrorBody {
    ErrorBody::new(ErrorCode::NotJoined, "you are not in this room any more; join it again")
}
