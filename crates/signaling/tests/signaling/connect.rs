//! CONNECT and the welcome.

use protocol::limits::Limits;
use serde_json::json;

use crate::support::{Client, Seen, Server, auth};

#[tokio::test]
async fn a_client_is_welcomed() {
    let mut server = Server::start().await;
    let mut client = Client::open(server.address).await;
    client.connect("t").await;
    let welcome = client.welcome().await;
    assert_eq!(welcome["ok"], true);
    assert_eq!(welcome["data"]["participantId"], "0000000000000000");
    let settings = json!(protocol::RoomSettings::default());
    let room =
        json!({ "roomId": "r", "seq": 7, "participants": [], "videoCodecs": [], "chat": [], "settings": settings });
    assert_eq!(welcome["data"]["room"], room);
    assert_eq!(server.seen().await, Seen::Connect("t".to_owned()));
    assert_eq!((server.counted("sockets_open"), server.counted("sessions_open")), (1, 1));
}

#[tokio::test]
async fn a_client_can_resume() {
    let mut server = Server::start().await;
    let mut client = Client::open(server.address).await;
    client.send(r#"0{"token":"session","resume":{"seq":4}}"#).await;
    client.receive().await.expect("a CONNECT");
    assert_eq!(client.welcome().await["ok"], true);
    assert_eq!(server.seen().await, Seen::Connect("session".to_owned()));
}

#[tokio::test]
async fn a_refused_client_is_told_why_and_its_connection_is_closed() {
    let mut server = Server::start().await;
    let mut client = Client::open(server.address).await;
    client.connect("refused").await;
    let welcome = client.welcome().await;
    assert_eq!(welcome["ok"], false);
    assert_eq!(welcome["error"]["code"], "unauthorized");
    assert_eq!(client.receive().await.as_deref(), Some("1"), "DISCONNECT, so that socket.io-client stays away");
    client.closed().await;
    server.counts("sockets_open", 0).await;
    assert_eq!(server.seen().await, Seen::Connect("refused".to_owned()));
    server.seen_nothing_else();
}

#[tokio::test]
async fn auth_of_the_wrong_shape_is_refused_before_the_handler() {
    let mut server = Server::start().await;
    let both = json!({ "token": "t", "resume": { "seq": 1 }, "join": auth("t")["join"] }).to_string();
    for payload in ["", "{}", "[]", "null", "{", r#"{"token":"t"}"#, r#"{"token":7,"resume":{"seq":1}}"#, &both] {
        let mut client = Client::open(server.address).await;
        client.send(&format!("0{payload}")).await;
        client.receive().await.expect("a CONNECT");
        let welcome = client.welcome().await;
        assert_eq!(welcome["error"]["code"], "bad_request", "{payload}");
    }
    server.seen_nothing_else();
    assert_eq!(server.counted("refused_connect_shape_total"), 8);
}

#[tokio::test]
async fn a_second_connect_is_harmless() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    for _ in 0..3 {
        client.send(&format!("0{}", auth("other"))).await;
    }
    client.request(1, &json!(["leave", { "n": 1 }])).await;
    assert_eq!(client.acknowledged(1).await["ok"], true);
    assert_eq!(server.seen().await, Seen::Request(1));
    assert_eq!(server.counted("duplicate_connects_total"), 3);
}

#[tokio::test]
async fn connects_that_race_open_one_session() {
    let mut server = Server::start().await;
    let mut client = Client::open(server.address).await;
    client.connect("slow").await;
    client.send(&format!("0{}", auth("t"))).await;
    client.request(1, &json!(["leave", { "n": 1 }])).await;
    assert_eq!(client.acknowledged(1).await["error"]["code"], "not_joined");
    server.room.gate.add_permits(1);
    assert_eq!(client.welcome().await["ok"], true);
    assert_eq!(server.seen().await, Seen::Connect("slow".to_owned()));
    server.seen_nothing_else();
}

#[tokio::test]
async fn other_namespaces_do_not_exist() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    client.send("0/admin,{}").await;
    let refusal = client.receive().await.expect("a CONNECT_ERROR");
    assert_eq!(refusal, r#"4/admin,{"message":"Invalid namespace"}"#);
}

#[tokio::test]
async fn an_address_has_so_many_sockets() {
    let mut server = Server::with(Limits { sockets_per_address_max: 1, ..Limits::default() }).await;
    let mut first = server.client().await;
    let mut second = Client::open(server.address).await;
    second.connect("t").await;
    assert_eq!(second.welcome().await["error"]["code"], "limit_reached");
    second.closed().await;
    first.send("1").await;
    first.closed().await;
    server.counts("sockets_open", 0).await;
    assert_eq!(server.counted("refused_sockets_per_address_total"), 1);
    let mut third = Client::open(server.address).await;
    third.connect("t").await;
    assert_eq!(third.welcome().await["ok"], true);
}

#[tokio::test]
async fn an_address_opens_so_many_sockets_per_second() {
    let server = Server::with(Limits { joins_per_second_per_address: 1, ..Limits::default() }).await;
    let mut refused = 0;
    for _ in 0..15 {
        refused += usize::from(Client::try_open(server.address, None).await.is_err());
    }
    assert!((1..=5).contains(&refused), "{refused} of 15 were refused");
    assert_eq!(server.counted("refused_connect_rate_total"), refused as u64);
}
