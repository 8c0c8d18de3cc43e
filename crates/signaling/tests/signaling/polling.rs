//! Long-polling, the fallback transport.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{Answer, Seen, Server, auth, http};

/// One Engine.IO session over HTTP.
struct Poller {
    server: SocketAddr,
    path: String,
}

impl Poller {
    async fn open(server: SocketAddr) -> Self {
        let path = "/socket.io/?EIO=4&transport=polling".to_owned();
        let open = http(server, "GET", &path, &[], "").await;
        assert_eq!(open.status, 200);
        let open: Value = serde_json::from_str(&open.body[1..]).expect("json");
        assert_eq!(open["maxPayload"], 65536);
        Self { server, path: format!("{path}&sid={}", open["sid"].as_str().expect("a sid")) }
    }

    async fn send(&self, packet: &str) -> Answer {
        http(self.server, "POST", &self.path, &[], &format!("4{packet}")).await
    }

    /// Polls until a packet that starts with `start` has come.
    async fn receive(&self, start: &str) -> String {
        loop {
            let poll = http(self.server, "GET", &self.path, &[], "").await;
            assert_eq!(poll.status, 200, "before {start}");
            if let Some(packet) = poll.body.split('\u{1e}').find_map(|p| p.strip_prefix(&format!("4{start}"))) {
                return packet.to_owned();
            }
        }
    }
}

#[tokio::test]
async fn a_polling_client_is_welcomed_and_acknowledged() {
    let mut server = Server::start().await;
    let client = Poller::open(server.address).await;
    client.send(&format!("0{}", auth("t"))).await;
    assert!(client.receive(r#"2["welcome","#).await.starts_with(r#"{"ok":true"#));
    client.send(&format!("27{}", json!(["leave", { "n": 1 }]))).await;
    assert_eq!(client.receive("37").await, r#"[{"ok":true,"data":{}}]"#);
    assert_eq!(server.seen().await, Seen::Connect("t".to_owned()));
    assert_eq!(server.seen().await, Seen::Request(1));
    assert!(matches!(server.seen().await, Seen::Disconnected(_)));
}

#[tokio::test]
async fn a_refused_polling_client_can_fetch_the_reason() {
    let server = Server::start().await;
    let client = Poller::open(server.address).await;
    client.send(&format!("0{}", auth("refused"))).await;
    assert!(client.receive(r#"2["welcome","#).await.contains("unauthorized"));
    server.counts("sockets_open", 0).await;
    assert_eq!(client.send("2[]").await.status, 400, "the session is gone");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = Server::start().await;
    let client = Poller::open(server.address).await;
    let answer = client.send(&"x".repeat(70_000)).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
}
