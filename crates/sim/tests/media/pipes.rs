//! Two workers with a pipe between them: people of one room who are on different nodes.

use std::time::{Duration, Instant};

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::{ProducerId, TransportId};
use sfu::Event;
use sfu::srtp::{MASTER_KEY_BYTES, MasterKey};
use sim::call::{Call, Consumption, NEIGHBOUR, ROUTER, SERVER};
use sim::network::{Datagram, Link, Network, Path};

use crate::{clean, ms, rtp, seconds};

/// Where the publisher is, and where the viewers are.
const HERE: usize = 0;
const THERE: usize = 1;

/// Two servers and the way between them.
struct Two {
    calls: [Call; 2],
    link: Link,
    network: Network,
    paths: [Path; 2],
    pipe: TransportId,
    /// RTP packets that crossed from here to there.
    crossed: u64,
}

impl Two {
    fn new(seed: u64, link: Link) -> Self {
        let here = Call::new(seed);
        let there = Call::next_door(seed + 1, &here);
        let paths = [Path::new(seed, 1), Path::new(seed, 2)];
        let calls = [here, there];
        let mut two = Self { calls, link, network: Network::default(), paths, pipe: TransportId(0), crossed: 0 };
        two.open(0xa000);
        two
    }

    /// Opens a pipe with fresh keys, in place of the one there is.
    fn open(&mut self, id: u64) {
        let keys = [1, 2].map(|end| MasterKey([(id % 251) as u8 ^ end; MASTER_KEY_BYTES]));
        self.pipe = TransportId(id);
        for (at, remote) in [(HERE, NEIGHBOUR), (THERE, SERVER)] {
            let [ours, theirs] = [&keys[at], &keys[1 - at]];
            let now = self.calls[at].now();
            let opened = self.calls[at].worker.open_pipe(now, self.pipe, 0, remote.into(), [ours, theirs], None);
            opened.expect("a new pipe");
        }
    }

    /// Makes a producer that is here known there.
    fn carry(&mut self, producer: ProducerId) {
        let described = self.calls[HERE].worker.pipe_consume(self.pipe, ROUTER, producer);
        let (kind, parameters) = described.expect("it is published");
        let now = self.calls[THERE].now();
        let there = &mut self.calls[THERE].worker;
        there.pipe_produce(now, self.pipe, ROUTER, producer, (kind, &parameters), false).expect("can be produced");
    }

    fn run(&mut self, duration: Duration) {
        let end = self.calls[HERE].now() + duration;
        while self.calls[HERE].now() < end {
            for at in [HERE, THERE] {
                self.calls[at].run(ms(1));
                let now = self.calls[at].now();
                for datagram in std::mem::take(&mut self.calls[at].abroad) {
                    self.crossed += u64::from(at == HERE && rtp(&datagram.bytes).is_some());
                    self.network.send(now, &self.link, &mut self.paths[at], datagram);
                }
            }
            self.deliver(self.calls[HERE].now());
            self.ask();
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
        let wanted = self.calls[THERE].events.extract_if(.., |(_, event)| matches!(event, Event::PipeLayers { .. }));
        for (_, event) in wanted.collect::<Vec<_>>() {
            let Event::PipeLayers { pipe, router, producer, layers } = event else { continue };
            let now = self.calls[HERE].now();
            // Of a pipe that another took the place of.
            let _ = self.calls[HERE].worker.set_pipe_layers(now, pipe, router, producer, layers);
        }
    }

    /// How many RTP packets cross within a time.
    fn crossing(&mut self, duration: Duration) -> u64 {
        let before = self.crossed;
        self.run(duration);
        self.crossed - before
    }
}

/// Somebody here who speaks and is seen, viewers there, and what the first of them gets of sound and picture.
fn stage(link: Link, viewers: usize) -> (Two, [Consumption; 2]) {
    let mut two = Two::new(1, link);
    two.calls[HERE].join(clean(), clean());
    (0..viewers).for_each(|_| _ = two.calls[THERE].join(clean(), clean()));
    let producers = [
        two.calls[HERE].publish_audio(0, AudioConfig::default()),
        two.calls[HERE].publish_video(0, VideoConfig::default()),
    ];
    two.calls.iter_mut().for_each(Call::connect);
    // The two clocks are one again.
    let late = two.calls.iter().map(Call::now).max().expect("two");
    two.calls.iter_mut().for_each(|call| call.run(late - call.now()));
    producers.iter().for_each(|producer| two.carry(*producer));
    let consumptions = producers.map(|producer| two.calls[THERE].watch(0, producer));
    for viewer in 1..viewers {
        producers.iter().for_each(|producer| _ = two.calls[THERE].watch(viewer, *producer));
    }
    (two, consumptions)
}

#[test]
fn who_is_on_another_node_is_heard_and_seen_in_time_and_whole() {
    let (mut two, [audio, video]) = stage(Link::clean(ms(20)), 1);
    two.run(seconds(10));
    for consumption in [audio, video] {
        let report = two.calls[THERE].report(0, consumption);
        assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded), "{report:?}");
        assert!(report.frames > 195, "{report:?}");
    }
    let offset = |consumption| two.calls[THERE].report(0, consumption).capture_offset_us.expect("sender reports came");
    assert!((offset(audio) - offset(video)).abs() < 10_000, "sound and picture stay together");
    let level = two.calls[THERE].report(0, audio).level;
    assert!(level.is_some(), "and is shown as speaking");
}

#[test]
fn a_stream_crosses_once_however_many_watch_it_and_not_at_all_when_nobody_does() {
    let (mut one, _) = stage(Link::clean(ms(5)), 1);
    let (mut five, _) = stage(Link::clean(ms(5)), 5);
    let (one, crossing) = (one.crossing(seconds(3)), five.crossing(seconds(3)));
    assert!(one > 300 && crossing.abs_diff(one) < one / 50, "{one}, and {crossing} for five");
    for consumption in five.calls[THERE].people.iter().flat_map(|(_, p)| p.consumptions.clone()).collect::<Vec<_>>() {
        five.calls[THERE].worker.pause_consumer(consumption.consumer).expect("it is there");
    }
    // What might be wanted again in a moment goes on for one.
    five.run(seconds(6));
    assert_eq!(five.crossing(seconds(3)), 0);
}

#[test]
fn only_the_layers_that_somebody_there_wants_cross() {
    let sizes = [1, 3, 6].map(|packets| VideoConfig { packets, keyframe_packets: packets, ..VideoConfig::default() });
    let mut two = Two::new(1, Link::clean(ms(5)));
    two.calls[HERE].join(clean(), clean());
    two.calls[THERE].join(clean(), clean());
    let producer = two.calls[HERE].publish_simulcast(0, &sizes);
    two.calls.iter_mut().for_each(Call::connect);
    two.carry(producer);
    two.run(seconds(1));
    assert_eq!(two.crossed, 0, "nobody watches yet");
    let viewer = two.calls[THERE].watch(0, producer);
    two.run(seconds(2));
    let all = two.crossing(seconds(2));
    let now = two.calls[THERE].now();
    two.calls[THERE].worker.set_preferred_layer(now, viewer.consumer, 0).expect("it is there");
    two.run(seconds(6));
    let lowest = two.crossing(seconds(2));
    assert!(all > 8 * lowest && lowest > 30, "{all} of ten packets a frame, {lowest} of one");
    two.calls[THERE].worker.set_preferred_layer(two.calls[THERE].now(), viewer.consumer, 2).expect("it is there");
    two.run(seconds(2));
    let report = two.calls[THERE].report(0, viewer);
    assert_eq!((report.first_fault, report.frames), (None, report.decoded), "{report:?}");
    let layer = two.calls[THERE].events.iter().rev().find_map(|(_, event)| match event {
        Event::ConsumerLayer { layer, .. } => Some(*layer),
        _ => None,
    });
    assert_eq!(layer, Some(2));
}

#[test]
fn what_the_way_between_nodes_loses_is_repaired_on_it() {
    let (mut two, [_, video]) = stage(Link { loss: 0.05, ..Link::clean(ms(50)) }, 1);
    two.run(seconds(20));
    let report = two.calls[THERE].report(0, video);
    assert_eq!((report.first_fault, report.lost), (None, 0), "{report:?}");
    assert!(report.decoded > 390 && report.longest_freeze < ms(500), "{report:?}");
    assert!(report.keyframes < 8, "by packets and not by keyframes: {report:?}");
    let asked = two.calls[THERE].worker.stats().nacks_out;
    let repaired = two.calls[HERE].worker.stats().retransmitted;
    assert!(asked > 50 && repaired > 50, "{asked} asked, {repaired} sent again");
}

#[test]
fn who_comes_later_begins_with_a_keyframe_of_the_publisher() {
    let (mut two, _) = stage(Link::clean(ms(20)), 1);
    two.run(seconds(5));
    let late = two.calls[THERE].join(clean(), clean());
    two.calls[THERE].connect();
    let behind = two.calls[THERE].now() - two.calls[HERE].now();
    two.calls[HERE].run(behind);
    let producer = two.calls[HERE].people[0].producers[1];
    let asked = two.calls[THERE].now();
    let video = two.calls[THERE].watch(late, producer);
    two.run(seconds(2));
    let report = two.calls[THERE].report(late, video);
    let (first, _) = report.seen.expect("it is seen");
    assert!(first - asked < ms(700), "after {:?}", first - asked);
    assert_eq!(report.first_fault, None);
}

#[test]
fn who_comes_over_to_the_node_of_the_viewers_goes_on_for_them_without_a_fault() {
    let (mut two, consumptions) = stage(Link::clean(ms(20)), 1);
    two.run(seconds(3));
    // The same person publishes there now, and then here again.
    let participant = two.calls[HERE].people[0].participant;
    let moved = two.calls[THERE].join(clean(), clean());
    two.calls[THERE].people[moved].participant = participant;
    two.calls[THERE].people[moved].lives = 7;
    two.calls[THERE].connect();
    let behind = two.calls[THERE].now() - two.calls[HERE].now();
    two.calls[HERE].run(behind);
    two.calls[THERE].publish_audio(moved, AudioConfig::default());
    let producer = two.calls[THERE].publish_video(moved, VideoConfig::default());
    let both = [ProducerId { source: protocol::Source::Mic, ..producer }, producer];
    for producer in both {
        two.calls[HERE].worker.pipe_unconsume(two.pipe, ROUTER, producer).expect("it was carried");
    }
    two.run(seconds(3));
    let frames = |two: &Two| consumptions.map(|c| two.calls[THERE].report(0, c).frames);
    let there = frames(&two);
    assert_eq!(two.crossing(seconds(1)), 0, "nothing crosses any more");
    both.into_iter().for_each(|producer| two.carry(producer));
    two.run(seconds(3));
    for (consumption, before) in consumptions.into_iter().zip(there) {
        let report = two.calls[THERE].report(0, consumption);
        assert_eq!((report.first_fault, report.lost), (None, 0), "{report:?}");
        assert!(report.frames > before + 50, "{report:?}");
        assert!(report.longest_freeze < ms(400), "{report:?}");
    }
}

#[test]
fn a_pipe_that_is_opened_anew_takes_the_place_of_the_one_there_was() {
    let (mut two, consumptions) = stage(Link::clean(ms(5)), 1);
    two.run(seconds(2));
    two.open(0xb000);
    for producer in two.calls[HERE].people[0].producers.clone() {
        two.carry(producer);
    }
    two.run(seconds(2));
    for consumption in consumptions {
        let report = two.calls[THERE].report(0, consumption);
        // The newest packet of sound comes a second time.
        assert!(report.faults <= 1 && report.longest_freeze < ms(400), "{report:?}");
        assert!(report.frames > 70, "{report:?}");
    }
    let stats = two.calls.each_ref().map(|call| call.worker.stats());
    assert_eq!(stats.map(|stats| stats.srtp_failed), [0, 0]);
    for call in &mut two.calls {
        call.worker.close_router(ROUTER);
        let stats = call.worker.stats();
        assert_eq!((stats.transports, stats.producers, stats.consumers), (1, 0, 0), "the pipe is all that is left");
    }
}
