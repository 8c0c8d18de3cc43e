//! A room's routers on the media workers, and what is asked of them.
//!
//! Calls run in the order in which they are queued. Everything that makes or closes something is queued while the
//! registry is locked, so what the worker holds always follows what the registry says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::transport::TransportOptions;
use protocol::{ConsumerId, DataConsumerId, DataProducerId, ErrorBody, ErrorCode, ProducerId, TransportId};
use sfu::Worker;
use sfu::worker::{ConnectError, ConsumeError, CreateTransportError, ProduceError, RouterId};
use sfu_io::{CallError, WorkerHandle};

use super::Shared;

/// How long what has to be done waits until it is tried again on a worker with too many calls waiting.
pub(super) const BUSY_RETRY: Duration = Duration::from_millis(50);

/// A router of a room and the worker that carries it.
#[derive(Debug, Clone)]
pub(super) struct Media {
    pub(super) worker: WorkerHandle,
    pub(super) router: RouterId,
}

/// Something to close, whether it is there or not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Closing {
    Router,
    Transport(TransportId),
    Producer(ProducerId),
    Consumer(ConsumerId),
    DataProducer(DataProducerId),
    DataConsumer(DataConsumerId),
}

impl Closing {
    fn run(self, worker: &mut Worker, router: RouterId) {
        // What is not there need not be closed.
        let _ = match self {
            Self::Router => {
                worker.close_router(router);
                Ok(())
            }
            Self::Transport(id) => worker.close_transport(id),
            Self::Producer(id) => worker.close_producer(router, id),
            Self::Consumer(id) => worker.close_consumer(id),
            Self::DataProducer(id) => worker.close_data_producer(router, id),
            Self::DataConsumer(id) => worker.close_data_consumer(id),
        };
    }
}

impl Shared {
    /// Queues closes; call it with the registry locked. They are repeated until the worker took them.
    pub(super) fn close(self: &Arc<Self>, media: &Media, closings: Vec<Closing>) {
        if closings.is_empty() {
            return;
        }
        let call = self.queue_closings(media, closings.clone());
        let (shared, media) = (Arc::clone(self), media.clone());
        self.runtime.spawn(async move {
            let mut result = call.await;
            let mut closings = closings;
            let is_late = result == Err(CallError::WorkerBusy);
            while result == Err(CallError::WorkerBusy) {
                tokio::time::sleep(BUSY_RETRY).await;
                let call = {
                    let registry = shared.registry();
                    // A source that was published again meanwhile is another one under the same id.
                    let again = |id: ProducerId| registry.is_published(media.router, id);
                    closings.retain(|closing| !matches!(closing, Closing::Producer(id) if again(*id)));
                    shared.queue_closings(&media, closings.clone())
                };
                result = call.await;
            }
            if is_late {
                shared.closed_late(media.router, &closings);
            }
        });
    }

    /// What came over a pipe meanwhile under the same name was closed with it, and has to come again.
    fn closed_late(&self, router: RouterId, closings: &[Closing]) {
        let Some((room, _)) = self.registry().router(router) else { return };
        for closing in closings {
            if let Closing::Producer(producer) = closing {
                self.relays.ended(&room, *producer);
            }
        }
    }

    fn queue_closings(
        &self,
        media: &Media,
        closings: Vec<Closing>,
    ) -> impl Future<Output = Result<(), CallError>> + Send + use<> {
        let router = media.router;
        media.worker.call(move |worker, _| closings.into_iter().for_each(|closing| closing.run(worker, router)))
    }
}

/// Makes a transport, with data channels if its client wants them.
pub(super) fn create_transport(
    worker: &mut Worker,
    now: Instant,
    router: RouterId,
    id: TransportId,
    sctp: bool,
) -> Result<TransportOptions, CreateTransportError> {
    let mut options = worker.create_transport(now, router, id)?;
    if sctp {
        options.sctp_parameters = worker.enable_sctp(id).ok();
    }
    Ok(options)
}

/// A worker that did not take a call.
pub(super) fn call_failed(error: CallError) -> ErrorBody {
    match error {
        CallError::WorkerBusy => ErrorBody::new(ErrorCode::ServerFull, "the media worker is busy; try again"),
        CallError::WorkerGone => ErrorBody::new(ErrorCode::Internal, "the media worker is gone; join again"),
    }
}

pub(super) fn not_found(what: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, format!("there is no such {what} of this session"))
}

pub(super) fn connect_failed(error: &ConnectError) -> ErrorBody {
    let code = match error {
        ConnectError::TransportNotFound => ErrorCode::NotFound,
        ConnectError::AlreadyConnected => ErrorCode::WrongState,
        ConnectError::Parameters(_) => ErrorCode::UnsupportedMedia,
    };
    ErrorBody::new(code, error.to_string())
}

pub(super) fn produce_failed(error: &ProduceError) -> ErrorBody {
    let code = match error {
        ProduceError::TransportNotFound => ErrorCode::NotFound,
        ProduceError::SsrcInUse(_) => ErrorCode::AlreadyExists,
        ProduceError::Unsupported(_) => ErrorCode::UnsupportedMedia,
    };
    ErrorBody::new(code, error.to_string())
}

pub(super) fn consume_failed(error: &ConsumeError) -> ErrorBody {
    let code = match error {
        ConsumeError::TransportNotFound | ConsumeError::ProducerNotFound => ErrorCode::NotFound,
        ConsumeError::Exists => ErrorCode::Internal,
        ConsumeError::Unsupported(_) => ErrorCode::UnsupportedMedia,
    };
    ErrorBody::new(code, error.to_string())
}
