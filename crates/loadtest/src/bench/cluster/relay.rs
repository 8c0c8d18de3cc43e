//! What a stream costs the node that sends it to another, and the one that takes it and gives it to a receiver, beside
//! a node that has both, publisher and receiver.

use std::time::Duration;

use super::Context;
use super::nodes::Nodes;
use crate::bench::row::Row;
use crate::bench::window::{Window, pause};
use crate::bench::works::{camera, room};
use crate::crowd::{Crowd, Plan};
use crate::shapes::VIDEO;

/// Rooms with a publisher each.
const STREAMS: u32 = 30;
const WARM_UP: Duration = Duration::from_secs(2);

/// CPU time that a node took in a window.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// The one with the publishers.
    first: Duration,
    second: Duration,
}

pub(super) async fn measure(context: &Context, name: &str) -> anyhow::Result<Row> {
    let bench = &context.bench;
    // All but the nodes.
    bench.generator.take()?;
    let nodes = Nodes::start(context, 2, Some(&bench.server)).await?;
    let unheard = enter(&nodes, "unheard", 0, 0).await?;
    let local = enter(&nodes, "local", 1, 0).await?;
    let relayed = enter(&nodes, "relayed", 1, 1).await?;

    let mut row = Row::new(name);
    let [mut publishing, mut both, mut sending, mut taking] = [const { Vec::new() }; 4];
    for _ in 0..bench.runs {
        let (idle, _) = open(context, &nodes, &[]).await?;
        let (with_unheard, _) = open(context, &nodes, &[&unheard]).await?;
        let (with_local, void) = open(context, &nodes, &[&local]).await?;
        row.void_because(void);
        let (with_relayed, void) = open(context, &nodes, &[&relayed]).await?;
        row.void_because(void);
        let cost = |with: Duration, without: Duration| {
            let more = with.as_secs_f64() - without.as_secs_f64();
            1e6 * more / bench.server_time.as_secs_f64() / f64::from(STREAMS)
        };
        publishing.push(cost(with_unheard.first, idle.first));
        both.push(cost(with_local.first, idle.first));
        sending.push(cost(with_relayed.first, idle.first));
        taking.push(cost(with_relayed.second, idle.second));
    }
    bench.all.take()?;

    let ratio = |costs: &[f64]| costs.iter().zip(&both).map(|(cost, both)| cost / both).collect::<Vec<_>>();
    row.figure_at_most(1.3, "sending_node_ratio", ratio(&sending));
    row.figure_at_most(1.3, "taking_node_ratio", ratio(&taking));
    let costs = publishing.iter().zip(&both).zip(&sending);
    let added = costs.map(|((publishing, both), sending)| (sending - publishing) / (both - publishing));
    row.figure_at_most(1.3, "pipe_to_receiver_ratio", added);
    // In microseconds of CPU time for each second of a stream.
    row.figure("publisher_us_per_second", publishing);
    row.figure("publisher_and_receiver_us_per_second", both);
    row.figure("sending_node_us_per_second", sending);
    row.figure("taking_node_us_per_second", taking);
    Ok(row)
}

/// Rooms with a publisher on the first node, and so many who watch on one of the two. They pause.
async fn enter(nodes: &Nodes, name: &str, viewers: u32, on: usize) -> anyhow::Result<Crowd> {
    let plan = Plan { rooms: STREAMS, ..room(name, vec![camera(VIDEO)], viewers) };
    let crowd = Crowd::enter(nodes.doors(0, on)?, plan).await?;
    tokio::time::sleep(WARM_UP).await;
    pause(&[&crowd]).await?;
    Ok(crowd)
}

/// Lets people send for a while. The second part says why it does not count, for those whom somebody watches.
async fn open(context: &Context, nodes: &Nodes, crowds: &[&Crowd]) -> anyhow::Result<(Taken, Option<String>)> {
    let (bench, first, second) = (&context.bench, &nodes.servers()[0], &nodes.servers()[1]);
    let before = second.cpu()?;
    let window = Window::open(bench, first, &bench.server, crowds, bench.server_time).await?;
    let taken = Taken { first: window.cpu, second: second.cpu()?.saturating_sub(before) };
    Ok((taken, window.void()))
}
