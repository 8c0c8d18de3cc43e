//! The registry in Redis: one key per life of a node, which Redis forgets with its lease.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError};
use protocol::Incarnation;
use tokio::sync::Mutex;

use super::{Listing, NodeEntry, StoreError};

/// How long Redis has for an answer. Nobody waits for it but the heartbeat.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Nodes at a time; a cluster has tens.
const NODES_MAX: usize = 1024;

/// A [`StateStore`](super::StateStore) in Redis. Clones share its connection.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    /// What all keys begin with.
    prefix: String,
    /// Dropped with its first error; the next question makes another.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl RedisStore {
    /// A store at `url` (`redis://[user:password@]host:port[/database]`) whose keys begin with `prefix`. Does not
    /// connect yet. Fails if it is no such URL.
    pub fn new(url: &str, prefix: &str) -> Result<Self, StoreError> {
        let client = Client::open(url).map_err(|error| unavailable(&error))?;
        let shared = Shared { client, prefix: prefix.to_owned(), connection: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) async fn put(&self, entry: &NodeEntry, lease: Duration) -> Result<(), StoreError> {
        let value = serde_json::to_string(entry).expect("an entry is plain data");
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let mut command = ::redis::cmd("SET");
        command.arg(self.key(entry.incarnation)).arg(value).arg("PX").arg(lease_ms);
        self.run(async |connection| command.query_async(connection).await).await
    }

    pub(super) async fn list(&self) -> Result<Listing, StoreError> {
        let pattern = format!("{}*", self.shared.prefix);
        let (keys, values): (Vec<String>, Vec<Option<Vec<u8>>>) = self
            .run(async |connection| {
                let mut keys = Vec::<String>::new();
                let mut cursor = 0_u64;
                loop {
                    let mut scan = ::redis::cmd("SCAN");
                    scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(NODES_MAX);
                    let (next, found): (u64, Vec<String>) = scan.query_async(connection).await?;
                    keys.extend(found);
                    cursor = next;
                    if cursor == 0 || keys.len() >= NODES_MAX {
                        break;
                    }
                }
                if keys.is_empty() {
                    return Ok((keys, Vec::new()));
                }
                let values = ::redis::cmd("MGET").arg(&keys).query_async(connection).await?;
                Ok((keys, values))
            })
            .await?;
        // SCAN may name a key twice.
        let (mut nodes, mut unreadable) = (BTreeMap::new(), BTreeSet::new());
        for (key, value) in keys.iter().zip(values) {
            let Some(life) = self.incarnation(key) else { continue };
            match value.map(|value| serde_json::from_slice::<NodeEntry>(&value)) {
                Some(Ok(entry)) => _ = nodes.insert(entry.incarnation, entry),
                // A newer version writes it differently.
                Some(Err(_)) => _ = unreadable.insert(life),
                // Its lease ended just now.
                None => {}
            }
        }
        Ok(Listing { nodes: nodes.into_values().collect(), unreadable: unreadable.into_iter().collect() })
    }

    pub(super) async fn remove(&self, incarnation: Incarnation) -> Result<(), StoreError> {
        let mut command = ::redis::cmd("DEL");
        command.arg(self.key(incarnation));
        self.run(async |connection| command.query_async(connection).await).await
    }

    fn key(&self, incarnation: Incarnation) -> String {
        format!("{}{incarnation}", self.shared.prefix)
    }

    /// The life of a node that a key is about, which it says whatever the value is.
    fn incarnation(&self, key: &str) -> Option<Incarnation> {
        key.strip_prefix(&self.shared.prefix)?.parse().ok()
    }

    async fn run<T>(
        &self,
        ask: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        let mut kept = self.shared.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(ANSWER_TIMEOUT))
                    .set_response_timeout(Some(ANSWER_TIMEOUT));
                let connecting = self.shared.client.get_multiplexed_async_connection_with_config(&config);
                connecting.await.map_err(|error| unavailable(&error))?
            }
        };
        let result = ask(&mut connection).await.map_err(|error| unavailable(&error));
        if result.is_ok() {
            *kept = Some(connection);
        }
        result
    }
}

impl fmt::Debug for RedisStore {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}

fn unavailable(error: &RedisError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
