//! `POST /api/v1/rooms/{room}/join`.

use protocol::limits::Limits;

use crate::support::{Answer, Seen, Server, http};

async fn join(server: &Server, room: &str, body: &str) -> Answer {
    http(server.address, "POST", &format!("/api/v1/rooms/{room}/join"), &[], body).await
}

#[tokio::test]
async fn a_place_is_told() {
    let mut server = Server::start().await;
    for body in ["", "{}", r#"{"resumeToken":"r"}"#] {
        let answer = join(&server, "daily", body).await;
        assert_eq!((answer.status, answer.json()["token"].as_str()), (200, Some("t")), "{body}");
        let resume = body.contains("resume").then(|| "r".to_owned());
        assert_eq!(server.seen().await, Seen::Join("daily".to_owned(), resume));
    }
}

#[tokio::test]
async fn errors_have_their_status() {
    let server = Server::start().await;
    for (room, body, status, code) in [
        ("private", "", 403, "forbidden"),
        ("absent", "", 404, "not_found"),
        ("secret", "", 401, "unauthorized"),
        ("draining", "", 503, "draining"),
        ("daily", "[]", 400, "bad_request"),
        ("daily", "{", 400, "bad_request"),
        ("daily", r#"{"x":1}"#, 400, "bad_request"),
        ("daily", &"x".repeat(70_000), 413, "too_large"),
        ("Daily", "", 400, "bad_request"),
        ("%ff", "", 400, "bad_request"),
        ("a%2fb", "", 400, "bad_request"),
        (&"x".repeat(65), "", 400, "bad_request"),
    ] {
        let answer = join(&server, room, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{room} {}", body.len());
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
    }
    let wrong = join(&server, "Daily", "").await.json();
    assert!(wrong["message"].as_str().expect("a text").contains("a-z, 0-9"), "{wrong}");
}

#[tokio::test]
async fn what_does_not_exist_answers_as_json_too() {
    let server = Server::start().await;
    let answer = http(server.address, "GET", "/api/v1/rooms/daily/join", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!(answer.code(), "bad_request");
    for path in ["/api/v1/nothing", "/api/v1/rooms/a/b/join", "/api/"] {
        let answer = http(server.address, "GET", path, &[], "").await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_address_joins_so_often() {
    let server = Server::with(Limits { joins_per_second_per_address: 1, ..Limits::default() }).await;
    let mut last = join(&server, "daily", "").await;
    for _ in 0..15 {
        last = join(&server, "daily", "").await;
    }
    assert_eq!((last.status, last.code().as_str()), (429, "rate_limited"));
    assert_eq!(last.header("retry-after"), Some("1"));
    assert!(server.counted("refused_join_rate_total") > 0);
}
