//! Proxies in front: whose word for a client's address is taken.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::middleware::map_request;

/// Puts the client's address in place of the peer's for requests that come from one of `proxies`.
pub(crate) fn believe(router: Router, proxies: &[IpAddr]) -> Router {
    if proxies.is_empty() {
        return router;
    }
    let proxies: Arc<[IpAddr]> = proxies.into();
    router.layer(map_request(move |mut request: Request| {
        let proxies = Arc::clone(&proxies);
        async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
            if peer.is_some_and(|peer| proxies.contains(&peer))
                && let Some(client) = client(request.headers())
            {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
            }
            request
        }
    }))
}

/// The last address of the list: the one that the proxy itself wrote.
fn client(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next()?;
    last.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn seen(peer: &str, forwarded: &[&str]) -> String {
        let show = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = believe(Router::new().route("/", get(show)), &["10.0.0.1".parse().expect("an address")]);
        let mut request = Request::builder().uri("/");
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 5)));
        let response = router.oneshot(request).await.expect("an answer");
        let body = axum::body::to_bytes(response.into_body(), 100).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_trusted_proxy_says_who_the_client_is() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.7"]).await, "203.0.113.7");
        assert_eq!(seen("::ffff:10.0.0.1", &["2001:db8::1"]).await, "2001:db8::1");
    }

    #[tokio::test]
    async fn nobody_else_does_and_what_the_client_wrote_does_not_count() {
        assert_eq!(seen("10.0.0.2", &["203.0.113.7"]).await, "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 203.0.113.7"]).await, "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "203.0.113.7"]).await, "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &["nonsense"]).await, "10.0.0.1");
    }
}
