//! A cluster of a work's own: Kafka, Redis, and nodes that have found each other.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use protocol::NodeId;

use super::Context;
use crate::cores::Cores;
use crate::door::{Door, Doors};
use crate::metrics::Metrics;
use crate::server::Server;
use crate::service::Service;

/// How long nodes may take to find each other, and how often they are asked.
const FOUND_MAX: Duration = Duration::from_secs(20);
const FOUND_INTERVAL: Duration = Duration::from_millis(100);

/// node-1, node-2, …, each with one media worker. All of it ends with this value: the nodes first.
pub(super) struct Nodes {
    servers: Vec<Server>,
    program: PathBuf,
    folder: PathBuf,
    /// Those of every node.
    flags: Vec<String>,
    redis: Service,
    kafka: Service,
}

impl Nodes {
    /// Starts so many, on some cores only if they are given.
    pub(super) async fn start(context: &Context, count: usize, on: Option<&Cores>) -> anyhow::Result<Self> {
        let service = |name: &str| Service::run(&context.scripts.join(name), &context.folder.join(name), &[]);
        let (kafka, redis) = (service("kafka")?, service("redis")?);
        let secret = context.folder.join("secret");
        fs::write(&secret, format!("{:032x}\n", rand::random::<u128>())).context("the cluster's secret")?;
        let (kafka_flag, redis_url) = (kafka.printed.clone(), format!("redis://{}", redis.printed));
        let secret = secret.to_string_lossy().into_owned();
        let flags = [
            ["--kafka", &kafka_flag],
            ["--redis", &redis_url],
            ["--cluster-secret-file", &secret],
            // Few clients say what many would.
            ["--limits-requests-per-second", "10000"],
        ];
        let flags = flags.into_iter().flatten().map(str::to_owned).collect();
        let (program, folder) = (context.bench.program.clone(), context.folder.clone());
        let mut nodes = Self { servers: Vec::new(), program, folder, flags, redis, kafka };
        for number in 0..count {
            let server = nodes.launch(number, on)?;
            nodes.servers.push(server);
        }
        for server in &nodes.servers {
            nodes.found(server.address).await?;
        }
        Ok(nodes)
    }

    /// Starts the process of one, which may not be ready yet.
    fn launch(&self, index: usize, on: Option<&Cores>) -> anyhow::Result<Server> {
        let (name, mut flags) = (name(index)?, self.flags.clone());
        flags.extend(["--node".to_owned(), name.to_string()]);
        let server = Server::start_with(&self.program, 1, on, &flags)?;
        // Should this process be ended, script/bench ends those that it finds there.
        let folder = self.folder.join(name.as_str());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("pid"), server.process().to_string()).context("the node's process")?;
        Ok(server)
    }

    /// Starts one more, which is no part of this value, and waits until it takes people.
    pub(super) async fn start_fresh(&self, index: usize) -> anyhow::Result<Server> {
        let server = self.launch(index, None)?;
        server.ready().await?;
        Ok(server)
    }

    /// Waits until a node knows all of them and has its links to the others.
    async fn found(&self, node: SocketAddr) -> anyhow::Result<()> {
        let (count, deadline) = (self.servers.len(), Instant::now() + FOUND_MAX);
        loop {
            let metrics = Metrics::read(node).await?;
            let ready = metrics.sum("hyperion_nodes_ready") as usize;
            let linked = metrics.count("hyperion_relay_link_round_trip_seconds");
            if ready == count && linked + 1 == count {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("after {FOUND_MAX:?} a node knows {ready} of {count} nodes, with {linked} links");
            }
            tokio::time::sleep(FOUND_INTERVAL).await;
        }
    }

    pub(super) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Where Kafka is.
    pub(super) fn kafka(&self) -> &str {
        &self.kafka.printed
    }

    /// What Kafka and Redis have used so far.
    pub(super) fn services_cpu(&self) -> anyhow::Result<Duration> {
        Ok(self.kafka.cpu()? + self.redis.cpu()?)
    }

    /// The way in that leads to one node only.
    pub(super) fn door(&self, index: usize) -> anyhow::Result<Door> {
        let mut addresses = BTreeMap::new();
        for (index, server) in self.servers.iter().enumerate() {
            addresses.insert(name(index)?, server.address);
        }
        let own = name(index)?;
        let others = addresses.keys().filter(|node| **node != own).cloned().collect();
        Ok(Door::of_node(self.servers[index].address, addresses, others))
    }

    /// Publishers to one node, those who only receive to another.
    pub(super) fn doors(&self, publishers: usize, viewers: usize) -> anyhow::Result<Doors> {
        Ok(Doors { publishers: self.door(publishers)?, viewers: self.door(viewers)? })
    }

    /// What all of them tell of themselves, in their order.
    pub(super) async fn metrics(&self) -> anyhow::Result<Vec<Metrics>> {
        let mut metrics = Vec::new();
        for server in &self.servers {
            metrics.push(Metrics::read(server.address).await?);
        }
        Ok(metrics)
    }
}

/// Nodes are counted from 1 where people read it.
fn name(index: usize) -> anyhow::Result<NodeId> {
    Ok(format!("node-{}", index + 1).parse()?)
}
