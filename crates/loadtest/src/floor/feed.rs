//! What comes in: another thread's packets, sealed as publishers' are.

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_lc_rs::aead::LessSafeKey;
use mio::{Events, Interest, Poll, Token};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};

use super::schedule::{Burst, Schedule, Stream};
use super::{key, open, read_stamp, seal, write_stamp};
use crate::cores::Cores;

/// Room for the longest run of datagrams that GRO puts together.
const RUN_BYTES_MAX: usize = 64 * 1024;
/// Of one message.
const PACKETS_MAX: usize = 50;
const RECEIVE_BUFFER: usize = 4 << 20;
const WAIT: Duration = Duration::from_millis(20);

/// The receiving half of the floor.
pub(super) struct Feed {
    poll: Poll,
    events: Events,
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    buffers: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Feed {
    /// Lets a thread, on cores that are not the server's, send for so long.
    pub(super) fn start(
        streams: &[Stream],
        duration: Duration,
        epoch: Instant,
        others: &Cores,
    ) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        let state = UdpSocketState::new((&socket).into())?;
        let server = socket.local_addr()?;
        let mut socket = mio::net::UdpSocket::from_std(socket);
        let poll = Poll::new().context("epoll")?;
        poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (streams, ends, others) = (streams.to_vec(), ended.clone(), others.clone());
        let work = move || {
            // Started by the floor's thread, which runs where the server does.
            let sent = others.take().and_then(|()| send(&streams, duration, epoch, server));
            ends.store(true, Ordering::Relaxed);
            sent
        };
        let thread = std::thread::Builder::new().name("floor-publishers".to_owned()).spawn(work)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(4),
            socket,
            state,
            buffers: vec![0; BATCH_SIZE * RUN_BYTES_MAX],
            metas: [RecvMeta::default(); BATCH_SIZE],
            ended,
            thread: Some(thread),
        })
    }

    /// Receives one batch, opens its packets and hands over what came of a stream in a row, with the time of its
    /// sending. False at the end.
    pub(super) fn receive(
        &mut self,
        keys: &[LessSafeKey],
        mut forward: impl FnMut(usize, Burst, Duration) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let mut slices: Vec<_> = self.buffers.chunks_exact_mut(RUN_BYTES_MAX).map(IoSliceMut::new).collect();
        let Ok(count) = self.state.recv((&self.socket).into(), &mut slices, &mut self.metas) else {
            if self.ended.load(Ordering::Relaxed) {
                let thread = self.thread.take().context("ended twice")?;
                return thread.join().ok().context("the publishers' thread ended")?.map(|()| false);
            }
            self.poll.poll(&mut self.events, Some(WAIT)).context("epoll")?;
            return Ok(true);
        };
        let mut open_burst: Option<(usize, Burst, Duration)> = None;
        for (meta, run) in self.metas.iter().zip(&mut slices).take(count) {
            for packet in run[..meta.len].chunks_mut(meta.stride.max(1)) {
                let (sent, stream) = read_stamp(packet).context("not a packet of ours")?;
                open(keys.get(stream).context("not a stream of ours")?, packet)?;
                let bytes = packet.len();
                match &mut open_burst {
                    Some((of, burst, _)) if *of == stream && burst.bytes == bytes && burst.packets < PACKETS_MAX => {
                        burst.packets += 1;
                    }
                    other => {
                        if let Some((of, burst, sent)) = other.take() {
                            forward(of, burst, sent)?;
                        }
                        *other = Some((stream, Burst { at: Duration::ZERO, packets: 1, bytes }, sent));
                    }
                }
            }
        }
        if let Some((of, burst, sent)) = open_burst {
            forward(of, burst, sent)?;
        }
        Ok(true)
    }
}

fn send(streams: &[Stream], duration: Duration, epoch: Instant, server: std::net::SocketAddr) -> anyhow::Result<()> {
    let keys = (0..streams.len()).map(key).collect::<anyhow::Result<Vec<_>>>()?;
    let sockets = streams.iter().map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    let mut buffer = vec![0; streams.iter().map(Stream::bytes_max).max().unwrap_or(0)];
    let (started, mut number) = (Instant::now(), 0);
    for (at, stream, burst) in Schedule::new(streams).take_while(|(at, ..)| *at < duration) {
        std::thread::sleep((started + at).saturating_duration_since(Instant::now()));
        let sent = epoch.elapsed();
        for packet in buffer[..burst.packets * burst.bytes].chunks_mut(burst.bytes) {
            number += 1;
            write_stamp(packet, stream, sent);
            seal(&keys[stream], number, packet)?;
            sockets[stream].send_to(packet, server)?;
        }
    }
    Ok(())
}
