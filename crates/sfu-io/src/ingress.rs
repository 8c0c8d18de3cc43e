//! The way in: one `recvmmsg` at a time, GRO runs cut back into datagrams.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::time::Instant;

use arrayvec::ArrayVec;
use quinn_udp::{BATCH_SIZE, RecvMeta};

use crate::metrics::{Counters, DropCause, add};
use crate::socket::MediaSocket;

/// Room for the longest run of datagrams that GRO puts together.
const RUN_BYTES_MAX: usize = 64 * 1024;

/// The receive buffers of a worker, allocated once.
pub(crate) struct Ingress {
    buffers: Box<[u8]>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Ingress {
    pub(crate) fn new() -> Self {
        let buffers = vec![0; BATCH_SIZE * RUN_BYTES_MAX].into_boxed_slice();
        Self { buffers, metas: [RecvMeta::default(); BATCH_SIZE] }
    }

    /// Receives one batch and hands its datagrams over in order, all with the one instant read after the system call.
    /// Clears the socket's `readable` when the batch was the last for now.
    pub(crate) fn receive(
        &mut self,
        socket: &mut MediaSocket,
        counters: &Counters,
        mut deliver: impl FnMut(Instant, SocketAddr, &mut [u8]),
    ) {
        let mut slices: ArrayVec<IoSliceMut<'_>, BATCH_SIZE> =
            self.buffers.chunks_exact_mut(RUN_BYTES_MAX).map(IoSliceMut::new).collect();
        let messages = match socket.state.recv((&socket.socket).into(), &mut slices, &mut self.metas) {
            Ok(messages) => messages,
            Err(error) => {
                // Any other error is one of the socket's past, reported once; the next wake-up reads on.
                if error.kind() != io::ErrorKind::WouldBlock {
                    add(&counters.receive_errors, 1);
                }
                socket.readable = error.kind() == io::ErrorKind::Interrupted;
                return;
            }
        };
        // A short batch emptied the socket; whatever comes later wakes the thread again.
        socket.readable = messages == BATCH_SIZE;
        let now = Instant::now();
        let (mut datagrams, mut bytes) = (0, 0);
        for (meta, run) in self.metas.iter().zip(&mut slices).take(messages) {
            let length = meta.len.min(RUN_BYTES_MAX);
            let run = run[..length].chunks_mut(meta.stride.max(1));
            if meta.addr.port() == 0 {
                counters.drop_datagrams(DropCause::PortZero, run.len());
                continue;
            }
            datagrams += run.len();
            bytes += length;
            run.for_each(|datagram| deliver(now, meta.addr, datagram));
        }
        counters.received(messages, datagrams, bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use mio::{Poll, Token};

    use super::*;
    use crate::handle::WorkerIndex;
    use crate::send::{MessageHeaders, Outgoing};

    fn receiver(poll: &Poll) -> MediaSocket {
        let address = "127.0.0.1:0".parse().expect("it is an address");
        MediaSocket::bind(address, poll.registry(), Token(0)).expect("loopback can be bound")
    }

    #[test]
    fn a_run_is_cut_into_its_datagrams_and_the_last_may_be_shorter() {
        let poll = Poll::new().expect("epoll is there");
        let (mut socket, counters) = (receiver(&poll), Counters::default());
        let sender = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let bytes: Vec<u8> = (0..6u8).flat_map(|n| vec![n; if n == 5 { 7 } else { 1200 }]).collect();
        let message = Outgoing { remote: socket.local, bytes: &bytes, segment_bytes: Some(1200) };
        MessageHeaders::new().sendmmsg(sender.as_fd(), &[message]).expect("it is sent");

        let mut received = Vec::new();
        Ingress::new().receive(&mut socket, &counters, |_, remote, datagram| {
            received.push((remote, datagram.to_vec()));
        });
        let from = sender.local_addr().expect("it is bound");
        let expected: Vec<_> = (0..6u8).map(|n| (from, vec![n; if n == 5 { 7 } else { 1200 }])).collect();
        assert_eq!(received, expected);
        assert!(!socket.readable);
        let metrics = counters.snapshot(WorkerIndex(0));
        assert_eq!((metrics.datagrams_in, metrics.bytes_in, metrics.receive_calls), (6, 6007, 1));
    }

    #[test]
    fn a_full_batch_leaves_the_socket_readable_and_an_empty_one_does_not() {
        let poll = Poll::new().expect("epoll is there");
        let (mut socket, counters, mut ingress) = (receiver(&poll), Counters::default(), Ingress::new());
        let sender = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        for n in 0..BATCH_SIZE {
            sender.send_to(&[n as u8], socket.local).expect("it is sent");
        }
        let mut received = Vec::new();
        ingress.receive(&mut socket, &counters, |_, _, datagram| received.extend_from_slice(datagram));
        assert!(socket.readable);
        ingress.receive(&mut socket, &counters, |_, _, datagram| received.extend_from_slice(datagram));
        assert!(!socket.readable);
        assert_eq!(received, (0..BATCH_SIZE).map(|n| n as u8).collect::<Vec<_>>());
        assert_eq!(counters.snapshot(WorkerIndex(0)).receive_errors, 0);
    }

    #[test]
    fn an_empty_datagram_is_passed_over() {
        let poll = Poll::new().expect("epoll is there");
        let (mut socket, counters) = (receiver(&poll), Counters::default());
        let sender = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        for bytes in [&b""[..], &b"x"[..]] {
            sender.send_to(bytes, socket.local).expect("it is sent");
        }
        let mut received = Vec::new();
        Ingress::new().receive(&mut socket, &counters, |_, _, datagram| received.push(datagram.to_vec()));
        assert_eq!(received, [b"x"]);
    }
}
