//! Connections to the nodes that are wanted.

use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectError, ConnectionError, ReadError, ReadExactError};
use rand::Rng as _;
use tokio::time::{Instant, sleep, timeout};

use super::close::Close;
use super::connection::Established;
use super::frame::{self, ReadFrameError};
use super::hello::{self, HELLO_BYTES_MAX};
use super::identity::SERVER_NAME;
use super::{HANDSHAKE_TIMEOUT, Peer, Shared, count};

/// The first pause before another attempt.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// How long a node may take to answer at all: what is lost on the way is repeated at ever longer intervals, and a way that is
/// back is to be noticed soon.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// A node that is registered for so long and cannot be reached is not just dead: the registry forgets those sooner.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(15);

/// Links to a node whenever it is not linked to, until the task is ended.
pub(super) async fn keep_dialing(shared: Arc<Shared>, peer: Peer) {
    let mut pause = PAUSE_MIN;
    let mut failing_since = Instant::now();
    let mut told = Told::default();
    loop {
        if shared.unlinked(peer.life).await {
            (pause, failing_since, told) = (PAUSE_MIN, Instant::now(), Told::default());
            sleep(with_jitter(pause)).await;
        }
        match timeout(HANDSHAKE_TIMEOUT, dial(&shared, &peer)).await {
            Ok(Ok(())) => continue,
            Ok(Err(DialError::Connect(ConnectError::EndpointStopping))) => return,
            Ok(Err(error)) => told.tell(&shared, &peer, &error, failing_since),
            Err(_) => told.tell(&shared, &peer, &DialError::Connection(ConnectionError::TimedOut), failing_since),
        }
        count(&shared.counters.dials_failed);
        sleep(with_jitter(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Why a node was not linked to.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Frame(#[from] ReadFrameError),
    #[error(transparent)]
    Write(#[from] quinn::WriteError),
    #[error(transparent)]
    Refused(#[from] Close),
}

async fn dial(shared: &Arc<Shared>, peer: &Peer) -> Result<(), DialError> {
    let endpoint = shared.endpoint().ok_or(ConnectError::EndpointStopping)?;
    let answered = timeout(ANSWER_TIMEOUT, endpoint.connect(peer.address, SERVER_NAME)?).await;
    let connection = answered.map_err(|_| ConnectionError::TimedOut)??;
    let (mut send, mut receive) = connection.open_bi().await?;
    frame::write(&mut send, shared.hello.clone()).await?;
    let hello = match frame::read(&mut receive, HELLO_BYTES_MAX).await {
        Ok(bytes) => hello::decode(&bytes, shared.life, Some(peer.life)),
        Err(ReadFrameError::TooLarge(_)) => Err(Close::NoHello),
        Err(error) => return Err(error.into()),
    };
    let hello = hello.inspect_err(|refusal| refusal.close(&connection))?;
    frame::write(&mut send, bytes::Bytes::new()).await?;
    let established = Established { node: hello.node, life: hello.life, connection: connection.clone(), send, receive };
    shared.establish(established).inspect_err(|refusal| refusal.close(&connection))?;
    Ok(())
}

/// What was logged of a node since it was linked to last.
#[derive(Default)]
struct Told {
    refusal: Option<Close>,
    unreachable: bool,
}

impl Told {
    fn tell(&mut self, shared: &Shared, peer: &Peer, error: &DialError, failing_since: Instant) {
        let Peer { node, address, .. } = peer;
        tracing::debug!(%node, %address, %error, "a node was not linked to");
        if let Some(refusal) = error.refusal() {
            count(&shared.counters.refused);
            // Who reached itself has said so where it was reached.
            let advice = refusal.advice().filter(|_| refusal != Close::OwnLife);
            if let Some(advice) = advice.filter(|_| self.refusal.replace(refusal) != Some(refusal)) {
                tracing::warn!(%node, %address, why = %refusal, "no link to a node: {advice}");
            }
        } else if failing_since.elapsed() >= UNREACHABLE_AFTER && !std::mem::replace(&mut self.unreachable, true) {
            tracing::warn!(
                %node, %address, %error,
                "a node that is registered cannot be reached: is its --link-listen right, and that UDP port open?"
            );
        }
    }
}

impl DialError {
    fn refusal(&self) -> Option<Close> {
        match self {
            Self::Refused(refusal) => Some(*refusal),
            Self::Connection(error)
            | Self::Write(quinn::WriteError::ConnectionLost(error))
            | Self::Frame(ReadFrameError::Stream(ReadExactError::ReadError(ReadError::ConnectionLost(error)))) => {
                Close::refusal(error)
            }
            Self::Connect(_) | Self::Frame(_) | Self::Write(_) => None,
        }
    }
}

/// Half of it at least: nodes that lost each other at once do not all come back at once.
fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}
