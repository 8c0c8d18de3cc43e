//! The log loses its newest records after nodes had applied them.

use protocol::event::{Record, RequestKey};

use super::*;
use crate::log::Cut;

const HERE: Incarnation = Incarnation(1);
/// The first byte of its number, by which of several hosts one is first, comes after that of the others.
const LATER: Incarnation = Incarnation(200);

struct Site {
    node: Node,
    /// How much of the log it has read.
    read: usize,
    changes: Vec<Change>,
    refounded: usize,
    fenced: bool,
}

/// Nodes over one log, each as far as it was told to read.
struct Cluster {
    start: Instant,
    now: Instant,
    sites: Vec<Site>,
    entries: Vec<Entry>,
    next_ticket: u64,
    resolved: BTreeMap<Ticket, Result<Accepted, ErrorCode>>,
}

impl Cluster {
    fn new(lives: &[Incarnation]) -> Self {
        let start = Instant::now();
        let (entries, resolved) = (Vec::new(), BTreeMap::new());
        let mut cluster = Self { start, now: start, sites: Vec::new(), entries, next_ticket: 0, resolved };
        for life in lives {
            cluster.starts(*life);
        }
        cluster
    }

    /// A node that reads the log from its beginning.
    fn starts(&mut self, life: Incarnation) {
        let config = NodeConfig::new(format!("node-{}", life.0).parse().expect("a node id"), &Limits::default());
        let node = Node::new(life, config);
        self.sites.push(Site { node, read: 0, changes: Vec::new(), refounded: 0, fenced: false });
        let site = self.sites.len() - 1;
        self.reads(site);
        self.sites[site].node.handle(self.now, Input::CaughtUp);
    }

    fn asks(&mut self, site: usize, proposal: Proposal) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.sites[site].node.handle(self.now, Input::Propose { ticket, proposal });
        self.drain(site);
        ticket
    }

    fn joins(&mut self, site: usize, participant: u64) -> Binding {
        let ticket = self.asks(site, join(participant, participant));
        self.settle();
        self.accepted(ticket).binding.expect("a binding")
    }

    /// Somebody writes, and only this node has read of it.
    fn writes(&mut self, site: usize, binding: Binding, n: u64, text: &str) -> Accepted {
        let ticket = self.asks(site, ask(binding, n, RoomEvent::ChatSent { text: text.to_owned() }));
        self.reads(site);
        self.accepted(ticket)
    }

    fn accepted(&self, ticket: Ticket) -> Accepted {
        self.resolved.get(&ticket).cloned().expect("it is resolved").expect("it is accepted")
    }

    fn reads(&mut self, site: usize) {
        while let Some(entry) = self.entries.get(self.sites[site].read).cloned() {
            self.sites[site].read += 1;
            self.sites[site].node.handle(self.now, Input::Entry(entry));
            self.drain(site);
        }
    }

    fn drain(&mut self, site: usize) {
        while let Some(output) = self.sites[site].node.poll_output() {
            match output {
                Output::Append { room, value, .. } => self.append(&room, value),
                Output::Changed(applied) => self.sites[site].changes.push(applied.change),
                Output::Resolve { ticket, result } => _ = self.resolved.insert(ticket, result),
                Output::Refounded { .. } => self.sites[site].refounded += 1,
                Output::Fenced => self.sites[site].fenced = true,
                _ => panic!("{output:?}"),
            }
        }
    }

    fn append(&mut self, room: &RoomId, value: Vec<u8>) {
        let time_ms = u64::try_from((self.now - self.start).as_millis()).expect("a short test");
        let offset = self.entries.len() as u64;
        self.entries.push(Entry { room: room.clone(), offset, time_ms, value: value.into() });
    }

    /// Everybody reads everything, and what is due is done, for as long as a founding may take.
    fn settle(&mut self) {
        let end = self.now + 4 * SECOND;
        while self.now < end {
            for site in 0..self.sites.len() {
                self.reads(site);
            }
            self.now += SECOND / 50;
            for site in 0..self.sites.len() {
                self.sites[site].node.handle_timeout(self.now);
                self.drain(site);
            }
        }
        (0..self.sites.len()).for_each(|site| self.reads(site));
    }

    /// The newest records are lost, and who had read them finds out.
    fn loses(&mut self, records: usize) {
        self.now += SECOND;
        let end = self.entries.len() - records;
        self.entries.truncate(end);
        for site in &mut self.sites {
            if site.read > end {
                site.read = end;
                site.node.handle(self.now, Input::Cut(Cut { partition: 0, partitions: 1, end: end as u64 }));
            }
        }
    }

    fn room(&self, site: usize) -> &room::Room {
        self.sites[site].node.room(&room()).expect("a room")
    }

    fn chat(&self, site: usize) -> Vec<String> {
        let snapshot = self.sites[site].node.snapshot(&room()).expect("a room");
        snapshot.chat.into_iter().map(|message| message.text).collect()
    }

    fn changes(&mut self, site: usize) -> Vec<Change> {
        std::mem::take(&mut self.sites[site].changes)
    }

    fn foundings(&self) -> usize {
        let records =
            self.entries.iter().map(|entry| serde_json::from_slice::<Record>(&entry.value).expect("a record"));
        records.filter(|record| matches!(record.event, RoomEvent::Refounded { .. })).count()
    }

    /// All nodes have the same room, as does one that begins to read now.
    fn agree(&mut self) {
        self.starts(Incarnation(77));
        let newest = self.sites.len() - 1;
        for site in 0..newest {
            assert_eq!(self.room(site), self.room(newest), "node {site}");
            assert!(!self.sites[site].node.is_lost(&room()));
        }
        self.sites.pop();
    }
}

/// Anna on the first node, Ben on the second, and both have written.
fn two(lives: &[Incarnation]) -> (Cluster, Binding, Binding) {
    let mut cluster = Cluster::new(lives);
    let (anna, ben) = (cluster.joins(0, 1), cluster.joins(1, 2));
    cluster.writes(0, anna, 1, "a1");
    cluster.writes(1, ben, 1, "b1");
    cluster.settle();
    cluster.changes(0);
    cluster.changes(1);
    (cluster, anna, ben)
}

#[test]
fn what_all_nodes_had_read_stays_and_nobody_in_the_room_notices() {
    let (mut cluster, anna, ben) = two(&[HERE, LATER]);
    let before = cluster.writes(0, anna, 2, "a2").seq;
    cluster.settle();
    cluster.changes(0);
    cluster.changes(1);
    cluster.loses(3);
    cluster.settle();
    assert_eq!(cluster.foundings(), 1, "the other host sees that it is done");
    assert_eq!([cluster.changes(0), cluster.changes(1)], [vec![], vec![]]);
    assert_eq!(cluster.chat(1), ["a1", "b1", "a2"]);
    cluster.agree();
    assert!(cluster.writes(1, ben, 2, "b2").seq > before);
    assert_eq!(cluster.writes(0, anna, 2, "a2").seq, before, "what was asked before is asked again");
    cluster.settle();
    assert_eq!(cluster.chat(0), ["a1", "b1", "a2", "b2"]);
    cluster.agree();
}

#[test]
fn who_had_not_read_what_was_lost_takes_it_from_who_had() {
    let (mut cluster, anna, ben) = two(&[HERE, LATER]);
    cluster.writes(0, anna, 2, "a2");
    cluster.loses(1);
    // For this one nothing was lost, and it goes on at once.
    let seq = cluster.writes(1, ben, 2, "b2").seq;
    cluster.settle();
    assert_eq!(cluster.chat(1), ["a1", "b1", "a2", "b2"]);
    assert_eq!(cluster.changes(1).last(), Some(&Change::Replaced), "its people look again");
    assert!(cluster.room(1).seq() > seq);
    assert!(!cluster.changes(0).contains(&Change::Replaced));
    cluster.agree();
}

#[test]
fn a_server_is_told_who_of_its_people_went_elsewhere_by_a_record_that_it_never_read() {
    let (mut cluster, ..) = two(&[HERE, LATER]);
    let moved = cluster.asks(1, resume(1, 1));
    cluster.reads(1);
    let binding = cluster.accepted(moved).binding.expect("a binding");
    cluster.loses(1);
    cluster.settle();
    assert_eq!(cluster.changes(0), [Change::Returned { binding }, Change::Replaced]);
    cluster.agree();
}

#[test]
fn who_knows_more_than_the_first_founds_the_room_once_more() {
    let (mut cluster, _, ben) = two(&[HERE, LATER]);
    let key = RequestKey::Node { incarnation: LATER, n: 99 };
    let node = "node-200".parse().expect("a node id");
    let event = RoomEvent::HostAdded { incarnation: LATER, node, creation: cluster.room(0).creation() };
    let nothing = Record { rules: room::RULES, origin: LATER, key, binding: None, event };
    cluster.append(&room(), serde_json::to_vec(&nothing).expect("json"));
    (0..2).for_each(|site| cluster.reads(site));
    cluster.writes(1, ben, 2, "b2");
    cluster.changes(1);
    cluster.loses(2);
    cluster.settle();
    assert_eq!(cluster.foundings(), 2);
    assert_eq!((cluster.chat(0), cluster.sites[0].refounded), (cluster.chat(1), 2));
    assert_eq!(cluster.chat(0), ["a1", "b1", "b2"]);
    assert_eq!((cluster.sites[1].refounded, cluster.changes(1)), (1, vec![]));
    cluster.agree();
}

#[test]
fn of_two_that_found_the_room_at_once_the_first_counts() {
    let (mut cluster, anna, _) = two(&[HERE, Incarnation(257)]);
    cluster.writes(0, anna, 2, "a2");
    cluster.settle();
    cluster.loses(2);
    cluster.settle();
    assert_eq!(cluster.foundings(), 2);
    assert_eq!((cluster.sites[0].refounded, cluster.sites[1].refounded), (1, 1));
    assert_eq!(cluster.chat(1), ["a1", "b1", "a2"]);
    cluster.agree();
}

#[test]
fn what_is_asked_meanwhile_waits_until_the_room_is_founded_again() {
    let (mut cluster, anna, _) = two(&[HERE, LATER]);
    cluster.loses(2);
    let end = cluster.entries.len();
    let (written, entered) = (ask(anna, 2, RoomEvent::ChatSent { text: "a2".to_owned() }), join(3, 3));
    let tickets = [cluster.asks(0, written), cluster.asks(1, entered)];
    assert_eq!(cluster.entries.len(), end);
    assert!(tickets.iter().all(|ticket| !cluster.resolved.contains_key(ticket)));
    cluster.settle();
    for ticket in tickets {
        cluster.accepted(ticket);
    }
    assert_eq!((cluster.chat(1).last().map(String::as_str), cluster.room(0).participants().len()), (Some("a2"), 3));
    cluster.agree();
}

#[test]
fn who_comes_back_meanwhile_is_let_in_by_a_node_that_is_busy_with_other_rooms() {
    let (mut cluster, ..) = two(&[HERE, LATER]);
    cluster.starts(Incarnation(60));
    cluster.loses(2);
    let back = cluster.asks(2, resume(1, 1));
    for n in 100..140 {
        let elsewhere = format!("room-{n}").parse().expect("a room name");
        cluster.asks(2, Proposal { room: elsewhere, ..join(n, n) });
    }
    cluster.settle();
    assert!(cluster.accepted(back).binding.is_some());
    cluster.agree();
}

#[test]
fn what_was_on_its_way_when_the_log_lost_it_is_appended_again() {
    let (mut cluster, anna, _) = two(&[HERE, LATER]);
    let ticket = cluster.asks(0, ask(anna, 2, RoomEvent::ChatSent { text: "a2".to_owned() }));
    // Nobody has read it.
    cluster.loses(2);
    cluster.settle();
    cluster.accepted(ticket);
    assert_eq!(cluster.chat(1), ["a1", "b1", "a2"]);
    cluster.agree();
}

#[test]
fn a_room_that_was_over_is_over_for_who_did_not_read_that() {
    let (mut cluster, anna, ben) = two(&[HERE, LATER]);
    for (site, binding) in [(0, anna), (1, ben)] {
        cluster.asks(site, about(binding, RoomEvent::Left {}));
        cluster.reads(0);
    }
    let unread = cluster.entries.len() - cluster.sites[1].read;
    assert!(cluster.sites[0].node.room(&room()).is_none());
    cluster.loses(unread);
    cluster.settle();
    assert_eq!(cluster.changes(1).last(), Some(&Change::Ended));
    cluster.starts(Incarnation(77));
    for Site { node, .. } in &cluster.sites {
        assert_eq!((node.rooms(), node.participants(), node.pending()), (0, 0, 0));
    }
    cluster.sites.pop();
    cluster.joins(1, 1);
    assert_eq!(cluster.room(0), cluster.room(1));
}

#[test]
fn a_room_that_only_one_node_had_read_of_is_there_for_all() {
    let mut cluster = Cluster::new(&[HERE, LATER]);
    let ticket = cluster.asks(0, join(1, 1));
    cluster.reads(0);
    cluster.accepted(ticket);
    cluster.loses(3);
    cluster.settle();
    assert_eq!((cluster.room(0), cluster.room(1).participants().len()), (cluster.room(1), 1));
}

#[test]
fn a_life_that_was_declared_lost_stays_lost() {
    let (mut cluster, _, _) = two(&[HERE, LATER]);
    let key = RequestKey::Node { incarnation: HERE, n: 99 };
    let lost = RoomEvent::NodeLost { incarnation: LATER };
    let lost = Record { rules: room::RULES, origin: HERE, key, binding: None, event: lost };
    cluster.append(&room(), serde_json::to_vec(&lost).expect("json"));
    cluster.reads(0);
    cluster.loses(1);
    cluster.settle();
    assert!(cluster.sites[1].fenced);
    assert!(!cluster.room(1).is_host(LATER));
}

#[test]
fn a_snapshot_that_was_written_before_is_not_one_of_what_is_there_now() {
    let (mut cluster, anna, _) = two(&[HERE, LATER]);
    cluster.writes(0, anna, 2, "a2");
    cluster.settle();
    let as_of = cluster.room(0).offset();
    let state = crate::node::snapshots::pack(cluster.room(0)).expect("a small room");
    cluster.loses(2);
    cluster.settle();
    while cluster.entries.len() as u64 <= as_of {
        let n = cluster.entries.len() as u64;
        cluster.writes(0, anna, n, "later");
    }
    let key = RequestKey::Node { incarnation: LATER, n: 98 };
    let event = RoomEvent::Snapshot { as_of, state };
    let late = Record { rules: room::RULES, origin: LATER, key, binding: None, event };
    let began = usize::try_from(as_of).expect("small");
    cluster.append(&room(), serde_json::to_vec(&late).expect("json"));
    cluster.settle();
    let config = NodeConfig::new("node-5".parse().expect("a node id"), &Limits::default());
    let mut late = Node::new(Incarnation(5), config);
    for entry in &cluster.entries[began..] {
        late.handle(cluster.now, Input::Entry(entry.clone()));
    }
    assert!(late.room(&room()).is_none_or(|late| late == cluster.room(0)));
    cluster.agree();
}
