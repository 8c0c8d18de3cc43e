//! What the HTTPS port answers to plain HTTP: the same address with `https://`.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum_server::accept::Accept;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Lets connections through that begin with TLS; others are sent to where they get it, and closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpsOnly {
    patience: Duration,
}

impl HttpsOnly {
    /// A connection has this long to say something, and as long to take its answer.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for HttpsOnly {
    type Stream = TcpStream;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(TcpStream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let patience = self.patience;
        Box::pin(async move {
            let mut first = [0];
            timeout(patience, stream.peek(&mut first)).await??;
            // Methods are spelled with letters (RFC 9110 9.1); TLS begins with a record's type, 22 (RFC 8446 5.1).
            if !first[0].is_ascii_alphabetic() {
                return Ok((stream, service));
            }
            let answer = service_fn(|request| async move { Ok::<_, Infallible>(redirect(&request)) });
            let _ = timeout(patience, http1::Builder::new().serve_connection(TokioIo::new(stream), answer)).await;
            Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on the HTTPS port"))
        })
    }
}

fn redirect<B>(request: &Request<B>) -> Response<Body> {
    let mut response = match secure_address(request) {
        Some(address) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, address)]).into_response(),
        None => (StatusCode::BAD_REQUEST, "this port speaks HTTPS: begin the address with https://\n").into_response(),
    };
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn secure_address<B>(request: &Request<B>) -> Option<HeaderValue> {
    let host: Authority = request.headers().get(HOST)?.to_str().ok()?.parse().ok()?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    HeaderValue::try_from(format!("https://{host}{path}")).ok()
}
