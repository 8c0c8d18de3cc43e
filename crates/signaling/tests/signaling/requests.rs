//! Requests and their acknowledgements, limits and beats.

use protocol::limits::Limits;
use protocol::{ErrorCode, Notification};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Seen, Server};

const CONSUMER: &str = "00000000000000ff";

fn consumer(event: &str, n: u64) -> Value {
    json!([event, { "n": n, "data": { "consumerId": CONSUMER } }])
}

#[tokio::test]
async fn a_request_is_acknowledged_with_its_result() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.request(5, &json!(["leave", { "n": 1, "data": {} }])).await;
    assert_eq!(client.acknowledged(5).await, json!({ "ok": true, "data": {} }));
    assert_eq!(server.seen().await, Seen::Request(1));
}

#[tokio::test]
async fn the_handlers_error_is_the_acknowledgement() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.request(0, &consumer("resumeConsumer", 1)).await;
    let error = json!({ "code": "not_found", "message": "no such consumer", "retryable": false });
    assert_eq!(client.acknowledged(0).await, json!({ "ok": false, "error": error }));
}

#[tokio::test]
async fn nothing_wrong_hangs_or_ends_the_session() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    for (event, code) in [
        (json!(["nonsense", { "n": 1 }]), "unknown_request"),
        (json!(["leave"]), "bad_request"),
        (json!(["leave", { "n": 1 }, 2]), "bad_request"),
        (json!(["leave", 7]), "bad_request"),
        (json!(["leave", { "n": 0 }]), "bad_request"),
        (json!(["restartIce", { "n": 1, "data": { "transportId": 5 } }]), "bad_request"),
        (json!([1]), "bad_request"),
    ] {
        client.request(9, &event).await;
        let ack = client.acknowledged(9).await;
        assert_eq!((&ack["ok"], &ack["error"]["code"]), (&json!(false), &json!(code)), "{event}");
    }
    client.send(r#"51-9["leave",{"_placeholder":true,"num":0}]"#).await;
    client.send_message(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.acknowledged(9).await["error"]["code"], "bad_request");
    client.request(10, &json!(["beat"])).await;
    assert_eq!(client.acknowledged(10).await, json!({ "ok": true, "data": {} }));
    server.seen_nothing_else();
}

#[tokio::test]
async fn a_large_message_is_refused_and_a_huge_one_closes() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.request(1, &json!(["leave", { "n": 1, "data": "x".repeat(70_000) }])).await;
    assert_eq!(client.acknowledged(1).await["error"]["code"], "too_large");
    client.request(2, &json!(["leave", { "n": 1, "data": "x".repeat(200_000) }])).await;
    client.closed().await;
    assert!(matches!(server.seen().await, Seen::Disconnected(_)));
    server.counts("closed_transport_error_total", 1).await;
}

#[tokio::test]
async fn requests_run_in_order_and_a_slow_one_holds_up_only_requests() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.request(1, &consumer("pauseConsumer", 1)).await;
    for n in 2..20 {
        client
            .send(&format!(
                "2{}",
                json!(["closeProducer", { "n": n, "data": {
            "producerId": format!("{CONSUMER}-mic") } }])
            ))
            .await;
    }
    client.request(20, &json!(["beat"])).await;
    assert_eq!(client.acknowledged(20).await["ok"], true);
    server.outbox(0).notify(Notification::SessionEnded { reason: ErrorCode::Internal }).expect("room");
    assert_eq!(client.event().await.0, "sessionEnded");
    server.room.gate.add_permits(1);
    assert_eq!(client.acknowledged(1).await["ok"], true);
    for n in 1..20 {
        assert_eq!(server.seen().await, Seen::Request(n));
    }
}

#[tokio::test]
async fn the_queue_of_waiting_requests_is_bounded() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    for n in 1..=80 {
        client.request(n, &consumer("pauseConsumer", n)).await;
    }
    // One is running, 64 wait.
    let refused = client.receive().await.expect("an acknowledgement");
    assert!(refused.starts_with("366[") && refused.contains("rate_limited"), "{refused}");
    server.counts("refused_queue_full_total", 15).await;
}

#[tokio::test]
async fn requests_over_the_rate_are_refused_and_a_flood_closes() {
    let limits = Limits { requests_per_second: 5, ..Limits::default() };
    let mut server = Server::with(limits).await;
    let mut client = server.client().await;
    for id in 100..130 {
        client.request(id, &json!(["restartIce", { "n": 1, "data": { "transportId": CONSUMER } }])).await;
    }
    // Refusals overtake the requests that wait.
    let mut refused = 0;
    for _ in 0..30 {
        let ack = client.receive().await.expect("an acknowledgement");
        if ack.contains("rate_limited") {
            assert!(ack.contains(r#""retryable":true"#), "{ack}");
            refused += 1;
        } else {
            assert!(ack.contains(r#""ok":true"#), "{ack}");
        }
    }
    assert!((1..=10).contains(&refused), "{refused} of 30 were refused");

    for _ in 0..500 {
        client.send(r#"2["restartIce",{}]"#).await;
    }
    client.closed().await;
    assert_eq!(server.counted("closed_flood_total"), 1);
}

#[tokio::test]
async fn what_is_not_socket_io_closes() {
    for message in [Message::text("4hello"), Message::text("x"), Message::text("4"), Message::text("453-[]")] {
        let server = Server::start().await;
        let mut client = Client::open(server.address).await;
        client.send_message(message).await;
        client.closed().await;
        server.counts("sockets_open", 0).await;
    }
}
