//! The registry in a real Redis, which `script/redis` starts: the contract, and what happens when it dies or forgets.

#[path = "../src/store/contract.rs"]
mod contract;
#[path = "support/script.rs"]
mod script;

use std::time::Duration;

use cluster::store::{LEASE, Listing, NodeEntry, NodeState, StateStore, StoreError};
use cluster::{MemoryStore, RedisStore};
use contract::entry;
use script::Service;

/// Long enough for a busy machine, and short enough to wait for.
const SHORT_LEASE: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_a_store_and_heals_when_redis_does() {
    let script = Service::start("redis");
    let url = format!("redis://{}", script.address());
    let store = StateStore::from(RedisStore::new(&url, "contract:").expect("a URL"));
    contract::check(&store, SHORT_LEASE, async |time: Duration| tokio::time::sleep(time).await).await;

    let (here, elsewhere) = (store, StateStore::from(RedisStore::new(&url, "other:").expect("a URL")));
    here.put(entry(1), LEASE).await.expect("a store");
    assert_eq!(
        elsewhere.list().await.expect("a store"),
        Listing::default(),
        "two clusters on one Redis know nothing of each other"
    );

    // A newer version may write it differently.
    let mut connection = redis::Client::open(&url[..]).expect("a URL").get_connection().expect("a connection");
    let key = format!("other:{}", protocol::Incarnation(7));
    let _: () = redis::cmd("SET").arg(&key).arg(b"\xff{\"later\":1}").query(&mut connection).expect("an answer");
    let _: () = redis::cmd("SET").arg("other:hardly-a-life").arg("x").query(&mut connection).expect("an answer");
    let listing = elsewhere.list().await.expect("a store");
    assert_eq!(listing, Listing { nodes: Vec::new(), unreadable: vec![protocol::Incarnation(7)] });

    script.kill();
    assert!(matches!(here.list().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(here.put(entry(1), LEASE).await, Err(StoreError::Unavailable(_))));
    script.start_again();
    let heals = async {
        while here.put(entry(1), LEASE).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heals).await.expect("it connects again by itself");
    assert_eq!(here.list().await.expect("a store").nodes, [entry(1)]);
}

#[tokio::test]
async fn what_is_no_url_of_a_redis_is_refused() {
    for url in ["", "127.0.0.1:6379", "http://127.0.0.1:6379"] {
        assert!(RedisStore::new(url, "nodes:").is_err(), "{url}");
    }
    let nowhere = StateStore::from(RedisStore::new("redis://127.0.0.1:1", "nodes:").expect("a URL"));
    assert!(matches!(nowhere.list().await, Err(StoreError::Unavailable(_))));
    let entry = NodeEntry { state: NodeState::Draining, ..entry(3) };
    let memory = StateStore::from(MemoryStore::new(|| 0));
    memory.put(entry.clone(), LEASE).await.expect("a store");
    assert_eq!(memory.list().await.expect("a store").nodes, [entry]);
}
