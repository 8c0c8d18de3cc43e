//! Socket.IO and the join call: authenticate, decode, limit, acknowledge. No rules of its own.
//!
//! `server` implements [`Handler`]; [`router`] turns it into `POST /api/v1/rooms/{room}/join` and a Socket.IO v5
//! server for one namespace, on engineioxide. Socket.IO's own layer is `packet`: a hundred lines, because every
//! message must be answered, counted and kept in order, and a refused client's connection must be closed.

mod handler;
mod join;
mod limits;
mod metrics;
mod news;
mod origin;
mod outbox;
pub mod packet;
mod requests;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, any_service, post};
use engineioxide::service::EngineIoService;

pub use handler::{Handler, Opening, SessionHandle};
pub use limits::TokenBucket;
pub use metrics::{Metric, MetricsSnapshot, SignalingMetrics};
pub use news::News;
pub use outbox::{Outbox, OutboxClosed, OutboxReceiver, Outgoing, Welcomed, outbox};
pub use requests::{Action, Call, Reader};

/// How the signalling server behaves.
#[derive(Debug, Clone, Default)]
pub struct SignalingConfig {
    /// What clients may use at most.
    pub limits: protocol::limits::Limits,
    /// The web origins (`scheme://host[:port]`) whose pages may connect. Clients that send no `Origin` header
    /// are not web pages and always may.
    pub allowed_origins: Vec<String>,
}

/// The HTTP side of signalling: the join call and Socket.IO. Serve it with
/// `into_make_service_with_connect_info::<SocketAddr>()`, because limits are per client address.
pub fn router<H: Handler>(handler: Arc<H>, config: &SignalingConfig, metrics: Arc<SignalingMetrics>) -> Router {
    let limits = Arc::new(config.limits.clone());
    let addresses = Arc::new(limits::AddressLimits::new(&limits, Arc::clone(&metrics)));
    let origins = Arc::new(origin::Origins::new(&config.allowed_origins, Arc::clone(&metrics)));
    let engine =
        session::Engine::new(Arc::clone(&handler), Arc::clone(&limits), Arc::clone(&addresses), Arc::clone(&metrics));
    let sockets = EngineIoService::with_config(Arc::new(engine), session::engine_config(&limits));
    let state = Arc::new(join::HttpState { handler, limits, addresses, metrics });

    let limit_sockets = from_fn_with_state(Arc::clone(&state), join::limit_sockets::<H>);
    let join = post(join::join::<H>).fallback(join::method_not_allowed);
    let resume = post(join::resume::<H>).fallback(join::method_not_allowed);
    Router::new()
        .route("/socket.io/", any_service(sockets).layer(limit_sockets))
        .route("/api/v1/rooms/{room}/join", join)
        .route("/api/v1/rooms/{room}/resume", resume)
        .layer(from_fn_with_state(origins, origin::check_origin))
        .route("/api/{*rest}", any(join::not_found))
        .with_state(state)
}
