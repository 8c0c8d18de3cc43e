//! The text messages of one socket, up to what the handler is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::limits::Limits;
use serde_json::Value;
use signaling::packet::{Kind, Packet, ROOT};
use signaling::{Action, Reader, SignalingMetrics};

/// What stands between the messages of a polling request (Engine.IO protocol 4).
const SEPARATOR: char = '\x1e';

/// Messages with U+001E between them. One that begins with `b` is binary; `j` is the welcome, and `t` lets as
/// many tenths of a second pass as it is long.
pub fn socketio(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut now = Instant::now();
    let limits = Limits { requests_per_second: 5, message_bytes_max: 1024, ..Limits::default() };
    let mut reader = Reader::new(now, Arc::new(limits), Arc::new(SignalingMetrics::default()));
    let mut state = State::Open;
    for message in text.split(SEPARATOR) {
        let action = match message.as_bytes().first() {
            Some(b'j') => {
                reader.joined();
                if state == State::Connecting {
                    state = State::Joined;
                }
                continue;
            }
            Some(b't') => {
                now += Duration::from_millis(100) * message.len() as u32;
                continue;
            }
            Some(b'b') => reader.receive_binary(now),
            _ => reader.receive(now, message),
        };
        check(&mut state, message, action);
    }
    assert!(!reader.said_closing() || state == State::Closed);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Connecting,
    Joined,
    Closed,
}

/// Whether this may become of a message.
fn check(state: &mut State, message: &str, action: Action) {
    let packet = Packet::decode(message);
    match action {
        Action::Nothing => {
            let asks = packet
                .is_some_and(|packet| packet.kind == Kind::Event && packet.namespace == ROOT && packet.id.is_some());
            assert!(*state == State::Closed || !asks, "who asks for an answer gets one");
        }
        Action::Send(answer) => {
            let packet = packet.expect("what is no packet is not answered");
            let answer = Packet::decode(&answer).expect("an answer is a packet");
            let body: Value = serde_json::from_str(answer.payload).expect("of JSON");
            assert_eq!(answer.namespace, packet.namespace);
            match answer.kind {
                Kind::Ack => {
                    assert!(packet.id.is_some() && answer.id == packet.id);
                    assert!(body[0]["ok"].is_boolean() && body[1].is_null());
                }
                Kind::ConnectError => assert!(packet.kind == Kind::Connect && packet.namespace != ROOT),
                kind => panic!("a reader does not send {kind:?}"),
            }
        }
        Action::Connect(_) => {
            assert_eq!(std::mem::replace(state, State::Connecting), State::Open, "a session is opened once");
        }
        Action::Request(call) => {
            assert_eq!(*state, State::Joined, "nobody else may ask for anything");
            assert_eq!(call.id, packet.and_then(|packet| packet.id));
            assert!((1..1 << 53).contains(&call.n));
        }
        Action::Close => {
            assert_ne!(std::mem::replace(state, State::Closed), State::Closed, "a socket is closed once");
        }
    }
}
