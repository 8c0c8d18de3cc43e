//! Drives clients with real sockets, on threads of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Commands, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use loadtest::client::ClientError;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use protocol::request::ConsumerOptions;
use tokio::sync::oneshot;

use crate::gap::Gap;
use crate::participant::Participant;
use crate::socket::Receiver;
use crate::totals::Totals;

/// How often the clients' timers are looked at.
const TICK: Duration = Duration::from_millis(5);
/// The shortest wait: a timer that is set to nothing never fires.
const WAIT_MIN: Duration = Duration::from_micros(1);
/// The tokens of commands and of the timer; clients are counted from 0.
const COMMANDS: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);

/// A client of a drive, which is given up with this value, without a word to the server.
pub(crate) struct Driven {
    drive: Arc<Drive>,
    thread: usize,
    /// Among the clients of that thread.
    number: usize,
}

/// Threads with clients; they end with this value.
pub(crate) struct Drive {
    /// The first is the publishers', so that no receiver delays what they send.
    threads: Vec<DriveThread>,
    receivers: AtomicUsize,
}

struct DriveThread {
    commands: Option<Sender<Command>>,
    waker: Waker,
    added: AtomicUsize,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Add(Box<Participant>),
    Consume(usize, Box<ConsumerOptions>, oneshot::Sender<Result<(), ClientError>>),
    /// Notes for how long a stream does not come.
    Listen(usize, u32, Arc<Gap>),
    /// Expects nothing more of a stream.
    Forget(usize, u32),
    /// Sends the layers of a picture up to this one only.
    Layers(usize, u8),
    Pause(bool),
    Remove(usize),
    Totals(Sender<Totals>),
}

impl Drive {
    /// Starts a thread for publishers, and so many for receivers.
    pub(crate) fn start(receivers: usize) -> anyhow::Result<Self> {
        let threads = (0..=receivers.max(1)).map(DriveThread::start).collect::<Result<_, _>>()?;
        Ok(Self { threads, receivers: AtomicUsize::new(0) })
    }

    /// Takes over a publisher.
    pub(crate) fn add_publisher(self: &Arc<Self>, participant: Participant) -> anyhow::Result<Driven> {
        self.add(0, participant)
    }

    /// Takes over a receiver.
    pub(crate) fn add_receiver(self: &Arc<Self>, participant: Participant) -> anyhow::Result<Driven> {
        let number = self.receivers.fetch_add(1, Ordering::Relaxed);
        self.add(1 + number % (self.threads.len() - 1), participant)
    }

    fn add(self: &Arc<Self>, thread: usize, participant: Participant) -> anyhow::Result<Driven> {
        let number = self.threads[thread].add(participant)?;
        Ok(Driven { drive: self.clone(), thread, number })
    }

    /// Lets all publishers pause, or go on.
    pub(crate) fn set_paused(&self, paused: bool) -> anyhow::Result<()> {
        self.threads[0].send(Command::Pause(paused))
    }

    /// What came of all clients until now.
    pub(crate) fn totals(&self) -> anyhow::Result<Totals> {
        let (answer, answered) = channel();
        for thread in &self.threads {
            thread.send(Command::Totals(answer.clone()))?;
        }
        drop(answer);
        let mut totals = Totals::default();
        for _ in &self.threads {
            totals.add(answered.recv().context("a thread of clients ended")?);
        }
        Ok(totals)
    }
}

impl Driven {
    /// Lets the client expect a consumer's media.
    pub(crate) async fn consume(&self, consumer: ConsumerOptions) -> anyhow::Result<()> {
        let (done, is_done) = oneshot::channel();
        self.send(Command::Consume(self.number, Box::new(consumer), done))?;
        is_done.await.context("the client is gone")??;
        Ok(())
    }

    /// Lets it be noted for how long a stream does not come.
    pub(crate) fn listen(&self, ssrc: u32, gap: Arc<Gap>) -> anyhow::Result<()> {
        self.send(Command::Listen(self.number, ssrc, gap))
    }

    /// Lets the client expect nothing more of a stream.
    pub(crate) fn forget(&self, ssrc: u32) -> anyhow::Result<()> {
        self.send(Command::Forget(self.number, ssrc))
    }

    /// Lets the publisher send the layers of its picture up to this one only.
    pub(crate) fn send_layers(&self, highest: u8) -> anyhow::Result<()> {
        self.send(Command::Layers(self.number, highest))
    }

    fn send(&self, command: Command) -> anyhow::Result<()> {
        self.drive.threads[self.thread].send(command)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // A drive that is gone drives nobody.
        let _ = self.send(Command::Remove(self.number));
    }
}

impl DriveThread {
    fn start(index: usize) -> anyhow::Result<Self> {
        let poll = Poll::new().context("epoll")?;
        let waker = Waker::new(poll.registry(), COMMANDS)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).context("a timer")?;
        let (commands, receiver) = channel();
        let work = Work { participants: Vec::new(), past: Totals::default(), timer, receiver: Receiver::new() };
        let work = move || work.run(poll, &receiver);
        let name = if index == 0 { "publishers".to_owned() } else { format!("receivers-{index}") };
        let thread = std::thread::Builder::new().name(name).spawn(work)?;
        Ok(Self { commands: Some(commands), waker, added: AtomicUsize::new(0), thread: Some(thread) })
    }

    /// The participant's number on this thread.
    fn add(&self, mut participant: Participant) -> anyhow::Result<usize> {
        let number = self.added.fetch_add(1, Ordering::Relaxed);
        participant.number = number;
        self.send(Command::Add(Box::new(participant)))?;
        Ok(number)
    }

    fn send(&self, command: Command) -> anyhow::Result<()> {
        let commands = self.commands.as_ref().filter(|commands| commands.send(command).is_ok());
        commands.context("a thread of clients ended")?;
        Ok(self.waker.wake()?)
    }
}

impl Drop for DriveThread {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a thread does.
struct Work {
    /// By their numbers; those that were removed are None.
    participants: Vec<Option<Box<Participant>>>,
    /// What came of clients and streams that are gone.
    past: Totals,
    timer: TimerFd,
    receiver: Receiver,
}

impl Work {
    fn run(mut self, mut poll: Poll, commands: &Commands<Command>) {
        let mut events = Events::with_capacity(1024);
        let timer = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&self.timer));
        let registered = poll.registry().register(&mut SourceFd(&timer), TIMER, Interest::READABLE);
        if registered.is_err() {
            return;
        }
        let mut next = Instant::now();
        loop {
            // epoll itself waits in whole milliseconds, in which a pacer sends two packets.
            let wait = next.saturating_duration_since(Instant::now()).max(WAIT_MIN);
            let armed = self.timer.set(Expiration::OneShot(wait.into()), TimerSetTimeFlags::empty());
            if armed.is_err() || poll.poll(&mut events, None).is_err() {
                continue;
            }
            for event in &events {
                match event.token() {
                    COMMANDS => {
                        if self.carry_out(commands, poll.registry()).is_none() {
                            return;
                        }
                    }
                    TIMER => {}
                    Token(number) => {
                        if let Some(Some(participant)) = self.participants.get_mut(number) {
                            participant.receive(&mut self.receiver);
                        }
                    }
                }
            }
            if Instant::now() >= next {
                next = self.tick();
            }
        }
    }

    /// None when the drive is gone.
    fn carry_out(&mut self, commands: &Commands<Command>, registry: &Registry) -> Option<()> {
        loop {
            match commands.try_recv() {
                Ok(Command::Add(mut participant)) => {
                    let number = participant.number;
                    registry.register(participant.source(), Token(number), Interest::READABLE).ok()?;
                    if self.participants.len() <= number {
                        self.participants.resize_with(number + 1, || None);
                    }
                    self.participants[number] = Some(participant);
                }
                Ok(Command::Consume(number, consumer, done)) => {
                    if let Some(Some(participant)) = self.participants.get_mut(number) {
                        let _ = done.send(participant.client.consume(&consumer));
                    }
                }
                Ok(Command::Layers(number, highest)) => {
                    if let Some(Some(participant)) = self.participants.get_mut(number) {
                        participant.client.send_layers(highest);
                    }
                }
                Ok(Command::Forget(number, ssrc)) => {
                    if let Some(Some(participant)) = self.participants.get_mut(number) {
                        participant.forget(ssrc, &mut self.past);
                    }
                }
                Ok(Command::Listen(number, ssrc, gap)) => {
                    if let Some(Some(participant)) = self.participants.get_mut(number) {
                        participant.listen(ssrc, gap);
                    }
                }
                Ok(Command::Remove(number)) => {
                    if let Some(participant) = self.participants.get_mut(number).and_then(Option::take) {
                        let mut totals = Totals::default();
                        participant.add_to(Instant::now(), &mut totals);
                        self.past.add(totals.past());
                    }
                }
                Ok(Command::Pause(paused)) => {
                    let now = Instant::now();
                    self.participants.iter_mut().flatten().for_each(|p| p.client.set_paused(now, paused));
                }
                Ok(Command::Totals(answer)) => {
                    let (now, mut totals) = (Instant::now(), self.past.clone());
                    self.participants.iter().flatten().for_each(|participant| participant.add_to(now, &mut totals));
                    let _ = answer.send(totals);
                }
                Err(TryRecvError::Empty) => return Some(()),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// Does what is due, and says when to look again: in time for the next packet, at the latest after a tick.
    fn tick(&mut self) -> Instant {
        let mut next = Instant::now() + TICK;
        for participant in self.participants.iter_mut().flatten() {
            participant.handle_timeout(Instant::now());
            if let Some(due) = participant.next_due() {
                next = next.min(due);
            }
        }
        next
    }
}
