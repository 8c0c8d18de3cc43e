//! A client of docs/signaling.md: the place to join by HTTP, then Socket.IO over WebSocket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::request::{
    Ack, ConsumeResult, ConsumerOptions, Join, JoinPlaceReply, Reply, Request, Resume, ResumePlaceReply, Welcome,
};
use protocol::transport::DtlsParameters;
use protocol::{ConsumerId, ErrorBody, ErrorCode, Notification, ProducerId, RtpParameters, Source, TransportId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::door::Door;

/// Notifications that wait to be read; a session whose reader is further behind ends.
const NOTIFICATIONS_MAX: usize = 4096;
/// Notifications that are left out.
const NEWS: [&str; 2] = ["participantJoined", "audioLevels"];
/// How often a request that may succeed later is sent, and how long after the time before.
const TRIES: usize = 20;
const RETRY_WAIT: Duration = Duration::from_millis(500);

struct Call {
    event: Value,
    data: Value,
    answer: oneshot::Sender<Value>,
}

/// A session in a room, kept up by a task until it is dropped.
pub(crate) struct Session {
    pub(crate) place: JoinPlaceReply,
    /// Where its node is reached.
    pub(crate) address: SocketAddr,
    pub(crate) welcome: Welcome,
    calls: mpsc::Sender<Call>,
    /// The number of its newest request, wherever it goes on.
    last: Arc<AtomicU64>,
}

impl Session {
    /// Joins a room. What the room tells comes by the receiver, which closes with the session's
    /// socket and may be dropped.
    pub(crate) async fn join(
        door: &Door,
        room: &str,
        name: &str,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Notification>)> {
        let (place, address) = door.place(room).await.context("the place to join")?;
        let rtp_capabilities = loadtest::client::receive_capabilities(&place.router_rtp_capabilities);
        let join = Join { name: name.to_owned(), rtp_capabilities, enable_sctp: false };
        let auth = json!({ "token": place.token, "join": join });
        Self::open(address, place, &auth, Arc::default()).await
    }

    /// Goes on at another node than this one. None if there is no other. The media of this session is not touched.
    pub(crate) async fn move_on(
        &self,
        door: &Door,
        room: &str,
    ) -> anyhow::Result<Option<(Self, mpsc::Receiver<Notification>)>> {
        let token = &self.welcome.session_token;
        let elsewhere = door.elsewhere(room, token, &self.place.node).await.context("the place to go on")?;
        let Some((ResumePlaceReply { node, path, .. }, address)) = elsewhere else { return Ok(None) };
        let rtp_capabilities = Some(loadtest::client::receive_capabilities(&self.place.router_rtp_capabilities));
        let resume = Resume { seq: 0, rtp_capabilities, enable_sctp: false };
        let place = JoinPlaceReply { node, path, ..self.place.clone() };
        let auth = json!({ "token": token, "resume": resume });
        Ok(Some(Self::open(address, place, &auth, Arc::clone(&self.last)).await?))
    }

    async fn open(
        address: SocketAddr,
        place: JoinPlaceReply,
        auth: &Value,
        last: Arc<AtomicU64>,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Notification>)> {
        let stream = TcpStream::connect(address).await?;
        // As browsers do.
        stream.set_nodelay(true)?;
        let url = format!("ws://{address}{}?EIO=4&transport=websocket", place.path);
        let (mut socket, _) = client_async(url, stream).await.context("the WebSocket")?;
        // Engine.IO's open packet comes first; the answer to CONNECT and then `welcome` follow.
        next(&mut socket).await?;
        socket.send(text(format!("40{auth}"))).await?;
        let welcome = loop {
            let packet = next(&mut socket).await?;
            if packet == "2" {
                socket.send(text("3".to_owned())).await?;
            } else if let Some(event) = packet.strip_prefix("42") {
                let (name, argument): (String, Value) = serde_json::from_str(event)?;
                if name == "welcome" {
                    break acknowledged::<Welcome>(argument)??;
                }
            }
        };
        let (calls, waiting) = mpsc::channel(16);
        let (tell, notifications) = mpsc::channel(NOTIFICATIONS_MAX);
        tokio::spawn(run(socket, waiting, tell, Arc::clone(&last)));
        Ok((Self { place, address, welcome, calls, last }, notifications))
    }

    /// Sends a request and waits for its result, again if it was refused for now.
    async fn request(&self, request: &Request) -> anyhow::Result<Reply> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.request_once(request).await? {
                Ok(reply) => return Ok(reply),
                Err(error) if error.retryable && tries < TRIES => tokio::time::sleep(RETRY_WAIT).await,
                Err(error) => {
                    let request = serde_json::to_value(request)?;
                    return Err(error).with_context(|| format!("request {}", request["event"]));
                }
            }
        }
    }

    /// Sends a request and waits for its result, whatever that is.
    async fn request_once(&self, request: &Request) -> anyhow::Result<Result<Reply, ErrorBody>> {
        let mut request = serde_json::to_value(request)?;
        let (event, data) = (request["event"].take(), request["data"].take());
        let (answer, answered) = oneshot::channel();
        let gone = || anyhow!("the socket closed");
        self.calls.send(Call { event, data, answer }).await.map_err(|_| gone())?;
        acknowledged(answered.await.map_err(|_| gone())?)
    }

    /// Writes to the room, once.
    pub(crate) async fn write(&self, text: String) -> anyhow::Result<Result<(), ErrorBody>> {
        Ok(self.request_once(&Request::SendChatMessage { text }).await?.map(drop))
    }

    /// Tells the server whom to expect on a transport.
    pub(crate) async fn connect(
        &self,
        transport_id: TransportId,
        dtls_parameters: DtlsParameters,
    ) -> anyhow::Result<()> {
        self.request(&Request::ConnectWebRtcTransport { transport_id, dtls_parameters }).await?;
        Ok(())
    }

    /// Publishes a source.
    pub(crate) async fn produce(
        &self,
        transport_id: TransportId,
        source: Source,
        rtp_parameters: RtpParameters,
    ) -> anyhow::Result<()> {
        let produce = Request::Produce { transport_id, source, kind: source.kind(), rtp_parameters, paused: false };
        self.request(&produce).await?;
        Ok(())
    }

    /// Consumers for these producers, paused; none for those that are gone meanwhile.
    pub(crate) async fn consume(
        &self,
        transport_id: TransportId,
        producer_ids: Vec<ProducerId>,
    ) -> anyhow::Result<Vec<ConsumerOptions>> {
        let consume = Request::Consume { transport_id, producer_ids };
        let Reply::Consume { consumers } = self.request(&consume).await? else { bail!("not the answer to consume") };
        let mut options = Vec::new();
        for consumer in consumers {
            match consumer {
                ConsumeResult::Consumer(consumer) => options.push(*consumer),
                ConsumeResult::Refused { error, .. } if error.code == ErrorCode::NotFound => {}
                ConsumeResult::Refused { error, .. } => return Err(error).context("a consumer"),
            }
        }
        Ok(options)
    }

    /// Leaves for good.
    pub(crate) async fn leave(&self) -> anyhow::Result<()> {
        self.request(&Request::Leave {}).await?;
        Ok(())
    }

    /// Asks for a layer of a picture, if it is still there.
    pub(crate) async fn prefer(&self, consumer_id: ConsumerId, spatial_layer: u8) -> anyhow::Result<()> {
        unless_gone(self.request(&Request::SetPreferredLayers { consumer_id, spatial_layer }).await)
    }

    /// Lets a consumer's media flow, if it is still there.
    pub(crate) async fn resume(&self, consumer_id: ConsumerId) -> anyhow::Result<()> {
        unless_gone(self.request(&Request::ResumeConsumer { consumer_id }).await)
    }
}

/// A consumer ends with its producer, whose notification may still be on its way.
fn unless_gone(answer: anyhow::Result<Reply>) -> anyhow::Result<()> {
    match answer {
        Err(error) if error.downcast_ref::<ErrorBody>().is_some_and(|error| error.code == ErrorCode::NotFound) => {
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// Answers pings, matches acknowledgements to requests and passes notifications on.
async fn run(
    mut socket: WebSocketStream<TcpStream>,
    mut calls: mpsc::Receiver<Call>,
    tell: mpsc::Sender<Notification>,
    last: Arc<AtomicU64>,
) {
    let mut waiting = HashMap::new();
    loop {
        let sent = tokio::select! {
            call = calls.recv() => {
                let Some(Call { event, data, answer }) = call else { return };
                let n = last.fetch_add(1, Ordering::Relaxed) + 1;
                waiting.insert(n.to_string(), answer);
                socket.send(text(format!("42{n}{}", json!([event, { "n": n, "data": data }])))).await
            }
            packet = next(&mut socket) => {
                let Ok(packet) = packet else { return };
                if let Some((id, arguments)) = packet.strip_prefix("43").and_then(|p| p.split_once('[')) {
                    let ack: Option<(Value,)> = serde_json::from_str(&format!("[{arguments}")).ok();
                    if let (Some(answer), Some((ack,))) = (waiting.remove(id), ack) {
                        let _: Result<(), Value> = answer.send(ack);
                    }
                    Ok(())
                } else if packet == "2" {
                    socket.send(text("3".to_owned())).await
                } else if let Some(notification) = packet.strip_prefix("42").and_then(notification) {
                    if matches!(tell.try_send(notification), Err(TrySendError::Full(_))) {
                        return;
                    }
                    Ok(())
                } else {
                    Ok(())
                }
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> anyhow::Result<Utf8Bytes> {
    loop {
        match socket.next().await.context("the socket closed")?? {
            Message::Text(packet) => return Ok(packet),
            Message::Close(_) => bail!("the socket closed"),
            _ => {}
        }
    }
}

fn text(packet: String) -> Message {
    Message::Text(packet.into())
}

/// A notification that is known here; others may be added. What nobody here asks for is not read: of everybody who
/// joins a large room, everybody else is told.
fn notification(event: &str) -> Option<Notification> {
    if NEWS.iter().any(|name| event.strip_prefix("[\"").is_some_and(|event| event.starts_with(name))) {
        return None;
    }
    let (name, argument): (String, Value) = serde_json::from_str(event).ok()?;
    serde_json::from_value(json!({ "event": name, "data": argument })).ok()
}

fn acknowledged<T: DeserializeOwned>(ack: Value) -> anyhow::Result<Result<T, ErrorBody>> {
    Ok(match serde_json::from_value(ack).context("not an acknowledgement")? {
        Ack::Ok { data, .. } => Ok(data),
        Ack::Err { error, .. } => Err(error),
    })
}
