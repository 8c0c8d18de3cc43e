//! The origin check, on the join call and both transports.

use tokio_tungstenite::tungstenite;

use crate::support::{Client, Server, http};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";
const JOIN: &str = "/api/v1/rooms/daily/join";

#[tokio::test]
async fn pages_of_other_origins_are_refused_everywhere() {
    let server = Server::start().await;
    for (method, path) in [("POST", JOIN), ("GET", POLL), ("OPTIONS", JOIN)] {
        let own = format!("origin: http://{}", server.address);
        for origin in ["origin: https://evil.org", "origin: null", &own] {
            let answer = http(server.address, method, path, &[origin], "").await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path} {origin}");
            assert!(answer.header("access-control-allow-origin").is_none());
        }
    }
    let refused = Client::try_open(server.address, Some("https://evil.org")).await.err();
    assert!(matches!(refused, Some(tungstenite::Error::Http(answer)) if answer.status() == 403));
    assert_eq!(server.counted("refused_origin_total"), 10);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_read_the_answers() {
    let server = Server::start().await;
    let origin = "origin: https://meet.example.com";
    for (method, path) in [("POST", JOIN), ("GET", POLL)] {
        let answer = http(server.address, method, path, &[origin], "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://meet.example.com"));
    }
    let preflight = http(server.address, "OPTIONS", JOIN, &[origin, "access-control-request-method: POST"], "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, Some("content-type")));
    assert!(Client::try_open(server.address, Some("https://meet.example.com")).await.is_ok());
}
