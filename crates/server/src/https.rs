//! The HTTPS port: TLS for everybody, plain HTTP for the proxies in front, and for others who speak it the same address
//! with `https://`.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
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
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::proxies::Proxies;

/// Takes connections by what they begin with. Those that are neither TLS nor a proxy's are sent to where they get it,
/// and closed.
#[derive(Clone)]
pub(crate) struct Https {
    tls: TlsAcceptor,
    proxies: Proxies,
    patience: Duration,
}

impl Https {
    /// A connection has `patience` to say something, and as long for its handshake or to take its answer.
    pub(crate) fn new(tls: Arc<rustls::ServerConfig>, proxies: Proxies, patience: Duration) -> Self {
        Self { tls: tls.into(), proxies, patience }
    }

    async fn take(&self, stream: TcpStream) -> io::Result<Either<TcpStream, TlsStream<TcpStream>>> {
        let mut first = [0];
        timeout(self.patience, stream.peek(&mut first)).await??;
        // Methods are spelled with letters (RFC 9110 9.1); TLS begins with a record's type, 22 (RFC 8446 5.1).
        if !first[0].is_ascii_alphabetic() {
            return Ok(Either::Right(timeout(self.patience, self.tls.accept(stream)).await??));
        }
        let peer: IpAddr = stream.peer_addr()?.ip();
        if self.proxies.contains(peer) {
            return Ok(Either::Left(stream));
        }
        let answer = service_fn(|request| async move { Ok::<_, Infallible>(redirect(&request)) });
        let _ = timeout(self.patience, http1::Builder::new().serve_connection(TokioIo::new(stream), answer)).await;
        Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on the HTTPS port, from no trusted proxy"))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Https {
    type Stream = Either<TcpStream, TlsStream<TcpStream>>;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let https = self.clone();
        Box::pin(async move { Ok((https.take(stream).await?, service)) })
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
