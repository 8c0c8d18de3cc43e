//! How much is on its way to a slow peer.

use std::collections::VecDeque;

/// Messages of one stream that may not have arrived yet. The library tells of their bytes only, and what it keeps for
/// a message of one byte is two hundred times that, so they are counted too.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    lengths: VecDeque<u32>,
    bytes: usize,
}

impl Backlog {
    pub(super) fn messages(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A message was handed to the library.
    pub(super) fn push(&mut self, bytes: usize) {
        self.lengths.push_back(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Forgets the oldest messages, as far as `buffered` bytes, which the library still has, are the newest ones.
    pub(super) fn settle(&mut self, buffered: usize) {
        while let Some(&oldest) = self.lengths.front() {
            let left = self.bytes.saturating_sub(oldest as usize);
            if left < buffered {
                return;
            }
            self.lengths.pop_front();
            self.bytes = left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_until_the_last_of_its_bytes_arrived() {
        let mut backlog = Backlog::default();
        backlog.push(1000);
        backlog.push(10);
        backlog.push(10);
        backlog.settle(1020);
        assert_eq!((backlog.messages(), backlog.bytes()), (3, 1020));
        backlog.settle(21);
        assert_eq!(backlog.messages(), 3);
        backlog.settle(20);
        assert_eq!((backlog.messages(), backlog.bytes()), (2, 20));
        backlog.settle(0);
        assert_eq!((backlog.messages(), backlog.bytes()), (0, 0));
    }
}
