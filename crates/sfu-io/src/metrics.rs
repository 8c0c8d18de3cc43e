//! What a worker's thread counts, and the plain copy of it for `/metrics`.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::handle::WorkerIndex;
use crate::tcp::{Closed, Refused};

/// Buckets of the batch histograms: 1, 2-3, 4-7, 8-15, 16-31, 32-63 and 64 messages per system call.
pub const BATCH_BUCKETS: usize = 7;

/// Why datagrams were thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropCause {
    /// EPERM or EACCES: a firewall of this machine.
    Refused,
    /// ENETUNREACH, EHOSTUNREACH and the like: no way there.
    Unreachable,
    /// EMSGSIZE: larger than the path's MTU.
    TooLarge,
    /// EINVAL or no such socket.
    Invalid,
    /// Any other error.
    Other,
    /// Received from port 0, to which nothing can be sent.
    PortZero,
    /// A TCP connection's queue is full.
    QueueFull,
    /// The TCP connection is gone.
    NotConnected,
    /// The ring of a lane to another worker is full, or gone.
    LaneFull,
}

const DROP_CAUSES: usize = 9;
const REFUSALS: usize = 3;
const CLOSINGS: usize = 5;

/// The counters of one worker. Its thread is the only writer of all but `command_depth`, and adds up per batch, not
/// per packet.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    dead: AtomicBool,
    deaths: AtomicU64,
    pub(crate) transports: AtomicU32,
    pub(crate) busy_permille: AtomicU32,
    pub(crate) command_depth: AtomicUsize,
    pub(crate) segmentation_off: AtomicU32,
    pub(crate) turns: AtomicU64,
    pub(crate) long_turns: AtomicU64,
    pub(crate) busy_nanos: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) events_delayed: AtomicU64,
    pub(crate) receive_calls: AtomicU64,
    pub(crate) receive_errors: AtomicU64,
    pub(crate) datagrams_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) send_calls: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) datagrams_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) would_block: AtomicU64,
    pub(crate) no_buffers: AtomicU64,
    pub(crate) lane_packets_in: AtomicU64,
    pub(crate) lane_packets_out: AtomicU64,
    pub(crate) tcp_connections: AtomicU32,
    pub(crate) tcp_accepted: AtomicU64,
    pub(crate) tcp_queued_bytes: AtomicU64,
    tcp_refused: [AtomicU64; REFUSALS],
    tcp_closed: [AtomicU64; CLOSINGS],
    dropped: [AtomicU64; DROP_CAUSES],
    receive_batches: [AtomicU64; BATCH_BUCKETS],
    send_batches: [AtomicU64; BATCH_BUCKETS],
}

/// Adds to a counter that nobody orders anything by.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

impl Counters {
    /// Those of a worker that died so often before.
    pub(crate) fn after(deaths: u64) -> Self {
        Self { deaths: deaths.into(), ..Self::default() }
    }

    /// The thread ended by a fault.
    pub(crate) fn died(&self) {
        add(&self.deaths, 1);
        self.ended();
    }

    /// The thread ended.
    pub(crate) fn ended(&self) {
        self.dead.store(true, Ordering::Release);
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.dead.load(Ordering::Acquire)
    }

    pub(crate) fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Relaxed)
    }

    pub(crate) fn drop_datagrams(&self, cause: DropCause, count: usize) {
        add(&self.dropped[cause as usize], count);
    }

    pub(crate) fn tcp_refuse(&self, refused: Refused) {
        add(&self.tcp_refused[refused as usize], 1);
    }

    pub(crate) fn tcp_close(&self, closed: Closed) {
        add(&self.tcp_closed[closed as usize], 1);
    }

    pub(crate) fn received(&self, messages: usize, datagrams: usize, bytes: usize) {
        add(&self.receive_calls, 1);
        add(&self.receive_batches[bucket(messages)], 1);
        add(&self.datagrams_in, datagrams);
        add(&self.bytes_in, bytes);
    }

    pub(crate) fn sent(&self, messages: usize, datagrams: usize, bytes: usize) {
        add(&self.send_batches[bucket(messages)], 1);
        add(&self.messages_out, messages);
        add(&self.datagrams_out, datagrams);
        add(&self.bytes_out, bytes);
    }

    /// How loaded the worker is, comparable among workers only: its transports plus its busy share in thousandths.
    pub(crate) fn load(&self) -> u32 {
        self.transports.load(Ordering::Relaxed).saturating_add(self.busy_permille.load(Ordering::Relaxed))
    }

    pub(crate) fn snapshot(&self, worker: WorkerIndex) -> WorkerMetrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let dropped = |cause: DropCause| read(&self.dropped[cause as usize]);
        let refused = |cause: Refused| read(&self.tcp_refused[cause as usize]);
        let closed = |cause: Closed| read(&self.tcp_closed[cause as usize]);
        WorkerMetrics {
            worker,
            alive: self.is_alive(),
            deaths: self.deaths(),
            load: self.load(),
            busy_permille: self.busy_permille.load(Ordering::Relaxed),
            command_depth: self.command_depth.load(Ordering::Relaxed),
            segmentation_off: self.segmentation_off.load(Ordering::Relaxed),
            turns: read(&self.turns),
            long_turns: read(&self.long_turns),
            busy: Duration::from_nanos(read(&self.busy_nanos)),
            commands: read(&self.commands),
            events_delayed: read(&self.events_delayed),
            receive_calls: read(&self.receive_calls),
            receive_errors: read(&self.receive_errors),
            datagrams_in: read(&self.datagrams_in),
            bytes_in: read(&self.bytes_in),
            send_calls: read(&self.send_calls),
            messages_out: read(&self.messages_out),
            datagrams_out: read(&self.datagrams_out),
            bytes_out: read(&self.bytes_out),
            would_block: read(&self.would_block),
            no_buffers: read(&self.no_buffers),
            dropped: Dropped {
                refused: dropped(DropCause::Refused),
                unreachable: dropped(DropCause::Unreachable),
                too_large: dropped(DropCause::TooLarge),
                invalid: dropped(DropCause::Invalid),
                other: dropped(DropCause::Other),
                port_zero: dropped(DropCause::PortZero),
                queue_full: dropped(DropCause::QueueFull),
                not_connected: dropped(DropCause::NotConnected),
                lane_full: dropped(DropCause::LaneFull),
            },
            lane_packets_in: read(&self.lane_packets_in),
            lane_packets_out: read(&self.lane_packets_out),
            tcp_connections: self.tcp_connections.load(Ordering::Relaxed),
            tcp_accepted: read(&self.tcp_accepted),
            tcp_queued_bytes: read(&self.tcp_queued_bytes),
            tcp_refused: TcpRefused {
                too_many: refused(Refused::TooMany),
                too_many_of_address: refused(Refused::TooManyOfAddress),
                system: refused(Refused::System),
            },
            tcp_closed: TcpClosed {
                by_peer: closed(Closed::ByPeer),
                by_error: closed(Closed::ByError),
                frame_too_long: closed(Closed::FrameTooLong),
                unproven: closed(Closed::Unproven),
                ended: closed(Closed::Ended),
            },
            receive_batches: array::from_fn(|i| read(&self.receive_batches[i])),
            send_batches: array::from_fn(|i| read(&self.send_batches[i])),
        }
    }
}

fn bucket(messages: usize) -> usize {
    (messages.max(1).ilog2() as usize).min(BATCH_BUCKETS - 1)
}

/// One worker's figures at one moment; counters count from the start of its thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerMetrics {
    /// Which worker.
    pub worker: WorkerIndex,
    /// Whether its thread runs.
    pub alive: bool,
    /// How often its thread ended by a fault. Unlike this, the counters below begin again with each new thread.
    pub deaths: u64,
    /// What [`WorkerPool::living`](crate::WorkerPool::living) compares: transports plus busy thousandths.
    pub load: u32,
    /// Thousandths of the last second that the thread did not sleep.
    pub busy_permille: u32,
    /// Calls that wait for the worker.
    pub command_depth: usize,
    /// Sockets on which segmentation offload (GSO) failed and was turned off.
    pub segmentation_off: u32,
    /// Turns of the loop.
    pub turns: u64,
    /// Turns that took longer than 2 ms.
    pub long_turns: u64,
    /// Time spent awake.
    pub busy: Duration,
    /// Calls that were run.
    pub commands: u64,
    /// Turns that ended with events waiting because the event channel was full.
    pub events_delayed: u64,
    /// `recvmmsg` calls that brought something.
    pub receive_calls: u64,
    /// `recvmmsg` calls that failed.
    pub receive_errors: u64,
    /// Datagrams received, those on TCP connections too.
    pub datagrams_in: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// `sendmmsg` calls, and turns of TCP connections.
    pub send_calls: u64,
    /// Messages that were sent, each of one or more datagrams to one destination.
    pub messages_out: u64,
    /// Datagrams that were sent, those on TCP connections too.
    pub datagrams_out: u64,
    /// Bytes of them.
    pub bytes_out: u64,
    /// Times that a socket's send buffer was full (EAGAIN).
    pub would_block: u64,
    /// Times that the kernel had no memory for a message (ENOBUFS).
    pub no_buffers: u64,
    /// Datagrams thrown away.
    pub dropped: Dropped,
    /// Packets that came from other workers of the pool.
    pub lane_packets_in: u64,
    /// Packets that other workers of the pool were given.
    pub lane_packets_out: u64,
    /// TCP connections that are open.
    pub tcp_connections: u32,
    /// TCP connections that were accepted.
    pub tcp_accepted: u64,
    /// Bytes that wait for TCP connections whose send buffer is full.
    pub tcp_queued_bytes: u64,
    /// TCP connections that were not accepted.
    pub tcp_refused: TcpRefused,
    /// TCP connections that ended.
    pub tcp_closed: TcpClosed,
    /// Receiving system calls by the messages they brought; see [`BATCH_BUCKETS`].
    pub receive_batches: [u64; BATCH_BUCKETS],
    /// Sending system calls by the messages they took; see [`BATCH_BUCKETS`].
    pub send_batches: [u64; BATCH_BUCKETS],
}

/// Datagrams thrown away, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Outgoing, refused by this machine's firewall (EPERM, EACCES).
    pub refused: u64,
    /// Outgoing, without a route (ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL).
    pub unreachable: u64,
    /// Outgoing, larger than the path's MTU (EMSGSIZE).
    pub too_large: u64,
    /// Outgoing, to a destination that the kernel does not accept (EINVAL).
    pub invalid: u64,
    /// Outgoing, any other error.
    pub other: u64,
    /// Incoming, from port 0, to which nothing could be answered.
    pub port_zero: u64,
    /// Outgoing, to a TCP connection that has 256 KiB waiting.
    pub queue_full: u64,
    /// Outgoing, to a TCP connection that is gone.
    pub not_connected: u64,
    /// Outgoing, to another worker of the pool that has 512 KiB waiting, or is gone.
    pub lane_full: u64,
}

/// TCP connections that were not accepted, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpRefused {
    /// The worker had 8,192.
    pub too_many: u64,
    /// Their address (IPv6: the /64) had 1,024.
    pub too_many_of_address: u64,
    /// The system had no descriptor or no memory.
    pub system: u64,
}

/// TCP connections that ended, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpClosed {
    /// The client closed them.
    pub by_peer: u64,
    /// They broke.
    pub by_error: u64,
    /// A frame announced more than 2,048 bytes.
    pub frame_too_long: u64,
    /// No valid STUN check came within 5 s.
    pub unproven: u64,
    /// Their transport ended, or its client had too many paths.
    pub ended: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_by_powers_of_two() {
        let counters = Counters::default();
        for messages in [0, 1, 2, 3, 4, 31, 32, 63, 64, 1000] {
            counters.sent(messages, 0, 0);
        }
        assert_eq!(counters.snapshot(WorkerIndex(0)).send_batches, [2, 2, 1, 0, 1, 2, 2]);
    }

    #[test]
    fn each_cause_has_its_own_count() {
        let counters = Counters::default();
        counters.drop_datagrams(DropCause::Refused, 1);
        counters.drop_datagrams(DropCause::Unreachable, 2);
        counters.drop_datagrams(DropCause::TooLarge, 3);
        counters.drop_datagrams(DropCause::Invalid, 4);
        counters.drop_datagrams(DropCause::Other, 5);
        counters.drop_datagrams(DropCause::PortZero, 6);
        counters.drop_datagrams(DropCause::QueueFull, 7);
        counters.drop_datagrams(DropCause::NotConnected, 8);
        counters.drop_datagrams(DropCause::LaneFull, 9);
        let expected = Dropped {
            refused: 1,
            unreachable: 2,
            too_large: 3,
            invalid: 4,
            other: 5,
            port_zero: 6,
            queue_full: 7,
            not_connected: 8,
            lane_full: 9,
        };
        assert_eq!(counters.snapshot(WorkerIndex(0)).dropped, expected);
    }
}
