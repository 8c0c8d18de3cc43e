//! The way out: a batch of the worker's messages, sent in order, whatever the kernel says to it.

use std::io;
use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;
use sfu::ice::Pair;
use sfu::transmit::{Path, SendBatch, SocketIndex};
use tracing::warn;

use crate::metrics::{Counters, DropCause, add};
use crate::send::{OUTGOING_MAX, Outgoing, SendMessages};

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// The batch is empty.
    Done,
    /// The send buffer of this socket is full; the rest is kept.
    Blocked(SocketIndex),
    /// The kernel has no memory for it now, and will not tell when it has; the rest is kept.
    NoBuffers,
}

/// The batch being sent and how far it is.
pub(crate) struct Egress {
    batch: SendBatch,
    /// Bytes of the batch's first message that are out already.
    offset: usize,
    /// By socket: whether messages may leave as one (GSO).
    segmentation: Vec<bool>,
    /// A message with a control message was refused: its first datagram goes alone, to tell whether segmentation or
    /// the destination is to blame.
    probing: bool,
    /// An earlier datagram's error was reported in the first message's place.
    stale_seen: bool,
}

impl Egress {
    pub(crate) fn new(segmentation: Vec<bool>) -> Self {
        Self { batch: SendBatch::default(), offset: 0, segmentation, probing: false, stale_seen: false }
    }

    /// The batch, for the worker to fill once it is empty.
    pub(crate) fn batch_mut(&mut self) -> &mut SendBatch {
        &mut self.batch
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Sends all that the sockets take.
    pub(crate) fn flush(&mut self, sender: &mut impl SendMessages, counters: &Counters) -> Flush {
        while let Some(first) = self.batch.messages().first() {
            let Path::Pair(Pair { socket, .. }) = first.path else {
                self.hand_over(sender);
                continue;
            };
            add(&counters.send_calls, 1);
            match self.attempt(sender, socket) {
                Ok(taken) => self.advance(socket, taken, counters),
                Err(Fault::Interrupted) => {}
                Err(Fault::Blocked) => {
                    add(&counters.would_block, 1);
                    return Flush::Blocked(socket);
                }
                Err(Fault::NoBuffers) => {
                    add(&counters.no_buffers, 1);
                    return Flush::NoBuffers;
                }
                Err(Fault::Segmentation) => self.probing = true,
                // The error was an earlier datagram's; told once, it is gone, and nothing was sent.
                Err(Fault::Stale) if !self.stale_seen => self.stale_seen = true,
                Err(Fault::Stale) => self.skip(DropCause::Other, counters),
                Err(Fault::Fatal(cause)) => self.skip(cause, counters),
            }
        }
        Flush::Done
    }

    /// Gives the messages at the front that go over lanes to the workers there. They are gone, taken or not.
    fn hand_over(&mut self, sender: &mut impl SendMessages) {
        let mut count = 0;
        for message in self.batch.messages() {
            let Path::Lane(lane) = message.path else { break };
            sender.hand_over(lane, self.batch.bytes(message).chunks(message.segment_bytes.max(1)));
            count += 1;
        }
        self.batch.advance(count);
        self.next_message(0);
    }

    /// One system call; what it took.
    fn attempt(&self, sender: &mut impl SendMessages, socket: SocketIndex) -> Result<Taken, Fault> {
        let run = self.next_run(socket);
        match sender.send(socket, &run) {
            Ok(0) => Err(Fault::Blocked),
            Ok(count) => Ok(Taken::of(&run, count)),
            Err(error) => Err(Fault::of(&error, run.first().is_some_and(|first| first.segment_bytes.is_some()))),
        }
    }

    /// What goes next: as many messages from the front as leave by one socket and fit into one call.
    fn next_run(&self, socket: SocketIndex) -> ArrayVec<Outgoing<'_>, OUTGOING_MAX> {
        let whole = self.can_segment(socket);
        let mut run = ArrayVec::new();
        let mut offset = self.offset;
        for message in self.batch.messages() {
            let Path::Pair(Pair { socket: from, remote }) = message.path else { break };
            if from != socket {
                break;
            }
            let bytes = self.batch.bytes(message).get(offset..).unwrap_or_default();
            offset = 0;
            let segment = message.segment_bytes.max(1);
            let outgoing = |bytes, segment_bytes| Outgoing { remote, bytes, segment_bytes };
            if self.probing {
                run.push(outgoing(&bytes[..segment.min(bytes.len())], None));
                break;
            } else if bytes.len() <= segment {
                run.push(outgoing(bytes, None));
            } else if whole {
                run.push(outgoing(bytes, u16::try_from(segment).ok()));
            } else {
                run.extend(bytes.chunks(segment).take(run.remaining_capacity()).map(|bytes| outgoing(bytes, None)));
            }
            if run.is_full() {
                break;
            }
        }
        run
    }

    /// Takes what was sent off the front of the batch.
    fn advance(&mut self, socket: SocketIndex, taken: Taken, counters: &Counters) {
        counters.sent(taken.messages, taken.datagrams, taken.bytes);
        if self.probing {
            self.stop_segmenting(socket, counters);
        }
        let mut bytes = self.offset + taken.bytes;
        let mut done = 0;
        for message in self.batch.messages() {
            match bytes.checked_sub(message.range.len()) {
                Some(rest) => bytes = rest,
                None => break,
            }
            done += 1;
        }
        self.batch.advance(done);
        self.next_message(bytes);
    }

    /// Gives the first message up.
    fn skip(&mut self, cause: DropCause, counters: &Counters) {
        if let Some(first) = self.batch.messages().first() {
            let rest = first.range.len().saturating_sub(self.offset);
            counters.drop_datagrams(cause, rest.div_ceil(first.segment_bytes.max(1)).max(1));
        }
        self.batch.advance(1);
        self.next_message(0);
    }

    fn next_message(&mut self, offset: usize) {
        self.offset = offset;
        self.probing = false;
        self.stale_seen = false;
    }

    fn can_segment(&self, socket: SocketIndex) -> bool {
        self.segmentation.get(usize::from(socket)).copied().unwrap_or(false)
    }

    #[cold]
    fn stop_segmenting(&mut self, socket: SocketIndex, counters: &Counters) {
        if let Some(segmentation) = self.segmentation.get_mut(usize::from(socket)) {
            *segmentation = false;
        }
        counters.segmentation_off.fetch_add(1, Ordering::Relaxed);
        warn!(socket, "the network device refuses segmentation offload (GSO); sending costs more from now on");
    }
}

/// What the kernel took in one call.
#[derive(Debug, Clone, Copy)]
struct Taken {
    messages: usize,
    datagrams: usize,
    bytes: usize,
}

impl Taken {
    fn of(run: &[Outgoing<'_>], count: usize) -> Self {
        let messages = count.min(run.len());
        let mut taken = Self { messages, datagrams: 0, bytes: 0 };
        for outgoing in &run[..messages] {
            taken.bytes += outgoing.bytes.len();
            taken.datagrams += outgoing.datagrams().count();
        }
        taken
    }
}

/// What an error says about the first message of a run; the others were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Interrupted,
    Blocked,
    NoBuffers,
    Segmentation,
    Stale,
    Fatal(DropCause),
}

impl Fault {
    fn of(error: &io::Error, segmented: bool) -> Self {
        match error.raw_os_error().unwrap_or_default() {
            libc::EINTR => Self::Interrupted,
            libc::EAGAIN => Self::Blocked,
            libc::ENOBUFS | libc::ENOMEM => Self::NoBuffers,
            // EIO: no checksum offload on the way; EINVAL: no segmentation, or segments above the device's MTU.
            libc::EIO | libc::EINVAL if segmented => Self::Segmentation,
            libc::ECONNREFUSED => Self::Stale,
            libc::EPERM | libc::EACCES => Self::Fatal(DropCause::Refused),
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN | libc::EADDRNOTAVAIL => {
                Self::Fatal(DropCause::Unreachable)
            }
            libc::EMSGSIZE => Self::Fatal(DropCause::TooLarge),
            libc::EINVAL | libc::EAFNOSUPPORT | libc::EBADF => Self::Fatal(DropCause::Invalid),
            _ => Self::Fatal(DropCause::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::SocketAddr;
    use std::slice::Chunks;

    use sfu::transmit::Lane;

    use super::*;
    use crate::handle::WorkerIndex;
    use crate::metrics::{Dropped, WorkerMetrics};

    /// One message as the kernel got it: socket, port, payload, segment size.
    type Seen = (SocketIndex, u16, Vec<u8>, Option<u16>);

    /// A kernel that answers by script, then takes everything.
    #[derive(Default)]
    struct FakeSockets {
        script: VecDeque<Result<usize, i32>>,
        seen: Vec<Seen>,
        handed_over: Vec<(u16, Vec<u8>)>,
        calls: usize,
    }

    impl SendMessages for FakeSockets {
        fn send(&mut self, socket: SocketIndex, outgoing: &[Outgoing<'_>]) -> io::Result<usize> {
            assert!(!outgoing.is_empty());
            self.calls += 1;
            let count = match self.script.pop_front() {
                Some(Err(errno)) => return Err(io::Error::from_raw_os_error(errno)),
                Some(Ok(count)) => count,
                None => outgoing.len(),
            };
            for message in &outgoing[..count] {
                self.seen.push((socket, message.remote.port(), message.bytes.to_vec(), message.segment_bytes));
            }
            Ok(count)
        }

        fn hand_over(&mut self, lane: Lane, packets: Chunks<'_, u8>) {
            self.handed_over.extend(packets.map(|packet| (lane.0, packet.to_vec())));
        }
    }

    struct Run {
        egress: Egress,
        sockets: FakeSockets,
        counters: Counters,
    }

    impl Run {
        fn new(script: impl IntoIterator<Item = Result<usize, i32>>) -> Self {
            let sockets = FakeSockets { script: script.into_iter().collect(), ..FakeSockets::default() };
            Self { egress: Egress::new(vec![true, true]), sockets, counters: Counters::default() }
        }

        /// Adds a message of so many datagrams of 10 bytes, each filled with its number, the last of 4 bytes.
        fn message(&mut self, socket: SocketIndex, port: u16, datagrams: u8) -> &mut Self {
            let bytes = payload(0..datagrams, datagrams);
            let batch = self.egress.batch_mut();
            assert!(batch.room() >= bytes.len());
            batch.spare()[..bytes.len()].copy_from_slice(&bytes);
            let remote = SocketAddr::from(([127, 0, 0, 1], port));
            batch.commit(Path::Pair(Pair { socket, remote }), bytes.len(), 10);
            self
        }

        /// The same for the worker at the other end of a lane.
        fn parcel(&mut self, lane: u16, datagrams: u8) -> &mut Self {
            let bytes = payload(0..datagrams, datagrams);
            let batch = self.egress.batch_mut();
            batch.spare()[..bytes.len()].copy_from_slice(&bytes);
            batch.commit(Path::Lane(Lane(lane)), bytes.len(), 10);
            self
        }

        fn flush(&mut self) -> Flush {
            self.egress.flush(&mut self.sockets, &self.counters)
        }

        fn metrics(&self) -> WorkerMetrics {
            self.counters.snapshot(WorkerIndex(0))
        }

        fn ports(&self) -> Vec<u16> {
            self.sockets.seen.iter().map(|&(_, port, ..)| port).collect()
        }
    }

    fn payload(numbers: std::ops::Range<u8>, datagrams: u8) -> Vec<u8> {
        numbers.flat_map(|n| vec![n; if n + 1 == datagrams { 4 } else { 10 }]).collect()
    }

    #[test]
    fn a_batch_goes_in_one_call_and_single_datagrams_go_without_a_control_message() {
        let mut run = Run::new([]);
        run.message(0, 1, 3).message(0, 2, 1);
        assert_eq!(run.flush(), Flush::Done);
        assert!(run.egress.is_empty());
        assert_eq!(run.sockets.calls, 1);
        assert_eq!(run.sockets.seen, [(0, 1, payload(0..3, 3), Some(10)), (0, 2, payload(0..1, 1), None)]);
        let metrics = run.metrics();
        assert_eq!((metrics.messages_out, metrics.datagrams_out, metrics.bytes_out), (2, 4, 28));
    }

    #[test]
    fn the_order_holds_when_messages_alternate_between_sockets() {
        let mut run = Run::new([]);
        run.message(0, 1, 1).message(0, 2, 1).message(1, 3, 1).message(0, 4, 1);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.sockets.calls, 3);
        assert_eq!(
            run.sockets.seen.iter().map(|seen| (seen.0, seen.1)).collect::<Vec<_>>(),
            [(0, 1), (0, 2), (1, 3), (0, 4)]
        );
    }

    #[test]
    fn what_goes_over_lanes_goes_packet_by_packet_and_waits_for_no_socket_behind_it() {
        let mut run = Run::new([Err(libc::EAGAIN)]);
        run.parcel(3, 2).parcel(4, 1).message(0, 1, 1).parcel(3, 1);
        assert_eq!(run.flush(), Flush::Blocked(0));
        let first = [(3, vec![0; 10]), (3, vec![1; 4]), (4, vec![0; 4])];
        assert_eq!(run.sockets.handed_over, first);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [1]);
        assert_eq!(run.sockets.handed_over.len(), 4);
        assert_eq!(run.metrics().datagrams_out, 1);
    }

    #[test]
    fn a_partial_count_goes_on_with_the_rest() {
        let mut run = Run::new([Ok(2), Ok(1)]);
        for port in 1..=5 {
            run.message(0, port, 2);
        }
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [1, 2, 3, 4, 5]);
        assert_eq!(run.sockets.calls, 3);
    }

    #[test]
    fn a_full_send_buffer_keeps_the_unsent_rest_for_later() {
        let mut run = Run::new([Ok(1), Err(libc::EAGAIN)]);
        run.message(1, 1, 2).message(1, 2, 2).message(1, 3, 1);
        assert_eq!(run.flush(), Flush::Blocked(1));
        assert!(!run.egress.is_empty());
        assert_eq!(run.ports(), [1]);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [1, 2, 3]);
        assert_eq!(run.metrics().would_block, 1);
    }

    #[test]
    fn no_memory_in_the_kernel_keeps_the_rest_too() {
        let mut run = Run::new([Err(libc::ENOBUFS), Err(libc::ENOMEM)]);
        run.message(0, 1, 2);
        assert_eq!(run.flush(), Flush::NoBuffers);
        assert_eq!(run.flush(), Flush::NoBuffers);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [1]);
        assert_eq!(run.metrics().no_buffers, 2);
    }

    #[test]
    fn a_message_that_cannot_be_sent_is_skipped_and_counted_by_cause() {
        let causes = [
            (libc::EPERM, Dropped { refused: 1, ..Dropped::default() }),
            (libc::EACCES, Dropped { refused: 1, ..Dropped::default() }),
            (libc::ENETUNREACH, Dropped { unreachable: 1, ..Dropped::default() }),
            (libc::EHOSTUNREACH, Dropped { unreachable: 1, ..Dropped::default() }),
            (libc::EMSGSIZE, Dropped { too_large: 1, ..Dropped::default() }),
            (libc::EINVAL, Dropped { invalid: 1, ..Dropped::default() }),
            (libc::EIO, Dropped { other: 1, ..Dropped::default() }),
        ];
        for (errno, dropped) in causes {
            let mut run = Run::new([Ok(1), Err(errno)]);
            run.message(0, 1, 1).message(0, 2, 1).message(0, 3, 1);
            assert_eq!(run.flush(), Flush::Done);
            assert_eq!(run.ports(), [1, 3]);
            assert_eq!(run.metrics().dropped, dropped, "errno {errno}");
        }
    }

    #[test]
    fn all_datagrams_of_a_skipped_message_are_counted() {
        let mut run = Run::new([Err(libc::EPERM)]);
        run.message(0, 1, 6);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.metrics().dropped.refused, 6);
    }

    #[test]
    fn a_device_without_segmentation_gets_datagrams_from_then_on() {
        for errno in [libc::EIO, libc::EINVAL] {
            let mut run = Run::new([Ok(1), Err(errno)]);
            run.message(0, 1, 3).message(0, 2, 3).message(0, 3, 2).message(1, 4, 2);
            assert_eq!(run.flush(), Flush::Done);
            assert_eq!(
                run.sockets.seen,
                [
                    (0, 1, payload(0..3, 3), Some(10)),
                    (0, 2, payload(0..1, 3), None),
                    (0, 2, payload(1..2, 3), None),
                    (0, 2, payload(2..3, 3), None),
                    (0, 3, payload(0..1, 2), None),
                    (0, 3, payload(1..2, 2), None),
                    (1, 4, payload(0..2, 2), Some(10)),
                ]
            );
            let metrics = run.metrics();
            assert_eq!((metrics.segmentation_off, metrics.dropped), (1, Dropped::default()));
            assert_eq!(metrics.datagrams_out, 10);
        }
    }

    #[test]
    fn a_destination_that_takes_nothing_does_not_turn_segmentation_off() {
        let mut run = Run::new([Err(libc::EINVAL), Err(libc::EINVAL)]);
        run.message(0, 1, 3).message(0, 2, 3);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.sockets.seen, [(0, 2, payload(0..3, 3), Some(10))]);
        let metrics = run.metrics();
        assert_eq!((metrics.segmentation_off, metrics.dropped.invalid), (0, 3));
    }

    #[test]
    fn a_blocked_probe_is_made_again() {
        let mut run = Run::new([Err(libc::EIO), Err(libc::EAGAIN)]);
        run.message(0, 1, 2);
        assert_eq!(run.flush(), Flush::Blocked(0));
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.sockets.seen, [(0, 1, payload(0..1, 2), None), (0, 1, payload(1..2, 2), None)]);
    }

    #[test]
    fn without_segmentation_a_message_goes_on_at_the_datagram_where_it_stopped() {
        let mut run = Run::new([Ok(2), Err(libc::EAGAIN)]);
        run.egress.segmentation = vec![false];
        run.message(0, 1, 4).message(0, 2, 1);
        assert_eq!(run.flush(), Flush::Blocked(0));
        assert_eq!(run.flush(), Flush::Done);
        let sent: Vec<u8> = run.sockets.seen.iter().flat_map(|seen| seen.2.clone()).collect();
        assert_eq!(sent, [payload(0..4, 4), payload(0..1, 1)].concat());
        assert_eq!(run.ports(), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn without_segmentation_a_large_batch_takes_several_calls() {
        let mut run = Run::new([]);
        run.egress.segmentation = vec![false];
        for port in 1..=10 {
            run.message(0, port, 20);
        }
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.sockets.calls, 200usize.div_ceil(OUTGOING_MAX));
        let expected: Vec<u16> = (1..=10).flat_map(|port| [port; 20]).collect();
        assert_eq!(run.ports(), expected);
    }

    #[test]
    fn an_earlier_datagrams_refusal_costs_the_next_message_nothing() {
        let mut run = Run::new([Err(libc::ECONNREFUSED)]);
        run.message(0, 1, 1).message(0, 2, 1);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [1, 2]);

        let mut run = Run::new([Err(libc::ECONNREFUSED); 2]);
        run.message(0, 1, 1).message(0, 2, 1);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [2]);
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut run = Run::new([Err(libc::EINTR)]);
        run.message(0, 1, 1);
        assert_eq!(run.flush(), Flush::Done);
        assert_eq!(run.ports(), [1]);
    }
}
