//! `hyperion drain`: who has the secret ends the node, and nobody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hyperion::config::Config;
use hyperion::drain::drain;
use hyperion::server::Server;

/// A directory of its own, which is removed with this value.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("hyperion-drain-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&path).expect("a temporary directory");
        Self(path)
    }

    fn secret(&self, name: &str) -> Option<PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, name.repeat(32)).expect("a file");
        Some(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(listen: Ipv4Addr) -> Config {
    Config {
        listen: SocketAddr::new(listen.into(), 0),
        media_port: 0,
        workers: 1,
        announce: vec!["127.0.0.1".parse().expect("an address")],
        open: true,
        ..Config::default()
    }
}

async fn is_asked(server: &Server) -> bool {
    tokio::time::timeout(Duration::from_millis(200), server.asked_to_end()).await.is_ok()
}

/// By plain HTTP on loopback, by TLS elsewhere.
async fn who_has_the_secret_ends_the_node(listen: Ipv4Addr) {
    let dir = Dir::new();
    let config = Config { cluster_secret_file: dir.secret("a"), data_dir: Some(dir.0.clone()), ..config(listen) };
    let server = Server::start(config.clone()).await.expect("the server starts");
    let config = Config { listen: server.listen(), ..config };

    let other = Config { cluster_secret_file: dir.secret("b"), ..config.clone() };
    let error = drain(&other).await.expect_err("another secret").to_string();
    assert!(error.contains("another secret"), "{error}");
    let error =
        drain(&Config { cluster_secret_file: None, ..config.clone() }).await.expect_err("no secret").to_string();
    assert!(error.contains("--cluster-secret-file"), "{error}");
    assert!(!is_asked(&server).await);

    drain(&config).await.expect("asked");
    assert!(is_asked(&server).await);
    server.stop().await.expect("stopped");
    let error = drain(&config).await.expect_err("it is gone").to_string();
    assert!(error.contains("no node listens"), "{error}");
}

#[tokio::test]
async fn who_has_the_secret_ends_the_node_by_http_on_loopback() {
    who_has_the_secret_ends_the_node(Ipv4Addr::LOCALHOST).await;
}

#[tokio::test]
async fn who_has_the_secret_ends_the_node_by_tls_beyond_it() {
    who_has_the_secret_ends_the_node(Ipv4Addr::UNSPECIFIED).await;
}
