//! Under load, the packets of a frame leave together.
//!
//! Publishers pace: the packets of a frame come half a millisecond apart, and each on its own costs every receiver a
//! message of its own, where several share one (GSO). A worker that is busy more than half of the time therefore lets
//! a stream wait [`GATHER_US`] for the rest of its frame. Otherwise nothing ever waits.

use std::collections::VecDeque;

use super::Worker;
use crate::clock::Micros;
use crate::keys::StreamKey;

/// How long the first packet of a frame waits for the others.
const GATHER_US: Micros = 1_000;
/// Gathering begins and ends at these loads, in thousandths of the worker's time. It lowers the load itself.
const BUSY_PERMILLE: u32 = 500;
const CALM_PERMILLE: u32 = 300;
/// Streams that wait at the same time; others do not wait.
const WAITING_MAX: usize = 1024;

/// Streams whose frames are not complete, the longest waiting first.
#[derive(Debug)]
pub(super) struct Gathering {
    on: bool,
    /// Until when, and which. One that did not have to wait so long is in here still.
    waiting: VecDeque<(Micros, StreamKey)>,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { on: false, waiting: VecDeque::with_capacity(WAITING_MAX) }
    }
}

impl Gathering {
    /// When the first has waited long enough.
    pub(super) fn poll_timeout(&self) -> Option<Micros> {
        self.waiting.front().map(|waiting| waiting.0)
    }
}

impl Worker {
    /// Tells how busy the thread was in the last second, in thousandths.
    pub fn set_load(&mut self, permille: u32) {
        let limit = if self.gathering.on { CALM_PERMILLE } else { BUSY_PERMILLE };
        self.gathering.on = permille >= limit;
    }

    /// Has the fan-out look at a stream of whose frame something came: now, or when more of it has come.
    pub(super) fn queue_frame(&mut self, now_us: Micros, key: StreamKey, complete: bool) {
        let stream = &mut self.streams[key.0];
        if !self.gathering.on || complete || stream.queued || self.gathering.waiting.len() == WAITING_MAX {
            return self.queue(key);
        }
        if stream.gathers_until.is_none() {
            let until = now_us + GATHER_US;
            stream.gathers_until = Some(until);
            self.gathering.waiting.push_back((until, key));
        }
    }

    /// Has the fan-out look at the streams that waited long enough.
    pub(super) fn end_gathering(&mut self, now_us: Micros) {
        while let Some(&(until, key)) = self.gathering.waiting.front() {
            let waits = self.streams.get(key.0).is_some_and(|stream| stream.gathers_until == Some(until));
            if waits && until > now_us {
                break;
            }
            self.gathering.waiting.pop_front();
            if waits {
                self.queue(key);
            }
        }
    }
}
