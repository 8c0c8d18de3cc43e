//! What the server's process keeps for each receiver, and for each layer that is published.

use std::time::Duration;

use super::Bench;
use super::row::Row;
use super::works::{camera, room};
use crate::crowd::{Crowd, Media, Plan};
use crate::server::Server;
use crate::shapes::{LAYERS, VIDEO};

/// Those who come first pay for what everybody shares.
const FIRST: u32 = 100;
const RECEIVERS: u32 = 400;
const PUBLISHERS: u32 = 40;
/// Layers that nobody wants are sent for longer than this.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn measure(bench: &Bench, name: &str) -> anyhow::Result<Row> {
    let server = Server::start(&bench.program, 1, Some(&bench.server))?;
    let enter = async |plan: Plan| {
        let before = crate::memory::of_process_kib(server.process())?;
        let crowd = Crowd::enter(server.address, plan).await?;
        tokio::time::sleep(SETTLE).await;
        let after = crate::memory::of_process_kib(server.process())?;
        anyhow::Ok((crowd, after as f64 - before as f64))
    };
    let (first, _) = enter(room("video", vec![camera(VIDEO)], FIRST)).await?;
    let (receivers, kib) = enter(Plan { found: 1, ..room("video", Vec::new(), RECEIVERS) }).await?;
    let mut row = Row::new(name);
    row.figure("rss_kib_per_receiver", [kib / f64::from(RECEIVERS)]);

    let alone = |name: &str, layers: &[_]| {
        let media = Media { microphone: None, camera: layers.to_vec() };
        Plan { rooms: PUBLISHERS, ..room(name, vec![media], 0) }
    };
    let (one, of_one) = enter(alone("one", &LAYERS[2..])).await?;
    let (three, of_three) = enter(alone("three", &LAYERS)).await?;
    row.figure("rss_kib_per_publisher", [of_one / f64::from(PUBLISHERS)]);
    row.figure("rss_kib_per_published_layer", [(of_three - of_one) / f64::from(2 * PUBLISHERS)]);
    drop([first, receivers, one, three]);
    Ok(row)
}
