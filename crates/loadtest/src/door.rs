//! Where somebody asks for a place in a room, and how the node is reached that is the answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use protocol::NodeId;
use protocol::request::{JoinPlace, JoinPlaceReply};

use crate::http;

/// A way in: a single server, a node of a cluster, or what stands before all of them.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    asks: SocketAddr,
    /// Where nodes are reached; one that is not here, where was asked.
    nodes: Arc<BTreeMap<NodeId, SocketAddr>>,
    /// Nodes that nobody who comes this way is sent to, as long as there is another.
    avoids: Vec<NodeId>,
}

impl From<SocketAddr> for Door {
    fn from(server: SocketAddr) -> Self {
        Self { asks: server, nodes: Arc::default(), avoids: Vec::new() }
    }
}

impl Door {
    /// Into a cluster by one of its nodes, without anything before them.
    pub(crate) fn of_node(asks: SocketAddr, nodes: BTreeMap<NodeId, SocketAddr>, avoids: Vec<NodeId>) -> Self {
        Self { asks, nodes: Arc::new(nodes), avoids }
    }

    /// The place in a room, and the address at which its `path` is.
    pub(crate) async fn place(&self, room: &str) -> anyhow::Result<(JoinPlaceReply, SocketAddr)> {
        let asked = JoinPlace { resume_token: None, avoid: self.avoids.clone() };
        let path = format!("/api/v1/rooms/{room}/join");
        let body = http::request(self.asks, "POST", &path, &serde_json::to_string(&asked)?).await?;
        let mut place: JoinPlaceReply = serde_json::from_str(&body).context("not a JoinPlaceReply")?;
        let Some(address) = self.nodes.get(&place.node) else { return Ok((place, self.asks)) };
        // The rest is a load balancer's, which takes it away.
        let own = place.path.strip_prefix("/nodes/").and_then(|path| path.split_once('/'));
        if let Some((_, path)) = own {
            place.path = format!("/{path}");
        }
        Ok((place, *address))
    }
}

/// By which doors the people of a room come.
#[derive(Debug, Clone)]
pub(crate) struct Doors {
    pub(crate) publishers: Door,
    pub(crate) viewers: Door,
}

impl From<SocketAddr> for Doors {
    fn from(server: SocketAddr) -> Self {
        Self { publishers: server.into(), viewers: server.into() }
    }
}
