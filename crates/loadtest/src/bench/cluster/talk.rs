//! People who write to their rooms at a steady rate, and how long it takes until others read it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loadtest::client::Latencies;
use protocol::Notification;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::door::Door;
use crate::signaling::Session;

/// Of a message. Of 32 KiB that a room keeps, a room is full after 80.
pub(super) const TEXT_BYTES: usize = 400;
/// How often it is looked what is to be written.
const TICK: Duration = Duration::from_millis(1);
/// How long the last answers may take.
const ANSWERS_MAX: Duration = Duration::from_secs(10);
const ANSWERS_INTERVAL: Duration = Duration::from_millis(50);

/// Sessions without media.
pub(super) struct Talk {
    epoch: Instant,
    writers: Vec<Arc<Session>>,
    /// Who only reads.
    readers: Vec<Session>,
    heard: Arc<Mutex<Heard>>,
    answers: Arc<Answers>,
}

/// From the instant at which something was to be written until it was read.
#[derive(Default)]
struct Heard {
    /// By the second, counted from the epoch, in which it was read.
    seconds: Vec<Latencies>,
}

#[derive(Default)]
struct Answers {
    taken: AtomicU64,
    refused: AtomicU64,
}

/// What became of what was written in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) sent: u64,
    /// Acknowledged, so on the log.
    pub(super) taken: u64,
    pub(super) refused: u64,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            writers: Vec::new(),
            readers: Vec::new(),
            heard: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// Adds somebody who writes, and whose own reading does not count.
    pub(super) async fn add_writer(&mut self, door: &Door, room: &str) -> anyhow::Result<()> {
        let (session, _) = Session::join(door, room, "Writer").await?;
        self.writers.push(Arc::new(session));
        Ok(())
    }

    /// Adds somebody who reads what others write.
    pub(super) async fn add_reader(&mut self, door: &Door, room: &str) -> anyhow::Result<()> {
        let (session, notifications) = Session::join(door, room, "Reader").await?;
        self.readers.push(session);
        tokio::spawn(listen(notifications, self.epoch, self.heard.clone()));
        Ok(())
    }

    /// Adds somebody who writes, and reads what everybody in the room writes, themselves included.
    pub(super) async fn add_both(&mut self, door: &Door, room: &str) -> anyhow::Result<()> {
        let (session, notifications) = Session::join(door, room, "Both").await?;
        self.writers.push(Arc::new(session));
        tokio::spawn(listen(notifications, self.epoch, self.heard.clone()));
        Ok(())
    }

    /// Lets them write so much in a second, all together and in turns, and waits for the answers.
    pub(super) async fn write(&self, per_second: u32, duration: Duration) -> Written {
        let (taken, refused) = self.answers.read();
        let (begun, mut sent) = (Instant::now(), 0);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let passed = begun.elapsed().min(duration);
            let due = (passed.as_secs_f64() * f64::from(per_second)) as u64;
            for number in sent..due {
                self.write_one(number);
            }
            sent = due;
            if passed == duration {
                break;
            }
        }
        let now = || {
            let (all_taken, all_refused) = self.answers.read();
            Written { sent, taken: all_taken - taken, refused: all_refused - refused }
        };
        // Who gets no answer is missing in what is returned.
        let _ = timeout(ANSWERS_MAX, async {
            while now().open() > 0 {
                tokio::time::sleep(ANSWERS_INTERVAL).await;
            }
        })
        .await;
        now()
    }

    fn write_one(&self, number: u64) {
        let writer = self.writers[number as usize % self.writers.len()].clone();
        let answers = self.answers.clone();
        let text = stamp(self.epoch.elapsed());
        tokio::spawn(async move {
            let taken = matches!(writer.write(text).await, Ok(Ok(())));
            let counter = if taken { &answers.taken } else { &answers.refused };
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Now, counted from the epoch.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Of what was read in that time, in whole seconds from the epoch.
    pub(super) fn latencies(&self, from: Duration, to: Duration) -> Latencies {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (from.as_secs() as usize, to.as_secs() as usize);
        let mut sum = Latencies::default();
        heard.seconds.iter().take(to).skip(from).for_each(|second| sum.add(second));
        sum
    }
}

impl Answers {
    /// Taken and refused.
    fn read(&self) -> (u64, u64) {
        (self.taken.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

impl Written {
    /// What has no answer.
    pub(super) fn open(&self) -> u64 {
        self.sent - self.taken - self.refused
    }

    /// Why the figures of it do not count: less than a thousandth may be refused or unanswered.
    pub(super) fn void(&self) -> Option<String> {
        let bad = self.sent - self.taken;
        let share = 100.0 * bad as f64 / self.sent.max(1) as f64;
        let text = || format!("{share:.2} % were not taken: {} refused, {} unanswered", self.refused, self.open());
        (share > 0.1).then(text)
    }
}

async fn listen(mut notifications: mpsc::Receiver<Notification>, epoch: Instant, heard: Arc<Mutex<Heard>>) {
    while let Some(notification) = notifications.recv().await {
        let now = epoch.elapsed();
        if let Notification::ChatMessage { message, .. } = notification
            && let Some(written) = written_at(&message.text)
        {
            heard.lock().unwrap_or_else(PoisonError::into_inner).record(now, now.saturating_sub(written));
        }
    }
}

impl Heard {
    fn record(&mut self, now: Duration, latency: Duration) {
        let second = now.as_secs() as usize;
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, Latencies::default);
        }
        self.seconds[second].record(latency);
    }
}

/// A text that says when it was written, counted from the epoch.
fn stamp(at: Duration) -> String {
    format!("{} {:x<TEXT_BYTES$}", at.as_micros(), "")
}

fn written_at(text: &str) -> Option<Duration> {
    text.split(' ').next()?.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_when_it_was_written() {
        let at = Duration::from_micros(1_234_567);
        let text = stamp(at);
        assert_eq!(written_at(&text), Some(at));
        assert!((TEXT_BYTES..TEXT_BYTES + 20).contains(&text.len()));
        assert_eq!(written_at("hello"), None);
    }

    #[test]
    fn latencies_are_of_the_seconds_that_are_asked_for() {
        let talk = Talk::new();
        let record = |at, latency| {
            talk.heard.lock().expect("nobody panicked").record(Duration::from_millis(at), latency);
        };
        let (here, elsewhere) = (Duration::from_micros(8192), Duration::from_micros(1024));
        record(1_999, elsewhere);
        record(2_000, here);
        record(3_999, here);
        record(4_000, elsewhere);
        let found = talk.latencies(Duration::from_secs(2), Duration::from_secs(4));
        assert_eq!([0.0, 1.0].map(|share| found.quantile(share)), [Some(here); 2]);
    }

    #[test]
    fn what_was_not_taken_voids_beyond_a_thousandth() {
        let written = |taken, refused| Written { sent: 1000, taken, refused };
        assert_eq!(written(999, 1).void(), None);
        assert_eq!(written(997, 1).open(), 2);
        let why = written(997, 1).void().expect("three");
        assert_eq!(why, "0.30 % were not taken: 1 refused, 2 unanswered");
    }
}
