//! People who come while others talk: what a join takes, and what the others notice.

use std::time::Instant;

use loadtest::client::VideoConfig;

use super::Bench;
use super::row::Row;
use super::window::milliseconds;
use super::works::{camera, room};
use crate::crowd::{Crowd, Media, Plan};
use crate::server::Server;
use crate::shapes::{AUDIO, VIDEO};

const JOINS_PER_SECOND: u32 = 150;
/// Rooms with somebody to look at, and those who join each.
const ROOMS: u32 = 60;
const JOIN_EACH: u32 = 10;
/// Hardly any media: what is measured is the joining.
const STILL: VideoConfig = VideoConfig { frame_rate: 2, packets: 1, keyframe_packets: 1, ..VIDEO };
const RUNS_MAX: u32 = 3;

pub(super) async fn measure(bench: &Bench, name: &str) -> anyhow::Result<Row> {
    let server = Server::start(&bench.program, 1, Some(&bench.server))?;
    let person = Media { microphone: Some(AUDIO), camera: vec![VIDEO] };
    let call = Plan { verify_every: 1, ..room("call", vec![person; 6], 0) };
    let call = Crowd::enter(server.address, call).await?;
    let hosts = Plan { rooms: ROOMS, ..room("host", vec![camera(STILL)], 0) };
    let hosts = Crowd::enter(server.address, hosts).await?;
    let mut row = Row::new(name);
    let (mut costs, mut rates, mut alone, mut beside, mut waits) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..bench.runs.min(RUNS_MAX) {
        let (cpu, at, before) = (server.cpu()?, Instant::now(), call.drive.totals()?);
        tokio::time::sleep(bench.server_time).await;
        let idle = (server.cpu()? - cpu).as_secs_f64() / at.elapsed().as_secs_f64();
        let between = call.drive.totals()?;
        alone.extend(milliseconds(&between.latencies.since(&before.latencies), 0.99));

        let (cpu, at) = (server.cpu()?, Instant::now());
        let joining = Plan {
            rooms: ROOMS,
            found: 1,
            ramp: JOINS_PER_SECOND,
            verify_every: u32::MAX,
            ..room("host", Vec::new(), JOIN_EACH)
        };
        let joined = Crowd::enter(server.address, joining).await?;
        let (used, passed) = ((server.cpu()? - cpu).as_secs_f64(), at.elapsed().as_secs_f64());
        let after = call.drive.totals()?;
        let people = f64::from(joined.plan.people());
        costs.push(1000.0 * (used - idle * passed) / people);
        rates.push(people / joined.joining.as_secs_f64());
        beside.extend(milliseconds(&after.latencies.since(&between.latencies), 0.99));
        let mut first = joined.drive.totals()?.first_packets;
        first.sort_unstable();
        waits.extend(first.get(first.len() / 2).map(|wait| wait.as_secs_f64() * 1000.0));
        if after.lost - before.lost > (after.packets - before.packets) / 1000 {
            row.void_because(Some("more than 0.1 % of the call's packets are missing".to_owned()));
        }
        joined.leave().await?;
    }
    row.figure("server_cpu_ms_per_join", costs);
    row.figure("joins_per_second", rates);
    row.figure("latency_ms_p99_without", alone);
    row.figure("latency_ms_p99", beside);
    row.figure("first_packet_ms_p50", waits);
    drop((hosts, call));
    Ok(row)
}
