//! Two workers of a pool with a pipe between them, and people on both by real sockets: their threads, the rings, the
//! waking.

mod support;

use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use loadtest::client::{AudioConfig, Client, StreamReport, VideoConfig, receive_capabilities};
use protocol::transport::TransportOptions;
use protocol::{ConsumerId, MediaKind, ParticipantId, ProducerId, Source, TransportId};
use sfu::Event;
use sfu::dtls::Identity;
use sfu::ortc::router_capabilities;
use sfu::worker::{ListenAddr, RouterId, Worker};
use sfu_io::{EventReceiver, OpenLocalPipeError, PoolConfig, PoolEvent, WorkerHandle, WorkerIndex, WorkerPool};
use support::wait;

const ROUTER: RouterId = RouterId(1);
const MIC: ProducerId = ProducerId { participant: ParticipantId(1), source: Source::Mic };
const CAMERA: ProducerId = ProducerId { participant: ParticipantId(1), source: Source::Camera };
/// Where the publisher is, and where the viewer is.
const HERE: usize = 0;
const THERE: usize = 1;
/// A test that waits longer for anything fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool of two workers, somebody who publishes on the first, and who watches on the second.
struct Stage {
    pool: WorkerPool,
    events: EventReceiver,
    epoch: Instant,
    clients: Vec<(Client, UdpSocket)>,
    /// Pipes that workers said are closed.
    closed: Vec<(WorkerIndex, TransportId)>,
    next_id: u64,
}

impl Stage {
    fn new(video: VideoConfig) -> Self {
        let local = "127.0.0.1:0".parse().expect("it is an address");
        let identity = Identity::generate().expect("a certificate can be made");
        let config = PoolConfig::new(vec![ListenAddr { local, announced: Vec::new() }], identity, [1; 32]);
        let config = PoolConfig { workers: NonZeroUsize::new(2), pin: false, ..config };
        let (pool, events) = WorkerPool::start(&config).expect("loopback can be bound");
        let (clients, closed) = (Vec::new(), Vec::new());
        let mut stage = Self { pool, events, epoch: Instant::now(), clients, closed, next_id: 0 };
        for at in [HERE, THERE] {
            stage.on(at, |worker, _| worker.create_router(ROUTER)).expect("a new router");
        }
        let (epoch, now) = (stage.epoch, Instant::now());
        let transport = stage.join(HERE, |local, options| Client::publisher(now, epoch, local, options));
        let client = &mut stage.clients[0].0;
        let sound = client.produce_audio(now, 1, AudioConfig::default());
        let picture = client.produce_video(now, 1, video);
        for (producer, parameters) in [(MIC, sound), (CAMERA, picture)] {
            let produced = stage.on(HERE, move |worker, now| {
                worker.produce(now, transport, producer, producer.source.kind(), &parameters, false)
            });
            produced.expect("can be produced");
        }
        stage
    }

    fn worker(&self, at: usize) -> WorkerHandle {
        self.pool.workers()[at].clone()
    }

    fn on<R: Send + 'static>(&self, at: usize, run: impl FnOnce(&mut Worker, Instant) -> R + Send + 'static) -> R {
        wait(self.worker(at).call(run)).expect("the worker lives")
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn join<E: std::fmt::Debug>(
        &mut self,
        at: usize,
        client: impl FnOnce(std::net::SocketAddr, &TransportOptions) -> Result<Client, E>,
    ) -> TransportId {
        let id = TransportId(self.id());
        let options = self.on(at, move |worker, now| worker.create_transport(now, ROUTER, id));
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        socket.set_nonblocking(true).expect("it can be");
        let local = socket.local_addr().expect("it is bound");
        let mut client = client(local, &options.expect("a new transport")).expect("usable options");
        let parameters = client.dtls_parameters();
        self.on(at, move |worker, now| worker.connect_transport(now, id, &parameters)).expect("usable parameters");
        self.clients.push((client, socket));
        id
    }

    /// Somebody there watches all that is published; the streams that they get of it.
    fn watch(&mut self) -> (usize, [u32; 2]) {
        let (epoch, now, router) = (self.epoch, Instant::now(), router_capabilities());
        let transport = self.join(THERE, |local, options| Client::receiver(now, epoch, local, options, &router));
        let viewer = self.clients.len() - 1;
        let ssrcs = [MIC, CAMERA].map(|producer| {
            let (id, capabilities) = (ConsumerId(self.id()), receive_capabilities(&router));
            let (kind, parameters) = self
                .on(THERE, move |worker, now| {
                    let consumed = worker.consume(transport, id, producer, &capabilities);
                    worker.resume_consumer(now, id).map(|()| consumed)
                })
                .expect("it is there")
                .expect("can be consumed");
            self.clients[viewer].0.consume(kind, &parameters).expect("usable parameters")
        });
        (viewer, ssrcs)
    }

    /// Opens a pipe, and has all that is published carried over it.
    fn open(&mut self) -> TransportId {
        let pipe = TransportId(self.id());
        wait(self.worker(THERE).open_pipe(&self.worker(HERE), pipe)).expect("both live");
        for producer in [MIC, CAMERA] {
            let described = self.on(HERE, move |worker, _| worker.pipe_consume(pipe, ROUTER, producer));
            let (kind, parameters) = described.expect("it is published");
            assert_eq!(kind == MediaKind::Audio, producer == MIC);
            let produced = self.on(THERE, move |worker, now| {
                worker.pipe_produce(now, pipe, ROUTER, producer, (kind, &parameters), false)
            });
            produced.expect("can be produced");
        }
        pipe
    }

    fn report(&self, viewer: usize, ssrc: u32) -> &StreamReport {
        self.clients[viewer].0.report(ssrc).expect("it is consumed")
    }

    /// Lets everything go on until something has happened.
    fn until(&mut self, what: &str, happened: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !happened(self) {
            assert!(Instant::now() < deadline, "{what} does not happen: {:?}", self.pool.metrics());
            self.turn();
        }
    }

    fn turn(&mut self) {
        let mut buffer = [0; 2048];
        for (client, socket) in &mut self.clients {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                client.handle_datagram(Instant::now(), from, &buffer[..length]);
            }
            let now = Instant::now();
            if client.poll_timeout() <= now {
                client.handle_timeout(now);
            }
            while let Some(datagram) = client.poll_transmit() {
                // What loopback does not take is lost.
                let _ = socket.send_to(&datagram.bytes, datagram.destination);
            }
        }
        while let Some(event) = poll_once(self.events.next()).flatten() {
            match event {
                // What signalling does: passes on which layers are wanted.
                PoolEvent::Worker(_, Event::PipeLayers { pipe, router, producer, layers }) => {
                    let asked =
                        move |worker: &mut Worker, now| worker.set_pipe_layers(now, pipe, router, producer, layers);
                    drop(self.worker(HERE).call(asked));
                }
                PoolEvent::Worker(worker, Event::TransportClosed { transport }) => {
                    self.closed.push((worker, transport));
                }
                PoolEvent::Worker(..) | PoolEvent::WorkerDied(_) => {}
            }
        }
        thread::sleep(Duration::from_millis(1));
    }

    /// Ends a worker by a fault and puts another in its place.
    fn replace(&mut self, at: usize) {
        let dead = self.worker(at);
        drop(dead.call(|_, _| panic!("a call of this test panics")));
        self.until("its death", |_| !dead.is_alive());
        self.pool.restart(dead.index()).expect("its ports are free");
        self.on(at, |worker, _| worker.create_router(ROUTER)).expect("a new router");
    }
}

#[test]
fn who_is_on_another_worker_is_heard_and_seen_whole() {
    let mut stage = Stage::new(VideoConfig::default());
    stage.open();
    let (viewer, streams) = stage.watch();
    stage.until("sound and picture", |stage| streams.iter().all(|&ssrc| stage.report(viewer, ssrc).decoded > 40));
    for ssrc in streams {
        let report = stage.report(viewer, ssrc);
        assert_eq!((report.first_fault, report.lost), (None, 0), "{report:?}");
    }
    let [here, there] = &stage.pool.metrics()[..] else { panic!("two were started") };
    assert!(here.lane_packets_out > 100 && there.lane_packets_in > 100, "{here:?} {there:?}");
    assert!(there.lane_packets_out > 0 && here.lane_packets_in > 0, "reports come back");
    assert_eq!((here.dropped.lane_full, there.dropped.lane_full), (0, 0));
    assert!(there.datagrams_in < here.lane_packets_out, "no media came by a socket of theirs");
}

#[test]
fn what_a_ring_has_no_room_for_is_counted_and_streams_go_on_when_it_has() {
    // Some 20 Mbit/s.
    let mut stage =
        Stage::new(VideoConfig { packets: 40, keyframe_packets: 40, frame_rate: 60, ..VideoConfig::default() });
    stage.open();
    let (viewer, [_, picture]) = stage.watch();
    stage.until("a picture", |stage| stage.report(viewer, picture).decoded > 5);
    let (release, held) = mpsc::channel::<()>();
    drop(stage.worker(THERE).call(move |_, _| held.recv().expect_err("the sender is only ever dropped")));
    stage.until("a full ring", |stage| stage.pool.metrics()[HERE].dropped.lane_full > 0);
    drop(release);
    let before = stage.report(viewer, picture).decoded;
    stage.until("the picture", |stage| stage.report(viewer, picture).decoded > before + 30);
    assert_eq!(stage.report(viewer, picture).first_fault, None);
}

#[test]
fn who_finds_the_other_worker_dead_closes_the_pipe_and_a_new_one_goes_on() {
    let mut stage = Stage::new(VideoConfig::default());
    let pipe = stage.open();
    let (viewer, [_, picture]) = stage.watch();
    stage.until("a picture", |stage| stage.report(viewer, picture).decoded > 5);
    stage.replace(THERE);
    let told = (WorkerIndex(HERE as u16), pipe);
    stage.until("the pipe's end", |stage| stage.closed.contains(&told));
    let ends = stage.on(HERE, move |worker, now| worker.transport_stats(now, pipe).is_err());
    assert!(ends, "it is gone with its lane");
    stage.clients.truncate(1);

    stage.open();
    let (viewer, [_, picture]) = stage.watch();
    stage.until("a picture", |stage| stage.report(viewer, picture).decoded > 5);

    // One in place of the other, with both alive.
    stage.closed.clear();
    stage.open();
    let before = stage.report(viewer, picture).decoded;
    stage.until("the picture", |stage| stage.report(viewer, picture).decoded > before + 20);
    assert_eq!(stage.closed.len(), 2, "each end told of the earlier pipe: {:?}", stage.closed);
}

#[test]
fn a_pipe_needs_two_workers_that_live() {
    let mut stage = Stage::new(VideoConfig::default());
    let here = stage.worker(HERE);
    assert_eq!(wait(here.open_pipe(&here, TransportId(100))), Err(OpenLocalPipeError::SameWorker));
    let dead = stage.worker(THERE);
    stage.replace(THERE);
    let pipe = TransportId(101);
    assert!(matches!(wait(here.open_pipe(&dead, pipe)), Err(OpenLocalPipeError::Call(_))));
    stage.until("the end of half a pipe", |stage| stage.closed.contains(&(here.index(), pipe)));
    wait(here.open_pipe(&stage.worker(THERE), pipe)).expect("both live");
    wait(here.open_pipe(&stage.worker(THERE), pipe)).expect("in place of the one of this name");
}

fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
