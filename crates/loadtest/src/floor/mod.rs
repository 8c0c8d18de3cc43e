//! The least that forwarding takes: sealing each packet with AES-GCM and handing it to the kernel in the fastest
//! way known, one `sendmmsg` whose messages each carry what is due to one receiver (UDP_SEGMENT); where the work is
//! said to include it, receiving (recvmmsg, GRO) and opening before that. No parsing, copying, rewriting or feedback.

mod feed;
mod receivers;
mod schedule;

use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use loadtest::client::Latencies;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};

use crate::cores::Cores;
use crate::shapes::{HEADER_BYTES, TAG_BYTES};
use feed::Feed;
use receivers::Receivers;
use schedule::{Burst, Schedule};

pub(crate) use schedule::Stream;

/// Messages in one call: the fastest number measured.
const MESSAGES: usize = 32;
/// Most of a message.
const MESSAGE_BYTES_MAX: usize = 65_000;
/// Packets that are still on their way when the last was sent.
const DRAIN: Duration = Duration::from_millis(100);

/// The floor of one work.
pub(crate) struct Floor {
    streams: Vec<Stream>,
    keys: Vec<LessSafeKey>,
    receivers: Receivers,
    /// Whether packets are received and opened first.
    receives: bool,
    epoch: Instant,
}

/// What one run took.
#[derive(Debug, Default)]
pub(crate) struct FloorRun {
    pub(crate) cpu: Duration,
    pub(crate) packets: u64,
    /// Packets that no receiver got.
    pub(crate) lost: u64,
    /// From the sending of the first packet of a burst to the arrival.
    pub(crate) latencies: Latencies,
}

impl Floor {
    /// Makes sockets for so many receivers.
    pub(crate) fn new(streams: Vec<Stream>, receivers: usize, receives: bool) -> anyhow::Result<Self> {
        let epoch = Instant::now();
        let keys = (0..receivers.max(streams.len())).map(key).collect::<anyhow::Result<_>>()?;
        Ok(Self { streams, keys, receivers: Receivers::start(receivers, epoch)?, receives, epoch })
    }

    /// Sends for so long, on the server's cores; everything else runs where the caller does.
    pub(crate) fn run(&self, duration: Duration, server: &Cores) -> anyhow::Result<FloorRun> {
        let (before, others) = (self.receivers.packets(), Cores::allowed()?);
        let ran = std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                server.take()?;
                if self.receives { self.forward(duration, &others) } else { self.send(duration) }
            });
            work.join().ok().context("the floor's thread ended")?
        });
        let (cpu, packets) = ran?;
        std::thread::sleep(DRAIN);
        let received = self.receivers.packets() - before;
        Ok(FloorRun {
            cpu,
            packets,
            lost: packets.saturating_sub(received),
            latencies: self.receivers.take_latencies(),
        })
    }

    /// Sends each burst when it is due.
    fn send(&self, duration: Duration) -> anyhow::Result<(Duration, u64)> {
        let mut sender = Sender::new(self)?;
        let (started, before) = (Instant::now(), crate::cpu::of_this_thread()?);
        for (at, stream, burst) in Schedule::new(&self.streams).take_while(|(at, ..)| *at < duration) {
            std::thread::sleep((started + at).saturating_duration_since(Instant::now()));
            sender.send(stream, burst, self.epoch.elapsed())?;
        }
        Ok((crate::cpu::of_this_thread()?.saturating_sub(before), sender.packets))
    }

    /// Receives what another thread sends when it is due, opens it and sends it on.
    fn forward(&self, duration: Duration, others: &Cores) -> anyhow::Result<(Duration, u64)> {
        let mut sender = Sender::new(self)?;
        let mut feed = Feed::start(&self.streams, duration, self.epoch, others)?;
        let before = crate::cpu::of_this_thread()?;
        while feed.receive(&self.keys, |stream, burst, sent| sender.send(stream, burst, sent))? {}
        Ok((crate::cpu::of_this_thread()?.saturating_sub(before), sender.packets))
    }
}

/// Seals and sends.
struct Sender<'a> {
    floor: &'a Floor,
    socket: UdpSocket,
    buffers: Vec<Vec<u8>>,
    segmented: MultiHeaders<SockaddrIn>,
    single: MultiHeaders<SockaddrIn>,
    packets: u64,
}

impl<'a> Sender<'a> {
    fn new(floor: &'a Floor) -> anyhow::Result<Self> {
        let bytes = floor.streams.iter().map(Stream::bytes_max).max().unwrap_or(0);
        let bytes = if floor.receives { MESSAGE_BYTES_MAX } else { bytes };
        Ok(Self {
            floor,
            socket: UdpSocket::bind("127.0.0.1:0")?,
            buffers: vec![vec![0; bytes]; MESSAGES],
            segmented: MultiHeaders::preallocate(MESSAGES, Some(cmsg_space!(u16))),
            single: MultiHeaders::preallocate(MESSAGES, None),
            packets: 0,
        })
    }

    /// Sends a burst to everybody who gets it, stamped with the time since the epoch.
    fn send(&mut self, stream: usize, burst: Burst, sent: Duration) -> anyhow::Result<()> {
        let (length, segment) = (burst.packets * burst.bytes, burst.bytes as u16);
        for chunk in self.floor.streams[stream].receivers.chunks(MESSAGES) {
            for (&receiver, buffer) in chunk.iter().zip(&mut self.buffers) {
                for packet in buffer[..length].chunks_mut(burst.bytes) {
                    self.packets += 1;
                    write_stamp(packet, stream, sent);
                    seal(&self.floor.keys[receiver], self.packets, packet)?;
                }
            }
            let slices: Vec<[IoSlice<'_>; 1]> =
                self.buffers[..chunk.len()].iter().map(|buffer| [IoSlice::new(&buffer[..length])]).collect();
            let addresses: Vec<_> = chunk.iter().map(|&receiver| self.floor.receivers.addresses[receiver]).collect();
            let segments = [ControlMessage::UdpGsoSegments(&segment)];
            // A message of one packet is faster without.
            let (headers, control) =
                if burst.packets > 1 { (&mut self.segmented, &segments[..]) } else { (&mut self.single, &[][..]) };
            let sent = sendmmsg(self.socket.as_raw_fd(), headers, &slices, &addresses, control, MsgFlags::empty());
            if sent.context("sendmmsg")?.count() != chunk.len() {
                bail!("the kernel took only a part of a batch");
            }
        }
        Ok(())
    }
}

fn key(number: usize) -> anyhow::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, &[number as u8; 32]).ok().context("an AES-GCM key")?;
    Ok(LessSafeKey::new(key))
}

/// What stays readable of a packet: when it was sent, whose it is, and the nonce that it is sealed with.
fn write_stamp(packet: &mut [u8], stream: usize, sent: Duration) {
    packet[..8].copy_from_slice(&(sent.as_nanos() as u64).to_be_bytes());
    packet[8..12].copy_from_slice(&(stream as u32).to_be_bytes());
}

fn read_stamp(packet: &[u8]) -> Option<(Duration, usize)> {
    let (sent, rest) = packet.split_first_chunk()?;
    let stream: &[u8; 4] = rest.first_chunk()?;
    Some((Duration::from_nanos(u64::from_be_bytes(*sent)), u32::from_be_bytes(*stream) as usize))
}

fn seal(key: &LessSafeKey, number: u64, packet: &mut [u8]) -> anyhow::Result<()> {
    packet[12..20].copy_from_slice(&number.to_be_bytes());
    let (header, rest) = packet.split_at_mut(HEADER_BYTES);
    let (payload, tag) = rest.split_at_mut(rest.len() - TAG_BYTES);
    let sealed = key.seal_in_place_separate_tag(nonce(header), Aad::from(&*header), payload).ok().context("sealing")?;
    tag.copy_from_slice(sealed.as_ref());
    Ok(())
}

fn open(key: &LessSafeKey, packet: &mut [u8]) -> anyhow::Result<()> {
    let (header, rest) = packet.split_at_mut(HEADER_BYTES);
    key.open_in_place(nonce(header), Aad::from(&*header), rest).ok().context("opening")?;
    Ok(())
}

fn nonce(header: &[u8]) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&header[12..20]);
    Nonce::assume_unique_for_key(nonce)
}
