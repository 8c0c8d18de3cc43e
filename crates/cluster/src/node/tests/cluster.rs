//! Beside other nodes: what a registry says, who is lost, where people go, and how a late node learns of a room.

use protocol::NodeId;
use protocol::event::{Creation, RequestKey};

use super::*;
use crate::store::{HEARTBEAT, Listing, NodeEntry, NodeState};

const OTHER: Incarnation = Incarnation(2);
/// Somebody who is in no room.
const NEWCOMER: ParticipantId = ParticipantId(99);

fn node(name: &str) -> NodeId {
    name.parse().expect("a node id")
}

fn entry(name: &str, incarnation: Incarnation) -> NodeEntry {
    NodeEntry {
        node: node(name),
        incarnation,
        version: String::new(),
        state: NodeState::Ready,
        participants: 0,
        busy_permille: 0,
        link: None,
    }
}

fn host_added(incarnation: Incarnation, name: &str, creation: Option<Creation>) -> RoomEvent {
    RoomEvent::HostAdded { incarnation, node: node(name), creation }
}

impl Bench {
    /// The registry answers, each heartbeat.
    fn beats(&mut self, beats: u32, entries: &[NodeEntry]) {
        for _ in 0..beats {
            self.handle(Input::Registry(Some(entries.to_vec().into())));
            self.advance(HEARTBEAT);
        }
    }

    /// Another node's own record.
    fn other(&mut self, n: u64, event: RoomEvent) {
        let key = RequestKey::Node { incarnation: OTHER, n };
        self.record(&room(), &Record { rules: room::RULES, origin: OTHER, key, binding: None, event });
    }

    fn other_hosts(&mut self) {
        self.other_hosts_as("node-2");
    }

    fn other_hosts_as(&mut self, name: &str) {
        self.other(1, host_added(OTHER, name, self.creation()));
    }

    /// What a node that knows the room says of it now.
    fn creation(&self) -> Option<Creation> {
        self.node.room(&room()).and_then(room::Room::creation)
    }

    fn other_joined(&mut self, participant: u64) {
        let (participant, session) = (ParticipantId(participant), SessionId(participant));
        let event = RoomEvent::Joined {
            participant,
            session,
            name: "P".to_owned(),
            video_codecs: Vec::new(),
            address_tag: None,
        };
        let key = RequestKey::Session { session, n: 0 };
        self.record(&room(), &Record { rules: room::RULES, origin: OTHER, key, binding: None, event });
    }
}

#[test]
fn a_host_that_is_gone_is_lost_and_its_people_are_held() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    bench.other_joined(2);
    bench.beats(1, &[entry("node-2", OTHER)]);
    bench.changes();
    bench.beats(2, &[]);
    assert_eq!(bench.under_way(), [], "a lease is not over yet");
    bench.beats(1, &[]);
    assert_eq!(bench.under_way(), [RoomEvent::NodeLost { incarnation: OTHER }]);
    bench.deliver_all();
    let changes = bench.changes();
    assert!(
        matches!(changes[..], [Change::Held { binding }] if binding.participant == ParticipantId(2)),
        "{changes:?}"
    );
    bench.beats(2, &[]);
    assert_eq!(bench.under_way(), [], "once is enough");
}

#[test]
fn a_room_whose_only_host_is_gone_is_taken_over_by_one_of_the_others() {
    for (mine, theirs) in [(true, "node-2"), (false, "node-3")] {
        let mut bench = Bench::new();
        bench.other(0, RoomEvent::RoomCreated { rules: room::RULES, limits: RoomLimits::default() });
        bench.other_hosts();
        bench.other_joined(2);
        let third = entry("node-3", Incarnation(3));
        // Which of two nodes it is both know by the room's name; here it is the third where there is one.
        let entries = if mine { vec![] } else { vec![third] };
        bench.beats(4, &entries);
        let expected = [host_added(ME, "node-1", bench.creation()), RoomEvent::NodeLost { incarnation: OTHER }];
        let first = bench.node.is_first_for(&room());
        assert_eq!(bench.under_way(), if first { expected.to_vec() } else { vec![] }, "{theirs}");
        assert!(!mine || first, "alone it is the first");
    }
}

#[test]
fn an_earlier_life_of_this_node_is_lost_at_once() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts_as("node-1");
    bench.beats(1, &[]);
    assert_eq!(bench.under_way(), [RoomEvent::NodeLost { incarnation: OTHER }]);
}

#[test]
fn a_node_that_reads_of_its_own_end_says_so_and_takes_nobody_any_more() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    assert!(!bench.fenced);
    bench.other(2, RoomEvent::NodeLost { incarnation: ME });
    assert!(bench.fenced);
    let ticket = bench.propose(join(3, 3));
    assert_eq!(bench.result(ticket), Err(ErrorCode::Draining));
}

#[test]
fn a_node_without_the_registry_shows_on_the_log_that_it_lives_and_changes_nothing_by_it() {
    let mut bench = Bench::new();
    bench.handle(Input::Registry(None));
    assert_eq!(bench.under_way(), [], "nobody believes that it carries anything");
    bench.joined(1);
    let before = bench.node.snapshot(&room());
    for _ in 0..3 {
        bench.handle(Input::Registry(None));
        assert_eq!(bench.under_way(), [host_added(ME, "node-1", bench.creation())]);
        bench.deliver_all();
        bench.advance(HEARTBEAT);
    }
    assert_eq!((bench.node.snapshot(&room()), bench.node.hosts_lost()), (before, 0));
    bench.beats(1, &[]);
    assert_eq!(bench.under_way(), [], "the registry says it again");
}

#[test]
fn a_host_that_shows_on_the_log_that_it_lives_is_not_lost() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    for n in 2..9 {
        bench.beats(1, &[]);
        bench.other(n, host_added(OTHER, "node-2", bench.creation()));
        assert_eq!(bench.under_way(), []);
    }
}

#[test]
fn a_host_whose_entry_cannot_be_read_is_not_lost_and_its_people_are_followed() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    bench.other_joined(2);
    bench.other_joined(3);
    for _ in 0..9 {
        bench.handle(Input::Registry(Some(Listing { nodes: Vec::new(), unreadable: vec![OTHER] })));
        bench.advance(HEARTBEAT);
        assert_eq!(bench.under_way(), []);
    }
    assert_eq!(bench.node.place(bench.now, &room(), NEWCOMER, &[]), node("node-2"));
}

#[test]
fn a_room_whose_creator_died_over_it_is_ended_by_another() {
    let mut bench = Bench::new();
    bench.other(0, RoomEvent::RoomCreated { rules: room::RULES, limits: RoomLimits::default() });
    assert_eq!(bench.node.rooms(), 1);
    bench.beats(1, &[]);
    bench.deliver_all();
    assert_eq!((bench.node.rooms(), bench.node.poll_timeout()), (0, None));
    bench.beats(1, &[]);
    assert_eq!(bench.under_way(), []);
}

#[test]
fn a_node_that_does_not_reach_the_log_is_chosen_only_where_none_does() {
    let mut bench = Bench::new();
    bench.joined(1);
    let ready = entry("node-2", OTHER);
    let degraded = NodeEntry { state: NodeState::Degraded, ..entry("node-3", Incarnation(3)) };
    bench.beats(1, &[ready.clone(), degraded.clone()]);
    assert_eq!(bench.node.nodes_ready(), 2);
    let me_too = [node("node-1"), node("node-2")];
    assert_ne!(
        bench.node.place(bench.now, &room(), NEWCOMER, &me_too),
        degraded.node,
        "not even instead of one to avoid"
    );

    bench.node.log_answers(bench.now, false);
    assert!(!bench.node.knows_about(bench.now, &room()), "the other one knows more");
    assert_eq!(bench.node.place(bench.now, &room(), NEWCOMER, &[]), ready.node, "though its people are here");
    assert!(!bench.node.is_first_for(&room()));

    let nobody_does = NodeEntry { state: NodeState::Degraded, ..ready };
    bench.beats(1, &[nobody_does, degraded]);
    assert!(bench.node.knows_about(bench.now, &room()));
    assert_eq!(bench.node.nodes_ready(), 3);
    assert_eq!(bench.node.place(bench.now, &room(), NEWCOMER, &[]), node("node-1"), "as ever");
}

#[test]
fn a_node_that_was_declared_lost_while_the_log_was_away_finds_that_out_when_it_is_back() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    bench.node.log_answers(bench.now, false);
    bench.handle(Input::Registry(None));
    bench.advance(60 * SECOND);
    assert!(!bench.fenced, "nobody has told it");
    bench.node.log_answers(bench.now, true);
    bench.other(2, RoomEvent::NodeLost { incarnation: ME });
    assert!(bench.fenced);
}

#[test]
fn what_a_node_had_under_way_when_it_was_cut_off_changes_nothing_for_who_went_on_elsewhere() {
    let mut bench = Bench::new();
    let binding = bench.joined(1).binding.expect("a binding");
    bench.other_hosts();
    bench.node.log_answers(bench.now, false);
    let produced = bench.propose(ask(binding, 1, produce_mic()));
    bench.propose(about(binding, RoomEvent::Held { closing: true }));
    bench.propose(about(binding, RoomEvent::Left {}));
    let resumed = bench.propose(resume(1, 1));
    bench.advance(20 * SECOND);
    assert_eq!([produced, resumed].map(|ticket| bench.result(ticket)), [const { Err(ErrorCode::LogUnavailable) }; 2]);

    // The log is back, and first on it is what was done through the other node.
    bench.other(2, RoomEvent::Resumed { participant: binding.participant, session: SessionId(1), generation: 1 });
    let there = bench.node.room(&room()).and_then(|room| room.participant(binding.participant)).expect("is there");
    let there = there.binding();
    assert_eq!(there.incarnation, OTHER);
    let key = RequestKey::Session { session: SessionId(1), n: 1 };
    let again = Record { rules: room::RULES, origin: OTHER, key, binding: Some(there), event: produce_mic() };
    bench.record(&room(), &again);
    let before = bench.node.snapshot(&room()).expect("the room").participants;
    assert_eq!(before[0].producers.len(), 1);
    bench.deliver_all();
    bench.advance(60 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.node.snapshot(&room()).expect("the room").participants, before);
    let seat = bench.node.room(&room()).and_then(|room| room.participant(binding.participant)).expect("is there");
    assert_eq!((seat.binding(), seat.held_until_ms()), (there, None));
}

#[test]
fn people_follow_each_other_and_avoid_who_does_not_answer() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    bench.other_joined(2);
    bench.other_joined(3);
    let (me, other, third) = (node("node-1"), entry("node-2", OTHER), entry("node-3", Incarnation(3)));
    bench.beats(1, &[other.clone(), third.clone()]);
    let place = |bench: &mut Bench, participant: u64, avoid: &[NodeId]| {
        bench.node.place(bench.now, &room(), ParticipantId(participant), avoid)
    };
    assert_eq!(place(&mut bench, NEWCOMER.0, &[]), other.node, "where most are");
    assert_eq!(place(&mut bench, 1, &[]), me, "who comes back finds what they had");
    assert_eq!(place(&mut bench, 2, std::slice::from_ref(&other.node)), me, "the others of the room");
    assert_eq!(place(&mut bench, NEWCOMER.0, &[other.node.clone(), me.clone()]), third.node);
    assert_eq!(
        place(&mut bench, NEWCOMER.0, &[other.node.clone(), me, third.node.clone()]),
        other.node,
        "it is only a wish"
    );
    bench.beats(1, &[NodeEntry { state: NodeState::Draining, ..other }, third]);
    assert_ne!(place(&mut bench, NEWCOMER.0, &[]), node("node-2"));
    bench.handle(Input::Registry(None));
    assert_ne!(
        place(&mut bench, NEWCOMER.0, &[]),
        node("node-2"),
        "the last answer counts as long as there is no other"
    );
}

#[test]
fn a_room_that_is_larger_than_a_node_takes_goes_on_to_the_next() {
    let mut bench = Bench::new();
    bench.node.config.room_mark = 3;
    bench.joined(1);
    let others = [entry("node-2", OTHER), entry("node-3", Incarnation(3))];
    bench.beats(1, &others);
    let place = |bench: &mut Bench, participant| bench.node.place(bench.now, &room(), ParticipantId(participant), &[]);
    assert_eq!(place(&mut bench, 2), node("node-1"), "with the others");
    assert_eq!(place(&mut bench, 2), node("node-1"), "who asks twice comes once");
    bench.joined(2);
    assert_eq!(place(&mut bench, 3), node("node-1"), "who has arrived is not on the way as well");
    assert_ne!(place(&mut bench, 4), node("node-1"), "who is on the way counts");
    assert_eq!(place(&mut bench, 1), node("node-1"), "who is here stays");
    let busy = others.map(|entry| NodeEntry { busy_permille: 900, ..entry });
    bench.beats(1, &busy);
    bench.joined(3);
    assert!(!bench.node.place(bench.now, &room(), NEWCOMER, &[]).as_str().is_empty(), "somebody has to take them");
}

#[test]
fn of_two_choices_the_less_loaded_node_is_taken_and_what_was_just_sent_there_counts() {
    let mut bench = Bench::new();
    let loaded = |name, life, participants| NodeEntry { participants, ..entry(name, Incarnation(life)) };
    bench.beats(1, &[loaded("node-2", 2, 0), loaded("node-3", 3, 0)]);
    let mut people = std::collections::BTreeMap::<_, u32>::new();
    for n in 0..300 {
        let room = format!("room-{n}").parse().expect("a room name");
        *people.entry(bench.node.place(bench.now, &room, NEWCOMER, &[])).or_default() += 1;
    }
    assert!(people.len() == 3 && people.values().all(|count| (95..=105).contains(count)), "{people:?}");
}

#[test]
fn a_host_that_the_registry_does_not_know_yet_is_where_its_people_are() {
    let mut bench = Bench::new();
    bench.joined(1);
    bench.other_hosts();
    bench.other_joined(2);
    bench.other_joined(3);
    bench.handle(Input::Registry(None));
    assert_eq!(bench.node.place(bench.now, &room(), NEWCOMER, &[]), node("node-2"));
    bench.beats(4, &[]);
    assert_eq!(bench.node.place(bench.now, &room(), NEWCOMER, &[]), node("node-1"), "a lease without it");
}

#[test]
fn a_room_that_another_host_knows_more_of_is_taken_over_and_not_the_other_way_round() {
    let with = || Bench::with(|config| config.snapshot_every = 10 * SECOND);
    let (mut bench, mut lacks_one) = (with(), with());
    bench.joined(1);
    bench.other_hosts();
    bench.joined(2);
    for entry in &bench.entries[..bench.entries.len() - 1] {
        lacks_one.entry(entry.room.clone(), entry.value.to_vec());
    }
    let key = RequestKey::Node { incarnation: Incarnation(9), n: 1 };
    let nothing =
        Record { rules: room::RULES, origin: Incarnation(9), key, binding: None, event: RoomEvent::RoomEnded {} };
    lacks_one.record(&room(), &nothing);

    let snapshot = |bench: &mut Bench| {
        bench.log.clear();
        bench.advance(11 * SECOND);
        let records = bench.log.iter().map(|(_, value)| serde_json::from_slice::<Record>(value).expect("a record"));
        records
            .map(|record| record.event)
            .find(|event| matches!(event, RoomEvent::Snapshot { .. }))
            .expect("a snapshot")
    };
    let (more, less) = (snapshot(&mut bench), snapshot(&mut lacks_one));
    (bench.diverged_is_expected, lacks_one.diverged_is_expected) = (true, true);
    bench.other(2, less);
    lacks_one.other(2, more);
    assert_eq!(lacks_one.changes().last(), Some(&Change::Replaced));
    assert_ne!(bench.changes().last(), Some(&Change::Replaced));
    assert_eq!((bench.people(), lacks_one.people()), (2, 2));
}

/// A node that begins to read at `from`, and has read everything.
fn late(bench: &Bench, entries: &[Entry], from: u64) -> Node {
    let mut config = NodeConfig::new(node("node-9"), &Limits::default());
    config.snapshot_every = 10 * SECOND;
    let mut late = Node::new(Incarnation(9), config);
    for entry in entries.iter().filter(|entry| entry.offset >= from) {
        late.handle(bench.now, Input::Entry(entry.clone()));
    }
    late.handle(bench.now, Input::CaughtUp);
    late
}

#[test]
fn who_begins_to_read_in_the_middle_of_a_room_knows_it_from_its_second_snapshot_at_the_latest() {
    let mut bench = Bench::with(|config| config.snapshot_every = 10 * SECOND);
    let a = bench.joined(1).binding.expect("a binding");
    let mut as_of = 0;
    for n in 1..=3 {
        bench.say(a, produce_mic()).expect("published");
        as_of = bench.next_offset - 1;
        bench.advance(11 * SECOND);
        // What is appended between the making of a snapshot and its record is not in it.
        bench.log.push_front((room(), serde_json::to_vec(&other_name(a, n)).expect("json")));
        bench.deliver_all();
    }
    let entries = bench.entries.clone();
    let known = bench.node.room(&room()).cloned();
    assert!(known.is_some());
    for from in 0..bench.next_offset {
        let late = late(&bench, &entries, from);
        // The last snapshot was made of what was there at `as_of`, which is after the one before it.
        let expected = if from <= as_of { known.as_ref() } else { None };
        assert_eq!(late.room(&room()), expected, "from {from}");
    }
}

#[test]
fn a_room_that_began_anew_is_known_without_a_snapshot() {
    let mut bench = Bench::with(|config| config.snapshot_every = 10 * SECOND);
    let a = bench.joined(1).binding.expect("a binding");
    let middle = bench.next_offset;
    bench.say(a, produce_mic()).expect("published");
    bench.say(a, RoomEvent::Left {}).expect("left");
    bench.advance(25 * SECOND);
    bench.joined(2);
    let late = late(&bench, &bench.entries, middle);
    assert_eq!(late.room(&room()), bench.node.room(&room()));
    assert!(late.room(&room()).is_some());
}

#[test]
fn until_the_past_is_read_everybody_is_asked_to_wait() {
    let mut bench = Bench::new();
    bench.node = Node::new(ME, NodeConfig::new(node("node-1"), &Limits::default()));
    let ticket = bench.propose(join(1, 1));
    assert_eq!(bench.result(ticket), Err(ErrorCode::LogUnavailable));
    bench.handle(Input::CaughtUp);
    bench.joined(1);
}

fn other_name(binding: Binding, n: u64) -> Record {
    let key = RequestKey::Session { session: SessionId(binding.participant.0), n };
    let event = RoomEvent::Renamed { name: format!("P{n}") };
    Record { rules: room::RULES, origin: ME, key, binding: Some(binding), event }
}
