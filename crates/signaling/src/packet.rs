//! Socket.IO protocol v5 packets, as far as one namespace without binary data needs them.
//!
//! <https://github.com/socketio/socket.io-protocol>: `<type>[<attachments>-][<namespace>,][<id>][JSON]`.

use serde::Serialize;

/// The only namespace there is.
pub const ROOT: &str = "/";

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opens a namespace, or says that it is open.
    Connect,
    /// Closes a namespace.
    Disconnect,
    /// A JSON array of a name and arguments.
    Event,
    /// The answer to an event that has an id.
    Ack,
    /// A namespace cannot be opened.
    ConnectError,
    /// An event with attachments.
    BinaryEvent,
    /// An answer with attachments.
    BinaryAck,
}

/// A packet whose JSON is still text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// How many binary messages follow.
    pub attachments: usize,
    /// [`ROOT`] unless it names another.
    pub namespace: &'a str,
    /// The sender wants an acknowledgement with this number.
    pub id: Option<u64>,
    /// What follows; empty, or meant to be JSON.
    pub payload: &'a str,
}

impl<'a> Packet<'a> {
    /// `None` if it is not a packet.
    pub fn decode(text: &'a str) -> Option<Self> {
        let kind = match text.as_bytes().first()? {
            b'0' => Kind::Connect,
            b'1' => Kind::Disconnect,
            b'2' => Kind::Event,
            b'3' => Kind::Ack,
            b'4' => Kind::ConnectError,
            b'5' => Kind::BinaryEvent,
            b'6' => Kind::BinaryAck,
            _ => return None,
        };
        let mut rest = text.get(1..)?;
        let mut attachments = 0;
        if matches!(kind, Kind::BinaryEvent | Kind::BinaryAck) {
            let (count, after) = rest.split_once('-')?;
            attachments = count.parse().ok()?;
            rest = after;
        }
        let mut namespace = ROOT;
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, payload) = rest.split_at_checked(digits)?;
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        Some(Self { kind, attachments, namespace, id, payload })
    }
}

/// The answer to a CONNECT that was taken.
pub fn connected(sid: impl std::fmt::Display) -> String {
    format!(r#"0{{"sid":"{sid}"}}"#)
}

/// The answer to a CONNECT to a namespace that does not exist.
pub fn no_such_namespace(namespace: &str) -> String {
    format!(r#"4{namespace},{{"message":"Invalid namespace"}}"#)
}

/// The end of the namespace's session.
pub const DISCONNECT: &str = "1";

/// An event with one argument; `None` if `argument` cannot be JSON.
pub fn event(name: &str, argument: &impl Serialize) -> Option<String> {
    encode(String::from("2"), &(name, argument))
}

/// An acknowledgement with one argument; `None` if `argument` cannot be JSON.
pub fn ack(id: u64, argument: &impl Serialize) -> Option<String> {
    encode(format!("3{id}"), &[argument])
}

fn encode(head: String, payload: &impl Serialize) -> Option<String> {
    let mut packet = head.into_bytes();
    serde_json::to_writer(&mut packet, payload).ok()?;
    String::from_utf8(packet).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet<'a>(kind: Kind, namespace: &'a str, id: Option<u64>, payload: &'a str) -> Option<Packet<'a>> {
        Some(Packet { kind, attachments: 0, namespace, id, payload })
    }

    #[test]
    fn the_examples_of_the_protocol_decode() {
        assert_eq!(Packet::decode("0"), packet(Kind::Connect, "/", None, ""));
        assert_eq!(Packet::decode(r#"0{"token":"1"}"#), packet(Kind::Connect, "/", None, r#"{"token":"1"}"#));
        assert_eq!(Packet::decode(r#"0/admin,{"a":1}"#), packet(Kind::Connect, "/admin", None, r#"{"a":1}"#));
        assert_eq!(Packet::decode("0/admin"), packet(Kind::Connect, "/admin", None, ""));
        assert_eq!(Packet::decode("1/admin,"), packet(Kind::Disconnect, "/admin", None, ""));
        assert_eq!(Packet::decode(r#"212["foo"]"#), packet(Kind::Event, "/", Some(12), r#"["foo"]"#));
        assert_eq!(Packet::decode("3/admin,13[]"), packet(Kind::Ack, "/admin", Some(13), "[]"));
        let binary = Packet::decode(r#"51-7["a",{"_placeholder":true,"num":0}]"#).expect("a packet");
        assert_eq!((binary.kind, binary.attachments, binary.id), (Kind::BinaryEvent, 1, Some(7)));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bad in ["", "7", "é", "x", "5[]", "5x-[]", "5", "299999999999999999999[]", "5-[]"] {
            assert_eq!(Packet::decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn packets_are_encoded() {
        assert_eq!(connected("abc"), r#"0{"sid":"abc"}"#);
        assert_eq!(event("chat", &1).as_deref(), Some(r#"2["chat",1]"#));
        assert_eq!(ack(7, &[1, 2]).as_deref(), Some("37[[1,2]]"));
    }
}
