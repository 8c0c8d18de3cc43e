//! What goes out: one `sendmmsg` call's worth of GSO messages, filled by the worker, emptied by the driver.

use std::net::SocketAddr;
use std::ops::Range;

use arrayvec::ArrayVec;

use crate::ice::Pair;

/// Messages in one batch: a `sendmmsg` of 32 was the fastest measured (field notes).
pub const MESSAGES_MAX: usize = 32;
/// Segments in one message: the kernel's limit (UDP_MAX_SEGMENTS).
pub const SEGMENTS_MAX: usize = 64;
/// Bytes in one message, below the largest UDP payload.
pub const MESSAGE_BYTES_MAX: usize = 65_000;
/// Bytes in one batch.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// The largest datagram, so that it fits any path of today (IPv6 minimum MTU less headers).
pub const DATAGRAM_BYTES_MAX: usize = 1_232;

/// Which of the worker's sockets. Of n addresses in `WorkerConfig::listen`, 0 to n - 1 are their UDP sockets, and n to
/// 2n - 1 the TCP connections to the same addresses, of which the remote address tells one from another.
pub type SocketIndex = u8;

/// A way to another worker of the process, through memory; there is one at most to each. The number is for the driver
/// to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u16);

/// The way that packets leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// From a socket to an address.
    Pair(Pair),
    /// To another worker of the process.
    Lane(Lane),
}

/// Datagrams to one destination: all of `segment_bytes`, but the last, which may be shorter.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub path: Path,
    /// Where the bytes are in the batch.
    pub range: Range<usize>,
    /// The size of each datagram but the last; equal to the range's length for a single datagram.
    pub segment_bytes: usize,
}

impl Message {
    /// The address that it goes to; `None` over a lane.
    pub fn remote(&self) -> Option<SocketAddr> {
        match self.path {
            Path::Pair(pair) => Some(pair.remote),
            Path::Lane(_) => None,
        }
    }

    /// How many datagrams it holds.
    pub fn segments(&self) -> usize {
        self.range.len().div_ceil(self.segment_bytes.max(1))
    }
}

/// A bounded batch of messages over one buffer that is allocated once.
#[derive(Debug)]
pub struct SendBatch {
    buffer: Box<[u8]>,
    used: usize,
    messages: ArrayVec<Message, MESSAGES_MAX>,
}

impl Default for SendBatch {
    fn default() -> Self {
        Self { buffer: vec![0; BATCH_BYTES_MAX].into_boxed_slice(), used: 0, messages: ArrayVec::new() }
    }
}

impl SendBatch {
    /// The messages, in the order in which they must go out.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The bytes of one message.
    pub fn bytes(&self, message: &Message) -> &[u8] {
        &self.buffer[message.range.clone()]
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.used = 0;
    }

    /// Forgets the first `count` messages, which were sent.
    pub fn advance(&mut self, count: usize) {
        self.messages.drain(..count.min(self.messages.len()));
        if self.messages.is_empty() {
            self.used = 0;
        }
    }

    /// How many bytes the next message may have; 0 when the batch holds as many messages as it may.
    pub fn room(&self) -> usize {
        if self.messages.is_full() { 0 } else { self.buffer.len() - self.used }
    }

    /// The unused part of the buffer, to write a message's segments into before [`SendBatch::commit`].
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.buffer[self.used..]
    }

    /// Makes the first `bytes` of [`SendBatch::spare`] a message. The caller kept within [`SendBatch::room`].
    pub fn commit(&mut self, path: Path, bytes: usize, segment_bytes: usize) {
        let range = self.used..self.used + bytes;
        self.used = range.end;
        self.messages.push(Message { path, range, segment_bytes });
    }

    /// Adds one datagram; false when there is no room for it.
    pub fn push(&mut self, path: Path, datagram: &[u8]) -> bool {
        if datagram.len() > self.room() {
            return false;
        }
        self.spare()[..datagram.len()].copy_from_slice(datagram);
        self.commit(path, datagram.len(), datagram.len());
        true
    }
}
