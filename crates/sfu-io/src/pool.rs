//! All workers of a process: one thread each.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_channel::mpsc;
use mio::{Poll, Registry, Token, Waker};
use sfu::dtls::Identity;
use sfu::worker::{ListenAddr, Worker, WorkerConfig};
use thiserror::Error;
use tracing::{error, info, warn};

use crate::affinity::pin_current_thread;
use crate::driver::{Driver, Link, WAKER};
use crate::handle::{WorkerHandle, WorkerIndex};
use crate::metrics::{Counters, WorkerMetrics};
use crate::outbox::{self, EventReceiver, Outbox, PoolEvent};
use crate::parking::Parking;
use crate::socket::MediaSocket;
use crate::tcp::MediaListener;

/// Most local addresses of a worker.
pub const ADDRESSES_MAX: usize = 16;
/// Most workers of a pool.
const WORKERS_MAX: usize = 256;
/// How often another port is tried where the system chose one for UDP that TCP cannot have.
const PORT_TRIES_MAX: usize = 16;

/// How a pool is started.
#[derive(Clone)]
pub struct PoolConfig {
    /// How many workers; one per core that the process may use if none is given.
    pub workers: Option<NonZeroUsize>,
    /// The concrete local addresses of every worker. The port is that of worker 0, the next worker has the next one;
    /// port 0 lets the system choose each.
    pub listen: Vec<ListenAddr>,
    /// The DTLS identity, one per process.
    pub identity: Arc<Identity>,
    /// Seeds everything random in the workers; from a source that cannot be guessed.
    pub seed: [u8; 32],
    /// Whether each thread is tied to a core. Not for several pools on one machine: they would share the first cores.
    pub pin: bool,
    /// Most calls that may wait for a worker; at least 1.
    pub commands_max: usize,
    /// Most events that may wait for their receiver before they stay with the workers.
    pub events_max: usize,
}

impl PoolConfig {
    /// One pinned worker per core, 1,024 waiting calls per worker, 4,096 waiting events.
    pub fn new(listen: Vec<ListenAddr>, identity: Arc<Identity>, seed: [u8; 32]) -> Self {
        Self { workers: None, listen, identity, seed, pin: true, commands_max: 1024, events_max: 4096 }
    }
}

/// Why a pool could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// No local address was given.
    #[error("a media worker needs at least one local address")]
    NoAddress,
    /// More than [`ADDRESSES_MAX`] local addresses were given.
    #[error("{0} local addresses for media, but at most {ADDRESSES_MAX} are supported")]
    TooManyAddresses(usize),
    /// Too many workers were asked for.
    #[error("{0} media workers, but at most {WORKERS_MAX} are supported")]
    TooManyWorkers(usize),
    /// A wildcard address: which address answers would be for the routing table to say.
    #[error("{0} is a wildcard; media needs the concrete local addresses")]
    Wildcard(SocketAddr),
    /// The last worker's port would be above 65535.
    #[error("{workers} media workers do not fit above port {port}")]
    PortRange {
        /// The first worker's port.
        port: u16,
        /// How many workers need one each.
        workers: usize,
    },
    /// A socket could not be made or bound.
    #[error("cannot use {address} for media ({protocol}): {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// UDP or TCP: media needs both.
        protocol: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// epoll could not be set up, or a thread not be started.
    #[error("cannot start a media worker: {0}")]
    System(#[from] io::Error),
}

/// The workers of a process.
pub struct WorkerPool {
    config: PoolConfig,
    stop: Arc<AtomicBool>,
    /// Where the search for the least loaded begins, so that equals take turns.
    next: AtomicUsize,
    running: Mutex<Running>,
}

/// What changes when a worker gets a new thread.
struct Running {
    workers: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    /// For the threads; `None` once the pool was stopped.
    events: Option<mpsc::Sender<PoolEvent>>,
}

impl WorkerPool {
    /// Binds all sockets, then starts one thread per worker, named `hyperion-worker-N`.
    pub fn start(config: &PoolConfig) -> Result<(Self, EventReceiver), StartError> {
        let count = worker_count(config)?;
        check_addresses(&config.listen, count)?;
        let seats = (0..count).map(|worker| Seat::first(config, worker)).collect::<Result<Vec<_>, _>>()?;
        let (events, receiver) = outbox::channel(config.events_max);
        let running = Running { workers: Vec::with_capacity(count), threads: Vec::new(), events: Some(events) };
        // From here on dropping the pool ends the threads that were started.
        let pool =
            Self { config: config.clone(), stop: Arc::default(), next: AtomicUsize::new(0), running: running.into() };
        for seat in seats {
            let mut running = pool.running();
            let handle = pool.spawn(&mut running, seat, 0)?;
            running.workers.push(handle);
        }
        info!(workers = count, "media workers run");
        Ok((pool, receiver))
    }

    /// All workers, in the order of their index; also those that died and were not restarted.
    pub fn workers(&self) -> Vec<WorkerHandle> {
        self.running().workers.clone()
    }

    /// The living workers, those with the fewest transports and the most idle time first; equals take turns.
    pub fn living(&self) -> Vec<WorkerHandle> {
        let running = self.running();
        let start = self.next.fetch_add(1, Ordering::Relaxed) % running.workers.len().max(1);
        let (before, after) = running.workers.split_at(start);
        let mut living: Vec<_> = after.iter().chain(before).filter(|worker| worker.is_alive()).cloned().collect();
        living.sort_by_cached_key(|worker| worker.counters.load());
        living
    }

    /// Whether any worker lives.
    pub fn is_alive(&self) -> bool {
        self.running().workers.iter().any(WorkerHandle::is_alive)
    }

    /// The figures of all workers, in the order of their index.
    pub fn metrics(&self) -> Vec<WorkerMetrics> {
        self.running().workers.iter().map(WorkerHandle::metrics).collect()
    }

    /// Starts a new worker in place of one that died, on the same addresses and with nothing on it. Handles of the
    /// dead one stay dead. Does nothing if it lives, if there is none of this index, or after [`WorkerPool::stop`].
    ///
    /// Errors: [`StartError::Bind`] or [`StartError::System`]; it may be tried again.
    pub fn restart(&self, worker: WorkerIndex) -> Result<(), StartError> {
        let mut running = self.running();
        let Some(dead) = running.workers.get(usize::from(worker.0)).filter(|worker| !worker.is_alive()) else {
            return Ok(());
        };
        if running.events.is_none() {
            return Ok(());
        }
        let deaths = dead.counters.deaths();
        let seat = Seat::again(&self.config, worker, &dead.local_addresses, deaths)?;
        let handle = self.spawn(&mut running, seat, deaths)?;
        if let Some(place) = running.workers.get_mut(usize::from(worker.0)) {
            *place = handle;
        }
        Ok(())
    }

    /// Ends all threads and waits for them: a few milliseconds, in which each does what is queued and sends what is
    /// due, as far as one turn goes. Calls made later fail with [`CallError::WorkerGone`](crate::CallError).
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let threads = {
            let mut running = self.running();
            running.workers.iter().for_each(WorkerHandle::wake);
            running.events = None;
            std::mem::take(&mut running.threads)
        };
        for thread in threads {
            // A panic was caught and told at the thread's top.
            let _ = thread.join();
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread of a worker that died so often before.
    fn spawn(&self, running: &mut Running, seat: Seat, deaths: u64) -> Result<WorkerHandle, StartError> {
        let Some(events) = running.events.clone() else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        };
        let (commands, queue) = sync_channel(self.config.commands_max.max(1));
        let handle = WorkerHandle {
            index: seat.index,
            local_addresses: seat.sockets.iter().map(|socket| socket.local).collect(),
            commands,
            parking: Arc::clone(&seat.parking),
            counters: Arc::new(Counters::after(deaths)),
        };
        let link = Link {
            commands: queue,
            parking: Arc::clone(&handle.parking),
            outbox: Outbox::new(seat.index, events.clone()),
            counters: Arc::clone(&handle.counters),
            stop: Arc::clone(&self.stop),
        };
        let pin = self.config.pin;
        let thread = thread::Builder::new()
            .name(format!("hyperion-worker-{}", seat.index))
            .spawn(move || run_thread(seat, link, pin, &events))?;
        running.threads.retain(|thread| !thread.is_finished());
        running.threads.push(thread);
        Ok(handle)
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.stop();
    }
}

fn worker_count(config: &PoolConfig) -> Result<usize, StartError> {
    let count = match config.workers {
        Some(workers) => workers.get(),
        None => thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS_MAX),
    };
    if count > WORKERS_MAX { Err(StartError::TooManyWorkers(count)) } else { Ok(count) }
}

fn check_addresses(listen: &[ListenAddr], workers: usize) -> Result<(), StartError> {
    match listen.len() {
        0 => return Err(StartError::NoAddress),
        1..=ADDRESSES_MAX => {}
        count => return Err(StartError::TooManyAddresses(count)),
    }
    for ListenAddr { local, .. } in listen {
        if local.ip().is_unspecified() {
            return Err(StartError::Wildcard(*local));
        }
        let port = local.port();
        if port != 0 && usize::from(port) + workers - 1 > usize::from(u16::MAX) {
            return Err(StartError::PortRange { port, workers });
        }
    }
    Ok(())
}

/// All that a worker's thread is given.
struct Seat {
    index: WorkerIndex,
    poll: Poll,
    parking: Arc<Parking>,
    sockets: Vec<MediaSocket>,
    /// One for each socket.
    listeners: Vec<MediaListener>,
    config: WorkerConfig,
}

impl Seat {
    /// The seat of a worker that never ran, on the configured addresses.
    fn first(config: &PoolConfig, worker: usize) -> Result<Self, StartError> {
        let index = WorkerIndex(worker as u16);
        let mut listen = config.listen.clone();
        for ListenAddr { local, .. } in &mut listen {
            if local.port() != 0 {
                local.set_port(local.port() + index.0);
            }
        }
        Self::prepare(config, index, listen, 0)
    }

    /// The seat of a worker that died so often, on the addresses that it had.
    fn again(
        config: &PoolConfig,
        index: WorkerIndex,
        addresses: &[SocketAddr],
        deaths: u64,
    ) -> Result<Self, StartError> {
        let mut listen = config.listen.clone();
        for (entry, address) in listen.iter_mut().zip(addresses) {
            entry.local = *address;
        }
        Self::prepare(config, index, listen, deaths)
    }

    fn prepare(
        config: &PoolConfig,
        index: WorkerIndex,
        mut listen: Vec<ListenAddr>,
        deaths: u64,
    ) -> Result<Self, StartError> {
        let poll = Poll::new()?;
        let parking = Arc::new(Parking::new(Waker::new(poll.registry(), WAKER)?));
        let count = listen.len();
        let (mut sockets, mut listeners) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (index, entry) in listen.iter_mut().enumerate() {
            let (socket, listener) = bind(entry.local, poll.registry(), Token(index), Token(count + index))?;
            entry.local = socket.local;
            sockets.push(socket);
            listeners.push(listener);
        }
        let seed = seed_of(config.seed, index, deaths);
        let identity = Arc::clone(&config.identity);
        // The time is told when the worker is made.
        let config = WorkerConfig { listen, identity, seed, unix_time: Duration::ZERO };
        Ok(Self { index, poll, parking, sockets, listeners, config })
    }
}

/// An address for UDP and, under the same number, for TCP. A number that the system chose for the one may be taken for
/// the other.
fn bind(
    address: SocketAddr,
    registry: &Registry,
    udp: Token,
    tcp: Token,
) -> Result<(MediaSocket, MediaListener), StartError> {
    let failed = |protocol| move |source| StartError::Bind { address, protocol, source };
    let mut tries = 0;
    loop {
        let socket = MediaSocket::bind(address, registry, udp).map_err(failed("UDP"))?;
        match MediaListener::bind(socket.local, registry, tcp) {
            Ok(listener) => return Ok((socket, listener)),
            Err(_) if address.port() == 0 && tries < PORT_TRIES_MAX => tries += 1,
            Err(error) => return Err(failed("TCP")(error)),
        }
    }
}

/// A seed for each worker and each of its lives: what one drew, no other draws again.
fn seed_of(mut seed: [u8; 32], index: WorkerIndex, deaths: u64) -> [u8; 32] {
    let own = index.0.to_le_bytes().into_iter().chain(deaths.to_le_bytes());
    for (byte, own) in seed.iter_mut().zip(own) {
        *byte ^= own;
    }
    seed
}

/// A worker's thread from beginning to end.
fn run_thread(seat: Seat, link: Link, pin: bool, events: &mpsc::Sender<PoolEvent>) {
    let worker = seat.index;
    let counters = Arc::clone(&link.counters);
    let ended = catch_unwind(AssertUnwindSafe(move || {
        if pin {
            try_pin(worker);
        }
        let now = Instant::now();
        let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let core = Worker::new(WorkerConfig { unix_time, ..seat.config }, now);
        Driver::new(core, seat.poll, seat.sockets, seat.listeners, link, now)?.run()
    }));
    let fault = match ended {
        Ok(Ok(())) => return counters.ended(),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic_message(&*panic),
    };
    counters.died();
    error!(worker = worker.0, fault, "a media worker died; everything on it is gone");
    outbox::send_died(events, worker);
}

fn try_pin(worker: WorkerIndex) {
    static WARNED: Once = Once::new();
    if let Err(error) = pin_current_thread(worker.0.into()) {
        WARNED.call_once(|| warn!(%error, "media workers cannot be tied to cores; they run unpinned"));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::Thread;

    use sfu::worker::RouterId;

    use super::*;
    use crate::handle::CallError;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(value) => return value,
                Poll::Pending => thread::park(),
            }
        }
    }

    fn config(workers: usize, addresses: &[&str]) -> PoolConfig {
        let local = |address: &&str| address.parse().expect("it is an address");
        let listen = addresses.iter().map(local).map(|local| ListenAddr { local, announced: Vec::new() }).collect();
        let identity = Identity::generate().expect("a certificate can be made");
        let workers = NonZeroUsize::new(workers);
        PoolConfig { workers, pin: false, ..PoolConfig::new(listen, identity, [7; 32]) }
    }

    fn start(workers: usize) -> (WorkerPool, EventReceiver) {
        WorkerPool::start(&config(workers, &["127.0.0.1:0", "[::1]:0"])).expect("loopback can be bound")
    }

    fn refusal(config: &PoolConfig) -> StartError {
        WorkerPool::start(config).map(|_| ()).expect_err("it must not start")
    }

    /// Keeps a worker busy until the returned sender is dropped.
    fn occupy(worker: &WorkerHandle) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let (entered, inside) = mpsc::channel();
        drop(worker.call(move |_, _| {
            entered.send(()).expect("the test waits");
            held.recv().expect_err("the sender is only ever dropped");
        }));
        inside.recv().expect("the call is run");
        release
    }

    #[test]
    fn a_call_runs_on_the_workers_own_thread_and_answers() {
        let (pool, _events) = start(2);
        for (n, worker) in pool.workers().into_iter().enumerate() {
            let name = wait(worker.call(|worker, _| {
                worker.create_router(RouterId(1)).expect("there is none yet");
                thread::current().name().map(str::to_owned)
            }));
            assert_eq!(name, Ok(Some(format!("hyperion-worker-{n}"))));
            assert_eq!(wait(worker.call(|worker, _| worker.stats().routers)), Ok(1));
        }
    }

    #[test]
    fn each_worker_has_a_port_of_its_own_above_the_first() {
        // Some port whose two successors are free as well; others may take them meanwhile, so several are tried.
        let started = (0..20).find_map(|_| {
            let probe = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
            let base = probe.local_addr().expect("it is bound").port().min(u16::MAX - 2);
            drop(probe);
            let pool = WorkerPool::start(&config(3, &[&format!("127.0.0.1:{base}")])).ok()?.0;
            Some((base, pool))
        });
        let (base, pool) = started.expect("three free ports in a row are found");
        let ports: Vec<u16> = pool.workers().iter().map(|worker| worker.local_addresses()[0].port()).collect();
        assert_eq!(ports, [base, base + 1, base + 2]);
    }

    #[test]
    fn datagrams_reach_the_worker_by_every_socket() {
        let (pool, _events) = start(1);
        let worker = &pool.workers()[0];
        for (sent, address) in (1..).zip(worker.local_addresses()) {
            let local = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
            let sender = UdpSocket::bind(local).expect("loopback can be bound");
            sender.send_to(b"neither STUN nor DTLS nor RTP", address).expect("it is sent");
            let received = || wait(worker.call(|worker, _| worker.stats().datagrams_in)).expect("the worker lives");
            assert!((0..10_000).any(|_| received() == sent));
        }
        assert_eq!(pool.metrics()[0].datagrams_in, 2);
    }

    #[test]
    fn a_full_command_queue_is_told_at_once() {
        let mut config = config(1, &["127.0.0.1:0"]);
        config.commands_max = 2;
        let (pool, _events) = WorkerPool::start(&config).expect("loopback can be bound");
        let worker = &pool.workers()[0];
        let release = occupy(worker);
        let (first, second) = (worker.call(|_, _| 1), worker.call(|_, _| 2));
        assert_eq!(wait(worker.call(|_, _| 3)), Err(CallError::WorkerBusy));
        assert_eq!(pool.metrics()[0].command_depth, 2);
        drop(release);
        assert_eq!((wait(first), wait(second)), (Ok(1), Ok(2)));
        assert_eq!(pool.metrics()[0].command_depth, 0);
    }

    #[test]
    fn stop_ends_the_threads_after_what_was_queued() {
        let (pool, mut events) = start(2);
        let release = occupy(&pool.workers()[0]);
        let queued = pool.workers()[0].call(|_, _| "done");
        drop(release);
        pool.stop();
        assert_eq!(wait(queued), Ok("done"));
        assert_eq!(wait(pool.workers()[0].call(|_, _| ())), Err(CallError::WorkerGone));
        assert_eq!(wait(events.next()), None);
        assert!(pool.living().is_empty());
        pool.stop();
    }

    #[test]
    fn a_panic_takes_one_worker_only_and_is_told() {
        let (pool, mut events) = start(2);
        let [first, second] = &pool.workers()[..] else { panic!("two were started") };
        let release = occupy(first);
        let fatal = first.call(|_, _| panic!("a call of this test panics"));
        let behind = first.call(|_, _| ());
        drop(release);
        assert_eq!(wait(events.next()), Some(PoolEvent::WorkerDied(WorkerIndex(0))));
        assert_eq!(wait(fatal), Err::<(), _>(CallError::WorkerGone));
        assert_eq!(wait(behind), Err(CallError::WorkerGone));
        assert_eq!(wait(second.call(|_, _| ())), Ok(()));
        assert_eq!(pool.metrics().iter().map(|worker| worker.alive).collect::<Vec<_>>(), [false, true]);
        for _ in 0..3 {
            assert_eq!(pool.living().first().map(WorkerHandle::index), Some(WorkerIndex(1)));
        }
    }

    #[test]
    fn a_dead_worker_is_replaced_on_its_own_addresses() {
        let (pool, mut events) = start(2);
        for deaths in 1..=3 {
            let dead = pool.workers()[0].clone();
            drop(dead.call(|worker, _| worker.create_router(RouterId(1))));
            drop(dead.call(|_, _| panic!("a call of this test panics")));
            assert_eq!(wait(events.next()), Some(PoolEvent::WorkerDied(WorkerIndex(0))));
            pool.restart(WorkerIndex(0)).expect("its ports are free");

            let worker = &pool.workers()[0];
            assert_eq!(worker.local_addresses(), dead.local_addresses());
            assert_eq!(wait(worker.call(|worker, _| worker.stats().routers)), Ok(0));
            assert_eq!(wait(dead.call(|_, _| ())), Err(CallError::WorkerGone));
            assert_eq!((dead.is_alive(), worker.is_alive()), (false, true));
            assert_eq!(pool.metrics().iter().map(|worker| worker.deaths).collect::<Vec<_>>(), [deaths, 0]);
        }
        let living = pool.workers()[1].clone();
        wait(living.call(|worker, _| worker.create_router(RouterId(1)))).expect("it lives").expect("there is none");
        pool.restart(WorkerIndex(1)).expect("nothing to do");
        assert_eq!(wait(living.call(|worker, _| worker.stats().routers)), Ok(1));
        pool.stop();
        pool.restart(WorkerIndex(0)).expect("nothing to do");
        assert!(!pool.is_alive());
        assert_eq!(wait(events.next()), None);
    }

    #[test]
    fn no_two_workers_and_no_two_lives_of_one_draw_the_same() {
        let mut seeds: Vec<_> = (0..4).flat_map(|n| (0..4).map(move |d| seed_of([7; 32], WorkerIndex(n), d))).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 16);
    }

    #[test]
    fn equally_loaded_workers_take_turns() {
        let (pool, _events) = start(3);
        let chosen: Vec<u16> = (0..6).filter_map(|_| pool.living().first().map(|worker| worker.index().0)).collect();
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_starts() {
        assert!(matches!(refusal(&config(1, &[])), StartError::NoAddress));
        assert!(matches!(refusal(&config(1, &["127.0.0.1:0"; 17])), StartError::TooManyAddresses(17)));
        assert!(matches!(refusal(&config(1, &["0.0.0.0:0"])), StartError::Wildcard(_)));
        assert!(matches!(refusal(&config(1, &["[::]:0"])), StartError::Wildcard(_)));
        assert!(matches!(refusal(&config(3, &["127.0.0.1:65534"])), StartError::PortRange { port: 65534, workers: 3 }));
        assert!(matches!(refusal(&config(1000, &["127.0.0.1:0"])), StartError::TooManyWorkers(1000)));
        let taken = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = taken.local_addr().expect("it is bound").to_string();
        assert!(matches!(refusal(&config(1, &[&address])), StartError::Bind { protocol: "UDP", .. }));
        let taken = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = taken.local_addr().expect("it is bound").to_string();
        assert!(matches!(refusal(&config(1, &[&address])), StartError::Bind { protocol: "TCP", .. }));
    }
}
