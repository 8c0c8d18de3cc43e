//! What every [`StateStore`] has to keep, whatever it is made of.

use std::time::Duration;

use protocol::Incarnation;

use super::{Listing, NodeEntry, NodeState, StateStore};

/// Runs the whole contract on an empty store whose clock `advance` moves on (or waits for), with leases as long as
/// `lease`.
pub(crate) async fn check(store: &StateStore, lease: Duration, advance: impl AsyncFn(Duration)) {
    a_node_is_known_for_its_lease(store, lease, &advance).await;
    a_renewal_replaces_what_was_known(store, lease, &advance).await;
    lives_of_one_node_are_apart(store, lease).await;
}

pub(crate) fn entry(incarnation: u128) -> NodeEntry {
    NodeEntry {
        node: "node-1".parse().expect("a node id"),
        incarnation: Incarnation(incarnation),
        version: "0.1.0".to_owned(),
        state: NodeState::Ready,
        participants: 0,
        busy_permille: 0,
        link: None,
    }
}

async fn nodes(store: &StateStore) -> Vec<NodeEntry> {
    let Listing { nodes, unreadable } = store.list().await.expect("a store");
    assert_eq!(unreadable, []);
    nodes
}

async fn a_node_is_known_for_its_lease(store: &StateStore, lease: Duration, advance: &impl AsyncFn(Duration)) {
    store.put(entry(1), lease).await.expect("a store");
    advance(lease / 2).await;
    assert_eq!(nodes(store).await, [entry(1)]);
    advance(lease).await;
    assert_eq!(nodes(store).await, []);
}

async fn a_renewal_replaces_what_was_known(store: &StateStore, lease: Duration, advance: &impl AsyncFn(Duration)) {
    store.put(entry(1), lease).await.expect("a store");
    advance(lease * 2 / 3).await;
    let draining =
        NodeEntry { state: NodeState::Draining, participants: 7, link: "127.0.0.1:4600".parse().ok(), ..entry(1) };
    store.put(draining.clone(), lease).await.expect("a store");
    advance(lease * 2 / 3).await;
    assert_eq!(nodes(store).await, [draining]);
    store.remove(Incarnation(1)).await.expect("a store");
}

async fn lives_of_one_node_are_apart(store: &StateStore, lease: Duration) {
    for incarnation in [3, 2] {
        store.put(entry(incarnation), lease).await.expect("a store");
    }
    assert_eq!(nodes(store).await, [entry(2), entry(3)]);
    store.remove(Incarnation(2)).await.expect("a store");
    store.remove(Incarnation(2)).await.expect("removing twice is nothing");
    assert_eq!(nodes(store).await, [entry(3)]);
    store.remove(Incarnation(3)).await.expect("a store");
}
