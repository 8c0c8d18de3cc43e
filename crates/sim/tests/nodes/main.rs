//! Several nodes over one log that loses, repeats, delays and refuses, that one node alone does not reach, and that loses
//! what was read, in some of the tests; and a registry that is away at times, or lies. Nodes crash, freeze and start anew
//! from the middle of the log, while people come, go and come back elsewhere.

mod ledger;
mod registry;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use cluster::log::{Cut, Entry};
use cluster::node::{Input, Output, Ticket};
use cluster::{Accepted, Node, NodeConfig, Proposal, ProposalKey};
use protocol::event::{Binding, Record, RoomEvent, RoomLimits};
use protocol::limits::Limits;
use protocol::snapshot::RoomSnapshot;
use protocol::{ErrorCode, Incarnation, ParticipantId, ProducerId, RoomId, SessionId, Source};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use room::{Change, LeaveReason};

use ledger::Ledger;
use registry::Registry;

const SEEDS: u64 = 300;
const NODES: usize = 3;
const PEOPLE: u64 = 6;
const STEP: Duration = Duration::from_millis(50);
const STEPS: u32 = 2000;
/// So that a node that starts anew does not read the room's beginning, and no outage is as long as what it reads.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(6);

#[test]
fn nodes_agree_and_nobody_is_lost_or_left_behind() {
    let (mut joined, mut stayed, mut started_anew, mut knew_the_room, mut fences) = (0, 0, 0, 0, 0);
    sim::seeds::run(0..sim::seeds::count(SEEDS), |seed| {
        let mut world = World::new(seed);
        world.run();
        joined += world.joined;
        stayed += world.stayed;
        started_anew += world.started_anew;
        knew_the_room += world.knew_the_room;
        fences += world.fences;
    });
    println!(
        "{joined} joins, {stayed} stayed, {started_anew} starts anew, {knew_the_room} in the middle of a room, {fences} fences"
    );
    assert!(joined > 0 && stayed > 0, "people come in and stay at all: {joined}, {stayed}");
    assert!(knew_the_room > 0 && fences > 0, "nodes find the room again, and are fenced");
}

#[test]
fn nodes_that_do_not_know_a_running_room_neither_split_it_nor_lose_it() {
    let (mut stayed, mut told, mut knew_the_room) = (0, 0, 0);
    sim::seeds::run(0..sim::seeds::count(SEEDS), |seed| {
        let mut world = World::new(seed);
        world.clocks_are_wrong = true;
        world.run();
        stayed += world.stayed;
        told += world.told;
        knew_the_room += world.knew_the_room;
    });
    println!("{stayed} stayed, {told} were told that there is another room, {knew_the_room} starts in the middle");
    assert!(stayed > 0 && told > 0, "people stay, and nodes found rooms that live: {stayed}, {told}");
}

#[test]
fn a_log_that_loses_its_tail_costs_nothing_that_a_living_node_knew() {
    let (mut stayed, mut cuts, mut refounded, mut salvaged, mut lost) = (0, 0, 0, 0, 0);
    sim::seeds::run(0..sim::seeds::count(SEEDS), |seed| {
        let mut world = World::new(seed);
        world.tail_is_lost = true;
        world.run();
        stayed += world.stayed;
        cuts += world.cuts;
        refounded += world.refounded;
        salvaged += world.ledger.salvaged;
        lost += world.ledger.lost;
    });
    println!(
        "{stayed} stayed, {cuts} tails lost, {refounded} times a node took a room that was founded again, \
         {salvaged} messages salvaged, {lost} that nobody was left to know"
    );
    assert!(stayed > 0 && cuts > 0 && refounded > 0 && salvaged > 0, "rooms are founded again");
}

#[test]
fn nodes_that_are_left_out_of_the_registry_or_alone_without_the_log_are_fenced_or_wait() {
    let (mut stayed, mut fences, mut lies, mut cut_off) = (0, 0, 0, 0);
    sim::seeds::run(0..sim::seeds::count(SEEDS), |seed| {
        let mut world = World::new(seed);
        world.registry.lies = true;
        world.log_is_cut_off = true;
        world.run();
        stayed += world.stayed;
        fences += world.fences;
        lies += world.registry.told;
        cut_off += world.cut_off;
    });
    println!("{stayed} stayed, {lies} lies, {cut_off} times a node alone did not reach the log, {fences} fences");
    assert!(stayed > 0 && fences > 0 && lies > 0 && cut_off > 0, "people stay, and nodes are held for dead");
}

struct World {
    rng: ChaCha8Rng,
    start: Instant,
    now: Instant,
    faults: bool,
    /// Nodes begin to read too late at times, and know nothing of what is going on.
    clocks_are_wrong: bool,
    /// The log loses its newest records at times, also those that were read.
    tail_is_lost: bool,
    /// Nodes do not reach the log at times that others do reach.
    log_is_cut_off: bool,
    /// Nothing reaches the log before then.
    outage_until: Instant,
    registry: Registry,
    nodes: Vec<Site>,
    log: Vec<Entry>,
    people: Vec<Person>,
    asked: BTreeMap<Ticket, Asked>,
    /// What clients ask again, and when.
    again: Vec<(Instant, usize, Proposal)>,
    next_ticket: u64,
    next_session: u64,
    /// The room as the first node that read so far had it, by where it began.
    history: BTreeMap<u64, BTreeMap<Option<u64>, Option<RoomSnapshot>>>,
    joined: u64,
    stayed: u64,
    /// Lives of nodes so far.
    lives: u128,
    started_anew: u64,
    /// Starts from the middle of the log after which the room was known.
    knew_the_room: u64,
    /// Lives that ended because others held them for dead.
    fences: u64,
    /// How often a node was told that others have another room.
    told: u64,
    ledger: Ledger,
    /// How often the log lost its tail, and a node took a room that was founded again because of that.
    cuts: u64,
    refounded: u64,
    /// How often a node alone did not reach the log.
    cut_off: u64,
}

fn room() -> RoomId {
    "daily".parse().expect("a room name")
}

fn config(index: usize) -> NodeConfig {
    let mut config = NodeConfig::new(format!("node-{index}").parse().expect("a node id"), &Limits::default());
    config.room_limits = RoomLimits { participants_max: 4, ..config.room_limits };
    config.snapshot_every = SNAPSHOT_EVERY;
    config
}

struct Site {
    node: Node,
    /// Where in the log it began to read, and how far it is.
    began: usize,
    read: usize,
    /// The log ends or goes on here, before what it read, and when it finds out.
    cut: Option<(Instant, usize)>,
    /// The newest number that its server was told, and of which room.
    told: (Option<u64>, u64),
    /// Where the log ended when it started.
    catches_up_at: Option<usize>,
    /// It stands still until then: it crashed and is not started yet, or is frozen.
    still_until: Instant,
    /// It has to be started anew when it is back.
    crashed: bool,
    /// It neither reads nor appends until then.
    cut_off_until: Instant,
    next_heartbeat: Instant,
    /// Its records on their way to the log, in order.
    sending: VecDeque<(Instant, RoomId, Vec<u8>)>,
}

struct Asked {
    person: usize,
    site: usize,
    at: Instant,
    proposal: Proposal,
}

struct Person {
    id: ParticipantId,
    session: SessionId,
    n: u64,
    /// Of the newest token that they heard of.
    generation: u32,
    place: Place,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Outside,
    Waiting(Ticket),
    Inside {
        site: usize,
        binding: Binding,
    },
    /// The socket broke; the session may be resumed.
    Away,
}

impl World {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        let site = |index: usize| Site {
            node: Node::new(Incarnation(index as u128 + 1), config(index)),
            began: 0,
            read: 0,
            cut: None,
            told: (None, 0),
            catches_up_at: Some(0),
            still_until: start,
            crashed: false,
            cut_off_until: start,
            next_heartbeat: start,
            sending: VecDeque::new(),
        };
        let person = |id: u64| Person {
            id: ParticipantId(id),
            session: SessionId(0),
            n: 0,
            generation: 0,
            place: Place::Outside,
        };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            start,
            now: start,
            faults: true,
            clocks_are_wrong: false,
            tail_is_lost: false,
            log_is_cut_off: false,
            outage_until: start,
            registry: Registry::default(),
            nodes: (0..NODES).map(site).collect(),
            log: Vec::new(),
            people: (1..=PEOPLE).map(person).collect(),
            asked: BTreeMap::new(),
            again: Vec::new(),
            next_ticket: 0,
            next_session: 0,
            history: BTreeMap::new(),
            joined: 0,
            stayed: 0,
            lives: NODES as u128,
            started_anew: 0,
            knew_the_room: 0,
            fences: 0,
            told: 0,
            ledger: Ledger::default(),
            cuts: 0,
            refounded: 0,
            cut_off: 0,
        }
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            self.people_act();
            self.step();
        }
        self.everybody_goes();
    }

    fn people_act(&mut self) {
        let person = self.rng.random_range(0..self.people.len());
        let site = self.rng.random_range(0..NODES);
        if !self.is_up(site) {
            return;
        }
        let dice = self.rng.random_range(0..100);
        let place = self.people[person].place;
        match place {
            Place::Outside if dice < 10 => self.join(person, site),
            Place::Away if dice < 10 => self.resume(person, site),
            // A reload: the same participant with another session.
            Place::Away if dice < 15 => self.join(person, site),
            // The client has waited for long enough and repeats at any node, or the page is closed.
            Place::Waiting(ticket) if dice < 3 => self.repeat(person, ticket, site),
            Place::Waiting(_) if dice < 5 => self.people[person].place = Place::Away,
            Place::Inside { site, binding } => match dice {
                0..8 => self.request(person, site, binding),
                8..10 => self.break_socket(person, site, binding),
                10 => {
                    self.people[person].n += 1;
                    let key = ProposalKey::Session { session: self.people[person].session, n: self.people[person].n };
                    self.ask(person, site, key, Some(binding), RoomEvent::Left {});
                    self.people[person].place = Place::Outside;
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn join(&mut self, person: usize, site: usize) {
        self.next_session += 1;
        let session = SessionId(self.next_session);
        let Person { id, session: current, n, generation, .. } = &mut self.people[person];
        (*current, *n, *generation) = (session, 0, 0);
        let event = RoomEvent::Joined {
            participant: *id,
            session,
            name: "P".to_owned(),
            video_codecs: Vec::new(),
            address_tag: None,
        };
        let ticket = self.ask(person, site, ProposalKey::Session { session, n: 0 }, None, event);
        self.people[person].place = Place::Waiting(ticket);
        self.drain(site);
    }

    fn resume(&mut self, person: usize, site: usize) {
        let Person { id, session, .. } = self.people[person];
        let generation = self.people[person].generation + 1;
        let event = RoomEvent::Resumed { participant: id, session, generation };
        let ticket = self.ask(person, site, ProposalKey::Node, None, event);
        self.people[person].place = Place::Waiting(ticket);
        self.drain(site);
    }

    fn repeat(&mut self, person: usize, ticket: Ticket, site: usize) {
        let Some(asked) = self.asked.get(&ticket) else { return };
        let Proposal { key, binding, event, .. } = asked.proposal.clone();
        let ticket = self.ask(person, site, key, binding, event);
        self.people[person].place = Place::Waiting(ticket);
        self.drain(site);
    }

    fn request(&mut self, person: usize, site: usize, binding: Binding) {
        let source = Source::ALL[self.rng.random_range(0..4)];
        self.people[person].n += 1;
        let Person { session, n, .. } = self.people[person];
        let event = match self.rng.random_range(0..6) {
            4.. => RoomEvent::ChatSent { text: format!("{}-{n}", session.0) },
            0 => RoomEvent::ProducerPaused { source },
            1 => RoomEvent::ProducerClosed { source },
            _ => RoomEvent::ProducerAdded { source, kind: source.kind(), paused: false },
        };
        self.ask(person, site, ProposalKey::Session { session, n }, Some(binding), event);
        self.drain(site);
    }

    fn break_socket(&mut self, person: usize, site: usize, binding: Binding) {
        self.people[person].place = Place::Away;
        self.ask(person, site, ProposalKey::Node, Some(binding), RoomEvent::Held { closing: false });
        self.drain(site);
    }

    fn ask(
        &mut self,
        person: usize,
        site: usize,
        key: ProposalKey,
        binding: Option<Binding>,
        event: RoomEvent,
    ) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let room = room();
        let proposal = Proposal { room, key, binding, event };
        if self.nodes[site].crashed {
            return ticket;
        }
        self.asked.insert(ticket, Asked { person, site, at: self.now, proposal: proposal.clone() });
        self.nodes[site].node.handle(self.now, Input::Propose { ticket, proposal });
        ticket
    }

    /// A moment passes for the log, the nodes and their timers.
    fn step(&mut self) {
        self.now += STEP;
        if self.faults && self.rng.random_ratio(1, 600) {
            self.outage_until = self.now + Duration::from_secs(self.rng.random_range(1..9));
        }
        if self.tail_is_lost && self.faults && self.is_whole() && self.rng.random_ratio(1, 500) {
            self.lose_tail();
        }
        self.ask_again();
        for site in 0..NODES {
            if self.faults && self.is_up(site) && self.rng.random_ratio(1, 1500) {
                self.stop(site);
            }
            if self.log_is_cut_off && self.faults && self.rng.random_ratio(1, 1500) {
                self.nodes[site].cut_off_until = self.now + Duration::from_secs(self.rng.random_range(1..20));
                self.cut_off += 1;
            }
            if self.now < self.nodes[site].still_until {
                continue;
            }
            let reads = self.now >= self.nodes[site].cut_off_until;
            if self.nodes[site].crashed {
                // Who starts waits for the log.
                if !reads {
                    continue;
                }
                self.start_anew(site);
            }
            self.deliver(site);
            self.beat(site);
            if !self.nodes[site].crashed && reads && (self.rng.random_ratio(3, 4) || !self.faults) {
                self.read(site);
            }
            if !self.nodes[site].crashed && self.nodes[site].node.poll_timeout().is_some_and(|at| at <= self.now) {
                let answers = self.log_answers(site);
                self.nodes[site].node.log_answers(self.now, answers);
                self.nodes[site].node.handle_timeout(self.now);
                self.drain(site);
            }
        }
    }

    /// Whether all that the log lost before is healed. What only a node knew that was frozen all the time is gone with
    /// the next loss.
    fn is_whole(&self) -> bool {
        self.nodes.iter().all(|site| site.crashed || (site.cut.is_none() && !site.node.is_lost(&room())))
    }

    /// The log dies and comes back without its newest records, of which every node finds out for itself.
    fn lose_tail(&mut self) {
        let end = self.log.len() - self.rng.random_range(0..=50.min(self.log.len()));
        let alive = self.nodes.iter().enumerate().filter(|(_, site)| !site.crashed).map(|(i, site)| (i, &site.node));
        self.ledger.cut(&self.log[..end], alive);
        self.log.truncate(end);
        self.history.split_off(&(end as u64));
        self.outage_until = self.now + Duration::from_millis(self.rng.random_range(0..3000));
        self.cuts += 1;
        for Site { read, cut, catches_up_at, .. } in &mut self.nodes {
            *catches_up_at = catches_up_at.map(|at| at.min(end));
            if *read > end {
                let at = self.outage_until + Duration::from_millis(self.rng.random_range(0..1000));
                *cut = Some((at, cut.map_or(end, |(_, before)| end.min(before))));
            }
        }
    }

    fn is_up(&self, site: usize) -> bool {
        !self.nodes[site].crashed && self.now >= self.nodes[site].still_until
    }

    /// A node crashes, or freezes.
    fn stop(&mut self, site: usize) {
        self.nodes[site].still_until = self.now + Duration::from_secs(self.rng.random_range(1..20));
        let held = self.lose_people(site);
        if self.rng.random() {
            self.crash(site);
            return;
        }
        // Its server finds their sockets broken when it is back.
        for (person, binding) in held {
            self.ask(person, site, ProposalKey::Node, Some(binding), RoomEvent::Held { closing: false });
        }
    }

    /// Others hold it for dead: it sends its people away and starts anew.
    fn fenced(&mut self, site: usize) {
        self.fences += 1;
        self.lose_people(site);
        self.crash(site);
    }

    /// The people of a node notice that it is not there.
    fn lose_people(&mut self, site: usize) -> Vec<(usize, Binding)> {
        let mut held = Vec::new();
        for (index, person) in self.people.iter_mut().enumerate() {
            match person.place {
                Place::Inside { site: here, binding } if here == site => {
                    person.place = Place::Away;
                    held.push((index, binding));
                }
                _ => {}
            }
        }
        held
    }

    /// It forgets everything; what it had handed over may still reach the log.
    fn crash(&mut self, site: usize) {
        let lost: Vec<Ticket> =
            self.asked.iter().filter(|(_, asked)| asked.site == site).map(|(ticket, _)| *ticket).collect();
        for ticket in lost {
            let asked = self.asked.remove(&ticket).expect("it was there");
            if self.people[asked.person].place == Place::Waiting(ticket) {
                self.people[asked.person].place = Place::Away;
            }
        }
        let kept = self.rng.random_range(0..=self.nodes[site].sending.len());
        self.nodes[site].sending.truncate(kept);
        self.nodes[site].crashed = true;
        self.ledger.crashed(site);
    }

    /// Under the same name, as another: it reads from where a node begins to.
    fn start_anew(&mut self, site: usize) {
        self.lives += 1;
        self.started_anew += 1;
        let config = config(site);
        let since_ms = self.time_ms().saturating_sub(u64::try_from(config.read_back().as_millis()).expect("short"));
        let started = &mut self.nodes[site];
        started.node = Node::new(Incarnation(self.lives), config);
        started.crashed = false;
        started.began = if self.clocks_are_wrong && self.rng.random() {
            self.log.len()
        } else {
            self.log.iter().take_while(|entry| entry.time_ms < since_ms).count()
        };
        started.read = started.began;
        (started.cut, started.told) = (None, (None, 0));
        started.catches_up_at = Some(self.log.len());
        started.next_heartbeat = self.now;
    }

    fn time_ms(&self) -> u64 {
        u64::try_from((self.now - self.start).as_millis()).expect("a short run")
    }

    fn log_answers(&self, site: usize) -> bool {
        self.now >= self.outage_until.max(self.nodes[site].cut_off_until)
    }

    /// Clients say again what had no answer.
    fn ask_again(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.again.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, person, Proposal { key, event, .. }) in due {
            let Person { session, place, .. } = self.people[person];
            let is_theirs = matches!(key, ProposalKey::Session { session: of, .. } if of == session);
            if let (true, Place::Inside { site, binding }) = (is_theirs, place) {
                self.ask(person, site, key, Some(binding), event);
                self.drain(site);
            }
        }
    }

    /// What a node sent reaches the log, or not, or twice.
    fn deliver(&mut self, site: usize) {
        while self.log_answers(site) && self.nodes[site].sending.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, room, value)) = self.nodes[site].sending.pop_front() else { return };
            let copies = match self.rng.random_range(0..40) {
                0 if self.faults => 0,
                1 if self.faults => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let offset = self.log.len() as u64;
                let time_ms = self.time_ms();
                self.log.push(Entry { room: room.clone(), offset, time_ms, value: value.clone().into() });
            }
        }
    }

    fn read(&mut self, site: usize) {
        if !self.finds_cut(site) {
            return;
        }
        self.catch_up(site);
        while let Some(entry) = self.log.get(self.nodes[site].read).cloned() {
            let offset = entry.offset;
            let room = entry.room.clone();
            self.nodes[site].read += 1;
            self.nodes[site].node.handle(self.now, Input::Entry(entry));
            self.catch_up(site);
            if self.nodes[site].node.is_lost(&room) {
                self.drain(site);
                if self.nodes[site].crashed {
                    return;
                }
                continue;
            }
            // Who reads the past may have begun at a record that does not count for those who know what was before it. A
            // snapshot or a founding that does is on its way.
            if self.nodes[site].catches_up_at.is_none() {
                let snapshot = self.nodes[site].node.snapshot(&room);
                let created = self.nodes[site].node.room(&room).and_then(room::Room::created);
                let rooms = self.history.entry(offset).or_default();
                let first = rooms.entry(created).or_insert_with(|| snapshot.clone());
                assert_eq!(*first, snapshot, "nodes agree on what offset {offset} led to");
                // Who starts after a loss and before the founding does not know the room yet.
                assert!(self.clocks_are_wrong || self.tail_is_lost || rooms.len() == 1, "and on which room it is");
            }
            self.drain(site);
            if self.nodes[site].crashed {
                return;
            }
        }
        if !self.nodes[site].node.is_lost(&room()) && self.nodes[site].catches_up_at.is_none() {
            self.ledger.is_read(&self.nodes[site].node);
        }
    }

    /// Whether it may read on.
    fn finds_cut(&mut self, site: usize) -> bool {
        let Site { node, began, read, cut, .. } = &mut self.nodes[site];
        match *cut {
            Some((at, _)) if self.now < at => return false,
            Some((_, end)) => {
                *cut = None;
                (*read, *began) = (end, end.min(*began));
                node.handle(self.now, Input::Cut(Cut { partition: 0, partitions: 1, end: end as u64 }));
            }
            None => {}
        }
        self.drain(site);
        !self.nodes[site].crashed
    }

    fn catch_up(&mut self, site: usize) {
        let Site { node, began, read, catches_up_at, .. } = &mut self.nodes[site];
        if catches_up_at.is_some_and(|end| *read >= end) {
            *catches_up_at = None;
            node.handle(self.now, Input::CaughtUp);
            self.knew_the_room += u64::from(*began > 0 && node.rooms() > 0);
        }
    }

    fn drain(&mut self, site: usize) {
        while let Some(output) = self.nodes[site].node.poll_output() {
            match output {
                Output::Append { room, key, .. } if self.faults && self.rng.random_ratio(1, 60) => {
                    self.nodes[site].node.handle(self.now, Input::AppendRefused { room, key });
                }
                Output::Append { room, value, .. } => {
                    assert!(serde_json::from_slice::<Record>(&value).is_ok(), "what is appended can be read");
                    let before = self.nodes[site].sending.back().map_or(self.now, |(at, ..)| *at);
                    let at = before.max(self.now + Duration::from_millis(self.rng.random_range(1..200)));
                    self.nodes[site].sending.push_back((at, room, value));
                }
                Output::Resolve { ticket, result } => self.resolved(site, ticket, result),
                Output::Changed(applied) => {
                    let created = self.nodes[site].node.room(&room()).and_then(room::Room::created);
                    let (of, seq) = std::mem::replace(&mut self.nodes[site].told, (created, applied.seq));
                    assert!(
                        of.is_none() || of != created || seq <= applied.seq,
                        "numbers never go back: {seq}, {}",
                        applied.seq
                    );
                    self.changed(site, &applied.change);
                }
                Output::SetAside { .. } => panic!("every record can be read"),
                Output::Refounded { .. } if self.tail_is_lost => {
                    self.refounded += 1;
                }
                Output::Ignorant { .. } if self.clocks_are_wrong || self.tail_is_lost => self.told += 1,
                Output::Diverged { .. }
                | Output::Ignorant { .. }
                | Output::Refounded { .. }
                | Output::TooLarge { .. } => panic!("{output:?}"),
                Output::Fenced => return self.fenced(site),
            }
        }
    }

    /// A server closes the sockets of bindings that are over.
    fn changed(&mut self, here: usize, change: &Change) {
        if *change == Change::Replaced {
            // All sockets are closed, and people look again.
            for (person, binding) in self.lose_people(here) {
                self.ask(person, here, ProposalKey::Node, Some(binding), RoomEvent::Held { closing: false });
            }
        }
        if let Change::Left { participant, reason: LeaveReason::GraceExpired } = change {
            for person in self.people.iter_mut().filter(|person| person.id == *participant) {
                if matches!(person.place, Place::Inside { site, .. } if site == here) {
                    assert!(self.clocks_are_wrong || self.tail_is_lost, "nobody with a socket is put out");
                    person.place = Place::Outside;
                }
            }
        }
        let (Change::Returned { binding: newer } | Change::Held { binding: newer }) = change else { return };
        for person in &mut self.people {
            if let Place::Inside { site, binding } = person.place
                && (site, binding.participant) == (here, newer.participant)
                && (binding.number < newer.number || matches!(change, Change::Held { .. }))
            {
                let fenced = !self.nodes[here].node.room(&room()).is_some_and(|r| r.is_host(binding.incarnation));
                let is_held = !fenced && binding.number >= newer.number;
                assert!(!is_held || self.tail_is_lost, "nobody with a socket is held");
                person.place = Place::Away;
            }
        }
    }

    fn resolved(&mut self, site: usize, ticket: Ticket, result: Result<Accepted, ErrorCode>) {
        let Asked { person, at, proposal, .. } = self.asked.remove(&ticket).expect("a ticket is resolved once");
        let frozen = at < self.nodes[site].still_until;
        assert!(frozen || self.now - at <= Duration::from_secs(5) + STEP, "an answer within 5 s");
        let enters = matches!(proposal.event, RoomEvent::Joined { .. } | RoomEvent::Resumed { .. });
        match result {
            Ok(Accepted { binding: Some(binding), snapshot, .. }) if enters => {
                let room = snapshot.expect("who enters gets the room");
                assert!(room.participants.iter().any(|other| other.id == binding.participant), "and is in it");
                assert_eq!(binding.incarnation, self.nodes[site].node.incarnation());
                self.joined += 1;
                if let RoomEvent::Resumed { generation, .. } = proposal.event
                    && self.people[person].place == Place::Waiting(ticket)
                {
                    self.people[person].generation = generation;
                }
                if self.people[person].place == Place::Waiting(ticket) {
                    self.people[person].place = Place::Inside { site, binding };
                } else {
                    // The socket broke meanwhile: the server says so.
                    self.ask(person, site, ProposalKey::Node, Some(binding), RoomEvent::Held { closing: false });
                }
            }
            Ok(accepted) => {
                assert!(!enters && accepted.seq > 0);
                // Who has gone elsewhere asks again there. What is accepted while somebody knows more than who founded the
                // room again is judged again by that.
                let binding = proposal.binding.filter(|_| !enters && self.is_whole());
                let hears = binding.is_some_and(|binding| self.people[person].place == Place::Inside { site, binding });
                self.acknowledged(site, &proposal, accepted.seq, hears);
            }
            Err(error) if enters && self.people[person].place == Place::Waiting(ticket) => {
                let retry = error == ErrorCode::LogUnavailable && self.rng.random();
                self.people[person].place = if retry { Place::Away } else { Place::Outside };
            }
            // The leave did not get through and the page is closed: its socket breaks.
            Err(_) if proposal.event == (RoomEvent::Left {}) => {
                self.ask(person, site, ProposalKey::Node, proposal.binding, RoomEvent::Held { closing: false });
            }
            // The client shows it as being sent, and asks again.
            Err(ErrorCode::LogUnavailable) if matches!(proposal.event, RoomEvent::ChatSent { .. }) => {
                let at = self.now + Duration::from_millis(self.rng.random_range(300..2000));
                self.again.push((at, person, proposal));
            }
            Err(_) => {}
        }
    }

    /// A fresh acknowledgement is what the node's room says.
    fn acknowledged(&mut self, site: usize, proposal: &Proposal, seq: u64, hears: bool) {
        if let RoomEvent::ChatSent { text } = &proposal.event
            && hears
        {
            self.ledger.acknowledge(&self.nodes[site].node, text);
        }
        let (RoomEvent::ProducerAdded { source, .. }, Some(binding)) = (&proposal.event, proposal.binding) else {
            return;
        };
        let Some(room) = self.nodes[site].node.snapshot(&proposal.room).filter(|room| room.seq == seq) else { return };
        let id = ProducerId { participant: binding.participant, source: *source };
        let mut producers = room.participants.iter().flat_map(|participant| &participant.producers);
        assert!(producers.any(|producer| producer.id == id), "what is acknowledged is there");
    }

    /// All sockets break; without faults, every node comes to an empty house.
    fn everybody_goes(&mut self) {
        self.faults = false;
        self.outage_until = self.now;
        self.registry.speaks_the_truth();
        for site in &mut self.nodes {
            site.cut_off_until = self.now;
        }
        self.pass(Duration::from_secs(40));
        for Site { node, .. } in &self.nodes {
            assert!(!node.is_lost(&room()), "every room is founded again");
            self.ledger.check(node);
        }
        for Person { place, .. } in &self.people {
            if let Place::Inside { site, binding } = *place {
                let room = self.nodes[site].node.room(&room()).expect("a room");
                let participant = room.participant(binding.participant).expect("who has a socket is in");
                assert_eq!((participant.binding(), participant.held_until_ms()), (binding, None));
                self.stayed += 1;
            }
        }
        for person in 0..self.people.len() {
            match self.people[person].place {
                Place::Inside { site, binding } => self.break_socket(person, site, binding),
                _ => self.people[person].place = Place::Outside,
            }
        }
        self.pass(Duration::from_secs(if self.clocks_are_wrong { 90 } else { 60 }));
        assert_eq!(self.asked.keys().collect::<Vec<_>>(), Vec::<&Ticket>::new(), "every ticket was resolved");
        for Site { node, .. } in &self.nodes {
            let left = (node.rooms(), node.participants(), node.pending(), node.poll_timeout());
            assert_eq!(left, (0, 0, 0, None), "nothing is left behind");
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }
}
