//! What a socket's messages mean: decoded, counted against the limits, answered where no handler is needed.
//!
//! [`Reader`] is pure: text and time in, one [`Action`] out. Every event that asks for an acknowledgement gets
//! one, whatever is wrong with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::limits::Limits;
use protocol::request::{Ack, ConnectAuth, Envelope};
use protocol::{ErrorBody, ErrorCode, Request};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::SignalingMetrics;
use crate::limits::TokenBucket;
use crate::metrics::Count;
use crate::packet::{self, Kind, Packet, ROOT};

/// The largest request number: JavaScript counts exactly below 2^53.
const N_MAX: u64 = (1 << 53) - 1;

/// Producers in one `consume`.
const CONSUME_PRODUCERS_MAX: usize = 100;

/// Binary attachments of one message. None is used; a client that announces more than this is not one of ours.
const ATTACHMENTS_MAX: usize = 2;

/// A client beats once a second; a second beat may be late.
const BEATS_PER_SECOND: u32 = 2;

/// A client that sends this many times what it may is closed.
const FLOOD_FACTOR: u32 = 10;

/// What to do about a message.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Send this packet.
    Send(String),
    /// The client opens its session; or tried to.
    Connect(Box<Result<ConnectAuth, ErrorBody>>),
    /// Hand this to the handler when those before it are done.
    Request(Box<Call>),
    /// Close the socket.
    Close,
}

/// A request that is within the limits.
#[derive(Debug)]
pub struct Call {
    /// The client wants an acknowledgement with this number.
    pub id: Option<u64>,
    /// The request's number, 1 to 2^53 - 1.
    pub n: u64,
    /// What it asks for.
    pub request: Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Engine.IO only.
    Open,
    /// CONNECT came, the welcome has not been sent.
    Connecting,
    Joined,
    /// Closing; messages that had arrived are still handed over.
    Closed,
    /// Closing, because the client's page is.
    PageClosed,
}

/// The receiving side of one socket.
#[derive(Debug)]
pub struct Reader {
    phase: Phase,
    limits: Arc<Limits>,
    metrics: Arc<SignalingMetrics>,
    requests: TokenBucket,
    beats: TokenBucket,
    messages: TokenBucket,
}

impl Reader {
    /// The reader of a socket that was just opened.
    pub fn new(now: Instant, limits: Arc<Limits>, metrics: Arc<SignalingMetrics>) -> Self {
        let rate = limits.requests_per_second;
        let flood = rate.max(BEATS_PER_SECOND).saturating_mul(FLOOD_FACTOR);
        Self {
            phase: Phase::Open,
            requests: TokenBucket::new(now, rate, rate.saturating_mul(4)),
            beats: TokenBucket::new(now, BEATS_PER_SECOND, BEATS_PER_SECOND * 2),
            messages: TokenBucket::new(now, flood, flood),
            limits,
            metrics,
        }
    }

    /// The welcome is about to be sent: requests are taken from now on.
    pub fn joined(&mut self) {
        if self.phase == Phase::Connecting {
            self.phase = Phase::Joined;
        }
    }

    /// The client said that its page is being closed or reloaded.
    pub fn said_closing(&self) -> bool {
        self.phase == Phase::PageClosed
    }

    /// A text message.
    pub fn receive(&mut self, now: Instant, text: &str) -> Action {
        if self.is_closed() {
            return Action::Nothing;
        }
        if self.messages.take(now).is_err() {
            return self.close(|metrics| &metrics.closed_flood_total);
        }
        let Some(packet) = Packet::decode(text) else { return self.close(|metrics| &metrics.closed_malformed_total) };
        match packet.kind {
            Kind::Connect if packet.namespace == ROOT => self.connect(&packet, text.len()),
            Kind::Connect => {
                self.metrics.refused_namespace_total.add();
                Action::Send(packet::no_such_namespace(packet.namespace))
            }
            // A namespace that nobody could connect to.
            _ if packet.namespace != ROOT => Action::Nothing,
            Kind::Disconnect => {
                self.phase = Phase::Closed;
                Action::Close
            }
            Kind::Event => self.event(now, &packet, text.len()),
            Kind::BinaryEvent if packet.attachments <= ATTACHMENTS_MAX => {
                self.metrics.refused_binary_total.add();
                refuse(packet.id, ErrorCode::BadRequest, "binary data is not used here; send JSON")
            }
            Kind::BinaryAck if packet.attachments <= ATTACHMENTS_MAX => Action::Nothing,
            // The server asks for none.
            Kind::Ack => Action::Nothing,
            Kind::BinaryEvent | Kind::BinaryAck | Kind::ConnectError => {
                self.close(|metrics| &metrics.closed_malformed_total)
            }
        }
    }

    /// A binary message: the attachment of an event that was refused.
    pub fn receive_binary(&mut self, now: Instant) -> Action {
        match self.messages.take(now) {
            Ok(()) => Action::Nothing,
            Err(_) if self.is_closed() => Action::Nothing,
            Err(_) => self.close(|metrics| &metrics.closed_flood_total),
        }
    }

    /// The answer to a request that found the queue full.
    pub(crate) fn queue_full(&self, call: &Call, waiting_max: usize) -> Action {
        self.metrics.refused_queue_full_total.add();
        let message = format!("{waiting_max} requests are waiting for their answers; send more when some have come");
        refuse(call.id, ErrorCode::RateLimited, message)
    }

    fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::PageClosed)
    }

    fn close(&mut self, count: impl FnOnce(&SignalingMetrics) -> &Count) -> Action {
        count(&self.metrics).add();
        self.phase = Phase::Closed;
        Action::Close
    }

    fn connect(&mut self, packet: &Packet<'_>, bytes: usize) -> Action {
        if self.phase != Phase::Open {
            self.metrics.duplicate_connects_total.add();
            return Action::Nothing;
        }
        self.phase = Phase::Connecting;
        let auth = self.check_size(bytes).and_then(|()| decode_auth(packet.payload, &self.limits));
        if auth.is_err() {
            self.metrics.refused_connect_shape_total.add();
        }
        Action::Connect(Box::new(auth))
    }

    fn event(&mut self, now: Instant, packet: &Packet<'_>, bytes: usize) -> Action {
        if is_event("beat", packet.payload) {
            return self.beat(now, packet.id);
        }
        if is_event("closing", packet.payload) {
            self.phase = Phase::PageClosed;
            return Action::Close;
        }
        match self.call(now, packet, bytes) {
            Ok(call) => Action::Request(Box::new(call)),
            Err(error) => send_ack::<Value>(packet.id, Err(error)),
        }
    }

    fn beat(&mut self, now: Instant, id: Option<u64>) -> Action {
        if let Err(wait) = self.beats.take(now) {
            self.metrics.refused_beat_rate_total.add();
            let message = format!("one beat per second is enough; send the next in {} ms", whole_ms(wait));
            return refuse(id, ErrorCode::RateLimited, message);
        }
        self.metrics.beats_total.add();
        send_ack(id, Ok(json!({})))
    }

    fn call(&mut self, now: Instant, packet: &Packet<'_>, bytes: usize) -> Result<Call, ErrorBody> {
        if let Err(wait) = self.requests.take(now) {
            self.metrics.refused_request_rate_total.add();
            let (rate, ms) = (self.limits.requests_per_second, whole_ms(wait));
            let message = format!("more than {rate} requests per second; repeat this one in {ms} ms, with the same n");
            return Err(ErrorBody::new(ErrorCode::RateLimited, message));
        }
        self.check_size(bytes)?;
        if self.phase != Phase::Joined {
            self.metrics.refused_not_joined_total.add();
            return Err(ErrorBody::new(ErrorCode::NotJoined, "wait for the event `welcome` before sending requests"));
        }
        decode_request(packet.payload)
            .map(|(n, request)| Call { id: packet.id, n, request })
            .inspect_err(|_| self.metrics.refused_bad_request_total.add())
    }

    fn check_size(&self, bytes: usize) -> Result<(), ErrorBody> {
        let max = self.limits.message_bytes_max;
        if bytes <= max {
            return Ok(());
        }
        self.metrics.refused_too_large_total.add();
        let message = format!("the message has {bytes} bytes, at most {max} are taken; split it");
        Err(ErrorBody::new(ErrorCode::TooLarge, message))
    }
}

/// Whether it is the event `["name"]`, which is no request; whatever else it carries is ignored.
fn is_event(name: &str, payload: &str) -> bool {
    let rest = payload.strip_prefix("[\"").and_then(|rest| rest.strip_prefix(name)?.strip_prefix('"'));
    rest.is_some_and(|rest| rest.starts_with([']', ',']))
}

/// The packet that acknowledges; nothing if the client did not ask for one.
pub(crate) fn send_ack<T: Serialize>(id: Option<u64>, result: Result<T, ErrorBody>) -> Action {
    id.and_then(|id| packet::ack(id, &Ack::from(result))).map_or(Action::Nothing, Action::Send)
}

fn refuse(id: Option<u64>, code: ErrorCode, message: impl Into<String>) -> Action {
    send_ack::<Value>(id, Err(ErrorBody::new(code, message)))
}

fn bad_request(message: impl Into<String>) -> ErrorBody {
    ErrorBody::new(ErrorCode::BadRequest, message)
}

fn whole_ms(wait: Duration) -> u128 {
    wait.as_millis().max(1)
}

/// Decodes a JSON object; serde alone would take an array of its fields, too.
pub(crate) fn decode_object<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, ErrorBody> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(bad_request(format!("{what}: must be a JSON object")));
    }
    serde_json::from_slice(json).map_err(|e| bad_request(format!("{what}: {e}")))
}

fn decode_auth(payload: &str, limits: &Limits) -> Result<ConnectAuth, ErrorBody> {
    if payload.is_empty() {
        return Err(bad_request("auth is missing: {token, join} or {token, resume}"));
    }
    let mut auth: ConnectAuth = decode_object("auth", payload.as_bytes())?;
    if auth.join.is_some() == auth.resume.is_some() {
        return Err(bad_request("auth: exactly one of `join` and `resume` must be there"));
    }
    if let Some(join) = &mut auth.join {
        join.name = join.name.trim().to_owned();
        let (bytes, max) = (join.name.len(), limits.name_bytes_max);
        if bytes == 0 || bytes > max {
            return Err(bad_request(format!("auth.join.name: {bytes} bytes, it must have 1 to {max}")));
        }
    }
    Ok(auth)
}

fn decode_request(payload: &str) -> Result<(u64, Request), ErrorBody> {
    let arguments: Vec<Value> = serde_json::from_str(payload).map_err(|e| bad_request(format!("not JSON: {e}")))?;
    let mut arguments = arguments.into_iter();
    let Some(Value::String(name)) = arguments.next() else {
        return Err(bad_request("the first element of an event is its name"));
    };
    if !Request::EVENTS.contains(&name.as_str()) {
        return Err(Request::decode(&name, Value::Null).err().unwrap_or_else(|| bad_request("unknown request")));
    }
    let (Some(envelope), None) = (arguments.next(), arguments.next()) else {
        return Err(bad_request(format!("{name}: takes exactly one argument, {{n, data}}")));
    };
    if !envelope.is_object() {
        return Err(bad_request(format!("{name}: the argument must be an object, {{n, data}}")));
    }
    let Envelope { n, data } = serde_json::from_value(envelope).map_err(|e| bad_request(format!("{name}: {e}")))?;
    if !(1..=N_MAX).contains(&n) {
        return Err(bad_request(format!("{name}: n must be 1 to {N_MAX}, counted up over the session")));
    }
    let request = Request::decode(&name, data)?;
    match &request {
        Request::Consume { producer_ids, .. } if producer_ids.len() > CONSUME_PRODUCERS_MAX => Err(bad_request(
            format!("consume: {} producers, at most {CONSUME_PRODUCERS_MAX} at once", producer_ids.len()),
        )),
        _ => Ok((n, request)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Client {
        reader: Reader,
        now: Instant,
    }

    fn client(joined: bool) -> Client {
        let now = Instant::now();
        let limits = Limits { requests_per_second: 10, ..Limits::default() };
        let mut reader = Reader::new(now, Arc::new(limits), Arc::default());
        if joined {
            reader.phase = Phase::Joined;
        }
        Client { reader, now }
    }

    impl Client {
        fn send(&mut self, text: &str) -> Action {
            self.reader.receive(self.now, text)
        }

        fn code(&mut self, text: &str) -> String {
            let Action::Send(packet) = self.send(text) else { panic!("no acknowledgement for {text}") };
            let ack: Value = serde_json::from_str(packet.strip_prefix("31").expect("ack 1")).expect("json");
            assert_eq!(ack[0]["ok"], false, "{packet}");
            ack[0]["error"]["code"].as_str().expect("a code").to_owned()
        }

        fn counted(&self, name: &str) -> u64 {
            self.reader.metrics.snapshot().value(name).expect("a metric")
        }
    }

    #[test]
    fn a_request_is_decoded() {
        let Action::Request(call) = client(true).send(r#"27["leave",{"n":3}]"#) else { panic!("refused") };
        assert_eq!((call.id, call.n), (Some(7), 3));
        assert!(matches!(call.request, Request::Leave {}));
    }

    #[test]
    fn every_wrong_event_is_acknowledged_with_its_code() {
        let mut client = client(true);
        client.reader.requests = TokenBucket::new(client.now, 100, 100);
        for (text, code) in [
            (r#"21["nonsense",{"n":1}]"#, "unknown_request"),
            (r#"21["welcome",{"n":1}]"#, "unknown_request"),
            (r#"21["leave"]"#, "bad_request"),
            (r#"21["leave",{"n":1},2]"#, "bad_request"),
            (r#"21["leave",{"n":0}]"#, "bad_request"),
            (r#"21["leave",{"n":-1}]"#, "bad_request"),
            (r#"21["leave",{"n":1.5}]"#, "bad_request"),
            (r#"21["leave",{"n":9007199254740992}]"#, "bad_request"),
            (r#"21["leave",{"n":"1"}]"#, "bad_request"),
            (r#"21["leave",{"n":1,"x":2}]"#, "bad_request"),
            (r#"21["leave",[1,{}]]"#, "bad_request"),
            (r#"21["restartIce",{"n":1,"data":{}}]"#, "bad_request"),
            (r#"21["restartIce",{"n":1,"data":[1]}]"#, "bad_request"),
            (r"21[1,2]", "bad_request"),
            (r"21[]", "bad_request"),
            (r"21{}", "bad_request"),
            (r#"21["leave""#, "bad_request"),
            (r"21", "bad_request"),
            (r#"51-1["leave",{"_placeholder":true,"num":0}]"#, "bad_request"),
        ] {
            assert_eq!(client.code(text), code, "{text}");
        }
        let deep = format!("21[{}{}]", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(client.code(&deep), "bad_request");
        let large = format!(r#"21["leave","{}"]"#, "x".repeat(65536));
        assert_eq!(client.code(&large), "too_large");
        assert!(matches!(client.send(r#"2["nonsense",1]"#), Action::Nothing));
    }

    #[test]
    fn consume_takes_a_hundred_producers() {
        let request = |count: usize| {
            let ids = vec!["00000000000000ff-camera"; count];
            let data = json!({ "transportId": "00000000000000ff", "producerIds": ids });
            format!("21{}", json!(["consume", { "n": 1, "data": data }]))
        };
        assert!(matches!(client(true).send(&request(100)), Action::Request(_)));
        assert_eq!(client(true).code(&request(101)), "bad_request");
    }

    #[test]
    fn requests_wait_for_the_welcome() {
        let mut client = client(false);
        assert_eq!(client.code(r#"21["leave",{"n":1}]"#), "not_joined");
        assert!(matches!(client.send("0{}"), Action::Connect(_)));
        assert_eq!(client.code(r#"21["leave",{"n":1}]"#), "not_joined");
        client.reader.joined();
        assert!(matches!(client.send(r#"21["leave",{"n":1}]"#), Action::Request(_)));
    }

    #[test]
    fn auth_has_exactly_one_of_join_and_resume_and_a_name_that_fits() {
        let decode = |payload: &str| decode_auth(payload, &Limits::default());
        let join = |name: &str| {
            let join = json!({ "name": name, "rtpCapabilities": { "codecs": [] } });
            decode(&json!({ "token": "t", "join": join }).to_string())
        };
        assert_eq!(join(" Ada ").expect("valid").join.expect("a join").name, "Ada");
        assert!(decode(r#"{"token":"t","resume":{"seq":4}}"#).is_ok());
        for bad in [
            "",
            r#"["t",null,{"seq":4}]"#,
            "{}",
            r#"{"token":"t"}"#,
            r#"{"token":1,"resume":{"seq":4}}"#,
            r#"{"resume":{"seq":4}}"#,
        ] {
            assert_eq!(decode(bad).expect_err(bad).code, ErrorCode::BadRequest, "{bad}");
        }
        assert!(join("  ").is_err());
        assert!(join(&"x".repeat(129)).is_err());
        let both = json!({ "token": "t", "resume": { "seq": 1 }, "join": { "name": "a", "rtpCapabilities": {} } });
        assert!(decode(&both.to_string()).is_err());
    }

    #[test]
    fn a_second_connect_changes_nothing_and_other_namespaces_are_refused() {
        let mut client = client(false);
        assert!(matches!(client.send("0{}"), Action::Connect(auth) if auth.is_err()));
        assert!(matches!(client.send("0{}"), Action::Nothing));
        assert_eq!(client.counted("signaling_duplicate_connects_total"), 1);
        assert!(matches!(client.send("0/admin,{}"), Action::Send(p) if p.starts_with("4/admin,")));
        assert!(matches!(client.send(r#"2/admin,1["leave",{"n":1}]"#), Action::Nothing));
    }

    #[test]
    fn requests_over_the_rate_are_told_when_to_come_back() {
        let mut client = client(true);
        let request = r#"21["leave",{"n":1}]"#;
        for _ in 0..40 {
            assert!(matches!(client.send(request), Action::Request(_)));
        }
        assert_eq!(client.code(request), "rate_limited");
        client.now += Duration::from_millis(100);
        assert!(matches!(client.send(request), Action::Request(_)));
        assert_eq!(client.counted("signaling_refused_request_rate_total"), 1);
    }

    #[test]
    fn a_flood_closes() {
        let mut client = client(true);
        for _ in 0..100 {
            assert!(!matches!(client.send(r#"2["leave",{"n":1}]"#), Action::Close));
        }
        assert!(matches!(client.send("2[]"), Action::Close));
        assert!(matches!(client.send("2[]"), Action::Nothing));
        assert!(matches!(client.reader.receive_binary(client.now), Action::Nothing));
        assert_eq!(client.counted("signaling_closed_flood_total"), 1);
    }

    #[test]
    fn beats_are_answered_at_once_and_cost_no_requests() {
        let mut client = client(false);
        for _ in 0..60 {
            let Action::Send(ack) = client.send(r#"25["beat"]"#) else { panic!("no answer") };
            assert_eq!(ack, r#"35[{"ok":true,"data":{}}]"#);
            client.now += Duration::from_millis(500);
        }
        for _ in 0..4 {
            client.send(r#"21["beat"]"#);
        }
        assert_eq!(client.code(r#"21["beat"]"#), "rate_limited");
        assert_eq!(client.counted("signaling_refused_request_rate_total"), 0);
        assert!(!is_event("beat", r#"["beats"]"#));
    }

    #[test]
    fn a_page_that_closes_says_so_and_nothing_after_it_counts() {
        let mut client = client(true);
        assert!(!client.reader.said_closing());
        assert!(matches!(client.send(r#"2["closing"]"#), Action::Close));
        assert!(matches!(client.send(r#"21["leave",{"n":1}]"#), Action::Nothing));
        assert!(client.reader.said_closing());
    }

    #[test]
    fn a_disconnect_or_a_flood_is_no_closing_page() {
        let mut client = client(true);
        assert!(matches!(client.send("1"), Action::Close));
        assert!(matches!(client.send(r#"2["closing"]"#), Action::Nothing));
        assert!(!client.reader.said_closing());
    }

    #[test]
    fn what_is_not_socket_io_closes() {
        for bad in ["", "9", "hello", r#"53-["leave"]"#, "4{}", "5"] {
            assert!(matches!(client(true).send(bad), Action::Close), "{bad}");
        }
        assert!(matches!(client(true).send("3[]"), Action::Nothing));
        assert!(matches!(client(true).send("31[]"), Action::Nothing));
    }
}
