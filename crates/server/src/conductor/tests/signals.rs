//! What people show each other in passing.

use protocol::Signal;

use super::nodes::two_nodes;
use super::*;

fn reaction(emoji: &str) -> Request {
    Request::Signal(Signal::Reaction { emoji: emoji.to_owned() })
}

#[tokio::test]
async fn the_others_see_it_on_whichever_node_and_who_shows_it_does_not() {
    let [first, second] = two_nodes().await;
    let mut anna = Page::join(&first, "daily", "Anna").await;
    let mut carl = Page::join(&first, "daily", "Carl").await;
    let mut ben = Page::join(&second, "daily", "Ben").await;
    // What crosses before the link is up is lost.
    let linked = async {
        while first.0.links.as_ref().is_none_or(|links| links.stats().up.is_empty()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, linked).await.expect("linked");
    let id = anna.id();
    let seen = |n: &Notification| matches!(n, Notification::Signal { participant_id, .. } if *participant_id == id);
    let mut shown = 0;
    let crossed = async {
        loop {
            if anna.request(reaction("\u{1F44F}")).await.is_ok() {
                shown += 1;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            if shown > 2 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, crossed).await.expect("shown");
    ben.until(seen).await;
    carl.until(seen).await;
    anna.request(Request::Signal(Signal::Typing {})).await.expect("shown");
    carl.until(|n| matches!(n, Notification::Signal { signal: Signal::Typing {}, .. })).await;
    carl.request(Request::Leave {}).await.expect("left");
    anna.until(|n| {
        assert!(!matches!(n, Notification::Signal { .. }), "not what she showed herself");
        matches!(n, Notification::ParticipantLeft { .. })
    })
    .await;
}

#[tokio::test]
async fn signals_are_bounded_by_length_and_number() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    for emoji in ["", &"x".repeat(33)] {
        assert_eq!(anna.request(reaction(emoji)).await.expect_err("no emoji").code, ErrorCode::BadRequest);
    }
    let mut refused = 0;
    for _ in 0..200 {
        if let Err(error) = anna.request(reaction("\u{1F44D}")).await {
            assert_eq!(error.code, ErrorCode::RateLimited);
            refused += 1;
        }
    }
    assert!((1..=195).contains(&refused), "five at once, and two a second: {refused}");
    let metrics = conductor.0.metrics_text().await;
    assert!(metrics.contains(&format!("hyperion_signals_refused_total {refused}\n")), "{metrics}");
}
