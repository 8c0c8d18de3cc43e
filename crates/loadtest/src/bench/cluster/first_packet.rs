//! From the join to the first packet of media: with the publisher on the same node, and on another.

use std::time::Duration;

use loadtest::client::VideoConfig;

use super::Context;
use super::nodes::Nodes;
use super::usage::Usage;
use crate::bench::row::Row;
use crate::bench::works::{camera, room};
use crate::crowd::{Crowd, Plan};
use crate::shapes::VIDEO;

/// Rooms with a publisher each, and one who joins.
const ROOMS: u32 = 20;
const JOINS_PER_SECOND: u32 = 5;
const RUNS: u32 = 4;
/// A picture of one packet: what is measured is the waiting.
const SMALL: VideoConfig = VideoConfig { packets: 1, keyframe_packets: 1, ..VIDEO };
/// Until the other node has read that there is a publisher.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) async fn measure(context: &Context, name: &str) -> anyhow::Result<Row> {
    let nodes = Nodes::start(context, 2, None).await?;
    let mut row = Row::new(name);
    let usage = Usage::begin(context, &nodes)?;
    let mut waits = [Vec::new(), Vec::new()];
    for run in 0..RUNS {
        for (node, waits) in waits.iter_mut().enumerate() {
            let rooms = |publishers, viewers| {
                let plan = room(&format!("first-{run}-{node}"), publishers, viewers);
                Plan { rooms: ROOMS, verify_every: u32::MAX, ..plan }
            };
            let publishers = Crowd::enter(nodes.doors(0, 0)?, rooms(vec![camera(SMALL)], 0)).await?;
            tokio::time::sleep(SETTLE).await;
            let joining = Plan { found: 1, ramp: JOINS_PER_SECOND, ..rooms(Vec::new(), 1) };
            let joined = Crowd::enter(nodes.doors(0, node)?, joining).await?;
            let mut first: Vec<_> = joined.drive.totals()?.first_packets.iter().map(Duration::as_secs_f64).collect();
            first.sort_unstable_by(f64::total_cmp);
            waits.push([first.len() / 2, first.len() * 9 / 10].map(|place| 1000.0 * first[place]));
            joined.leave().await?;
            publishers.leave().await?;
        }
    }
    usage.end(&mut row)?;
    let [one, two] = &waits;
    row.figure("one_node_ms_p50", one.iter().map(|[p50, _]| *p50));
    row.figure("two_nodes_ms_p50", two.iter().map(|[p50, _]| *p50));
    row.figure("one_node_ms_p90", one.iter().map(|[_, p90]| *p90));
    row.figure("two_nodes_ms_p90", two.iter().map(|[_, p90]| *p90));
    row.figure_at_most(1.5, "ratio_p50", one.iter().zip(two).map(|([one, _], [two, _])| two / one));
    row.figure("ratio_p90", one.iter().zip(two).map(|([_, one], [_, two])| two / one));
    Ok(row)
}
