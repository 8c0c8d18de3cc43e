//! `hyperion drain`: asks the node of the same configuration to go down, as SIGTERM does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

use crate::config::Config;
use crate::secret;
use crate::tls::client_config;
use crate::tokens::{Tokens, unix_time};

/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the node on this machine to go down; returns as soon as it does.
pub async fn drain(config: &Config) -> anyhow::Result<()> {
    let secrets = secret::cluster(config)?;
    let secrets = secrets.context("only who has the secret of the node may end it: --cluster-secret-file names it")?;
    let token = Tokens::of(&secrets).operator(unix_time(), config.node_name()?.as_str());
    let address = own_address(config.listen);
    let asked = timeout(PATIENCE, ask(config, address, &token)).await;
    match asked.with_context(|| format!("the node at {address} does not answer"))?? {
        StatusCode::ACCEPTED => Ok(()),
        StatusCode::UNAUTHORIZED => {
            bail!("the node at {address} has another secret or name (--node), or its clock is another")
        }
        status => bail!("the node at {address} answered with status {status}; is it one?"),
    }
}

async fn ask(config: &Config, address: SocketAddr, token: &str) -> anyhow::Result<StatusCode> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("no node listens on {address} (--listen says where)"))?;
    let stream = if config.tls() {
        let tls = TlsConnector::from(Arc::new(client_config(config)?));
        Either::Right(tls.connect(ServerName::from(address.ip()), stream).await.context("the TLS handshake")?)
    } else {
        Either::Left(stream)
    };
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/drain")
        .header(HOST, address.to_string())
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::empty())?;
    Ok(requests.send_request(request).await?.status())
}

/// Where a node that listens there is reached from this machine.
fn own_address(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_on_all_addresses_is_reached_on_loopback() {
        let own = |listen: &str| own_address(listen.parse().expect("an address")).to_string();
        assert_eq!(own("0.0.0.0:4400"), "127.0.0.1:4400");
        assert_eq!(own("[::]:4400"), "[::1]:4400");
        assert_eq!(own("10.0.0.2:80"), "10.0.0.2:80");
    }
}
