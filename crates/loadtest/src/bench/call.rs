//! Calls: the server and the floor in turns.

use std::time::Duration;

use super::Bench;
use super::row::Row;
use super::window::{MISSING_MAX, Window, milliseconds, pause};
use crate::crowd::{Crowd, Plan};
use crate::floor::{Floor, Stream};
use crate::server::Server;

/// Between the last join and the first run: keyframes, the first estimates.
const WARM_UP: Duration = Duration::from_secs(2);

/// A call, and what its floor sends.
pub(super) struct Call {
    pub(super) plan: Plan,
    pub(super) floor: Vec<Stream>,
    pub(super) floor_receives: bool,
    /// Beyond [`WARM_UP`].
    pub(super) warm_up: Duration,
}

/// Measures it.
pub(super) async fn measure(bench: &Bench, name: &str, call: Call) -> anyhow::Result<Row> {
    let server = Server::start(&bench.program, 1, Some(&bench.server))?;
    let receivers = call.plan.people() as usize;
    let floor = Floor::new(call.floor, receivers, call.floor_receives)?;
    let crowd = Crowd::enter(server.address, call.plan).await?;
    tokio::time::sleep(WARM_UP + call.warm_up).await;

    let (mut windows, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        pause(&[&crowd]).await?;
        windows.push(Window::open(bench, &server, &bench.server, &[&crowd], bench.server_time).await?);
        floors.push(floor.run(bench.floor_time, &bench.server)?);
    }
    let rss = crate::memory::of_process_kib(server.process())?;

    let mut row = Row::new(name);
    let floor_ns: Vec<_> = floors.iter().map(|run| run.cpu.as_nanos() as f64 / run.packets.max(1) as f64).collect();
    row.figure("server_ns_per_packet", windows.iter().map(Window::ns_per_packet));
    row.figure("floor_ns_per_packet", floor_ns.iter().copied());
    row.figure("ratio", windows.iter().zip(&floor_ns).map(|(window, floor)| window.ns_per_packet() / floor));
    row.figure("latency_ms_p50", windows.iter().filter_map(|window| window.latency_ms(0.5)));
    row.figure("latency_ms_p99", windows.iter().filter_map(|window| window.latency_ms(0.99)));
    row.figure("floor_latency_ms_p50", floors.iter().filter_map(|run| milliseconds(&run.latencies, 0.5)));
    row.figure("floor_latency_ms_p99", floors.iter().filter_map(|run| milliseconds(&run.latencies, 0.99)));
    row.figure("packets_per_second", windows.iter().map(|window| window.packets as f64 / window.seconds));
    row.figure("packet_bytes", windows.iter().map(|window| window.bytes as f64 / window.datagrams.max(1) as f64));
    let share = |part: Duration, window: &Window| 100.0 * part.as_secs_f64() / window.passed.as_secs_f64();
    row.figure("server_cpu_percent", windows.iter().map(|window| share(window.cpu, window)));
    row.figure("server_core_busy_percent", windows.iter().map(|window| share(window.busy, window)));
    row.figure("generator_cores_busy_percent", windows.iter().map(|window| share(window.generator_busy, window)));
    row.figure("missing_percent", windows.iter().map(|w| 100.0 * w.missing as f64 / (w.packets + w.missing) as f64));
    row.figure("server_rss_kib", [rss as f64]);
    windows.iter().for_each(|window| row.void_because(window.void()));
    for run in &floors {
        let share = run.lost as f64 / run.packets.max(1) as f64;
        row.void_because(
            (share > MISSING_MAX).then(|| format!("{:.2} % of the floor's packets are missing", share * 100.0)),
        );
    }
    Ok(row)
}
