//! Which web pages may talk to this server: an exact list of origins, on HTTP, polling and WebSocket alike.
//!
//! Browsers let any page open a WebSocket anywhere, so the check is the server's. Pages of an allowed origin
//! that is not the server's own get the CORS headers without which they could not read the answers.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::{ErrorBody, ErrorCode};
use tracing::warn;

use crate::SignalingMetrics;
use crate::join::error_response;

/// A refused origin is logged at most this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The origins that may connect.
#[derive(Debug)]
pub(crate) struct Origins {
    allowed: HashSet<String>,
    metrics: Arc<SignalingMetrics>,
    log: Mutex<LogGate>,
}

#[derive(Debug, Default)]
struct LogGate {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogGate {
    /// How many were suppressed since the last one that was logged; `None` if this one is suppressed too.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < LOG_INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Origins {
    pub(crate) fn new(allowed: &[String], metrics: Arc<SignalingMetrics>) -> Self {
        let allowed = allowed.iter().map(|origin| normalize(origin)).collect();
        Self { allowed, metrics, log: Mutex::default() }
    }

    /// The request's origin if it has one; an error if it may not connect.
    fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, ErrorBody> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(None) };
        let allowed = origin.to_str().is_ok_and(|text| self.allowed.contains(text)) && origins.next().is_none();
        if allowed {
            return Ok(Some(origin.clone()));
        }
        self.metrics.refused_origin_total.add();
        let gate = self.log.lock().unwrap_or_else(PoisonError::into_inner).pass(Instant::now());
        if let Some(suppressed) = gate {
            // Escaped, as it is a stranger's text.
            let origin = origin.as_bytes()[..origin.len().min(200)].escape_ascii();
            warn!(%origin, suppressed, "refused a page of this origin; to let it in, start with --allowed-origins");
        }
        let message = "pages of this origin may not connect; the operator can allow it with --allowed-origins";
        Err(ErrorBody::new(ErrorCode::Forbidden, message))
    }
}

/// As browsers write it: lower case, no trailing slash, no default port.
fn normalize(origin: &str) -> String {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let port = if origin.starts_with("https://") { ":443" } else { ":80" };
    origin.strip_suffix(port).map(ToOwned::to_owned).unwrap_or(origin)
}

/// Lets requests without an `Origin`, and those of allowed origins, through.
pub(crate) async fn check_origin(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let origin = match origins.check(request.headers()) {
        Ok(Some(origin)) => origin,
        Ok(None) => return next.run(request).await,
        Err(error) => return error_response(error, Duration::ZERO),
    };
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &[&'static str]) -> bool {
        let list = ["https://Meet.Example.com:443/".to_owned(), "http://localhost:8080".to_owned()];
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        Origins::new(&list, Arc::default()).check(&headers).is_ok()
    }

    #[test]
    fn origins_match_exactly() {
        assert!(allowed(&["https://meet.example.com"]));
        assert!(allowed(&["http://localhost:8080"]));
        for bad in [
            "http://meet.example.com",
            "https://meet.example.com.evil.org",
            "https://evil.meet.example.com",
            "https://meet.example.com:8443",
            "http://localhost",
            "null",
            "",
        ] {
            assert!(!allowed(&[bad]), "{bad}");
        }
        assert!(!allowed(&["http://localhost:8080", "https://evil.org"]));
    }

    #[test]
    fn clients_that_are_no_pages_are_let_through() {
        assert!(allowed(&[]));
    }

    #[test]
    fn refusals_are_logged_now_and_then_with_how_many_were_not() {
        let (mut gate, now) = (LogGate::default(), Instant::now());
        assert_eq!(gate.pass(now), Some(0));
        assert_eq!(gate.pass(now), None);
        assert_eq!(gate.pass(now + LOG_INTERVAL / 2), None);
        assert_eq!(gate.pass(now + LOG_INTERVAL), Some(2));
    }
}
