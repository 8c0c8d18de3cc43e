//! HTTP: the web client, health, metrics, and whatever signalling adds.

mod assets;
mod headers;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, FORWARDED};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use protocol::{ErrorBody, ErrorCode};

use crate::phase::{Phase, PhaseCell};
use assets::Assets;

/// How what is behind the sockets is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Not yet able to take anybody.
    Starting,
    /// Everything runs.
    Works,
    /// Media goes on, but nobody can join and no room changes, until something else is back by itself.
    Degraded,
    /// Something ended without which nobody can meet.
    Broken,
}

/// What `/readyz` and `/metrics` ask.
pub trait Monitor: Send + Sync + 'static {
    /// How it is doing.
    fn condition(&self) -> Condition;

    /// All numbers, in Prometheus' exposition format.
    fn metrics(&self) -> impl Future<Output = String> + Send;

    /// Lets the node go down, if `token` is an operator's.
    fn ask_to_end(&self, token: &str) -> Result<(), ErrorBody>;
}

struct Http<M> {
    assets: Assets,
    phase: Arc<PhaseCell>,
    monitor: Arc<M>,
}

/// The whole HTTP side. `signaling` answers for its own paths and has no fallback.
pub fn router<M: Monitor>(signaling: Router, phase: Arc<PhaseCell>, monitor: Arc<M>) -> Router {
    let http = Arc::new(Http { assets: Assets::embedded(), phase, monitor });
    Router::new()
        .route("/healthz", get(|| async { ([(CACHE_CONTROL, "no-store")], "ok\n") }))
        .route("/readyz", get(readyz::<M>))
        .route("/metrics", get(metrics_text::<M>))
        .route("/api/v1/drain", post(drain::<M>))
        .fallback(page::<M>)
        .with_state(http)
        .merge(signaling)
        .layer(middleware::map_response(headers::secure))
}

async fn readyz<M: Monitor>(State(http): State<Arc<Http<M>>>) -> Response {
    let (status, text) = match http.phase.now() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Phase::Ready => match http.monitor.condition() {
            Condition::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            Condition::Works => (StatusCode::OK, "ready"),
            // Without this node nothing would be better.
            Condition::Degraded => (StatusCode::OK, "degraded"),
            Condition::Broken => (StatusCode::SERVICE_UNAVAILABLE, "broken"),
        },
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(serde_json::json!({ "status": text }))).into_response()
}

/// Answers only to this machine: the numbers say how much a server is used, and there are no keys yet.
async fn metrics_text<M: Monitor>(
    State(http): State<Arc<Http<M>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    // A proxy on this machine passes on what comes from elsewhere, and says so.
    let forwarded = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    if forwarded || !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "metrics are for this machine only\n").into_response();
    }
    let text = http.monitor.metrics().await;
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, HeaderValue::from_static("no-store"))], text).into_response()
}

/// As SIGTERM does: its people go on at other nodes, then it ends.
async fn drain<M: Monitor>(State(http): State<Arc<Http<M>>>, headers: HeaderMap) -> Response {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    match http.monitor.ask_to_end(token) {
        Ok(()) => (StatusCode::ACCEPTED, Json(serde_json::json!({ "status": "draining" }))).into_response(),
        Err(error) => (StatusCode::UNAUTHORIZED, Json(error)).into_response(),
    }
}

async fn page<M: Monitor>(State(http): State<Arc<Http<M>>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        let error = ErrorBody::new(ErrorCode::NotFound, "there is no such API call; docs/signaling.md lists them");
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    match http.assets.answer(request.method(), path, request.headers()) {
        Some(mut response) => {
            if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            response
        }
        None => http.assets.not_found(request.method(), request.headers()),
    }
}
