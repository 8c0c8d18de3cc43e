//! Two machines and what their workers would hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{ParticipantId, Source};

use super::subscriptions::KEPT_BESIDE_THE_NEXT;
use super::*;

mod moves;
mod workers;

const LIVES: [Incarnation; 2] = [Incarnation(1), Incarnation(2)];

fn room() -> RoomId {
    "daily".parse().expect("a room name")
}

fn mic(participant: u64) -> ProducerId {
    ProducerId { participant: ParticipantId(participant), source: Source::Mic }
}

/// A node: its machine, and what its media holds.
struct Side {
    relays: Relays,
    /// Open pipes of each worker, with what each end seals with.
    pipes: BTreeMap<(Worker, TransportId), (PipeKey, PipeKey)>,
    /// What is published, and how.
    published: BTreeMap<ProducerId, u32>,
    fed: BTreeSet<(TransportId, ProducerId)>,
    received: BTreeMap<ProducerId, (TransportId, u32)>,
    layers: BTreeMap<ProducerId, u8>,
}

struct Two {
    now: Instant,
    sides: [Side; 2],
    wire: VecDeque<(usize, Message)>,
    up: bool,
    keys: Vec<PipeKey>,
}

impl Two {
    fn new() -> Self {
        let side = |at: u8| Side {
            relays: Relays::new(
                LIVES[usize::from(at) - 1],
                (0..2).map(|worker| ([127, 0, 0, 1], u16::from(at) * 10 + worker).into()).collect(),
                [at; 32],
            ),
            pipes: BTreeMap::new(),
            published: BTreeMap::new(),
            fed: BTreeSet::new(),
            received: BTreeMap::new(),
            layers: BTreeMap::new(),
        };
        let wire = VecDeque::new();
        Self { now: Instant::now(), sides: [side(1), side(2)], wire, up: false, keys: Vec::new() }
    }

    fn linked() -> Self {
        let mut two = Self::new();
        two.link_up();
        two
    }

    fn link_up(&mut self) {
        self.up = true;
        self.handle(0, Input::Up(LIVES[1]));
        self.handle(1, Input::Up(LIVES[0]));
        self.settle();
    }

    fn link_down(&mut self) {
        self.up = false;
        self.wire.clear();
        self.handle(0, Input::Down(LIVES[1]));
        self.handle(1, Input::Down(LIVES[0]));
    }

    fn handle(&mut self, at: usize, input: Input) {
        self.sides[at].relays.handle(self.now, input);
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.sides[at].relays.poll_output() {
            let side = &mut self.sides[at];
            match output {
                Output::Send(life, message) => {
                    assert_eq!(life, LIVES[1 - at]);
                    let bytes = serde_json::to_vec(&message).expect("json");
                    self.wire.push_back((1 - at, serde_json::from_slice(&bytes).expect("the same")));
                }
                Output::OpenPipe { worker, pipe, ours, theirs, .. } => {
                    assert!(!self.keys.contains(&ours), "a key is used for one pipe");
                    self.keys.push(ours.clone());
                    side.pipes.insert((worker, pipe), (ours, theirs));
                }
                Output::OpenLocalPipe { .. } => panic!("a room is on one worker of each"),
                Output::ClosePipe { worker, pipe } => {
                    // Its worker may be gone.
                    side.pipes.remove(&(worker, pipe));
                    side.fed.retain(|(other, _)| *other != pipe);
                }
                Output::Feed(feeding) => {
                    assert!(side.pipes.contains_key(&(feeding.worker, feeding.pipe)), "the pipe is open");
                    let how = side.published.get(&feeding.producer).copied();
                    if how.is_some() {
                        side.fed.insert((feeding.pipe, feeding.producer));
                    }
                    let described = how.map(|how| (MediaKind::Audio, Box::new(parameters(how))));
                    self.handle(at, Input::Described { feeding, described });
                }
                Output::StopFeeding(feeding) => _ = side.fed.remove(&(feeding.pipe, feeding.producer)),
                Output::SetLayers(feeding, layers) => _ = side.layers.insert(feeding.producer, layers),
                Output::Receive { worker, pipe, producer, parameters, .. } => {
                    assert!(side.pipes.contains_key(&(worker, pipe)), "the pipe is open");
                    let how = parameters.encodings[0].ssrc.expect("an ssrc");
                    side.received.insert(producer, (pipe, how));
                }
            }
        }
    }

    /// Lets time pass at both.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        for at in 0..2 {
            self.sides[at].relays.handle_timeout(self.now);
            self.drain(at);
        }
        self.settle();
    }

    /// Delivers everything.
    fn settle(&mut self) {
        while let Some((to, message)) = self.wire.pop_front() {
            self.handle(to, Input::Message(LIVES[1 - to], message));
        }
    }

    /// What a node has of the room: it publishes `sources`, and wants `remote` of the other.
    fn room(&mut self, at: usize, sources: &[(ProducerId, u64)], remote: &[ProducerId]) {
        self.room_on(at, (0, 1), sources, remote);
    }

    fn room_on(
        &mut self,
        at: usize,
        (worker, router): (Worker, u64),
        sources: &[(ProducerId, u64)],
        remote: &[ProducerId],
    ) {
        self.sides[at].published = sources.iter().map(|&(producer, how)| (producer, how as u32)).collect();
        let remote = remote.iter().map(|producer| (*producer, LIVES[1 - at])).collect();
        let sources = sources.iter().copied().collect();
        let local = LocalRoom { worker, router, sources, remote, awaited: BTreeSet::new() };
        self.handle(at, Input::Room(room(), vec![local]));
        if self.up {
            self.settle();
        }
    }

    /// The two ends of every pipe that is open at both fit.
    fn check_pipes(&self, open: usize) {
        let ends = |at: usize| self.sides[at].pipes.values();
        assert_eq!([ends(0).len(), ends(1).len()], [open, open]);
        assert!(ends(0).all(|(ours, theirs)| ends(1).any(|other| *other == (theirs.clone(), ours.clone()))));
    }

    fn received(&self, at: usize) -> Vec<(ProducerId, u32)> {
        self.sides[at].received.iter().map(|(producer, (_, how))| (*producer, *how)).collect()
    }
}

fn parameters(how: u32) -> RtpParameters {
    let parameters = serde_json::json!({ "codecs": [], "encodings": [{ "ssrc": how }] });
    serde_json::from_value(parameters).expect("parameters")
}

#[test]
fn what_the_people_of_one_node_publish_comes_to_the_other_over_one_pipe_both_ways() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10), (mic(2), 11)], &[mic(3)]);
    two.room(1, &[(mic(3), 12)], &[mic(1), mic(2)]);
    assert_eq!(two.received(0), [(mic(3), 12)]);
    assert_eq!(two.received(1), [(mic(1), 10), (mic(2), 11)]);
    two.check_pipes(1);
    two.handle(1, Input::Wanted { room: room(), worker: 0, producer: mic(2), layers: 1 });
    two.settle();
    assert_eq!(two.sides[0].layers, BTreeMap::from([(mic(2), 1)]));
}

#[test]
fn who_subscribes_before_it_is_published_gets_it_then_and_again_when_it_changes() {
    let mut two = Two::linked();
    two.room(1, &[], &[mic(1)]);
    assert_eq!(two.received(1), []);
    two.room(0, &[(mic(1), 10)], &[]);
    assert_eq!(two.received(1), [(mic(1), 10)]);
    two.room(0, &[(mic(1), 20)], &[]);
    assert_eq!(two.received(1), [(mic(1), 20)]);
}

#[test]
fn who_is_not_wanted_any_more_is_not_carried() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[]);
    two.room(1, &[], &[mic(1)]);
    assert_eq!(two.sides[0].fed.len(), 1);
    two.room(1, &[(mic(1), 30)], &[]);
    two.pass(KEPT_BESIDE_THE_NEXT);
    assert!(two.sides[0].fed.is_empty(), "it is published there now");
    two.room(0, &[], &[mic(1)]);
    assert_eq!(two.received(0), [(mic(1), 30)]);
    two.handle(0, Input::Room(room(), Vec::new()));
    two.settle();
    assert!(two.sides[1].fed.is_empty(), "nobody is here any more");
    assert_eq!(two.sides[0].relays.counts().subscriptions + two.sides[1].relays.counts().fed, 0);
}

#[test]
fn over_a_link_that_comes_back_everything_is_agreed_anew_under_other_keys() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[mic(3)]);
    two.room(1, &[(mic(3), 12)], &[mic(1)]);
    let before = two.sides[1].received[&mic(1)].0;
    two.link_down();
    two.check_pipes(1);
    two.room(0, &[(mic(1), 10), (mic(2), 11)], &[mic(3)]);
    two.room(1, &[(mic(3), 12)], &[mic(1), mic(2)]);
    two.link_up();
    two.check_pipes(1);
    assert_eq!(two.received(1), [(mic(1), 10), (mic(2), 11)]);
    assert_ne!(two.sides[1].received[&mic(1)].0, before);
}

#[test]
fn media_goes_on_for_a_while_without_a_link() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[]);
    two.room(1, &[], &[mic(1)]);
    two.link_down();
    for at in [0, 1] {
        two.now = two.sides[at].relays.poll_timeout().expect("it is waited for").max(two.now);
        two.sides[at].relays.handle_timeout(two.now);
        two.drain(at);
    }
    two.check_pipes(0);
    two.link_up();
    assert_eq!(two.received(1), [(mic(1), 10)]);
    two.check_pipes(1);
}

#[test]
fn a_worker_that_was_replaced_gets_pipes_and_streams_of_its_own() {
    // With everything that was said delivered before it, and with nothing.
    for settled in [true, false] {
        let mut two = Two::linked();
        two.up = settled;
        two.room(0, &[(mic(1), 10)], &[mic(3)]);
        two.room(1, &[(mic(3), 12)], &[mic(1)]);
        two.up = true;
        for both in [false, true] {
            for at in if both { vec![0, 1] } else { vec![0] } {
                two.sides[at].pipes.clear();
                two.sides[at].fed.clear();
                two.sides[at].received.clear();
                two.handle(at, Input::WorkerGone(0));
                two.handle(at, Input::Room(room(), Vec::new()));
            }
            two.settle();
            two.room_on(0, (0, 20 + u64::from(both)), &[(mic(1), 40)], &[mic(3)]);
            two.room_on(1, (0, 20 + u64::from(both)), &[(mic(3), 50)], &[mic(1)]);
            assert_eq!(two.received(0), [(mic(3), 50)]);
            assert_eq!(two.received(1), [(mic(1), 40)]);
            two.check_pipes(1);
        }
    }
}

#[test]
fn a_room_that_began_anew_between_two_looks_at_it_is_given_everything_again() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[]);
    two.room(1, &[], &[mic(1)]);
    two.sides[1].received.clear();
    two.room_on(1, (0, 2), &[], &[mic(1)]);
    assert_eq!(two.received(1), [(mic(1), 10)]);
    two.sides[1].received.clear();
    two.room_on(1, (1, 3), &[], &[mic(1)]);
    assert_eq!(two.received(1), [(mic(1), 10)], "on another worker, by a pipe of that one's");
    two.check_pipes(2);
}

#[test]
fn what_ended_and_began_again_between_two_looks_comes_again() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[]);
    two.room(1, &[], &[mic(1)]);
    two.room(0, &[(mic(1), 20)], &[]);
    two.sides[1].received.clear();
    two.handle(1, Input::Ended(room(), mic(1)));
    two.room(1, &[], &[mic(1)]);
    assert_eq!(two.received(1), [(mic(1), 20)]);
}

#[test]
fn nodes_send_nothing_and_hold_little_for_strangers() {
    let mut two = Two::new();
    two.handle(0, Input::Message(LIVES[1], Message::Subscribe { room: room(), producer: mic(1), mine: 0 }));
    assert_eq!(two.sides[0].relays.counts(), RelayCounts::default());
    two.link_up();
    let pipe =
        Message::Pipe { mine: 0, yours: 7, address: ([127, 0, 0, 1], 1).into(), key: PipeKey([1; PIPE_KEY_BYTES]) };
    two.handle(0, Input::Message(LIVES[1], pipe));
    assert_eq!(two.sides[0].relays.counts().pipes, 0, "there is no worker 7");
    let stream = Message::Stream {
        room: room(),
        producer: mic(1),
        mine: 0,
        yours: 0,
        kind: MediaKind::Audio,
        parameters: Box::new(parameters(1)),
    };
    two.handle(0, Input::Message(LIVES[1], stream));
    assert!(two.sides[0].received.is_empty(), "nobody asked for it");
}

#[test]
fn of_two_descriptions_that_overtake_each_other_the_newer_counts() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[]);
    two.room(1, &[], &[mic(1)]);
    // The workers answer late, and in the wrong order.
    let mut feedings = Vec::new();
    for number in [20, 30] {
        let sources = BTreeMap::from([(mic(1), number)]);
        let local = LocalRoom { worker: 0, router: 1, sources, remote: BTreeMap::new(), awaited: BTreeSet::new() };
        two.sides[0].relays.handle(two.now, Input::Room(room(), vec![local]));
        while let Some(output) = two.sides[0].relays.poll_output() {
            if let Output::Feed(feeding) = output {
                feedings.push((feeding, number as u32));
            }
        }
    }
    for (feeding, how) in feedings.into_iter().rev() {
        let described = Some((MediaKind::Audio, Box::new(parameters(how))));
        two.handle(0, Input::Described { feeding, described });
    }
    two.settle();
    assert_eq!(two.received(1), [(mic(1), 30)]);
}

#[test]
fn who_has_nobody_left_in_a_room_carries_nothing_of_it() {
    let mut two = Two::linked();
    two.room(0, &[(mic(1), 10)], &[]);
    two.room(1, &[], &[mic(1)]);
    two.handle(0, Input::Room(room(), Vec::new()));
    assert!(two.sides[0].fed.is_empty());
    two.room(0, &[(mic(1), 10)], &[]);
    assert_eq!(two.sides[0].fed.len(), 1, "they are back, and still subscribed");
}
