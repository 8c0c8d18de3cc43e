//! From a message that is written at one node until somebody on another reads it, beside a bare record that goes
//! through Kafka.

use std::time::Duration;

use super::Context;
use super::echo::Echo;
use super::nodes::Nodes;
use super::talk::Talk;
use super::usage::Usage;
use crate::bench::row::Row;
use crate::bench::window::milliseconds;

const PER_SECOND: u32 = 200;
/// A session's requests are carried out one after the other.
const WRITERS: u32 = 10;
const RUNS: u32 = 3;
const RUN: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(3);
const ROOM: &str = "talk";

pub(super) async fn measure(context: &Context, name: &str) -> anyhow::Result<Row> {
    let nodes = Nodes::start(context, 2, None).await?;
    let (here, there) = (nodes.door(0)?, nodes.door(1)?);
    let mut talk = Talk::new();
    for _ in 0..WRITERS {
        talk.add_writer(&here, ROOM).await?;
    }
    talk.add_reader(&there, ROOM).await?;
    let echo = Echo::start(nodes.kafka()).await?;
    talk.write(PER_SECOND, WARM_UP).await;
    echo.run(PER_SECOND, WARM_UP).await?;

    let mut row = Row::new(name);
    let usage = Usage::begin(context, &nodes)?;
    let (mut rooms, mut echoes) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        echoes.push(echo.run(PER_SECOND, RUN).await?);
        let from = talk.now();
        row.void_because(talk.write(PER_SECOND, RUN).await.void());
        rooms.push(talk.latencies(from, talk.now()));
    }
    usage.end(&mut row)?;
    let p99 = |runs: &[_]| -> Vec<f64> { runs.iter().filter_map(|run| milliseconds(run, 0.99)).collect() };
    let (event, bare) = (p99(&rooms), p99(&echoes));
    row.figure("event_ms_p50", rooms.iter().filter_map(|run| milliseconds(run, 0.5)));
    row.figure("echo_ms_p50", echoes.iter().filter_map(|run| milliseconds(run, 0.5)));
    row.figure_at_most(50.0, "event_ms_p99", event.iter().copied());
    row.figure("echo_ms_p99", bare.iter().copied());
    row.figure_at_most(15.0, "event_over_echo_ms_p99", event.iter().zip(&bare).map(|(event, bare)| event - bare));
    Ok(row)
}
