//! The least that forwarding takes: sealing each packet with AES-GCM and handing it to the kernel in the fastest
//! way known, one `sendmmsg` whose messages each carry a frame for one receiver (UDP_SEGMENT).

use std::io::IoSlice;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use mio::{Events, Interest, Poll, Token};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};

use crate::drive::bind;

/// Messages in one call: the fastest number measured.
const MESSAGES: usize = 32;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 28;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) receivers: usize,
    /// Datagrams of a frame.
    pub(crate) segments: usize,
    /// Of a datagram, tag included.
    pub(crate) segment_bytes: usize,
    pub(crate) frame_interval: Duration,
}

/// CPU time per packet.
pub(crate) fn measure(load: Load, duration: Duration) -> anyhow::Result<Duration> {
    let receivers = Receivers::start(load.receivers)?;
    let keys = (0..load.receivers).map(key).collect::<anyhow::Result<Vec<_>>>()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut buffers = vec![vec![0; load.segments * load.segment_bytes]; MESSAGES];
    let segment = load.segment_bytes as u16;
    let mut headers = MultiHeaders::preallocate(MESSAGES, Some(cmsg_space!(u16)));

    let started = Instant::now();
    let before = crate::cpu::of_this_thread()?;
    let (mut frames, mut packets): (u32, u64) = (0, 0);
    while started.elapsed() < duration {
        for (chunk, keys) in receivers.addresses.chunks(MESSAGES).zip(keys.chunks(MESSAGES)) {
            for (key, buffer) in keys.iter().zip(&mut buffers) {
                for (index, packet) in buffer.chunks_mut(load.segment_bytes).enumerate() {
                    seal(key, u64::from(frames) << 8 | index as u64, packet)?;
                }
            }
            let slices: Vec<[IoSlice<'_>; 1]> = buffers.iter().map(|buffer| [IoSlice::new(buffer)]).collect();
            let control = [ControlMessage::UdpGsoSegments(&segment)];
            let sent =
                sendmmsg(socket.as_raw_fd(), &mut headers, &slices[..chunk.len()], chunk, control, MsgFlags::empty());
            if sent.context("sendmmsg")?.count() != chunk.len() {
                bail!("the kernel took only a part of a batch");
            }
            packets += (chunk.len() * load.segments) as u64;
        }
        frames += 1;
        let next = started + load.frame_interval * frames;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let used = crate::cpu::of_this_thread()?.saturating_sub(before);
    Ok(Duration::from_nanos(used.as_nanos() as u64 / packets.max(1)))
}

fn key(receiver: usize) -> anyhow::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, &[receiver as u8; 32]).ok().context("an AES-GCM key")?;
    Ok(LessSafeKey::new(key))
}

fn seal(key: &LessSafeKey, number: u64, packet: &mut [u8]) -> anyhow::Result<()> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    let (header, rest) = packet.split_at_mut(HEADER_BYTES);
    let (payload, tag) = rest.split_at_mut(rest.len() - TAG_BYTES);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).ok().context("sealing")?;
    tag.copy_from_slice(sealed.as_ref());
    Ok(())
}

/// Plain sockets, as browsers have, emptied by a thread of their own.
struct Receivers {
    addresses: Vec<Option<SockaddrIn>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Receivers {
    fn start(count: usize) -> anyhow::Result<Self> {
        let mut poll = Poll::new().context("epoll")?;
        let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
        for index in 0..count {
            let (mut socket, address) = bind()?;
            let SocketAddr::V4(address) = address else { bail!("not an IPv4 socket") };
            poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            sockets.push(socket);
            addresses.push(Some(SockaddrIn::from(SocketAddrV4::new(*address.ip(), address.port()))));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            let mut events = Events::with_capacity(1024);
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                let _ = poll.poll(&mut events, Some(Duration::from_millis(100)));
                for event in &events {
                    if let Some(socket) = sockets.get(event.token().0) {
                        while socket.recv_from(&mut buffer).is_ok() {}
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("receivers".to_owned()).spawn(work)?;
        Ok(Self { addresses, stop, thread: Some(thread) })
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
