//! A large frame beside a room that only talks: what the other room's sound waits.

use std::time::Duration;

use super::Bench;
use super::row::Row;
use super::window::{Window, milliseconds, pause};
use super::works::{camera, microphone, room};
use crate::crowd::{Crowd, Plan};
use crate::server::Server;
use crate::shapes::{AUDIO, VIDEO};
use loadtest::client::VideoConfig;

const RECEIVERS: u32 = 300;
const LARGE: VideoConfig =
    VideoConfig { keyframe_packets: 100, keyframe_interval: Some(Duration::from_secs(5)), ..VIDEO };
/// Two large frames.
const RUN: Duration = Duration::from_millis(9_500);
const WARM_UP: Duration = Duration::from_secs(2);
const RUNS_MAX: u32 = 3;

pub(super) async fn measure(bench: &Bench, name: &str) -> anyhow::Result<Row> {
    let server = Server::start(&bench.program, 1, Some(&bench.server))?;
    let audio = Plan { verify_every: 1, ..room("talk", vec![microphone(AUDIO)], 10) };
    let audio = Crowd::enter(server.address, audio).await?;
    let mut videos = Vec::new();
    for (name, config) in [("plain", VIDEO), ("large", LARGE)] {
        // Latency is that of the sound.
        let plan = Plan { verify_every: u32::MAX, ..room(name, vec![camera(config)], RECEIVERS) };
        let crowd = Crowd::enter(server.address, plan).await?;
        tokio::time::sleep(WARM_UP).await;
        pause(&[&crowd]).await?;
        videos.push(crowd);
    }
    let mut row = Row::new(name);
    let mut rates = Vec::new();
    let mut found = [Vec::new(), Vec::new()];
    for _ in 0..bench.runs.min(RUNS_MAX) {
        for (video, found) in videos.iter().zip(&mut found) {
            pause(&[&audio, video]).await?;
            let before = audio.drive.totals()?.latencies;
            let window = Window::open(bench, &server, &bench.server, &[&audio, video], RUN).await?;
            row.void_because(window.void());
            rates.push(window.packets as f64 / window.seconds);
            found.push(audio.drive.totals()?.latencies.since(&before));
        }
    }
    row.figure("packets_per_second", rates);
    let [plain, large] = &found;
    row.figure("audio_latency_ms_p99_without", plain.iter().filter_map(|run| milliseconds(run, 0.99)));
    row.figure("audio_latency_ms_p99", large.iter().filter_map(|run| milliseconds(run, 0.99)));
    let added = plain
        .iter()
        .zip(large)
        .filter_map(|(without, with)| Some(milliseconds(with, 0.99)? - milliseconds(without, 0.99)?));
    row.figure("audio_latency_ms_p99_added", added);
    row.figure("audio_latency_ms_max_without", plain.iter().filter_map(|run| milliseconds(run, 1.0)));
    row.figure("audio_latency_ms_max", large.iter().filter_map(|run| milliseconds(run, 1.0)));
    Ok(row)
}
