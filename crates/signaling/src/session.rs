//! One socket from open to close: CONNECT, welcome, requests in order, notifications, one `disconnected`.
//!
//! Engine.IO hands messages to [`Engine::on_message`] in the order they came; [`Reader`] answers beats and
//! refusals on the spot and queues requests for the socket's task, which runs them one after the other: state
//! changes keep the client's order, and a client that does not want to wait for a slow one closes its socket. The
//! task is the socket's life: when it ends, for whatever reason, its guards close the socket, count it down and
//! tell the handler.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use engineioxide::handler::EngineIoHandler;
use engineioxide::socket::DisconnectReason;
use engineioxide::{Str, config::EngineIoConfig};
use protocol::limits::Limits;
use protocol::request::{Ack, ConnectAuth, Welcome};
use protocol::{ErrorBody, ErrorCode, Notification, Request};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::limits::{AddressLimits, ClientAddress, SocketCount};
use crate::outbox::{Outgoing, outbox};
use crate::packet::{self, DISCONNECT};
use crate::requests::{Action, Call, Reader, send_ack};
use crate::{Handler, News, Opening, OutboxReceiver, SessionHandle, SignalingMetrics, Welcomed};

/// How long a socket may take until its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a client is pinged, and how long it has to answer.
const PING: Duration = Duration::from_secs(5);

/// Requests of one socket that wait for the one before them.
const QUEUE_MAX: usize = 64;

/// Packets that Engine.IO buffers per socket.
const BUFFER_MAX: usize = 128;

/// A full buffer is tried again this often before the client counts as too slow: one second.
const FULL_TRIES: u32 = 50;
const FULL_WAIT: Duration = Duration::from_millis(20);

/// How long a client has to read the last packets and close by itself. A polling client fetches them with a
/// request of its own, which finds nothing any more once the socket is closed.
const GOODBYE: Duration = Duration::from_secs(1);

type Socket = engineioxide::Socket<SocketData>;

/// What Engine.IO keeps with a socket for us.
#[derive(Default)]
pub(crate) struct SocketData {
    /// Set before the first message.
    link: OnceLock<Link>,
}

struct Link {
    reader: Mutex<Reader>,
    queue: mpsc::Sender<Inbound>,
}

impl Link {
    fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the socket's task works through.
enum Inbound {
    Connect(Box<Result<ConnectAuth, ErrorBody>>),
    Request(Box<Call>),
}

/// The Engine.IO side of signalling.
pub(crate) struct Engine<H> {
    handler: Arc<H>,
    limits: Arc<Limits>,
    addresses: Arc<AddressLimits>,
    metrics: Arc<SignalingMetrics>,
}

impl<H> fmt::Debug for Engine<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The Engine.IO settings that belong to `limits`.
pub(crate) fn engine_config(limits: &Limits) -> EngineIoConfig {
    // Between the limit and its double a message is refused with an acknowledgement that says why; above, the
    // WebSocket is closed before the message is in memory. Polling bodies have only the hard limit.
    let hard = limits.message_bytes_max.saturating_mul(2);
    EngineIoConfig::builder()
        .req_path("/socket.io")
        .ping_interval(PING)
        .ping_timeout(PING)
        .upgrade_timeout(CONNECT_TIMEOUT)
        .max_buffer_size(BUFFER_MAX)
        .max_payload(limits.message_bytes_max as u64)
        .ws_max_message_size(hard)
        .ws_max_frame_size(hard)
        .build()
}

impl<H: Handler> EngineIoHandler for Engine<H> {
    type Data = SocketData;

    fn on_connect(self: Arc<Self>, socket: Arc<Socket>) {
        let count = self.addresses.open_socket(ClientAddress::of(&socket.req_parts.extensions));
        let (queue, inbound) = mpsc::channel(QUEUE_MAX);
        let reader = Reader::new(Instant::now(), Arc::clone(&self.limits), Arc::clone(&self.metrics));
        if socket.data.link.set(Link { reader: Mutex::new(reader), queue }).is_ok() {
            tokio::spawn(async move { self.run(&socket, &count, inbound).await });
        }
    }

    fn on_disconnect(&self, _: Arc<Socket>, reason: DisconnectReason) {
        match reason {
            DisconnectReason::TransportError => self.metrics.closed_transport_error_total.add(),
            DisconnectReason::HeartbeatTimeout => self.metrics.closed_ping_timeout_total.add(),
            _ => {}
        }
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket>) {
        let Some(link) = socket.data.link.get() else { return };
        let action = link.reader().receive(Instant::now(), &message);
        self.act(&socket, link, action);
    }

    fn on_binary(self: &Arc<Self>, _: Bytes, socket: Arc<Socket>) {
        let Some(link) = socket.data.link.get() else { return };
        let action = link.reader().receive_binary(Instant::now());
        self.act(&socket, link, action);
    }
}

impl<H: Handler> Engine<H> {
    pub(crate) fn new(
        handler: Arc<H>,
        limits: Arc<Limits>,
        addresses: Arc<AddressLimits>,
        metrics: Arc<SignalingMetrics>,
    ) -> Self {
        Self { handler, limits, addresses, metrics }
    }

    fn act(&self, socket: &Socket, link: &Link, action: Action) {
        let inbound = match action {
            Action::Nothing => return,
            Action::Send(packet) => return self.send(socket, packet),
            Action::Close => return socket.close(DisconnectReason::TransportClose),
            Action::Connect(auth) => {
                self.send(socket, packet::connected(socket.id));
                Inbound::Connect(auth)
            }
            Action::Request(call) => Inbound::Request(call),
        };
        if let Err(TrySendError::Full(Inbound::Request(call))) = link.queue.try_send(inbound)
            && let Action::Send(packet) = link.reader().queue_full(&call, QUEUE_MAX)
        {
            self.send(socket, packet);
        }
    }

    /// Sends without waiting: a client that asks without reading the answers is closed.
    fn send(&self, socket: &Socket, packet: String) {
        if let Err(TrySendError::Full(_)) = socket.emit(packet) {
            self.metrics.closed_too_slow_total.add();
            socket.close(DisconnectReason::TransportClose);
        }
    }

    /// Sends, waiting a little while the buffer is full. False if the socket is or was closed.
    async fn deliver(&self, socket: &Socket, packet: impl Into<Str>) -> bool {
        let mut packet = packet.into();
        for _ in 0..FULL_TRIES {
            packet = match socket.emit(packet) {
                Ok(()) => return true,
                Err(TrySendError::Full(packet)) => packet,
                Err(TrySendError::Closed(_)) => return false,
            };
            sleep(FULL_WAIT).await;
        }
        self.metrics.closed_too_slow_total.add();
        socket.close(DisconnectReason::TransportClose);
        false
    }

    async fn run(&self, socket: &Socket, count: &SocketCount, mut inbound: mpsc::Receiver<Inbound>) {
        let _close = CloseOnDrop(socket);
        let first = tokio::select! {
            biased;
            () = socket.closed() => return,
            first = timeout(CONNECT_TIMEOUT, inbound.recv()) => first,
        };
        let auth = match first {
            Ok(Some(Inbound::Connect(auth))) => *auth,
            Ok(_) => return,
            Err(_) => return self.metrics.closed_connect_timeout_total.add(),
        };
        let (outbox, outgoing) = outbox();
        let opened = match auth.and_then(|auth| self.check_count(count).map(|()| auth)) {
            Ok(auth) => {
                let address = ClientAddress::of(&socket.req_parts.extensions).ip();
                self.handler.connect(auth, address, outbox).await
            }
            Err(error) => Err(error),
        };
        let (session, opening) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.welcome(socket, Err(error)).await;
                return goodbye(socket).await;
            }
        };
        let _session = Session::new(self, session, socket);
        if let Some(link) = socket.data.link.get() {
            link.reader().joined();
        }
        if self.opening(socket, opening).await {
            let (stop, stopped) = oneshot::channel::<()>();
            let write = async {
                self.write(socket, outgoing).await;
                drop(stop);
            };
            tokio::join!(write, self.serve(socket, session, inbound, stopped));
        }
    }

    fn check_count(&self, count: &SocketCount) -> Result<(), ErrorBody> {
        if !count.over {
            return Ok(());
        }
        self.metrics.refused_sockets_per_address_total.add();
        let max = self.limits.sockets_per_address_max;
        let message = format!("this address has {max} connections, which is all it may have; close some");
        Err(ErrorBody::new(ErrorCode::LimitReached, message))
    }

    async fn opening(&self, socket: &Socket, opening: Opening) -> bool {
        match opening {
            Opening::Welcome(welcome) => self.welcome(socket, Ok(*welcome)).await,
            Opening::Waiting(waiting) => match packet::event("waiting", &waiting) {
                Some(packet) => self.deliver(socket, packet).await,
                None => false,
            },
        }
    }

    async fn welcome(&self, socket: &Socket, result: Result<Welcome, ErrorBody>) -> bool {
        match packet::event("welcome", &Ack::from(result)) {
            Some(packet) => self.deliver(socket, packet).await,
            None => false,
        }
    }

    /// Runs requests one after the other until `stopped`. A request that has begun is run to its end.
    async fn serve(
        &self,
        socket: &Socket,
        session: SessionHandle,
        mut inbound: mpsc::Receiver<Inbound>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        loop {
            let next = tokio::select! {
                biased;
                _ = &mut stopped => return,
                next = inbound.recv() => next,
            };
            let Some(Inbound::Request(call)) = next else { return };
            let Call { id, n, request } = *call;
            let leaves = matches!(request, Request::Leave {});
            self.metrics.requests_total.add();
            let result = self.handler.request(session, n, request).await;
            // Who is not in the room any more has left, by an earlier request whose answer was lost.
            let left = leaves && result.as_ref().map_or_else(|error| error.code == ErrorCode::NotJoined, |_| true);
            if let Action::Send(packet) = send_ack(id, result)
                && !self.deliver(socket, packet).await
            {
                return;
            }
            if left {
                return goodbye(socket).await;
            }
        }
    }

    /// Sends notifications until the socket is closed, or has to be.
    async fn write(&self, socket: &Socket, mut outgoing: OutboxReceiver) {
        loop {
            let next = tokio::select! {
                biased;
                () = socket.closed() => return,
                next = outgoing.recv() => next,
            };
            match next {
                Some(Outgoing::Notify(news)) => {
                    if !self.notify(socket, &news).await {
                        return;
                    }
                }
                Some(Outgoing::Welcome(Welcomed(welcome))) => {
                    if !self.welcome(socket, Ok(*welcome)).await {
                        return;
                    }
                }
                Some(Outgoing::Close(reason)) => {
                    if self.notify(socket, &Notification::SessionEnded { reason }.into()).await {
                        goodbye(socket).await;
                    }
                    return;
                }
                Some(Outgoing::Overflow) => {
                    self.metrics.closed_too_slow_total.add();
                    return socket.close(DisconnectReason::TransportClose);
                }
                None => return socket.closed().await,
            }
        }
    }

    async fn notify(&self, socket: &Socket, news: &News) -> bool {
        match news.packet() {
            Some(packet) => self.deliver(socket, packet).await,
            None => true,
        }
    }
}

/// Ends the Socket.IO session, and the connection if the client does not.
async fn goodbye(socket: &Socket) {
    // A full buffer only means that the client learns it from the connection's end.
    let _ = socket.emit(DISCONNECT);
    let _ = timeout(GOODBYE, socket.closed()).await;
    socket.close(DisconnectReason::TransportClose);
}

/// Closes the socket however its task ends, a panic of the handler included.
struct CloseOnDrop<'a>(&'a Socket);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close(DisconnectReason::TransportClose);
    }
}

/// A session that the handler opened: tells it once when the socket is gone.
struct Session<'a, H: Handler> {
    engine: &'a Engine<H>,
    session: SessionHandle,
    socket: &'a Socket,
}

impl<'a, H: Handler> Session<'a, H> {
    fn new(engine: &'a Engine<H>, session: SessionHandle, socket: &'a Socket) -> Self {
        engine.metrics.sessions_open.add();
        Self { engine, session, socket }
    }
}

impl<H: Handler> Drop for Session<'_, H> {
    fn drop(&mut self) {
        self.engine.metrics.sessions_open.sub();
        let closing = self.socket.data.link.get().is_some_and(|link| link.reader().said_closing());
        self.engine.handler.disconnected(self.session, closing);
    }
}
