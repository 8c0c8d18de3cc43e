//! Where somebody asks for a place in a room, and how the node is reached that is the answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use protocol::NodeId;
use protocol::request::{JoinPlace, JoinPlaceReply, ResumePlace, ResumePlaceReply};
use serde::Serialize;
use serde::de::DeserializeOwned;

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
        let mut place: JoinPlaceReply = self.ask(room, "join", &asked).await?;
        let address = self.reach(&place.node, &mut place.path);
        Ok((place, address))
    }

    /// Where else than at `node` to go on with a session, and the address at which its `path` is. None if there is no
    /// other.
    pub(crate) async fn elsewhere(
        &self,
        room: &str,
        token: &str,
        node: &NodeId,
    ) -> anyhow::Result<Option<(ResumePlaceReply, SocketAddr)>> {
        let asked = ResumePlace { token: token.to_owned(), avoid: vec![node.clone()] };
        let mut place: ResumePlaceReply = self.ask(room, "resume", &asked).await?;
        let address = self.reach(&place.node, &mut place.path);
        Ok((place.node != *node).then_some((place, address)))
    }

    async fn ask<R: DeserializeOwned>(&self, room: &str, what: &str, asked: &impl Serialize) -> anyhow::Result<R> {
        let path = format!("/api/v1/rooms/{room}/{what}");
        let body = http::request(self.asks, "POST", &path, &serde_json::to_string(asked)?).await?;
        serde_json::from_str(&body).context("not a place in a room")
    }

    /// The address of a node. What of `path` is for a load balancer is taken off where there is none.
    fn reach(&self, node: &NodeId, path: &mut String) -> SocketAddr {
        let Some(address) = self.nodes.get(node) else { return self.asks };
        let own = path.strip_prefix("/nodes/").and_then(|path| path.split_once('/'));
        if let Some((_, own)) = own {
            *path = format!("/{own}");
        }
        *address
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
