//! A node that does not know a running room and founds another of its name.

use protocol::NodeId;
use protocol::event::{Creation, RequestKey};
use room::LeaveReason;

use super::*;
use crate::store::{HEARTBEAT, NodeEntry};

const KNOWS: Incarnation = Incarnation(2);
const IGNORANT: Incarnation = Incarnation(1);

fn config(name: &str) -> NodeConfig {
    NodeConfig::new(name.parse().expect("a node id"), &Limits::default())
}

/// Nodes over one log, which they all read at once.
struct Cluster {
    now: Instant,
    nodes: Vec<Node>,
    entries: Vec<Entry>,
    next_ticket: u64,
    resolved: BTreeMap<Ticket, Result<Accepted, ErrorCode>>,
    /// What each node told its server.
    changes: Vec<Vec<Change>>,
    ignorant: usize,
    lost: usize,
}

impl Cluster {
    /// Two people are on the first node; the second node did not read that they came.
    fn new() -> Self {
        let now = Instant::now();
        let nodes = vec![Node::new(KNOWS, config("node-2"))];
        let (entries, resolved) = (Vec::new(), BTreeMap::new());
        let changes = vec![Vec::new(), Vec::new()];
        let mut cluster = Self { now, nodes, entries, next_ticket: 0, resolved, changes, ignorant: 0, lost: 0 };
        cluster.nodes[0].handle(now, Input::CaughtUp);
        cluster.joins(0, 1).expect("joined");
        cluster.joins(0, 2).expect("joined");
        let mut ignorant = Node::new(IGNORANT, config("node-1"));
        ignorant.handle(now, Input::CaughtUp);
        cluster.nodes.push(ignorant);
        cluster
    }

    fn joins(&mut self, site: usize, participant: u64) -> Result<Accepted, ErrorCode> {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let proposal = join(participant, participant);
        self.nodes[site].handle(self.now, Input::Propose { ticket, proposal });
        self.settle();
        self.resolved.get(&ticket).cloned().expect("it is resolved")
    }

    /// Everything that is appended is read by everybody, and what is due is done, for a second.
    fn settle(&mut self) {
        let end = self.now + SECOND;
        while self.now < end {
            while self.deliver() {}
            self.now += SECOND / 20;
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
            }
        }
    }

    fn deliver(&mut self) -> bool {
        let before = self.entries.len();
        for site in 0..self.nodes.len() {
            while let Some(output) = self.nodes[site].poll_output() {
                match output {
                    Output::Append { room, value, .. } => {
                        let offset = self.entries.len() as u64;
                        self.entries.push(Entry { room, offset, time_ms: 0, value: value.into() });
                    }
                    Output::Changed(applied) => self.changes[site].push(applied.change),
                    Output::Resolve { ticket, result } => _ = self.resolved.insert(ticket, result),
                    Output::Ignorant { .. } => self.ignorant += 1,
                    Output::Refounded { .. } => {}
                    Output::SetAside { .. } | Output::Diverged { .. } | Output::TooLarge { .. } => panic!("{output:?}"),
                    Output::Fenced => self.lost += 1,
                }
            }
        }
        for entry in &self.entries[before..] {
            for node in &mut self.nodes {
                node.handle(self.now, Input::Entry(entry.clone()));
            }
        }
        self.entries.len() > before
    }

    fn people(&self, site: usize) -> Vec<u64> {
        let room = self.nodes[site].room(&room()).into_iter();
        room.flat_map(room::Room::participants).map(|participant| participant.id().0).collect()
    }
}

#[test]
fn a_node_that_founds_a_room_that_lives_is_told_and_knows_it_at_once() {
    let mut cluster = Cluster::new();
    cluster.joins(1, 3).expect("it knows no better");
    assert_eq!((cluster.people(0), cluster.people(1)), (vec![1, 2], vec![1, 2]));
    assert_eq!(cluster.nodes[0].room(&room()), cluster.nodes[1].room(&room()));
    assert_eq!(cluster.ignorant, 1);
    let left = Change::Left { participant: ParticipantId(3), reason: LeaveReason::GraceExpired };
    assert_eq!(cluster.changes[1][1..], [left, Change::Ended], "who came here is sent to look again");
    assert!(
        !cluster.changes[0]
            .iter()
            .any(|change| matches!(change, Change::Joined { participant, .. } if participant.id.0 == 3))
    );

    let answer = cluster.joins(1, 3).expect("joined");
    let snapshot = answer.snapshot.expect("the room");
    assert_eq!(snapshot.participants.iter().map(|participant| participant.id.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(cluster.people(0), [1, 2, 3]);
    assert_eq!(cluster.nodes[0].room(&room()), cluster.nodes[1].room(&room()));
    assert_eq!((cluster.ignorant, cluster.nodes[1].participants(), cluster.nodes[1].pending()), (1, 3, 0));
}

#[test]
fn nobody_enters_at_a_node_that_knows_that_it_does_not_know_the_room() {
    let mut cluster = Cluster::new();
    // As a room that is too large to be written down.
    cluster.nodes[0].rooms.get_mut(&room()).expect("the room").lacks_events = true;
    cluster.joins(1, 3).expect("it knows no better");
    assert_eq!(cluster.people(1), Vec::<u64>::new());
    assert!(!cluster.nodes[1].knows_about(cluster.now, &room()), "others are to be asked");
    assert_eq!(cluster.joins(1, 3), Err(ErrorCode::LogUnavailable));
    let ticket = Ticket(99);
    cluster.nodes[1].handle(cluster.now, Input::Propose { ticket, proposal: resume(1, 1) });
    cluster.settle();
    assert_eq!(cluster.resolved[&ticket], Err(ErrorCode::LogUnavailable), "the session is not over");
    cluster.now += 10 * SECOND;
    assert!(cluster.nodes[1].knows_about(cluster.now, &room()), "it may have ended");
    cluster.joins(1, 3).expect("it knows no better");
    assert_eq!((cluster.people(0), cluster.people(1), cluster.ignorant), (vec![1, 2], vec![], 2), "and is told again");
}

#[test]
fn a_room_whose_host_is_gone_is_defended_by_whoever_knows_it() {
    let mut cluster = Cluster::new();
    let mut knows = Node::new(Incarnation(3), config("node-3"));
    for entry in &cluster.entries {
        knows.handle(cluster.now, Input::Entry(entry.clone()));
    }
    knows.handle(cluster.now, Input::CaughtUp);
    cluster.nodes[0] = knows;
    cluster.joins(1, 3).expect("it knows no better");
    assert_eq!(cluster.people(1), [3], "nobody who may say so has noticed");
    // Whichever of the two is the first for rooms of this name.
    for node in ["node-1", "node-9"] {
        let other = NodeEntry { node: node.parse().expect("a node id"), ..crate::store::contract::entry(1) };
        for _ in 0..4 {
            cluster.now += HEARTBEAT;
            cluster.nodes[0].handle(cluster.now, Input::Registry(Some(vec![other.clone()].into())));
        }
    }
    cluster.settle();
    assert_eq!((cluster.people(0), cluster.people(1)), (vec![1, 2], vec![1, 2]));
    assert_eq!(cluster.nodes[0].room(&room()), cluster.nodes[1].room(&room()));
}

#[test]
fn what_was_said_of_a_room_that_is_over_ends_no_other() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    let before = bench.node.room(&room()).and_then(room::Room::creation);
    bench.say(a, RoomEvent::Left {}).expect("left");
    bench.joined(2);
    let key = RequestKey::Node { incarnation: KNOWS, n: 1 };
    let node: NodeId = "node-2".parse().expect("a node id");
    // By a host that was frozen, and had not read of the end.
    let event = RoomEvent::HostAdded { incarnation: KNOWS, node: node.clone(), creation: before };
    let late = Record { rules: room::RULES, origin: KNOWS, key, binding: None, event };
    bench.record(&room(), &late);
    assert_eq!((bench.people(), bench.ignorant), (1, 0));
    // By one that has read everything up to here and still has it.
    let as_of = bench.next_offset - 1;
    let creation = Some(Creation::At { offset: 0, as_of });
    let event = RoomEvent::HostAdded { incarnation: KNOWS, node, creation };
    bench.record(&room(), &Record { event, ..late });
    assert_eq!((bench.people(), bench.ignorant), (0, 1));
}

#[test]
fn two_who_found_a_room_at_the_same_time_are_both_hosts_of_the_first() {
    let mut cluster = Cluster::new();
    for site in 0..2 {
        let elsewhere =
            |participant| Proposal { room: "other".parse().expect("a name"), ..join(participant, participant) };
        let ticket = Ticket(10 + site as u64);
        cluster.nodes[site].handle(cluster.now, Input::Propose { ticket, proposal: elsewhere(5 + site as u64) });
    }
    cluster.settle();
    let other: RoomId = "other".parse().expect("a name");
    for (site, node) in cluster.nodes.iter().enumerate() {
        assert!(cluster.resolved[&Ticket(10 + site as u64)].is_ok());
        assert_eq!(node.room(&other).map(|room| (room.participants().len(), room.hosts().count())), Some((2, 2)));
    }
    assert_eq!(cluster.ignorant, 0);
}
