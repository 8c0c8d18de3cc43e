//! The end of a socket: `disconnected` exactly once, whatever ends it.

use protocol::{ErrorCode, Notification};
use serde_json::{Value, json};
use signaling::SessionHandle;
use tokio::time::{Instant, timeout};

use crate::support::{Client, PATIENCE, Seen, Server};

async fn disconnected_once(server: &mut Server) {
    assert_eq!(server.seen().await, Seen::Disconnected(SessionHandle(0)));
    server.counts("sockets_open", 0).await;
    assert_eq!(server.counted("sessions_open"), 0);
    server.seen_nothing_else();
}

#[tokio::test]
async fn the_client_disconnects() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.send("1").await;
    client.closed().await;
    disconnected_once(&mut server).await;
}

#[tokio::test]
async fn the_connection_breaks() {
    let mut server = Server::start().await;
    drop(server.client().await);
    disconnected_once(&mut server).await;
    assert!(server.outbox(0).is_closed());
}

#[tokio::test]
async fn the_page_closes() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.send(r#"2["closing"]"#).await;
    client.closed().await;
    assert_eq!(server.seen().await, Seen::Closed(SessionHandle(0)));
    server.counts("sockets_open", 0).await;
    server.seen_nothing_else();
}

#[tokio::test]
async fn the_client_leaves() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.request(1, &json!(["leave", { "n": 1 }])).await;
    assert_eq!(client.acknowledged(1).await["ok"], true);
    assert_eq!(server.seen().await, Seen::Request(1));
    assert_eq!(client.receive().await.as_deref(), Some("1"));
    client.closed().await;
    disconnected_once(&mut server).await;
}

#[tokio::test]
async fn the_handler_ends_the_session_after_what_it_said_before() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let outbox = server.outbox(0);
    outbox.notify(Notification::AudioLevels { levels: Vec::new() }).expect("room");
    outbox.close(ErrorCode::Draining);
    assert_eq!(client.event().await, ("audioLevels".to_owned(), json!({ "levels": [] })));
    assert_eq!(client.event().await, ("sessionEnded".to_owned(), json!({ "reason": "draining" })));
    assert_eq!(client.receive().await.as_deref(), Some("1"));
    client.closed().await;
    disconnected_once(&mut server).await;
}

#[tokio::test]
async fn the_connection_breaks_before_the_welcome() {
    let mut server = Server::start().await;
    let mut client = Client::open(server.address).await;
    client.connect("slow").await;
    assert_eq!(server.seen().await, Seen::Connect("slow".to_owned()));
    drop(client);
    server.room.gate.add_permits(1);
    disconnected_once(&mut server).await;
}

#[tokio::test]
async fn the_connection_breaks_during_a_request_which_is_run_to_its_end() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let data = json!({ "consumerId": "00000000000000ff" });
    client.request(1, &json!(["pauseConsumer", { "n": 1, "data": data }])).await;
    client.request(2, &json!(["pauseConsumer", { "n": 2, "data": data }])).await;
    server.counts("requests_total", 1).await;
    drop(client);
    let closed = async {
        while !server.outbox(0).is_closed() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, closed).await.expect("the outbox to close");
    server.room.gate.add_permits(2);
    assert_eq!(server.seen().await, Seen::Request(1));
    disconnected_once(&mut server).await;
}

#[tokio::test]
async fn a_panic_of_the_handler_closes_its_socket_only() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let mut other = Client::open(server.address).await;
    other.connect("panic").await;
    other.closed().await;
    assert_eq!(server.seen().await, Seen::Connect("panic".to_owned()));
    client.request(1, &json!(["closeConsumer", { "n": 1, "data": { "consumerId": "00000000000000ff" } }])).await;
    client.closed().await;
    disconnected_once(&mut server).await;
}

#[tokio::test]
async fn a_burst_that_fits_the_outbox_reaches_the_client_whole() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let outbox = server.outbox(0);
    for seq in 0..250 {
        let left = Notification::ParticipantLeft { seq, participant_id: protocol::ParticipantId(1), by: None };
        outbox.notify(left).expect("room");
    }
    for seq in 0..250 {
        let (_, data): (_, Value) = client.event().await;
        assert_eq!(data["seq"], seq);
    }
}

#[tokio::test]
async fn a_client_that_falls_behind_is_closed() {
    let mut server = Server::start().await;
    let _client = server.client().await;
    let outbox = server.outbox(0);
    while outbox.notify(Notification::AudioLevels { levels: Vec::new() }).is_ok() {}
    disconnected_once(&mut server).await;
    assert_eq!(server.counted("closed_too_slow_total"), 1);
}

#[tokio::test]
async fn a_socket_that_never_connects_is_gone_in_five_seconds() {
    let server = Server::start().await;
    let mut idle = Client::open(server.address).await;
    let mut stranger = Client::open(server.address).await;
    stranger.send("0/admin,{}").await;
    let opened = Instant::now();
    idle.closed().await;
    stranger.closed().await;
    assert!(opened.elapsed().as_secs() < 10);
    server.counts("sockets_open", 0).await;
    assert_eq!(server.counted("closed_connect_timeout_total"), 2);
}
