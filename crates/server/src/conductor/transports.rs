//! Requests about transports.

use std::sync::Arc;

use protocol::request::Direction;
use protocol::transport::DtlsParameters;
use protocol::{ErrorBody, ErrorCode, Reply, TransportId};

use super::Shared;
use super::media::{Closing, call_failed, connect_failed, create_transport, not_found};
use super::person::Caller;

impl Shared {
    /// Replaces the transport of a direction; the old one is closed with all that was on it.
    pub(super) async fn create_transport(
        self: &Arc<Self>,
        caller: &Caller,
        direction: Direction,
    ) -> Result<Reply, ErrorBody> {
        let id = TransportId(rand::random());
        let call = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            let (media, sctp) = (media.clone(), member.sctp);
            if let Some(earlier) = *member.transport(direction) {
                registry.take_transport(earlier);
                self.close(&media, vec![Closing::Transport(earlier)]);
            }
            let (member, ..) = registry.member(caller)?;
            *member.transport(direction) = Some(id);
            registry.add_transport(&caller.room, caller.participant(), id);
            media.worker.call(move |worker, now| create_transport(worker, now, media.router, id, sctp))
        };
        let created = call
            .await
            .map_err(call_failed)
            .and_then(|result| result.map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string())));
        if created.is_err() {
            self.registry().take_transport(id);
        }
        created.map(|options| Reply::Transport(Box::new(options)))
    }

    /// Gives a transport the client's DTLS parameters.
    pub(super) async fn connect_transport(
        &self,
        caller: &Caller,
        id: TransportId,
        parameters: DtlsParameters,
    ) -> Result<Reply, ErrorBody> {
        let call = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if !member.transports().any(|own| own == id) {
                return Err(not_found("transport"));
            }
            media.worker.call(move |worker, now| worker.connect_transport(now, id, &parameters))
        };
        call.await.map_err(call_failed)?.map_err(|error| connect_failed(&error))?;
        Ok(Reply::Done {})
    }

    /// Gives a transport new ICE credentials.
    pub(super) async fn restart_ice(&self, caller: &Caller, id: TransportId) -> Result<Reply, ErrorBody> {
        let call = {
            let mut registry = self.registry();
            let (member, _, media) = registry.member(caller)?;
            if !member.transports().any(|own| own == id) {
                return Err(not_found("transport"));
            }
            media.worker.call(move |worker, _| worker.restart_ice(id))
        };
        let ice_parameters = call.await.map_err(call_failed)?.map_err(|_| not_found("transport"))?;
        Ok(Reply::RestartIce { ice_parameters })
    }
}
