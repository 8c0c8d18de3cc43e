//! The loop of a worker's thread: calls, datagrams in, timers, datagrams out, events; then sleep.
//!
//! The worker decides what to do and when; this only moves bytes and time. Sleeping has the granularity of
//! `epoll_wait`, a millisecond, rounded up: a timer fires up to 1 ms late, and never early.

use std::io;
use std::slice::Chunks;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use sfu::transmit::{Lane, SocketIndex};
use sfu::worker::Worker;

use crate::egress::{Egress, Flush};
use crate::handle::Command;
use crate::ingress::Ingress;
use crate::lanes::Lanes;
use crate::metrics::{Counters, add};
use crate::outbox::Outbox;
use crate::parking::Parking;
use crate::send::{MessageHeaders, Outgoing, SendMessages};
use crate::socket::MediaSocket;
use crate::tcp::{Connections, MediaListener, PathChange};

/// Where the waker's token lies, beyond those of sockets and connections.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Sockets and connections that one sleep hears of; the others wake it again.
const EVENTS_MAX: usize = 256;
/// The longest that a turn may go on before calls and timers are looked at again.
const TURN_MAX: Duration = Duration::from_millis(2);
/// The longest that one turn receives before it sends: what arrived together is forwarded together.
const RECEIVE_MAX: Duration = Duration::from_millis(1);
/// Receive batches of one turn and socket before it sends.
const RECEIVE_BATCHES_MAX: usize = 4;
/// Calls run in one turn, and for how long at most.
const COMMANDS_MAX: usize = 64;
const COMMANDS_TIME_MAX: Duration = Duration::from_millis(1);
/// The pause before the kernel is tried again that had no memory for a message: it does not tell when it has.
const NO_BUFFERS_PAUSE: Duration = Duration::from_millis(1);
/// The pause before a full event channel is tried again.
const OUTBOX_PAUSE: Duration = Duration::from_millis(5);
/// The shortest sleep when the worker still names a time that it has been told has passed. A worker that makes no
/// progress then costs a thousand turns a second, not a core.
const OVERDUE_PAUSE: Duration = Duration::from_millis(1);
/// How often the load figure is made.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How the thread is tied to the others.
pub(crate) struct Link {
    pub(crate) commands: Receiver<Command>,
    pub(crate) parking: Arc<Parking>,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// What a worker's thread owns.
pub(crate) struct Driver {
    worker: Worker,
    poll: Poll,
    ready: Events,
    sockets: Vec<MediaSocket>,
    tcp: Connections,
    lanes: Lanes,
    ingress: Ingress,
    egress: Egress,
    headers: MessageHeaders,
    /// Why the egress waits.
    waiting: Option<Waiting>,
    link: Link,
    /// There was more to do than the turn had time for.
    unfinished: bool,
    /// What the worker was last told with `handle_timeout`.
    told: Instant,
    report: Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Writable(SocketIndex),
    Until(Instant),
}

/// The busy share of the current second.
struct Report {
    started: Instant,
    busy: Duration,
}

impl Driver {
    pub(crate) fn new(
        worker: Worker,
        poll: Poll,
        sockets: Vec<MediaSocket>,
        listeners: Vec<MediaListener>,
        link: Link,
        now: Instant,
    ) -> io::Result<Self> {
        // Behind each listener are connections, which take whole messages.
        let can_segment = sockets.iter().map(MediaSocket::can_segment).chain(listeners.iter().map(|_| true));
        let egress = Egress::new(can_segment.collect());
        let tcp = Connections::new(poll.registry().try_clone()?, listeners, sockets.len());
        Ok(Self {
            worker,
            poll,
            ready: Events::with_capacity(EVENTS_MAX),
            sockets,
            tcp,
            lanes: Lanes::default(),
            ingress: Ingress::new(),
            egress,
            headers: MessageHeaders::new(),
            waiting: None,
            link,
            unfinished: false,
            told: now,
            report: Report { started: now, busy: Duration::ZERO },
        })
    }

    /// Runs until it is told to stop; what is queued by then is still done and sent, as far as one turn goes.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut now = Instant::now();
        loop {
            self.sleep(now)?;
            let started = Instant::now();
            let stopping = self.link.stop.load(Ordering::Relaxed);
            self.turn(started)?;
            now = Instant::now();
            self.account(started, now);
            if stopping {
                return Ok(());
            }
        }
    }

    fn turn(&mut self, started: Instant) -> io::Result<()> {
        self.unfinished = self.run_commands(started);
        self.tcp.accept(started, &self.link.counters);
        self.receive(RECEIVE_BATCHES_MAX);
        let now = Instant::now();
        if self.worker.poll_timeout().is_some_and(|due| due <= now) {
            self.worker.handle_timeout(now);
            self.told = now;
        }
        while self.send_chunk()? {
            if started.elapsed() > TURN_MAX {
                self.unfinished = true;
                break;
            }
            self.receive(1);
        }
        self.link.outbox.fill(|| self.worker.poll_event(), &self.link.counters);
        Ok(())
    }

    /// Runs calls; whether more may be waiting.
    fn run_commands(&mut self, started: Instant) -> bool {
        let mut now = started;
        for ran in 0..COMMANDS_MAX {
            let Ok(command) = self.link.commands.try_recv() else {
                if ran > 0 {
                    self.publish_transports();
                }
                return false;
            };
            self.link.counters.command_depth.fetch_sub(1, Ordering::Relaxed);
            add(&self.link.counters.commands, 1);
            command(&mut self.worker, &mut self.lanes, now);
            now = Instant::now();
            if now.saturating_duration_since(started) > COMMANDS_TIME_MAX {
                break;
            }
        }
        self.publish_transports();
        true
    }

    /// Receives up to so many batches from each socket, connection and lane that has any, all of them taking turns.
    fn receive(&mut self, batches: usize) {
        let started = Instant::now();
        for _ in 0..batches {
            let mut received = false;
            for (index, socket) in (0..).zip(&mut self.sockets).filter(|(_, socket)| socket.readable) {
                received = true;
                let worker = &mut self.worker;
                self.ingress.receive(socket, &self.link.counters, |now, remote, datagram| {
                    worker.handle_datagram(now, index, remote, datagram);
                });
            }
            for _ in 0..self.tcp.readable() {
                if started.elapsed() > RECEIVE_MAX {
                    break;
                }
                let worker = &mut self.worker;
                received |= self.tcp.receive(&self.link.counters, |now, index, remote, datagram| {
                    worker.handle_datagram(now, index, remote, datagram);
                });
            }
            let worker = &mut self.worker;
            received |= self.lanes.receive(&self.link.counters, |now, lane, packet| {
                worker.handle_lane(now, lane, packet);
            });
            if !received || started.elapsed() > RECEIVE_MAX {
                break;
            }
        }
        self.tell_path_changes();
    }

    /// Tells the worker which connections take nothing more, take something again, or closed.
    fn tell_path_changes(&mut self) {
        while let Some((socket, remote, change)) = self.tcp.poll_change() {
            match change {
                PathChange::Writable(writable) => self.worker.set_writable(socket, remote, writable),
                PathChange::Closed => self.worker.handle_close(socket, remote),
            }
        }
    }

    /// Sends what is left of the last batch, or else one more; whether there may be more to send now.
    fn send_chunk(&mut self) -> io::Result<bool> {
        let now = Instant::now();
        match self.waiting {
            Some(Waiting::Writable(_)) => return Ok(false),
            Some(Waiting::Until(due)) if now < due => return Ok(false),
            Some(Waiting::Until(_)) | None => self.waiting = None,
        }
        if self.egress.is_empty() {
            let batch = self.egress.batch_mut();
            self.worker.poll_transmit(now, batch);
            if batch.is_empty() {
                return Ok(false);
            }
        }
        let counters = &self.link.counters;
        let mut sender = Ways {
            sockets: &self.sockets,
            headers: &mut self.headers,
            tcp: &mut self.tcp,
            lanes: &mut self.lanes,
            counters,
        };
        let flush = self.egress.flush(&mut sender, counters);
        self.lanes.wake();
        self.tell_path_changes();
        match flush {
            Flush::Done => return Ok(true),
            Flush::Blocked(socket) => {
                if let Some(blocked) = self.sockets.get_mut(usize::from(socket)) {
                    blocked.want_writable(self.poll.registry(), true)?;
                }
                self.waiting = Some(Waiting::Writable(socket));
            }
            Flush::NoBuffers => self.waiting = Some(Waiting::Until(now + NO_BUFFERS_PAUSE)),
        }
        Ok(false)
    }

    /// Sleeps until a socket, a call, another worker or a timer wants something.
    fn sleep(&mut self, now: Instant) -> io::Result<()> {
        let mut timeout = self.idle_time(now);
        self.link.parking.prepare();
        if self.lanes.is_ready() {
            timeout = Duration::ZERO;
        }
        let polled = self.poll.poll(&mut self.ready, Some(timeout));
        self.link.parking.leave();
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.ready {
            if event.token() == WAKER {
                continue;
            }
            let Some(socket) = self.sockets.get_mut(event.token().0) else {
                self.tcp.handle_event(event, &self.link.counters);
                continue;
            };
            socket.readable |= event.is_readable() || event.is_error();
            let blocked = self.waiting == Some(Waiting::Writable(event.token().0 as SocketIndex));
            if blocked && event.is_writable() {
                socket.want_writable(self.poll.registry(), false)?;
                self.waiting = None;
            }
        }
        self.tell_path_changes();
        Ok(())
    }

    fn idle_time(&self, now: Instant) -> Duration {
        if self.unfinished || self.tcp.is_ready() || self.sockets.iter().any(|socket| socket.readable) {
            return Duration::ZERO;
        }
        let mut idle = (self.report.started + REPORT_INTERVAL).saturating_duration_since(now);
        if let Some(due) = self.worker.poll_timeout() {
            let overdue = due <= self.told;
            idle = idle.min(if overdue { OVERDUE_PAUSE } else { due.saturating_duration_since(now) });
        }
        if let Some(Waiting::Until(due)) = self.waiting {
            idle = idle.min(due.saturating_duration_since(now));
        }
        if self.link.outbox.is_full() {
            idle = idle.min(OUTBOX_PAUSE);
        }
        idle
    }

    fn account(&mut self, started: Instant, now: Instant) {
        let busy = now.saturating_duration_since(started);
        add(&self.link.counters.turns, 1);
        add(&self.link.counters.long_turns, usize::from(busy > TURN_MAX));
        self.link.counters.busy_nanos.fetch_add(busy.as_nanos() as u64, Ordering::Relaxed);
        self.report.busy += busy;
        let elapsed = now.saturating_duration_since(self.report.started);
        if elapsed >= REPORT_INTERVAL {
            let permille = self.report.busy.as_micros() * 1000 / elapsed.as_micros().max(1);
            self.link.counters.busy_permille.store(permille as u32, Ordering::Relaxed);
            self.worker.set_load(permille as u32);
            self.report = Report { started: now, busy: Duration::ZERO };
            self.publish_transports();
            let worker = &self.worker;
            self.tcp.sweep(now, &self.link.counters, |socket, remote| worker.is_valid_pair(socket, remote));
            self.tell_path_changes();
            self.lanes.sweep(|lane| self.worker.handle_lane_close(lane));
        }
    }

    fn publish_transports(&self) {
        let transports = u32::try_from(self.worker.transports()).unwrap_or(u32::MAX);
        self.link.counters.transports.store(transports, Ordering::Relaxed);
    }
}

/// The real sockets, connections and lanes.
struct Ways<'a> {
    sockets: &'a [MediaSocket],
    headers: &'a mut MessageHeaders,
    tcp: &'a mut Connections,
    lanes: &'a mut Lanes,
    counters: &'a Counters,
}

impl SendMessages for Ways<'_> {
    fn send(&mut self, socket: SocketIndex, outgoing: &[Outgoing<'_>]) -> io::Result<usize> {
        use std::os::fd::AsFd;
        let Some(socket) = self.sockets.get(usize::from(socket)) else {
            self.tcp.send(socket, outgoing, self.counters);
            return Ok(outgoing.len());
        };
        self.headers.sendmmsg(socket.socket.as_fd(), outgoing)
    }

    fn hand_over(&mut self, lane: Lane, packets: Chunks<'_, u8>) {
        self.lanes.send(lane, packets, self.counters);
    }
}
