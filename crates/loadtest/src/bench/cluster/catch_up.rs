//! How long a new node reads what happened before it takes people.

use std::time::{Duration, Instant};

use super::Context;
use super::nodes::Nodes;
use super::talk::Talk;
use crate::bench::row::Row;
use crate::metrics::Metrics;

const EVENTS: f64 = 100_000.0;
const ROOMS: u32 = 200;
const PER_SECOND: u32 = 5000;
/// Events are written in such parts until there are enough.
const PART: Duration = Duration::from_secs(5);
const PARTS_MAX: u32 = 12;
const RUNS: usize = 3;

pub(super) async fn measure(context: &Context, name: &str) -> anyhow::Result<Row> {
    let nodes = Nodes::start(context, 1, None).await?;
    let (door, mut talk) = (nodes.door(0)?, Talk::new());
    for room in 0..ROOMS {
        talk.add_writer(&door, &format!("old-{room}")).await?;
    }
    let mut row = Row::new(name);
    let mut parts = 0;
    while nodes.metrics().await?[0].sum("hyperion_log_read_total") < EVENTS {
        anyhow::ensure!(parts < PARTS_MAX, "the log did not take {EVENTS} events in {:?}", PART * PARTS_MAX);
        talk.write(PER_SECOND, PART).await;
        parts += 1;
    }
    let (mut seconds, mut events) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let started = Instant::now();
        let fresh = nodes.start_fresh(1 + run).await?;
        seconds.push(started.elapsed().as_secs_f64());
        let metrics = Metrics::read(fresh.address).await?;
        events.push(metrics.sum("hyperion_log_read_total"));
        let rooms = metrics.sum("hyperion_rooms");
        let known = rooms == f64::from(ROOMS);
        row.void_because((!known).then(|| format!("the new node knows {rooms} of {ROOMS} rooms")));
    }
    row.figure("events_read", events.iter().copied());
    row.figure("events_per_second", events.iter().zip(&seconds).map(|(events, seconds)| events / seconds));
    row.figure_at_most(10.0, "seconds_until_ready", seconds);
    Ok(row)
}
