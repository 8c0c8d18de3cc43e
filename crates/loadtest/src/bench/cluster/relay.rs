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

pub(super) async fn measure(context: &Context, name: &str) -> anyhow::Result<Row> {
    let bench = &context.bench;
    // All but the nodes.
    bench.generator.take()?;
    let nodes = Nodes::start(context, 2, Some(&bench.server)).await?;
    let rooms = |name: &str, viewers| Plan { rooms: STREAMS, ..room(name, vec![camera(VIDEO)], viewers) };
    let mut crowds = Vec::new();
    for (name, viewers, node) in [("alone", 0, 0), ("local", 1, 0), ("relayed", 1, 1)] {
        let crowd = Crowd::enter(nodes.doors(0, node)?, rooms(name, viewers)).await?;
        tokio::time::sleep(WARM_UP).await;
        pause(&[&crowd]).await?;
        crowds.push(crowd);
    }

    let mut row = Row::new(name);
    let mut costs = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let [first, second] = nodes.servers() else { anyhow::bail!("two nodes") };
    for _ in 0..bench.runs {
        let mut runs = Vec::new();
        for crowds in [&[][..], &crowds[..1], &crowds[1..2], &crowds[2..]] {
            let crowds: Vec<_> = crowds.iter().collect();
            let before = second.cpu()?;
            let window = Window::open(bench, first, &bench.server, &crowds, bench.server_time).await?;
            if crowds.iter().any(|crowd| crowd.plan.viewers > 0) {
                row.void_because(window.void());
            }
            runs.push([window.cpu, second.cpu()?.saturating_sub(before)].map(|cpu| cpu.as_secs_f64()));
        }
        let [idle, alone, local, relayed] = runs[..] else { anyhow::bail!("four windows") };
        // Of a stream, in microseconds a second.
        let cost = |with: [f64; 2], node: usize| {
            1e6 * (with[node] - idle[node]) / bench.server_time.as_secs_f64() / f64::from(STREAMS)
        };
        for (costs, cost) in costs.iter_mut().zip([cost(alone, 0), cost(local, 0), cost(relayed, 0), cost(relayed, 1)])
        {
            costs.push(cost);
        }
    }
    bench.all.take()?;

    let [alone, local, sending, taking] = &costs;
    let against = |costs: &[f64]| costs.iter().zip(local).map(|(cost, local)| cost / local).collect::<Vec<_>>();
    row.figure_at_most(1.3, "sending_node_ratio", against(sending));
    row.figure_at_most(1.3, "taking_node_ratio", against(taking));
    let more =
        alone.iter().zip(local).zip(sending).map(|((alone, local), sending)| (sending - alone) / (local - alone));
    row.figure_at_most(1.3, "pipe_to_receiver_ratio", more);
    row.figure("unheard_us_per_stream_second", alone.iter().copied());
    row.figure("local_us_per_stream_second", local.iter().copied());
    row.figure("sending_us_per_stream_second", sending.iter().copied());
    row.figure("taking_us_per_stream_second", taking.iter().copied());
    Ok(row)
}
