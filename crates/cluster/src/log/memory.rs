//! The log of a single process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::RoomId;
use tokio::sync::watch;

use super::{AppendError, Entry, LogStatus, Start, TailError};

/// What a [`MemoryLog`] holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLogConfig {
    /// Records. The oldest go first, but never before every reader has read them.
    pub entries_max: usize,
    /// Bytes of one record.
    pub entry_bytes_max: usize,
}

impl Default for MemoryLogConfig {
    /// 4,096 records are a second of a busy node, 640 KiB more than the snapshot of any room.
    fn default() -> Self {
        Self { entries_max: 4096, entry_bytes_max: 640 * 1024 }
    }
}

/// An [`EventLog`](super::EventLog) in memory. Clones share the records.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

struct Shared {
    config: MemoryLogConfig,
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    state: Mutex<State>,
    /// The offset after the newest record.
    end: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    /// The offset of the oldest record.
    start: u64,
    /// Readers and the offset that each reads next.
    tails: BTreeMap<u64, u64>,
    next_tail: u64,
    refused: u64,
    read: u64,
}

impl MemoryLog {
    /// An empty log. `clock` gives the time of appending in milliseconds since the Unix epoch.
    pub fn new(config: MemoryLogConfig, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { config, clock: Box::new(clock), state, end: watch::Sender::new(0) }) }
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLog").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl MemoryLog {
    pub(super) fn append(&self, room: &RoomId, value: Vec<u8>) -> Result<(), AppendError> {
        let Shared { config, clock, end, .. } = &*self.shared;
        let mut state = self.shared.state();
        if value.len() > config.entry_bytes_max {
            state.refused += 1;
            return Err(AppendError::TooLarge);
        }
        while state.entries.len() >= config.entries_max {
            if state.tails.values().any(|next| *next <= state.start) || state.entries.pop_front().is_none() {
                state.refused += 1;
                return Err(AppendError::Full);
            }
            state.start += 1;
        }
        let offset = state.end();
        state.entries.push_back(Entry { room: room.clone(), offset, time_ms: clock(), value: value.into() });
        end.send_replace(state.end());
        Ok(())
    }

    pub(super) fn tail(&self, start: Start) -> MemoryTail {
        let mut state = self.shared.state();
        let id = state.next_tail;
        let caught_up_at = state.end();
        let next = match start {
            Start::Oldest => state.start,
            Start::Since(time_ms) => {
                let older = state.entries.iter().take_while(|entry| entry.time_ms < time_ms).count();
                state.start + older as u64
            }
            Start::End => caught_up_at,
        };
        state.next_tail += 1;
        state.tails.insert(id, next);
        MemoryTail { id, next, caught_up_at, end: self.shared.end.subscribe(), shared: Arc::clone(&self.shared) }
    }

    pub(super) fn status(&self) -> LogStatus {
        let state = self.shared.state();
        LogStatus {
            reachable: true,
            appended: state.end(),
            refused: state.refused,
            read: state.read,
            ..LogStatus::default()
        }
    }
}

/// A reader of a [`MemoryLog`].
pub struct MemoryTail {
    id: u64,
    next: u64,
    /// The end of the log when this was opened.
    caught_up_at: u64,
    end: watch::Receiver<u64>,
    shared: Arc<Shared>,
}

impl fmt::Debug for MemoryTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTail").field("next", &self.next).finish_non_exhaustive()
    }
}

impl MemoryTail {
    pub(super) async fn next(&mut self) -> Result<Entry, TailError> {
        let next = self.next;
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = self.end.wait_for(|end| *end > next).await;
        let mut state = self.shared.state();
        let entry = state.entry(next).ok_or(TailError::Behind)?;
        self.next = next + 1;
        state.tails.insert(self.id, self.next);
        state.read += 1;
        Ok(entry)
    }

    pub(super) fn is_caught_up(&self) -> bool {
        self.next >= self.caught_up_at
    }
}

impl Drop for MemoryTail {
    fn drop(&mut self) {
        self.shared.state().tails.remove(&self.id);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.entries.len() as u64
    }

    fn entry(&self, offset: u64) -> Option<Entry> {
        let index = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.entries.get(index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::log::contract;

    fn log(entries_max: usize) -> MemoryLog {
        MemoryLog::new(MemoryLogConfig { entries_max, entry_bytes_max: 1024 }, || 0)
    }

    #[tokio::test]
    async fn keeps_the_contract_of_a_log() {
        contract::check(async || log(4096).into()).await;
    }

    #[tokio::test]
    async fn records_carry_the_clocks_time() {
        let time_ms = Arc::new(AtomicU64::new(5));
        let clock = Arc::clone(&time_ms);
        let log = MemoryLog::new(MemoryLogConfig::default(), move || clock.load(Ordering::Relaxed));
        let mut tail = log.tail(Start::Oldest);
        for expected in [5, 9, 7] {
            time_ms.store(expected, Ordering::Relaxed);
            log.append(&contract::room("a"), vec![1]).expect("room for it");
            assert_eq!(tail.next().await.expect("an entry").time_ms, expected);
        }
    }

    #[tokio::test]
    async fn a_full_log_refuses_rather_than_lose_what_a_reader_needs() {
        let log = log(2);
        let mut tail = log.tail(Start::Oldest);
        let room = contract::room("a");
        for n in 0..2 {
            log.append(&room, vec![n]).expect("room for it");
        }
        assert_eq!(log.append(&room, vec![2]), Err(AppendError::Full));
        assert_eq!((log.status().appended, log.status().refused), (2, 1));
        assert_eq!(tail.next().await.expect("an entry").value[..], [0]);
        log.append(&room, vec![3]).expect("the first was read");
        assert_eq!(tail.next().await.expect("an entry").value[..], [1]);
        assert_eq!(tail.next().await.expect("an entry").value[..], [3]);
    }

    #[tokio::test]
    async fn without_readers_the_newest_records_are_kept() {
        let log = log(2);
        drop(log.tail(Start::Oldest));
        for n in 0..5 {
            log.append(&contract::room("a"), vec![n]).expect("room for it");
        }
        let mut tail = log.tail(Start::Oldest);
        let entry = tail.next().await.expect("an entry");
        assert_eq!((entry.offset, &entry.value[..]), (3, &[3][..]));
    }

    #[test]
    fn a_record_that_is_too_large_is_refused() {
        assert_eq!(log(2).append(&contract::room("a"), vec![0; 1025]), Err(AppendError::TooLarge));
    }
}
