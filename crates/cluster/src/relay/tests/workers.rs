//! One node whose workers give each other what their people publish.

use super::*;

const ME: Incarnation = Incarnation(1);
const OTHER: Incarnation = Incarnation(2);

/// A node: its machine, and what its workers hold.
struct Workers {
    now: Instant,
    relays: Relays,
    /// The pipes of each worker that are open.
    pipes: BTreeSet<(Worker, TransportId)>,
    /// Which worker carries what over which pipe.
    fed: BTreeSet<(Worker, TransportId, ProducerId)>,
    /// What came to each worker, and by which pipe.
    received: BTreeMap<(Worker, ProducerId), TransportId>,
    /// What was said to the other node.
    said: Vec<Message>,
}

impl Workers {
    fn new() -> Self {
        let addresses = (1..=3).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let relays = Relays::new(ME, addresses, [5; 32]);
        let (pipes, fed, received) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { now: Instant::now(), relays, pipes, fed, received, said: Vec::new() }
    }

    fn handle(&mut self, input: Input) {
        self.relays.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.relays.poll_output() {
            match output {
                Output::OpenLocalPipe { workers: [one, other], pipe } => {
                    assert_ne!(one, other, "a worker has no pipe to itself");
                    self.pipes.extend([(one, pipe), (other, pipe)]);
                }
                Output::ClosePipe { worker, pipe } => {
                    self.pipes.remove(&(worker, pipe));
                    self.fed.retain(|(feeding, over, _)| (*feeding, *over) != (worker, pipe));
                }
                Output::Feed(feeding) => {
                    assert!(self.pipes.contains(&(feeding.worker, feeding.pipe)), "the pipe is open");
                    self.fed.insert((feeding.worker, feeding.pipe, feeding.producer));
                    let described = Some((MediaKind::Audio, Box::new(parameters(1))));
                    self.handle(Input::Described { feeding, described });
                }
                Output::StopFeeding(feeding) => {
                    self.fed.remove(&(feeding.worker, feeding.pipe, feeding.producer));
                }
                Output::Receive { worker, pipe, producer, .. } => {
                    assert!(self.pipes.contains(&(worker, pipe)), "the pipe is open");
                    self.received.insert((worker, producer), pipe);
                }
                Output::Send(life, message) => {
                    assert_eq!(life, OTHER);
                    self.said.push(message);
                }
                Output::SetLayers(..) | Output::OpenPipe { .. } => {}
            }
        }
    }

    /// Who publishes on which worker; everybody gets everybody, and `remote` from the other node.
    fn room(&mut self, publishing: &[(Worker, &[u64])], remote: &[u64]) {
        let there = |worker: Worker, people: &[u64]| {
            let others = publishing.iter().filter(|(other, _)| *other != worker).flat_map(|(_, people)| people.iter());
            let others = others.map(|id| (mic(*id), ME)).chain(remote.iter().map(|id| (mic(*id), OTHER)));
            LocalRoom {
                worker,
                router: u64::from(worker),
                sources: people.iter().map(|id| (mic(*id), *id)).collect(),
                remote: others.collect(),
                awaited: BTreeSet::new(),
            }
        };
        let local = publishing.iter().map(|(worker, people)| there(*worker, people)).collect();
        self.handle(Input::Room(room(), local));
    }

    fn receives(&self, worker: Worker) -> Vec<ProducerId> {
        self.received.keys().filter(|(at, _)| *at == worker).map(|(_, producer)| *producer).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.relays.handle_timeout(self.now);
        self.drain();
    }
}

#[test]
fn people_on_three_workers_get_each_other_over_a_pipe_for_each_two() {
    let mut node = Workers::new();
    node.room(&[(0, &[1, 2]), (1, &[3]), (2, &[])], &[]);
    assert_eq!(node.receives(0), [mic(3)]);
    assert_eq!(node.receives(1), [mic(1), mic(2)]);
    assert_eq!(node.receives(2), [mic(1), mic(2), mic(3)]);
    let counts = node.relays.counts();
    assert_eq!((counts.local_pipes, counts.pipes, counts.peers), (3, 0, 0));
    assert_eq!((counts.subscriptions, counts.fed_locally, counts.fed), (0, 6, 0));
}

#[test]
fn a_room_on_one_worker_opens_no_pipe() {
    let mut node = Workers::new();
    node.room(&[(1, &[1, 2])], &[]);
    assert!(node.pipes.is_empty() && node.received.is_empty());
}

#[test]
fn what_is_wanted_on_a_worker_is_asked_of_the_one_that_has_it() {
    let mut node = Workers::new();
    node.room(&[(0, &[1]), (2, &[])], &[]);
    node.relays.handle(node.now, Input::Wanted { room: room(), worker: 2, producer: mic(1), layers: 3 });
    let Some(Output::SetLayers(feeding, 3)) = node.relays.poll_output() else { panic!("nothing asked") };
    assert_eq!((feeding.worker, feeding.theirs, feeding.producer), (0, 2, mic(1)));
    assert_eq!(feeding.pipe, node.received[&(2, mic(1))]);
}

#[test]
fn a_worker_that_has_nobody_left_neither_gives_nor_takes() {
    let mut node = Workers::new();
    node.room(&[(0, &[1]), (1, &[2])], &[]);
    node.room(&[(0, &[1])], &[]);
    assert!(node.fed.is_empty());
    assert!(node.relays.subscriptions.is_empty());
    node.handle(Input::Room(room(), Vec::new()));
    assert_eq!(node.relays.counts().fed_locally, 0);
}

#[test]
fn who_comes_back_on_another_worker_is_carried_from_there_and_from_nowhere_else() {
    let mut node = Workers::new();
    node.room(&[(0, &[1]), (1, &[2]), (2, &[])], &[]);
    node.received.clear();
    node.room(&[(0, &[]), (1, &[1, 2]), (2, &[])], &[]);
    assert_eq!(node.receives(0), [mic(1)]);
    assert_eq!(node.receives(2), [mic(1)]);
    node.pass(KEPT_BESIDE_THE_NEXT);
    assert!(node.fed.iter().all(|(worker, ..)| *worker == 1), "{:?}", node.fed);
}

#[test]
fn a_worker_that_was_replaced_gets_pipes_of_its_own_and_the_others_theirs_again() {
    let mut node = Workers::new();
    node.room(&[(0, &[1]), (1, &[2]), (2, &[3])], &[]);
    let before = node.pipes.clone();
    // Its people are gone with it, and those of the others stay.
    node.room(&[(0, &[1]), (2, &[3])], &[]);
    node.received.clear();
    node.handle(Input::WorkerGone(1));
    assert_eq!((node.receives(0), node.receives(2)), (vec![mic(3)], vec![mic(1)]));
    node.room(&[(0, &[1]), (1, &[2]), (2, &[3])], &[]);
    assert_eq!(node.receives(1), [mic(1), mic(3)]);
    assert!(node.pipes.is_disjoint(&before) && node.pipes.len() == 6);
}

#[test]
fn each_worker_subscribes_itself_at_other_nodes_and_both_are_fed_for_another_one() {
    let mut node = Workers::new();
    node.handle(Input::Up(OTHER));
    node.room(&[(0, &[1]), (1, &[2])], &[7]);
    let asked = node.said.iter().filter_map(|message| match message {
        Message::Subscribe { producer, mine, .. } => Some((*producer, *mine)),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), [(mic(7), 0), (mic(7), 1)]);
    node.said.clear();
    for id in [1, 2] {
        node.handle(Input::Message(OTHER, Message::Subscribe { room: room(), producer: mic(id), mine: 4 }));
    }
    let offered = node.said.iter().filter_map(|message| match message {
        Message::Pipe { mine, yours, .. } => Some((*mine, *yours)),
        _ => None,
    });
    assert_eq!(offered.collect::<Vec<_>>(), [(0, 4), (1, 4)], "each from the worker that has it");
}

#[test]
fn who_moves_to_another_node_is_kept_by_the_worker_until_that_one_brings_them() {
    let mut node = Workers::new();
    node.handle(Input::Up(OTHER));
    node.room(&[(0, &[1]), (1, &[])], &[]);
    // They are at the other node by the log, and what they left behind is still here.
    let leftover = |worker, sources| LocalRoom {
        worker,
        router: u64::from(worker),
        sources,
        remote: BTreeMap::from([(mic(1), OTHER)]),
        awaited: BTreeSet::new(),
    };
    let local = vec![leftover(0, BTreeMap::from([(mic(1), 1)])), leftover(1, BTreeMap::new())];
    node.handle(Input::Room(room(), local));
    assert_eq!(node.fed.len(), 1, "from the first worker to the second");
    let address = ([127, 0, 0, 1], 9).into();
    for yours in [0, 1] {
        let key = PipeKey([yours as u8; PIPE_KEY_BYTES]);
        node.relays.handle(node.now, Input::Message(OTHER, Message::Pipe { mine: 0, yours, address, key }));
        let parameters = Box::new(parameters(2));
        let kind = MediaKind::Audio;
        let stream = Message::Stream { room: room(), producer: mic(1), mine: 0, yours, kind, parameters };
        node.relays.handle(node.now, Input::Message(OTHER, stream));
    }
    let brought = std::iter::from_fn(|| node.relays.poll_output()).filter(|o| matches!(o, Output::Receive { .. }));
    assert_eq!(brought.count(), 2);
    node.pass(KEPT_BESIDE_THE_NEXT);
    assert!(node.fed.is_empty());
}

#[test]
fn another_node_cannot_speak_as_this_one() {
    let mut node = Workers::new();
    node.room(&[(0, &[1]), (1, &[])], &[]);
    let before = node.relays.counts();
    node.handle(Input::Message(ME, Message::Unsubscribe { room: room(), producer: mic(1), mine: 1 }));
    node.handle(Input::Message(ME, Message::Anew { n: 1 }));
    node.handle(Input::Down(ME));
    assert_eq!(node.relays.counts(), before);
    assert_eq!(node.relays.poll_timeout(), None);
}
