//! A server with a room behind it, and clients that say exactly what a test wants said.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::limits::Limits;
use protocol::request::{ConnectAuth, JoinPlace, JoinPlaceReply, ResumePlace, ResumePlaceReply, Welcome};
use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorBody, ErrorCode, ParticipantId, Reply, Request, RoomId};
use serde_json::{Value, json};
use signaling::{Handler, Outbox, SessionHandle, SignalingConfig, SignalingMetrics, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

/// Long enough for anything that is to happen; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the handler was told.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Join(String, Option<String>),
    Connect(String),
    Request(u64),
    Disconnected(SessionHandle),
    /// The same, of a page that said that it closes.
    Closed(SessionHandle),
}

/// A handler that does what tokens and room names tell it.
pub(crate) struct Room {
    seen: mpsc::UnboundedSender<Seen>,
    sessions: AtomicU64,
    pub(crate) outboxes: Mutex<HashMap<SessionHandle, Outbox>>,
    /// `connect` with the token `slow` and every `pauseConsumer` wait for a permit.
    pub(crate) gate: Semaphore,
}

impl Handler for Room {
    async fn join_place(&self, room: RoomId, body: JoinPlace) -> Result<JoinPlaceReply, ErrorBody> {
        let _ = self.seen.send(Seen::Join(room.to_string(), body.resume_token));
        match room.as_str() {
            "private" => Err(ErrorBody::new(ErrorCode::Forbidden, "not you")),
            "draining" => Err(ErrorBody::new(ErrorCode::Draining, "elsewhere")),
            "absent" => Err(ErrorBody::new(ErrorCode::NotFound, "no such room")),
            "secret" => Err(ErrorBody::new(ErrorCode::Unauthorized, "who are you")),
            _ => Ok(JoinPlaceReply {
                node: "single".parse().expect("a node id"),
                path: "/socket.io/".to_owned(),
                token: "t".to_owned(),
                router_rtp_capabilities: Default::default(),
                ice_servers: Vec::new(),
            }),
        }
    }

    async fn resume_place(&self, room: RoomId, body: ResumePlace) -> Result<ResumePlaceReply, ErrorBody> {
        let _ = self.seen.send(Seen::Join(room.to_string(), Some(body.token)));
        let node = body.avoid.into_iter().next().unwrap_or_else(|| "single".parse().expect("a node id"));
        Ok(ResumePlaceReply { node, path: "/socket.io/".to_owned(), ice_servers: Vec::new() })
    }

    async fn connect(&self, auth: ConnectAuth, outbox: Outbox) -> Result<(SessionHandle, Welcome), ErrorBody> {
        let _ = self.seen.send(Seen::Connect(auth.token.clone()));
        match auth.token.as_str() {
            "refused" => return Err(ErrorBody::new(ErrorCode::Unauthorized, "the token has expired; join again")),
            "panic" => panic!("a fault of the handler"),
            "slow" => self.gate.acquire().await.expect("open").forget(),
            _ => {}
        }
        let session = SessionHandle(self.sessions.fetch_add(1, Ordering::Relaxed));
        self.outboxes.lock().expect("a lock").insert(session, outbox);
        let room = RoomSnapshot {
            room_id: "r".parse().expect("a name"),
            seq: 7,
            participants: Vec::new(),
            video_codecs: Vec::new(),
            chat: Vec::new(),
            settings: protocol::RoomSettings::default(),
        };
        let welcome = Welcome {
            participant_id: ParticipantId(session.0),
            session_token: "session".to_owned(),
            room,
            send_transport: None,
            recv_transport: None,
        };
        Ok((session, welcome))
    }

    async fn request(&self, _: SessionHandle, n: u64, request: Request) -> Result<Reply, ErrorBody> {
        match request {
            Request::PauseConsumer { .. } => self.gate.acquire().await.expect("open").forget(),
            Request::CloseConsumer { .. } => panic!("a fault of the handler"),
            Request::ResumeConsumer { .. } => return Err(ErrorBody::new(ErrorCode::NotFound, "no such consumer")),
            _ => {}
        }
        let _ = self.seen.send(Seen::Request(n));
        Ok(Reply::Done {})
    }

    fn disconnected(&self, session: SessionHandle, closing: bool) {
        let seen = if closing { Seen::Closed(session) } else { Seen::Disconnected(session) };
        let _ = self.seen.send(seen);
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) room: Arc<Room>,
    pub(crate) metrics: Arc<SignalingMetrics>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        let room = Arc::new(Room {
            seen: sender,
            sessions: AtomicU64::new(0),
            outboxes: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let metrics = Arc::new(SignalingMetrics::default());
        let config = SignalingConfig { limits, allowed_origins: vec!["https://meet.example.com".to_owned()] };
        let router = router(Arc::clone(&room), &config, Arc::clone(&metrics));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, room, metrics, seen }
    }

    /// The next thing that the handler was told.
    pub(crate) async fn seen(&mut self) -> Seen {
        timeout(PATIENCE, self.seen.recv()).await.expect("the handler to be told").expect("a handler")
    }

    /// That there was nothing else. Only of use after something that comes later was seen.
    pub(crate) fn seen_nothing_else(&mut self) {
        assert_eq!(self.seen.try_recv().ok(), None);
    }

    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.metrics.snapshot().value(&format!("signaling_{name}")).expect("a metric")
    }

    /// Waits until a counter or gauge has this value.
    pub(crate) async fn counts(&self, name: &str, value: u64) {
        let reached = async {
            while self.counted(name) != value {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, reached).await.is_ok(), "{name} is {}, not {value}", self.counted(name));
    }

    pub(crate) fn outbox(&self, session: u64) -> Outbox {
        self.room.outboxes.lock().expect("a lock")[&SessionHandle(session)].clone()
    }

    /// A welcomed client.
    pub(crate) async fn client(&mut self) -> Client {
        let mut client = Client::open(self.address).await;
        client.connect("t").await;
        assert_eq!(client.welcome().await["ok"], true);
        assert_eq!(self.seen().await, Seen::Connect("t".to_owned()));
        client
    }
}

/// The payload of a CONNECT packet.
pub(crate) fn auth(token: &str) -> Value {
    json!({ "token": token, "join": { "name": "Ada", "rtpCapabilities": { "codecs": [] } } })
}

/// Socket.IO over a WebSocket, frame by frame.
pub(crate) struct Client {
    ws: WebSocketStream<TcpStream>,
}

impl Client {
    /// An Engine.IO connection; no CONNECT yet.
    pub(crate) async fn open(server: SocketAddr) -> Self {
        Self::try_open(server, None).await.expect("a websocket")
    }

    pub(crate) async fn try_open(server: SocketAddr, origin: Option<&str>) -> Result<Self, tungstenite::Error> {
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("a header"));
        }
        let stream = TcpStream::connect(server).await?;
        let (ws, _) = tokio_tungstenite::client_async(request, stream).await?;
        let mut client = Self { ws };
        let open = client.frame().await.expect("an open packet");
        let open: Value = serde_json::from_str(open.strip_prefix('0').expect("type open")).expect("json");
        assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&json!(5000), &json!(5000)));
        Ok(client)
    }

    pub(crate) async fn connect(&mut self, token: &str) {
        self.send(&format!("0{}", auth(token))).await;
        assert!(self.receive().await.expect("a CONNECT").starts_with(r#"0{"sid":"#));
    }

    /// The argument of the event `welcome`.
    pub(crate) async fn welcome(&mut self) -> Value {
        let (name, data) = self.event().await;
        assert_eq!(name, "welcome");
        data
    }

    pub(crate) async fn event(&mut self) -> (String, Value) {
        let packet = self.receive().await.expect("an event");
        serde_json::from_str(packet.strip_prefix('2').expect("type event")).expect("json")
    }

    /// Sends `["event", …]` with an acknowledgement id.
    pub(crate) async fn request(&mut self, id: u64, event: &Value) {
        self.send(&format!("2{id}{event}")).await;
    }

    /// The next packet is the acknowledgement of `id`.
    pub(crate) async fn acknowledged(&mut self, id: u64) -> Value {
        let packet = self.receive().await.expect("an acknowledgement");
        let json = packet.strip_prefix(&format!("3{id}")).unwrap_or_else(|| panic!("not ack {id}: {packet}"));
        serde_json::from_str::<[Value; 1]>(json).expect("one argument")[0].take()
    }

    /// Sends a Socket.IO packet. That the server may have closed is for `receive` to see.
    pub(crate) async fn send(&mut self, packet: &str) {
        let _ = self.ws.send(Message::text(format!("4{packet}"))).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        let _ = self.ws.send(message).await;
    }

    /// The next Socket.IO packet; `None` when the connection ended.
    pub(crate) async fn receive(&mut self) -> Option<String> {
        loop {
            let frame = self.frame().await?;
            match frame.split_at_checked(1) {
                Some(("2", _)) => self.send_message(Message::text("3")).await,
                Some(("4", packet)) => return Some(packet.to_owned()),
                Some(("1", _)) => {}
                _ => panic!("unexpected frame {frame}"),
            }
        }
    }

    /// Reads until the connection ends.
    pub(crate) async fn closed(&mut self) {
        while self.receive().await.is_some() {}
    }

    async fn frame(&mut self) -> Option<String> {
        match timeout(PATIENCE, self.ws.next()).await.expect("a frame or the end")? {
            Ok(Message::Text(text)) => Some(text.to_string()),
            Ok(Message::Close(_)) | Err(_) => None,
            Ok(other) => panic!("unexpected message {other:?}"),
        }
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("json")
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().expect("an error code").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// One request on a connection of its own. `headers` are whole lines without line ends.
pub(crate) async fn http(server: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}"
    );
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    // The server may answer and close before it has read all.
    let write = async {
        let _ = writer.write_all(request.as_bytes()).await;
    };
    let read = async {
        let _ = timeout(PATIENCE, reader.read_to_end(&mut answer)).await.expect("an answer");
    };
    tokio::join!(write, read);
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
