//! Events at a rate that a cluster has to bear for as long as it likes: nothing may become more with time.

use std::time::Duration;

use super::Context;
use super::nodes::Nodes;
use super::talk::Talk;
use super::usage::Usage;
use crate::bench::row::Row;
use crate::bench::window::milliseconds;
use crate::memory;

/// Who writes where.
#[derive(Clone, Copy)]
pub(super) struct Load {
    rooms: usize,
    /// On each of the nodes in turns.
    people_per_room: usize,
    per_second: u32,
}

pub(super) const ONE_ROOM: Load = Load { rooms: 1, people_per_room: 4, per_second: 500 };
pub(super) const MANY_ROOMS: Load = Load { rooms: 500, people_per_room: 1, per_second: 5000 };

const NODES: usize = 2;
/// With the same load: Kafka compiles what it does often, and rooms fill up with what they keep.
const WARM_UP: Duration = Duration::from_secs(20);
const RUN: Duration = Duration::from_secs(50);
/// The second and the last ten seconds are compared.
const WINDOW: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Hosts write their rooms down for the first time 10 s after they became one.
const FIRST_SNAPSHOTS: Duration = Duration::from_secs(12);
/// More than before is what is more by this: as much differs between two windows of a load that grows nowhere.
const NOISE: f64 = 1.1;
/// Less than this does not wait, whatever of it: a wake-up of a process, and the records of one.
const LAG_MS_MIN: f64 = 5.0;
const QUEUED_MIN: f64 = 5.0;

/// What waits and what is held, at an instant, on all nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    at: Duration,
    /// Proposals whose record is not back, and records that wait for Kafka.
    queued: f64,
    memory_kib: f64,
}

pub(super) async fn measure(context: &Context, name: &str, load: Load) -> anyhow::Result<Row> {
    let nodes = Nodes::start(context, NODES, None).await?;
    let doors = (0..NODES).map(|node| nodes.door(node)).collect::<Result<Vec<_>, _>>()?;
    let mut talk = Talk::new();
    for person in 0..load.rooms * load.people_per_room {
        let room = format!("steady-{}", person / load.people_per_room);
        talk.add_both(&doors[person % NODES], &room).await?;
    }
    tokio::time::sleep(FIRST_SNAPSHOTS).await;
    talk.write(load.per_second, WARM_UP).await;

    let mut row = Row::new(name);
    let usage = Usage::begin(context, &nodes)?;
    let from = talk.now();
    let (written, looks) = tokio::join!(talk.write(load.per_second, RUN), look(&nodes, &talk, from + RUN));
    usage.end(&mut row)?;
    let looks = looks?;
    let windows = [from + WINDOW, from + RUN - WINDOW].map(|start| (start, start + WINDOW));
    let mean = |of: fn(&Look) -> f64| windows.map(|(from, to)| mean(&looks, from, to, of));
    let lag = windows.map(|(from, to)| milliseconds(&talk.latencies(from, to), 0.5).unwrap_or_default());
    let late = windows.map(|(from, to)| milliseconds(&talk.latencies(from, to), 0.99).unwrap_or_default());
    let (queued, memory) = (mean(|look| look.queued), mean(|look| look.memory_kib / 1024.0));

    row.void_because(written.void());
    row.figure("events_per_second", [written.taken as f64 / RUN.as_secs_f64()]);
    let [second, last] = lag;
    row.figure("lag_ms_p50_second_10_s", [second]);
    row.figure("lag_ms_p50_last_10_s", [last]);
    row.figure_at_most(NOISE, "lag_ratio", [ratio(second, last, LAG_MS_MIN)]);
    let [second, last] = late;
    row.figure("lag_ms_p99_second_10_s", [second]);
    row.figure("lag_ms_p99_last_10_s", [last]);
    let [second, last] = queued;
    row.figure("queued_second_10_s", [second]);
    row.figure("queued_last_10_s", [last]);
    row.figure_at_most(NOISE, "queued_ratio", [ratio(second, last, QUEUED_MIN)]);
    let [second, last] = memory;
    row.figure("memory_mib_second_10_s", [second]);
    row.figure("memory_mib_last_10_s", [last]);
    row.figure_at_most(NOISE, "memory_ratio", [last / second]);
    Ok(row)
}

/// Looks at all nodes again and again.
async fn look(nodes: &Nodes, talk: &Talk, until: Duration) -> anyhow::Result<Vec<Look>> {
    let mut looks = Vec::new();
    while talk.now() < until {
        let metrics = nodes.metrics().await?;
        let queued = |name| metrics.iter().map(|metrics| metrics.sum(name)).sum::<f64>();
        let queued = queued("hyperion_room_proposals_pending") + queued("hyperion_log_queued");
        let mut memory_kib = 0.0;
        for server in nodes.servers() {
            memory_kib += memory::of_process_kib(server.process())? as f64;
        }
        looks.push(Look { at: talk.now(), queued, memory_kib });
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(looks)
}

/// Of the looks in that time; 0 of none.
fn mean(looks: &[Look], from: Duration, to: Duration, of: impl Fn(&Look) -> f64) -> f64 {
    let values: Vec<_> = looks.iter().filter(|look| (from..to).contains(&look.at)).map(of).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// How much more than before; whatever is less than `least` is as much.
fn ratio(before: f64, after: f64, least: f64) -> f64 {
    after.max(least) / before.max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_of_the_looks_in_its_window() {
        let look = |seconds, queued| Look { at: Duration::from_secs(seconds), queued, memory_kib: 0.0 };
        let looks = [look(9, 100.0), look(10, 2.0), look(19, 4.0), look(20, 100.0)];
        let mean = |from, to| mean(&looks, Duration::from_secs(from), Duration::from_secs(to), |look| look.queued);
        assert_eq!((mean(10, 20), mean(30, 40)), (3.0, 0.0));
    }

    #[test]
    fn what_hardly_waits_does_not_grow() {
        assert_eq!((ratio(0.0, 5.0, 5.0), ratio(2.0, 3.0, 5.0)), (1.0, 1.0));
        assert_eq!((ratio(0.0, 10.0, 5.0), ratio(10.0, 12.0, 5.0)), (2.0, 1.2));
    }
}
