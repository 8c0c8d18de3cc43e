//! One camera, many receivers: what the server's process takes for each packet that it forwards.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use loadtest::client::{Client, VideoConfig};
use protocol::{ProducerId, Source};
use serde::Serialize;

use crate::drive::{Drive, Participant, bind, reachable};
use crate::floor::{self, Load};
use crate::server::Server;
use crate::signaling::Session;

const ROOM: &str = "loadtest";
/// 1.7 Mbit/s: the frames that the floor was measured with.
const VIDEO: VideoConfig =
    VideoConfig { frame_rate: 30, packets: 6, keyframe_packets: 12, bytes: 1130, encoding: Duration::ZERO };
/// Between the last resume and the measurement: handshakes, the first keyframes.
const WARM_UP: Duration = Duration::from_secs(4);
/// How long handshakes may take.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// One measurement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measurement {
    scenario: String,
    receivers: usize,
    packets_per_second: u64,
    packet_bytes: u64,
    server_ns_per_packet: u64,
    floor_ns_per_packet: u64,
    ratio: f64,
    lost: u64,
    faults: u64,
}

/// Measures each number of receivers and prints the results.
pub(crate) fn run(server: &Path, receivers: &[usize], duration: Duration, json: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut measurements = Vec::new();
    for &receivers in receivers {
        let measurement = runtime.block_on(measure(server, receivers, duration));
        measurements.push(measurement.with_context(|| format!("with {receivers} receivers"))?);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&measurements)?);
        return Ok(());
    }
    println!("scenario       packets/s  bytes  server ns/packet  floor ns/packet  ratio  lost  faults");
    for m in measurements {
        println!(
            "{:<13} {:>10} {:>6} {:>17} {:>16} {:>6.2} {:>5} {:>7}",
            m.scenario,
            m.packets_per_second,
            m.packet_bytes,
            m.server_ns_per_packet,
            m.floor_ns_per_packet,
            m.ratio,
            m.lost,
            m.faults
        );
    }
    Ok(())
}

async fn measure(program: &Path, receivers: usize, duration: Duration) -> anyhow::Result<Measurement> {
    let server = Server::start(program, 1)?;
    let epoch = Instant::now();
    let (publishing, publisher, producer) = publish(&server, epoch).await.context("the publisher")?;
    let (publishers, clients) = (Drive::start()?, Drive::start()?);
    publishers.add(publisher)?;
    let mut sessions = vec![publishing];
    for index in 0..receivers {
        let (session, participant) =
            receive(&server, epoch, producer).await.with_context(|| format!("receiver {index}"))?;
        sessions.push(session);
        clients.add(participant)?;
    }
    let deadline = Instant::now() + CONNECT_MAX;
    while publishers.totals()?.unconnected() + clients.totals()?.unconnected() > 0 {
        if Instant::now() > deadline {
            bail!("not everybody is connected after {CONNECT_MAX:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(WARM_UP).await;

    let (cpu, before, started) = (server.cpu()?, clients.totals()?, Instant::now());
    tokio::time::sleep(duration).await;
    let (cpu, after, passed) = (server.cpu()?.saturating_sub(cpu), clients.totals()?, started.elapsed());
    let packets = after.packets - before.packets;
    let (datagrams, bytes) = (after.datagrams - before.datagrams, after.bytes - before.bytes);
    let (lost, faults) = (after.lost - before.lost, after.faults - before.faults);
    drop((clients, publishers, sessions, server));

    let packet_bytes = bytes / datagrams.max(1);
    let load = Load {
        receivers,
        segments: VIDEO.packets.into(),
        segment_bytes: packet_bytes as usize,
        frame_interval: Duration::from_secs(1) / VIDEO.frame_rate,
    };
    let floor = floor::measure(load, duration).context("the floor")?;
    let server_ns = cpu.as_nanos() as f64 / packets.max(1) as f64;
    Ok(Measurement {
        scenario: format!("video-1x{receivers}"),
        receivers,
        packets_per_second: (packets as f64 / passed.as_secs_f64()) as u64,
        packet_bytes,
        server_ns_per_packet: server_ns as u64,
        floor_ns_per_packet: floor.as_nanos() as u64,
        ratio: server_ns / floor.as_nanos().max(1) as f64,
        lost,
        faults,
    })
}

async fn publish(server: &Server, epoch: Instant) -> anyhow::Result<(Session, Participant, ProducerId)> {
    let (session, _) = Session::join(server.address, ROOM, "publisher").await?;
    let options = reachable(session.welcome.send_transport.clone())?;
    let (socket, local) = bind()?;
    let mut client = Client::publisher(Instant::now(), epoch, local, &options)?;
    session.connect(options.id, client.dtls_parameters()).await?;
    let rtp_parameters = client.produce_video(Instant::now(), 1, VIDEO);
    session.produce(options.id, Source::Camera, rtp_parameters).await?;
    let producer = ProducerId { participant: session.welcome.participant_id, source: Source::Camera };
    Ok((session, Participant::new(client, socket), producer))
}

async fn receive(server: &Server, epoch: Instant, producer: ProducerId) -> anyhow::Result<(Session, Participant)> {
    let (session, _) = Session::join(server.address, ROOM, "receiver").await?;
    let options = reachable(session.welcome.recv_transport.clone())?;
    let (socket, local) = bind()?;
    let router = &session.place.router_rtp_capabilities;
    let mut client = Client::receiver(Instant::now(), epoch, local, &options, router)?;
    session.connect(options.id, client.dtls_parameters()).await?;
    let consumers = session.consume(options.id, vec![producer]).await?;
    let consumer = consumers.into_iter().next().context("the producer is gone")?;
    client.consume(consumer.kind, &consumer.rtp_parameters)?;
    session.resume(consumer.id).await?;
    Ok((session, Participant::new(client, socket)))
}
