//! Two workers with a pipe between them: people of one room who are on different nodes, or on two workers of one.

use std::time::{Duration, Instant};

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::{ProducerId, TransportId};
use sfu::ice::{PacketKind, classify};
use sfu::srtp::{MASTER_KEY_BYTES, MasterKey};
use sfu::transmit::Lane;
use sfu::{Event, Worker};

use crate::call::{Call, Consumption, NEIGHBOUR, ROUTER, SERVER};
use crate::network::{Datagram, Link, Network, Path};

/// Where the publisher is.
pub const HERE: usize = 0;
/// Where the viewers are.
pub const THERE: usize = 1;
/// What each worker knows the other by, where they are of one process.
pub const LANE: Lane = Lane(7);

/// The way of people to their worker and back.
const ACCESS: Duration = Duration::from_millis(20);
/// Within one of these what crosses crosses together.
const TURN: Duration = Duration::from_millis(1);

/// What is between the workers.
#[derive(Debug, Clone, Copy)]
pub enum Between {
    /// A network between nodes.
    Network(Link),
    /// A lane within a node. So many packets it takes in a turn; the others are lost, as when a ring is full.
    Lane {
        /// In each direction.
        packets_max: usize,
    },
}

/// Gives a packet of a lane to the worker at its end.
pub type HandleLane = Box<dyn FnMut(&mut Worker, Instant, &mut [u8])>;

/// Two workers, the people on each, and the way between.
pub struct TwoWorkers {
    /// Here and there.
    pub calls: [Call; 2],
    /// The pipe that is open.
    pub pipe: TransportId,
    /// RTP packets that were sent from here to there.
    pub crossed: u64,
    /// Packets that a lane had no room for.
    pub refused: u64,
    /// How packets of the lane get into a worker; a bench may measure around it.
    pub handle_lane: HandleLane,
    between: Between,
    network: Network,
    paths: [Path; 2],
}

impl TwoWorkers {
    /// Two workers with nobody on them and a pipe between them.
    pub fn new(seed: u64, between: Between) -> Self {
        let here = Call::new(seed);
        let there = Call::next_door(seed + 1, &here);
        let mut two = Self {
            calls: [here, there],
            pipe: TransportId(0),
            crossed: 0,
            refused: 0,
            handle_lane: Box::new(|worker, now, packet| worker.handle_lane(now, LANE, packet)),
            between,
            network: Network::default(),
            paths: [Path::new(seed, 1), Path::new(seed, 2)],
        };
        two.open(0xa000);
        two
    }

    /// Somebody here who speaks and is seen, viewers there, and what the first of them gets of sound and picture.
    pub fn stage(between: Between, viewers: usize) -> (Self, [Consumption; 2]) {
        let mut two = Self::new(1, between);
        let access = Link::clean(ACCESS);
        two.calls[HERE].join(access, access);
        (0..viewers).for_each(|_| _ = two.calls[THERE].join(access, access));
        let producers = [
            two.calls[HERE].publish_audio(0, AudioConfig::default()),
            two.calls[HERE].publish_video(0, VideoConfig::default()),
        ];
        two.connect();
        producers.iter().for_each(|producer| two.carry(*producer));
        let consumptions = producers.map(|producer| two.calls[THERE].watch(0, producer));
        for viewer in 1..viewers {
            producers.iter().for_each(|producer| _ = two.calls[THERE].watch(viewer, *producer));
        }
        (two, consumptions)
    }

    /// Lets time pass until everybody is connected.
    pub fn connect(&mut self) {
        self.calls.iter_mut().for_each(Call::connect);
        // The two clocks are one again.
        let late = self.calls.iter().map(Call::now).max().expect("two");
        self.calls.iter_mut().for_each(|call| call.run(late - call.now()));
    }

    /// Opens a pipe, in place of the one there is; with fresh keys, where it has any.
    pub fn open(&mut self, id: u64) {
        self.pipe = TransportId(id);
        let keys = [1, 2].map(|end| MasterKey([(id % 251) as u8 ^ end; MASTER_KEY_BYTES]));
        for (at, remote) in [(HERE, NEIGHBOUR), (THERE, SERVER)] {
            let now = self.calls[at].now();
            let worker = &mut self.calls[at].worker;
            let opened = match self.between {
                Between::Network(_) => {
                    worker.open_pipe(now, self.pipe, 0, remote.into(), [&keys[at], &keys[1 - at]], None)
                }
                Between::Lane { .. } => worker.open_local_pipe(now, self.pipe, LANE),
            };
            opened.expect("a new pipe");
        }
    }

    /// Makes a producer that is here known there.
    pub fn carry(&mut self, producer: ProducerId) {
        self.carry_from(HERE, producer);
    }

    /// Makes a producer that is at one worker known at the other.
    pub fn carry_from(&mut self, at: usize, producer: ProducerId) {
        let described = self.calls[at].worker.pipe_consume(self.pipe, ROUTER, producer);
        let (kind, parameters) = described.expect("it is published");
        let now = self.calls[1 - at].now();
        let other = &mut self.calls[1 - at].worker;
        other.pipe_produce(now, self.pipe, ROUTER, producer, (kind, &parameters), false).expect("can be produced");
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.calls[HERE].now() + duration;
        while self.calls[HERE].now() < end {
            for at in [HERE, THERE] {
                self.calls[at].run(TURN);
                match self.between {
                    Between::Network(link) => self.send(at, &link),
                    Between::Lane { packets_max } => self.hand_over(at, packets_max),
                }
            }
            self.deliver(self.calls[HERE].now());
            self.ask();
        }
    }

    fn send(&mut self, at: usize, link: &Link) {
        let now = self.calls[at].now();
        for datagram in std::mem::take(&mut self.calls[at].abroad) {
            self.crossed += u64::from(at == HERE && is_rtp(&datagram.bytes));
            self.network.send(now, link, &mut self.paths[at], datagram);
        }
    }

    fn hand_over(&mut self, at: usize, packets_max: usize) {
        let now = self.calls[1 - at].now();
        for (n, mut packet) in std::mem::take(&mut self.calls[at].next_worker).into_iter().enumerate() {
            self.crossed += u64::from(at == HERE && is_rtp(&packet));
            if n < packets_max {
                (self.handle_lane)(&mut self.calls[1 - at].worker, now, &mut packet);
            } else {
                self.refused += 1;
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(Datagram { source, destination, bytes }) = self.network.poll(now) {
            let at = if destination == SERVER.into() { HERE } else { THERE };
            self.calls[at].inject(source, &bytes);
        }
    }

    /// What signalling does: passes on which layers are wanted.
    fn ask(&mut self) {
        for at in [HERE, THERE] {
            let wanted = self.calls[at].events.extract_if(.., |(_, event)| matches!(event, Event::PipeLayers { .. }));
            for (_, event) in wanted.collect::<Vec<_>>() {
                let Event::PipeLayers { pipe, router, producer, layers } = event else { continue };
                let now = self.calls[1 - at].now();
                // Of a pipe that another took the place of.
                let _ = self.calls[1 - at].worker.set_pipe_layers(now, pipe, router, producer, layers);
            }
        }
    }

    /// How many RTP packets cross within a time.
    pub fn crossing(&mut self, duration: Duration) -> u64 {
        let before = self.crossed;
        self.run(duration);
        self.crossed - before
    }
}

fn is_rtp(bytes: &[u8]) -> bool {
    classify(bytes) == Some(PacketKind::Rtp)
}
