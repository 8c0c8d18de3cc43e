//! A client of docs/signaling.md: the place to join by HTTP, then Socket.IO over WebSocket.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Context as _, anyhow, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::request::{Ack, Join, JoinPlaceReply, Reply, Request, Welcome};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

struct Call {
    event: Value,
    data: Value,
    answer: oneshot::Sender<Value>,
}

/// A session in a room, kept up by a task until it is dropped.
pub(crate) struct Session {
    pub(crate) place: JoinPlaceReply,
    pub(crate) welcome: Welcome,
    calls: mpsc::Sender<Call>,
}

impl Session {
    /// Joins a room of the server.
    pub(crate) async fn join(server: SocketAddr, room: &str, name: &str) -> anyhow::Result<Self> {
        let place = join_place(server, room).await.context("the place to join")?;
        let stream = TcpStream::connect(server).await?;
        let url = format!("ws://{server}{}?EIO=4&transport=websocket", place.path);
        let (mut socket, _) = client_async(url, stream).await.context("the WebSocket")?;
        let rtp_capabilities = loadtest::client::receive_capabilities(&place.router_rtp_capabilities);
        let join = Join { name: name.to_owned(), rtp_capabilities };
        let auth = json!({ "token": place.token, "join": join });
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
                    break accepted(argument)?;
                }
            }
        };
        let (calls, waiting) = mpsc::channel(16);
        tokio::spawn(run(socket, waiting));
        Ok(Self { place, welcome, calls })
    }

    /// Sends a request and waits for its result.
    pub(crate) async fn request(&self, request: &Request) -> anyhow::Result<Reply> {
        let mut request = serde_json::to_value(request)?;
        let (event, data) = (request["event"].take(), request["data"].take());
        let (answer, answered) = oneshot::channel();
        let gone = || anyhow!("the socket closed");
        self.calls.send(Call { event: event.clone(), data, answer }).await.map_err(|_| gone())?;
        accepted(answered.await.map_err(|_| gone())?).with_context(|| format!("request {event}"))
    }
}

/// Answers pings and matches acknowledgements to requests.
async fn run(mut socket: WebSocketStream<TcpStream>, mut calls: mpsc::Receiver<Call>) {
    let mut n: u64 = 0;
    let mut waiting = HashMap::new();
    loop {
        let sent = tokio::select! {
            call = calls.recv() => {
                let Some(Call { event, data, answer }) = call else { return };
                n += 1;
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

async fn join_place(server: SocketAddr, room: &str) -> anyhow::Result<JoinPlaceReply> {
    let mut stream = TcpStream::connect(server).await?;
    let head = format!("POST /api/v1/rooms/{room}/join HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n");
    let body = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{} {body}", head.lines().next().unwrap_or_default());
    }
    serde_json::from_str(body).context("not a JoinPlaceReply")
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

fn accepted<T: DeserializeOwned>(ack: Value) -> anyhow::Result<T> {
    match serde_json::from_value(ack).context("not an acknowledgement")? {
        Ack::Ok { data, .. } => Ok(data),
        Ack::Err { error, .. } => bail!("{error:?}"),
    }
}
