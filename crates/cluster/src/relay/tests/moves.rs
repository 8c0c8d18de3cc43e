//! A participant moves from one node to another, seen by the machine of one node that has viewers.

use super::*;

/// Where the participant is, one after the other, and a millisecond less than what it is kept for.
const NODES: [Incarnation; 3] = [Incarnation(11), Incarnation(12), Incarnation(13)];
const ALMOST: Duration = KEPT_BESIDE_THE_NEXT.saturating_sub(Duration::from_millis(1));

struct Viewers {
    now: Instant,
    relays: Relays,
}

/// What a node is told of the participant's microphone.
#[derive(Debug, PartialEq)]
enum Said {
    Subscribe(Incarnation),
    Unsubscribe(Incarnation),
}

use Said::{Subscribe, Unsubscribe};

impl Viewers {
    /// Linked to all nodes, with a pipe to each.
    fn new() -> Self {
        let now = Instant::now();
        let mut relays = Relays::new(Incarnation(1), vec![([127, 0, 0, 1], 1).into()], [0; 32]);
        for life in NODES {
            relays.handle(now, Input::Up(life));
            let address = ([127, 0, 0, 1], life.0 as u16).into();
            let pipe = Message::Pipe { mine: 0, yours: 0, address, key: PipeKey([life.0 as u8; PIPE_KEY_BYTES]) };
            relays.handle(now, Input::Message(life, pipe));
        }
        let mut viewers = Self { now, relays };
        viewers.said();
        viewers
    }

    /// What was said since this was asked last.
    fn said(&mut self) -> Vec<Said> {
        let outputs = std::iter::from_fn(|| self.relays.poll_output());
        let said = outputs.filter_map(|output| match output {
            Output::Send(life, Message::Subscribe { .. }) => Some(Subscribe(life)),
            Output::Send(life, Message::Unsubscribe { .. }) => Some(Unsubscribe(life)),
            _ => None,
        });
        said.collect()
    }

    /// The log says that the participant is on a node, and publishes.
    fn is_on(&mut self, node: Incarnation) -> Vec<Said> {
        self.look(BTreeMap::new(), BTreeMap::from([(mic(1), node)]), BTreeSet::new())
    }

    fn look(
        &mut self,
        sources: BTreeMap<ProducerId, u64>,
        remote: BTreeMap<ProducerId, Incarnation>,
        awaited: BTreeSet<ProducerId>,
    ) -> Vec<Said> {
        let local = LocalRoom { worker: 0, router: 1, sources, remote, awaited };
        self.relays.handle(self.now, Input::Room(room(), vec![local]));
        self.said()
    }

    /// A node says how it comes. Says whether it is received.
    fn comes_from(&mut self, node: Incarnation) -> bool {
        let (producer, parameters) = (mic(1), Box::new(parameters(node.0 as u32)));
        let kind = MediaKind::Audio;
        let stream = Message::Stream { room: room(), producer, mine: 0, yours: 0, kind, parameters };
        self.relays.handle(self.now, Input::Message(node, stream));
        std::iter::from_fn(|| self.relays.poll_output()).any(|output| matches!(output, Output::Receive { .. }))
    }

    fn pass(&mut self, time: Duration) -> Vec<Said> {
        self.now += time;
        self.relays.handle_timeout(self.now);
        self.said()
    }
}

#[test]
fn who_moves_is_subscribed_at_once_and_kept_from_the_node_before_until_the_next_brings_it() {
    let [first, second, _] = NODES;
    let mut viewers = Viewers::new();
    assert_eq!(viewers.is_on(first), [Subscribe(first)]);
    assert!(viewers.comes_from(first));
    assert_eq!(viewers.is_on(second), [Subscribe(second)]);
    assert_eq!(viewers.pass(Duration::from_secs(60)), [], "the next has not brought it yet");
    assert!(viewers.comes_from(second));
    assert_eq!(viewers.pass(ALMOST), []);
    assert_eq!(viewers.pass(Duration::from_millis(1)), [Unsubscribe(first)]);
    assert_eq!((viewers.relays.poll_timeout(), viewers.relays.counts().subscriptions), (None, 1));
}

#[test]
fn who_moves_on_before_a_node_brought_anything_is_kept_from_the_last_that_did() {
    let [first, second, third] = NODES;
    let mut viewers = Viewers::new();
    viewers.is_on(first);
    viewers.comes_from(first);
    viewers.is_on(second);
    assert_eq!(viewers.is_on(third), [Unsubscribe(second), Subscribe(third)]);
    assert!(viewers.comes_from(third));
    // And on again, while the first is still kept beside the third.
    assert_eq!(viewers.is_on(second), [Unsubscribe(first), Subscribe(second)]);
    assert!(viewers.comes_from(second));
    assert_eq!(viewers.pass(KEPT_BESIDE_THE_NEXT), [Unsubscribe(third)]);
}

#[test]
fn who_moves_back_is_asked_for_anew_where_they_were() {
    let [first, second, _] = NODES;
    let mut viewers = Viewers::new();
    viewers.is_on(first);
    viewers.comes_from(first);
    viewers.is_on(second);
    assert_eq!(viewers.is_on(first), [Unsubscribe(second), Subscribe(first)]);
    assert!(viewers.comes_from(first));
    assert_eq!(viewers.pass(Duration::from_secs(60)), []);
}

#[test]
fn who_comes_over_here_is_kept_from_the_node_before_until_they_publish_here() {
    let [first, ..] = NODES;
    let mut viewers = Viewers::new();
    viewers.is_on(first);
    viewers.comes_from(first);
    assert_eq!(viewers.look(BTreeMap::new(), BTreeMap::new(), BTreeSet::from([mic(1)])), []);
    assert_eq!(viewers.pass(Duration::from_secs(60)), []);
    assert_eq!(viewers.look(BTreeMap::from([(mic(1), 7)]), BTreeMap::new(), BTreeSet::new()), []);
    assert_eq!(viewers.pass(KEPT_BESIDE_THE_NEXT), [Unsubscribe(first)]);
    assert_eq!((viewers.relays.poll_timeout(), viewers.relays.counts().subscriptions), (None, 0));
}

#[test]
fn what_ends_while_its_participant_moves_is_kept_from_nobody() {
    let [first, second, _] = NODES;
    let mut viewers = Viewers::new();
    viewers.is_on(first);
    viewers.comes_from(first);
    viewers.is_on(second);
    let gone = viewers.look(BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    assert_eq!(gone, [Unsubscribe(second), Unsubscribe(first)]);
    assert_eq!(viewers.relays.counts().subscriptions, 0);
}

#[test]
fn a_node_that_is_gone_is_not_waited_for() {
    let [first, second, _] = NODES;
    let mut viewers = Viewers::new();
    viewers.is_on(first);
    viewers.comes_from(first);
    viewers.is_on(second);
    viewers.relays.handle(viewers.now, Input::Down(first));
    viewers.pass(KEPT_WITHOUT_LINK);
    assert!(viewers.comes_from(second));
    assert_eq!(viewers.relays.poll_timeout(), None);
    assert_eq!(viewers.is_on(first), [], "there is nobody to say it to");
}
