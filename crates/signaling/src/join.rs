//! The HTTP side: `POST /api/v1/rooms/{room}/join` and `/resume`, and errors as JSON.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{OriginalUri, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::limits::Limits;
use protocol::{ErrorBody, ErrorCode, RoomId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{AddressLimits, ClientAddress};
use crate::requests::decode_object;
use crate::{Handler, SignalingMetrics};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request of Engine.IO may take: a poll waits for at most one ping and its answer, 10 s. More is a body
/// that comes in drops.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(20);

/// What is told to clients that should come back, where nothing better is known.
const RETRY: Duration = Duration::from_secs(1);

/// What the HTTP handlers share.
pub(crate) struct HttpState<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) addresses: Arc<AddressLimits>,
    pub(crate) metrics: Arc<SignalingMetrics>,
}

type RoomPath = Result<Path<String>, PathRejection>;

/// `POST /api/v1/rooms/{room}/join`.
pub(crate) async fn join<H: Handler>(
    State(state): State<Arc<HttpState<H>>>,
    room: RoomPath,
    request: Request,
) -> Response {
    state.answer(room, request, async |room, body| state.handler.join_place(room, body).await).await
}

/// `POST /api/v1/rooms/{room}/resume`.
pub(crate) async fn resume<H: Handler>(
    State(state): State<Arc<HttpState<H>>>,
    room: RoomPath,
    request: Request,
) -> Response {
    state.answer(room, request, async |room, body| state.handler.resume_place(room, body).await).await
}

impl<H: Handler> HttpState<H> {
    /// Has `ask` answer for a room and a body that have the right shape.
    async fn answer<B: DeserializeOwned, R: Serialize>(
        &self,
        room: RoomPath,
        request: Request,
        ask: impl AsyncFnOnce(RoomId, B) -> Result<R, ErrorBody>,
    ) -> Response {
        let address = ClientAddress::of(request.extensions());
        if let Err(wait) = self.addresses.take_join(Instant::now(), address) {
            return too_many("joins from this address", wait);
        }
        let result = match self.decode(room.ok(), request.into_body()).await {
            Ok((room, body)) => ask(room, body).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(reply) => Json(reply).into_response(),
            Err(error) => error_response(error, RETRY),
        }
    }

    async fn decode<B: DeserializeOwned>(
        &self,
        room: Option<Path<String>>,
        body: Body,
    ) -> Result<(RoomId, B), ErrorBody> {
        let room: RoomId = room.and_then(|Path(room)| room.parse().ok()).ok_or_else(|| {
            let max = RoomId::LENGTH_MAX;
            let message = format!("a room name has 1 to {max} characters of a-z, 0-9, '-' and '_'");
            ErrorBody::new(ErrorCode::BadRequest, message)
        })?;
        let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, self.limits.message_bytes_max))
            .await
            .map_err(|_| ErrorBody::new(ErrorCode::BadRequest, "the body did not arrive in time; send it again"))?
            // The only other error is a connection that broke, and nobody reads the answer to that.
            .map_err(|_| self.too_large())?;
        let body = if body.is_empty() { b"{}" } else { &body[..] };
        let body = decode_object("the body", body)?;
        self.metrics.joins_total.add();
        Ok((room, body))
    }

    fn too_large(&self) -> ErrorBody {
        self.metrics.refused_too_large_total.add();
        let message = format!("the body has more than {} bytes", self.limits.message_bytes_max);
        ErrorBody::new(ErrorCode::TooLarge, message)
    }
}

/// Before Engine.IO: limits the sockets that an address may open, refuses bodies that are known to be too large, and
/// does not wait for those that never end.
pub(crate) async fn limit_sockets<H: Handler>(
    State(state): State<Arc<HttpState<H>>>,
    request: Request,
    next: Next,
) -> Response {
    if content_length(request.headers()).is_some_and(|bytes| bytes > state.limits.message_bytes_max) {
        return error_response(state.too_large(), RETRY);
    }
    let opens = !request.uri().query().unwrap_or_default().split('&').any(|pair| pair.starts_with("sid="));
    let address = ClientAddress::of(request.extensions());
    if opens && let Err(wait) = state.addresses.take_connect(Instant::now(), address) {
        return too_many("connections from this address", wait);
    }
    match tokio::time::timeout(ENGINE_TIMEOUT, next.run(detach(request))).await {
        Ok(response) => response,
        Err(_) => error_response(ErrorBody::new(ErrorCode::BadRequest, "the request did not arrive in time"), RETRY),
    }
}

/// Copies the head of a request. Engine.IO keeps it as long as the socket lives, and with it the 16 KiB of the
/// connection's read buffer that it was cut from.
fn detach(request: Request) -> Request {
    let (mut head, body) = request.into_parts();
    for value in head.headers.values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
    if let Ok(copy) = head.uri.to_string().parse() {
        head.uri = copy;
    }
    head.extensions.remove::<OriginalUri>();
    Request::from_parts(head, body)
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_many(what: &str, wait: Duration) -> Response {
    let message = format!("too many {what}; try again in {} s", retry_seconds(wait));
    error_response(ErrorBody::new(ErrorCode::RateLimited, message), wait)
}

/// What is under `/api` and does not exist.
pub(crate) async fn not_found() -> Response {
    error_response(ErrorBody::new(ErrorCode::NotFound, "there is no such API; docs/signaling.md lists them"), RETRY)
}

/// The join call with another method than POST.
pub(crate) async fn method_not_allowed() -> Response {
    let error = ErrorBody::new(ErrorCode::BadRequest, "use POST");
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], Json(error)).into_response()
}

/// An error with the status that fits its code; with `Retry-After` where coming back helps.
pub(crate) fn error_response(error: ErrorBody, retry: Duration) -> Response {
    let status = status(error.code);
    let mut response = (status, Json(error)).into_response();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, retry_seconds(retry).into());
    }
    response
}

fn retry_seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadRequest | ErrorCode::UnknownRequest | ErrorCode::UnsupportedMedia => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthorized | ErrorCode::SessionExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden
        | ErrorCode::RoomFull
        | ErrorCode::RoomLocked
        | ErrorCode::Removed
        | ErrorCode::MeetingEnded
        | ErrorCode::Superseded => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::AlreadyExists | ErrorCode::NotJoined | ErrorCode::RequestExpired | ErrorCode::WrongState => {
            StatusCode::CONFLICT
        }
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited | ErrorCode::LimitReached => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::ServerFull | ErrorCode::LogUnavailable | ErrorCode::Draining => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
