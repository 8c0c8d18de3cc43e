//! How evenly people come to be on nodes who join through Nginx and so through any of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use protocol::NodeId;
use tokio::task::JoinSet;

use super::Context;
use super::nodes::Nodes;
use super::usage::Usage;
use crate::bench::row::Row;
use crate::door::Door;
use crate::service::Service;
use crate::signaling::Session;

const NODES: usize = 3;
const ROOMS: u32 = 100;
const PEOPLE: u32 = 600;
const JOINS_PER_SECOND: u32 = 50;
const RUNS: u32 = 3;
/// Until nodes have forgotten whom they sent where, and read who is where.
const FORGET: Duration = Duration::from_secs(6);

pub(super) async fn measure(context: &Context, name: &str) -> anyhow::Result<Row> {
    let nodes = Nodes::start(context, NODES, None).await?;
    let ports = nodes.servers().iter().map(|node| node.address.port().to_string());
    let arguments: Vec<_> = std::iter::once("0".to_owned()).chain(ports).collect();
    let nginx = Service::run(&context.scripts.join("nginx"), &context.folder.join("nginx"), &arguments)?;
    let address = nginx.printed.trim_start_matches("http://").trim_end_matches('/');
    let door = Door::from(address.parse::<SocketAddr>().context("Nginx' address")?);

    let mut row = Row::new(name);
    let usage = Usage::begin(context, &nodes)?;
    let mut people = [Vec::new(), Vec::new()];
    let mut ratios = Vec::new();
    for run in 0..RUNS {
        let mut counts = join(&door, run).await?;
        // One that nobody is on counts too.
        let counts: Vec<_> = (0..NODES).map(|_| counts.pop_first().map_or(0, |(_, count)| count)).collect();
        let (least, most) = (counts.iter().min().copied(), counts.iter().max().copied());
        people[0].extend(least.map(f64::from));
        people[1].extend(most.map(f64::from));
        ratios.push(most_to_mean(&counts));
        tokio::time::sleep(FORGET).await;
    }
    usage.end(&mut row)?;
    let [least, most] = people;
    row.figure("people_on_the_emptiest", least);
    row.figure("people_on_the_fullest", most);
    row.figure_at_most(1.15, "most_to_mean", ratios);
    Ok(row)
}

/// Lets everybody join, one after the other, and leave when all are in. Says how many were on each node.
async fn join(door: &Door, run: u32) -> anyhow::Result<BTreeMap<NodeId, u32>> {
    let (begun, mut joins) = (Instant::now(), JoinSet::new());
    for person in 0..PEOPLE {
        tokio::time::sleep_until((begun + Duration::from_secs(1) * person / JOINS_PER_SECOND).into()).await;
        let (door, room) = (door.clone(), format!("place-{run}-{}", person % ROOMS));
        joins.spawn(async move { Session::join(&door, &room, "Joins").await });
    }
    let mut counts = BTreeMap::new();
    let mut sessions = Vec::new();
    while let Some(joined) = joins.join_next().await {
        let (session, _) = joined??;
        *counts.entry(session.place.node.clone()).or_default() += 1;
        sessions.push(session);
    }
    for session in sessions {
        session.leave().await?;
    }
    Ok(counts)
}

fn most_to_mean(counts: &[u32]) -> f64 {
    let most = counts.iter().max().copied().unwrap_or_default();
    f64::from(most) * counts.len() as f64 / f64::from(counts.iter().sum::<u32>().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_counts_are_one_and_all_on_one_node_as_many_as_there_are_nodes() {
        assert_eq!(most_to_mean(&[200, 200, 200]), 1.0);
        assert_eq!(most_to_mean(&[0, 600, 0]), 3.0);
        assert_eq!(most_to_mean(&[230, 200, 170]), 1.15);
    }
}
