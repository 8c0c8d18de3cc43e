//! Small datagrams that go out before media: STUN replies, DTLS flights, RTCP.

use std::collections::VecDeque;
use std::ops::Range;

use crate::transmit::{Path, SendBatch};

/// Most datagrams that may wait.
const ENTRIES_MAX: usize = 4096;
/// Most bytes that may wait.
const BYTES_MAX: usize = 1024 * 1024;

/// A bounded queue over one buffer that is allocated once.
#[derive(Debug)]
pub(crate) struct ControlQueue {
    bytes: Box<[u8]>,
    used: usize,
    entries: VecDeque<(Path, Range<usize>)>,
    dropped: u64,
}

impl Default for ControlQueue {
    fn default() -> Self {
        Self {
            bytes: vec![0; BYTES_MAX].into_boxed_slice(),
            used: 0,
            entries: VecDeque::with_capacity(ENTRIES_MAX),
            dropped: 0,
        }
    }
}

impl ControlQueue {
    /// How many datagrams were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Queues a datagram, or counts it as dropped.
    pub(crate) fn push(&mut self, path: Path, datagram: &[u8]) {
        let range = self.used..self.used + datagram.len();
        match self.bytes.get_mut(range.clone()) {
            Some(bytes) if self.entries.len() < ENTRIES_MAX => {
                bytes.copy_from_slice(datagram);
                self.used = range.end;
                self.entries.push_back((path, range));
            }
            _ => self.dropped += 1,
        }
    }

    /// Moves datagrams into the batch; false when some are left because it is full.
    pub(crate) fn drain(&mut self, batch: &mut SendBatch) -> bool {
        while let Some((path, range)) = self.entries.front() {
            if !batch.push(*path, &self.bytes[range.clone()]) {
                return false;
            }
            self.entries.pop_front();
        }
        self.used = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::Pair;
    use crate::transmit::MESSAGES_MAX;

    #[test]
    fn a_full_queue_drops_and_counts_and_a_drained_one_takes_again() {
        let mut queue = ControlQueue::default();
        let path = Path::Pair(Pair { socket: 0, remote: ([127, 0, 0, 1], 9).into() });
        for _ in 0..ENTRIES_MAX + 3 {
            queue.push(path, &[1; 100]);
        }
        assert_eq!(queue.dropped(), 3);
        let mut batch = SendBatch::default();
        let mut sent = 0;
        while !queue.drain(&mut batch) {
            assert_eq!(batch.messages().len(), MESSAGES_MAX);
            sent += batch.messages().len();
            batch.clear();
        }
        assert_eq!(sent + batch.messages().len(), ENTRIES_MAX);
        queue.push(path, &[1; 100]);
        assert_eq!(queue.dropped(), 3);
    }
}
