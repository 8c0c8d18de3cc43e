//! Connections that come.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::{ConnectionError, Endpoint, Incoming};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::close::Close;
use super::connection::Established;
use super::frame::{self, ReadFrameError};
use super::hello::{self, HELLO_BYTES_MAX};
use super::{HANDSHAKE_TIMEOUT, Shared};

/// Handshakes at a time; more are turned away and come again.
const HANDSHAKES_MAX: usize = 64;
/// With so many under way an address has to prove that it is one, before anything is calculated for it.
const HANDSHAKES_BUSY: usize = 16;

/// Takes connections until the endpoint is closed.
pub(super) async fn accept(shared: Arc<Shared>, endpoint: Endpoint) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let busy = HANDSHAKES_MAX - handshakes.available_permits() > HANDSHAKES_BUSY;
        if busy && incoming.may_retry() {
            // It may; it comes again with what proves its address.
            let _ = incoming.retry();
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let from = incoming.remote_address();
            if let Ok(Err(error)) = timeout(HANDSHAKE_TIMEOUT, handshake(&shared, incoming)).await {
                not_accepted(&shared, from, &error);
            }
            drop(permit);
        });
    }
}

/// Why somebody who came was not linked to.
#[derive(Debug, thiserror::Error)]
enum AcceptError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Frame(#[from] ReadFrameError),
    #[error(transparent)]
    Write(#[from] quinn::WriteError),
    #[error(transparent)]
    Refused(#[from] Close),
}

async fn handshake(shared: &Arc<Shared>, incoming: Incoming) -> Result<(), AcceptError> {
    let connection = incoming.accept()?.await?;
    let (mut send, mut receive) = connection.accept_bi().await?;
    let hello = match frame::read(&mut receive, HELLO_BYTES_MAX).await {
        Ok(bytes) => hello::decode(&bytes, shared.life, None),
        Err(ReadFrameError::TooLarge(_)) => Err(Close::NoHello),
        Err(error) => return Err(error.into()),
    };
    let hello = hello.inspect_err(|refusal| refusal.close(&connection))?;
    frame::write(&mut send, shared.hello.clone()).await?;
    // An empty frame: the other side has read this hello and is linked. Before that it may give up without having
    // been, and come again.
    frame::read(&mut receive, 0).await?;
    let established = Established { node: hello.node, life: hello.life, connection: connection.clone(), send, receive };
    shared.establish(established).inspect_err(|refusal| refusal.close(&connection))?;
    Ok(())
}

fn not_accepted(shared: &Shared, from: SocketAddr, error: &AcceptError) {
    let refusal = match error {
        AcceptError::Connection(error) => Close::refusal(error),
        AcceptError::Refused(refusal) => Some(*refusal),
        AcceptError::Frame(_) | AcceptError::Write(_) => None,
    };
    let Some(refusal) = refusal else {
        tracing::debug!(%from, %error, "a connection of the link between nodes ended early");
        return;
    };
    match refusal.advice() {
        Some(advice) if shared.refused(from, refusal) => {
            tracing::warn!(%from, why = %refusal, "a node was refused: {advice}");
        }
        _ => tracing::debug!(%from, why = %refusal, "a node was refused"),
    }
}
