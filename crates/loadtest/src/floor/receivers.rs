//! Plain sockets, as browsers have, emptied by a thread of their own.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use loadtest::client::Latencies;
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::SockaddrIn;

use super::read_stamp;
use crate::socket::{ClientSocket, Receiver};

pub(super) struct Receivers {
    pub(super) addresses: Vec<Option<SockaddrIn>>,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    packets: AtomicU64,
    latencies: Mutex<Latencies>,
}

impl Receivers {
    pub(super) fn start(count: usize, epoch: Instant) -> anyhow::Result<Self> {
        let mut poll = Poll::new().context("epoll")?;
        let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
        for index in 0..count {
            let mut socket = ClientSocket::bind(SocketAddr::from(([127, 0, 0, 1], 1)))?;
            let SocketAddr::V4(address) = socket.local else { bail!("not an IPv4 socket") };
            poll.registry().register(&mut socket.socket, Token(index), Interest::READABLE)?;
            sockets.push(socket);
            addresses.push(Some(SockaddrIn::from(SocketAddrV4::new(*address.ip(), address.port()))));
        }
        let shared = Arc::new(Shared::default());
        let shares = shared.clone();
        let work = move || {
            let (mut events, mut receiver) = (Events::with_capacity(1024), Receiver::new());
            while !shares.stop.load(Ordering::Relaxed) {
                let _ = poll.poll(&mut events, Some(Duration::from_millis(100)));
                let mut latencies = shares.latencies.lock().unwrap_or_else(PoisonError::into_inner);
                let mut packets = 0;
                for socket in events.iter().filter_map(|event| sockets.get(event.token().0)) {
                    receiver.receive(socket, |arrived, _, packet| {
                        packets += 1;
                        if let Some((sent, _)) = read_stamp(packet) {
                            latencies.record(arrived.saturating_duration_since(epoch).saturating_sub(sent));
                        }
                    });
                }
                shares.packets.fetch_add(packets, Ordering::Relaxed);
            }
        };
        let thread = std::thread::Builder::new().name("floor-receivers".to_owned()).spawn(work)?;
        Ok(Self { addresses, shared, thread: Some(thread) })
    }

    /// How many came so far.
    pub(super) fn packets(&self) -> u64 {
        self.shared.packets.load(Ordering::Relaxed)
    }

    /// Of all packets since the last call.
    pub(super) fn take_latencies(&self) -> Latencies {
        std::mem::take(&mut self.shared.latencies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
