//! Who took the machine's cores during a measurement: how far from its end the cluster was, and who else was there.

use std::time::{Duration, Instant};

use super::Context;
use super::nodes::Nodes;
use crate::bench::row::Row;
use crate::cpu;
use crate::server::Server;

/// CPU time so far.
pub(super) struct Usage<'a> {
    context: &'a Context,
    nodes: &'a Nodes,
    at: Instant,
    spent: Spent,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    nodes: Duration,
    /// Kafka's and Redis'.
    services: Duration,
    /// This process's.
    generator: Duration,
    /// Everybody's.
    all: Duration,
}

impl<'a> Usage<'a> {
    pub(super) fn begin(context: &'a Context, nodes: &'a Nodes) -> anyhow::Result<Self> {
        Ok(Self { context, nodes, at: Instant::now(), spent: Spent::read(context, nodes)? })
    }

    /// Adds what was taken since the beginning, in percent of a core.
    pub(super) fn end(self, row: &mut Row) -> anyhow::Result<()> {
        let (now, passed) = (Spent::read(self.context, self.nodes)?, self.at.elapsed());
        let share = |of: fn(&Spent) -> Duration| {
            100.0 * of(&now).saturating_sub(of(&self.spent)).as_secs_f64() / passed.as_secs_f64()
        };
        let (nodes, services, generator) = (share(|s| s.nodes), share(|s| s.services), share(|s| s.generator));
        row.figure("nodes_cpu_percent", [nodes]);
        row.figure("kafka_and_redis_cpu_percent", [services]);
        row.figure("generator_cpu_percent", [generator]);
        row.figure("others_cpu_percent", [share(|s| s.all) - nodes - services - generator]);
        Ok(())
    }
}

impl Spent {
    fn read(context: &Context, nodes: &Nodes) -> anyhow::Result<Self> {
        Ok(Self {
            nodes: nodes.servers().iter().map(Server::cpu).sum::<anyhow::Result<_>>()?,
            services: nodes.services_cpu()?,
            generator: cpu::of_process(std::process::id())?,
            all: context.bench.all.busy()?,
        })
    }
}
