//! Two workers instead of one: what a packet takes then, where each has a room, and where one room is on both. Nothing is
//! pinned but the workers, which do that themselves.

use std::time::Duration;

use super::Bench;
use super::row::Row;
use super::window::{Window, pause};
use super::works::{camera, room};
use crate::crowd::{Crowd, Plan};
use crate::server::Server;
use crate::shapes::VIDEO;

const RECEIVERS: u32 = 100;
const WARM_UP: Duration = Duration::from_secs(2);
/// What a packet may take more where a room is on two workers.
const ROOM_GOAL: f64 = 1.2;

/// Two rooms.
pub(super) async fn measure(bench: &Bench, name: &str) -> anyhow::Result<Row> {
    compare(bench, name, 2, RECEIVERS + 1, None).await
}

/// One room, half of its people on each.
pub(super) async fn measure_room(bench: &Bench, name: &str) -> anyhow::Result<Row> {
    compare(bench, name, 1, RECEIVERS.div_ceil(2) + 1, Some(ROOM_GOAL)).await
}

/// So many rooms, of which a worker takes so many people before the next does.
async fn compare(bench: &Bench, name: &str, rooms: u32, each: u32, goal: Option<f64>) -> anyhow::Result<Row> {
    let mut row = Row::new(name);
    if bench.all.count() < 2 {
        row.void_because(Some("there is one core only".to_owned()));
        return Ok(row);
    }
    bench.all.take()?;
    let mut sides = Vec::new();
    for workers in [1, 2] {
        let flags = [format!("--limits-participants-per-room-and-worker={each}")];
        let server = Server::start_with(&bench.program, workers, Some(&bench.all), &flags)?;
        let plan = Plan { rooms, ..room("video", vec![camera(VIDEO)], RECEIVERS) };
        let crowd = Crowd::enter(server.address, plan).await?;
        tokio::time::sleep(WARM_UP).await;
        pause(&[&crowd]).await?;
        sides.push((server, crowd));
    }
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..bench.runs {
        for ((server, crowd), costs) in sides.iter().zip(&mut costs) {
            let window = Window::open(bench, server, &bench.all, &[crowd], bench.server_time).await?;
            row.void_because(window.void());
            costs.push(window.ns_per_packet());
        }
    }
    let [one, two] = costs;
    let ratios = one.iter().zip(&two).map(|(one, two)| two / one);
    match goal {
        Some(most) => row.figure_at_most(most, "ratio", ratios),
        None => row.figure("ratio", ratios),
    }
    row.figure("server_ns_per_packet", two);
    row.figure("one_worker_ns_per_packet", one);
    bench.generator.take()?;
    Ok(row)
}
