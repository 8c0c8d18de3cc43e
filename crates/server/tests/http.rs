//! The composed server over HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use hyperion::config::{Config, Turn};
use hyperion::server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn config() -> Config {
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        media_port: 0,
        workers: 1,
        announce: vec!["127.0.0.1".parse().expect("an address")],
        ..Config::default()
    }
}

async fn start() -> Server {
    Server::start(config()).await.expect("the server starts")
}

async fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    ask_at(server.listen(), method, path, headers, body).await
}

async fn ask_at(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let stream = TcpStream::connect(address).await.expect("it listens");
    ask_through(stream, method, path, headers, body).await
}

async fn ask_through(mut stream: TcpStream, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

async fn get(server: &Server, path: &str) -> Answer {
    ask(server, "GET", path, "", "").await
}

#[tokio::test]
async fn pages_come_with_their_policy_and_are_checked_for_news() {
    let server = start().await;
    for path in ["/", "/r/daily"] {
        let page = get(&server, path).await;
        assert_eq!(page.status, 200, "{path}");
        for header in [
            "content-type: text/html; charset=utf-8",
            "content-security-policy: default-src 'self'; script-src 'self';",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "permissions-policy: camera=(self), microphone=(self), display-capture=(self)",
            "cross-origin-opener-policy: same-origin",
            "cache-control: no-cache",
        ] {
            assert!(page.head.contains(header), "{path} lacks {header}:\n{}", page.head);
        }
        let tag = page.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").replace("w/", "W/");
        let known = ask(&server, "GET", path, &format!("if-none-match: {tag}\r\n"), "").await;
        assert_eq!((known.status, known.body.as_str()), (304, ""));
    }
    let head = ask(&server, "HEAD", "/", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_asker_s_form() {
    let server = start().await;
    for path in ["/nothing", "/r/a/b", "/assets/none.js", "/../Cargo.toml"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
    let opened = ask(&server, "GET", "/nothing", "accept: text/html,*/*;q=0.8\r\n", "").await;
    assert_eq!(opened.status, 404);
    assert!(opened.head.contains("content-type: text/html") && opened.head.contains("content-security-policy"));
    for path in ["/api", "/api/v1/nothing"] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status, 404);
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        assert!(answer.body.contains("\"code\":\"not_found\""), "{}", answer.body);
    }
    assert_eq!(ask(&server, "POST", "/", "", "").await.status, 405);
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn without_its_kafka_a_server_starts_and_says_that_it_waits() {
    let mut config = config();
    // Nothing listens there.
    config.kafka.brokers = vec!["127.0.0.1:1".to_owned()];
    let server = Server::start(config).await.expect("the server starts");
    assert!(server.is_waiting());
    assert_eq!(get(&server, "/healthz").await.status, 200);
    let answer = get(&server, "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "{\"status\":\"starting\"}"));
    let metrics = get(&server, "/metrics").await;
    assert!(metrics.body.contains("\nhyperion_log_reachable 0\n"), "{}", metrics.body);
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let server = start().await;
    assert_eq!(get(&server, "/healthz").await.body, "ok\n");
    assert_eq!(get(&server, "/readyz").await.body, "{\"status\":\"ready\"}");
    let metrics = get(&server, "/metrics").await;
    assert_eq!(metrics.status, 200);
    for line in [
        "# TYPE hyperion_joins_total counter",
        "hyperion_rooms 0",
        "# TYPE hyperion_join_duration_seconds histogram",
        "hyperion_join_duration_seconds_bucket{le=\"+Inf\"} 0",
        "hyperion_worker_deaths_total{worker=\"0\"} 0",
        "hyperion_worker_transports{worker=\"0\"} 0",
        "hyperion_worker_dropped_total{worker=\"0\",cause=\"refused\"} 0",
        "hyperion_signaling_sockets_open 0",
        "hyperion_log_reachable 1",
        "hyperion_log_refused_total 0",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "no '{line}' in\n{}", metrics.body);
    }
    let through_a_proxy = ask(&server, "GET", "/metrics", "x-forwarded-for: 192.0.2.1\r\n", "").await;
    assert_eq!(through_a_proxy.status, 403);
    let described = "# HELP hyperion_signaling_refused_binary_total Messages with binary attachments.\n";
    assert!(metrics.body.contains(described), "{}", metrics.body);
    // Every family once, every sample below its family.
    let families: Vec<&str> = metrics.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let names: std::collections::BTreeSet<&str> = families.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names.len(), families.len());
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn without_a_media_worker_it_is_not_ready() {
    let server = start().await;
    server.conductor().pool().stop();
    let answer = get(&server, "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "{\"status\":\"broken\"}"));
    assert_eq!(get(&server, "/healthz").await.status, 200);
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn the_join_call_answers_its_own_pages_only() {
    let server = start().await;
    let port = server.listen().port();
    let json = "content-type: application/json\r\n";
    let own = format!("{json}origin: http://localhost:{port}\r\n");
    let place = ask(&server, "POST", "/api/v1/rooms/daily/join", &own, "{}").await;
    assert_eq!(place.status, 200, "{}", place.body);
    assert!(place.body.contains("\"path\":\"/socket.io/\""), "{}", place.body);
    assert!(place.body.contains("audio/opus") && place.body.contains("video/VP8"), "{}", place.body);

    let foreign = format!("{json}origin: https://evil.example\r\n");
    assert_eq!(ask(&server, "POST", "/api/v1/rooms/daily/join", &foreign, "{}").await.status, 403);
    let forged = ask(&server, "POST", "/api/v1/rooms/daily/join", &own, "{\"resumeToken\":\"AAAA\"}").await;
    assert_eq!(forged.status, 401);
    assert!(forged.body.contains("\"code\":\"unauthorized\""), "{}", forged.body);
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn plain_http_is_sent_to_https() {
    let data_dir = std::env::temp_dir().join(format!("hyperion-http-{}", std::process::id()));
    let config = Config {
        listen: "0.0.0.0:0".parse().expect("an address"),
        open: true,
        data_dir: Some(data_dir.clone()),
        ..config()
    };
    let server = Server::start(config).await.expect("the server starts");
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), server.listen().port());
    let answer = ask_at(address, "GET", "/r/daily?x=1", "", "").await;
    assert_eq!(answer.status, 307);
    assert!(answer.head.contains("location: https://localhost/r/daily?x=1"), "{}", answer.head);
    server.stop().await.expect("it stops");
    std::fs::remove_dir_all(data_dir).expect("removed");
}

#[tokio::test]
async fn beyond_loopback_a_trusted_proxy_and_nobody_else_speaks_plain_http() {
    let data_dir = std::env::temp_dir().join(format!("hyperion-proxy-{}", std::process::id()));
    let config = Config {
        listen: "0.0.0.0:0".parse().expect("an address"),
        open: true,
        trusted_proxies: vec!["127.0.7.0/30".parse().expect("a range")],
        allowed_origins: vec!["https://meet.example.org".to_owned()],
        data_dir: Some(data_dir.clone()),
        ..config()
    };
    let server = Server::start(config).await.expect("the server starts");
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), server.listen().port());
    let from = |peer: &str, headers: &'static str| {
        let peer: SocketAddr = format!("{peer}:0").parse().expect("an address");
        async move {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind(peer).expect("an address of loopback");
            let stream = socket.connect(address).await.expect("it listens");
            ask_through(stream, "POST", "/api/v1/rooms/daily/join", headers, "{}").await
        }
    };
    let headers =
        "content-type: application/json\r\norigin: https://meet.example.org\r\nx-forwarded-for: 192.0.2.9\r\n";
    let proxy = from("127.0.7.2", headers).await;
    assert_eq!(proxy.status, 200, "{}", proxy.body);
    for stranger in ["127.0.0.1", "127.0.7.4"] {
        let answer = from(stranger, headers).await;
        assert_eq!(answer.status, 307, "{stranger}: {}", answer.body);
        assert!(answer.head.contains("location: https://"), "{}", answer.head);
    }
    server.stop().await.expect("it stops");
    std::fs::remove_dir_all(data_dir).expect("removed");
}

#[tokio::test]
async fn whoever_joins_is_told_of_the_turn_server() {
    let secret = std::env::temp_dir().join(format!("hyperion-turn-{}", std::process::id()));
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").expect("a temporary file");
    let urls = vec!["turn:turn.example.org:3478?transport=udp".to_owned(), "turns:turn.example.org".to_owned()];
    let server = Server::start(Config { turn: Turn { urls, secret_file: Some(secret.clone()) }, ..config() });
    let server = server.await.expect("the server starts");
    std::fs::remove_file(secret).expect("the temporary file");
    let place = ask(&server, "POST", "/api/v1/rooms/daily/join", "content-type: application/json\r\n", "{}").await;
    assert_eq!(place.status, 200, "{}", place.body);
    for part in [
        "\"iceServers\":[{\"urls\":[\"turn:turn.example.org:3478?transport=udp\",",
        "\"username\":\"",
        "\"credential\":\"",
    ] {
        assert!(place.body.contains(part), "no {part} in {}", place.body);
    }
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_port_in_use_is_said_once_with_its_flag() {
    let server = start().await;
    let refused = |config: Config| async move {
        let error = Server::start(config).await.map(|_| ()).expect_err("the port is in use");
        format!("{error:#}")
    };
    let listen = refused(Config { listen: server.listen(), ..config() }).await;
    let media = refused(Config { media_port: server.media()[0].port(), ..config() }).await;
    for (message, flag) in [(listen, "--listen"), (media, "--media-port")] {
        assert_eq!(message.matches("in use").count(), 1, "{message}");
        assert!(message.contains(flag), "{message}");
    }
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn ports_are_real_and_stopping_frees_them() {
    let server = start().await;
    let (listen, media) = (server.listen(), server.media().to_vec());
    assert_eq!(server.url(), format!("http://127.0.0.1:{}/", listen.port()));
    assert!(listen.port() != 0 && media.len() == 1 && media[0].port() != 0);
    assert!(server.details().contains(&media[0].to_string()));
    server.stop().await.expect("it stops");
    assert!(TcpStream::connect(listen).await.is_err());
    std::net::UdpSocket::bind(media[0]).expect("the media port is free again");
}
