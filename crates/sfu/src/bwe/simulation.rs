//! A sender, a bottleneck and a receiver in virtual time: what the parts of this module do together.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::rtcp::{RtcpPacket, RtcpWriter, packets};
use crate::twcc::Arrivals;

pub(super) const MS: Micros = 1_000;
pub(super) const SECOND: Micros = 1_000_000;
pub(super) const START_BPS: u64 = 300_000;
const AUDIO_BPS: u64 = 40_000;
const AUDIO_BYTES: usize = 100;
const PACKET_BYTES: usize = 1_200;
const LAYERS: [u64; 3] = [150_000, 500_000, 1_200_000];

/// One direction with a queue that drops at its tail; order is kept. The other direction is perfect.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) bps: u64,
    pub(super) queue: Micros,
    /// One way, without queue and jitter.
    pub(super) delay: Micros,
    /// Least and most that is added to it.
    pub(super) jitter: (Micros, Micros),
    pub(super) loss: f64,
}

/// 2 Mbit/s, a round trip of 50 ms.
pub(super) const WIDE: Link = Link { bps: 2_000_000, queue: 200 * MS, delay: 25 * MS, jitter: (0, 0), loss: 0.0 };

/// What is forwarded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Video {
    /// One camera in three layers, shared out by `allocate`.
    Simulcast,
    /// As much as is allowed, up to this.
    Upto(u64),
}

/// Figures of a tenth of a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) at: Micros,
    pub(super) estimate: u64,
    pub(super) sent_bps: u64,
    pub(super) queue: Micros,
    pub(super) layer: Option<u8>,
    pub(super) audio_lost: u32,
}

pub(super) struct Simulation {
    pub(super) link: Link,
    video: Video,
    rng: ChaCha8Rng,
    now: Micros,
    epoch: Instant,
    pub(super) estimator: Estimator,
    pacing: TokenBucket,
    gate: UpgradeGate,
    share: Share,
    probe: Option<ProbeSender>,
    sequence: u16,
    frames: VecDeque<usize>,
    link_free: Micros,
    last_arrival: Micros,
    under_way: VecDeque<(Micros, u16)>,
    arrivals: Arrivals,
    feedback: VecDeque<(Micros, Vec<u8>)>,
    sample: Sample,
    sent_bytes: usize,
    samples: Vec<Sample>,
    pub(super) probes: usize,
}

impl Simulation {
    pub(super) fn new(link: Link, video: Video, seed: u64) -> Self {
        let epoch = Instant::now();
        let mut layers = [0; allocate::LAYERS_MAX];
        layers[..3].copy_from_slice(&LAYERS);
        Self {
            link,
            video,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: 0,
            epoch,
            estimator: Estimator::new(START_BPS),
            pacing: TokenBucket::pacing(0, START_BPS * 5 / 2),
            gate: UpgradeGate::default(),
            share: Share { id: 0, priority: 1, wanted: Some(2), current: None, layers, layer: None },
            probe: None,
            sequence: 65_000,
            frames: VecDeque::new(),
            link_free: 0,
            last_arrival: 0,
            under_way: VecDeque::new(),
            arrivals: Arrivals::new(epoch),
            feedback: VecDeque::new(),
            sample: Sample::default(),
            sent_bytes: 0,
            samples: Vec::new(),
            probes: 0,
        }
    }

    /// Gives the samples of these seconds.
    pub(super) fn run(&mut self, seconds: i64) -> Vec<Sample> {
        let end = self.now + seconds * SECOND;
        while self.now < end {
            self.step();
            self.now += MS;
        }
        std::mem::take(&mut self.samples)
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some((_, sequence)) = self.under_way.pop_front_if(|(at, _)| *at <= now) {
            self.arrivals.on_packet(self.instant(), sequence);
        }
        let mut buffer = [0; 1_200];
        let mut writer = RtcpWriter::new(&mut buffer);
        while self.arrivals.poll_feedback(self.instant(), 1, 2, &mut writer) {}
        if !writer.is_empty() {
            self.feedback.push_back((now + self.link.delay, writer.bytes().to_vec()));
        }
        while let Some((_, bytes)) = self.feedback.pop_front_if(|(at, _)| *at <= now) {
            for packet in packets(&bytes) {
                if let RtcpPacket::TransportCc(feedback) = packet {
                    self.estimator.on_feedback(now, &feedback);
                    self.pacing.set_rate(now, self.estimator.pacing_bps(now));
                }
            }
        }
        if self.estimator.poll_timeout().is_some_and(|at| at <= now) {
            self.estimator.handle_timeout(now);
            self.pacing.set_rate(now, self.estimator.pacing_bps(now));
        }
        if self.probe.is_none()
            && let Some(cluster) = self.estimator.poll_probe(now)
        {
            self.probes += 1;
            self.probe = Some(ProbeSender::new(now, cluster));
        }
        if now % (20 * MS) == 0 {
            self.pacing.spend_urgent(AUDIO_BYTES);
            if !self.send(AUDIO_BYTES) {
                self.sample.audio_lost += 1;
            }
        }
        if now % (100 * MS) == 0 {
            self.share_out();
        }
        if now % (33 * MS) == 0 {
            self.frame();
        }
        while !self.frames.is_empty() && self.pacing.allowance(now) > 0 {
            if let Some(bytes) = self.frames.pop_front() {
                self.pacing.spend(bytes);
                self.send(bytes);
            }
        }
        while let Some(bytes) =
            self.probe.as_ref().filter(|probe| probe.next_timeout() <= now).map(ProbeSender::padding_bytes)
        {
            self.pacing.spend(bytes);
            self.send(bytes);
        }
    }

    /// Gives false when the packet is lost.
    fn send(&mut self, bytes: usize) -> bool {
        let cluster = self.probe.as_ref().map(ProbeSender::id);
        self.estimator.on_sent(self.now, self.sequence, bytes, cluster);
        if self.probe.as_mut().is_some_and(|probe| probe.on_sent(bytes)) {
            self.probe = None;
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.sent_bytes += bytes;
        let queued = (self.link_free - self.now).max(0);
        if queued > self.link.queue || self.rng.random_bool(self.link.loss) {
            return false;
        }
        self.link_free = self.now + queued + (bytes as u64 * 8_000_000 / self.link.bps) as Micros;
        let (least, most) = self.link.jitter;
        let jitter = self.rng.random_range(least..=most);
        self.last_arrival = self.last_arrival.max(self.link_free + self.link.delay + jitter);
        self.under_way.push_back((self.last_arrival, sequence));
        true
    }

    fn share_out(&mut self) {
        let estimate = self.estimator.estimate();
        let desired = match self.video {
            Video::Simulcast => {
                let mut shares = [self.share];
                let allocation = allocate(estimate, AUDIO_BPS, &mut shares);
                self.gate.apply(self.now, &mut shares);
                if shares[0].layer != self.share.current {
                    // A switch begins with a keyframe, and what waits of the other layer is given up.
                    self.frames.clear();
                    (0..shares[0].layer.map_or(0, |layer| 4 << layer))
                        .for_each(|_| self.frames.push_back(PACKET_BYTES));
                }
                self.share.current = shares[0].layer;
                allocation.desired_bps
            }
            Video::Upto(bps) => bps,
        };
        self.estimator.set_desired(self.now, desired);
        self.sample.at = self.now;
        self.sample.estimate = estimate;
        self.sample.layer = self.share.current;
        self.sample.queue = (self.link_free - self.now).max(0);
        self.sample.sent_bps = std::mem::take(&mut self.sent_bytes) as u64 * 80;
        self.samples.push(std::mem::take(&mut self.sample));
    }

    fn frame(&mut self) {
        let bps = match self.video {
            Video::Simulcast => self.share.current.map_or(0, |layer| LAYERS[usize::from(layer)]),
            Video::Upto(most) => self.estimator.estimate().min(most).saturating_sub(AUDIO_BPS),
        };
        let mut bytes = bps as usize * 33 / 8_000;
        while bytes > 0 {
            let packet = bytes.min(PACKET_BYTES);
            self.frames.push_back(packet);
            bytes -= packet;
        }
    }

    fn instant(&self) -> Instant {
        self.epoch + Duration::from_micros(self.now as u64)
    }
}
