//! An hour in which people come and go, some without a word, while media and messages flow: what the worker holds does not grow.
//!
//! Counted is what is allocated while the worker is called and not freed yet, whoever frees it. What libraries in C
//! allocate (keys) is not.

#![allow(unsafe_code, reason = "a global allocator can only be written so")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use protocol::DataProducerId;
use protocol::sctp::SctpStreamParameters;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sim::call::{Call, Remains};
use sim::network::Link;

/// Looked at every ten minutes.
const PERIODS: usize = 6;
const PERIOD: Duration = Duration::from_secs(600);
/// What an empty worker holds beyond a new one, in bytes: tables, queues and batches do not become smaller again. It is
/// there once as many people as ever had been there at the same time, and does not grow with those who follow them.
const CAPACITY_MAX: i64 = 256 * 1024;
/// Most people at a time, those included who stay.
const PEOPLE_MAX: usize = 6;
/// A person who is gone without a word is noticed so much later: the grace time of a session. The worker itself gives
/// a transport up after as long without consent.
const GRACE: Duration = Duration::from_secs(30);
/// Between two who come or go, at most.
const STEP_MAX: Duration = Duration::from_secs(12);
/// A few packets in a second, so that an hour takes seconds.
const CAMERA: VideoConfig = VideoConfig {
    frame_rate: 1,
    packets: 2,
    keyframe_packets: 3,
    bytes: 600,
    encoding: Duration::ZERO,
    spacing: Duration::ZERO,
    keyframe_interval: None,
    recording: None,
};
const CHANNEL: SctpStreamParameters =
    SctpStreamParameters { stream_id: 0, ordered: None, max_packet_life_time: None, max_retransmits: None };
const MESSAGE: [u8; 3000] = [7; 3000];

thread_local! {
    /// Whether the worker is being called.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Bytes that were allocated meanwhile and are not freed.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn meter(inside: bool) {
    INSIDE.set(inside);
}

/// Notes before each block whether it counts.
struct Tagging;

/// Where the block begins behind its tag: aligned as it asked for, with room for a byte.
fn tagged(layout: Layout) -> Option<(Layout, usize)> {
    let (whole, offset) = Layout::new::<u8>().extend(layout).ok()?;
    Some((whole, offset))
}

// SAFETY: the system's allocator gives a block that is larger by the tag and its padding; what is handed out lies behind
// it within that block, aligned because the whole block is aligned at least as much and `extend` rounds the offset up.
unsafe impl GlobalAlloc for Tagging {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, offset)) = tagged(layout) else { return std::ptr::null_mut() };
        // SAFETY: the layout has a size, that of the tag at least.
        let block = unsafe { System.alloc(whole) };
        if block.is_null() {
            return block;
        }
        // Not while the thread ends, when its locals are gone.
        let counts = INSIDE.try_with(Cell::get).unwrap_or(false);
        if counts {
            let _ = HELD.try_with(|held| held.set(held.get() + layout.size() as i64));
        }
        // SAFETY: both are within the block.
        unsafe {
            block.write(u8::from(counts));
            block.add(offset)
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some((whole, offset)) = tagged(layout) else { return };
        // SAFETY: `alloc` gave this pointer for this layout, so the block begins there, with the tag.
        unsafe {
            let block = pointer.sub(offset);
            if block.read() == 1 {
                let _ = HELD.try_with(|held| held.set(held.get() - layout.size() as i64));
            }
            System.dealloc(block, whole);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Tagging = Tagging;

/// What somebody has for the others.
#[derive(Debug, Clone, Copy)]
enum Sends {
    Picture,
    /// In three sizes.
    Pictures,
    Sound,
    Messages,
}

/// A room and those who come and go in it.
struct Churn {
    call: Call,
    rng: Pcg64Mcg,
    /// Who may go.
    guests: Vec<usize>,
    /// Who sends messages, and on what.
    channels: Vec<(usize, DataProducerId)>,
    /// Who went without a word, and when that is noticed.
    gone: VecDeque<(Duration, Remains)>,
    came: usize,
    vanished: usize,
}

#[test]
fn an_hour_of_coming_and_going_leaves_nothing_behind() {
    meter(true);
    let counted = std::hint::black_box(vec![0_u8; 100]);
    meter(false);
    assert_eq!(HELD.get(), 100, "it counts");
    drop(counted);
    sim::seeds::run(0..sim::seeds::count(1).div_ceil(10), simulate);
}

fn simulate(seed: u64) {
    // What libraries make once.
    sim::fuzz::channels(&[]);
    let before = HELD.get();
    let call = Call::metered(seed, meter);
    let new = HELD.get() - before;
    let rng = Pcg64Mcg::seed_from_u64(seed);
    let mut churn =
        Churn { call, rng, guests: Vec::new(), channels: Vec::new(), gone: VecDeque::new(), came: 0, vanished: 0 };
    // As many as there will ever be at the same time, with all that they can have; then as many in any order.
    while churn.call.people.len() < PEOPLE_MAX {
        churn.enter(&[Sends::Pictures, Sends::Sound, Sends::Messages]);
        churn.rest(Duration::from_secs(1));
    }
    churn.pass(PERIOD);
    churn.empty();
    let empty = HELD.get() - before;

    // Two stay for the rest of the hour.
    let hosts = [churn.enter(&[Sends::Pictures]), churn.enter(&[])];
    churn.guests.clear();
    let mut with_hosts = Vec::new();
    for _ in 1..PERIODS {
        churn.pass(PERIOD);
        churn.empty();
        with_hosts.push(HELD.get() - before);
    }
    hosts.into_iter().for_each(|host| churn.call.leave(host));
    churn.rest(Duration::from_secs(1));
    let end = HELD.get() - before;

    let Churn { call, came, vanished, .. } = churn;
    let stats = call.worker.stats();
    let (packets, messages) = (stats.packets_out, stats.data_messages_out);
    println!(
        "seed {seed}: {came} came, {vanished} vanished, {packets} packets, {messages} messages; {new} B new, {empty} B \
         empty, {with_hosts:?} B with two people, {end} B at the end"
    );
    assert!(
        vanished > 20 && came > 5 * vanished / 2 && packets > 100_000 && messages > 100,
        "there was something to hold"
    );
    assert_eq!(with_hosts, [with_hosts[0]; PERIODS - 1], "every ten minutes the same");
    assert_eq!(end, empty, "everybody left");
    assert!((0..CAPACITY_MAX).contains(&(empty - new)), "{} B of capacity", empty - new);
    let stats = call.worker.stats();
    assert_eq!((stats.transports, stats.producers, stats.consumers, stats.timers), (0, 0, 0, 0));
    assert_eq!((stats.data_producers, stats.data_consumers), (0, 0));
    drop(call);
    assert_eq!(HELD.get(), before, "the worker gives everything back");
}

impl Churn {
    /// People come and go.
    fn pass(&mut self, duration: Duration) {
        let end = self.call.elapsed() + duration;
        while self.call.elapsed() < end {
            let full = self.call.people.len() + self.gone.len() >= PEOPLE_MAX;
            if !full && self.rng.random_bool(0.6) {
                let what = [&[Sends::Picture][..], &[Sends::Pictures], &[Sends::Sound], &[Sends::Messages]];
                let sends = what[self.rng.random_range(0..what.len())];
                self.enter(sends);
            } else if !self.guests.is_empty() {
                self.somebody_goes();
            }
            for &(person, channel) in &self.channels {
                self.call.send_message(person, channel, &MESSAGE);
            }
            let step = STEP_MAX.mul_f64(self.rng.random());
            self.rest(step);
        }
    }

    /// Lets time pass, and notices who is gone.
    fn rest(&mut self, duration: Duration) {
        self.call.run(duration);
        self.call.events.clear();
        while self.gone.front().is_some_and(|(at, _)| *at <= self.call.elapsed()) {
            let (_, remains) = self.gone.pop_front().expect("looked at");
            self.call.bury(remains);
        }
    }

    /// All guests go, and whoever is gone is noticed.
    fn empty(&mut self) {
        while !self.guests.is_empty() {
            self.somebody_goes();
        }
        self.rest(GRACE);
        self.rest(Duration::from_secs(5));
        assert!(self.gone.is_empty());
    }

    fn enter(&mut self, sends: &[Sends]) -> usize {
        let link = Link { loss: 0.01, ..Link::clean(Duration::from_millis(20)) };
        let person = self.call.join(link, link);
        self.came += 1;
        let others: Vec<usize> =
            self.call.people.iter().map(|(other, _)| other).filter(|&other| other != person).collect();
        for sends in sends {
            match sends {
                Sends::Picture => _ = self.call.publish_video(person, CAMERA),
                Sends::Pictures => _ = self.call.publish_simulcast(person, &[CAMERA; 3]),
                Sends::Sound => _ = self.call.publish_audio(person, AudioConfig::default()),
                Sends::Messages => {
                    let channel = self.call.produce_data(person, CHANNEL);
                    let readers = others.iter().filter(|other| self.guests.contains(other));
                    readers.for_each(|&reader| _ = self.call.consume_data(reader, channel));
                    self.channels.push((person, channel));
                }
            }
        }
        for other in others {
            for (viewer, publisher) in [(person, other), (other, person)] {
                for producer in self.call.people[publisher].producers.clone() {
                    self.call.watch(viewer, producer);
                }
            }
        }
        for (_, channel) in self.channels.clone().into_iter().filter(|(other, _)| *other != person) {
            self.call.consume_data(person, channel);
        }
        self.guests.push(person);
        person
    }

    fn somebody_goes(&mut self) {
        let index = self.rng.random_range(0..self.guests.len());
        let person = self.guests.swap_remove(index);
        self.channels.retain(|(other, _)| *other != person);
        if self.rng.random_bool(0.3) {
            self.vanished += 1;
            let remains = self.call.vanish(person);
            self.gone.push_back((self.call.elapsed() + GRACE, remains));
        } else {
            self.call.leave(person);
        }
    }
}

/// The connection outlives its channels; more of them than it has streams.
#[test]
fn channels_that_come_and_go_on_one_connection_leave_nothing_behind() {
    let link = Link::clean(Duration::from_millis(5));
    let mut call = Call::metered(1, meter);
    let (sender, reader) = (call.join(link, link), call.join(link, link));
    call.connect();
    let mut held = Vec::new();
    for _ in 0..3 {
        for _ in 0..400 {
            let channel = call.produce_data(sender, CHANNEL);
            let (_, stream) = call.consume_data(reader, channel);
            while !call.send_message(sender, channel, &MESSAGE) {
                call.run(Duration::from_millis(20));
            }
            call.run(Duration::from_millis(50));
            assert_eq!(call.messages(reader, stream).last().map(Vec::len), Some(MESSAGE.len()));
            call.close_channel(sender, channel);
            call.run(Duration::from_millis(100));
            call.events.clear();
        }
        held.push(HELD.get());
    }
    assert_eq!(held, [held[0]; 3]);
}
